"""The holidays that a library knows, by the calendars of the workbook. Pure."""

from __future__ import annotations

import functools
from collections.abc import Container

__all__ = ["holidays_of"]

_LIBRARY = {"KRX": "XKRX", "NYSE": "XNYS", "HKEX": "XHKG", "JPX": "XJPX", "SSE": "XSHG"}


@functools.lru_cache(maxsize=64)
def holidays_of(calendar: str, year: int) -> Container[object]:
    """Return the holidays of a year; none for a calendar that the library does not have."""
    if calendar not in {*_LIBRARY, "VN"}:
        return ()
    import holidays  # takes a while to import, and only a long-running process needs it

    if calendar == "VN":
        return frozenset(holidays.country_holidays("VN", years=year))
    return frozenset(holidays.financial_holidays(_LIBRARY[calendar], years=year))
