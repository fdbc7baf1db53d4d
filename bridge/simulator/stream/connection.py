"""One client of the simulated WebSocket."""

from __future__ import annotations

from collections.abc import Callable

from websockets.asyncio.server import ServerConnection

from bridge.simulator.stream.pump import Fed

__all__ = ["ClientConnection", "ClientSession", "Slot", "widths_of"]

Slot = tuple[str, str]
"""TR id and key of a registration."""

_OLD_WIDTHS = {"PyKis/": {"H0STCNT0": 46, "H0STASP0": 59, "H0STCNI0": 23, "H0STCNI9": 23}}
"""Clients, by their User-Agent, that read only the layouts of before 2026-09-14."""


def widths_of(client: str) -> dict[str, int]:
    """Return the widths that a client reads, by its User-Agent; those not named are today's."""
    return next((old for name, old in _OLD_WIDTHS.items() if client.startswith(name)), {})


class ClientConnection(ServerConnection):
    """A connection that also takes WebSocket PONG frames as answers to PINGPONG."""

    alive: Callable[[], None] | None = None

    def acknowledge_pings(self, data: bytes) -> None:
        if self.alive is not None:
            self.alive()
        super().acknowledge_pings(data)


class ClientSession:
    """What one connection has registered."""

    def __init__(self, connection: ServerConnection, now: float) -> None:
        self.connection = connection
        self.app_key = ""
        self.widths: dict[str, int] = {}
        self.slots: dict[Slot, Fed | None] = {}
        """Registration → the feed that serves it; None for notices and played frames."""
        self.keys: dict[str, tuple[str, str]] = {}
        """TR id → key and iv of its last acknowledgement."""
        self.pinged = now
        self.unanswered: float | None = None

    def alive(self) -> None:
        self.unanswered = None
