"""Candles of any trades equal those that a simple program makes of the same trades."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.candles import INTERVALS, Interval
from bridge.extensions.candles.series import Series
from bridge.extensions.candles.tally import Tally
from bridge.extensions.candles.trades import Moment

SEOUL = timezone(timedelta(hours=9))
NINE = int(datetime(2026, 11, 25, 9, 0, tzinfo=SEOUL).timestamp())
SECOND = 1_000_000
DAY = date(2026, 11, 25)


class Days:
    """One day from nine to half past three."""

    def __init__(self, *quiet: tuple[int, int]) -> None:
        self.quiet = quiet

    def span(self, day: date) -> tuple[int, int]:
        opens = NINE + (day - DAY).days * 86_400
        return opens, opens + 23_400

    def minutes(self, day: date) -> tuple[int, int] | None:
        opens, closes = self.span(day)
        return opens, closes + 60

    def is_quiet(self, since: float, until: float) -> bool:
        return any(begin <= since and until <= end for begin, end in self.quiet)


def moment(second: int, *, regular: bool = True) -> Moment:
    local = datetime.fromtimestamp(second, SEOUL)
    clock = local.hour * 3_600 + local.minute * 60 + local.second
    return Moment(second, clock, local.date(), regular)


def series(*intervals: Interval, live_at: int | None = NINE - 3_600, **more: Any) -> Series:
    made = Series(intervals, Days(), SEOUL, **more)
    if live_at is not None:
        made.covered(live_at * SECOND)
    return made


def trade(
    to: Series, second: int, price: str, quantity: str = "1", now: float | None = None
) -> bool:
    at = second if now is None else now
    tally = Tally.of(Decimal(price), Decimal(quantity), second)
    return to.add(moment(second), tally, int(at * SECOND))


def published(of: Series, now: float) -> list[tuple[str, str, bool, bool]]:
    """Return interval and time of the candles that are due, closed or not, complete or not."""
    return [
        (one.interval, one.text[11:19], one.closed, one.complete)
        for one, _ in of.turn(int(now * SECOND))
    ]


# an independent program


@dataclass(frozen=True)
class Sold:
    second: int
    price: Decimal
    quantity: Decimal


def simple_candles(trades: list[Sold], seconds: int) -> dict[int, tuple[Any, ...]]:
    """Return by start: open, high, low, close, volume, value, trades; of a list in arrival order.

    In another way than the bridge: all trades are there, sorted, and every figure is made anew.
    """
    groups = defaultdict(list)
    for sold in trades:
        wall = datetime.fromtimestamp(sold.second, SEOUL)
        midnight = wall.replace(hour=0, minute=0, second=0)
        number = int((wall - midnight).total_seconds()) // seconds
        groups[int(midnight.timestamp()) + number * seconds].append(sold)
    found = {}
    with localcontext() as context:
        context.prec = 500
        for start, group in groups.items():
            ordered = sorted(group, key=lambda sold: sold.second)  # stable: arrival decides a tie
            prices = [sold.price for sold in ordered]
            found[start] = (
                *(prices[0], max(prices), min(prices), prices[-1]),
                sum((sold.quantity for sold in ordered), Decimal(0)),
                sum((sold.price * sold.quantity for sold in ordered), Decimal(0)),
                len(ordered),
            )
    return found


PRICES = st.one_of(
    st.integers(1, 10**9).map(Decimal),
    st.decimals("-99999", "99999", places=4),
    st.integers(10**63, 10**64 - 1).map(lambda digits: Decimal(digits).scaleb(-32)),
)
QUANTITIES = st.one_of(st.integers(1, 10**9), st.integers(10**60, 10**64 - 1)).map(Decimal)
TRADES = st.lists(
    st.builds(Sold, st.integers(NINE - 90, NINE + 200), PRICES, QUANTITIES), max_size=40
)
MINUTES: tuple[Interval, ...] = ("1s", "5s", "1m", "3m", "1h")


@given(TRADES, st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_candles_of_any_trades_equal_those_of_a_simple_program(
    trades: list[Sold], pauses: list[int]
) -> None:
    made = series(*MINUTES)
    shown: dict[tuple[str, int], Any] = {}
    closings: dict[tuple[str, int], int] = defaultdict(int)
    now = float(NINE + 200)  # every one of them has happened; the oldest is late, and still taken
    merged: list[Sold] = []

    def turn() -> None:
        for candle, _ in made.turn(int(now * SECOND)):
            tally = candle.tally
            figures = (*tally.figures(), tally.value, tally.trades)
            assert not (closings[candle.interval, candle.start] and not candle.closed)
            closings[candle.interval, candle.start] += candle.closed
            shown[candle.interval, candle.start] = figures

    for sold, pause in zip(trades, pauses, strict=False):
        now += pause * 0.5
        # A candle of a second is kept for two minutes; what is older would not be taken.
        sold = Sold(max(sold.second, int(now) - 110), sold.price, sold.quantity)
        now = max(now, sold.second)
        merged.append(sold)
        made.add(
            moment(sold.second),
            Tally.of(sold.price, sold.quantity, sold.second),
            int(now * SECOND),
        )
        if pause:
            turn()
    now += 4_000
    turn()
    for interval in MINUTES:
        expected = simple_candles(merged, INTERVALS[interval])
        got = {start: figures for (name, start), figures in shown.items() if name == interval}
        assert got == expected
        assert all(closings[interval, start] for start in expected)


@given(TRADES)
def test_how_the_trades_are_cut_into_tallies_does_not_matter(trades: list[Sold]) -> None:
    one = series("1m", "1d")
    tallies: list[tuple[Moment, Tally]] = []
    for sold in trades:
        tally = Tally.of(sold.price, sold.quantity, sold.second)
        if tallies and tallies[-1][0].second == sold.second:
            tallies[-1][1].merge(tally)
        else:
            tallies.append((moment(sold.second), tally))
    now = (NINE + 200) * SECOND
    for when, tally in tallies:
        one.add(when, tally, now)
    other = series("1m", "1d")
    for sold in trades:
        other.add(moment(sold.second), Tally.of(sold.price, sold.quantity, sold.second), now)
    later = (NINE + 90_000) * SECOND
    assert [due.candle for due in one.turn(later)] == [due.candle for due in other.turn(later)]


# when candles are published


def test_an_open_candle_is_shown_when_it_has_changed_and_a_closed_one_once() -> None:
    made = series("1m")
    trade(made, NINE + 5, "100")
    assert published(made, NINE + 6) == [("1m", "09:00:00", False, True)]
    assert published(made, NINE + 7) == []
    trade(made, NINE + 50, "101")
    assert published(made, NINE + 51) == [("1m", "09:00:00", False, True)]
    assert published(made, NINE + 61.9) == []
    assert published(made, NINE + 62) == [("1m", "09:00:00", True, True)]
    assert published(made, NINE + 63) == []


def test_a_new_candle_is_not_shown_before_the_one_before_it_is_closed() -> None:
    made = series("1m")
    trade(made, NINE + 5, "100")
    trade(made, NINE + 60, "101")
    assert published(made, NINE + 61) == [("1m", "09:00:00", False, True)]
    assert published(made, NINE + 62) == [
        ("1m", "09:00:00", True, True),
        ("1m", "09:01:00", False, True),
    ]


def test_trades_within_two_seconds_after_the_end_are_in_the_candle_when_it_is_closed() -> None:
    made = series("1m")
    trade(made, NINE + 5, "100")
    trade(made, NINE + 59, "90", now=NINE + 61.5)
    [(candle, _)] = made.turn((NINE + 62) * SECOND)
    assert candle.closed
    assert (int(candle.tally.close), candle.tally.trades) == (90, 2)


def test_a_later_trade_corrects_the_closed_candle_which_then_is_not_the_newest() -> None:
    made = series("1m")
    trade(made, NINE + 5, "100")
    trade(made, NINE + 65, "101")
    made.turn((NINE + 62) * SECOND)
    trade(made, NINE + 59, "90", now=NINE + 66)
    [(candle, newest)] = made.turn((NINE + 66) * SECOND)
    assert (candle.start, int(candle.tally.close)) == (NINE, 90)
    assert candle.closed
    assert not newest


def test_a_trade_of_a_forgotten_candle_makes_no_new_one() -> None:
    made = series("1s", "1m")
    trade(made, NINE + 5, "100")
    made.turn((NINE + 62) * SECOND)
    made.turn((NINE + 1_000) * SECOND)
    assert made.is_empty
    assert not trade(made, NINE + 5, "90", now=NINE + 1_000)
    assert trade(made, NINE + 995, "90", now=NINE + 1_000)
    assert not trade(made, NINE - 90_000, "90", now=NINE + 1_000)


def test_delayed_prices_close_their_candles_as_much_later() -> None:
    made = series("1m")
    trade(made, NINE + 5, "100", now=NINE + 905)
    assert published(made, NINE + 906) == [("1m", "09:00:00", False, True)]
    trade(made, NINE + 59, "101", now=NINE + 959)
    assert published(made, NINE + 961) == [("1m", "09:00:00", False, True)]
    assert published(made, NINE + 962) == [("1m", "09:00:00", True, True)]


def test_the_day_holds_what_is_regular_and_closes_after_the_closing_auction() -> None:
    made = series("1d")
    made.add(moment(NINE - 600, regular=False), Tally.of(Decimal(1), Decimal(1), NINE - 600), 0)
    assert published(made, NINE) == []
    trade(made, NINE + 18, "272000", "200607")
    trade(made, NINE + 23_410, "272500", "10")
    assert published(made, NINE + 23_999) == [("1d", "00:00:00", False, True)]
    assert published(made, NINE + 24_000) == [("1d", "00:00:00", True, True)]


# what is complete


def test_the_candle_in_which_the_bridge_began_is_incomplete_and_the_next_one_is_not() -> None:
    made = series("1m", live_at=NINE + 30)
    trade(made, NINE + 40, "100")
    trade(made, NINE + 70, "100")
    assert published(made, NINE + 62) == [
        ("1m", "09:00:00", True, False),
        ("1m", "09:01:00", False, True),
    ]


def test_a_gap_makes_every_candle_incomplete_into_which_it_fell_also_closed_ones() -> None:
    made = series("1m", "5m")
    for minute in range(4):
        trade(made, NINE + 60 * minute, "100")
    assert len(published(made, NINE + 200)) == 5
    made.lose((NINE + 59) * SECOND, (NINE + 61) * SECOND)
    assert published(made, NINE + 201) == [
        ("1m", "09:00:00", True, False),
        ("1m", "09:01:00", True, False),
        ("5m", "09:00:00", False, False),
    ]
    made.lose((NINE + 59) * SECOND, (NINE + 61) * SECOND)
    assert published(made, NINE + 202) == [], "nobody is told twice"


def test_what_closes_while_nothing_is_delivered_is_incomplete() -> None:
    made = series("1m")
    trade(made, NINE + 5, "100")
    made.uncovered((NINE + 20) * SECOND)
    assert published(made, NINE + 62) == [("1m", "09:00:00", True, False)]
    made.covered((NINE + 100) * SECOND)
    trade(made, NINE + 110, "100")
    trade(made, NINE + 125, "100")
    assert published(made, NINE + 180) == [
        ("1m", "09:01:00", True, False),
        ("1m", "09:02:00", False, True),
    ]


def test_a_gap_while_nothing_is_traded_harms_nothing() -> None:
    made = series("1h")
    made._days = Days((0, NINE))
    made.lose((NINE - 1_000) * SECOND, NINE * SECOND)
    trade(made, NINE + 5, "100")
    assert published(made, NINE + 6) == [("1h", "09:00:00", False, True)]


def test_many_gaps_are_joined_and_none_is_forgotten() -> None:
    made = series("1d")
    for number in range(200):
        made.lose((NINE + number * 60) * SECOND, (NINE + number * 60 + 1) * SECOND)
    assert len(made._holes) == 64
    trade(made, NINE + 5, "100")
    assert published(made, NINE + 6) == [("1d", "00:00:00", False, False)]


# what KIS's chart tells


def chart(first: int, *rows: tuple[int, int, int, int, int]) -> dict[int, Tally]:
    """Return minutes from ``first`` on: open, high, low, close, volume."""
    found = {}
    for number, row in enumerate(rows):
        start = first + 60 * number
        opened, high, low, close, volume = map(Decimal, row)
        found[start] = Tally(opened, high, low, close, volume, None, None, start, start + 59)
    return found


def after_a_gap(*intervals: Interval) -> Series:
    """Return one that missed 09:00:30 to 09:02:10 and saw 09:03 whole."""
    made = series(*intervals, mends=True)
    trade(made, NINE + 5, "100", "7")
    made.uncovered((NINE + 30) * SECOND)
    made.covered((NINE + 130) * SECOND)
    trade(made, NINE + 150, "104", "2")
    trade(made, NINE + 190, "103", "3")
    for second in (70, 130, 190, 250):
        made.turn((NINE + second) * SECOND)
    return made


ROWS = (
    (100, 105, 99, 101, 50),
    (101, 106, 101, 106, 40),
    (106, 107, 102, 104, 30),
    (103, 103, 103, 103, 3),
)


def test_what_a_gap_took_is_mended_from_the_chart_also_minutes_of_which_nothing_came() -> None:
    made = after_a_gap("1m")
    assert made.missing((NINE + 250) * SECOND) == (NINE, NINE + 180)
    assert made.mend(chart(NINE, *ROWS), NINE, NINE + 240) == "mended"
    assert published(made, NINE + 251) == [
        ("1m", "09:00:00", True, True),
        ("1m", "09:01:00", True, True),
        ("1m", "09:02:00", True, True),
    ]
    assert made.missing((NINE + 252) * SECOND) is None


def test_longer_candles_are_mended_from_all_their_minutes_when_they_are_over() -> None:
    made = after_a_gap("5m")
    assert made.missing((NINE + 250) * SECOND) is None
    assert published(made, NINE + 302) == [("5m", "09:00:00", True, False)]
    assert made.missing((NINE + 305) * SECOND) == (NINE, NINE + 300)
    rows = (*ROWS, (103, 110, 103, 109, 1))
    assert made.mend(chart(NINE, *rows), NINE, NINE + 300) == "mended"
    [(candle, _)] = made.turn((NINE + 306) * SECOND)
    assert candle.complete
    assert [int(figure) for figure in candle.tally.figures()] == [100, 110, 99, 109, 124]
    assert (candle.tally.trades, candle.tally.value) == (None, None)


@pytest.mark.parametrize("row", [(103, 103, 103, 103, 4), (103, 103, 102, 103, 3)])
def test_a_chart_that_tells_something_else_of_a_minute_that_was_seen_is_not_taken(
    row: tuple[int, int, int, int, int],
) -> None:
    made = after_a_gap("1m")
    assert made.mend(chart(NINE, *ROWS[:3], row), NINE, NINE + 240) == "contradicted"
    assert published(made, NINE + 251) == []
    assert made.missing((NINE + 252) * SECOND) is None


def test_a_chart_of_which_no_minute_was_seen_is_asked_for_again() -> None:
    made = after_a_gap("1m")
    assert made.mend(chart(NINE, *ROWS[:3]), NINE, NINE + 180) == "unproven"
    assert made.missing((NINE + 252) * SECOND) == (NINE, NINE + 180)
    made.turn((NINE + 4_000) * SECOND)
    assert made.missing((NINE + 4_000) * SECOND) is None


def test_a_chart_with_less_than_was_seen_of_a_candle_leaves_it_as_it_is() -> None:
    made = after_a_gap("1m")
    rows = ((100, 105, 99, 101, 6), *ROWS[1:])
    assert made.mend(chart(NINE, *rows), NINE, NINE + 240) == "mended"
    assert [text for _, text, _, _ in published(made, NINE + 251)] == ["09:01:00", "09:02:00"]


def test_where_the_chart_has_no_more_than_was_seen_nothing_is_forgotten() -> None:
    made = after_a_gap("1m")
    rows = ((100, 100, 100, 100, 7), ROWS[1], (104, 104, 104, 104, 2), ROWS[3])
    assert made.mend(chart(NINE, *rows), NINE, NINE + 240) == "mended"
    [first, second, third] = [candle for candle, _ in made.turn((NINE + 251) * SECOND)]
    assert (first.complete, first.tally.trades, first.tally.value) == (True, 1, Decimal(700))
    assert (second.complete, second.tally.trades) == (True, None)
    assert (third.complete, third.tally.trades) == (True, 1)


def test_trades_that_come_after_a_candle_was_mended_are_in_it_already() -> None:
    made = after_a_gap("1m")
    made.mend(chart(NINE, *ROWS), NINE, NINE + 240)
    made.turn((NINE + 251) * SECOND)
    assert trade(made, NINE + 10, "100", "7", now=NINE + 252)
    assert published(made, NINE + 253) == []


def test_a_day_is_mended_from_all_minutes_of_its_regular_session() -> None:
    made = series("1d", mends=True)
    closes = NINE + 23_400
    made.lose(NINE * SECOND, (NINE + 600) * SECOND)
    for second in (NINE + 3_600, closes + 10):
        trade(made, second, "100", "2")
    assert published(made, closes + 11) == [("1d", "00:00:00", False, False)]
    made.turn((closes + 65) * SECOND)
    assert made.missing((closes + 64) * SECOND) is None
    assert made.missing((closes + 65) * SECOND) == (NINE, closes + 60)
    rows = dict.fromkeys((NINE + 3600, closes), (100, 100, 100, 100, 2))
    rows[NINE + 120] = (90, 95, 90, 95, 7)
    minutes = {start: chart(start, row)[start] for start, row in rows.items()}
    assert made.mend(minutes, NINE, closes + 60) == "mended"
    [(candle, _)] = made.turn((closes + 66) * SECOND)
    assert (candle.closed, candle.complete, candle.text[:10]) == (True, True, "2026-11-25")
    assert [*map(int, candle.tally.figures())] == [90, 100, 90, 100, 11]


def test_a_day_that_its_minutes_do_not_tell_stays_as_it_is() -> None:
    made = series("1d", mends=True)
    made._days = _Mixed()
    made.lose(NINE * SECOND, (NINE + 600) * SECOND)
    trade(made, NINE + 3_600, "100")
    made.turn((NINE + 30_000) * SECOND)
    assert made._to_mend == {}


class _Mixed(Days):
    def minutes(self, day: date) -> tuple[int, int] | None:
        return None


def test_the_chart_is_not_asked_while_nothing_is_delivered_nor_for_seconds() -> None:
    made = series("1s", mends=True)
    made.lose(NINE * SECOND, (NINE + 130) * SECOND)
    assert made.missing((NINE + 500) * SECOND) is None
    made = after_a_gap("1m")
    made.uncovered((NINE + 260) * SECOND)
    assert made.missing((NINE + 270) * SECOND) is None


def test_utc_days_of_the_tests_are_seouls() -> None:
    assert datetime.fromtimestamp(NINE, UTC).hour == 0


def test_the_chart_is_not_asked_before_there_is_a_whole_minute_to_hold_it_against() -> None:
    made = series("1m", live_at=NINE + 30, mends=True)
    for second in (40, 70):
        trade(made, NINE + second, "100")
    made.turn((NINE + 70) * SECOND)
    assert made.missing((NINE + 70) * SECOND) is None
    made.turn((NINE + 125) * SECOND)
    assert made.missing((NINE + 125) * SECOND) == (NINE, NINE + 60)
