from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.runtime.clock import SEOUL
from bridge.simulator.exchange import listings, ticks
from bridge.simulator.history.bars import Bar, joined
from bridge.simulator.history.history import History
from bridge.simulator.history.instruments import Family, family_of

TODAY = date(2026, 11, 30)
CALENDAR = Calendar(load().hours)
SYMBOLS: tuple[tuple[Family, str, str], ...] = (
    ("domestic_stock", "005930", ""),
    ("domestic_stock", "900001", ""),
    ("domestic_index", "0001", ""),
    ("domestic_derivative", "101W09", ""),
    ("domestic_bond", "KR2033022D33", ""),
    ("overseas_stock", "AAPL", "nas"),
    ("overseas_stock", "00700", "hks"),
    ("overseas_index", ".DJI", ""),
    ("overseas_derivative", "ESZ26", ""),
)
symbols = st.sampled_from(SYMBOLS)
days = st.dates(date(2025, 1, 1), TODAY)


def history(seed: int = 1, end: date = TODAY) -> History:
    return History(CALENDAR, seed=seed, began=datetime.combine(end, time(22), SEOUL))


KEPT = history()


def figures(bar: Bar) -> tuple[object, ...]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume, bar.value


@given(symbols, days)
def test_minutes_add_up_to_their_day_exactly(what: tuple[Family, str, str], day: date) -> None:
    bar = KEPT.day(*what[:2], day, what[2])
    minutes = KEPT.minutes(*what[:2], day, what[2])
    if bar is None:
        assert minutes == ()
        return
    assert figures(joined(minutes)) == figures(bar)
    times = KEPT.instrument(*what[:2]).multiplier
    for one in minutes:
        assert one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high
        assert one.low * one.volume * times <= one.value <= one.high * one.volume * times
        assert one.volume > 0
    assert all(first.start < second.start for first, second in pairwise(minutes))


@pytest.mark.parametrize(("market", "symbol", "venue"), SYMBOLS)
def test_days_add_up_to_longer_bars(market: Family, symbol: str, venue: str) -> None:
    days = KEPT.bars(market, symbol, "day", TODAY, 280, venue=venue)
    longer = [
        *KEPT.bars(market, symbol, "week", TODAY, 30, venue=venue),
        *KEPT.bars(market, symbol, "month", TODAY, 5, venue=venue),
        *KEPT.bars(market, symbol, "year", TODAY, 1, venue=venue),
    ]
    assert len(longer) == 36
    for bar in longer:
        parts = [one for one in reversed(days) if bar.day <= one.day <= bar.last]
        assert figures(joined(parts)) == figures(bar)


@given(st.sampled_from(["005930", "000660", "123450", "001230", "Q500001"]), days)
def test_a_stock_keeps_the_grid_and_the_limits_of_its_exchange(symbol: str, day: date) -> None:
    newer, older = KEPT.bars("domestic_stock", symbol, "day", day, 2)
    lower, upper = ticks.limits(int(older.close))
    assert lower <= newer.low <= newer.high <= upper
    for price in (newer.open, newer.high, newer.low, newer.close):
        assert ticks.on_grid(int(price))


def test_yesterdays_close_and_volume_are_what_the_exchange_lists() -> None:
    for symbol in (*listings.KNOWN, "123450", "Q500001"):
        listed = listings.listing(symbol, 1)
        yesterday = KEPT.bars("domestic_stock", symbol, "day", TODAY, 1)[0]
        assert int(yesterday.close) == listed.base
        assert yesterday.volume == listed.previous_volume


@given(symbols)
def test_the_last_close_is_the_base_of_every_symbol(what: tuple[Family, str, str]) -> None:
    market, symbol, venue = what
    assert KEPT.bars(market, symbol, "day", TODAY, 1, venue=venue)[0].close == KEPT.base(
        market, symbol
    )


