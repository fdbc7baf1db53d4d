"""Forty and more kinds of faults, each with the quality that every subscription has then.

The simulated KIS and the bridge's market-data half run in virtual time. During each fault every
subscription has its quality within the time that is named, and nothing is ever live without data.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bridge.simulator.faults.plan import Fault
from tests.component.virtual_feed import QUICK, VirtualFeed, run

_MAINTENANCE = Fault("maintenance")
SYMBOLS = ("005930", "000660", "035420")
TRADES = tuple(f"domestic_stock/krx/trade/{symbol}" for symbol in SYMBOLS)
QUOTES = tuple(f"domestic_stock/krx/quote/{symbol}" for symbol in SYMBOLS)
ALL = (*TRADES, *QUOTES)
ONE = TRADES[0]
MORE = "domestic_stock/krx/trade/000270"

_WORLDS = 5
MOST_S = QUICK.kind("trade").most_s
TOLD_S = 3.0
"""What KIS, the line or the calendar tells is published within so long."""
SILENT_S = MOST_S + TOLD_S
"""The kind's limit, and the time for telling."""

Step = Callable[[VirtualFeed], Awaitable[None] | None]


def nothing(feed: VirtualFeed) -> None:
    """Do nothing."""


async def half_open(feed: VirtualFeed) -> None:
    """Let a line swallow everything until the bridge has given it up."""
    feed.strike("silence", for_s=60.0)
    await seconds(feed, 14.0)
    assert feed.streams["app1"].counts.reconnects >= 1


def every(quality: str) -> dict[str, str]:
    return dict.fromkeys(ALL, quality)


@dataclass(frozen=True)
class Row:
    """A fault; ``then`` is what every subscription is within ``within_s``, and stays for a while.

    ``live_s`` is when all are live after ``mend``; 0: they are not.
    """

    name: str
    strike: Step
    then: Mapping[str, str]
    within_s: float = TOLD_S
    mend: Step = nothing
    live_s: float = 10.0
    stays_s: int = 15
    why: str = ""
    """Part of the reason of those that are not live."""
    slots: int = 41
    alone: bool = False
    """It leaves something behind, such as that KIS is asked for one again only much later."""


def strikes(kind: str, *, cut: bool = False, **what: Any) -> Step:
    """Return what lets a fault of the simulator begin, and cuts the connections if ``cut``."""

    def strike(feed: VirtualFeed) -> None:
        feed.strike(kind, **what)
        if cut:
            feed.sim.drop_connections()

    return strike


def both(one: Step, other: Step) -> Step:
    def strike(feed: VirtualFeed) -> None:
        one(feed)
        other(feed)

    return strike


def calm(feed: VirtualFeed) -> None:
    feed.sim.faults.calm()


def cut(feed: VirtualFeed) -> None:
    feed.sim.drop_connections()


async def cut_and_closed(feed: VirtualFeed) -> None:
    cut(feed)
    await feed.close_port()


async def opened(feed: VirtualFeed) -> None:
    await feed.open_port()


def locked(feed: VirtualFeed) -> None:
    feed.sim.stream.injector.lock(feed.apps["app1"], 30.0)
    cut(feed)


def keyless(feed: VirtualFeed) -> None:
    feed.key_is_dead = True
    cut(feed)


def with_key(feed: VirtualFeed) -> None:
    feed.key_is_dead = False


def forgotten_keys(feed: VirtualFeed) -> None:
    feed.sim.keys.forget_approvals()
    cut(feed)


def politely_closed(feed: VirtualFeed) -> None:
    feed.sim.stream.injector._strike(_MAINTENANCE)


async def cut_again_and_again(feed: VirtualFeed) -> None:
    for _ in range(10):
        cut(feed)
        await asyncio.sleep(6)


def frozen(seconds: float) -> Step:
    return lambda feed: feed.loop.sleep_through(seconds)


def clock_set(seconds: float) -> Step:
    def strike(feed: VirtualFeed) -> None:
        feed.loop.wall_jump += seconds

    return strike


def crowded(feed: VirtualFeed) -> None:
    feed.hold(MORE, holder="orders", priority=-1)


def released(feed: VirtualFeed) -> None:
    feed.release(ONE)


def asked_again(feed: VirtualFeed) -> None:
    """Let nothing go wrong any more, and somebody want it who knows that it is mended."""
    calm(feed)
    feed.hold(*ALL, holder="alice")


