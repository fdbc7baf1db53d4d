"""An open WebSocket connection to KIS, and which library carries it.

`picows` hands each frame on inside the read of the socket, without a task in between. Where it
cannot be imported, `websockets` does the same work for more CPU.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from bridge.errors import ConfigError

__all__ = [
    "FRAME",
    "MAX_MESSAGE",
    "OPEN_S",
    "SLICE",
    "Link",
    "Open",
    "Reads",
    "Receive",
    "StreamCounts",
    "open_link",
    "prepare",
]

OPEN_S = 10.0
MAX_MESSAGE = 4 * 1024 * 1024
"""Frames above 8 KB have been seen (docs/kis.md). Only what could exhaust the memory is refused."""

SLICE = 32 * 1024
"""Bytes that are handed on in one turn of the event loop: about sixty trades, less than a
millisecond's work. The rest of a burst waits until the other sockets were looked at. So an order
waits for one slice at most when it comes, and has ten turns to wait for until its answer."""
FRAME = 200
"""Bytes that each frame counts besides its own: the work that even an empty one makes."""

Receive: TypeAlias = Callable[[str, int], None]
"""Takes a text and when it arrived (µs since the epoch)."""


_IDLE_S, _PROBE_S, _PROBES = 8, 4, 3


def prepare(line: socket.socket) -> None:
    """Let a socket send at once, and notice within 20 s that the way to KIS is broken.

    Nobody closes a connection over a way that swallows everything, and KIS says little at night.
    """
    options = [(socket.IPPROTO_TCP, "TCP_NODELAY", 1), (socket.SOL_SOCKET, "SO_KEEPALIVE", 1)]
    # What an operating system does not have keeps its usual, much longer time.
    options += [
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _IDLE_S),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _PROBE_S),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", _PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", (_IDLE_S + _PROBES * _PROBE_S) * 1000),
    ]
    for level, name, value in options:
        if hasattr(socket, name):
            line.setsockopt(level, getattr(socket, name), value)


@dataclass(slots=True)
class StreamCounts:
    """What came so far; for health."""

    frames: int = 0
    """Frames of market data."""
    bytes: int = 0
    connections: int = 0
    invalid_utf8: int = 0
    last_frame_at: int = 0
    """Of market data; µs since the epoch, 0 for never."""
    last_message_at: int = 0
    """Of anything else; likewise."""

    @property
    def heard_at(self) -> int:
        """When anything came last."""
        return max(self.last_frame_at, self.last_message_at)

    @property
    def reconnects(self) -> int:
        return max(0, self.connections - 1)


class Reads(Protocol):
    """Is told where the frames of one read of the socket begin, and where they end."""

    def begin_read(self) -> None: ...
    def end_read(self) -> None: ...


class Link(Protocol):
    """One connection, from its opening handshake to its end."""

    @property
    def close_code(self) -> int:
        """What the other side gave as the reason of its end; 1006: nothing."""

    async def serve(self) -> None:
        """Hand on every text until the connection is closed, by whichever side.

        Nothing is handed on before. Raises what the receiver raised, and hands on nothing after.
        """

    async def send(self, text: str) -> None:
        """Send a text; return when the socket takes more.

        Raises :class:`ConnectionError` when the connection is closed.
        """

    async def close(self) -> None:
        """Shake hands and close; cut the line when the other side does not answer in time."""


Open: TypeAlias = Callable[[str, Receive, StreamCounts, float, Reads | None], Awaitable[Link]]
"""What :func:`open_link` does."""


async def open_link(
    url: str, receive: Receive, counts: StreamCounts, close_s: float, reads: Reads | None = None
) -> Link:
    """Connect to this address and no other: no proxy, no redirect, no compression.

    ``close_s`` is how long the other side has to answer a close. ``reads`` is told of every read,
    by a library that can tell. Raises :class:`OSError` when it
    cannot be reached or does not speak WebSocket.
    """
    if not _is_address(url):
        raise ConfigError(f"{url!r} is no address of a WebSocket: ws:// or wss://, and a host")
    # Not at the start of the bridge, which has more urgent things to import.
    try:
        from bridge.kis.picows_link import connect
    except ImportError:
        from bridge.kis.websockets_link import connect
    return await connect(url, receive, counts, close_s, reads)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
