"""Candles of the trades that are subscribed, published beside them.

The market line adds each trade to the tally of its second. All the rest is done here, once a second
and in slices, so that records never wait for candles.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo

import structlog

from bridge.catalog.model import Channel
from bridge.config.candles import MOST_CANDLES, Interval
from bridge.extensions.candles.chart import chart_of
from bridge.extensions.candles.days import TradingDays
from bridge.extensions.candles.mender import Mender, Torn
from bridge.extensions.candles.series import Candle, Due, Series
from bridge.extensions.candles.trades import TradeReader, TradeTable
from bridge.extensions.context import ExtensionContext
from bridge.feed.policies import REVISED
from bridge.kis.decode import Route
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.runtime.clock import now_us
from bridge.subscriptions.request import Wanted, split_key

__all__ = ["Candles"]

log = structlog.get_logger()

_SECOND = 1_000_000
_SLICE = 100
"""Symbols, or candles, after which whatever else waits has its turn: about a third of a ms."""
_MOST_SECONDS = 1_000
"""Seconds of a symbol's trades between two turns: a line that goes mad can invent any number."""
_UNSURE_US = 2 * _SECOND
"""A record that could not be read may be of a trade so long before it came."""


_Places: TypeAlias = dict[Interval, tuple[Route, Route]]
"""Interval → its topic, and the same topic for corrections of older candles."""


class _Symbol:
    """The candles of one subscription, and where they go."""

    def __init__(
        self,
        wanted: Wanted,
        route: Route,
        reader: TradeReader,
        series: Series,
        places: _Places,
    ) -> None:
        self.wanted = wanted
        self.route = route
        self.reader = reader
        self.series = series
        self.places = places
        self.name = json.dumps(route.symbol, ensure_ascii=False)
        self.torn: Torn | None = None
        """What mends it; None: nothing does."""
        self.live_at = 0
        """When KIS was last known to deliver it."""
        route.tap = reader.tap


