"""A connection to KIS on `picows`: a frame goes from the socket's read to the receiver at once."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import suppress

import picows
import structlog

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

log = structlog.get_logger()

_wire_log = logging.getLogger("bridge.kis.picows")
_wire_log.setLevel(logging.CRITICAL)  # what of it matters is told here, in one line

_READ = 64 * 1024
_LONGEST_REASON = 200

_TEXT, _BINARY = picows.WSMsgType.TEXT, picows.WSMsgType.BINARY
_NO_CODE, _CUT_OFF = 1005, 1006
"""What an end counts as that came without a code, or without a word."""


async def connect(
    url: str, receive: Receive, counts: StreamCounts, close_s: float, reads: Reads | None = None
) -> Link:
    """See :func:`bridge.kis.link.open_link`."""
    loop = asyncio.get_running_loop()
    link = _PicowsLink(loop, receive, counts, close_s, reads or _NobodyAsks())
    line: socket.socket | None = None

    async def dial(address: picows.WSParsedURL) -> socket.socket:
        nonlocal line
        line = await _dial(loop, address.host, address.port)
        return line

    try:
        async with asyncio.timeout(OPEN_S):
            transport, _ = await picows.ws_connect(
                lambda _request, _response: link,
                url,
                socket_factory=dial,
                websocket_handshake_timeout=None,
                max_redirects=0,  # whoever answers in KIS's place would be given the approval key
                max_frame_size=MAX_MESSAGE,
                enable_auto_pong=False,  # see _PicowsLink._control
                read_buffer_init_size=_READ,
                use_aiofastnet=False,  # the event loop's own transport does all that is needed
                logger_name=_wire_log,
            )
    except BaseException as error:
        # picows leaves the line open to whoever was not heard out. Both directions end, and with
        # them the transport on it.
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        if isinstance(error, picows.WSError | UnicodeError):
            raise ConnectionError(str(error)[:_LONGEST_REASON]) from error
        raise
    if link.transport is None:
        raise ConnectionError("closed instead of an answer to the WebSocket handshake")
    headers = transport.response.headers
    if "Sec-WebSocket-Extensions" in headers or "Sec-WebSocket-Protocol" in headers:
        transport.disconnect(graceful=False)
        raise ConnectionError("the other side speaks a WebSocket extension that nobody asked for")
    return link


async def _dial(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Connect to the first address of the host that answers."""
    failed: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        line = socket.socket(family, kind, protocol)
        try:
            line.setblocking(False)
            prepare(line)
            await loop.sock_connect(line, address)
        except OSError as error:
            line.close()
            failed = error
        except BaseException:
            line.close()
            raise
        else:
            return line
    raise failed or ConnectionError(f"{host} has no address")


