"""How much every subscription gets, and when the markets move (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.stream.encode import Encoder
from bridge.simulator.stream.feed import SubscriptionFeed
from bridge.simulator.stream.firehose import Loop

__all__ = ["Fed", "RecordPump"]

Fed = tuple[str, str, int]
"""A feed's name: TR id, key, number of values a record."""

_DEFAULT_PER_S = 10.0
_EXCHANGE_PER_S = 100.0
"""Above so many records a second and subscription, records are repeated instead of traded."""
_LOOP = 200
_MOST_TURNS = 50
"""Turns that a market may take at once, so that a held-up process catches up slowly."""


class _Line:
    """A feed, what it is owed, and what is ready to go."""

    __slots__ = ("due", "encoder", "feed", "loop", "owed")

    def __init__(self, feed: SubscriptionFeed, encoder: Encoder) -> None:
        self.feed, self.encoder = feed, encoder
        self.owed = 1.0  # whoever registers is told at once how things stand
        self.due: list[str] = []
        self.loop: Loop | None = None


class RecordPump:
    """Shares ``rate`` records a second among the feeds by weight; None: so much for each."""

    def __init__(self, exchange: Exchange, rate: float | None) -> None:
        self._exchange, self._rate = exchange, rate
        self._feeds: dict[Fed, _Line] = {}
        self._owed: dict[str, float] = {}

    def add(self, fed: Fed, feed: SubscriptionFeed, encoder: Encoder) -> None:
        self._feeds[fed] = _Line(feed, encoder)

    def repeat(self, fed: Fed) -> None:
        """Owe a record to somebody who has joined the readers of a feed."""
        line = self._feeds[fed]
        line.owed = max(line.owed, 1.0)

    def remove(self, fed: Fed) -> None:
        self._feeds.pop(fed, None)

    def turn(self, elapsed: float, now: datetime) -> Iterator[tuple[Fed, list[str]]]:
        """Move the markets by ``elapsed`` seconds; yield what each feed has to send."""
        # Auctions and reservations come by the clock, whether or not anybody watches.
        self._exchange.advance(now)
        weight = sum(line.feed.weight for line in self._feeds.values())
        per_s = self._rate / weight if self._rate is not None and weight else _DEFAULT_PER_S
        loops = per_s > _EXCHANGE_PER_S
        is_open = self._exchange.session(now) == "open"
        markets: dict[str, list[_Line]] = {symbol: [] for symbol in self._exchange.working()}
        alone = []
        for line in self._feeds.values():
            if line.feed.symbol and not is_open:
                continue
            if line.feed.symbol:
                markets.setdefault(line.feed.symbol, []).append(line)
            if loops or not line.feed.symbol:
                alone.append(line)
        for symbol, lines in sorted(markets.items()):
            # Users' orders should fill whatever the rate is.
            trades = per_s if lines and not loops else _DEFAULT_PER_S
            self._trade(symbol, [] if loops else lines, trades * elapsed, now)
        time = now.strftime("%H%M%S")
        for line in alone:
            line.owed += per_s * line.feed.weight * elapsed
            number, line.owed = int(line.owed), line.owed % 1
            if number:
                line.due = (
                    self._loop(line, number, time, now)
                    if loops
                    else line.feed.records(number, [], now)
                )
        for fed, line in list(self._feeds.items()):
            if line.due:
                due, line.due = line.due, []
                yield fed, due

    def _trade(self, symbol: str, lines: list[_Line], number: float, now: datetime) -> None:
        """Move one market by about ``number`` trades, noting after each turn what its feeds say."""
        owed = self._owed.get(symbol, 0.0) + number
        market = self._exchange.market(symbol, now)
        prints = market.collect()
        passed = 0
        for _ in range(_MOST_TURNS):
            for line in lines:
                line.owed += line.feed.weight * passed
                due, line.owed = int(line.owed), line.owed % 1
                line.due += line.feed.records(due, prints, now)
            if owed < 1:
                break
            self._exchange.act(symbol, now)
            prints = market.collect()
            passed = max(1, len(prints))
            owed -= passed
        self._owed[symbol] = owed

    def _loop(self, line: _Line, number: int, time: str, now: datetime) -> list[str]:
        if line.loop is None:
            made = self._ready_made(line.feed, now)
            if not made:
                return []
            line.loop = Loop(line.encoder, made)
        return line.loop.records(number, time)

    def _ready_made(self, feed: SubscriptionFeed, now: datetime) -> list[str]:
        """Return enough records to repeat; none while the market is closed."""
        made: list[str] = []
        for _ in range(_LOOP):
            prints = []
            if feed.symbol:
                self._exchange.act(feed.symbol, now)
                prints = self._exchange.market(feed.symbol, now).collect()
            made += feed.records(1, prints, now)
        return made
