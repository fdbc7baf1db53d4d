"""What is known of a symbol, for answers that nobody wrote by hand (pure).

An answer made of the workbook's outputs alone would have prices of its own. It asks these sources
first, so that it says the same as the exchange, the order book and the records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from bridge.catalog.model import Api
from bridge.simulator.board.quotes import Quotes
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.listings import LISTED
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.params import Params

__all__ = ["DomesticFacts", "FactSource", "Facts", "OffBookFacts"]

_STOCKS = ("domestic_stock", "etfetn", "elw")
_OFF_BOOK = ("overseas_stock", "domestic_futureoption", "overseas_futureoption")


_NAMED = {
    "domestic_futureoption": ("A01612", "A01703", "B01612400", "C01612400"),
    "overseas_futureoption": ("ESZ26", "NQZ26", "CLF27", "GCG27"),
}
"""What a list of such symbols has in it."""
_EXCHANGES = {
    "NAS": "NASD",
    "NYS": "NYSE",
    "AMS": "AMEX",
    "HKS": "SEHK",
    "SHS": "SHAA",
    "SZS": "SZAA",
    "TSE": "TKSE",
    "HNX": "HASE",
    "HSX": "VNSE",
}
"""KIS's two names of each exchange."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A symbol at a moment; ``base`` is the previous close, ``volume`` and ``value`` the day's."""

    symbol: str
    name: str
    price: Decimal
    base: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    volume: int
    value: int
    previous_volume: int
    decimals: int = 0
    """Of prices, where they are written with any."""
    upper: Decimal | None = None
    lower: Decimal | None = None
    shares: int | None = None
    """Listed ones."""
    at: datetime | None = None
    """The day, of one that is over."""
    asks: tuple[tuple[Decimal, int], ...] = ()
    """Price and size, the best first; so are ``bids``."""
    bids: tuple[tuple[Decimal, int], ...] = ()

    @property
    def change(self) -> Decimal:
        return self.price - self.base

    @property
    def rate(self) -> Decimal:
        """The change in percent."""
        return self.change / self.base * 100 if self.base else Decimal(0)

    @property
    def sign(self) -> str:
        return "3" if not self.change else "2" if self.change > 0 else "5"


class FactSource(Protocol):
    """Knows some symbols."""

    def facts(self, api: Api, symbol: str, now: datetime) -> Facts | None:
        """Return what is known of the symbol that a call names, or None."""

    def listed(self, api: Api, params: Params) -> tuple[str, ...]:
        """Return the symbols of which a call's list is made; none where this is not its market."""


class DomesticFacts:
    """Stocks, ETF and ELW, from the exchange; no market is opened for being asked about."""

    def __init__(self, exchange: Exchange, quotes: Quotes) -> None:
        self._exchange, self._quotes = exchange, quotes

    def facts(self, api: Api, symbol: str, now: datetime) -> Facts | None:
        """Return what the exchange knows."""
        if api.category not in _STOCKS or not listings.plausible(symbol):
            return None
        quote, market = self._quotes.quote(symbol, now), self._exchange.markets.get(symbol)
        asks, bids = [(quote.ask, quote.ask_size)], [(quote.bid, quote.bid_size)]
        if market is not None:
            asks, bids = market.book.depth(Side.SELL), market.book.depth(Side.BUY)
        return Facts(
            symbol=symbol,
            name=quote.listing.name,
            price=Decimal(quote.last),
            base=Decimal(quote.base),
            open=Decimal(quote.open),
            high=Decimal(quote.high),
            low=Decimal(quote.low),
            volume=quote.volume,
            value=quote.value,
            previous_volume=quote.listing.previous_volume,
            upper=Decimal(quote.upper),
            lower=Decimal(quote.lower),
            shares=quote.listing.shares,
            asks=tuple((Decimal(price), size) for price, size in asks),
            bids=tuple((Decimal(price), size) for price, size in bids),
        )

    def listed(self, api: Api, params: Params) -> tuple[str, ...]:
        """Return the stocks that have names."""
        return tuple(listings.KNOWN) if api.category in _STOCKS else ()


class OffBookFacts:
    """Overseas stocks, futures and options: a price and what it was first."""

    def __init__(self, off_book: OffBook) -> None:
        self._off_book = off_book

    def facts(self, api: Api, symbol: str, now: datetime) -> Facts | None:
        """Return what its tape says."""
        if api.category not in _OFF_BOOK or not symbol:
            return None
        tape = self._off_book.tape(symbol).read(now)
        return Facts(
            symbol=symbol,
            name=symbol,
            price=tape.last,
            base=tape.base,
            open=tape.open,
            high=tape.high,
            low=tape.low,
            volume=tape.volume,
            value=int(tape.value),
            previous_volume=tape.instrument.volume,
            decimals=4 if api.category == "overseas_stock" else 2,
        )

    def listed(self, api: Api, params: Params) -> tuple[str, ...]:
        """Return a few symbols of the market, of overseas stocks those of the exchange named."""
        if api.category != "overseas_stock":
            return _NAMED.get(api.category, ())
        exchange = _EXCHANGES.get(params.get("EXCD", "NAS"), "")
        return tuple(symbol for symbol, place in LISTED.items() if place == exchange)
