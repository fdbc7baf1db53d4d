"""Upkeep: trading days, open orders, what survives a restart."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.feed.lane import Lane
from bridge.kis.events import Lost, Subscribed
from bridge.kis.replies import KisRefusedError, Reply
from bridge.kis.session import Session
from bridge.kis.stream import Stream, StreamCounts
from bridge.mqtt.topics import Topics
from bridge.subscriptions.interest import CONFIGURATION, ORDERS
from bridge.subscriptions.reports import Reports
from bridge.subscriptions.request import ByChannel, resolve
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.upkeep import Symbol, Upkeep

CATALOG = load()
NOW = datetime(2026, 11, 20, 10, tzinfo=ZoneInfo("Asia/Seoul")).timestamp()
TRADE = resolve(CATALOG, ByChannel("H0STCNT0", "005930"), paper=False)
OVERSEAS = resolve(CATALOG, ByChannel("HDFSCNT0", "DNASAAPL"), paper=False)


class Feed:
    def __init__(self) -> None:
        self.session = Session(notices=frozenset())
        self.counts = StreamCounts()
        self.state = "connected"
        self.limits: tuple[float, float | None] = (0, None)

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None:
        self.session.subscribe(tr_id, key, 0, priority)

    def unsubscribe(self, tr_id: str, key: str) -> None:
        self.session.unsubscribe(tr_id, key, 0)

    def delivers(self, tr_id: str, key: str) -> None:
        self.session.delivers(tr_id, key)

    def allow(self, limit: int) -> None:
        self.session.allow(limit)

    def expect(self, silence_s: float, mute_s: float | None) -> None:
        self.limits = (silence_s, mute_s)


class Told:
    """Reports, noted."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **_: self.said.append((name, args))


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.orders: set[Symbol] = set()
        self.told = Told()
        self.feed = Feed()
        self.lane = Lane({})

    def upkeep(self, calendar: Calendar | None = None) -> Upkeep:
        return Upkeep(
            CATALOG,
            Topics(),
            {"app1": cast("Stream", self.feed)},
            self.lane,
            cast("Reports", self.told),
            SubscriptionStore(self.folder),
            paper=False,
            calendar=calendar,
            open_orders=lambda: self.orders,
            clock=lambda: self.now,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_trading_days_are_learned_once_a_day_and_kept(world: World) -> None:
    asked = []

    async def call(api: str, params: Mapping[str, str]) -> Reply:
        asked.append((api, params["BASS_DT"]))
        rows: list[Any] = [
            {"bass_dt": "20261120", "opnd_yn": "Y"},
            {"bass_dt": "20261123", "opnd_yn": "N"},
            {"bass_dt": "x", "opnd_yn": "Y"},
            None,
        ]
        return Reply("0", "", "", {"output": rows})

    shared = Calendar(CATALOG.hours)
    upkeep = world.upkeep(shared)
    await upkeep.learn_trading_days(call)
    os.utime(world.folder / "trading-days.json", (NOW, NOW))
    await upkeep.learn_trading_days(call)
    assert asked == [("domestic_stock/chk_holiday", "20261120")]
    os.utime(world.folder / "trading-days.json", (NOW - 86_400, NOW - 86_400))
    await upkeep.learn_trading_days(call)
    assert len(asked) == 2
    assert not shared.trades("KRX", date(2026, 11, 23)), "orders ask the same calendar"
    assert not world.upkeep().calendar.trades("KRX", date(2026, 11, 23)), "from the file"


async def test_without_an_answer_the_library_knows(world: World) -> None:
    async def call(api: str, params: Mapping[str, str]) -> Reply:
        raise KisRefusedError("no")

    upkeep = world.upkeep()
    await upkeep.learn_trading_days(call)
    assert upkeep.calendar.trades("KRX", date(2026, 11, 23))
    assert not upkeep.calendar.trades("KRX", date(2026, 12, 25))


def test_open_orders_are_followed_before_everything_else(world: World) -> None:
    upkeep = world.upkeep()
    world.orders = {("domestic_stock", "krx", "005930"), ("domestic_stock", "mars", "X")}
    upkeep.tick()
    assert upkeep.pool.interests.holders(TRADE) == [ORDERS]
    assert upkeep.pool.interests.priority(TRADE) == -1
    world.orders = set()
    upkeep.tick()
    assert TRADE not in upkeep.pool.interests


def test_what_clients_wished_survives_a_restart(world: World) -> None:
    upkeep = world.upkeep()
    upkeep.pool.hold([TRADE], CONFIGURATION)
    upkeep.pool.hold([TRADE], "alice", 3)
    upkeep.pool.hold([OVERSEAS], "bob", 3, lease_s=60)
    upkeep.save()
    again = World(world.folder).upkeep()
    assert again.restore() == 2
    assert again.pool.interests.holders(TRADE) == ["alice"]
    late = World(world.folder)
    late.now += 61
    assert late.upkeep().restore() == 1


def test_much_is_written_down_by_a_thread_and_not_for_each_change(world: World) -> None:
    upkeep = world.upkeep()
    wrote: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def write(name: str, text: str) -> None:
        if name == "subscriptions.json":
            wrote.append(text)
            inside.set()
            assert go_on.wait(20)

    upkeep._store.write = write  # type: ignore[method-assign]
    upkeep.pool.hold([TRADE], "alice")
    upkeep.tick()
    assert inside.wait(20), "at once, and the tick has not waited for it"
    for _ in range(100):
        upkeep.pool.hold([OVERSEAS], "bob")
        upkeep.tick()
    assert len(wrote) == 1
    go_on.set()
    upkeep.save()
    assert len(wrote) == 2
    assert "bob" not in wrote[0]
    assert "bob" in wrote[1]


def test_what_is_beyond_a_quota_does_not_come_back_and_that_is_said(world: World) -> None:
    upkeep = world.upkeep()
    for number in range(1010):
        # As a bridge without quotas, or with a larger one, has written it down.
        upkeep.pool.interests.hold(TRADE._replace(key=f"{number:06d}"), "bob")
    upkeep.save()
    with capture_logs() as logs:
        assert World(world.folder).upkeep().restore() == 1000
    [line] = [line for line in logs if line["event"].startswith("subscriptions beyond")]
    assert (line["count"], line["most_of"]) == (10, "bob")


def test_a_damaged_file_costs_nothing_but_its_content(world: World) -> None:
    (world.folder / "subscriptions.json").write_text("{")
    with capture_logs() as logs:
        assert world.upkeep().restore() == 0
    assert logs[0]["event"].startswith("subscriptions ignored")


def test_gaps_are_told_by_topic(world: World) -> None:
    upkeep = world.upkeep()
    upkeep.pool.gaps.open(OVERSEAS, 1, "silent")
    upkeep.pool.gaps.close(OVERSEAS, 2)
    upkeep.tick()
    [([(gap, topic)],)] = [said for name, said in world.told.said if name == "gaps"]
    assert (gap.since, gap.until, topic) == (1, 2, "kis/market/overseas_stock/nas/trade/AAPL")


def test_a_mute_session_is_given_more_time_the_next_time(world: World) -> None:
    upkeep = world.upkeep()
    upkeep.calendar.known = {date(2026, 11, 20): True}
    upkeep.pool.hold([TRADE], CONFIGURATION)
    subscribed = Subscribed(TRADE.tr_id, TRADE.key)
    upkeep.happened("app1", subscribed)
    upkeep.tick()
    assert world.feed.limits == (120, 300)
    upkeep.happened("app1", Lost("mute", 0.5))
    upkeep.happened("app1", subscribed)
    upkeep.tick()
    assert world.feed.limits == (120, 600)
    world.feed.counts.frames += 1
    upkeep.tick()
    assert world.feed.limits == (120, 300)
    world.now += 12 * 3600
    upkeep.tick()
    assert world.feed.limits == (120, None)
