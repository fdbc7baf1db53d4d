"""The board: each subscription's quality over time, from pool, sessions, calendar and pace."""

from __future__ import annotations

from bridge.subscriptions.quality import Quality
from tests.unit.subscriptions.quality_world import World, quote, topic_of, trade

SAMSUNG, HYNIX, NAVER, THIN = (trade(key) for key in ("005930", "000660", "035420", "000020"))
LIVE, STALE, CLOSED = Quality.LIVE, Quality.STALE, Quality.CLOSED


def test_nothing_is_live_before_kis_has_confirmed_it() -> None:
    world = World()
    world.hold(SAMSUNG)
    world.sweep()
    assert world.of(SAMSUNG).reason == "session app1 is away"
    world.feeds["app1"].answers = False
    world.feeds["app1"].connect()
    world.run(2)
    assert (world.quality(SAMSUNG), world.of(SAMSUNG).reason) == (
        STALE,
        "KIS has not confirmed it yet",
    )


def test_a_confirmed_subscription_is_live_before_its_first_record() -> None:
    world = World()
    world.hold(THIN)
    world.feeds["app1"].connect()
    world.run(2)
    found = world.of(THIN)
    assert (found.quality, found.reason, found.last_at) == (LIVE, "no record yet", None)
    assert found.source == "session:app1"
    world.run(1, THIN)
    assert (world.quality(THIN), world.of(THIN).reason) == (LIVE, "")
    assert world.of(THIN).last_at == world.micros


def test_a_lively_quote_is_stale_after_seconds_and_a_sleepy_trade_is_not() -> None:
    world = World()
    lively = quote("005930")
    world.hold(lively, THIN)
    world.feeds["app1"].connect()
    for _ in range(10):
        world.run(60, lively)
        world.record(THIN)
    world.run(5)
    assert world.quality(lively) is LIVE
    world.run(2)
    assert world.quality(lively) is STALE
    world.run(120)
    assert world.quality(THIN) is LIVE
    assert world.of(lively).since < world.micros - 100_000_000
    world.run(1, lively)
    assert world.quality(lively) is LIVE


def test_one_dead_subscription_beside_live_ones_is_seen() -> None:
    world = World()
    world.hold(SAMSUNG, HYNIX, NAVER)
    world.feeds["app1"].connect()
    world.run(600, SAMSUNG, HYNIX, NAVER)
    world.run(12, SAMSUNG, HYNIX)
    qualities = [world.quality(one) for one in (SAMSUNG, HYNIX, NAVER)]
    assert qualities == [LIVE, LIVE, STALE]


def test_a_session_that_brings_nothing_any_more_takes_its_sleepy_symbols_with_it() -> None:
    world = World()
    world.hold(SAMSUNG, HYNIX, NAVER, THIN)
    world.feeds["app1"].connect()
    world.run(600, SAMSUNG, HYNIX, NAVER)
    world.record(THIN)
    world.run(7)
    assert {world.quality(one) for one in (SAMSUNG, HYNIX, NAVER, THIN)} == {STALE}
    assert world.of(THIN).reason == "session app1 brings no market data any more"


def test_a_session_without_pingpong_is_dead_for_all_of_its_symbols() -> None:
    world = World()
    world.hold(THIN)
    world.feeds["app1"].connect()
    world.run(30)
    assert world.quality(THIN) is LIVE
    world.run(11, ping=False)
    assert (world.quality(THIN), world.of(THIN).reason) == (
        STALE,
        "session app1 says nothing any more",
    )


def test_a_lost_session_is_told_once_and_live_again_once() -> None:
    world = World()
    wanted = [trade(f"{n:06}") for n in range(41)]
    world.hold(*wanted)
    feed = world.feeds["app1"]
    feed.connect()
    world.run(3, *wanted)
    assert world.board.counts() == {"live": 41}
    world.board.changed.clear()
    feed.lose()
    world.run(5)
    assert world.board.counts() == {"stale": 41}
    assert len(world.board.changed) == 41
    world.board.changed.clear()
    world.run(5)
    assert not world.board.changed, "nothing is told while nothing changes"
    feed.connect()
    world.run(1)
    assert world.of(wanted[0]).reason == "no record yet"


def test_a_session_that_is_lost_and_back_between_two_looks_has_to_bring_a_record_again() -> None:
    world = World()
    world.hold(SAMSUNG)
    feed = world.feeds["app1"]
    feed.connect()
    world.run(300, SAMSUNG)
    assert world.quality(SAMSUNG) is LIVE
    feed.lose()
    feed.connect()
    world.run(1)
    assert world.of(SAMSUNG).reason == "no record since it was confirmed"
    world.run(1, SAMSUNG)
    assert world.quality(SAMSUNG) is LIVE


def test_a_closed_market_is_closed_whatever_its_session_does() -> None:
    world = World("2026-11-23 20:00:10")
    world.hold(SAMSUNG)
    world.sweep()
    assert world.quality(SAMSUNG) is CLOSED
    world.feeds["app1"].connect()
    world.run(2)
    assert world.quality(SAMSUNG) is CLOSED


def test_the_close_is_seen_at_once() -> None:
    world = World("2026-11-23 19:59:30")
    world.hold(SAMSUNG)
    world.feeds["app1"].connect()
    world.run(29, SAMSUNG)
    assert world.quality(SAMSUNG) is LIVE
    world.run(2, SAMSUNG)
    assert world.quality(SAMSUNG) is CLOSED


def test_what_goes_on_coming_is_live_whatever_the_calendar_says() -> None:
    world = World("2026-11-22 11:00")  # a Sunday
    world.hold(SAMSUNG)
    world.feeds["app1"].connect()
    world.run(2, SAMSUNG)
    assert world.quality(SAMSUNG) is LIVE
    world.run(700)
    assert world.quality(SAMSUNG) is CLOSED


