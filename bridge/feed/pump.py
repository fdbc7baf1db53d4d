"""The market-data line: KIS frame ─ decode ─ lane ─ MQTT.

It never waits for anything, because it runs inside the loop that reads KIS's socket: whatever it
waited for would hold up every other symbol, and the PINGPONG that keeps the session alive.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import nsmallest

import structlog

from bridge.catalog.model import Catalog, Channel
from bridge.errors import DecodeError
from bridge.feed.lane import Lane
from bridge.kis.decode import ChannelDecoder, Drift, Problem, Quarantined, Route, Subscribed
from bridge.kis.frames import DataFrame
from bridge.kis.values import Zone
from bridge.mqtt.topics import Topics
from bridge.runtime.allowance import Allowance

__all__ = ["OTHER", "Counters", "Pump"]

log = structlog.get_logger()

OTHER = "other"
"""What all TR ids are counted under that the workbook does not know."""
_MOST_TOPICS = 16_384
"""More than all slots of all app keys have in a day; a faulty line can invent any number."""
_MOST_STRANGERS = 1_024
_STRANGER_S = 10.0
"""Topics of symbols that nobody subscribed: so many at once, and then one in so many seconds. KIS
spells some symbols otherwise than the key, and a record can come late. A faulty line can invent any
number, and the broker keeps a value for each."""


@dataclass(slots=True)
class Counters:
    """What went through the pump since the bridge started."""

    frames: int = 0
    records: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    """Records that did not decode, by channel; of unknown ones together."""
    drifted: Counter[str] = field(default_factory=Counter)


class Pump:
    """Decodes frames and puts their records into the lane."""

    def __init__(
        self,
        catalog: Catalog,
        topics: Topics,
        lane: Lane,
        on_problem: Callable[[Problem], None],
        name_of: Callable[[str, str], str] = lambda market, symbol: "",
        subscribed: Subscribed = lambda tr_id, key: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; ``name_of(market, symbol)`` is put into the payloads unless it is blank.

        ``subscribed`` is asked about symbols that are new, and about records that name no exchange.
        """
        self._catalog = catalog
        self._topics = topics
        self._lane = lane
        self._on_problem = on_problem
        self._name_of = name_of
        self._subscribed = subscribed
        self._decoders: dict[str, ChannelDecoder] = {}
        self._routes: dict[str, Route] = {}
        self._made: dict[str, Route] = {}
        """Topics of what is made of records."""
        self._clock = clock
        self._strangers = Allowance(_MOST_STRANGERS, _STRANGER_S)
        self.counters = Counters()

    def frame(self, frame: DataFrame, received_at: int) -> None:
        """Publish the records of a plain frame that arrived at ``received_at`` (µs, epoch)."""
        decoder = self._decoders.get(frame.tr_id)
        if decoder is None and (decoder := self.prepare(frame.tr_id)) is None:
            self._problem(
                Quarantined(frame.tr_id, "no such channel in the workbook", "", frame.count)
            )
            return
        counters, lane = self.counters, self._lane
        counters.frames += 1
        counters.records += frame.count
        lane.arrived(received_at)
        problems = decoder.decode(frame.body, frame.count, received_at, lane.put)
        if problems:
            for problem in problems:
                self._problem(problem)

    def prepare(self, tr_id: str) -> ChannelDecoder | None:
        """Compile a channel's layouts, so that its first record need not wait for that.

        Returns None when the workbook has no such market data.
        """
        channel = self._catalog.channel(tr_id)
        if channel is None or channel.encrypted:
            return None
        decoder = self._decoders.get(tr_id)
        if decoder is None:
            decoder = ChannelDecoder(channel, self._route, self._subscribed)
            self._decoders[tr_id] = decoder
        return decoder

    def routes(self) -> Iterable[Route]:
        """Return every topic that had a record, with its newest one."""
        return [route for route in self._routes.values() if route.last]

    def destination(self, tr_id: str, key: str, symbol: str) -> Route | None:
        """Return where the records of a key go, also before there is one; None: nowhere."""
        decoder = self.prepare(tr_id)
        try:
            return None if decoder is None else decoder.route(key, symbol)
        except DecodeError:
            return None

    def beside(self, route: Route, kind: str) -> Route:
        """Return a topic for what is made of a route's records, named and kept like theirs."""
        channel = replace(self._catalog.channels[route.channel], kind=kind)
        topic = self._topics.market(route.market, route.venue, kind, route.symbol)
        made = Route(channel, route.venue, route.symbol, topic, route.zone)
        self._made[topic] = made
        return made

    def let_go(self, made: Route) -> None:
        """Say that nothing more comes of what :meth:`beside` gave."""
        self._made.pop(made.topic, None)

    def retained(self) -> Iterable[Route]:
        """Return all that a broker that starts anew has to be told again."""
        return [*self.routes(), *(made for made in self._made.values() if made.last)]

    def route(self, topic: str) -> Route | None:
        """Return one of them; None: there was no record yet."""
        return self._routes.get(topic)

    def last_price(self, market: str, venue: str, symbol: str, since: int = 0) -> Decimal | None:
        """Return the price of the last trade seen on this venue since then (µs), or None."""
        topic = self._topics.market(market, venue, "trade", symbol)
        route = self._routes.get(topic)
        if route is None or route.traded is None:
            return None
        layout, values, received_at = route.traded
        return layout.number(values, "price") if received_at >= since else None

    def _route(self, channel: Channel, venue: str, symbol: str, zone: Zone) -> Route:
        topic = self._topics.market(channel.market, venue, channel.kind, symbol)
        route = self._routes.get(topic)
        if route is None:
            wanted = self._wanted(channel, venue, symbol)
            if not (wanted or self._strangers.take(self._clock())):
                raise DecodeError("too many symbols that nobody subscribed")
            if len(self._routes) >= _MOST_TOPICS:
                self._forget()
            route = self._routes[topic] = Route(channel, venue, symbol, topic, zone)
            named = any(field.path == "name" for field in channel.layouts[0].fields)
            if not named and (name := self._name_of(channel.market, symbol)):
                route.tail = f',"name":{json.dumps(name, ensure_ascii=False)}}}'
        return route

    def _wanted(self, channel: Channel, venue: str, symbol: str) -> bool:
        """Tell whether somebody wants the records of a topic, as far as its symbol is the key."""
        prefix = next((one.prefix for one in channel.venues if one.venue == venue), "")
        return self._subscribed(channel.tr_id, prefix + symbol)

    def _forget(self) -> None:
        """Let go of half of the topics: of what nobody wants, those with the fewest records."""

        def worth(route: Route) -> tuple[bool, int]:
            channel = self._catalog.channels[route.channel]
            return self._wanted(channel, route.venue, route.symbol), route.seq

        rare = nsmallest(_MOST_TOPICS // 2, self._routes.values(), key=worth)
        for route in rare:
            del self._routes[route.topic]
        # The decoders remember routes as well, and would go on feeding those that are gone.
        for decoder in self._decoders.values():
            decoder.forget()
        log.warning("too many symbols: the rarest are forgotten", topics=len(rare))

    def _problem(self, problem: Problem) -> None:
        match problem:
            case Quarantined():
                known = self._catalog.channel(problem.channel) is not None
                self.counters.quarantined[problem.channel if known else OTHER] += problem.records
            case Drift():
                self.counters.drifted[problem.channel] += 1
        self._on_problem(problem)
