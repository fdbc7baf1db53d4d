"""What a connection needs to know, and the error that says why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.mqtt.message import Will
from bridge.mqtt.packets import PacketFilter

__all__ = ["Options", "RefusedError"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a CONNECT says beside the endpoint."""

    client_id: str
    will: Will | None
    clean: bool
    session_expiry_s: int
    receive_maximum: int
    keep_alive_s: int
    packets: PacketFilter | None = None
    """What is let in; None: whatever can be decoded."""


class RefusedError(Exception):
    """There is no connection; the text is the reason alone."""

    def __init__(self, reason: str, *, version: bool = False, unanswered: bool = False) -> None:
        super().__init__(reason)
        self.version = version
        """The broker said that it does not speak this version of MQTT."""
        self.unanswered = unanswered
        """It closed the connection on CONNECT, as some do on a version that they do not know."""
