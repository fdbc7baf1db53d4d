from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import time_ns
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bridge.errors import ConfigError
from bridge.kis import stream as module
from bridge.kis.crypto import encrypt
from bridge.kis.frames import DataFrame
from bridge.kis.replies import KisRefusedError
from bridge.kis.session import (
    Dropped,
    Lost,
    Notice,
    Session,
    SessionEvent,
    Subscribed,
    Unsubscribed,
)
from bridge.kis.stream import Stream
from tests.component.fakes import StreamPeer, acknowledge, link_library, stream_peer

__all__ = ["link_library"]

TRADE, NOTICE = "H0STCNT0", "H0STCNI9"
FRAME = "0|H0STCNT0|001|005930^71900"
PINGPONG = '{"header":{"tr_id":"PINGPONG","datetime":"20260922140610"}}'
IV, KEY = "0123456789abcdef", "abcdefghijklmnopabcdefghijklmnop"


class Bench:
    """A stream under test and what it called back."""

    def __init__(self, url: str, **options: Any) -> None:
        self.data: asyncio.Queue[tuple[DataFrame, int]] = asyncio.Queue()
        self.notices: asyncio.Queue[tuple[Notice, int]] = asyncio.Queue()
        self.events: asyncio.Queue[SessionEvent] = asyncio.Queue()
        self.keys: list[bool] = []
        self.delays: list[float] = []
        self.refuse_keys = 0
        callbacks: dict[str, Any] = {
            "on_data": lambda frame, at: self.data.put_nowait((frame, at)),
            "on_notice": lambda notice, at: self.notices.put_nowait((notice, at)),
            "on_event": self.events.put_nowait,
            "sleep": self.sleep,
            "rng": random.Random(1),  # noqa: S311
        }
        for name in set(callbacks) & set(options):
            callbacks[name] = options.pop(name)
        session = Session(notices=frozenset({NOTICE}), spacing_s=0.001, **options)
        self.stream = Stream(url, session, self.key, **callbacks)

    @property
    def state(self) -> str:
        return self.stream.state

    async def key(self, refresh: bool) -> SecretStr:
        self.keys.append(refresh)
        if self.refuse_keys:
            self.refuse_keys -= 1
            raise KisRefusedError("KIS refuses the app_key")
        return SecretStr(f"sesame-{len(self.keys)}")

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Stream]:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(self.stream.run())
            yield self.stream
            task.cancel()

    async def event(self, kind: type[SessionEvent]) -> SessionEvent:
        while not isinstance(event := await self.events.get(), kind):
            pass
        return event


@pytest.fixture
async def peer() -> AsyncIterator[StreamPeer]:
    async with stream_peer() as peer:
        yield peer


