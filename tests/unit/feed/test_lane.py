"""The lane: one write a read or a turn, a backlog for a slow broker, last values while away."""

from __future__ import annotations

import asyncio
import time

from bridge.feed.lane import KindPolicy, Lane
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from bridge.runtime.clock import steady_us
from tests.unit.subscriptions.channels import QUOTE, TRADE

ZONE = Zone("Asia/Seoul")
TRADES = Route(TRADE, "krx", "A", "t", ZONE)
QUOTES = Route(QUOTE, "krx", "A", "q", ZONE)
POLICIES = {"trade": KindPolicy(retain=False), "quote": KindPolicy(conflate=True)}


class FakeWriter:
    def __init__(self) -> None:
        self.ready = True
        self.connected = True
        self.writes: list[list[bytes]] = []

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> bytes:
        return b"%s:%s:%d:%d" % (topic.encode(), payload, qos, retain)

    def write(self, packets: list[bytes]) -> None:
        self.writes.append(list(packets))


def lane_and_writer() -> tuple[Lane, FakeWriter]:
    lane, writer = Lane(POLICIES), FakeWriter()
    lane.attach(writer)
    return lane, writer


async def test_the_records_of_one_turn_leave_in_one_write() -> None:
    lane, writer = lane_and_writer()
    lane.arrived(1)
    for payload in (b"1", b"2"):
        lane.put(TRADES, payload)
    lane.put(QUOTES, b"3")
    assert writer.writes == []
    await asyncio.sleep(0)
    assert writer.writes == [[b"t:1:0:0", b"t:2:0:0", b"q:3:0:1"]]
    assert lane.published == 3
    assert lane.ages.quantiles(steady_us(), 1.0) != [None]


async def test_what_one_read_brings_leaves_in_one_write_at_its_end() -> None:
    lane, writer = lane_and_writer()
    lane.begin_read()
    lane.put(TRADES, b"1")
    lane.put(TRADES, b"2")
    await asyncio.sleep(0)
    assert writer.writes == [], "no other turn was asked for"
    lane.end_read()
    assert writer.writes == [[b"t:1:0:0", b"t:2:0:0"]]
    lane.put(TRADES, b"3")
    await asyncio.sleep(0)
    assert writer.writes[1:] == [[b"t:3:0:0"]], "outside of a read the end of the turn counts"


async def test_a_read_that_brings_nothing_holds_nothing_up() -> None:
    lane, writer = lane_and_writer()
    lane.begin_read()
    lane.end_read()
    lane.put(TRADES, b"1")
    await asyncio.sleep(0)
    assert writer.writes == [[b"t:1:0:0"]]


async def test_a_slow_broker_gets_every_trade_and_the_latest_quote() -> None:
    lane, writer = lane_and_writer()
    writer.ready = False
    for payload in (b"1", b"2"):
        lane.put(TRADES, payload)
        lane.put(QUOTES, payload)
    writer.ready = True
    lane.on_ready()
    assert writer.writes == [[b"q:2:0:1", b"t:1:0:0", b"t:2:0:0"]]
    assert lane.backlog.conflated == 1
    lane.put(TRADES, b"3")
    await asyncio.sleep(0)
    assert writer.writes[-1] == [b"t:3:0:0"]


async def test_nothing_overtakes_what_waits() -> None:
    lane, writer = lane_and_writer()
    writer.ready = False
    lane.put(TRADES, b"1")
    writer.ready = True
    lane.put(TRADES, b"2")
    lane.on_ready()
    assert writer.writes == [[b"t:1:0:0", b"t:2:0:0"]]


async def test_a_lost_broker_gets_the_last_values_when_it_returns() -> None:
    lane, writer = lane_and_writer()
    lane.put(TRADES, b"1")
    writer.connected = writer.ready = False
    lane.on_lost()
    for payload in (b"2", b"3"):
        lane.put(TRADES, payload)
    writer.connected = writer.ready = True
    lane.on_ready()
    await asyncio.sleep(0)
    assert writer.writes == [[b"t:3:0:0"]]
    assert lane.backlog.losses() == {"t": 2}


async def test_a_long_turn_is_written_in_parts() -> None:
    lane, writer = lane_and_writer()
    for _ in range(40):
        lane.put(TRADES, b"x" * 10_000)
    assert len(writer.writes) >= 2
    await asyncio.sleep(0)
    assert sum(len(write) for write in writer.writes) == 40


async def test_a_broker_that_returns_gets_every_retained_topic_again() -> None:
    quiet = Route(QUOTE, "krx", "B", "quiet", ZONE)
    old = Route(QUOTE, "krx", "C", "old", ZONE)
    never = Route(QUOTE, "krx", "D", "never", ZONE)
    lane, writer = Lane(POLICIES), FakeWriter()
    lane.attach(writer, lambda: [TRADES, quiet, QUOTES, old, never])
    lane.put(quiet, b'{"received_at":%d}' % (time.time_ns() // 1000))
    lane.put(old, b'{"received_at":1}')
    lane.put(TRADES, b"1")  # not retained, and so not said again
    lane.put(QUOTES, b"2")
    await asyncio.sleep(0)
    writer.writes.clear()
    writer.connected = writer.ready = False
    lane.on_lost()
    lane.put(QUOTES, b"3")
    writer.connected = writer.ready = True
    lane.on_ready()
    assert writer.writes == [[b"q:3:0:1", b"quiet:" + quiet.last + b":0:1"]]
    assert (lane.backlog.dropped, len(lane.backlog)) == (0, 0)
    lane.on_ready()  # once is enough
    assert len(writer.writes) == 1


async def test_only_so_many_of_qos_1_are_on_the_way() -> None:
    lane, writer = Lane({"trade": KindPolicy(qos=1, retain=False)}), FakeWriter()
    lane.attach(writer)
    left = 3

    def packet(topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None) -> bytes:
        nonlocal left
        left -= 1
        writer.ready = left > 0
        return payload

    writer.packet = packet  # type: ignore[method-assign]
    for number in range(8):
        lane.put(TRADES, b"%d" % number)
    await asyncio.sleep(0)
    assert writer.writes == [[b"0", b"1", b"2"]]
    lane.put(TRADES, b"8")
    left, writer.ready = 2, True
    lane.on_ready()
    left, writer.ready = 9, True
    lane.on_ready()
    assert [payload for write in writer.writes for payload in write] == [
        b"%d" % number for number in range(9)
    ]
