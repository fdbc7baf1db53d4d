"""What a line does that no proper WebSocket server would: byte by byte, with either library."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib
import itertools
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.kis.link import FRAME, MAX_MESSAGE, SLICE, Link, StreamCounts, open_link, prepare
from tests.component.fakes import link_library, without_picows

__all__ = ["link_library"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(kind: int, payload: bytes, *, fin: bool = True, size: int | None = None) -> bytes:
    """Return a frame as a server writes it; ``size`` is what its head says of the payload."""
    length = len(payload) if size is None else size
    if length < 126:
        head = bytes([length])
    elif length < 1 << 16:
        head = b"\x7e" + struct.pack("!H", length)
    else:
        head = b"\x7f" + struct.pack("!Q", length)
    return bytes([fin << 7 | kind]) + head + payload


def upgrade(request: bytes, extra: str = "") -> bytes:
    """Return the answer to an opening handshake."""
    [key] = [
        line.partition(b":")[2].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    ]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324
    accept = base64.b64encode(digest).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n"
    ).encode()


class Wire:
    """The server's end of a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def close(self, code: int | None = None) -> None:
        """Say that this is the end, and write nothing more."""
        await self.write(frame(CLOSE, b"" if code is None else struct.pack("!H", code)))
        if self.writer.can_write_eof():
            self.writer.write_eof()
        else:
            self.writer.close()

    async def read(self) -> tuple[int, bytes]:
        """Return the next frame of the client: its kind, and its payload without the mask."""
        first, second = await self.reader.readexactly(2)
        assert second & 128, "a client masks"
        length = second & 127
        if length == 126:
            [length] = struct.unpack("!H", await self.reader.readexactly(2))
        mask = await self.reader.readexactly(4)
        masked = await self.reader.readexactly(length)
        return first & 15, bytes(a ^ b for a, b in zip(masked, itertools.cycle(mask)))