def quotes_answered(code: str) -> Step:
    return strikes("answer", cut=True, chance=1.0, code=code, text="", tr_id="H0STASP0")


QUOTES_REFUSED = dict.fromkeys(TRADES, "live") | dict.fromkeys(QUOTES, "refused")
REFUSALS = (
    *("OPSP0009", "OPSP8991", "OPSP8992", "OPSP8993", "OPSP8994", "OPSP8995"),
    *("OPSP8997", "OPSP8998", "OPSP8999", "OPSP9990", "OPSP9993", "OPSP9994", "OPSP9995"),
    "OPSP4711",
)
LATER = QUOTES[2]

ROWS = (
    Row("nothing at all", nothing, every("live")),
    # sessions
    Row("the session is cut and comes back", cut, every("live"), 6.0),
    Row(
        *("the session is cut and KIS cannot be reached", cut_and_closed, every("stale")),
        mend=opened,
        why="session app1 is away",
    ),
    Row(
        *("maintenance", strikes("maintenance", for_s=30.0), every("stale")),
        mend=lambda feed: asyncio.sleep(20),
        why="session app1 is away",
    ),
    Row("a line that is half open", half_open, every("live"), 5.0),
    Row(
        *("the app key is in use elsewhere", locked, every("stale")),
        mend=lambda feed: asyncio.sleep(20),
        live_s=60.0,
    ),
    Row(
        *("no approval key is to be had", keyless, every("stale")),
        mend=with_key,
        why="session app1 is away",
    ),
    Row("the approval keys are forgotten", forgotten_keys, every("live"), 8.0),
    Row("the session is closed in good order", politely_closed, every("live"), 6.0),
    Row("KIS reads nothing any more", strikes("slow", for_s=30.0), every("live")),
    Row("the session lives for seconds only", cut_again_and_again, every("live"), 8.0),
    Row("tokens are revoked", lambda feed: feed.sim.keys.revoke_all(), every("live")),
    # slots
    Row(
        "KIS grants fewer slots",
        strikes("slots", cut=True, count=4),
        every("live") | {LATER: "stale", QUOTES[1]: "stale"},
        8.0,
        why="it waits for a slot",
        live_s=0.0,
    ),
    Row(
        "an open order takes a slot",
        crowded,
        every("live") | {LATER: "stale", MORE: "live"},
        6.0,
        why="it waits for a slot",
        mend=lambda feed: feed.release(MORE, holder="orders"),
        slots=6,
        alone=True,
    ),
    Row("one is not wanted any more", released, every("live") | {ONE: ""}, live_s=0.0),
    # silence
    Row(
        *("the session is mute", strikes("mute", for_s=40.0), every("stale"), SILENT_S),
        mend=lambda feed: asyncio.sleep(25),
        alone=True,
    ),
    Row(
        "a channel is mute",
        strikes("deaf", for_s=40.0, tr_id="H0STCNT0"),
        every("live") | dict.fromkeys(TRADES, "stale"),
        SILENT_S,
        why="its pace",
        mend=lambda feed: asyncio.sleep(25),
        alone=True,
    ),
    Row(
        "one subscription is mute",
        strikes("deaf", for_s=40.0, tr_id="H0STCNT0", key=SYMBOLS[0]),
        every("live") | {ONE: "stale"},
        SILENT_S,
        why="its pace",
        mend=lambda feed: asyncio.sleep(25),
        alone=True,
    ),
    Row(
        "KIS loses one registration",
        strikes("mislay", tr_id="H0STCNT0", key=SYMBOLS[0]),
        every("live") | {ONE: "stale"},
        SILENT_S,
        stays_s=0,
        live_s=12.0,
        alone=True,
    ),
    Row(
        # It is asked for one after the other, until all are there again.
        *("KIS loses all registrations", strikes("mislay"), {ONE: "stale"}, SILENT_S),
        stays_s=0,
        live_s=60.0,
        alone=True,
    ),
    Row("no PINGPONG comes but data", strikes("no_pingpong", for_s=60.0), every("live")),
    Row(
        "neither PINGPONG nor data comes",
        both(strikes("no_pingpong", for_s=30.0), strikes("mute", for_s=30.0)),
        every("stale"),
        SILENT_S,
        mend=lambda feed: asyncio.sleep(20),
        live_s=60.0,
    ),
    Row(
        "PINGPONG comes all the time",
        strikes("pingpong_storm", for_s=20.0, count=50),
        every("live"),
    ),
    # answers
    *(
        Row(
            f"quotes are refused with {code}",
            quotes_answered(code),
            QUOTES_REFUSED,
            8.0,
            mend=asked_again,
            why=code,
        )
        for code in REFUSALS
    ),
    Row(
        *("KIS stumbles over quotes", quotes_answered("OPSP0007"), QUOTES_REFUSED, 25.0),
        mend=asked_again,
        why="OPSP0007",
    ),
    Row(
        "there is no slot for quotes",
        quotes_answered("OPSP0008"),
        dict.fromkeys(TRADES, "live") | dict.fromkeys(QUOTES, "stale"),
        8.0,
        live_s=0.0,
    ),
    *(
        Row(
            f"quotes are answered with {code}",
            quotes_answered(code),
            every("stale"),
            mend=calm,
            live_s=200.0,
        )
        for code in ("OPSP8996", "OPSP0011", "OPSP0010")
    ),
    Row(
        *("answers are lost", strikes("no_answer", cut=True, chance=1.0), every("live"), 10.0),
        live_s=0.0,
    ),
    Row(
        "answers are lost and data too",
        both(strikes("deaf", for_s=60.0), strikes("no_answer", cut=True, chance=1.0)),
        every("stale"),
        why="KIS has not confirmed it yet",
        mend=calm,
        live_s=60.0,
    ),
    Row(
        *("answers are late", strikes("late_answer", cut=True, chance=1.0), every("live"), 8.0),
        mend=calm,
    ),
    Row(
        *("answers come twice", strikes("duplicate_answer", cut=True, chance=1.0)),
        *(every("live"), 8.0),
        mend=calm,
    ),
    # garbage
    *(
        Row(f"frames with {kind}", strikes(kind, chance=0.5), every("live"), mend=calm)
        for kind in ("append", "bad_utf8", "garbage", "unknown_tr")
    ),
    *(
        Row(
            f"no frame that can be read, for {kind}",
            strikes(kind, chance=1.0, count=30),
            every("stale"),
            SILENT_S,
            mend=calm,
        )
        for kind in ("missing", "wrong_count")
    ),
    Row(
        "one channel that cannot be read",
        strikes("missing", chance=1.0, count=30, tr_id="H0STASP0"),
        every("live") | dict.fromkeys(QUOTES, "stale"),
        SILENT_S,
        mend=calm,
        why="its pace",
        alone=True,
    ),
    Row(
        "frames that no client takes",
        strikes("oversized", chance=1.0, count=5_000_000),
        every("stale"),
        SILENT_S,
        mend=calm,
        live_s=20.0,
        stays_s=0,  # each new connection is live until its first frame
    ),
    # the bridge
    Row("the process stands still for a second", frozen(1.5), every("live")),
    Row(
        *("the process stands still for long", frozen(20.0), every("stale")),
        stays_s=0,
        why="the bridge stood still",
    ),
    Row("the clock is set forward", clock_set(1800.0), every("live")),
    Row("the clock is set back", clock_set(-1800.0), every("live")),
    # the calendar
    Row(
        "a holiday that KIS tells of",
        lambda feed: _holiday(feed),
        every("closed"),
        SILENT_S,
        live_s=0.0,
    ),
    Row(
        "data on a holiday",
        lambda feed: _holiday(feed, mute=False),
        every("live"),
        100.0,
        live_s=0.0,
    ),
)


