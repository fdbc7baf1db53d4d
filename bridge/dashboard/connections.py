"""How many connections the web page may hold, and for how long: orders need descriptors too.

A connection that asks for nothing, one whose request never ends, and one that does not read its
answer are closed. uvicorn knows only the first of them, and only after an answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connections", "listening"]

log = structlog.get_logger()

MOST = 128
MOST_OF_ADDRESS = 64
"""A proxy before the page, or this machine, is one address for all who come through it."""
REQUEST_S = 10.0
"""What a request may take to arrive, from the connection's beginning or the last answer on."""
READ_S = 30.0
"""How long somebody may leave an answer unread."""
HANDSHAKE_S = 10.0
_SAY_S = 60.0
_BACKLOG = 256
"""Those that come at once; the system lets more of them wait for a second."""


class Connections:
    """Those that are open, by address, and how many were refused or given up."""

    def __init__(self) -> None:
        self.refused = Counter(connections=0, slow=0)
        self._open: Counter[str] = Counter()
        self._said_at = float("-inf")
        self._handshakes: set[asyncio.Task[None]] = set()

    def enter(self, address: str) -> bool:
        """Take up a connection; False: there are too many."""
        if self._open.total() >= MOST or self._open[address] >= MOST_OF_ADDRESS:
            self.gave_up("connections", address)
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Forget a connection that was taken up."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def shake_hands(
        self, transport: asyncio.Transport, served: _Connection, tls: ssl.SSLContext
    ) -> None:
        """Begin TLS on a connection that was taken up."""
        task = asyncio.get_running_loop().create_task(_shake_hands(transport, served, tls))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    def close(self) -> None:
        """End what has not come as far as a request."""
        for task in self._handshakes:
            task.cancel()

    def gave_up(self, reason: str, address: str) -> None:
        """Count a connection that is closed, and say so once in a while."""
        self.refused[reason] += 1
        if (now := time.monotonic()) >= self._said_at + _SAY_S:
            self._said_at = now
            log.warning(
                "connections to the web page closed",
                reason=reason,
                address=address,
                open=self._open.total(),
                most=MOST,
                **{f"closed_{name}": count for name, count in self.refused.items()},
            )


async def _shake_hands(
    transport: asyncio.Transport, served: _Connection, tls: ssl.SSLContext
) -> None:
    try:
        secured = await asyncio.get_running_loop().start_tls(
            transport, served, tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
        )
    except BaseException as error:
        transport.abort()
        served.connection_lost(None)
        if not isinstance(error, OSError):  # else it is the other side's affair
            raise
        return
    if secured is not None:
        served.connection_made(secured)


async def listening(
    listener: socket.socket, server: uvicorn.Server, connections: Connections
) -> asyncio.Server:
    """Return what accepts the connections of a web server."""
    serve = partial(
        _Connection,
        config=server.config,
        server_state=server.server_state,
        app_state=server.lifespan.state,
    )
    return await asyncio.get_running_loop().create_server(
        partial(_Door, connections, serve, server.config.ssl), sock=listener, backlog=_BACKLOG
    )


class _Door(asyncio.Protocol):
    """Lets a connection in, or not, before it costs anything: TLS takes 300 kB for each."""

    def __init__(
        self,
        connections: Connections,
        serve: Callable[..., _Connection],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._connections, self._serve, self._tls = connections, serve, tls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if not self._connections.enter(address):
            transport.abort()
            return
        served = self._serve(
            late=lambda: self._connections.gave_up("slow", address),
            left=lambda: self._connections.leave(address),
        )
        if self._tls is None:
            transport.set_protocol(served)
            served.connection_made(transport)
        else:
            transport.pause_reading()
            self._connections.shake_hands(transport, served, self._tls)


class _Connection(H11Protocol):
    """A connection whose requests have to arrive, and whose answers have to be read, in time.

    ``late`` is called when they do not, ``left`` when the connection has ended.
    """

    def __init__(
        self, *, late: Callable[[], None], left: Callable[[], None], **settings: Any
    ) -> None:
        super().__init__(**settings)
        # Whoever sends what is no HTTP would write a line into the log each time.
        self.logger = logging.getLogger("bridge.dashboard.http")
        self.logger.setLevel(logging.ERROR)
        self._say_late, self._left = late, left
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._early = bytearray()
        """What came in the same breath as the end of the handshake."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if self._is_lost:  # as soon as the handshake was over
            return
        super().connection_made(transport)
        self._await_request()
        if self._early:
            self.data_received(bytes(self._early))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self._left()
        if self.transport is None:  # no handshake
            return
        super().connection_lost(exc)
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            self._early += data
            return
        super().data_received(data)
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(READ_S, self._give_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _await_request(self) -> None:
        """Let the time for the next request run, unless one is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            if self._late is not None:
                self._late.cancel()
                self._late = None
        elif self._late is None:
            self._late = self.loop.call_later(REQUEST_S, self._give_up)

    def _give_up(self) -> None:
        self._say_late()
        self.transport.abort()