class _PicowsLink(picows.WSListener):
    __slots__ = (
        *("_arrived", "_close_s", "_counts", "_fragments", "_gone", "_left"),
        *("_loop", "_paused", "_reads", "_receive", "_served", "_serving", "_waiting", "_writable"),
        *("close_code", "transport"),
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        receive: Receive,
        counts: StreamCounts,
        close_s: float,
        reads: Reads,
    ) -> None:
        self._loop = loop
        self._reads = reads
        self.transport: picows.WSTransport | None = None
        """None before the opening handshake is done."""
        self._receive = receive
        self._counts = counts
        self._close_s = close_s
        self.close_code = _CUT_OFF
        self._serving = False
        self._served: asyncio.Future[None] = loop.create_future()
        """Done when everything was handed on; or what went wrong with it."""
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._left = -1
        """Bytes that may be handed on in this turn; below zero: what comes has to wait."""
        self._arrived = 0
        """When the frames came that are handed on now; 0: between two reads."""
        self._waiting: deque[tuple[int, picows.WSMsgType, bool, bytes]] = deque()
        self._paused = False
        """Nothing is read until what waits is handed on."""
        self._fragments: bytearray | None = None
        """Of a message whose last fragment has not come."""

    # What picows calls.

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport = transport
        self._pause()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        try:
            arrived = self._arrived
            if not arrived:
                arrived = self._arrived = now_us()
                self._reads.begin_read()
            size, kind = frame.payload_size, frame.msg_type
            self._left = left = self._left - size - FRAME
            if left < 0 or self._waiting:
                self._waiting.append((arrived, kind, frame.fin, frame.get_payload_as_bytes()))
            elif kind == _TEXT and frame.fin and self._fragments is None:
                self._counts.bytes += size
                try:
                    text = frame.get_payload_as_utf8_text()
                except UnicodeDecodeError:
                    text = self._mended(frame.get_payload_as_bytes())
                self._receive(text, arrived)
            else:
                self._take(arrived, kind, frame.fin, frame.get_payload_as_bytes())
            if frame.last_in_buffer:
                self._read()
                if self._waiting:
                    self._pause()
                else:
                    self._left = SLICE
        except BaseException as error:  # noqa: BLE001 - goes up to whoever serves
            self._failed(error)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._read()
        self._gone.set()
        self._writable.set()
        if not self._waiting:
            self._finish()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the stream calls.

    async def serve(self) -> None:
        self._serving = True
        self._hand_on()
        await asyncio.shield(self._served)
        if self.transport is not None and self._gone.is_set():
            try:
                await self.transport.wait_disconnected()
            except picows.WSError as error:
                reason = str(error)[:_LONGEST_REASON]
                log.info("KIS broke the WebSocket protocol", reason=reason)

    async def send(self, text: str) -> None:
        transport = self.transport
        if transport is None or transport.is_disconnected or transport.is_close_frame_sent:
            raise ConnectionError("the connection is closed")
        transport.send(_TEXT, text)
        await self._writable.wait()

    async def close(self) -> None:
        transport = self.transport
        if transport is None:
            return
        self._stop()
        try:
            if not self._gone.is_set():
                transport.send_close(picows.WSCloseCode.OK)
                async with asyncio.timeout(self._close_s):
                    await self._gone.wait()
        except TimeoutError:
            pass
        finally:
            transport.disconnect(graceful=False)
            self._finish()
        with suppress(picows.WSError):
            await transport.wait_disconnected()

    # Frames.

    def _read(self) -> None:
        """End a read, also one that ends before its last frame."""
        if self._arrived:
            self._arrived = 0
            self._reads.end_read()

    def _hand_on(self) -> None:
        """Hand on what waits, a slice in each turn of the event loop; then read on."""
        self._left = SLICE
        waiting = self._waiting
        try:
            while waiting and self._left > 0:
                arrived, kind, fin, payload = waiting.popleft()
                self._left -= len(payload) + FRAME
                self._take(arrived, kind, fin, payload)
        except BaseException as error:  # noqa: BLE001 - goes up to whoever serves
            self._failed(error)
        if waiting:
            self._hand_on_later()
        elif self._gone.is_set():
            self._finish()
        else:
            self._left = SLICE
            self._read_on()

    def _take(self, arrived: int, kind: picows.WSMsgType, fin: bool, payload: bytes) -> None:
        """Take a frame that is no whole text, or that had to wait."""
        match kind:
            case picows.WSMsgType.PING:
                # Only while the other side reads; the answers would else pile up here.
                if self._writable.is_set() and self.transport is not None:
                    self.transport.send_pong(payload)
            case picows.WSMsgType.PONG:
                pass
            case picows.WSMsgType.CLOSE:
                self._closed(int.from_bytes(payload[:2]) if len(payload) > 1 else _NO_CODE)
            case picows.WSMsgType.CONTINUATION if self._fragments is not None:
                self._join(arrived, fin, payload)
            case picows.WSMsgType.TEXT | picows.WSMsgType.BINARY if self._fragments is None:
                if fin:
                    self._counts.bytes += len(payload)
                    self._say(payload, arrived)
                else:
                    self._join(arrived, fin, payload)
            case _:
                self._broken(picows.WSCloseCode.PROTOCOL_ERROR)

    def _join(self, arrived: int, fin: bool, payload: bytes) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
        whole = self._fragments
        whole += payload
        self._counts.bytes += len(payload)
        if len(whole) > MAX_MESSAGE:
            self._broken(picows.WSCloseCode.MESSAGE_TOO_BIG)
        elif fin:
            self._fragments = None
            self._say(bytes(whole), arrived)

    def _say(self, payload: bytes, arrived: int) -> None:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            text = self._mended(payload)
        self._receive(text, arrived)

    def _mended(self, payload: bytes) -> str:
        # KIS has sent invalid UTF-8: a strict client closes with 1007 and loses its session for one
        # bad letter (docs/kis.md).
        self._counts.invalid_utf8 += 1
        return payload.decode(errors="replace")

    # Ends.

    def _closed(self, code: int) -> None:
        """Answer a close."""
        if self.close_code == _CUT_OFF:
            self.close_code = code
        self._broken(picows.WSCloseCode.OK)

    def _broken(self, code: picows.WSCloseCode) -> None:
        """Say why this is the end, and end it."""
        self._stop()
        if self.transport is not None:
            self.transport.send_close(code)
            self.transport.disconnect()

    def _failed(self, error: BaseException) -> None:
        self._stop()
        if not self._served.done():
            self._served.set_exception(error)

    def _stop(self) -> None:
        """Hand on nothing more, and read only to hear the other side's last word."""
        self._read()
        self._receive = _ignore
        self._waiting.clear()
        self._fragments = None
        self._left = SLICE
        self._read_on()

    def _finish(self) -> None:
        if not self._served.done():
            self._served.set_result(None)

    def _pause(self) -> None:
        if self.transport is None or self._paused:
            return
        self._paused = True
        under = self.transport.underlying_transport
        if not under.is_closing():
            under.pause_reading()
        if self._serving:
            self._hand_on_later()

    def _hand_on_later(self) -> None:
        # Not in the next turn but in the one after: by then the other sockets were looked at, and
        # what has come there is taken first.
        self._loop.call_soon(self._loop.call_soon, self._hand_on)

    def _read_on(self) -> None:
        if self.transport is None or not self._paused:
            return
        self._paused = False
        under = self.transport.underlying_transport
        if not under.is_closing():
            under.resume_reading()


class _NobodyAsks:
    def begin_read(self) -> None: ...
    def end_read(self) -> None: ...


def _ignore(text: str, arrived: int) -> None:
    pass
