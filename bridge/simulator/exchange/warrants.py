"""Equity-linked warrants: rights on a stock, listed by their month of expiry (pure).

A symbol says all about its warrant: ``56L012`` is the thirteenth of those that expire in December
of a year that ends with 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from bridge.simulator.exchange import ticks

__all__ = ["UNDERLYINGS", "StockRight", "Warrant", "find_warrant", "warrants_on"]

UNDERLYINGS = ("005930", "000660", "005380", "035420", "105560")
_STRIKES = (90, 100, 110)
"""In percent of what the stock cost when they were listed."""
_EACH = len(_STRIKES) * 2
_WORTH = 5_000
_SYMBOL = re.compile(r"5([0-9])([A-L])([0-9]{3})")
_SOONEST, _LATEST = 20, 110
"""Days until the expiry of those that are listed."""
_LIFE = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class StockRight:
    """What a warrant is worth money for."""

    kind: Literal["call", "put"]
    strike: Decimal

    def intrinsic(self, spot: Decimal) -> Decimal:
        """Return what it brings when it is used."""
        return max(Decimal(0), spot - self.strike if self.kind == "call" else self.strike - spot)


@dataclass(frozen=True, slots=True)
class Warrant:
    """The right to buy (call) or to sell a stock at its strike."""

    symbol: str
    underlying: str
    call: bool
    strike_percent: int
    year_digit: int
    month: int

    def strike(self, base: int) -> int:
        """Return its strike; ``base`` is what the stock cost when it was listed."""
        return ticks.down(base * self.strike_percent // 100)

    def right(self, base: int) -> StockRight:
        return StockRight("call" if self.call else "put", Decimal(self.strike(base)))

    def ratio(self, base: int) -> float:
        """Return how many shares one warrant is for: some 5,000 won's worth."""
        return max(0.0001, round(_WORTH / base, 4))

    def expires(self, today: date) -> date:
        """Return the second Thursday of its month, in the year nearest to today's."""
        year = today.year + (self.year_digit - today.year) % 10
        year -= 10 if year - today.year > 5 else 0
        first = date(year, self.month, 1)
        return first + timedelta(days=(3 - first.weekday()) % 7 + 7)

    def listed_on(self, today: date) -> date:
        return self.expires(today) - _LIFE


def find_warrant(symbol: str) -> Warrant | None:
    """Return what a symbol says, None when it is no warrant's."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None or int(match[3]) >= len(UNDERLYINGS) * _EACH:
        return None
    stock, place = divmod(int(match[3]), _EACH)
    percent = _STRIKES[place // 2]
    month = ord(match[2]) - ord("A") + 1
    return Warrant(symbol, UNDERLYINGS[stock], place % 2 == 0, percent, int(match[1]), month)


def warrants_on(today: date) -> Iterator[Warrant]:
    """Yield those that are listed on a day, by their symbols."""
    for ahead in range(6):
        year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        for number in range(len(UNDERLYINGS) * _EACH):
            one = find_warrant(f"5{year % 10}{chr(ord('A') + month)}{number:03d}")
            if one and _SOONEST <= (one.expires(today) - today).days <= _LATEST:
                yield one
