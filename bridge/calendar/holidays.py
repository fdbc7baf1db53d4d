"""Trading days: what KIS says about the Korean ones, else what a calendar library knows. Pure."""

from __future__ import annotations

import functools
from collections.abc import Container, Mapping
from datetime import date
from types import MappingProxyType

__all__ = ["Calendar"]

_LIBRARY = {"KRX": "XKRX", "NYSE": "XNYS", "HKEX": "XHKG", "JPX": "XJPX", "SSE": "XSHG"}
_SATURDAY = 5


class Calendar:
    """Answers whether an exchange trades on a day."""

    def __init__(self) -> None:
        self.known: Mapping[date, bool] = MappingProxyType({})
        """KRX days as KIS told them; it knows of elections and other days that are set late."""

    def trades(self, calendar: str, day: date) -> bool:
        """Tell whether ``KRX``, ``NYSE`` … trades; weekdays for a calendar nobody knows."""
        if calendar == "KRX" and day in self.known:
            return self.known[day]
        return day.weekday() < _SATURDAY and day not in _holidays(calendar, day.year)


@functools.lru_cache(maxsize=64)
def _holidays(calendar: str, year: int) -> Container[date]:
    if calendar not in {*_LIBRARY, "VN"}:
        return ()
    import holidays  # takes a while to import, and only a long-running process needs it

    if calendar == "VN":
        return frozenset(holidays.country_holidays("VN", years=year))
    return frozenset(holidays.financial_holidays(_LIBRARY[calendar], years=year))