def test_the_quiet_of_an_auction_is_no_fault() -> None:
    world = World("2026-11-23 15:10")
    world.hold(SAMSUNG, HYNIX, NAVER)
    world.feeds["app1"].connect()
    world.run(600, SAMSUNG, HYNIX, NAVER)  # until the closing auction, in which nothing trades
    world.run(590)
    assert world.board.counts() == {"live": 3}


def test_after_a_pause_of_the_process_nothing_is_live_until_kis_is_heard_again() -> None:
    world = World()
    world.hold(SAMSUNG, THIN)
    world.feeds["app1"].connect()
    world.run(300, SAMSUNG, THIN)
    world.pass_time(8)
    world.record(SAMSUNG)  # it waited in the socket
    world.sweep()
    assert {world.of(one).reason for one in (SAMSUNG, THIN)} == {"the bridge stood still"}
    world.run(1)
    assert world.quality(THIN) is LIVE


def test_what_kis_refuses_is_refused_until_it_is_granted() -> None:
    world = World()
    feed = world.feeds["app1"]
    feed.answers = False
    world.hold(SAMSUNG)
    feed.connect()
    world.sweep()
    feed.say(
        '{"header":{"tr_id":"H0STCNT0","tr_key":"005930"},'
        '"body":{"rt_cd":"1","msg_cd":"OPSP8992","msg1":""}}'
    )
    world.sweep()
    assert world.quality(SAMSUNG) is Quality.REFUSED
    assert world.of(SAMSUNG).reason == "KIS refuses it: OPSP8992, unknown key"


def test_what_waits_for_a_slot_is_stale_and_says_why() -> None:
    world = World(slots=1)
    world.hold(SAMSUNG, HYNIX)
    world.feeds["app1"].connect()
    world.run(2)
    assert (world.quality(HYNIX), world.of(HYNIX).reason) == (STALE, "it waits for a slot")
    assert world.of(HYNIX).source == ""


def test_two_keys_of_one_topic_have_the_better_quality() -> None:
    world = World("2026-11-23 23:40", slots=1)
    keys = [
        SAMSUNG._replace(tr_id="HDFSCNT0", key=key, channel="HDFSCNT0")
        for key in ("DNASAAPL", "RNASAAPL")
    ]
    world.hold(*keys)
    world.feeds["app1"].connect()
    world.run(2)
    [(topic, graded)] = world.board.items()
    assert topic == "kis/market/overseas_stock/nas/trade/AAPL"
    assert graded.quality is LIVE
    world.pool.release(keys[:1], "configuration")
    world.run(2)
    assert world.board.counts() == {"live": 1}


def test_what_nobody_wants_any_more_leaves_the_board() -> None:
    world = World()
    world.hold(SAMSUNG)
    world.feeds["app1"].connect()
    world.run(2)
    world.board.changed.clear()
    world.pool.release([SAMSUNG], "configuration")
    world.run(1)
    assert world.board.of(topic_of(SAMSUNG)) is None
    assert list(world.board.changed) == [topic_of(SAMSUNG)]


def test_the_gap_of_a_mute_session_begins_with_the_last_record_of_each_subscription() -> None:
    world = World()
    world.hold(SAMSUNG, THIN)
    feed = world.feeds["app1"]
    feed.connect()
    world.run(10, SAMSUNG, THIN)
    thin_at = world.micros
    world.run(100, SAMSUNG)
    samsung_at = world.micros
    world.run(60)
    feed.lose("mute")
    feed.connect()
    world.run(1)
    gaps = {gap.wanted: gap for gap in world.pool.gaps.take()}
    assert (gaps[SAMSUNG].since, gaps[THIN].since) == (samsung_at, thin_at)
    assert gaps[SAMSUNG].reason == "mute"


def test_the_gap_of_any_other_loss_begins_when_the_session_was_last_heard() -> None:
    world = World()
    world.hold(SAMSUNG, THIN)
    feed = world.feeds["app1"]
    feed.connect()
    world.run(10, SAMSUNG, THIN)
    world.run(100, SAMSUNG)
    heard_at = world.micros
    world.pass_time(2)
    feed.lose()
    feed.connect()
    world.run(1)
    assert {gap.since for gap in world.pool.gaps.take()} == {heard_at}


def test_what_was_stale_before_its_session_was_lost_misses_all_since_its_last_record() -> None:
    world = World()
    world.hold(SAMSUNG, HYNIX, NAVER)
    feed = world.feeds["app1"]
    feed.connect()
    world.run(600, SAMSUNG, HYNIX, NAVER)
    naver_at = world.micros
    world.run(60, SAMSUNG, HYNIX)
    feed.lose()
    feed.connect()
    world.run(1)
    assert {gap.wanted: gap.since for gap in world.pool.gaps.take()}[NAVER] == naver_at


def test_the_first_minute_of_trading_is_not_closed() -> None:
    world = World("2026-11-23 08:59:00")
    world.hold(SAMSUNG, THIN)
    world.feeds["app1"].connect()
    world.run(58)
    for _ in range(90):
        world.run(1, SAMSUNG)
        assert world.board.counts() == {"live": 2}


def test_a_lunch_break_is_closed() -> None:
    world = World("2026-11-23 12:59:00")  # 11:59 in Hong Kong
    tencent = SAMSUNG._replace(tr_id="HDFSCNT0", key="DHKS00700", channel="HDFSCNT0")
    world.hold(tencent)
    world.feeds["app1"].connect()
    world.run(30)
    assert world.board.counts() == {"live": 1}
    world.run(32)
    assert world.board.counts() == {"closed": 1}
    world.pass_time(3590)
    world.run(12)
    assert world.board.counts() == {"live": 1}
