"""When markets trade, as the workbook says it: the objects of the sheet ``hours``; pure data.

The cells stay texts, as they do in the sheet; whoever made the timetable has checked them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

__all__ = [
    "CALENDARS",
    "CLOSED",
    "FIRST",
    "TRADING",
    "SpecialDay",
    "Timetable",
    "TradingSession",
    "is_day",
    "matches",
]

CALENDARS = ("KRX", "NYSE", "HKEX", "JPX", "SSE", "VN", "weekdays")
"""Whose holidays there are; ``weekdays`` has none but Saturday and Sunday."""

CLOSED, TRADING = "closed", "trading"
"""What ``opens`` of a special day says instead of a time: nothing is traded, or it is after all."""

FIRST = "first"
"""The first trading day of a year; the only name of a day that takes a calendar to know."""

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)|(?P<yearly>\d\d-\d\d)"
    rf"|(?P<month>\d\d)-(?P<weekday>{'|'.join(_WEEKDAYS)})-(?P<nth>[1-5])(?:\+(?P<later>\d))?"
)
_LEAP_YEAR = "2024"


@dataclass(frozen=True, slots=True)
class TradingSession:
    """A part of the trading day at one or several venues.

    It belongs to the day on which it opens, in the time of its exchange: that is how daylight
    saving and nights across midnight come out right.
    """

    name: str
    """``opening_auction``, ``regular``, ``lunch`` …"""
    markets: tuple[str, ...]
    venues: tuple[str, ...]
    calendar: str
    timezone: str
    opens: str
    """``HH:MM`` or ``HH:MM:SS``."""
    closes: str
    """The same; not after ``opens``: on the next day."""
    since: str = ""
    """The first day it is held, ``YYYY-MM-DD``; blank: always was."""
    until: str = ""
    """The last one; blank: still is."""
    data: bool = False
    """Records may come."""
    busy: tuple[str, ...] = ()
    """Kinds of which something comes every minute in any usual symbol."""
    orders: bool = False
    """Orders are taken, if only to wait for the next session."""
    order_types: tuple[str, ...] = ()
    """Those that are taken in the sessions that name them, and nowhere else; none: all others."""
    english: str = ""


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """Days on which sessions are held at other times, or not at all."""

    calendar: str
    days: tuple[str, ...]
    """``2026-11-19``, ``12-24``, ``11-thu-3`` (the third Thursday of November), ``11-thu-4+1`` (the
    day after the fourth) or ``first`` (trading day of the year)."""
    markets: tuple[str, ...] = ()
    """Blank, as with venues and sessions: all."""
    venues: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    opens: str = ""
    """A time; ``+01:00``: so much later than usual; ``closed``; ``trading``; blank: as usual."""
    closes: str = ""
    """A time or a difference; blank: as usual."""
    since: str = ""
    until: str = ""
    english: str = ""

    @property
    def whole_day(self) -> bool:
        """Whether it tells trading days and holidays of the whole calendar."""
        return self.opens == TRADING or (
            self.opens == CLOSED and not (self.markets or self.venues or self.sessions)
        )


@dataclass(frozen=True, slots=True)
class Timetable:
    """The sheet ``hours``; of several special days for one session, the last one counts."""

    sessions: tuple[TradingSession, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()


def is_day(text: str) -> bool:
    """Tell whether a text names days; a date must exist."""
    if text == FIRST:
        return True
    found = _DAY.fullmatch(text)
    if found is None:
        return False
    if found["month"]:
        return 1 <= int(found["month"]) <= 12
    try:
        date.fromisoformat(found["date"] or f"{_LEAP_YEAR}-{found['yearly']}")
    except ValueError:
        return False
    return True


def matches(text: str, day: date) -> bool:
    """Tell whether a day is meant by such a text; ``first`` is for whoever knows the holidays."""
    month, weekday, nth, later = _parts(text)
    if not month:
        return day.isoformat().endswith(text)
    base = day - timedelta(days=later)
    return (base.month, base.weekday(), (base.day + 6) // 7) == (month, weekday, nth)


@cache
def _parts(text: str) -> tuple[int, int, int, int]:
    found = _DAY.fullmatch(text)
    if found is None or not found["month"]:
        return 0, 0, 0, 0
    weekday = _WEEKDAYS.index(found["weekday"])
    return int(found["month"]), weekday, int(found["nth"]), int(found["later"] or 0)