async def test_market_data_notices_and_answers_arrive(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(NOTICE, "someone", priority=-1)
    bench.stream.subscribe(TRADE, "005930")
    before = time_ns() // 1000
    async with bench.running() as stream:
        assert await peer.request() == ("1", NOTICE, "someone")
        assert await peer.request() == ("1", TRADE, "005930")
        assert await bench.events.get() == Subscribed(NOTICE, "someone")
        assert await bench.events.get() == Subscribed(TRADE, "005930")
        assert bench.state == "connected"
        await peer.send(FRAME)
        frame, at = await bench.data.get()
        assert frame == DataFrame(TRADE, False, 1, "005930^71900")
        assert before <= at <= time_ns() // 1000
        assert stream.counts.last_frame_at == at
        await peer.send(f"1|{NOTICE}|001|{encrypt('a^b', KEY, IV)}")
        notice, at = await bench.notices.get()
        assert notice == Notice(NOTICE, 1, "a^b")
        assert at >= before
        await peer.send(f"0|{NOTICE}|001|a^b")
        assert await bench.events.get() == Dropped("a notice in plain text may be forged", NOTICE)
        await peer.send("garbage")
        assert isinstance(await bench.events.get(), Dropped)
        await peer.send(f"1|{TRADE}|001|{encrypt('c^d', KEY, IV)}")
        assert (await bench.data.get())[0].body == "c^d"
    assert bench.state == "stopped"
    assert bench.keys == [False]


async def test_subscriptions_change_while_connected(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    async with bench.running() as stream:
        stream.subscribe(TRADE, "1")
        assert await peer.request() == ("1", TRADE, "1")
        assert await bench.events.get() == Subscribed(TRADE, "1")
        stream.unsubscribe(TRADE, "1")
        assert await peer.request() == ("2", TRADE, "1")
        assert await bench.events.get() == Unsubscribed(TRADE, "1")
    stream.unsubscribe(TRADE, "2")
    assert await bench.events.get() == Unsubscribed(TRADE, "2")


async def test_a_question_for_life_is_echoed(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    async with bench.running():
        await peer.request()
        await peer.send(PINGPONG)
        assert await peer.others.get() == PINGPONG


async def test_everything_is_subscribed_again_after_a_broken_connection(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    bench.stream.subscribe(TRADE, "2")
    async with bench.running() as stream:
        for _ in range(2):
            await bench.event(Subscribed)
        peer.connections[-1].transport.abort()
        lost = await bench.event(Lost)
        assert lost == Lost("closed 1006", bench.delays[0])
        assert 0.25 <= bench.delays[0] <= 0.5
        assert await bench.event(Subscribed) == Subscribed(TRADE, "1")
        assert await bench.event(Subscribed) == Subscribed(TRADE, "2")
        assert stream.counts.reconnects == 1
        await peer.send(FRAME)
        await bench.data.get()
        assert stream.counts.frames == 1
    assert bench.keys == [False, False]
    assert peer.requests.qsize() == 4


async def test_kis_closing_is_a_loss_too(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    async with bench.running():
        await bench.event(Subscribed)
        await peer.connections[-1].close(1001)
        assert await bench.event(Lost) == Lost("closed 1001", bench.delays[0])
        await bench.event(Subscribed)


async def test_the_way_back_gets_longer_up_to_half_a_minute() -> None:
    async with stream_peer() as peer:
        url = peer.url
    done = asyncio.Event()
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)
        if len(delays) == 12:
            done.set()
        await asyncio.sleep(0)

    bench = Bench(url, sleep=sleep)
    async with bench.running():
        await done.wait()
    for turn, delay in enumerate(delays[:12]):
        longest = min(30, 0.5 * 2**turn)
        assert longest / 2 <= delay <= longest
    assert len({delay / 2**turn for turn, delay in enumerate(delays[:6])}) > 1, "no jitter"
    assert bench.events.get_nowait() == Lost("unreachable", delays[0])


async def test_a_refused_approval_key_is_renewed() -> None:
    def answer(request: dict[str, Any]) -> list[str]:
        key = request["header"]["approval_key"]
        if key in ("sesame-1", "sesame-2"):
            text = {"rt_cd": "1", "msg_cd": "OPSP0011", "msg1": f"invalid approval : {key}"}
            return [json.dumps({"body": text})]
        return acknowledge(request)

    async with stream_peer(answer=answer) as peer:
        bench = Bench(peer.url)
        bench.stream.subscribe(TRADE, "1")
        with capture_logs() as logs:
            async with bench.running():
                assert await bench.event(Subscribed) == Subscribed(TRADE, "1")
    assert bench.keys == [False, True, True]
    assert bench.delays[0] <= 0.5
    assert bench.delays[1] >= 30, "no storm of new keys when a new one is refused as well"
    assert "sesame" not in str(logs)


async def test_an_app_key_in_use_elsewhere_is_left_in_peace() -> None:
    refusal = {
        "header": {"tr_id": "(null)", "tr_key": "", "encrypt": "N"},
        "body": {"rt_cd": "9", "msg_cd": "OPSP8996", "msg1": "ALREADY IN USE appkey"},
    }
    async with stream_peer(answer=lambda _: [json.dumps(refusal)]) as peer:
        bench = Bench(peer.url)
        bench.stream.subscribe(TRADE, "1")
        async with bench.running():
            for _ in range(6):
                lost = await bench.event(Lost)
                assert isinstance(lost, Lost)
                assert lost.code == "OPSP8996"
        assert bench.keys[:6] == [False] * 6
    floors = [20, 30, 45, 67.5, 101.25, 120]
    for delay, floor in zip(bench.delays, floors, strict=False):
        assert floor <= delay <= floor * 1.25


async def test_no_approval_key_is_tried_again(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.refuse_keys = 2
    bench.stream.subscribe(TRADE, "1")
    async with bench.running():
        assert await bench.event(Lost) == Lost("approval", bench.delays[0])
        await bench.event(Subscribed)
    assert len(bench.delays) == 2


async def test_silence_is_a_dead_connection(peer: StreamPeer) -> None:
    bench = Bench(peer.url, silence_s=0.05)
    async with bench.running():
        assert await bench.event(Lost) == Lost("silent", bench.delays[0])
        assert await peer.closed.get() == 1000


async def test_no_data_while_it_is_expected_is_a_dead_connection(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    async with bench.running() as stream:
        await bench.event(Subscribed)
        stream.expect(60, 0.05)
        assert await bench.event(Lost) == Lost("mute", bench.delays[0])
        assert stream.counts.heard_at > 0


async def test_cancelling_closes_politely(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    async with bench.running():
        await bench.event(Subscribed)
    async with asyncio.timeout(5):
        assert await peer.closed.get() == 1000


async def test_cancelling_closes_politely_in_a_flood() -> None:
    async def flood(link: ServerConnection) -> None:
        while True:
            await link.send(FRAME * 40)

    async with stream_peer(greet=flood) as peer:
        bench = Bench(peer.url)
        async with bench.running():
            for _ in range(200):
                await bench.data.get()
        async with asyncio.timeout(5):
            assert await peer.closed.get() == 1000


async def test_cancelling_does_not_wait_for_a_peer_that_is_gone() -> None:
    gone = asyncio.Event()

    async def freeze(link: ServerConnection) -> None:
        link.transport.pause_reading()
        await link.send(FRAME)
        await gone.wait()

    async with stream_peer(greet=freeze) as peer:
        bench = Bench(peer.url)
        loop = asyncio.get_running_loop()
        async with bench.running():
            await bench.data.get()
            began = loop.time()
        assert loop.time() - began < 1.5
        gone.set()


async def test_a_peer_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_S", 0.05)
    monkeypatch.setattr(module, "CLOSE_S", 0.1)
    gone = asyncio.Event()
    question = json.dumps({"header": {"tr_id": "PINGPONG", "datetime": "x" * 60_000}})

    async def freeze(link: ServerConnection) -> None:
        link.transport.pause_reading()
        with suppress(ConnectionClosed):
            while not gone.is_set():  # until every buffer on the way back is full
                await link.send(question)

    async with stream_peer(greet=freeze) as peer:
        bench = Bench(peer.url)
        async with bench.running():
            assert await bench.event(Lost) == Lost("stalled", bench.delays[0])
            gone.set()
        peer.connections[0].transport.abort()


async def test_a_bug_in_a_callback_is_no_network_fault(peer: StreamPeer) -> None:
    def on_data(frame: DataFrame, at: int) -> None:
        raise ZeroDivisionError

    bench = Bench(peer.url, on_data=on_data)
    bench.stream.subscribe(TRADE, "1")

    async def play() -> None:
        async with bench.running():
            await bench.event(Subscribed)
            await peer.send(FRAME)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await play()
    assert caught.value.split(ZeroDivisionError)[1] is None
    assert bench.delays == []
    async with asyncio.timeout(5):
        assert await peer.closed.get() == 1000


async def test_an_address_that_is_none_is_no_network_fault() -> None:
    with pytest.raises(ConfigError):
        await Bench("http://127.0.0.1:1").stream.run()


@pytest.mark.parametrize("elsewhere", ["/other", "wss://{host}/", "ws://[", "ws://{host}/"])
async def test_a_redirect_is_not_followed_and_the_approval_key_stays_here(
    peer: StreamPeer, elsewhere: str
) -> None:
    """Whoever answers in KIS's place would else be given the key by the first subscription."""
    location = elsewhere.format(host=peer.url.removeprefix("ws://"))

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        bench = Bench(f"ws://127.0.0.1:{port}")
        async with bench.running() as stream:
            stream.subscribe(TRADE, "005930")
            for _ in range(2):
                lost = await bench.event(Lost)
                assert isinstance(lost, Lost)
                assert lost.code == "unreachable"
    assert stream.counts.connections == 0


async def test_bytes_that_are_no_text_do_not_end_the_connection(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    async with bench.running() as stream:
        await bench.event(Subscribed)
        await peer.send(b"0|H0STCNT0|001|005930^\xff\xfe")
        frame, _ = await bench.data.get()
        assert frame.body == "005930^��"
        assert stream.counts.invalid_utf8 == 1
        await peer.send(FRAME)
        await bench.data.get()
        assert stream.counts.reconnects == 0


async def test_long_frames_are_taken(peer: StreamPeer) -> None:
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    async with bench.running():
        await bench.event(Subscribed)
        body = "1" * 3_000_000
        await peer.send(f"0|{TRADE}|001|{body}")
        frame, _ = await bench.data.get()
        assert frame.body == body


async def test_no_key_reaches_any_log(peer: StreamPeer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench = Bench(peer.url)
    bench.stream.subscribe(TRADE, "1")
    with capture_logs() as logs:
        async with bench.running():
            await bench.event(Subscribed)
            peer.connections[-1].transport.abort()
            await bench.event(Lost)
    ours = [record for record in caplog.records if "server" not in record.name]
    assert "sesame" not in f"{logs} {[record.getMessage() for record in ours]}"
