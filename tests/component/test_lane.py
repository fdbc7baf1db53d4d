"""The market-data lane against real brokers, through a line that can be cut or stopped."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mqtt5
import pytest
from structlog.testing import capture_logs

from bridge.feed.lane import KindPolicy, Lane
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from bridge.mqtt import lane as fast
from bridge.mqtt import lane_messages as slow
from bridge.mqtt import liveness
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.lane_messages import MessageWriter
from bridge.mqtt.message import Message
from bridge.runtime.backoff import Backoff
from bridge.runtime.clock import steady_us
from tests.brokers import Mosquitto, embedded, free_port, mosquitto_program
from tests.unit.subscriptions.channels import QUOTE, TRADE

DEADLINE_S = 15.0
ZONE = Zone("Asia/Seoul")
SURE = {"trade": KindPolicy(qos=1), "quote": KindPolicy(conflate=True)}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fast, slow):
        monkeypatch.setattr(module, "RETRY", Backoff(0.02, 0.1))


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with embedded() as small, Mosquitto.running(tmp_path_factory.mktemp("broker")) as big:
        yield {
            "mosquitto": big.url,
            "mosquitto ws": big.ws_url,
            "embedded": small.url,
            "embedded ws": small.ws_url,
        }


@pytest.fixture
def base(request: pytest.FixtureRequest) -> str:
    """A base topic of the test's own: the brokers are shared."""
    return "".join(c for c in request.node.name if c.isalnum())


def trades(topic: str, symbol: str = "A") -> Route:
    return Route(TRADE, "krx", symbol, f"{topic}/trade/{symbol}", ZONE)


def quotes(topic: str, symbol: str = "A") -> Route:
    return Route(QUOTE, "krx", symbol, f"{topic}/quote/{symbol}", ZONE)


