"""A connection to KIS on `websockets`, for where `picows` cannot be installed."""

from __future__ import annotations

import asyncio
import logging

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bridge.kis.link import (
    FRAME,
    MAX_MESSAGE,
    OPEN_S,
    SLICE,
    Link,
    Reads,
    Receive,
    StreamCounts,
    prepare,
)
from bridge.runtime.clock import now_us

__all__ = ["connect"]

_wire_log = logging.getLogger("bridge.kis.wire")
_wire_log.setLevel(logging.INFO)  # at debug level websockets writes out the approval key


class _Direct(_connect):
    """A connection to the address that is configured, and to no other."""

    def process_redirect(self, exc: Exception) -> Exception:
        # Whoever can answer in KIS's place would be given the approval key elsewhere.
        return exc


async def connect(
    url: str, receive: Receive, counts: StreamCounts, close_s: float, reads: Reads | None = None
) -> Link:
    """See :func:`bridge.kis.link.open_link`."""
    try:
        connection = await _Direct(
            url,
            compression=None,
            open_timeout=OPEN_S,
            close_timeout=close_s,
            ping_interval=None,  # KIS answers pings of ours with errors
            max_size=MAX_MESSAGE,
            # Reading never awaits between messages, so that no queue builds up; a bound would
            # stop and start the socket at every burst.
            max_queue=None,
            proxy=None,  # one from the environment would read the approval key
            logger=_wire_log,
        )
    except WebSocketException as error:
        raise ConnectionError(str(error)) from error
    return _WebsocketsLink(connection, receive, counts)


class _WebsocketsLink:
    def __init__(
        self, connection: ClientConnection, receive: Receive, counts: StreamCounts
    ) -> None:
        self._connection = connection
        self._receive = receive
        self._counts = counts
        raw = connection.transport.get_extra_info("socket")
        if raw is not None:
            prepare(raw)

    @property
    def close_code(self) -> int:
        return self._connection.close_code or 1006

    async def serve(self) -> None:
        counts, receive, recv = self._counts, self._receive, self._connection.recv
        left, transport = SLICE, self._connection.transport
        while True:
            # Bytes, since KIS has sent invalid UTF-8: a strict client closes with 1007 and loses
            # its session for one bad letter (docs/kis.md).
            try:
                message = await recv(decode=False)
            except ConnectionClosed:
                return
            left -= len(message) + FRAME
            if left < 0:
                # What the socket has waits there meanwhile, so that what was read does not pile up.
                if not transport.is_closing():
                    transport.pause_reading()
                # Twice: by then the other sockets were looked at, and what came there is taken.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if not transport.is_closing():
                    transport.resume_reading()
                left = SLICE
            arrived = now_us()
            counts.bytes += len(message)
            try:
                text = message.decode()
            except UnicodeDecodeError:
                counts.invalid_utf8 += 1
                text = message.decode(errors="replace")
            receive(text, arrived)

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def close(self) -> None:
        try:
            # A full send buffer would hold it for ever.
            async with asyncio.timeout((self._connection.close_timeout or 0.0) + 0.2):
                await self._connection.close()
        except TimeoutError:
            self._connection.transport.abort()
