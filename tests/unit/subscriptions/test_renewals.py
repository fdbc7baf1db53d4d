"""One dead subscription beside live ones: told, asked for anew, and no storm."""

from __future__ import annotations

from bridge.subscriptions.quality import Quality
from tests.unit.subscriptions.quality_world import World, topic_of, trade

SAMSUNG, HYNIX, NAVER = (trade(key) for key in ("005930", "000660", "035420"))


def world() -> World:
    made = World()
    made.hold(SAMSUNG, HYNIX, NAVER)
    made.feeds["app1"].connect()
    made.run(600, SAMSUNG, HYNIX, NAVER)
    made.feeds["app1"].asked.clear()
    return made


def test_the_dead_one_is_told_and_asked_for_anew() -> None:
    here = world()
    naver_at = here.micros
    here.run(20, SAMSUNG, HYNIX)
    assert [(row["key"], row["since"], row["app"]) for row in here.stale] == [
        ("035420", naver_at, "app1")
    ]
    assert here.feeds["app1"].asked == [("-", "035420"), ("+", "035420")]
    assert here.quality(NAVER) is Quality.STALE, "what KIS says is no record"
    here.run(1, SAMSUNG, HYNIX, NAVER)
    assert here.quality(NAVER) is Quality.LIVE
    [gap] = here.pool.gaps.take()
    assert (gap.wanted, gap.reason, gap.since, gap.until) == (
        NAVER,
        "stale",
        naver_at,
        here.micros,
    )


def test_one_that_stays_dead_is_asked_for_seldom() -> None:
    here = world()
    here.run(3600, SAMSUNG, HYNIX)
    assert here.feeds["app1"].asked == [("-", "035420"), ("+", "035420")] * 3
    assert len(here.stale) == 1


def test_several_dead_ones_are_asked_for_one_after_the_other() -> None:
    here = World()
    wanted = [trade(f"{n:06}") for n in range(20)]
    here.hold(*wanted)
    here.feeds["app1"].connect()
    here.run(600, *wanted)
    here.feeds["app1"].asked.clear()
    here.run(20, *wanted[8:])
    assert len(here.stale) == 8
    assert 2 <= len(here.feeds["app1"].asked) <= 6
    here.run(60, *wanted[8:])
    assert sorted(here.feeds["app1"].asked) == sorted(
        (sign, one.key) for one in wanted[:8] for sign in "+-"
    )


def test_when_all_are_silent_it_is_the_session_and_nobody_is_asked_anew() -> None:
    here = world()
    here.run(30)
    assert here.feeds["app1"].asked == []
    assert here.stale == []


def test_one_that_is_only_late_is_no_gap() -> None:
    here = world()
    for _ in range(3):
        here.run(9, SAMSUNG, HYNIX)
        here.run(1, SAMSUNG, HYNIX, NAVER)
    assert here.stale == []
    assert here.pool.gaps.take() == []


def test_a_session_that_is_lost_half_way_comes_back_with_all_of_them() -> None:
    here = world()
    feed = here.feeds["app1"]
    here.run(10, SAMSUNG, HYNIX)
    feed.answers = False
    here.run(2, SAMSUNG, HYNIX)
    assert ("-", "035420") in feed.asked
    feed.lose()
    feed.answers = True
    here.run(1)
    feed.connect()
    here.run(2)
    here.run(1, SAMSUNG, HYNIX, NAVER)
    assert here.board.counts() == {"live": 3}
    assert here.pool.live("app1") == [SAMSUNG, HYNIX, NAVER]


def test_one_that_nobody_wants_any_more_is_not_asked_for() -> None:
    here = world()
    here.run(11, SAMSUNG, HYNIX)
    assert here.stale
    here.pool.release([NAVER], "configuration")
    here.run(30, SAMSUNG, HYNIX)
    assert here.feeds["app1"].asked == [("-", "035420")]
    assert here.board.of(topic_of(NAVER)) is None
