"""How many connections the web page may hold, and for how long: orders need descriptors too.

A connection that asks for nothing, one whose request never ends, and one that does not read its
answer are closed. uvicorn knows only the first of them, and only after an answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
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


async def listening(
    listener: socket.socket, server: uvicorn.Server, connections: Connections
) -> asyncio.Server:
    """Return what accepts the connections of a web server."""
    tls = server.config.ssl
    return await asyncio.get_running_loop().create_server(
        partial(
            _Connection,
            connections,
            config=server.config,
            server_state=server.server_state,
            app_state=server.lifespan.state,
        ),
        sock=listener,
        ssl=tls,
        ssl_handshake_timeout=HANDSHAKE_S if tls else None,
        backlog=_BACKLOG,
    )


class _Connection(H11Protocol):
    """A connection whose requests have to arrive, and whose answers have to be read, in time."""

    def __init__(self, connections: Connections, **settings: Any) -> None:
        super().__init__(**settings)
        # Whoever sends what is no HTTP would write a line into the log each time.
        self.logger = logging.getLogger("bridge.dashboard.http")
        self.logger.setLevel(logging.ERROR)
        self._connections = connections
        self._address = ""
        self._entered = False
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._entered = self._connections.enter(self._address)
        if self._entered:
            self._await_request()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        if self._entered:
            self._connections.leave(self._address)

    def data_received(self, data: bytes) -> None:
        if self._entered:
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
        self._connections.gave_up("slow", self._address)
        self.transport.abort()
