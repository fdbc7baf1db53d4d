"""Days of domestic stocks before today, and what a year of them comes to (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from bridge.simulator.board.quotes import Day
from bridge.simulator.exchange.market import Listing
from bridge.simulator.history.bars import Bar
from bridge.simulator.history.history import History

__all__ = ["HistoryDays", "Year"]

_STOCK: Final = "domestic_stock"
_YEAR = 250
_WILD = 2.5
"""How many times its usual day's change a price strays from both closes of a day at most."""


@dataclass(frozen=True, slots=True)
class Year:
    """The last 250 trading days of a symbol before today."""

    closes: tuple[int, ...]
    """The latest first."""
    high: int
    high_on: date
    low: int
    low_on: date

    def average(self, last: int, number: int) -> float:
        """Return the average close of so many days, of which the last price is the first."""
        closes = (last, *self.closes[: number - 1])
        return sum(closes) / len(closes)


class HistoryDays:
    """Reads them out of the one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._bars = lru_cache(maxsize=256)(self._drawn)
        self.volatility = lru_cache(maxsize=1_024)(self._drawn_volatility)
        self.year = lru_cache(maxsize=256)(self._year)

    def before(self, listing: Listing, day: date, number: int) -> Sequence[Day]:
        """Return so many trading days before a day, the latest first."""
        return self._bars(listing.symbol, day, number)

    def closes(self, symbol: str, day: date, number: int) -> list[int]:
        """Return so many closes before a day, the latest first; much cheaper than the days."""
        until = day - timedelta(days=1)
        return [int(close) for _, close in self._history.closes(_STOCK, symbol, until, number)]

    def index_days(self, code: str, day: date, number: int) -> Sequence[Day]:
        """Return days of an index before a day, the latest first; prices in hundredths."""
        until = day - timedelta(days=1)
        return [
            Day(
                one.day,
                int(one.open * 100),
                int(one.high * 100),
                int(one.low * 100),
                int(one.close * 100),
                one.volume,
                int(one.value),
            )
            for one in self._history.bars("domestic_index", code, "day", until, number)
        ]

    def _drawn_volatility(self, symbol: str, day: date, number: int) -> float:
        """Return a year's volatility of a stock by so many days before a day; 0 without any."""
        changes = [
            math.log(after / before)
            for after, before in pairwise(self.closes(symbol, day, number + 1))
        ]
        if len(changes) < 2:
            return 0.0
        mean = sum(changes) / len(changes)
        return math.sqrt(sum((one - mean) ** 2 for one in changes) / (len(changes) - 1) * 252)

    def abroad(self, symbol: str, venue: str, until: date, number: int) -> list[Bar]:
        """Return days of a stock abroad until one of its exchange, the latest first."""
        return self._history.bars("overseas_stock", symbol, "day", until, number, venue=venue)

    def _drawn(self, symbol: str, day: date, number: int) -> tuple[Day, ...]:
        until = day - timedelta(days=1)
        return tuple(map(_day, self._history.bars(_STOCK, symbol, "day", until, number)))

    def _year(self, symbol: str, day: date) -> Year:
        """Return the year before a day."""
        days = self._history.closes(_STOCK, symbol, day - timedelta(days=1), _YEAR + 1)
        closes = [int(close) for _, close in days]
        wide = math.exp(self._history.instrument(_STOCK, symbol).volatility * _WILD)
        # Only where a close comes near the year's highest can the day's high be above it.
        highest, lowest = max(closes), min(closes)
        high, high_on, low, low_on = 0, day, highest * 2, day
        for place, (one, close) in enumerate(days[:_YEAR]):
            before = closes[min(place + 1, len(closes) - 1)]
            near_high = max(int(close), before) * wide >= highest
            if not near_high and min(int(close), before) > lowest * wide:
                continue
            bar = self._history.day(_STOCK, symbol, one)
            if bar is not None and bar.high > high:
                high, high_on = int(bar.high), one
            if bar is not None and bar.low < low:
                low, low_on = int(bar.low), one
        return Year(tuple(closes[:_YEAR]), high, high_on, low, low_on)


def _day(bar: Bar) -> Day:
    opening, high, low, close = map(int, (bar.open, bar.high, bar.low, bar.close))
    return Day(bar.day, opening, high, low, close, bar.volume, int(bar.value))
