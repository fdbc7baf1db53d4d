"""What was under way when the broker was lost, as far as its answers to pings tell."""

from __future__ import annotations

import asyncio

from bridge.feed.lane import KindPolicy, Lane
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from tests.unit.feed.test_lane import FakeWriter
from tests.unit.subscriptions.channels import QUOTE, TRADE

ZONE = Zone("Asia/Seoul")
TRADES = Route(TRADE, "krx", "A", "t", ZONE)
SURE = Route(QUOTE, "krx", "A", "q", ZONE)


def lane_and_writer() -> tuple[Lane, FakeWriter]:
    lane = Lane({"trade": KindPolicy(), "quote": KindPolicy(qos=1)})
    writer = FakeWriter()
    lane.attach(writer)
    return lane, writer


async def put(lane: Lane, number: int) -> None:
    for _ in range(number):
        lane.put(TRADES, b"x")
        lane.put(SURE, b"y")
    await asyncio.sleep(0)


async def test_what_no_answered_ping_covers_is_doubtful() -> None:
    lane, _ = lane_and_writer()
    await put(lane, 1)
    lane.on_ping()
    lane.on_pong()
    await put(lane, 2)
    lane.on_ping()
    lane.on_pong()  # the first has been passed on by now
    await put(lane, 4)
    lane.on_ping()
    await put(lane, 8)
    lane.on_lost()
    assert lane.doubts() == {"t": 2 + 4 + 8}, "QoS 1 is sent again and so is never in doubt"
    assert lane.uncertain == 14
    assert lane.doubts() == {}
    lane.on_lost()
    assert lane.doubts() == {}


async def test_after_a_quiet_while_nothing_is_doubtful() -> None:
    lane, _ = lane_and_writer()
    await put(lane, 3)
    for _ in range(2):
        lane.on_ping()
        lane.on_pong()
    lane.on_lost()
    assert lane.doubts() == {}