def _holiday(feed: VirtualFeed, *, mute: bool = True) -> None:
    feed.upkeep.calendar.known = {date(2026, 11, 23): False}
    if mute:
        feed.strike("mute", for_s=600.0)


async def seconds(feed: VirtualFeed, count: float) -> None:
    """Let time pass; nothing is ever live without data."""
    end = feed.now + count
    while feed.now < end:
        await asyncio.sleep(min(0.5, end - feed.now))
        for topic in ALL:
            if feed.of(topic) == "live" and feed.why(topic) != "no record yet":
                age = feed.loop.wall() - feed.loop.wall_jump - feed.last_at(topic) / 1e6
                ages = [age, age + feed.loop.wall_jump]  # by the clock as it is, or as it was
                assert min(map(abs, ages)) <= SILENT_S, f"{topic} is live at {feed.now}"


def told(feed: VirtualFeed, topics: Iterable[str]) -> dict[str, str]:
    return {topic: feed.of(topic) for topic in topics}


async def until(feed: VirtualFeed, then: Mapping[str, str], within_s: float, what: str) -> None:
    end = feed.now + within_s
    while told(feed, then) != dict(then):
        assert feed.now < end, f"{what}: {[(t, feed.of(t), feed.why(t)) for t in then]}"
        await seconds(feed, 0.5)


