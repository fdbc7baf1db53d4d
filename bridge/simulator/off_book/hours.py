"""When a market without an order book takes orders (pure). Times are Korean."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.calendar.hours import Calendar
from bridge.simulator.exchange.tickets import OrderRefused

__all__ = ["require_open"]


def require_open(calendar: Calendar | None, market: str, venue: str, now: datetime) -> None:
    """Raise :class:`OrderRefused` outside the hours of the timetable; without one it is open."""
    if calendar is None:
        return
    today = calendar.sessions(market, venue, now.date())
    # A session that runs over midnight is yesterday's.
    held = (*calendar.sessions(market, venue, now.date() - timedelta(days=1)), *today)
    if any(one.opens <= now < one.closes for one in held):
        return
    if not today:
        raise OrderRefused("session", "holiday")
    before = now < min(one.opens for one in today)
    raise OrderRefused("session", "before" if before else "after")
