"""When trades overseas are settled, by the calendar of their exchange (pure)."""

from __future__ import annotations

from datetime import date, timedelta

from bridge.simulator.off_book.overseas_hours import VENUES, OffBookHours
from bridge.simulator.off_book.terms import CURRENCIES

__all__ = ["settlement_day", "trades"]

_AFTER = {"USD": 1, "CNY": 1}
"""Trading days from a trade to its settlement; two elsewhere. Money moves at once all the same."""
_LONGEST = 30
_SATURDAY = 5


def trades(hours: OffBookHours | None, exchange: str, day: date) -> bool:
    """Tell whether an exchange trades on a day; without its calendar on each weekday."""
    if hours is None:
        return day.weekday() < _SATURDAY
    return bool(hours.calendar.sessions("overseas_stock", VENUES[exchange], day))


def settlement_day(hours: OffBookHours | None, exchange: str, day: date) -> date:
    """Return the day on which a trade of ``day`` is settled."""
    left = _AFTER.get(CURRENCIES[exchange], 2)
    for _ in range(_LONGEST):
        if not left:
            break
        day += timedelta(days=1)
        left -= trades(hours, exchange, day)
    return day
