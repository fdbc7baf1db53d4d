"""Hours: night across midnight, daylight saving, days on which KRX opens late."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar, Phase
from bridge.catalog.compile import load

TIMETABLE = load().hours
SEOUL = ZoneInfo("Asia/Seoul")
CALENDAR = Calendar(TIMETABLE)


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("channel", "at", "expected"),
    [
        (("domestic_stock", "krx", "trade"), "2026-11-20 08:10", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-11-20 08:25", "open"),
        (("domestic_stock", "krx", "trade"), "2026-09-11 08:25", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-11-20 09:00", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-11-20 09:02", "busy"),
        (("domestic_stock", "krx", "program"), "2026-11-20 09:02", "open"),
        (("domestic_stock", "krx", "trade"), "2026-11-20 15:19", "busy"),
        (("domestic_stock", "krx", "trade"), "2026-11-20 19:00", "open"),
        (("domestic_stock", "krx", "trade"), "2026-09-11 19:00", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-11-20 20:00", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-11-21 10:00", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-10-05 10:00", "closed"),
        # The college exam: the opening auction begins an hour later too, and nothing before it.
        (("domestic_stock", "krx", "trade"), "2026-11-19 09:10", "closed"),
        (("domestic_stock", "krx", "trade"), "2026-11-19 09:30", "open"),
        (("domestic_stock", "krx", "trade"), "2026-11-19 10:30", "busy"),
        (("domestic_stock", "krx", "trade"), "2027-01-04 09:10", "closed"),  # first of the year
        (("domestic_stock", "krx", "trade"), "2027-01-04 09:30", "open"),
        (("domestic_stock", "krx", "trade"), "2027-01-05 09:30", "busy"),
        (("domestic_stock", "nxt", "trade"), "2026-11-20 08:30", "open"),
        (("domestic_stock", "nxt", "quote"), "2026-11-20 10:00", "busy"),
        (("domestic_stock", "unified", "quote"), "2026-11-20 08:10", "open"),
        (("domestic_index", "krx", "index"), "2026-11-20 10:00", "busy"),
        (("domestic_derivative", "krx_night", "trade"), "2026-11-20 23:00", "open"),
        (("domestic_derivative", "krx_night", "trade"), "2026-11-21 04:59", "open"),
        (("domestic_derivative", "krx_night", "trade"), "2026-11-21 18:30", "closed"),
        (("overseas_stock", "nas", "trade"), "2026-11-20 22:45", "open"),  # winter: from 23:30
        (("overseas_stock", "nas", "trade"), "2026-11-20 23:45", "busy"),
        (("overseas_stock", "nas", "trade"), "2026-07-20 22:45", "busy"),  # summer: from 22:30
        (("overseas_stock", "nas", "trade"), "2026-11-21 05:30", "busy"),
        (("overseas_stock", "nas", "trade"), "2026-11-26 23:45", "closed"),  # Thanksgiving
        (("overseas_stock", "hks", "quote"), "2026-11-20 13:30", "closed"),  # lunch over there
        (("nowhere", "krx", "trade"), "2026-11-20 10:00", "closed"),
    ],
)
def test_phases(channel: tuple[str, str, str], at: str, expected: Phase) -> None:
    assert CALENDAR.phase(*channel, seoul(at).astimezone(UTC)) == expected


@pytest.mark.parametrize("calendar", ["KRX", "NYSE", "HKEX", "JPX", "SSE", "VN"])
def test_every_calendar_knows_a_new_year(calendar: str) -> None:
    assert not CALENDAR.trades(calendar, date(2026, 1, 1))
    assert CALENDAR.trades(calendar, date(2026, 3, 18))


def test_vietnam_closes_for_tet() -> None:
    assert not CALENDAR.trades("VN", date(2026, 2, 17))


def test_what_kis_says_about_a_day_goes_before_the_library() -> None:
    calendar = Calendar(TIMETABLE)
    calendar.known = {date(2026, 11, 20): False, date(2026, 11, 21): True}
    at = seoul("2026-11-20 10:00")
    assert calendar.phase("domestic_stock", "krx", "trade", at) == "closed"
    at = seoul("2026-11-21 10:00")
    assert calendar.phase("domestic_stock", "krx", "trade", at) == "busy"


def test_every_window_names_a_zone() -> None:
    for session in TIMETABLE.sessions:
        ZoneInfo(session.timezone)
