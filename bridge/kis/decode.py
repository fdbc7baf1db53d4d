"""Records of KIS turned into JSON, as the workbook says.

Each layout is compiled once into a validating regular expression and a list of texts, so that the
usual record becomes JSON by one match and one join, with no dict and no float between. Values that
are odd (an empty number, ``(null)``, a plus, zero padding, a text that needs escaping) are marked
by the expression and rewritten each for itself. What is no value at all goes through the slow path,
one by one: same output, and errors that name the field. Pure: the time of arrival is an argument.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bridge.catalog.model import Channel, Layout
from bridge.errors import DecodeError
from bridge.kis.template import LayoutDecoder
from bridge.kis.values import Zone

__all__ = [
    "ChannelDecoder",
    "Drift",
    "Problem",
    "Publish",
    "Quarantined",
    "Route",
    "RouteOf",
    "Subscribed",
    "Traded",
    "notice_values",
]


Traded: TypeAlias = tuple[LayoutDecoder, Sequence[str], int]
"""A record, how it is decoded, and when it arrived (µs since the epoch)."""


class Route:
    """Where the records of one topic go, and how many went there."""

    __slots__ = (
        "channel",
        "kind",
        "last",
        "market",
        "seq",
        "symbol",
        "tail",
        "tap",
        "topic",
        "traded",
        "venue",
        "zone",
    )

    def __init__(self, channel: Channel, venue: str, symbol: str, topic: str, zone: Zone) -> None:
        self.channel = channel.tr_id
        self.market = channel.market
        self.kind = channel.kind
        self.venue = venue
        self.symbol = symbol
        self.topic = topic
        self.zone = zone
        self.seq = 0
        """Records so far."""
        self.last = b""
        """The newest record."""
        self.traded: Traded | None = None
        """The newest record of a channel of trades, as KIS wrote it."""
        self.tap: Callable[[Traded], object] | None = None
        """Takes each record of a channel of trades as well, and never waits; None: nobody does."""
        self.tail = "}"
        """What ends each payload: its brace, and what stands before it, such as the name."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record, or a whole frame, that does not decode; and why."""

    channel: str
    reason: str
    raw: str
    records: int = 1
    """As KIS counted them."""


@dataclass(frozen=True, slots=True)
class Drift:
    """KIS sends another width than the workbook knows; told once for each width."""

    channel: str
    width: int
    known: tuple[int, ...]
    treatment: str


Problem: TypeAlias = Quarantined | Drift
Subscribed: TypeAlias = Callable[[str, str], bool]
"""``(TR id, key)`` → whether it is subscribed."""
RouteOf: TypeAlias = Callable[[Channel, str, str, Zone], Route]
"""``(channel, venue, symbol, zone)`` → the route of its topic, again and again the same."""
Publish: TypeAlias = Callable[[Route, bytes], None]

_NONE: tuple[Problem, ...] = ()
_MAX_EXTRA = 64
"""More unknown values than this in a record are not appended fields but garbage."""
_MOST_PROBLEMS = 64
"""Of a frame, each told by itself; a faulty line can have half a million of them in one."""
_LONGEST_RECORD = 4_096
"""Letters; KIS's have a few hundred, in the widest channel a thousand."""
_MOST_WIDTHS = 128
"""Widths that a decoder remembers, those of the workbook among them."""
_MOST_COMPILED = 4
_COMPILED_US = 10_000_000
"""Of them those that had to be compiled: so many at a time, and beyond them one in so long (µs).
Each takes as much time as hundreds of records, and sixty channels can be forged at once."""
_MOST_KEYS = 4_096
"""Keys whose route a decoder remembers; a faulty line can invent any number of them."""


