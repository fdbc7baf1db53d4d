"""What one subscription receives: its channel, its key, its records (pure, seeded)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from bridge.catalog.model import Channel, Code
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.market import Market, Print
from bridge.simulator.history.figures import Figure, of_market, of_tape
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.stream import records
from bridge.simulator.stream.encode import Encoder, Values
from bridge.simulator.stream.price_walks import Index, Overseas, Typed

__all__ = ["KEY", "WEIGHTS", "Source", "SubscriptionFeed"]

WEIGHTS = {"trade": 1.0, "quote": 1.0, "index": 0.5, "expected": 0.2, "program": 0.2, "nav": 0.2}
"""How often a kind is sent, relative to trades."""
_RARE = 0.05

_STOCK_MARKETS = ("domestic_stock", "domestic_etf")
_STOCK_KINDS = frozenset(
    [
        *("trade", "quote", "expected", "program", "member", "status", "nav"),
        *("after_hours_trade", "after_hours_quote", "after_hours_expected"),
    ]
)
"""What the market of a stock can tell; a workbook of one's own may have more."""
_INDEX = re.compile(r"[0-9]{4}")
KEY = re.compile(r"[A-Za-z0-9/. _-]{1,20}")


class SubscriptionFeed:
    """A subscription to market data: ``weight`` says how much, :meth:`records` what."""

    def __init__(self, tr_id: str, key: str, weight: float) -> None:
        self.tr_id, self.key, self.weight = tr_id, key, weight
        self.symbol = ""
        """The symbol whose market must move for this feed; blank: it moves by itself."""

    def records(self, number: int, prints: list[Print], now: datetime) -> list[str]:
        """Return ``number`` records; a trade channel instead one for each of ``prints``.

        ``prints`` are the trades of :attr:`symbol` since the last call, oldest first.
        """
        raise NotImplementedError


class _Stock(SubscriptionFeed):
    """A domestic stock's channel, drawn from its market."""

    def __init__(self, channel: Channel, encoder: Encoder, key: str, exchange: Exchange) -> None:
        super().__init__(channel.tr_id, key, WEIGHTS.get(channel.kind, _RARE))
        self.symbol = key
        self._kind, self._encoder, self._exchange = channel.kind, encoder, exchange
        self._venue = channel.venue if channel.venue in ("krx", "nxt") else ""

    def records(self, number: int, prints: list[Print], now: datetime) -> list[str]:
        market = self._exchange.market(self.key, now)
        if self._kind == "trade":
            shows = self._exchange.timing.shows
            return [
                self._encoder.record(records.trade(market, row))
                for row in prints
                if not self._venue or shows(self._venue, row.at)
            ]
        return [self._record(market, now)] * number

    def _record(self, market: Market, now: datetime) -> str:
        match self._kind:
            case "quote" | "after_hours_quote":
                values = records.quote(market, now)
            case "program":
                values = records.program(market, now)
            case "member":
                values = records.member(market)
            case "status":
                values = records.status(market, self._exchange.halts)
            case "nav":
                values = records.nav(market)
            case _:
                latest = market.latest
                values = {"MKSC_SHRN_ISCD": market.symbol}  # before the first trade, all there is
                values |= records.trade(market, latest) if latest else {}
                values |= {"HOUR_CLS_CODE": "B", "NEW_MKOP_CLS_CODE": "00"}
        return self._encoder.record(values)


class _Drawn(SubscriptionFeed):
    """A channel whose values come from nowhere but a walk of its own."""

    def __init__(
        self,
        channel: Channel,
        encoder: Encoder,
        key: str,
        draw: Callable[[datetime], Values],
        halts: SymbolHalts,
    ) -> None:
        super().__init__(channel.tr_id, key, WEIGHTS.get(channel.kind, _RARE))
        self._encoder, self._draw, self._halts = encoder, draw, halts
        self._trades = channel.kind == "trade"
        self._of = key[4:] if channel.venues else key

    def records(self, number: int, prints: list[Print], now: datetime) -> list[str]:
        if self._trades and self._of in self._halts.halted:
            return []
        return [self._encoder.record(self._draw(now)) for _ in range(number)]


class Source:
    """Makes feeds; refuses keys that KIS would refuse."""

    def __init__(
        self,
        exchange: Exchange,
        seed: int,
        codes: Mapping[str, tuple[Code, ...]],
        off_book: OffBook,
    ) -> None:
        self._exchange, self._seed, self._codes = exchange, seed, codes
        self._off_book = off_book

    def feed(self, channel: Channel, encoder: Encoder, key: str) -> SubscriptionFeed:
        """Return the feed of a subscription; raise ValueError when the key cannot exist."""
        modelled = channel.market in _STOCK_MARKETS and channel.kind in _STOCK_KINDS
        if modelled and channel.timezone == "Asia/Seoul":
            if not listings.plausible(key):
                raise ValueError(f"no such key: {key!r}")
            return _Stock(channel, encoder, key, self._exchange)
        draw = self._draw(channel, encoder, key)
        return _Drawn(channel, encoder, key, draw, self._off_book.halts)

    def _draw(self, channel: Channel, encoder: Encoder, key: str) -> Callable[[datetime], Values]:
        if channel.tr_id in ("H0UPCNT0", "H0UPANC0"):
            if not _INDEX.fullmatch(key):
                raise ValueError(f"no such key: {key!r}")
            return Index(key, self._off_book.tapes.tape("domestic_index", key)).values
        if channel.venues:
            stock = Overseas(key, self._off_book)
            if all(venue.prefix[1:] != key[1:4] for venue in channel.venues):
                raise ValueError(f"no such key: {key!r}")
            return stock.trade if channel.kind == "trade" else stock.quote
        if not KEY.fullmatch(key):
            raise ValueError(f"no such key: {key!r}")
        name = channel.key or channel.symbol or encoder.layout.fields[0].name
        figures = self._figures(channel, key)
        typed = Typed(encoder.layout, key, self._seed, self._codes, figures)
        return lambda now: typed.values(now, name)

    def _figures(self, channel: Channel, key: str) -> Callable[[datetime], Mapping[str, Figure]]:
        """Return what lets a symbol trade, where records are trades, and tells its figures."""
        trades = channel.kind == "trade"

        def of_book(now: datetime) -> Mapping[str, Figure]:
            if trades:
                self._exchange.act(key, now)
            return of_market(self._exchange.market(key, now))

        def of_off_book(now: datetime) -> Mapping[str, Figure]:
            if trades:
                self._off_book.turn(key, now)
            return of_tape(self._off_book.tape(key).read(now))

        def of_index(now: datetime) -> Mapping[str, Figure]:
            tape = self._off_book.tapes.tape("domestic_index", key).read(now)
            if trades or channel.kind == "index":
                tape.turn(now)
            return of_tape(tape)

        if channel.market == "domestic_elw" and listings.plausible(key):
            return of_book
        off_book = ("domestic_derivative", "domestic_bond", "overseas_derivative")
        return of_off_book if channel.market in off_book and channel.kind != "index" else of_index
