"""What is traded today of symbols that have no order book (pure, seeded).

One tape for each symbol: orders, records and quotations all read it, so that they tell the same.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from random import Random
from typing import NamedTuple

from bridge.simulator.history.abroad import find_abroad
from bridge.simulator.history.bars import Bar
from bridge.simulator.history.instruments import Family, Instrument, instrument

__all__ = ["Tape", "TapePrint", "Tapes"]

_TAPES = 2_000
"""Symbols that are remembered; one that was not asked for the longest starts anew."""
_MINUTES = 24 * 60
_PRINTS = 120
_TURNS_A_DAY = 2_000
"""A turn moves the price by as much as so many of them need to make a usual day."""
_OPENING = 0.02
"""Part of a usual day's volume that its first trade has."""
_PULL = 1e-4
_MOST = 400
"""Quantity of a trade at most; of an index those of all its stocks since the last turn."""
_MOST_OF_INDEX = 400_000


class TapePrint(NamedTuple):
    """One trade and the day's figures right after it; ``bought``: the taker was a buyer."""

    at: datetime
    price: Decimal
    quantity: int
    bought: bool
    volume: int
    value: Decimal
    strength: Decimal
    """What buyers took in percent of what sellers did."""


@dataclass(slots=True, eq=False)
class Tape:
    """The price of one symbol and its day at the exchange, which is local."""

    instrument: Instrument
    random: Random
    base: Decimal
    """Yesterday's close."""
    last: Decimal
    day: date | None = None
    open: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    low: Decimal = Decimal(0)
    volume: int = 0
    value: Decimal = Decimal(0)
    bought: int = 0
    sold: int = 0
    quantity: int = 0
    """Of the last trade."""
    latest: datetime | None = None
    minutes: deque[Bar] = field(default_factory=lambda: deque(maxlen=_MINUTES))
    prints: deque[TapePrint] = field(default_factory=lambda: deque(maxlen=_PRINTS))
    passed: deque[Bar] = field(default_factory=lambda: deque(maxlen=30))
    """Days since the simulator began, oldest first."""
    yesterday: tuple[Bar, ...] = ()
    """Minutes of the last of them."""
    held: bool = False
    """It trades, and stays at its price."""

    def read(self, now: datetime) -> Tape:
        """Return the tape as it is now: a new day has begun, and opened at its base."""
        if self.day != now.astimezone(self.instrument.zone).date():
            quantity = max(1, int(self.instrument.volume * _OPENING))
            self.print(self._opening(), quantity, now)
        return self

    def _opening(self) -> Decimal:
        """Return the first price of a day: that of an invented firm has moved over night."""
        one = self.instrument
        firm = find_abroad(one.symbol) if one.family == "overseas_stock" else None
        if firm is None or firm.real:
            return self.last
        units = float(self.last / one.unit) * (1 + self.random.gauss(0.0, one.volatility))
        return one.down(units) * one.unit

    def turn(self, now: datetime) -> Decimal:
        """Trade once at a price that wanders, and return it."""
        self.read(now)
        one, draw = self.instrument, self.random
        most = _MOST_OF_INDEX if one.family.endswith("index") else _MOST
        if self.held:
            self.print(self.last, draw.randrange(1, most), now)
            return self.last
        units = float(self.last / one.unit)
        spread = one.volatility / _TURNS_A_DAY**0.5
        units += float(self.base / one.unit - self.last / one.unit) * _PULL
        lower, upper = one.limits(one.units(self.base))
        moved = one.down(units * (1 + draw.gauss(0.0, spread)) + 0.5)
        if lower <= units <= upper:  # else somebody has put it there
            moved = min(max(moved, lower), upper)
        self.print(moved * one.unit, draw.randrange(1, most), now)
        return self.last

    def print(self, price: Decimal, quantity: int, now: datetime) -> None:
        """Enter a trade."""
        local = now.astimezone(self.instrument.zone)
        if self.day != local.date():
            self._begin(local.date())
        if not self.volume:
            self.open = self.high = self.low = price
        bought = price > self.last or (price == self.last and self.random.random() < 0.5)
        self.last, self.quantity, self.latest = price, quantity, now
        self.high, self.low = max(self.high, price), min(self.low, price)
        money = price * quantity * self.instrument.multiplier
        self.volume += quantity
        self.value += money
        if bought:
            self.bought += quantity
        else:
            self.sold += quantity
        self._count(local.replace(second=0, microsecond=0), price, quantity, money)
        self.prints.append(
            TapePrint(now, price, quantity, bought, self.volume, self.value, self.strength)
        )

    @property
    def strength(self) -> Decimal:
        return Decimal(100 * self.bought) / self.sold if self.sold else Decimal(0)

    def bar(self) -> Bar | None:
        """Return the day so far; None: nothing was traded."""
        if self.day is None or not self.volume:
            return None
        start = datetime.combine(self.day, time(0), self.instrument.zone)
        return Bar(
            *(start, self.open, self.high, self.low, self.last, self.volume, self.value, self.day)
        )

    def _begin(self, day: date) -> None:
        if (bar := self.bar()) is not None:
            self.passed.append(bar)
            self.yesterday = tuple(self.minutes)
        self.minutes.clear()
        self.prints.clear()
        if self.day is not None:
            self.base = self.last
        self.day = day
        self.volume = self.bought = self.sold = 0
        self.value = Decimal(0)

    def _count(self, start: datetime, price: Decimal, quantity: int, money: Decimal) -> None:
        last = self.minutes[-1] if self.minutes else None
        if last is None or last.start != start:
            self.minutes.append(
                Bar(start, price, price, price, price, quantity, money, start.date())
            )
            return
        self.minutes[-1] = replace(
            last,
            high=max(last.high, price),
            low=min(last.low, price),
            close=price,
            volume=last.volume + quantity,
            value=last.value + money,
        )


class Tapes:
    """The tapes of all symbols; ``first`` is the simulator's first day in Korea."""

    def __init__(self, seed: int, first: date) -> None:
        self.seed, self.first = seed, first
        self._tapes: OrderedDict[tuple[Family, str], Tape] = OrderedDict()
        self.listed: Callable[[Tape], None] = lambda tape: None
        """Is told of each symbol that is new."""

    def __len__(self) -> int:
        return len(self._tapes)

    def tape(self, market: Family, symbol: str, venue: str = "") -> Tape:
        """Return the tape of a symbol, which starts at the last close of its history."""
        found = self._tapes.get((market, symbol))
        if found is None:
            one = instrument(market, symbol, self.seed, venue, self.first)
            draw = Random(f"tape {self.seed} {market} {symbol}")  # noqa: S311 - a market
            found = self._tapes[market, symbol] = Tape(one, draw, one.base, one.base)
            self.listed(found)
            if len(self._tapes) > _TAPES:
                self._tapes.popitem(last=False)
        else:
            self._tapes.move_to_end((market, symbol))
        return found