class ChannelDecoder:
    """Decodes the frames of one market-data channel."""

    def __init__(
        self,
        channel: Channel,
        route_of: RouteOf,
        subscribed: Subscribed = lambda tr_id, key: False,
    ) -> None:
        """Prepare; ``subscribed`` is asked about records that name no exchange."""
        if channel.encrypted:
            raise DecodeError(f"{channel.tr_id} is an account notice, not market data")
        self.channel = channel
        self._route_of = route_of
        self._subscribed = subscribed
        self._trades = channel.kind == "trade"
        self._routes: dict[str, Route] = {}
        """By key; only to save the question, which has the same answer every time."""
        self._zone = Zone(channel.timezone)
        zones = {name: Zone(name) for name in {venue.timezone for venue in channel.venues}}
        self._zones = {venue.prefix[1:]: zones[venue.timezone] for venue in channel.venues}
        self._clocks = (self._zone, *zones.values())
        self._layouts = sorted(channel.layouts, key=lambda layout: layout.width)
        self._known = tuple(layout.width for layout in self._layouts)
        self._widths: dict[int, LayoutDecoder | None] = {
            layout.width: LayoutDecoder(channel, layout, layout.width) for layout in channel.layouts
        }
        """Values in a record, as the count of its frame says, → how they are decoded."""
        self._usual = {
            layout.width: layout for layout in self._widths.values() if layout and layout.keyed
        }
        """The layouts of the workbook whose records name what was subscribed."""
        self._compiled: deque[int] = deque()
        """Widths that the workbook does not know, the oldest first."""
        self._compiled_at = 0

    def decode(
        self, body: str, count: int, received_at: int, publish: Publish
    ) -> Sequence[Problem]:
        """Publish each record of a frame as JSON; return what could not be, and news of widths.

        ``received_at`` is µs since the epoch. One bad record never loses its neighbours.
        """
        if len(body) > count * _LONGEST_RECORD:
            reason = f"{len(body)} letters in {count} records, at most {_LONGEST_RECORD} in each"
            return (Quarantined(self.channel.tr_id, reason, body, count),)
        values = body.split("^")
        # Nearly every frame is one plain record of a known symbol. What :meth:`_decode` does with
        # it is done here in fewer steps.
        if count == 1 and (layout := self._usual.get(len(values))) is not None:
            route = self._routes.get(values[layout.key])
            matched = layout.match(body, 0)
            if route is not None and matched is not None:
                if layout.dateless:
                    self._arrived(received_at)
                seq, zone, tail = route.seq + 1, route.zone, route.tail
                try:
                    if matched.lastindex is None:
                        texts = layout.fill(values, seq, received_at, zone, tail)
                    else:
                        texts = layout.mend(matched, values, seq, received_at, zone, tail)
                except KeyError:  # the date is none, or a value
                    return self._decode(values, body, count, received_at, publish)
                route.seq = seq
                if self._trades:
                    route.traded = traded = (layout, values, received_at)
                    if route.tap is not None:
                        route.tap(traded)
                publish(route, "".join(texts).encode())
                return _NONE
        return self._decode(values, body, count, received_at, publish)

    def _decode(
        self, values: list[str], body: str, count: int, received_at: int, publish: Publish
    ) -> Sequence[Problem]:
        # The frame's count and the number of values give the width. The workbook's width is not
        # taken for granted, because KIS adds fields without notice (docs/kis.md).
        width, rest = divmod(len(values), count)
        if rest:
            reason = f"{len(values)} values do not divide into {count} records"
            return (Quarantined(self.channel.tr_id, reason, body, count),)
        problems: list[Problem] = []
        untold = 0
        try:
            layout = self._widths[width]
        except KeyError:
            problems += self._meet(width, received_at)
            layout = self._widths.get(width)
        if layout is None:
            reason = f"no layout has {width} values"
            problems.append(Quarantined(self.channel.tr_id, reason, body, count))
            return problems
        if layout.dateless:
            self._arrived(received_at)
        match, fill, key = layout.match, layout.fill, layout.key
        # Where a record without a key goes depends on what is subscribed now: it is asked anew.
        routes = self._routes if layout.keyed else {}
        position, width = 0, layout.width
        for start in range(0, len(values), width):
            raw = values if len(values) == width else values[start : start + width]
            matched = match(body, position)
            if matched is None:
                match = layout.loosen()
                matched = match(body, position)
            position = position + len("^".join(raw)) + 1 if matched is None else matched.end()
            try:
                route = routes.get(raw[key])
                if route is None:
                    route = self._meet_record(layout, raw, matched, received_at)
                seq, texts = route.seq + 1, None
                try:
                    if matched is not None and matched.lastindex is None:
                        texts = fill(raw, seq, received_at, route.zone, route.tail)
                    elif matched is not None:
                        texts = layout.mend(matched, raw, seq, received_at, route.zone, route.tail)
                except KeyError:  # the date is none
                    pass
                if texts is None:
                    self._arrived(received_at)
                    texts = layout.explain(raw, seq, received_at, route.zone, route.tail)
            except DecodeError as error:
                if len(problems) < _MOST_PROBLEMS:
                    problems.append(Quarantined(self.channel.tr_id, str(error), "^".join(raw)))
                else:
                    untold += 1
                continue
            route.seq = seq
            if self._trades:
                route.traded = traded = (layout, raw, received_at)
                if route.tap is not None:
                    route.tap(traded)
            publish(route, "".join(texts).encode())
        if untold:
            problems.append(Quarantined(self.channel.tr_id, "like those before", "", untold))
        return problems or _NONE

    def route(self, key: str, symbol: str) -> Route:
        """Return where the records of a key go, also before there is one.

        Raises :class:`DecodeError` for what no key can be.
        """
        return self._routes.get(key) or self._meet_symbol(key, symbol)

    def forget(self) -> None:
        """Ask anew where each key's records go."""
        self._routes.clear()

    def _arrived(self, received_at: int) -> None:
        for zone in self._clocks:
            zone.arrived(received_at)

    def _meet_record(
        self,
        layout: LayoutDecoder,
        raw: Sequence[str],
        matched: re.Match[str] | None,
        received_at: int,
    ) -> Route:
        """Find out where a record goes whose key is new, or which has none."""
        key, symbol = raw[layout.key], raw[layout.symbol]
        _check_named(symbol)
        if not layout.keyed:
            key = self._key_of(key)
        # Nothing but what decodes may make a topic.
        if matched is None or matched.lastindex is not None:
            place = received_at, self._zone_of(key), "}"
            self._arrived(received_at)
            try:
                if matched is None:
                    raise KeyError
                layout.mend(matched, raw, 1, *place)
            except KeyError:
                layout.explain(raw, 1, *place)
        return self._meet_symbol(key, symbol)

    def _meet_symbol(self, key: str, symbol: str) -> Route:
        """Find out where the records of a new key go."""
        _check_named(symbol)
        if len(self._routes) >= _MOST_KEYS:
            self.forget()
        venue = self.channel.venue or self._venue(key)
        zone = self._zone_of(key)
        try:
            route = self._routes[key] = self._route_of(self.channel, venue, symbol, zone)
        except ValueError as error:
            raise DecodeError(f"{self.channel.tr_id}: {error}") from None
        return route

    def _zone_of(self, key: str) -> Zone:
        return self._zones.get(key[1:4], self._zone)

    def _key_of(self, symbol: str) -> str:
        """Return the key under which the symbol of a record without one is subscribed."""
        tr_id, venues = self.channel.tr_id, self.channel.venues
        keys = [venue.prefix + symbol for venue in venues]
        keys = [key for key in keys if self._subscribed(tr_id, key)]
        if len(keys) != 1:
            found = f"of the keys of {symbol[:16]!r} {'several are' if keys else 'none is'}"
            raise DecodeError(f"the record names no exchange, and {found} subscribed")
        return keys[0]

    def _venue(self, key: str) -> str:
        """Return the exchange in an overseas key: ``DNASAAPL`` → ``nas``."""
        venue = key[1:4].lower()
        if len(venue) < 3 or not (venue.isascii() and venue.isalnum()):
            raise DecodeError(f"{self.channel.key}: no exchange in {key[:16]!r}")
        return venue

    def _meet(self, width: int, received_at: int) -> Sequence[Problem]:
        """Decide once what becomes of a width that the workbook does not know."""
        if len(self._widths) >= _MOST_WIDTHS:
            lasting = {*self._known, *self._compiled}
            self._widths = {width: self._widths[width] for width in lasting}
        # The short layouts without a key divide too many widths to be told from grown ones.
        wholes = [w for w in self._known[::-1] if (known := self._widths[w]) and known.keyed]
        whole = next((known for known in wholes if width % known == 0), 0)
        if whole and width > whole:
            self._widths[width] = self._widths[whole]
            treatment = f"split into {width // whole} records of {whole}"
        else:
            surplus = width - self._known[-1]
            layout = self._layouts[-1] if 0 < surplus <= _MAX_EXTRA else self._shortened(width)
            if layout is None:
                self._widths[width] = None
                treatment = "quarantined"
            elif self._compile(layout, width, received_at):
                grown = f"{surplus} surplus values go to 'extra'"
                treatment = grown if surplus > 0 else "optional tail missing"
            else:
                return _NONE
        return (Drift(self.channel.tr_id, width, self._known, treatment),)

    def _shortened(self, width: int) -> Layout | None:
        """Return the narrowest wider layout whose missing fields are all optional."""
        for layout in self._layouts:
            missing = layout.fields[width:]
            if layout.width > width and missing and all(field.optional for field in missing):
                return layout
        return None

    def _compile(self, layout: Layout, width: int, received_at: int) -> bool:
        """Prepare for another width, unless there were too many of them just now."""
        if len(self._compiled) >= _MOST_COMPILED:
            if 0 <= received_at - self._compiled_at < _COMPILED_US:
                return False
            del self._widths[self._compiled.popleft()]
        self._widths[width] = LayoutDecoder(self.channel, layout, width)
        self._compiled.append(width)
        self._compiled_at = received_at
        return True


def _check_named(symbol: str) -> None:
    if not symbol.strip() or symbol == "(null)":
        raise DecodeError("the record names no symbol")


def notice_values(channel: Channel, count: int, body: str) -> list[Mapping[str, str]]:
    """Return the records of a decrypted notice as path → KIS's text.

    A surplus beyond the widest layout is left out; a narrower record raises, since a shifted
    field would be an order mistaken. The error never repeats the record.
    """
    raw = body.split("^")
    width, rest = divmod(len(raw), count)
    widest = max(channel.layouts, key=lambda layout: layout.width)
    layout = channel.layout(width) or (widest if width > widest.width else None)
    if rest or layout is None:
        raise DecodeError(f"{channel.tr_id}: a notice of {len(raw)} values in {count} records")
    return [
        {field.path: raw[start + i] for i, field in enumerate(layout.fields)}
        for start in range(0, len(raw), width)
    ]