class Candles:
    """The extension; `[[candles]]` says of what."""

    def __init__(self, context: ExtensionContext) -> None:
        self._context = context
        self._config = context.config.candles
        self._symbols: dict[Wanted, _Symbol] = {}
        self._tables: dict[tuple[str, str], TradeTable] = {}
        """By channel and venue."""
        self._keys: set[tuple[str, str]] = set()
        """Channel and key of all symbols."""
        self._doubts: dict[tuple[str, str], tuple[int, int]] = {}
        """Channel and key, either blank for all, → when something of them was not decoded."""
        self._refused: set[Wanted] = set()
        """Those that the configuration does not ask for, or that are too many."""
        self._full = False
        self._count = 0
        self._known_days = context.calendar.known

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to listen."""
        self._context.events.listen(self._heard)
        tasks.create_task(self._run())
        kis, rests = self._context.config.kis, self._context.rests.values()
        if rests and any(entry.mend for entry in self._config):
            mender = Mender(rests, self._context.clock, kis.rest_per_second)
            tasks.create_task(mender.run(self._torn))

    async def stop(self) -> None:
        """Take nothing any more."""
        for symbol in self._symbols.values():
            symbol.route.tap = None

    # running

    async def _run(self) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(1 - self._context.clock() % _SECOND / _SECOND)

    async def turn(self) -> None:
        """See what is live, count what has come, and publish; once a second."""
        now = self._context.clock()
        self._look(now)
        self._settle_doubts()
        await self._take()
        await self._publish(now)

    def _look(self, now: int) -> None:
        """See what KIS delivers by now, and what no more."""
        if self._context.calendar.known is not self._known_days:
            self._known_days = self._context.calendar.known
            for table in self._tables.values():
                table.days.forget()
        channels = self._context.catalog.channels
        live = {one for one in self._context.live() if channels[one.channel].kind == "trade"}
        for wanted in live:
            found = self._symbols.get(wanted)
            if found is None and wanted not in self._refused:
                found = self._open(wanted, channels[wanted.channel])
            if found is not None:
                self._tapped(found, now)
                found.series.covered(now)
                found.live_at = now
        for wanted, symbol in list(self._symbols.items()):
            if wanted not in live:
                symbol.series.uncovered(symbol.live_at)
                if symbol.series.is_empty:
                    self._drop(wanted)
        self._refused &= live

    def _open(self, wanted: Wanted, channel: Channel) -> _Symbol | None:
        venue, name = split_key(channel, wanted.key)
        chosen = [one for one in self._config if one.matches(channel.market, venue, name)]
        intervals = dict.fromkeys(interval for one in chosen for interval in one.intervals)
        context = self._context
        route = context.pump.destination(wanted.tr_id, wanted.key, name) if intervals else None
        if route is None or self._is_too_many(len(intervals)):
            self._refused.add(wanted)
            return None
        self._count += len(intervals)
        zones = {one.venue: one.timezone for one in channel.venues}
        zone = zones.get(venue, channel.timezone)
        table = self._tables.get((channel.tr_id, venue))
        if table is None:
            always = context.config.kis.environment == "simulator"
            days = TradingDays(context.calendar, channel.market, venue, zone, always=always)
            table = TradeTable(context.catalog, channel, route.zone, days)
            table.skew = self._skew()
            self._tables[channel.tr_id, venue] = table
        places = {interval: self._places(route, interval) for interval in intervals}
        reader = TradeReader(table, _MOST_SECONDS)
        paper = context.config.kis.paper
        mends = any(one.mend for one in chosen)
        chart = chart_of(context.catalog, channel, venue, name, paper=paper) if mends else None
        series = Series(intervals, table.days, ZoneInfo(zone), mends=chart is not None)
        symbol = self._symbols[wanted] = _Symbol(wanted, route, reader, series, places)
        symbol.torn = None if chart is None else Torn(series, chart)
        return symbol

    def _torn(self) -> list[Torn]:
        return [one.torn for one in self._symbols.values() if one.torn is not None]

    def _places(self, route: Route, interval: Interval) -> tuple[Route, Route]:
        place = self._context.pump.beside(route, f"candle_{interval}")
        # The same topic, but of another kind: what is corrected must not replace what is retained.
        channel = replace(self._context.catalog.channels[route.channel], kind=REVISED)
        revised = Route(channel, place.venue, place.symbol, place.topic, place.zone)
        return place, revised

    def _is_too_many(self, more: int) -> bool:
        if self._count + more <= MOST_CANDLES:
            return False
        if not self._full:
            self._full = True
            message = f"candles: more than {MOST_CANDLES} symbols times intervals, others have none"
            self._context.events.tell({"kind": "config_warning", "message": message})
        return True

    def _tapped(self, symbol: _Symbol, now: int) -> None:
        """See that records still come here: a route is made anew when there were too many."""
        route = self._context.pump.destination(
            symbol.wanted.tr_id, symbol.wanted.key, symbol.route.symbol
        )
        if route is not None and route is not symbol.route:
            symbol.route, route.tap = route, symbol.reader.tap
            symbol.series.lose(symbol.live_at, now)

    def _drop(self, wanted: Wanted) -> None:
        symbol = self._symbols.pop(wanted)
        symbol.route.tap = None
        self._count -= len(symbol.places)
        for place, _ in symbol.places.values():
            self._context.pump.let_go(place)

    async def _take(self) -> None:
        """Put what was traded since the last turn into candles."""
        skew = self._skew()
        for table in self._tables.values():
            table.skew = skew
        for number, symbol in enumerate(list(self._symbols.values()), 1):
            sold, unread = symbol.reader.take()
            for moment, tally, received_at in sold:
                symbol.series.add(moment, tally, received_at)
            if unread is not None:
                symbol.series.lose(unread[0] - _UNSURE_US, unread[1])
            if not number % _SLICE:
                await asyncio.sleep(0)

    def _skew(self) -> int:
        """Return how far KIS's clock, by which trades have their time, is ahead of ours."""
        return self._context.clock() - now_us()

    async def _publish(self, now: int) -> None:
        lane = self._context.lane
        for number, (symbol, due) in enumerate(self._due(now), 1):
            place, revised = symbol.places[due.candle.interval]
            payload = _payload(symbol.name, due.candle)
            if due.newest:
                place.seq += 1
                lane.put(place, payload)
            else:
                lane.put(revised, payload)
            if not number % _SLICE:
                await asyncio.sleep(0)

    def _due(self, now: int) -> Iterator[tuple[_Symbol, Due]]:
        for symbol in list(self._symbols.values()):
            for due in symbol.series.turn(now):
                yield symbol, due

    # what is missing

    def _heard(self, event: BridgeEvent) -> None:
        if event["kind"] == "gap":
            rows = cast("Mapping[str, Any]", event).get("subscriptions", ())
            gaps = {(row["channel"], row["key"]): row for row in rows}
            for symbol in self._symbols.values() if gaps else ():
                row = gaps.get((symbol.wanted.channel, symbol.wanted.key))
                if row is not None:
                    skew = self._skew()
                    symbol.series.lose(row["from"] + skew, row["to"] + skew)
        elif event["kind"] == "quarantined":
            self._unread(event["channel"], event["raw"] or "")

    def _unread(self, tr_id: str, raw: str) -> None:
        """Note that a record, or a whole frame, was not decoded: whose was it?

        Only noted, since a faulty line can have thousands of them in a second.
        """
        channel = self._context.catalog.channel(tr_id)
        if channel is not None and channel.kind != "trade":
            return
        name, key = "" if channel is None else channel.tr_id, ""
        values = raw.split("^")
        layout = None if channel is None else channel.layout(len(values))
        if channel is not None and layout is not None:
            # One record of a known width: its key stands where it always does.
            field = channel.key or channel.symbol
            keys = [values[i] for i, one in enumerate(layout.fields) if one.name == field]
            key = next((one for one in keys if (name, one) in self._keys), "")
        now = self._context.clock()
        since, _ = self._doubts.get((name, key), (now - _UNSURE_US, 0))
        self._doubts[name, key] = since, now + 1

    def _settle_doubts(self) -> None:
        """Have the candles know what was not decoded since the last turn."""
        doubts, self._doubts = self._doubts, {}
        for wanted, symbol in self._symbols.items() if doubts else ():
            for name in (("", ""), (wanted.channel, ""), (wanted.channel, wanted.key)):
                if name in doubts:
                    symbol.series.lose(*doubts[name])
        self._keys = {(wanted.channel, wanted.key) for wanted in self._symbols}


def _payload(name: str, candle: Candle) -> bytes:
    """Return the JSON; numbers have every decimal."""
    tally = candle.tally
    value = "null" if tally.value is None else format(tally.value, "f")
    trades = "null" if tally.trades is None else tally.trades
    return (
        f'{{"symbol":{name},"start":"{candle.text}","open":{tally.open:f},"high":{tally.high:f},'
        f'"low":{tally.low:f},"close":{tally.close:f},"volume":{tally.volume:f},"value":{value},'
        f'"trades":{trades},"closed":{"true" if candle.closed else "false"},'
        f'"complete":{"true" if candle.complete else "false"}}}'
    ).encode()
