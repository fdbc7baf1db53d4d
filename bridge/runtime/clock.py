"""The time, and Seoul's: KIS's days begin and end there."""

from __future__ import annotations

import sys
import time
from datetime import date, datetime, timedelta, timezone

__all__ = [
    "SEOUL",
    "now_us",
    "same_seoul_day",
    "seoul_day",
    "seoul_day_end",
    "seoul_day_start",
    "seoul_moment",
    "seoul_text",
    "seoul_time",
    "steady_us",
]

SEOUL = timezone(timedelta(hours=9), "KST")
"""Korea has had no daylight saving time since 1988, so that no table of zones is needed."""
_MICROSECOND = 1_000_000
_DAY, _AHEAD = 86_400_000_000, 9 * 3_600_000_000
_EPOCH = date(1970, 1, 1).toordinal()


def now_us() -> int:
    """Return the time in µs since the epoch."""
    return time.time_ns() // 1_000


def steady_us() -> int:
    """Return µs on a clock that nobody sets.

    On Linux it also runs while the machine is suspended; elsewhere it may stand still then.
    """
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000
    return time.monotonic_ns() // 1_000


def seoul_time(at: int) -> datetime:
    """Return a moment in µs since the epoch as Seoul's clocks show it, exactly."""
    seconds, micros = divmod(at, _MICROSECOND)
    return datetime.fromtimestamp(seconds, SEOUL).replace(microsecond=micros)


def seoul_day(at: int) -> date:
    """Return the Korean date of a moment in µs since the epoch."""
    return date.fromordinal(_EPOCH + (at + _AHEAD) // _DAY)


def same_seoul_day(one: int, other: int) -> bool:
    """Tell whether two moments in µs since the epoch have one Korean date."""
    return (one + _AHEAD) // _DAY == (other + _AHEAD) // _DAY


def seoul_day_start(at: int) -> int:
    """Return when that moment's Korean date began, in µs since the epoch."""
    day = seoul_day(at)
    return int(datetime(day.year, day.month, day.day, tzinfo=SEOUL).timestamp()) * _MICROSECOND


def seoul_day_end(at: int) -> int:
    """Return when that moment's Korean date ends, in µs since the epoch."""
    return seoul_day_start(at) + 86_400 * _MICROSECOND


def seoul_text(at: int) -> str:
    """Return a moment in µs since the epoch for machines: ISO 8601 with µs and ``+09:00``."""
    return seoul_time(at).isoformat(timespec="microseconds")


def seoul_moment(at: int) -> str:
    """Return a moment in µs since the epoch for people: ``2026-11-22 09:00:05.123``, in Seoul."""
    return seoul_time(at).replace(tzinfo=None).isoformat(" ", "milliseconds")
