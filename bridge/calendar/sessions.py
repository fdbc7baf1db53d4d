"""When a session of the timetable is held on one day; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from bridge.catalog.timetable import CLOSED, SpecialDay, TradingSession

__all__ = ["SessionHours", "held", "in_force", "time_of", "told"]


@dataclass(frozen=True, slots=True)
class SessionHours:
    """A session on one day."""

    session: TradingSession
    opens: datetime
    closes: datetime


def held(row: TradingSession, day: date, special: SpecialDay | None) -> SessionHours | None:
    """Return when a session is held on a trading day; None: it is not.

    Not either when the changes of a special day leave nothing of it.
    """
    opens, closes = (special.opens, special.closes) if special else ("", "")
    if opens == CLOSED:
        return None
    zone = ZoneInfo(row.timezone)
    overnight = timedelta(days=time_of(row.closes) <= time_of(row.opens))
    first = _moved(datetime.combine(day, time_of(row.opens), zone), opens)
    last = _moved(datetime.combine(day + overnight, time_of(row.closes), zone), closes)
    return SessionHours(row, first, last) if first < last else None


def in_force(row: TradingSession | SpecialDay, day: date) -> bool:
    """Tell whether a row of the timetable is about the time of a day."""
    text = day.isoformat()
    return (row.since or text) <= text <= (row.until or text)


@cache
def time_of(text: str) -> time:
    """Return a time of day as the timetable writes it."""
    return time.fromisoformat(text)


def _moved(usual: datetime, change: str) -> datetime:
    """Return a time on a special day; local time throughout, as exchanges announce it."""
    if change[:1] in ("+", "-"):
        by = time_of(change[1:])
        later = timedelta(hours=by.hour, minutes=by.minute, seconds=by.second)
        return usual + later if change[0] == "+" else usual - later
    return datetime.combine(usual.date(), time_of(change), usual.tzinfo) if change else usual


def told(sessions: Iterable[SessionHours]) -> str:
    """Return the hours of a day for people; what follows without a break is one."""
    parts: list[list[datetime]] = []
    for one in sorted(sessions, key=lambda one: one.opens):
        if parts and one.opens <= parts[-1][1]:
            parts[-1][1] = max(parts[-1][1], one.closes)
        else:
            parts.append([one.opens, one.closes])
    return ", ".join(f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in parts)
