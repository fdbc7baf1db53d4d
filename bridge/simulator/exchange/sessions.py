"""When the simulated exchange is open (pure). Times are Korean."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bridge.calendar.hours import Calendar

__all__ = ["Hours", "Session", "session"]

Hours = Literal["always", "krx"]
Session = Literal["open", "before", "after", "holiday"]

_OPEN = {"regular", "closing_auction"}
"""Sessions of KRX in which orders are taken here; before and after them there is no market."""


def session(now: datetime, calendar: Calendar | None) -> Session:
    """Return the state of the market, which without a calendar is always open."""
    if calendar is None:
        return "open"
    held = [
        one
        for one in calendar.sessions("domestic_stock", "krx", now.date())
        if one.session.name in _OPEN
    ]
    if not held:
        return "holiday"
    if any(one.opens <= now < one.closes for one in held):
        return "open"
    return "before" if now < min(one.opens for one in held) else "after"