def test_days_are_those_on_which_the_market_of_a_symbol_trades() -> None:
    korea = [bar.day for bar in KEPT.bars("domestic_stock", "005930", "day", TODAY, 60)]
    states = [bar.day for bar in KEPT.bars("overseas_stock", "AAPL", "day", TODAY, 60)]
    assert date(2026, 9, 25) not in korea  # the harvest moon
    assert date(2026, 9, 25) in states
    assert date(2026, 11, 26) not in states  # Thanksgiving
    assert date(2026, 11, 26) in korea
    assert all(day.weekday() < 5 for day in korea + states)


def test_a_short_day_has_fewer_minutes() -> None:
    full = KEPT.minutes("overseas_stock", "AAPL", date(2026, 11, 25))
    after_thanksgiving = KEPT.minutes("overseas_stock", "AAPL", date(2026, 11, 27))
    assert (len(full), len(after_thanksgiving)) == (390, 210)


def test_the_same_seed_gives_the_same_bars_whatever_was_asked_before() -> None:
    one, other = history(), history()
    other.bars("domestic_stock", "005930", "year", TODAY, 20)
    other.minutes("domestic_stock", "005930", date(2026, 3, 3))
    asked = ("domestic_stock", "005930", "minute", TODAY, 500)
    assert one.bars(*asked) == other.bars(*asked)  # type: ignore[arg-type]
    assert history(2).bars(*asked) != one.bars(*asked)  # type: ignore[arg-type]


def test_a_simulator_that_starts_later_draws_the_same_chart_moved_to_its_base() -> None:
    """Each day's change belongs to its date, up to the rounding to ticks."""
    day, later = date(2026, 6, 10), history(end=TODAY + timedelta(days=30))
    pairs = [one.bars("overseas_stock", "MSFT", "day", day, 2) for one in (KEPT, later)]
    changes = [new.close / old.close for new, old in pairs]
    assert changes[0] == pytest.approx(changes[1], abs=Decimal("0.0002"))
    assert pairs[0][0].volume == pytest.approx(pairs[1][0].volume, rel=0.01)


def test_there_is_no_history_of_today_nor_before_the_first_year() -> None:
    assert KEPT.day("domestic_stock", "005930", TODAY) is None
    assert KEPT.bars("domestic_stock", "005930", "day", date(1999, 1, 4)) == []
    assert KEPT.bars("domestic_derivative", "101W09", "year", TODAY, 50)[-1].day.year == 2024


def test_minutes_go_back_over_the_days_before() -> None:
    zone = KEPT.instrument("domestic_stock", "005930").zone
    until = datetime(2026, 11, 27, 9, 1, 30, tzinfo=zone)
    found = KEPT.bars("domestic_stock", "005930", "minute", until, 4)
    assert [f"{bar.start:%m%d %H%M}" for bar in found] == [
        "1127 0901",
        "1127 0900",
        "1126 1530",
        "1126 1519",
    ]


def test_memory_is_bounded_whatever_is_asked_for() -> None:
    asked = history()
    for number in range(40):
        asked.minutes("overseas_stock", f"X{number}", TODAY - timedelta(days=3))
    for number in range(300):
        asked.day("overseas_stock", f"Y{number}", TODAY - timedelta(days=3))
    assert len(asked._past) <= 256
    assert len(asked._minutes) <= 32


@pytest.mark.parametrize(
    ("symbol", "family"),
    [
        ("AAPL", "overseas_stock"),
        ("BRK/B", "overseas_stock"),
        ("00700", "overseas_stock"),
        ("600519", "overseas_stock"),
        ("7203", "overseas_stock"),
        ("101W09", "domestic_derivative"),
        ("A01609", "domestic_derivative"),
        ("201W09330", "domestic_derivative"),
        ("KR2033022D33", "domestic_bond"),
        ("ESZ26", "overseas_derivative"),
        ("6EZ26", "overseas_derivative"),
        ("OESH23 C3900", "overseas_derivative"),
    ],
)
def test_a_symbol_without_a_book_tells_its_market_by_its_look(symbol: str, family: Family) -> None:
    assert family_of(symbol) == family
