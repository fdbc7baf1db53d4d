"""How old records were when they left: by the minute, with what waited and what stood still."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from bridge.feed import lane as lanes
from bridge.feed.ages import Ages
from tests.unit.feed.test_lane import TRADES, FakeWriter, lane_and_writer

SECOND = 1_000_000


def test_the_quantiles_are_those_of_the_records_within_a_fifth() -> None:
    draw = random.Random(1)  # noqa: S311
    ages, drawn = Ages(), sorted(round(draw.lognormvariate(8, 2)) for _ in range(5000))
    for age in drawn:
        ages.add(age, 1, 0)
    for share in (0.5, 0.9, 0.99):
        (told,) = ages.quantiles(0, share)
        assert told is not None
        right = drawn[int(share * len(drawn))]
        assert right <= told <= max(50, 1.21 * right)
    assert ages.quantiles(0, 1.0) == [drawn[-1]]


def test_a_write_of_many_records_weighs_as_much() -> None:
    ages = Ages()
    ages.add(100, 98, 0)
    ages.add(5 * SECOND, 2, 0)
    p50, p99 = ages.quantiles(0, 0.5, 0.99)
    assert p50 is not None
    assert p50 < 150
    assert p99 == 5 * SECOND


def test_after_a_minute_all_is_forgotten() -> None:
    ages = Ages()
    ages.add(5 * SECOND, 1, 0)
    for second in range(0, 60, 5):
        assert ages.quantiles(second * SECOND, 1.0) == [5 * SECOND]
    assert ages.quantiles(60 * SECOND, 1.0) == [None]


def test_nothing_is_told_of_nothing() -> None:
    assert Ages().quantiles(0, 0.5, 1.0) == [None, None]


def test_an_age_without_end_has_a_bucket_too() -> None:
    ages = Ages()
    ages.add(10**12, 1, 0)
    assert ages.quantiles(0, 1.0) == [10**12]
    assert ages.quantiles(0, 0.5) != [None]


class Time:
    """Both clocks of the lane."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000 * SECOND
        monkeypatch.setattr(lanes, "steady_us", lambda: self.now)
        monkeypatch.setattr(lanes, "now_us", lambda: self.now)

    def oldest(self, lane: lanes.Lane) -> float:
        (longest,) = lane.ages.quantiles(self.now, 1.0)
        return (longest or 0) / SECOND


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


async def put(lane: lanes.Lane, clock: Time) -> None:
    lane.arrived(clock.now)
    lane.put(TRADES, b'{"received_at":%d}' % clock.now)
    await asyncio.sleep(0)


async def test_what_was_read_after_a_freeze_may_be_as_old_as_it(clock: Time) -> None:
    lane, _ = lane_and_writer()
    lane.beat()
    await put(lane, clock)
    assert clock.oldest(lane) == 0
    clock.now += 5 * SECOND  # the process is stopped; the system takes what comes
    lane.beat()
    for _ in range(20):
        clock.now += 100
        await put(lane, clock)
    assert 4.9 <= clock.oldest(lane) <= 5.5


async def test_a_loop_that_has_caught_up_adds_nothing(clock: Time) -> None:
    lane, _ = lane_and_writer()
    lane.beat()
    clock.now += 5 * SECOND
    lane.beat()
    for _ in range(600):
        clock.now += SECOND // 10
        await put(lane, clock)
        lane.beat()
    clock.now += SECOND // 10
    assert clock.oldest(lane) < 0.01


async def test_what_waited_counts_with_its_own_age(clock: Time) -> None:
    lane, writer = lane_and_writer()
    await put(lane, clock)
    writer.ready = False
    for _ in range(5):
        await put(lane, clock)
        clock.now += SECOND
    assert lane.waiting_us() == 5 * SECOND
    writer.ready = True
    lane.on_ready()
    assert clock.oldest(lane) == 5
    (p50,) = lane.ages.quantiles(clock.now, 0.5)
    assert p50 is not None
    assert 2 * SECOND <= p50 <= 3.6 * SECOND
    assert lane.waiting_us() is None


async def test_what_is_said_again_after_a_reconnect_is_not_late(clock: Time) -> None:
    lane, writer = lanes.Lane({}), FakeWriter()
    lane.attach(writer, lambda: [TRADES])
    TRADES.last = b'{"received_at":%d}' % (int(time.time() - 3600) * SECOND)
    lane.on_lost()
    lane.on_ready()
    assert len(writer.writes) == 1
    assert clock.oldest(lane) == 0
    TRADES.last = b""


async def test_what_a_broker_does_not_read_grows_old(clock: Time) -> None:
    lane, _ = lane_and_writer()
    await put(lane, clock)
    lane.on_ping()
    for _ in range(10):
        await put(lane, clock)
        clock.now += SECOND // 2
    assert lane.waiting_us() == 5 * SECOND
    lane.on_pong()
    assert clock.oldest(lane) == 5
    assert lane.waiting_us() is None


async def test_a_frame_without_a_record_makes_the_next_one_no_older(clock: Time) -> None:
    lane, _ = lane_and_writer()
    lane.arrived(clock.now)
    clock.now += 60 * SECOND
    await put(lane, clock)
    assert clock.oldest(lane) == 0
