"""What a row of the timetable changes on special days, and which days it means."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calendar import holidays
from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.catalog.timetable import CALENDARS, SpecialDay, Timetable, is_day, matches

HOURS = load().hours
TUESDAY = date(2026, 11, 24)


def mended(*days: SpecialDay) -> Calendar:
    return Calendar(replace(HOURS, special_days=(*HOURS.special_days, *days)))


def held(calendar: Calendar, day: date, name: str = "regular") -> str:
    """Return when a session of KRX is held; blank: it is not."""
    return ", ".join(
        f"{one.opens:%H:%M}-{one.closes:%H:%M}"
        for one in calendar.sessions("domestic_stock", "krx", day)
        if one.session.name == name
    )


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-19", ["2026-11-19"]),
        ("12-24", ["2026-12-24", "2027-12-24"]),
        ("11-thu-3", ["2026-11-19", "2027-11-18"]),
        ("11-thu-4+1", ["2026-11-27", "2027-11-26"]),
        ("01-fri-5", ["2026-01-30", "2027-01-29"]),
        ("11-mon-5+2", ["2026-12-02", "2027-12-01"]),  # past the end of its month
    ],
)
def test_days_are_named(text: str, means: list[str]) -> None:
    assert is_day(text)
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(730)]
    assert [day.isoformat() for day in days if matches(text, day)] == means


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-31", "2026-1-1", "13-01", "02-30", "00-thu-1", "11-thu-0", "11-thu-3+10", "1st"],
)
def test_what_is_no_day_is_told(text: str) -> None:
    assert not is_day(text)


@given(st.from_regex(r"[0-9]{2,4}-[a-z0-9]{2,3}(-[0-9]{1,2}([+][0-9])?)?", fullmatch=True))
def test_any_text_is_a_day_or_is_none(text: str) -> None:
    if is_day(text):
        matches(text, TUESDAY)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (SpecialDay("KRX", ("2026-11-24",), opens="+01:00", closes="+01:00"), "10:00-16:20"),
        (SpecialDay("KRX", ("2026-11-24",), opens="-00:30"), "08:30-15:20"),
        (SpecialDay("KRX", ("2026-11-24",), closes="12:00"), "09:00-12:00"),
        (SpecialDay("KRX", ("2026-11-24",), opens="closed"), ""),
        (SpecialDay("KRX", ("2026-11-24",), sessions=("regular",), opens="closed"), ""),
        (SpecialDay("KRX", ("2026-11-24",), sessions=("post_close",), opens="closed"), "usual"),
        (SpecialDay("KRX", ("2026-11-24",), venues=("nxt",), opens="+01:00"), "usual"),
        (SpecialDay("KRX", ("2026-11-24",), markets=("domestic_bond",), opens="+01:00"), "usual"),
        (SpecialDay("NYSE", ("2026-11-24",), opens="+01:00"), "usual"),
        (SpecialDay("KRX", ("2026-11-24",), since="2027-01-01", opens="+01:00"), "usual"),
        (SpecialDay("KRX", ("2026-11-24",), until="2026-11-24", opens="+01:00"), "10:00-15:20"),
        (SpecialDay("KRX", ("2026-11-24",), closes="09:00"), ""),  # nothing is left of it
    ],
)
def test_a_row_moves_what_it_names(row: SpecialDay, expected: str) -> None:
    assert held(mended(row), TUESDAY) == expected.replace("usual", "09:00-15:20")
    assert held(mended(row), TUESDAY + timedelta(days=1)) == "09:00-15:20"


def test_of_several_rows_the_last_one_counts() -> None:
    later = SpecialDay("KRX", ("2026-11-24",), opens="+01:00")
    half = SpecialDay("KRX", ("2026-11-24",), sessions=("regular",), closes="12:00")
    usual = SpecialDay("KRX", ("2026-11-24",))
    assert held(mended(later, half), TUESDAY) == "09:00-12:00"
    assert held(mended(half, later), TUESDAY) == "10:00-15:20"
    assert held(mended(half, later, usual), TUESDAY) == "09:00-15:20"
    exam = SpecialDay("KRX", ("2026-11-19",))
    assert held(mended(exam), date(2026, 11, 19)) == "09:00-15:20"


def test_a_holiday_can_be_made_and_unmade_and_kis_has_the_last_word() -> None:
    new_year = date(2027, 1, 1)
    closed = SpecialDay("KRX", ("2026-11-24", "2027-01-01"), opens="closed")
    trading = SpecialDay("KRX", ("2027-01-01",), opens="trading")
    calendar = mended(closed, trading)
    assert not calendar.trades("KRX", TUESDAY)
    assert calendar.trades("KRX", new_year)
    assert calendar.trades("NYSE", TUESDAY)
    assert held(calendar, new_year, "opening_auction") == "09:20-10:00", "the first of its year"
    calendar.known = {TUESDAY: True, new_year: False}
    assert calendar.trades("KRX", TUESDAY)
    assert not calendar.trades("KRX", new_year)


def test_the_first_trading_day_is_looked_for_among_those_before_it() -> None:
    calendar = Calendar(HOURS)
    assert held(calendar, date(2027, 1, 4)) == "10:00-15:20"
    assert held(calendar, date(2027, 1, 5)) == "09:00-15:20"
    calendar.known = {date(2027, 1, 4): False}
    assert held(calendar, date(2027, 1, 5)) == "10:00-15:20"


def test_a_night_begins_later_and_ends_as_usual() -> None:
    (night,) = [
        one
        for one in Calendar(HOURS).sessions("domestic_derivative", "krx_night", date(2026, 11, 19))
        if one.session.name == "night"
    ]
    assert (f"{night.opens:%d %H:%M}", f"{night.closes:%d %H:%M}") == ("19 19:00", "20 06:00")


def test_without_a_timetable_nothing_is_busy_and_nothing_refused() -> None:
    empty = Calendar(Timetable())
    assert empty.sessions("domestic_stock", "krx", TUESDAY) == ()
    assert empty.closed(("domestic_stock", "krx"), "limit", 0) == ""
    assert empty.over(("domestic_stock", "krx"), 0) == 54_000_000_000, "midnight in Seoul"


def test_every_calendar_of_the_workbook_has_its_holidays() -> None:
    new_year = date(2027, 1, 1)
    assert [name for name in CALENDARS if new_year not in holidays.holidays_of(name, 2027)] == [
        "weekdays"
    ]
