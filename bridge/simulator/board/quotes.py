"""What every listed symbol's day looks like so far (pure, seeded).

A symbol that somebody watches or trades has a market, and its day is read there. All others stand
as they would open, which is remembered for a day without keeping an order book.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple, Protocol

from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.market import Listing, Market
from bridge.simulator.exchange.order_book import Side

__all__ = ["Day", "EarlierDays", "MinuteSoFar", "Quote", "Quotes", "trading_days"]


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a symbol; prices in won."""

    date: date
    open: int
    high: int
    low: int
    close: int
    volume: int
    value: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A symbol at a moment."""

    listing: Listing
    last: int
    open: int
    high: int
    low: int
    lower: int
    upper: int
    volume: int
    value: int
    buys: int
    """Trades that a buyer set off; ``bought`` are their shares."""
    sells: int
    bought: int
    sold: int
    ask: int
    bid: int
    ask_size: int
    bid_size: int
    total_asks: int
    total_bids: int
    high_at: datetime
    low_at: datetime
    fair: float
    """What the traders think of it, which a fund's holdings are worth."""

    @property
    def symbol(self) -> str:
        return self.listing.symbol

    @property
    def base(self) -> int:
        """Yesterday's close."""
        return self.listing.base

    @property
    def change(self) -> int:
        return self.last - self.listing.base

    @property
    def percent(self) -> float:
        """The change in percent of yesterday's close."""
        return self.change / self.listing.base * 100

    def day(self, today: date) -> Day:
        """Return the day as a bar."""
        return Day(today, self.open, self.high, self.low, self.last, self.volume, self.value)

    @property
    def market_cap(self) -> int:
        """In won."""
        return self.last * self.listing.shares


class MinuteSoFar(NamedTuple):
    """A minute of today; ``volume`` is the day's at its end."""

    start: datetime
    close: int
    quantity: int
    volume: int


class EarlierDays(Protocol):
    """Days of symbols before today."""

    def before(self, listing: Listing, day: date, number: int) -> Sequence[Day]:
        """Return so many trading days before a day, the latest first."""


class Quotes:
    """Answers for every symbol."""

    def __init__(self, exchange: Exchange, past: EarlierDays) -> None:
        self._exchange, self._past = exchange, past
        self._previewed = lru_cache(maxsize=512)(self._preview)

    def quote(self, symbol: str, now: datetime) -> Quote:
        """Return a symbol's day so far; no market is opened for it."""
        if symbol in self._exchange.markets:
            return _of_market(self._exchange.market(symbol, now))
        return replace(self._previewed(symbol, now.date(), now.tzinfo), high_at=now, low_at=now)

    def days(self, symbol: str, now: datetime, number: int) -> list[Day]:
        """Return days of a symbol, today first."""
        quote = self.quote(symbol, now)
        before = self._past.before(quote.listing, now.date(), number - 1) if number > 1 else []
        return [quote.day(now.date()), *before]

    def minutes(self, symbol: str, now: datetime, number: int) -> list[MinuteSoFar]:
        """Return today's minutes, the latest first; a market that is not open yet has one."""
        market, quote = self._exchange.markets.get(symbol), self.quote(symbol, now)
        if market is None:
            start = now.replace(second=0, microsecond=0)
            return [MinuteSoFar(start, quote.last, quote.volume, quote.volume)]
        found, volume = [], quote.volume
        for one in market.chart.until(now, number):
            found.append(MinuteSoFar(one.start, one.close, one.quantity, volume))
            volume -= one.quantity
        return found

    def _preview(self, symbol: str, day: date, zone: tzinfo | None) -> Quote:
        # When in the day it would open makes no difference to the prices.
        return _of_market(self._exchange.preview(symbol, datetime.combine(day, time(), zone)))


def trading_days(last: date, number: int) -> list[date]:
    """Return so many weekdays, the latest first and ``last`` at the most."""
    days: list[date] = []
    day = last
    while len(days) < number:
        if day.weekday() < 5:
            days.append(day)
        day -= timedelta(days=1)
    return days


def _of_market(market: Market) -> Quote:
    book = market.book
    ask, bid = book.best(Side.SELL), book.best(Side.BUY)
    return Quote(
        listing=market.listing,
        last=market.last,
        open=market.open,
        high=market.high,
        low=market.low,
        lower=market.lower,
        upper=market.upper,
        volume=market.volume,
        value=market.value,
        buys=market.buys,
        sells=market.sells,
        bought=market.bought,
        sold=market.sold,
        ask=ask,
        bid=bid,
        ask_size=book.size(Side.SELL, ask),
        bid_size=book.size(Side.BUY, bid),
        total_asks=book.total(Side.SELL),
        total_bids=book.total(Side.BUY),
        high_at=market.high_at,
        low_at=market.low_at,
        fair=market.fair,
    )