class Ear:
    """A subscriber of its own."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self._changed = asyncio.Condition()

    async def __call__(self, message: Message) -> None:
        async with self._changed:
            self.heard.append(message)
            self._changed.notify_all()
        message.ack()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(condition)

    def payloads(self, topic: str) -> list[bytes]:
        return [m.payload for m in self.heard if m.topic == topic]


@asynccontextmanager
async def listening(url: str, topic_filter: str) -> AsyncIterator[Ear]:
    ear = Ear()
    client = ControlClient(
        [Endpoint.parse(url)],
        client_id=f"ear-{time.monotonic_ns()}",
        clean=True,
        backoff=Backoff(0.02, 1),
    )
    client.subscribe(topic_filter, 1, ear)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(client.run())
        async with asyncio.timeout(DEADLINE_S):
            await client.wait_connected()
        yield ear
        running.cancel()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  seen from outside, as health sees it
            await asyncio.sleep(0.002)


@asynccontextmanager
async def lane_to(
    *endpoints: Endpoint,
    name: str = "lane",
    policies: dict[str, KindPolicy] | None = None,
    routes: Sequence[Route] = (),
    messages: bool = False,
    budget: int = 64 << 20,
    writers: list[LaneWriter | MessageWriter] | None = None,
) -> AsyncIterator[Lane]:
    """Run a lane and its writer, which is put into ``writers``; leaves in good order."""
    lane = Lane(policies or {}, budget=budget)
    writer = (MessageWriter if messages else LaneWriter)(
        endpoints,
        f"lane-{name}",
        on_ready=lane.on_ready,
        on_lost=lane.on_lost,
        on_ping=lane.on_ping,
        on_pong=lane.on_pong,
        on_too_large=lane.on_too_large,
    )
    lane.attach(writer, lambda: routes)
    if writers is not None:
        writers.append(writer)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(writer.run())
        await until(lambda: writer.connected)
        yield lane
        await until(lambda: not lane.backlog)
        running.cancel()


@dataclass
class Line:
    """A TCP line to a broker that a test can cut and stop."""

    port: int = 0
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """While not set nothing is taken from the client."""
    links: list[asyncio.StreamWriter] = field(default_factory=list)
    accepted: int = 0

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint.parse(f"mqtt://127.0.0.1:{self.port}")

    def cut(self) -> None:
        """Cut all connections as a dying router would."""
        for link in self.links:
            link.transport.abort()
        self.links.clear()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    line = Line()
    line.reads.set()
    target = Endpoint.parse(url)

    async def carry(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, valve: asyncio.Event | None
    ) -> None:
        try:
            while data := await reader.read(16 * 1024):
                if valve is not None:
                    await valve.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(target.host, target.port)
        except OSError:
            writer.close()
            return
        line.links += [writer, far_writer]
        async with asyncio.TaskGroup() as group:
            group.create_task(carry(reader, far_writer, line.reads))
            group.create_task(carry(far_reader, writer, None))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=16 * 1024)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        line.reads.set()
        server.close()
        line.cut()


# what every lane does


@pytest.mark.parametrize(
    ("broker", "version", "messages"),
    [
        ("mosquitto", 5, False),
        ("embedded", 5, False),
        ("mosquitto", 5, True),
        ("mosquitto", 4, True),
        ("mosquitto ws", 5, True),
        ("mosquitto ws", 4, True),
        ("embedded", 4, True),
        ("embedded ws", 5, True),
    ],
)
async def test_records_arrive_as_they_are(
    urls: dict[str, str], base: str, broker: str, version: Any, messages: bool
) -> None:
    endpoint = Endpoint.parse(urls[broker], version=version)
    reader = urls[broker.split()[0]]
    policies = {
        "trade": KindPolicy(qos=1, expire_s=60),
        "quote": KindPolicy(expire_s=None),
    }
    routes = [trades(base), quotes(base, "BRK%2FB"), quotes(base, "삼성")]
    sent: dict[str, list[bytes]] = {route.topic: [] for route in routes}
    draw = random.Random(1)  # noqa: S311
    async with listening(reader, f"{base}/#") as ear:
        async with lane_to(
            endpoint, name=base, policies=policies, routes=routes, messages=messages
        ) as lane:
            for number in range(600):
                route = draw.choice(routes)
                payload = b"%d " % number + draw.randbytes(draw.randrange(300))
                sent[route.topic].append(payload)
                lane.put(route, payload)
                if number % 50 == 49:
                    await asyncio.sleep(0)  # the turn ends
            await ear.until(lambda: len(ear.heard) >= 600)
            assert lane.published == 600
        for topic, payloads in sent.items():
            assert ear.payloads(topic) == payloads
    async with listening(reader, f"{base}/#") as late:
        await late.until(lambda: len(late.heard) == 3)
        for message in late.heard:
            assert message.retain
            assert message.payload == sent[message.topic][-1]
            expires = message.topic == routes[0].topic and version == 5
            assert (message.expiry_s is not None) == expires
            assert not expires or 0 < (message.expiry_s or 0) <= 60


@pytest.mark.parametrize("messages", [False, True])
async def test_a_cut_line_loses_no_qos_1(urls: dict[str, str], base: str, messages: bool) -> None:
    route = trades(base)
    async with (
        listening(urls["mosquitto"], f"{base}/#") as ear,
        line_to(urls["mosquitto"]) as line,
        lane_to(line.endpoint, name=base, policies=SURE, routes=[route], messages=messages) as lane,
    ):
        line.reads.clear()
        for number in range(10):
            lane.put(route, b"%d" % number)
        await asyncio.sleep(0)
        assert ear.heard == []
        line.cut()
        line.reads.set()
        await ear.until(lambda: b"9" in ear.payloads(route.topic))
        kept = list(dict.fromkeys(ear.payloads(route.topic)))
        assert kept == [b"%d" % number for number in range(10)]
        assert lane.backlog.dropped == 0
        lane.put(route, b"after")
        await ear.until(lambda: b"after" in ear.payloads(route.topic))


@pytest.mark.parametrize("messages", [False, True])
async def test_the_receive_maximum_is_kept(tmp_path: Path, messages: bool) -> None:
    """Mosquitto closes the connection of a client that goes beyond it."""
    route = trades("kis")
    with Mosquitto.running(tmp_path, "allow_anonymous true\nmax_inflight_messages 3\n") as broker:
        async with (
            listening(broker.url, "kis/#") as ear,
            line_to(broker.url) as line,
            lane_to(line.endpoint, policies=SURE, routes=[route], messages=messages) as lane,
        ):
            for number in range(1000):
                lane.put(route, b"%d" % number + b" " * 900)
            await ear.until(lambda: len(ear.heard) >= 1000)
            numbers = [int(payload) for payload in ear.payloads(route.topic)]
            assert numbers == list(range(1000))
            assert line.accepted == 1


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize(("version", "messages"), [(5, False), (5, True), (4, True)])
async def test_a_record_that_the_broker_does_not_take_holds_up_no_other(
    tmp_path: Path, version: Any, messages: bool, qos: int
) -> None:
    """Mosquitto hangs up for it: MQTT 5 says the limit before, MQTT 3.1.1 never does."""
    good, bad = trades("kis"), trades("kis", "B")
    with Mosquitto.running(tmp_path, "allow_anonymous true\nmax_packet_size 20000\n") as broker:
        async with (
            listening(broker.url, "kis/#") as ear,
            line_to(broker.url) as line,
            lane_to(
                Endpoint.parse(f"mqtt://127.0.0.1:{line.port}", version=version),
                policies={"trade": KindPolicy(qos=qos)},
                routes=[good, bad],
                messages=messages,
            ) as lane,
        ):
            lane.put(good, b"first")
            await asyncio.sleep(0)
            lane.put(bad, b"x" * 30_000)
            await until(lambda: lane.too_large == 1)
            for number in range(300):
                lane.put(good, b"%d" % number)
                await asyncio.sleep(0)
            await ear.until(lambda: b"299" in ear.payloads(good.topic))
            numbers = [p for p in dict.fromkeys(ear.payloads(good.topic)) if p != b"first"]
            assert numbers == [b"%d" % number for number in range(300)]
            lane.put(bad, b"y" * 19_000)
            await ear.until(lambda: ear.payloads(bad.topic))
            lane.put(bad, b"z" * 40_000)
            lane.put(good, b"last")
            await ear.until(lambda: b"last" in ear.payloads(good.topic))
            assert line.accepted == (1 if version == 5 else 3)
            assert lane.unfit() == {bad.topic: 2}
            assert lane.too_large == 2
            assert lane.largest_taken == (20_000 if version == 5 else 30_000 + 34 + 11 - 1)
            assert lane.backlog.dropped == 0


@pytest.mark.parametrize("messages", [False, True])
async def test_the_ages_are_those_that_a_reader_measures(tmp_path: Path, messages: bool) -> None:
    """Mosquitto stands still for two seconds, while all fits into the socket."""
    route = trades("kis")
    read: list[int] = []
    with Mosquitto.running(tmp_path) as broker:
        async with (
            listening(broker.url, "kis/#") as ear,
            lane_to(Endpoint.parse(broker.url), messages=messages) as lane,
        ):

            async def send(seconds: float) -> None:
                ends = time.monotonic() + seconds
                while time.monotonic() < ends:
                    now = time.time_ns() // 1000
                    lane.arrived(now)
                    lane.put(route, b'{"received_at":%d}' % now)
                    await asyncio.sleep(0.005)
                    read.extend(
                        m.received_at - int(m.payload[15:-1]) for m in ear.heard[len(read) :]
                    )

            await send(0.6)
            broker.signal(signal.SIGSTOP)
            try:
                await send(2.0)
            finally:
                broker.signal(signal.SIGCONT)
            await send(1.2)
            told = lane.ages.quantiles(steady_us(), 0.5, 0.99, 1.0)
    read.sort()
    seen = [read[len(read) // 2], read[int(len(read) * 0.99)], read[-1]]
    for at, right in zip(told[1:], seen[1:], strict=True):
        assert right > 1_500_000
        assert at is not None
        assert right / 2 < at < right * 2, (told, seen)


class Broker:
    """A broker that does exactly what a test says; MQTT 5."""

    def __init__(self) -> None:
        self.receive_maximum = 3
        self.answer: Callable[[asyncio.StreamWriter], None] = self.accept
        self.packets: asyncio.Queue[Any] = asyncio.Queue()
        self.links: list[asyncio.StreamWriter] = []
        self.url = ""

    def accept(self, writer: asyncio.StreamWriter) -> None:
        writer.write(mqtt5.ConnAckPacket(receive_max=self.receive_maximum).write())

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links.append(writer)
        self.answer(writer)
        buffer = bytearray()
        try:
            while data := await reader.read(4096):
                buffer += data
                while buffer:
                    try:
                        packet, size = mqtt5.read(memoryview(bytes(buffer)))
                    except IndexError:
                        break
                    del buffer[:size]
                    self.packets.put_nowait(packet)
        except OSError:
            pass
        self.packets.put_nowait(None)
        writer.close()

    async def next(self, kind: type) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not isinstance(packet := await self.packets.get(), kind):
                pass
            return packet

    def acknowledge(self, packet: Any) -> None:
        self.links[-1].write(mqtt5.PubAckPacket(packet.packet_id).write())

    def received(self) -> list[Any]:
        """Take what has come and was not looked at."""
        return [self.packets.get_nowait() for _ in range(self.packets.qsize())]


@asynccontextmanager
async def scripted() -> AsyncIterator[Broker]:
    broker = Broker()
    server = await asyncio.start_server(broker.handle, "127.0.0.1", 0)
    broker.url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield broker
    finally:
        server.close()
        for link in broker.links:
            link.transport.abort()


@pytest.mark.parametrize("messages", [False, True])
async def test_a_broker_that_takes_less_after_a_reconnect(messages: bool) -> None:
    route = trades("kis")
    async with (
        scripted() as broker,
        lane_to(Endpoint.parse(broker.url), policies=SURE, messages=messages) as lane,
    ):
        for number in range(8):
            lane.put(route, b"%d" % number)
        first = [await broker.next(mqtt5.PublishPacket) for _ in range(3)]
        assert [packet.payload for packet in first] == [b"0", b"1", b"2"]
        broker.acknowledge(first[0])
        assert (await broker.next(mqtt5.PublishPacket)).payload == b"3"
        assert broker.received() == []
        broker.receive_maximum = 1
        broker.links[-1].transport.abort()
        await broker.next(mqtt5.ConnectPacket)
        again = []
        for _ in range(4):
            again.append(await broker.next(mqtt5.PublishPacket))
            assert broker.received() == []  # nothing beyond one before its PUBACK
            broker.acknowledge(again[-1])
        # 1 to 3 are sent again; of what waited in the lane the last value is left.
        assert [packet.payload for packet in again] == [b"1", b"2", b"3", b"7"]
        assert lane.backlog.losses() == {route.topic: 3}


async def test_a_broker_that_stops_reading(urls: dict[str, str], base: str) -> None:
    """Quotes conflate, trades wait; nothing is counted wrong; everything drains in order."""
    trade, quote = trades(base), quotes(base)
    count, size = 3000, 2000
    policies = {"trade": KindPolicy(), "quote": KindPolicy(conflate=True)}
    async with (
        listening(urls["mosquitto"], f"{base}/#") as ear,
        line_to(urls["mosquitto"]) as line,
        lane_to(line.endpoint, name=base, policies=policies) as lane,
    ):
        line.reads.clear()
        for number in range(count):
            payload = b"%d" % number + b" " * size
            lane.put(trade, payload)
            lane.put(quote, payload)
            if number % 20 == 0:
                await asyncio.sleep(0)
        waiting = lane.backlog
        assert len(waiting) > 0
        assert waiting.conflated > 0
        assert waiting.dropped == 0
        assert waiting.size <= count * (size + 8)
        line.reads.set()
        await ear.until(
            lambda: (
                len(ear.payloads(trade.topic)) == count
                and ear.payloads(quote.topic)[-1].startswith(b"%d " % (count - 1))
            )
        )
        assert [int(p) for p in ear.payloads(trade.topic)] == list(range(count))
        seen = [int(p) for p in ear.payloads(quote.topic)]
        assert seen == sorted(seen)
        assert len(seen) + waiting.conflated == count
        assert (len(waiting), waiting.size, waiting.losses()) == (0, 0, {})
        assert lane.published == 2 * count - waiting.conflated


async def test_a_full_backlog_drops_the_oldest_and_says_so(urls: dict[str, str], base: str) -> None:
    trade = trades(base)
    count, size, budget = 3000, 2000, 500_000
    async with (
        listening(urls["mosquitto"], f"{base}/#") as ear,
        line_to(urls["mosquitto"]) as line,
        lane_to(line.endpoint, name=base, budget=budget) as lane,
    ):
        line.reads.clear()
        for number in range(count):
            lane.put(trade, b"%d" % number + b" " * size)
            assert lane.backlog.size <= budget
            if number % 20 == 0:
                await asyncio.sleep(0)
        line.reads.set()
        await ear.until(lambda: ear.payloads(trade.topic)[-1:] and lane.backlog.size == 0)
        await ear.until(lambda: int(ear.payloads(trade.topic)[-1]) == count - 1)
        numbers = [int(p) for p in ear.payloads(trade.topic)]
        assert numbers == sorted(numbers)
        lost = lane.backlog.losses()[trade.topic]
        assert lost == lane.backlog.dropped > 0
        assert len(numbers) + lost == count


@pytest.mark.parametrize("messages", [False, True])
async def test_a_broker_that_begins_anew(tmp_path: Path, messages: bool) -> None:
    """It gets the last value of every topic, also of those that are quiet since."""
    busy, quiet, left = trades("kis"), quotes("kis", "Q"), trades("kis", "L")
    broker = Mosquitto(tmp_path)
    broker.start()
    try:
        async with lane_to(
            Endpoint.parse(broker.url), routes=[busy, quiet, left], messages=messages
        ) as lane:
            async with listening(broker.url, "kis/#") as ear:
                lane.put(quiet, b'{"received_at":%d}' % (time.time_ns() // 1000))
                lane.put(left, b'{"received_at":1}')  # expired long ago
                lane.put(busy, b"0")
                await ear.until(lambda: len(ear.heard) == 3)
            broker.stop()
            (tmp_path / "mosquitto.db").unlink()
            await until(lambda: not lane.connected)
            for number in range(1, 6):
                lane.put(busy, b"%d" % number)
            assert lane.backlog.losses() == {busy.topic: 4}
            broker.start()
            await until(lambda: not lane.backlog)
            async with listening(broker.url, "kis/#") as late:
                await late.until(lambda: len(late.heard) == 2)
                assert {m.topic: m.payload for m in late.heard} == {
                    busy.topic: b"5",
                    quiet.topic: quiet.last,
                }
                lane.put(busy, b"6")
                await late.until(lambda: late.payloads(busy.topic) == [b"5", b"6"])
            assert lane.backlog.dropped == 4
    finally:
        broker.stop()


def _user(passwords: Path) -> None:
    mosquitto_program()
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "bridge", "right"],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("messages", [False, True])
async def test_a_refused_login_is_said_once_and_tried_again(tmp_path: Path, messages: bool) -> None:
    passwords = tmp_path / "passwords"
    _user(passwords)
    extra = f"allow_anonymous false\npassword_file {passwords}\n"
    writer_class = MessageWriter if messages else LaneWriter
    with Mosquitto.running(tmp_path, extra) as broker, capture_logs() as logs:
        async with line_to(broker.url) as line, asyncio.TaskGroup() as group:
            endpoint = Endpoint.parse(f"mqtt://bridge:wrong@127.0.0.1:{line.port}")
            writer = writer_class([endpoint], "lane", on_ready=lambda: None, on_lost=lambda: None)
            running = group.create_task(writer.run())
            await until(lambda: line.accepted >= 3)
            running.cancel()
        [told] = [entry for entry in logs if entry["log_level"] == "warning"]
        assert told["event"] == "lane not connected"
        assert told["broker"] == f"127.0.0.1:{line.port}"
        assert "not authori" in told["reason"]
        assert "wrong" not in str(logs)


@pytest.mark.parametrize("messages", [False, True])
async def test_nobody_there(messages: bool) -> None:
    port = free_port()
    writer_class = MessageWriter if messages else LaneWriter
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            writer = writer_class(
                [Endpoint.parse(f"mqtt://127.0.0.1:{port}")],
                "lane",
                on_ready=lambda: None,
                on_lost=lambda: None,
            )
            running = group.create_task(writer.run())
            await until(lambda: logs)
            running.cancel()
    assert "refused" in logs[0]["reason"].lower()


_DRAW = random.Random(7)  # noqa: S311
GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x00" * 40,
    b"\xff" * 40,
    b"\x20\x02\x00\x01",  # MQTT 3.1.1: refused
    b"\x20\x03\x00\x87\x00",
    *(b"\x20" + _DRAW.randbytes(30) for _ in range(20)),
    *(_DRAW.randbytes(60) for _ in range(40)),
]


async def test_garbage_from_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes instead of a CONNACK: a log event, and the next try."""
    monkeypatch.setattr(fast, "RETRY", Backoff(0.01, 0.01))
    async with scripted() as broker:
        left = iter(GARBAGE)
        writers: list[LaneWriter | MessageWriter] = []

        def answer(writer: asyncio.StreamWriter) -> None:
            garbage = next(left, None)
            if garbage is None:
                broker.accept(writer)
            else:
                writer.write(garbage)
                writer.write_eof()

        broker.answer = answer
        with capture_logs() as logs:
            async with lane_to(Endpoint.parse(broker.url), writers=writers):
                assert next(left, None) is None
                # And in the middle of a connection.
                for garbage in (b"\x00" * 10, b"\x40\x00", b"\xff" * 20):
                    connects = writers[0].connects
                    broker.links[-1].write(garbage)
                    await until(lambda c=connects: writers[0].connects > c)  # type: ignore[misc]
        assert all(entry["log_level"] in ("info", "warning") for entry in logs)
        assert any("no MQTT 5" in entry.get("reason", "") for entry in logs)


@pytest.mark.parametrize("messages", [False, True])
async def test_leaving_says_goodbye(messages: bool) -> None:
    async with scripted() as broker:
        async with lane_to(Endpoint.parse(broker.url), messages=messages) as lane:
            lane.put(trades("kis"), b"last")
            assert (await broker.next(mqtt5.PublishPacket)).payload == b"last"
        goodbye = await broker.next(mqtt5.DisconnectPacket)
        assert goodbye.reason_code is mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION


async def test_a_broker_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "ANSWER_S", 0.5)
    writers: list[LaneWriter | MessageWriter] = []
    async with scripted() as broker:
        with capture_logs() as logs:
            async with lane_to(Endpoint.parse(broker.url), writers=writers):
                await until(lambda: writers[0].connects > 1)
        assert "no answer to a ping" in [entry.get("reason") for entry in logs]