class Line:
    """A server that answers the handshake as told, and the client's end of the line."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.came = asyncio.Event()
        self.counts = StreamCounts()
        self.wires: asyncio.Queue[Wire] = asyncio.Queue()
        self.answer: Callable[[bytes], bytes] = upgrade
        self.url = ""
        self.reads: list[list[str]] = []
        """What came in each read of the socket that has ended, where the library tells."""
        self.begun = 0
        self.ended = asyncio.Event()

    def begin_read(self) -> None:
        self.begun = len(self.texts) + 1

    def end_read(self) -> None:
        assert self.begun, "a read ended that had not begun"
        self.reads.append(self.texts[self.begun - 1 :])
        self.begun = 0
        self.ended.set()

    def receive(self, text: str, arrived: int) -> None:
        self.texts.append(text)
        self.came.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            writer.write(self.answer(await reader.readuntil(b"\r\n\r\n")))
            self.wires.put_nowait(Wire(reader, writer))

    @asynccontextmanager
    async def link(self) -> AsyncIterator[tuple[Link, Wire]]:
        link = await open_link(
            self.url, lambda text, at: self.receive(text, at), self.counts, 0.2, self
        )
        wire = await self.wires.get()
        try:
            yield link, wire
        finally:
            await link.close()
            wire.writer.close()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[Line]:
    line = Line()
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0, ssl=context)
    async with asyncio.timeout(10), server:
        port = server.sockets[0].getsockname()[1]
        line.url = f"{'wss' if context else 'ws'}://127.0.0.1:{port}/tryitout"
        yield line


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with listening() as line:
        yield line


async def test_the_library_is_the_one_that_is_tested(line: Line, link_library: str) -> None:
    async with line.link() as (link, _):
        assert type(link).__module__ == f"bridge.kis.{link_library}_link"


async def test_without_picows_websockets_carries_the_session(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_picows(monkeypatch)
    async with line.link() as (link, wire):
        assert type(link).__module__ == "bridge.kis.websockets_link"
        await wire.write(frame(TEXT, b"0|"))
        await wire.close(1001)
        await link.serve()
    assert (line.texts, link.close_code) == (["0|"], 1001)


async def test_texts_binary_and_fragments_arrive_in_order_and_pings_are_answered(
    line: Line,
) -> None:
    async with line.link() as (link, wire):
        await wire.write(
            frame(TEXT, "하나".encode())
            + frame(BINARY, b"two")
            + frame(TEXT, b"th", fin=False)
            + frame(PING, b"alive?")
            + frame(CONTINUATION, b"", fin=False)
            + frame(PONG, b"nobody asked")
            + frame(CONTINUATION, b"ree")
            + frame(TEXT, b"")
            + frame(TEXT, b"5" * 70_000)
        )
        await wire.close()
        await link.serve()
        assert await wire.read() == (PONG, b"alive?")
        assert (await wire.read())[0] == CLOSE
    assert line.texts == ["하나", "two", "three", "", "5" * 70_000]
    assert line.counts.bytes == 70_000 + 6 + 3 + 5
    assert link.close_code == 1005


async def test_what_is_sent_arrives(line: Line) -> None:
    async with line.link() as (link, wire):
        await link.send("요청")
        assert await wire.read() == (TEXT, "요청".encode())
        wire.writer.transport.abort()
        await link.serve()
        with pytest.raises(ConnectionError):
            await link.send("too late")


async def test_a_frame_may_come_byte_by_byte(line: Line) -> None:
    async with line.link() as (link, wire):
        served = asyncio.ensure_future(link.serve())
        for byte in frame(TEXT, b"0|H0STCNT0|001|005930") + frame(TEXT, b"x" * 300):
            await wire.write(bytes([byte]))
            await asyncio.sleep(0)
        await wire.close(1000)
        await served
    assert line.texts == ["0|H0STCNT0|001|005930", "x" * 300]
    assert link.close_code == 1000


@pytest.mark.parametrize("how", ["reset", "half-closed", "closed"])
async def test_a_line_that_is_cut_in_the_middle_of_a_frame_has_ended(line: Line, how: str) -> None:
    async with line.link() as (link, wire):
        served = asyncio.ensure_future(link.serve())
        await wire.write(frame(TEXT, b"whole") + frame(TEXT, b"half", size=1000))
        await line.came.wait()
        match how:
            case "reset":
                wire.writer.transport.abort()
            case "half-closed":
                wire.writer.write_eof()
            case _:
                wire.writer.close()
        await served
    assert line.texts == ["whole"]
    assert link.close_code == 1006


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"", size=MAX_MESSAGE + 1), 1009),
        (frame(TEXT, b"x" * MAX_MESSAGE, fin=False) + frame(CONTINUATION, b"y"), 1009),
        (frame(3, b"no such kind"), 1002),
        (frame(CONTINUATION, b"of nothing"), 1002),
        (frame(TEXT, b"begun", fin=False) + frame(TEXT, b"begun again"), 1002),
        (frame(PING, b"", fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (b"\x81\x84mask" + b"text", 1002),
        (frame(CLOSE, b"1"), 1002),
    ],
    ids=(
        *("too large", "too large in pieces", "no such kind", "nothing to continue"),
        *("two at once", "a fragment of a ping", "a long ping", "masked", "half a close code"),
    ),
)
async def test_what_breaks_the_protocol_ends_the_connection_with_its_code(
    line: Line, data: bytes, code: int
) -> None:
    async with line.link() as (link, wire):
        served = asyncio.ensure_future(link.serve())
        await wire.write(data)
        kind, payload = await wire.read()
        assert (kind, struct.unpack("!H", payload[:2])[0]) == (CLOSE, code)
        wire.writer.close()
        await served
    assert line.texts == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: b"\xff\x00 garbage \r\n\r\n",
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        lambda _: b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        lambda _: b"HTTP/1.1 101 Switching Protocols\r\nno header\r\n\r\n",
        lambda _: b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 100_000,
        lambda request: upgrade(request).replace(b"Accept: ", b"Accept: x"),
        lambda request: upgrade(request, "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        lambda request: upgrade(request, "Sec-WebSocket-Protocol: other\r\n"),
        lambda _: b"",
    ],
    ids=(
        *("garbage", "a web page", "no headers", "a header that is none", "endless headers"),
        *("a wrong key", "compression", "another protocol", "nothing"),
    ),
)
async def test_who_answers_the_handshake_wrongly_is_not_connected(
    line: Line, answer: Callable[[bytes], bytes]
) -> None:
    line.answer = answer

    async def end() -> None:
        wire = await line.wires.get()
        wire.writer.close()
        with suppress(OSError):
            await wire.reader.read()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(end())
        with pytest.raises(OSError, match=r".") as caught:
            await open_link(line.url, line.receive, line.counts, 0.2)
    assert len(str(caught.value)) < 400


async def test_who_never_answers_the_handshake_is_given_up(
    line: Line, monkeypatch: pytest.MonkeyPatch, link_library: str
) -> None:
    library = pytest.importorskip(f"bridge.kis.{link_library}_link")
    monkeypatch.setattr(library, "OPEN_S", 0.05)
    line.answer = lambda _: b"HTTP/1.1 101 Switching"
    with pytest.raises(TimeoutError):
        await open_link(line.url, line.receive, line.counts, 0.2)
    wire = await line.wires.get()
    assert await wire.reader.read() == b"", "nothing is left open"
    wire.writer.close()


async def test_cancelled_in_the_handshake_it_leaves_nothing_open(line: Line) -> None:
    line.answer = lambda _: b""
    opening = asyncio.ensure_future(open_link(line.url, line.receive, line.counts, 0.2))
    wire = await line.wires.get()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await wire.reader.read() == b""
    wire.writer.close()


async def test_nothing_is_handed_on_before_it_is_served(line: Line) -> None:
    line.answer = lambda request: upgrade(request) + frame(TEXT, b"early")
    async with line.link() as (link, wire):
        await wire.write(frame(TEXT, b"later"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert line.texts == []
        await wire.close(1000)
        await link.serve()
    assert line.texts == ["early", "later"]


async def test_a_bug_of_the_receiver_is_raised_and_nothing_more_handed_on(line: Line) -> None:
    heard: list[str] = []

    def receive(text: str, arrived: int) -> None:
        heard.append(text)
        raise ZeroDivisionError

    line.receive = receive  # type: ignore[method-assign]
    async with line.link() as (link, wire):
        await wire.write(frame(TEXT, b"one") + frame(TEXT, b"two"))
        with pytest.raises(ZeroDivisionError):
            await link.serve()
        await wire.write(frame(TEXT, b"three"))
        await link.close()
        assert (await wire.read()) == (CLOSE, struct.pack("!H", 1000))
    assert heard == ["one"]
    assert not line.begun


@pytest.mark.parametrize("link_library", ["picows"], indirect=True)
async def test_what_comes_in_one_read_is_told_to_belong_together(line: Line) -> None:
    async with line.link() as (link, wire):
        serving = asyncio.ensure_future(link.serve())
        await wire.write(frame(TEXT, b"one") + frame(TEXT, b"two") + frame(PING, b""))
        await line.ended.wait()
        await wire.write(frame(TEXT, b"three") + frame(CLOSE, b"") + frame(TEXT, b"four"))
        await serving
    assert [read for read in line.reads if read] == [["one", "two"], ["three"]]
    assert not line.begun


@pytest.mark.parametrize("link_library", ["picows"], indirect=True)
async def test_a_read_ends_where_the_line_breaks_the_protocol(line: Line) -> None:
    async with line.link() as (link, wire):
        serving = asyncio.ensure_future(link.serve())
        await wire.write(frame(TEXT, b"one") + frame(7, b"no such frame") + frame(TEXT, b"two"))
        await serving
    assert [text for read in line.reads for text in read] == line.texts
    assert not line.begun


async def test_a_burst_is_cut_into_slices(line: Line) -> None:
    """Whatever else waits for the event loop waits for at most one of them."""
    burst = 4_000
    slices: list[int] = []

    async def count() -> None:
        before = 0
        while len(line.texts) < burst:
            slices.append(len(line.texts) - before)
            before = len(line.texts)
            await asyncio.sleep(0)

    text = b"0|H0STCNT0|001|" + b"9" * 400
    async with line.link() as (link, wire):
        wire.writer.write(frame(TEXT, text) * burst)
        closing = asyncio.ensure_future(wire.close())
        counting = asyncio.ensure_future(count())
        await link.serve()
        await asyncio.gather(closing, counting)
    assert line.texts == [text.decode()] * burst
    assert sum(slices) > burst / 2, "the burst was seen in pieces"
    assert max(slices) < 250


async def test_the_environments_proxy_is_not_asked(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with line.link() as (link, wire):
        await wire.close()
        await link.serve()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ws://", "ws://[", "ws://h:x/", "ws://h:0"])
async def test_what_is_no_address_is_said_in_a_line(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a WebSocket"):
        await open_link(url, lambda *_: None, StreamCounts(), 0.2)


async def test_nobody_listens(line: Line) -> None:
    async with listening() as other:
        url = other.url
    with pytest.raises(OSError, match=r"."):
        await open_link(url, line.receive, line.counts, 0.2)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for 127.0.0.1, and what serves with it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    file, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-days", "1"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=test"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


async def test_tls(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with listening(certificate[1]) as line, line.link() as (link, wire):
        text = b"0|H0STCNT0|001|" + b"9" * 100_000
        await link.send("hello")
        assert await wire.read() == (TEXT, b"hello")
        await wire.write(frame(TEXT, text) * 10)
        await wire.close()
        await link.serve()
        assert line.texts == [text.decode()] * 10


async def test_a_certificate_that_nobody_vouches_for(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    async with listening(certificate[1]) as line:
        with pytest.raises(ssl.SSLCertVerificationError):
            await open_link(line.url, line.receive, line.counts, 0.2)


async def test_a_command_beside_a_burst_waits_for_at_most_one_slice(line: Line) -> None:
    """What lies in another socket is read between two slices, however much one read has brought."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    text = b"0|H0STCNT0|001|" + b"9" * 400
    most = SLICE // (len(text) + FRAME) + 1
    waited: list[int] = []
    sent_at: list[int] = []

    def receive(text: str, arrived: int) -> None:
        line.texts.append(text)
        if not sent_at:
            sent_at.append(len(line.texts))
            theirs.send(b"command")

    def command() -> None:
        ours.recv(64)
        waited.append(len(line.texts) - sent_at.pop())

    line.receive = receive  # type: ignore[method-assign]
    loop.add_reader(ours, command)
    try:
        async with line.link() as (link, wire):
            wire.writer.write(frame(TEXT, text) * 2_000)
            closing = asyncio.ensure_future(wire.close())
            await link.serve()
            await closing
    finally:
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
    assert len(line.texts) == 2_000
    assert len(waited) > 2_000 // (2 * most) - 2, "a command came in every slice"
    assert max(waited) <= most


async def test_either_library_notices_that_the_way_to_kis_is_broken(
    monkeypatch: pytest.MonkeyPatch, line: Line, link_library: str
) -> None:
    module = importlib.import_module(f"bridge.kis.{link_library}_link")
    prepared: list[socket.socket] = []

    def noted(made: socket.socket) -> None:
        prepare(made)
        prepared.append(made)

    monkeypatch.setattr(module, "prepare", noted)
    names = ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    async with line.link():
        [made] = prepared
        found = [made.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
        assert found == [1, 8, 4, 3, 20_000]
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
