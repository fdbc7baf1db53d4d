"""When a market without an order book takes orders (pure). Times are Korean."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.calendar.hours import Calendar
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.tickets import NIGHT, OffBookTicket

__all__ = ["order_ends", "require_open"]

_DAY = timedelta(days=1)
_NOON = 12


def require_open(calendar: Calendar | None, market: str, venue: str, now: datetime) -> None:
    """Raise :class:`OrderRefused` outside the hours of the timetable; without one it is open."""
    if calendar is None:
        return
    today = calendar.sessions(market, venue, now.date())
    # A session that runs over midnight is yesterday's.
    held = (*calendar.sessions(market, venue, now.date() - _DAY), *today)
    if any(one.opens <= now < one.closes for one in held):
        return
    if not today:
        raise OrderRefused("session", "holiday")
    before = now < min(one.opens for one in today)
    raise OrderRefused("session", "before" if before else "after")


def order_ends(ticket: OffBookTicket, calendar: Calendar) -> datetime:
    """Return when the session of an order is over."""
    night, day = ticket.exchange == NIGHT, ticket.at.date()
    if night and ticket.at.hour < _NOON:
        day -= _DAY  # the session began the evening before
    held = calendar.sessions(ticket.market, "krx_night" if night else "krx", day)
    return max((one.closes for one in held), default=ticket.at)