async def suffer(feed: VirtualFeed, row: Row) -> None:
    """Let one fault begin, hold and end."""
    done = row.strike(feed)
    if inspect.isawaitable(done):
        await done
    if row.stays_s:
        await seconds(feed, row.within_s - TOLD_S)
    what = f"{row.name}, in time"
    await until(feed, row.then, TOLD_S if row.stays_s else row.within_s, what)
    for _ in range(row.stays_s):
        await seconds(feed, 1)
        assert told(feed, row.then) == dict(row.then), f"{row.name}, until {feed.now}"
    if row.why:
        bad = {topic for topic, quality in row.then.items() if quality not in ("live", "")}
        assert {feed.why(topic) for topic in bad if row.why not in feed.why(topic)} == set(), (
            row.name
        )
    done = row.mend(feed)
    if inspect.isawaitable(done):
        await done
    if row.live_s:
        await until(feed, every("live"), row.live_s, f"{row.name}, mended")
        await seconds(feed, 5)
        assert told(feed, ALL) == every("live"), f"{row.name}, after it"


def worlds() -> list[tuple[Row, ...]]:
    """Put faults that pass without a trace into worlds together: each takes a while to begin."""
    alone = [(row,) for row in ROWS if row.alone or not row.live_s]
    shared = [row for row in ROWS if (row,) not in alone]
    return [*alone, *(tuple(shared[n::_WORLDS]) for n in range(_WORLDS))]


@pytest.mark.parametrize("rows", worlds(), ids=lambda rows: rows[0].name.replace(" ", "_"))
def test_every_subscription_has_the_quality_that_a_fault_gives_it(
    rows: tuple[Row, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work(feed: VirtualFeed) -> None:
        feed.hold(*ALL)
        await until(feed, every("live"), 10, "at the start")
        await seconds(feed, 75)
        for row in rows:
            await suffer(feed, row)

    run(work, monkeypatch, tmp_path, slots=rows[0].slots)


def test_there_are_forty_kinds_of_faults_and_more() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 40


def test_the_close_and_the_opening_are_told_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def evening(feed: VirtualFeed) -> None:
        feed.hold(*ALL)
        await seconds(feed, 118)
        assert told(feed, ALL) == every("live")
        feed.strike("mute", for_s=600.0)
        await seconds(feed, 2 + TOLD_S)
        assert told(feed, ALL) == every("closed")
        before = [len(feed.heard(topic)) for topic in ALL]
        cut(feed)
        await seconds(feed, 10)
        assert told(feed, ALL) == every("closed"), "a session that is lost by night is no news"
        assert [len(feed.heard(topic)) for topic in ALL] == before

    async def morning(feed: VirtualFeed) -> None:
        feed.strike("mute", for_s=60.0)
        feed.hold(*ALL)
        await seconds(feed, 28)
        assert told(feed, ALL) == every("closed")
        await seconds(feed, 2 + TOLD_S)
        assert told(feed, ALL) == every("live")
        assert feed.why(ONE) == "no record yet"

    run(evening, monkeypatch, tmp_path, at="2026-11-23T19:58:00")
    run(morning, monkeypatch, tmp_path, at="2026-11-23T08:19:30")


def test_of_two_app_keys_the_lost_one_takes_only_its_own_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work(feed: VirtualFeed) -> None:
        feed.hold(*ALL)
        await seconds(feed, 75)
        assert told(feed, ALL) == every("live")
        places = {topic: feed.source(topic) for topic in ALL}
        lost = {topic for topic, source in places.items() if source == "session:app1"}
        assert len(lost) == 3
        feed.sim.stream.injector.lock(feed.apps["app1"], 300.0)
        feed.sim.stream.drop(feed.apps["app1"])
        feed.control.said.clear()
        await seconds(feed, 5)
        await until(feed, every("live"), 15, "the other one serves them")
        assert {feed.source(topic) for topic in ALL} == {"session:app2"}
        assert {topic for topic in ALL if feed.heard(topic)} == lost, "of the others nothing"

    run(work, monkeypatch, tmp_path, apps=("app1", "app2"))
