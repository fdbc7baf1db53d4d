"""Closing prices and daily bars that never were, the same for the same seed (pure).

The change from one close to the next belongs to its date and does not depend on the day on which
somebody asks. The level is that of the last close: a simulator that starts tomorrow draws the same
chart, moved to where its prices begin.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from random import Random

from bridge.calendar.hours import Calendar
from bridge.simulator.history.bars import Bar
from bridge.simulator.history.instruments import Instrument

__all__ = ["CalendarYears", "PastDays"]

_MOST = 0.25
"""The widest change of a day, inside the limits of KRX."""
_LONGEST_BREAK = 21
"""Days without trading at most."""
_LEAST_VOLUME = 3_000
"""More than a day has minutes, so that each of them has a trade."""


class CalendarYears:
    """The days of each calendar by the year."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.of = lru_cache(maxsize=256)(self._of)

    def _of(self, name: str, year: int) -> tuple[date, ...]:
        first = date(year, 1, 1)
        days = (first + timedelta(days=offset) for offset in range(366))
        return tuple(day for day in days if day.year == year and self.calendar.trades(name, day))

    def before(self, name: str, day: date) -> date:
        """Return the last trading day before one."""
        days = self.of(name, day.year)
        place = bisect_left(days, day)
        return days[place - 1] if place else self.of(name, day.year - 1)[-1]


@dataclass(slots=True)
class PastDays:
    """The days of one symbol before ``end``, the simulator's first day."""

    instrument: Instrument
    seed: int
    end: date
    days: CalendarYears
    _closes: dict[int, array[int]] = field(default_factory=dict)
    """In units by the year, one for each trading day before the end; made backwards."""

    @property
    def first_year(self) -> int:
        return self.end.year - self.instrument.years

    def bar(self, day: date) -> Bar | None:
        """Return the bar of a day; None where there was no trading, or is no history."""
        found = self._place(day)
        return None if found is None else self._bar(day, *found)

    def until(self, day: date) -> Iterator[Bar]:
        """Yield the bars of a day and before it, the newest first."""
        year = min(day, self.end).year
        while year >= self.first_year:
            days = self._days(year)
            closes = self._year(year)
            for place in range(len(days) - 1, -1, -1):
                if days[place] <= day:
                    before = closes[place - 1] if place else self._before(year)
                    yield self._bar(days[place], before, closes[place])
            year -= 1

    def closes(self, day: date) -> Iterator[tuple[date, int]]:
        """Yield the closes, in units, of a day and before it, the newest first."""
        year = min(day, self.end).year
        while year >= self.first_year:
            pairs = zip(self._days(year), self._year(year), strict=True)
            yield from (one for one in reversed(list(pairs)) if one[0] <= day)
            year -= 1

    def _place(self, day: date) -> tuple[int, int] | None:
        if day >= self.end or day.year < self.first_year:
            return None
        days = self._days(day.year)
        place = bisect_left(days, day)
        if place == len(days) or days[place] != day:
            return None
        closes = self._year(day.year)
        return (closes[place - 1] if place else self._before(day.year)), closes[place]

    def _days(self, year: int) -> tuple[date, ...]:
        days = self.days.of(self.instrument.calendar, year)
        return days[: bisect_left(days, self.end)] if year == self.end.year else days

    def _before(self, year: int) -> int:
        """Return the last close before a year; of the first year its own first."""
        earlier = self._year(year - 1) if year > self.first_year else self._year(year)[:1]
        return earlier[-1] if earlier else self.instrument.units(self.instrument.base)

    def _year(self, year: int) -> array[int]:
        found = self._closes.get(year)
        if found is None:
            for one in range(self.end.year, year - 1, -1):
                if one not in self._closes:
                    self._closes[one] = self._made(one)
            found = self._closes[year]
        return found

    def _made(self, year: int) -> array[int]:
        """Return the closes of a year; those of the years after it are there."""
        days, one = self._days(year), self.instrument
        level = float(one.units(one.base))
        closes = array("q", bytes(8 * len(days)))
        later = next((y for y in range(year + 1, self.end.year + 1) if self._closes[y]), None)
        if later is not None:
            # The first close of the year after, less the change of its day.
            first = self._days(later)[0]
            level = self._closes[later][0] / math.exp(
                self._changes(later)[first.timetuple().tm_yday]
            )
        changes = self._changes(year)
        for place in range(len(days) - 1, -1, -1):
            closes[place] = one.down(level + 1e-6)
            level /= math.exp(changes[days[place].timetuple().tm_yday])
        return closes

    def _changes(self, year: int) -> list[float]:
        """Return how the price changes on each day of a year, whether it trades or not."""
        one = self.instrument
        draw = Random(f"changes {self.seed} {one.family} {one.symbol} {year}")  # noqa: S311
        wide = one.volatility
        return [
            min(max(draw.gauss(0.0, wide) * (3 if draw.random() < 0.02 else 1), -_MOST), _MOST)
            for _ in range(367)
        ]

    def _bar(self, day: date, before: int, close: int) -> Bar:
        one = self.instrument
        name = f"day {self.seed} {one.family} {one.symbol} {day.isoformat()}"
        draw = Random(name)  # noqa: S311 - a market, not a secret
        lower, upper = one.limits(before)
        lower, upper = min(lower, close), max(upper, close)
        wide = one.volatility

        def near(price: float, by: float) -> int:
            return min(max(one.down(price * math.exp(by)), lower), upper)

        opening = near(before, draw.gauss(0.0, wide * 0.35))
        high = max(opening, close, near(max(opening, close), abs(draw.gauss(0.0, wide * 0.4))))
        low = min(opening, close, near(min(opening, close), -abs(draw.gauss(0.0, wide * 0.4))))
        busy = math.exp(draw.gauss(0.0, 0.35)) * (1 + abs(close / before - 1) / wide * 0.3)
        last = (self.end - day).days < _LONGEST_BREAK and self._is_last(day)
        volume = max(_LEAST_VOLUME, one.volume if last else int(one.volume * busy))
        middle = (opening + high + low + close) * volume // 4
        return Bar(
            start=datetime.combine(day, time(0), one.zone),
            open=opening * one.unit,
            high=high * one.unit,
            low=low * one.unit,
            close=close * one.unit,
            volume=volume,
            value=middle * one.unit * one.multiplier,
            last=day,
        )

    def _is_last(self, day: date) -> bool:
        return self.days.before(self.instrument.calendar, self.end) == day
