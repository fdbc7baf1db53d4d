"""What goes to and comes from the control connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

__all__ = ["Handler", "Message", "Publication", "Sink", "Will"]


@dataclass(frozen=True, slots=True)
class Message:
    """A PUBLISH that arrived; the MQTT 5 properties are blank in 3.1.1."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    """Retained by the broker. An MQTT 5 broker also says so of a live message."""
    response_topic: str
    correlation: bytes
    expiry_s: int | None
    """What is left of the message expiry."""
    received_at: int
    """µs since the epoch."""
    ack: Callable[[], None] = field(repr=False, compare=False)
    """Send PUBACK; until then the broker keeps the message and delivers it again after a
    reconnect. Idempotent, for the event loop's thread. PUBACKs leave in the order in which the
    messages came, as MQTT demands, whatever the order of the calls."""
    fresh: bool = True
    """False: it may have lain anywhere while this process stood still, so that ``expiry_s`` does
    not say what is left of it now."""
    again: bool = False
    """The broker has delivered it before, to this client or to another one of the same session."""
    surplus: bool = False
    """It is one too many of its client's, and only here so that its sender is told."""
    passed: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    """Called by the client when the handler has returned: if it did not acknowledge, PUBACKs of
    later messages no longer wait for this one."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What the bridge publishes; the MQTT 5 properties are left out in 3.1.1."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: float | None = None
    """After which the broker forgets it, and nobody sends it any more."""
    correlation: bytes = b""
    response_topic: str = ""
    later: bool = False
    """Whatever is not ``later`` overtakes it; in order with others of its topic that are."""


class Sink(Protocol):
    """Whoever takes publications: the control connection, or what stands before it."""

    async def publish(self, publication: Publication) -> None:
        """Take it; returns when it has its place in the queue."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when the client dies, and the client when it leaves."""

    topic: str
    payload: bytes
    birth: bytes = b""
    """Published on the same topic after each connect, before anything else."""
    qos: int = 1
    retain: bool = True


Handler: TypeAlias = Callable[[Message], Awaitable[None]]
