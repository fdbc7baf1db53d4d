"""Single values of KIS as JSON: numbers that keep their decimals, times with their offset.

KIS writes numbers with zero padding or a plus, nothing, ``(null)`` or ``nan`` where it has none,
dates as ``YYYYMMDD`` and times as ``HHMMSS``. Pure.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.errors import DecodeError
from bridge.runtime.bounded_json import DIGITS

__all__ = [
    "CLOCK",
    "LONGEST_CODE",
    "LONGEST_TEXT",
    "TimesOfDay",
    "Zone",
    "down",
    "number",
    "scaled",
    "string",
    "time_of_day",
]

LONGEST_CODE = 64
LONGEST_TEXT = 256
"""Letters of a value in a record. KIS's codes, dates and times have a dozen, names a few dozen."""
_MOST_CLOCKS = 4_096
"""Times of day that are remembered at a time. They recur within their second, or a few."""

CLOCK = r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
"""``HHMMSS`` as a regular expression."""

_quote = json.JSONEncoder(ensure_ascii=False).encode
_NULLS = frozenset(["", "(null)", "nan", "-nan", "+nan", "inf", "-inf", "+inf"])
# Possessive, since a long run of zeros before garbage would be tried at every length.
_NUMBER = re.compile(rf"([+-]?)0*+(\d{{0,{DIGITS}}}+)(?:\.(\d{{0,{DIGITS}}}+))?+", re.ASCII)
_CLOCK = re.compile(CLOCK, re.ASCII)


def number(value: str) -> str:
    """Return the canonical JSON number: no plus, no padding, the decimals that KIS sent.

    Nothing, ``(null)`` and ``nan`` are ``null``. Raises :class:`DecodeError` for anything else.
    """
    stripped = value.strip()
    if stripped.lower() in _NULLS:
        return "null"
    matched = _NUMBER.fullmatch(stripped)
    if matched is None or not any(character.isdigit() for character in stripped):
        raise DecodeError(f"no number: {value[:40]!r}")
    sign, whole, decimals = matched.groups()
    minus = "-" if sign == "-" else ""
    return f"{minus}{whole or '0'}" + (f".{decimals}" if decimals else "")


def scaled(value: str, scale: int) -> str:
    """Put the implied decimal point ``scale`` digits from the end: ``12345``, 2 → ``123.45``."""
    if not scale or value == "null" or "." in value:
        return value
    minus, digits = ("-", value[1:]) if value[0] == "-" else ("", value)
    digits = digits.rjust(scale + 1, "0")
    return f"{minus}{digits[:-scale]}.{digits[-scale:]}"


def down(value: str) -> str:
    """Return a canonical number with a minus, unless it has one or is zero."""
    return value if value[0] in "-n" or not value.strip("0.") else f"-{value}"


def string(value: str) -> str:
    """Return the JSON string; KIS's ``(null)`` is ``null``."""
    return "null" if value == "(null)" else _quote(value)


def time_of_day(value: str) -> str:
    """Return ``"HH:MM:SS+09:00"``; ``null`` for nothing and for ``000000``, KIS's "none"."""
    if value.strip() in ("", "000000", "(null)"):
        return "null"
    if _CLOCK.fullmatch(value) is None:
        return string(value)
    return f'"{value[:2]}:{value[2:4]}:{value[4:]}+09:00"'


class Zone:
    """Moments of one time zone as ISO 8601 text.

    Caches, since the market path asks for the same few days and seconds again and again. Call
    :meth:`arrived` before using :attr:`clocks`.
    """

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self._received_at = 0
        self.days = _Days(self)
        """``YYYYMMDD`` → ``HHMMSS`` → the moment; KeyError when that is no day."""
        self.clocks = _Arrivals(self)
        """``HHMMSS`` → the moment nearest to the arrival, for records without a date."""

    def arrived(self, received_at: int) -> None:
        """Say when (µs since the epoch) the record arrived that is decoded next."""
        # Within one hour, and half a day away from it, every clock time keeps its date.
        if received_at // 3_600_000_000 != self._received_at // 3_600_000_000:
            self.clocks.clear()
        self._received_at = received_at

    def moment(self, day: str, clock: str) -> str:
        """Return the JSON text of a record's time; raw text where KIS sent no valid time.

        ``day`` is blank when the record has no date.
        """
        if clock.strip() in ("", "(null)"):
            return "null"
        if _CLOCK.fullmatch(clock) is None:
            return string(clock)
        try:
            clocks: dict[str, str] = self.days[day]
        except KeyError:
            clocks = self.clocks
        return f'"{clocks[clock]}"'

    def offset(self, day: date) -> str:
        """Return the offset of ``day`` at noon: no market trades when clocks change."""
        west_or_east = datetime.combine(day, time(12), self._zone).strftime("%z")
        return f"{west_or_east[:3]}:{west_or_east[3:5]}"

    def nearest(self, clock: str) -> str:
        """Return the moment with this clock time that is nearest to the arrival."""
        arrival = datetime.fromtimestamp(self._received_at // 1_000_000, UTC).astimezone(self._zone)
        moment = arrival.replace(hour=int(clock[:2]), minute=int(clock[2:4]), second=int(clock[4:]))
        if moment - arrival > timedelta(hours=12):
            moment -= timedelta(days=1)
        elif arrival - moment > timedelta(hours=12):
            moment += timedelta(days=1)
        return f"{moment:%Y-%m-%dT%H:%M:%S}{self.offset(moment.date())}"


class _Days(dict[str, "_Clocks"]):
    def __init__(self, zone: Zone) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, text: str) -> _Clocks:
        if len(text) != 8 or not (text.isascii() and text.isdigit()):
            raise KeyError(text)
        try:
            day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError as error:
            raise KeyError(text) from error
        if len(self) >= 4:  # each may grow to the seconds of a day
            self.clear()
        clocks = self[text] = _Clocks(day.isoformat(), self._zone.offset(day))
        return clocks


class _Clocks(dict[str, str]):
    def __init__(self, day: str, offset: str) -> None:
        super().__init__()
        self._day = day
        self._offset = offset

    def __missing__(self, clock: str) -> str:
        if len(self) >= _MOST_CLOCKS:
            self.clear()
        moment = f"{self._day}T{clock[:2]}:{clock[2:4]}:{clock[4:]}{self._offset}"
        self[clock] = moment
        return moment


class _Arrivals(dict[str, str]):
    def __init__(self, zone: Zone) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, clock: str) -> str:
        if len(self) >= _MOST_CLOCKS:
            self.clear()
        moment = self[clock] = self._zone.nearest(clock)
        return moment


class TimesOfDay(dict[str, str]):
    """``HHMMSS`` → the JSON text of a time of day."""

    def __missing__(self, clock: str) -> str:
        if len(self) >= _MOST_CLOCKS:
            self.clear()
        moment = self[clock] = time_of_day(clock)
        return moment
