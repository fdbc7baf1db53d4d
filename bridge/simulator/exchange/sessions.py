"""When the simulated exchange is open (pure). Times are Korean."""

from __future__ import annotations

from datetime import datetime, time
from typing import Literal

__all__ = ["Hours", "Session", "session"]

Hours = Literal["always", "krx"]
Session = Literal["open", "before", "after", "holiday"]

_OPEN, _CLOSE = time(9, 0), time(15, 30)


def session(now: datetime, hours: Hours) -> Session:
    """Return the state of the market; ``krx`` knows weekends but no other holidays."""
    if hours == "always":
        return "open"
    if now.weekday() >= 5:
        return "holiday"
    if now.time() < _OPEN:
        return "before"
    return "open" if now.time() < _CLOSE else "after"
