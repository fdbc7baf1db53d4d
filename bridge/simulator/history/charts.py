"""Charts: the past as it was drawn, then the days since the start, then today as it is (pure)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import groupby

from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.history.bars import Bar, Interval, begin_of, joined
from bridge.simulator.history.history import History
from bridge.simulator.history.instruments import Family, Instrument
from bridge.simulator.history.tapes import Tapes

__all__ = ["ChartMinute", "ChartRow", "Charts", "market_of"]

_STOCK: Family = "domestic_stock"
_KEPT_MARKETS = 3_000
_KEPT_DAYS = 30
_KEPT_SYMBOLS = 512
_KEPT_MINUTES = 64
"""Days of live minutes that are remembered over all symbols."""


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A bar and the close before it."""

    bar: Bar
    before: Decimal


@dataclass(frozen=True, slots=True)
class ChartMinute:
    """A minute, what its day had traded at its end, and the close of the day before."""

    bar: Bar
    volume: int
    value: Decimal
    before: Decimal


class Charts:
    """Bars of every symbol up to now."""

    def __init__(self, history: History, exchange: Exchange, tapes: Tapes) -> None:
        self._history, self._exchange, self._tapes = history, exchange, tapes
        self._passed: OrderedDict[str, deque[Bar]] = OrderedDict()
        self._minutes: OrderedDict[tuple[str, date], tuple[Bar, ...]] = OrderedDict()
        exchange.on_close = self._close

    def instrument(self, family: Family, symbol: str, venue: str = "") -> Instrument:
        """Return what is known of a symbol; of a venue, what its trades of today say."""
        if family == _STOCK:
            return self._history.instrument(family, symbol)
        return self._tapes.tape(family, symbol, venue).instrument

    def rows(
        self,
        family: Family,
        symbol: str,
        interval: Interval,
        now: datetime,
        *,
        since: date = date.min,
        until: date = date.max,
        most: int = 100,
        venue: str = "",
    ) -> list[ChartRow]:
        """Return the bars of the days between two days, the newest first."""
        found: list[Bar] = []
        days = self.days(family, symbol, now, venue, until=until)
        for _, parts in groupby(days, lambda bar: begin_of(bar.day, interval)):
            found.append(joined(list(parts)[::-1]))
            # One more than is told, for its close.
            if len(found) > most or found[-1].last < since:
                break
        closes = [bar.close for bar in found[1:]]
        closes += [bar.open for bar in found[-1:]]
        rows = [ChartRow(bar, before) for bar, before in zip(found, closes, strict=True)]
        return [row for row in rows if row.bar.last >= since][:most]

    def days(
        self,
        family: Family,
        symbol: str,
        now: datetime,
        venue: str = "",
        *,
        until: date = date.max,
    ) -> Iterator[Bar]:
        """Yield the days with trades, the newest first."""
        for bar in self._live_days(family, symbol, now, venue):
            if bar.day <= until:
                yield bar
        yield from self._history.days(self.instrument(family, symbol, venue), until)

    def minutes(
        self,
        family: Family,
        symbol: str,
        now: datetime,
        until: datetime,
        *,
        venue: str = "",
        since: date = date.min,
    ) -> Iterator[ChartMinute]:
        """Yield the minutes that had begun by a moment, back to a day, the newest first."""
        one = self.instrument(family, symbol, venue)
        local = until.astimezone(one.zone)
        days = self.days(family, symbol, now, venue, until=local.date())
        bar = next(days, None)
        while bar is not None and bar.day >= since:
            earlier = next(days, None)
            before = earlier.close if earlier else bar.open
            volume, value = bar.volume, bar.value
            for minute in reversed(self._minutes_of(one, bar.day, now, venue)):
                if minute.start <= local:
                    yield ChartMinute(minute, volume, value, before)
                volume, value = volume - minute.volume, value - minute.value
            bar = earlier

    # today and the days since the start

    def _live_days(self, family: Family, symbol: str, now: datetime, venue: str) -> list[Bar]:
        if family == _STOCK:
            market = market_of(self._exchange, symbol, now)
            bars = [*self._passed.get(symbol, ()), _day_of(market)]
        else:
            tape = self._tapes.tape(family, symbol, venue).read(now)
            bars = [*tape.passed, *filter(None, [tape.bar()])]
        return bars[::-1]

    def _minutes_of(self, one: Instrument, day: date, now: datetime, venue: str) -> tuple[Bar, ...]:
        if one.family == _STOCK:
            market = market_of(self._exchange, one.symbol, now)
            if day == market.opened_at.date():
                return _minutes_of(market)
            if any(bar.day == day for bar in self._passed.get(one.symbol, ())):
                return self._minutes.get((one.symbol, day), ())
        else:
            tape = self._tapes.tape(one.family, one.symbol, venue)
            if day == tape.day:
                return tuple(tape.minutes)
            if tape.passed and day == tape.passed[-1].day:
                return tape.yesterday
            if any(bar.day == day for bar in tape.passed):
                return ()
        return self._history.minutes_on(one, day)

    def _close(self, market: Market) -> None:
        """Keep what a day of the exchange has come to."""
        bar = _day_of(market)
        self._passed.setdefault(market.symbol, deque(maxlen=_KEPT_DAYS)).append(bar)
        self._passed.move_to_end(market.symbol)
        self._minutes[market.symbol, bar.day] = _minutes_of(market)
        if len(self._passed) > _KEPT_SYMBOLS:
            self._passed.popitem(last=False)
        if len(self._minutes) > _KEPT_MINUTES:
            self._minutes.popitem(last=False)


def market_of(exchange: Exchange, symbol: str, now: datetime) -> Market:
    """Return the market of a stock; after very many it is only looked at, and not kept."""
    if len(exchange.markets) < _KEPT_MARKETS or symbol in exchange.markets:
        return exchange.market(symbol, now)
    if not listings.plausible(symbol):
        raise OrderRefused("symbol")
    return exchange.preview(symbol, now)


def _day_of(market: Market) -> Bar:
    """Return the day of a symbol that has an order book."""
    at = market.opened_at
    return Bar(
        datetime.combine(at.date(), time(0), at.tzinfo),
        Decimal(market.open),
        Decimal(market.high),
        Decimal(market.low),
        Decimal(market.last),
        market.volume,
        Decimal(market.value),
        at.date(),
    )


def _minutes_of(market: Market) -> tuple[Bar, ...]:
    rows, before = [], 0
    for one in market.chart:
        money = Decimal(one.value - before)
        before = one.value
        rows.append(
            Bar(
                one.start,
                Decimal(one.open),
                Decimal(one.high),
                Decimal(one.low),
                Decimal(one.close),
                one.quantity,
                money,
                one.start.date(),
            )
        )
    return tuple(rows)
