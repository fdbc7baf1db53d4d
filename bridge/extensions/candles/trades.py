"""From the records of a trade channel to what counts in a candle. Pure.

KIS's own time of a trade decides which candle it belongs to, never its arrival. The codes of the
record say what it is: expected prices are no trades, and what was agreed off the order book (block,
basket, liquidation, buy-in) has no part in a candle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeAlias

from bridge.catalog.model import Catalog, Channel
from bridge.errors import DecodeError
from bridge.extensions.candles.days import TradingDays
from bridge.extensions.candles.tally import EXACT, Tally
from bridge.kis.decode import Traded
from bridge.kis.template import LayoutDecoder
from bridge.kis.values import Zone

__all__ = ["Moment", "Sold", "TradeReader"]

_OFF_BOOK = ("_block", "_basket", "_liquidation", "_buy_in")
_REGULAR = ("regular", "closing")
_MOST_CACHED = 4_096
_HOUR = 3_600_000_000
_AHEAD_S = 60
"""A trade may carry a time so far in the future, by clocks that differ, and no more."""
_PAST_S = 2 * 86_400


class Moment(NamedTuple):
    """When a trade was, as its record says."""

    second: int
    """Since the epoch."""
    clock: int
    """Seconds since midnight at the exchange, by which candles are aligned."""
    day: date
    """Its trading day."""
    regular: bool
    """It counts for the day's candle."""


class Sold(NamedTuple):
    """What was traded in a second, and when (µs) the first of it arrived."""

    moment: Moment
    tally: Tally
    received_at: int


_Met: TypeAlias = Moment | Literal[False] | None
"""None: no trade that counts. False: unreadable."""


class _Places(NamedTuple):
    """Where a layout has what is needed."""

    price: int
    quantity: int
    when: Callable[[Sequence[str]], tuple[str, ...]]
    """Everything that decides about the moment, in the order of ``paths``."""
    paths: tuple[str, ...]


