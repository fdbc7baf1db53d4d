"""Korean dates of moments; times in µs since the epoch; pure."""

from __future__ import annotations

from datetime import date, datetime

from bridge.runtime.clock import SEOUL, seoul_day

__all__ = ["day_end", "day_start", "trading_day"]

_MICROSECOND = 1_000_000


def trading_day(at: int) -> date:
    """Return the Korean date of a moment in µs since the epoch."""
    return seoul_day(at)


def day_start(at: int) -> int:
    """Return when that moment's Korean date began, in µs since the epoch."""
    day = trading_day(at)
    return int(datetime(day.year, day.month, day.day, tzinfo=SEOUL).timestamp()) * _MICROSECOND


def day_end(at: int) -> int:
    """Return when that moment's Korean date ends, in µs since the epoch."""
    return day_start(at) + 86_400 * _MICROSECOND
