"""From the records of a trade channel to what counts in a candle. Pure.

KIS's own time of a trade decides which candle it belongs to, never its arrival. The codes of the
record say what it is: expected prices are no trades, and what was agreed off the order book (block,
basket, liquidation, buy-in) has no part in a candle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Literal, NamedTuple, TypeAlias

from bridge.catalog.model import Catalog, Channel
from bridge.errors import DecodeError
from bridge.extensions.candles.days import TradingDays
from bridge.extensions.candles.tally import EXACT, Tally
from bridge.kis.decode import Traded
from bridge.kis.template import LayoutDecoder
from bridge.kis.values import Zone, number, scaled

__all__ = ["Moment", "Sold", "TradeReader", "TradeTable"]

_OFF_BOOK = ("_block", "_basket", "_liquidation", "_buy_in")
_REGULAR = ("regular", "closing")
_MOST_CACHED = 4_096
_MOST_LAYOUTS = 64
_HOUR = 3_600_000_000
_AHEAD_S = 60
"""A trade may carry a time so far in the future, by clocks that differ, and no more."""
_PAST_S = 2 * 86_400
_LONGEST_HOLIDAY = timedelta(days=15)
"""A trading day is no farther from the date of its trades."""
_add, _multiply = EXACT.add, EXACT.multiply


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


class _Places:
    """Where one layout has what is needed, and what recurs of it from record to record."""

    __slots__ = ("layout", "moments", "paths", "price", "prices", "quantities", "quantity", "when")

    def __init__(self, layout: LayoutDecoder, places: Mapping[str, int]) -> None:
        self.layout = layout
        self.price, self.quantity, *_ = places.values()
        self.paths = tuple(places)[2:]
        first, *others = tuple(places.values())[2:]
        self.when: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(
            first, *(others or [first])
        )
        """Everything that decides about the moment, at least twice the time."""
        self.prices: dict[str, Decimal | None] = {}
        self.quantities: dict[str, Decimal | None] = {}
        self.moments: dict[tuple[str, ...], _Met] = {}

    def number(self, which: Literal["price", "quantity"], text: str) -> Decimal | None:
        """Return a number as in the payload; None: it has none."""
        price = which == "price"
        cache, place = (self.prices, self.price) if price else (self.quantities, self.quantity)
        if text in cache:
            return cache[text]
        try:
            written = scaled(number(text), self.layout.fields[place].scale)
        except DecodeError:
            written = "null"
        if len(cache) >= _MOST_CACHED:
            cache.clear()
        found = cache[text] = None if written == "null" else Decimal(written)
        return found


class TradeTable:
    """What is common to all symbols of a channel at one venue.

    ``skew`` is how far (µs) KIS's clock is ahead of the one by which records arrived.
    """

    def __init__(self, catalog: Catalog, channel: Channel, zone: Zone, days: TradingDays) -> None:
        self._channel, self._zone, self.days = channel, zone, days
        self.skew = 0
        self._known: list[_Places] = []
        self._hour = 0
        fields = {field.path: field for one in channel.layouts for field in one.fields}
        self._codes: Mapping[str, Mapping[str, str]] = {
            path: {code.code: code.name for code in catalog.codes.get(fields[path].codes, ())}
            for path in ("time_class", "market_phase", "market_class")
            if path in fields
        }

    def places(self, layout: LayoutDecoder) -> _Places | None:
        """Return where a layout has its values; None: it has no price, quantity or time."""
        found = next((one for one in self._known if one.layout is layout), None)
        if found is None and (placed := self._placed(layout)) is not None:
            if len(self._known) >= _MOST_LAYOUTS:
                self._known.clear()
            found = _Places(layout, placed)
            self._known.append(found)
        return found

    def moment(self, places: _Places, when: tuple[str, ...], arrived: int) -> _Met:
        """Return what these values of a record say of its moment."""
        received_at = arrived + self.skew
        if received_at // _HOUR != self._hour:  # a time without a date means another day then
            self._hour = received_at // _HOUR
            for known in self._known:
                known.moments.clear()
        try:
            return places.moments[when]
        except KeyError:
            pass
        if len(places.moments) >= _MOST_CACHED:
            places.moments.clear()
        values = dict(zip(places.paths, when, strict=False))
        found = places.moments[when] = self._read(values, received_at)
        return found

    # inside

    def _placed(self, layout: LayoutDecoder) -> dict[str, int] | None:
        paths = {field.path: i for i, field in enumerate(layout.fields)}
        if not {"price", "quantity", "time"} <= paths.keys():
            return None
        names = {field.name: i for i, field in enumerate(layout.fields)}
        known = self._channel.layout(layout.width) or self._channel.layouts[0]
        dated = {"date": names[known.date]} if known.date in names else {}
        wanted = ("price", "quantity", "time", "business_date", *self._codes)
        return {path: paths[path] for path in wanted if path in paths} | dated

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
        day = _date(values.get("business_date", ""))
        if day is None or abs(day - told.date()) > _LONGEST_HOLIDAY:
            day = self.days.day_of(second)
        if name := named.get("market_class"):
            regular = name in _REGULAR
        elif phase:
            regular = phase.startswith("in_session")
        else:
            regular = self.days.is_regular(second)
        return Moment(second, clock, day, regular)


class TradeReader:
    """The trades of one symbol: :meth:`tap` counts each record, :meth:`take` gives what it has.

    Of more than ``most`` seconds that wait to be taken the last ones are lost.
    """

    def __init__(self, table: TradeTable, most: int = 20_000) -> None:
        self._table, self._most = table, most
        self._layout: LayoutDecoder | None = None
        self._places: _Places | None = None
        self._when: tuple[str, ...] = ()
        """That of the tally that grows."""
        self._moment: Moment | None = None
        self._tally: Tally | None = None
        self._sold: list[Sold] = []
        self._unread: tuple[int, int] | None = None

    def tap(self, record: Traded) -> None:
        """Count a record. Part of the market line, in which this is all that candles do.

        To keep records until later would cost more than it does to count them.
        """
        layout, raw, arrived = record
        if layout is not self._layout:
            self._layout, self._places, self._when = layout, self._table.places(layout), ()
        places = self._places
        if places is None:
            self._lose(arrived)
            return
        when = places.when(raw)
        price = places.prices.get(raw[places.price])
        quantity = places.quantities.get(raw[places.quantity])
        tally = self._tally
        if when != self._when or tally is None or not price or not quantity or quantity < 0:
            self._other(places, when, raw, arrived)
            return
        if price > tally.high:
            tally.high = price
        elif price < tally.low:
            tally.low = price
        tally.close = price
        tally.volume = _add(tally.volume, quantity)
        tally.value = _add(tally.value, _multiply(price, quantity))  # type: ignore[arg-type]
        tally.trades += 1  # type: ignore[operator]

    def take(self) -> tuple[list[Sold], tuple[int, int] | None]:
        """Return what was traded since the last call, in the order of arrival.

        And from when to when (µs) something came that cannot be read; None: nothing. Trades that
        follow each other in one second are one tally. Times are by KIS's clock.
        """
        sold, unread = self._sold, self._unread
        self._sold, self._unread, self._tally = [], None, None
        skew = self._table.skew
        return (
            [Sold(moment, tally, arrived + skew) for moment, tally, arrived in sold],
            None if unread is None else (unread[0] + skew, unread[1] + skew),
        )

    def _other(
        self, places: _Places, when: tuple[str, ...], raw: Sequence[str], arrived: int
    ) -> None:
        """Count a record of another moment, or with a number that was not seen before."""
        moment = self._table.moment(places, when, arrived)
        if moment is None:
            return
        price = places.number("price", raw[places.price])
        quantity = places.number("quantity", raw[places.quantity])
        if quantity is not None and not quantity:
            return  # nothing was traded
        if moment is False or price is None or quantity is None or quantity < 0:
            self._lose(arrived)
            return
        added = Tally.of(price, quantity, moment.second)
        if self._tally is not None and moment == self._moment:
            self._tally.merge(added)
        elif len(self._sold) >= self._most:
            self._lose(arrived)
            return
        else:
            self._tally, self._moment = added, moment
            self._sold.append(Sold(moment, added, arrived))
        self._when = when

    def _lose(self, arrived: int) -> None:
        self._unread = (arrived if self._unread is None else self._unread[0], arrived + 1)


def _date(text: str) -> date | None:
    try:
        found = datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
    return found