class TradeReader:
    """Reads the records of one topic; remembers what recurs from record to record."""

    def __init__(self, catalog: Catalog, channel: Channel, zone: Zone, days: TradingDays) -> None:
        self._channel, self._zone, self._days = channel, zone, days
        self._places: dict[int, tuple[LayoutDecoder, _Places | None]] = {}
        self._moments: dict[tuple[str, ...], _Met] = {}
        self._hour = 0
        self._prices: dict[str, Decimal | None] = {}
        self._quantities: dict[str, Decimal | None] = {}
        fields = {field.path: field for one in channel.layouts for field in one.fields}
        self._codes: Mapping[str, Mapping[str, str]] = {
            path: {code.code: code.name for code in catalog.codes.get(fields[path].codes, ())}
            for path in ("time_class", "market_phase", "market_class")
            if path in fields
        }

    def read(self, batch: Iterable[Traded], skew: int = 0) -> tuple[list[Sold], list[int]]:
        """Return what was traded, in the order of arrival, and when (µs) came what is unreadable.

        Trades that follow each other in one second are one tally. ``skew`` is how far (µs) KIS's
        clock is ahead of the one by which records arrived.
        """
        tallies: list[Sold] = []
        unreadable: list[int] = []
        before: Moment | None = None
        layout, places = None, None
        moments, prices, quantities = self._moments, self._prices, self._quantities
        add, multiply = EXACT.add, EXACT.multiply
        for record in batch:
            if record[0] is not layout:
                layout = record[0]
                places = self._find(layout)
            raw, received_at = record[1], record[2] + skew
            if places is None:
                unreadable.append(received_at)
                continue
            if received_at // _HOUR != self._hour:  # a time without a date means another day then
                self._hour = received_at // _HOUR
                moments.clear()
            when = places.when(raw)
            try:
                moment = moments[when]
            except KeyError:
                moment = self._meet(places.paths, when, received_at)
            if moment is None:
                continue
            price = prices.get(raw[places.price])
            quantity = quantities.get(raw[places.quantity])
            if price is None or quantity is None:
                price = self._number(layout, raw, places.price, "price", prices)
                quantity = self._number(layout, raw, places.quantity, "quantity", quantities)
            if quantity is not None and not quantity:
                continue  # nothing was traded
            if moment is False or price is None or quantity is None or quantity < 0:
                unreadable.append(received_at)
                continue
            if moment is not before:
                before = moment
                tally = Tally.of(price, quantity, moment.second)
                tallies.append(Sold(moment, tally, received_at))
                continue
            # Written out: most trades come this way, and a call costs as much as all of it.
            if price > tally.high:
                tally.high = price
            elif price < tally.low:
                tally.low = price
            tally.close = price
            tally.volume = add(tally.volume, quantity)
            tally.value = add(tally.value, multiply(price, quantity))  # type: ignore[arg-type]
            tally.trades += 1  # type: ignore[operator]
        return tallies, unreadable

    # inside

    def _find(self, layout: LayoutDecoder) -> _Places | None:
        found = self._places.get(id(layout))
        if found is None or found[0] is not layout:
            if len(self._places) >= 64:
                self._places.clear()
            found = self._places[id(layout)] = layout, self._placed(layout)
        return found[1]

    def _placed(self, layout: LayoutDecoder) -> _Places | None:
        """Return where the layout has its values; None: it has no price, quantity or time."""
        paths = {field.path: i for i, field in enumerate(layout.fields)}
        if not {"price", "quantity", "time"} <= paths.keys():
            return None
        names = {field.name: i for i, field in enumerate(layout.fields)}
        known = self._channel.layout(layout.width) or self._channel.layouts[0]
        wanted = {"time": paths["time"]}
        if known.date in names:
            wanted["date"] = names[known.date]
        for path in ("business_date", *self._codes):
            if path in paths:
                wanted[path] = paths[path]
        positions = list(wanted.values())
        if len(positions) == 1:
            when: Callable[[Sequence[str]], Any] = _single(positions[0])
        else:
            when = itemgetter(*positions)
        return _Places(paths["price"], paths["quantity"], when, tuple(wanted))

    def _number(
        self,
        layout: LayoutDecoder,
        raw: Sequence[str],
        place: int,
        path: str,
        cache: dict[str, Decimal | None],
    ) -> Decimal | None:
        try:
            found = layout.number(raw, path)
        except DecodeError:
            return None
        if not layout.fields[place].signed_by:  # otherwise another value decides as well
            if len(cache) >= _MOST_CACHED:
                cache.clear()
            cache[raw[place]] = found
        return found

    def _meet(self, paths: tuple[str, ...], when: tuple[str, ...], received_at: int) -> _Met:
        if len(self._moments) >= _MOST_CACHED:
            self._moments.clear()
        found = self._moments[when] = self._read(dict(zip(paths, when, strict=True)), received_at)
        return found

    def _read(self, values: Mapping[str, str], received_at: int) -> _Met:
        named = {path: names.get(values.get(path, ""), "") for path, names in self._codes.items()}
        phase = named.get("market_phase", "")
        if named.get("time_class", "").startswith("expected") or phase.endswith(_OFF_BOOK):
            return None
        self._zone.arrived(received_at)
        text = self._zone.moment(values.get("date", ""), values["time"])
        try:
            told = datetime.fromisoformat(text.strip('"'))
        except ValueError:
            return False
        if told.tzinfo is None:
            return False
        second = int(told.timestamp())
        if not -_PAST_S <= second - received_at // 1_000_000 <= _AHEAD_S:
            return False
        clock = told.hour * 3_600 + told.minute * 60 + told.second
        day = _date(values.get("business_date", "")) or self._days.day_of(second)
        if name := named.get("market_class"):
            regular = name in _REGULAR
        elif phase:
            regular = phase.startswith("in_session")
        else:
            regular = self._days.is_regular(second)
        return Moment(second, clock, day, regular)


def _single(position: int) -> Callable[[Sequence[str]], tuple[str, ...]]:
    return lambda raw: (raw[position],)


def _date(text: str) -> date | None:
    try:
        found = datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
    return found if abs(found.year - 2100) < 200 else None
