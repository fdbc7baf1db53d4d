"""Trading days and sessions as the calendar has them, in the exchange's own time."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.extensions.candles.days import TradingDays

CALENDAR = Calendar(load().hours)
PLACES = {
    "krx": ("domestic_stock", "krx", "Asia/Seoul"),
    "nxt": ("domestic_stock", "nxt", "Asia/Seoul"),
    "unified": ("domestic_stock", "unified", "Asia/Seoul"),
    "futures": ("domestic_derivative", "krx", "Asia/Seoul"),
    "night": ("domestic_derivative", "krx_night", "Asia/Seoul"),
    "nas": ("overseas_stock", "nas", "America/New_York"),
    "hks": ("overseas_stock", "hks", "Asia/Hong_Kong"),
    "bond": ("domestic_bond", "krx", "Asia/Seoul"),
    "globex": ("overseas_derivative", "all", "Asia/Seoul"),
}


def days(place: str) -> TradingDays:
    return TradingDays(CALENDAR, *PLACES[place])


def at(place: str, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(PLACES[place][2])).timestamp())


@pytest.mark.parametrize(
    ("place", "time", "regular"),
    [
        ("krx", "2026-11-25T08:35", False),  # after-hours trades at the close of yesterday
        ("krx", "2026-11-25T09:00:18", True),  # the opening auction's print
        ("krx", "2026-11-25T15:30:20", True),  # the closing auction's
        ("krx", "2026-11-25T15:45", False),
        ("krx", "2026-11-25T17:00", False),  # after-market
        ("nxt", "2026-11-25T08:10", False),
        ("nxt", "2026-11-25T10:00", True),
        ("nxt", "2026-11-25T19:00", False),
        ("futures", "2026-11-25T08:45", True),
        ("futures", "2026-11-25T15:45:01", True),
        ("night", "2026-11-25T23:59", True),
        ("night", "2026-11-26T04:00", True),
        ("nas", "2026-11-25T09:29:59", False),
        ("nas", "2026-11-25T09:30", True),
        ("nas", "2026-11-27T13:30", False),  # half a day after Thanksgiving
        ("hks", "2026-11-25T12:30", False),  # lunch
        ("hks", "2026-11-25T16:08", True),
    ],
)
def test_what_is_regular(place: str, time: str, regular: bool) -> None:
    assert days(place).is_regular(at(place, time)) is regular


@pytest.mark.parametrize(
    ("place", "day", "opens", "closes"),
    [
        ("krx", date(2026, 11, 25), "2026-11-25T09:00", "2026-11-25T15:30"),
        ("krx", date(2026, 11, 19), "2026-11-19T10:00", "2026-11-19T16:30"),  # entrance exam
        ("night", date(2026, 11, 25), "2026-11-25T18:00", "2026-11-26T06:00"),
        ("nas", date(2026, 11, 25), "2026-11-25T09:30", "2026-11-25T16:00"),
        ("nas", date(2026, 11, 27), "2026-11-27T09:30", "2026-11-27T13:00"),
        ("hks", date(2026, 11, 25), "2026-11-25T09:30", "2026-11-25T16:10"),
        ("bond", date(2026, 11, 25), "2026-11-25T08:30", "2026-11-25T15:30"),
    ],
)
def test_from_when_to_when_a_day_is_traded(place: str, day: date, opens: str, closes: str) -> None:
    assert days(place).span(day) == (at(place, opens), at(place, closes))


@pytest.mark.parametrize(
    ("place", "minutes"),
    [
        ("krx", ("2026-11-25T09:00", "2026-11-25T15:31")),
        ("nxt", ("2026-11-25T09:00", "2026-11-25T15:21")),
        ("unified", None),  # NXT trades at the close while KRX still prints its auction
        ("futures", ("2026-11-25T08:45", "2026-11-25T15:46")),
        ("nas", None),  # the after-market begins with the closing auction
        ("hks", ("2026-11-25T09:30", "2026-11-25T16:11")),
    ],
)
def test_of_which_minutes_a_day_can_be_made(place: str, minutes: tuple[str, str] | None) -> None:
    expected = None if minutes is None else (at(place, minutes[0]), at(place, minutes[1]))
    assert days(place).minutes(date(2026, 11, 25)) == expected
    assert days(place).minutes(date(2026, 11, 28)) is None


def test_daylight_saving_moves_new_york_and_not_seoul() -> None:
    opens = [days("nas").span(date(2026, month, day))[0] for month, day in ((10, 30), (11, 2))]
    assert [datetime.fromtimestamp(one, ZoneInfo("Asia/Seoul")).hour for one in opens] == [22, 23]


def test_a_night_belongs_to_the_day_it_began_on() -> None:
    night = days("night")
    for time in ("2026-11-25T18:30", "2026-11-26T04:30"):
        assert night.day_of(at("night", time)) == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("place", "since", "until", "quiet"),
    [
        ("krx", "2026-11-24T20:30", "2026-11-25T08:25", True),
        ("krx", "2026-11-25T08:21", "2026-11-25T08:29", True),  # orders for the opening
        ("krx", "2026-11-25T08:50", "2026-11-25T09:01", False),
        ("krx", "2026-11-28T09:00", "2026-11-29T15:00", True),  # a weekend
        ("hks", "2026-11-25T12:05", "2026-11-25T12:55", True),
        ("nas", "2026-11-26T00:00", "2026-11-26T23:00", True),  # Thanksgiving
        ("night", "2026-11-26T02:00", "2026-11-26T02:01", False),
    ],
)
def test_when_nothing_can_be_missed(place: str, since: str, until: str, quiet: bool) -> None:
    assert days(place).is_quiet(at(place, since), at(place, until)) is quiet


def test_a_market_without_hours_trades_at_any_time() -> None:
    unknown = TradingDays(CALENDAR, "domestic_stock", "nowhere", "Asia/Seoul")
    moment = at("krx", "2026-11-28T03:00")
    assert not unknown.is_quiet(moment, moment + 60)
    assert unknown.is_regular(moment)
    opens, closes = unknown.span(date(2026, 11, 28))
    assert (opens, closes - opens) == (at("krx", "2026-11-28T00:00"), 86_400)


def test_the_simulators_markets_never_close() -> None:
    always = TradingDays(CALENDAR, *PLACES["krx"], always=True)
    moment = at("krx", "2026-11-28T03:00")
    assert not always.is_quiet(moment, moment + 60)
    assert always.is_regular(moment)


def test_days_that_kis_tells_of_later_are_taken_up() -> None:
    calendar = Calendar(load().hours)
    told = TradingDays(calendar, *PLACES["krx"])
    since, until = at("krx", "2026-11-25T10:00"), at("krx", "2026-11-25T10:01")
    assert not told.is_quiet(since, until)
    calendar.known = {date(2026, 11, 25): False}
    told.forget()
    assert told.is_quiet(since, until)
