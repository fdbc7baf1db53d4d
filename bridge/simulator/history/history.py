"""One past for every symbol of every market: made when it is asked for, the same for a seed (pure).

The day on which the simulator starts and those after it are not in here: they are what the live
markets make of them. The close of the day before is the price at which a symbol starts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice

from bridge.calendar.hours import Calendar
from bridge.runtime.clock import SEOUL
from bridge.simulator.history.bars import Bar, Interval, longer
from bridge.simulator.history.days import CalendarYears, PastDays
from bridge.simulator.history.instruments import Family, Instrument, instrument
from bridge.simulator.history.minutes import minutes_of

__all__ = ["History"]

_SYMBOLS = 256
"""Symbols of which closes are remembered: some 40 kB each with all years."""
_MINUTE_DAYS = 32
"""Days of which minutes are remembered."""
_CONTINUOUS = {"regular", "morning", "afternoon", "globex"}
_AUCTION = "closing_auction"


class History:
    """Bars of the days before the simulator began, which each exchange dates by its own clock."""

    def __init__(self, calendar: Calendar, *, seed: int, began: datetime) -> None:
        self.seed, self._began = seed, began
        self._first = began.astimezone(SEOUL).date()
        self._calendar = calendar
        self._days = CalendarYears(calendar)
        self._past: OrderedDict[tuple[Family, str, str], PastDays] = OrderedDict()
        self._minutes: OrderedDict[tuple[Family, str, str, date], tuple[Bar, ...]] = OrderedDict()

    def instrument(self, market: Family, symbol: str, venue: str = "") -> Instrument:
        return instrument(market, symbol, self.seed, venue, self._first)

    def base(self, market: Family, symbol: str) -> Decimal:
        """Return the close of the last day before the end: where a symbol starts."""
        return self.instrument(market, symbol).base

    def bars(
        self,
        market: Family,
        symbol: str,
        interval: Interval,
        until: datetime | date,
        most: int = 100,
        *,
        venue: str = "",
    ) -> list[Bar]:
        """Return the last bars that had begun by a day, or by a moment; the newest first.

        Weeks, months and years are made of their days up to ``until``.
        """
        day = until.date() if isinstance(until, datetime) else until
        if interval == "minute":
            return list(islice(self._minutes_until(market, symbol, until, venue), most))
        days = self._of(market, symbol, venue).until(day)
        if interval == "day":
            return list(islice(days, most))
        found = longer(list(islice(days, most * _LENGTHS[interval]))[::-1], interval)
        return found[::-1][:most]

    def closes(
        self, market: Family, symbol: str, until: date, most: int
    ) -> list[tuple[date, Decimal]]:
        """Return the last closes until a day, the newest first; much cheaper than their bars."""
        unit = self.instrument(market, symbol).unit
        found = islice(self._of(market, symbol, "").closes(until), most)
        return [(day, close * unit) for day, close in found]

    def day(self, market: Family, symbol: str, day: date, venue: str = "") -> Bar | None:
        """Return the bar of a day; None when nothing was traded."""
        return self._of(market, symbol, venue).bar(day)

    def minutes(self, market: Family, symbol: str, day: date, venue: str = "") -> tuple[Bar, ...]:
        """Return the minutes of a day, oldest first; none when nothing was traded."""
        return self.minutes_on(self.instrument(market, symbol, venue), day)

    def days(self, one: Instrument, until: date) -> Iterator[Bar]:
        """Yield the days of a symbol up to one, the newest first."""
        return self._past_of(one).until(until)

    def minutes_on(self, one: Instrument, day: date) -> tuple[Bar, ...]:
        """Return the minutes of a day of a symbol, oldest first."""
        key = (one.family, one.symbol, one.venue, day)
        found = self._minutes.get(key)
        if found is None:
            bar = self._past_of(one).bar(day)
            begins = self._begins(one, day) if bar else []
            found = minutes_of(bar, begins, one, self.seed) if bar and begins else ()
            self._minutes[key] = found
            if len(self._minutes) > _MINUTE_DAYS:
                self._minutes.popitem(last=False)
        else:
            self._minutes.move_to_end(key)
        return found

    def _minutes_until(
        self, market: Family, symbol: str, until: datetime | date, venue: str
    ) -> Iterator[Bar]:
        one = self.instrument(market, symbol, venue)
        local = until.astimezone(one.zone) if isinstance(until, datetime) else None
        for bar in self._of(market, symbol, venue).until(local.date() if local else until):
            for minute in reversed(self.minutes(market, symbol, bar.day, venue)):
                if local is None or minute.start <= local:
                    yield minute

    def _of(self, market: Family, symbol: str, venue: str) -> PastDays:
        return self._past_of(self.instrument(market, symbol, venue))

    def _past_of(self, one: Instrument) -> PastDays:
        key = (one.family, one.symbol, one.calendar)
        found = self._past.get(key)
        if found is None:
            end = self._began.astimezone(one.zone).date()
            found = self._past[key] = PastDays(one, self.seed, end, self._days)
            if len(self._past) > _SYMBOLS:
                self._past.popitem(last=False)
        else:
            self._past.move_to_end(key)
        return found

    def _begins(self, one: Instrument, day: date) -> list[datetime]:
        """Return the beginnings of the minutes in which a symbol is traded on a day."""
        midnight = datetime.combine(day, time(0), one.zone)
        tomorrow = midnight + timedelta(days=1)
        found: set[datetime] = set()
        for offset in (-1, 0):
            for held in self._calendar.sessions(*one.place, day + timedelta(days=offset)):
                opens, closes = max(held.opens, midnight), min(held.closes, tomorrow)
                if held.session.name == _AUCTION and not offset:
                    found.add(held.closes)
                elif held.session.name in _CONTINUOUS:
                    number = int((closes - opens).total_seconds() // 60)
                    found.update(opens + timedelta(minutes=place) for place in range(number))
        return sorted(found)


_LENGTHS: dict[Interval, int] = {"week": 5, "month": 23, "year": 262}
"""Trading days at most."""
