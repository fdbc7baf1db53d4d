"""What a screen shows of a bridge, gathered from its messages (pure).

Payloads are kept as they came and read when somebody looks: a symbol may change a thousand times
between two looks. Whoever may write to the broker can invent topics, so there is a limit to each
kind.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from bridge.mqtt.topics import decode_level
from bridge.runtime.bounded_json import JsonError, decode_object

__all__ = ["BookLevel", "OrderRow", "Picture", "TradedSymbol", "WatchedSymbol"]

_MOST_SYMBOLS, _MOST_ORDERS, _MOST_EVENTS = 4_000, 2_000, 50
_LONGEST = 262_144
"""Bytes of a payload; the largest is the slot map of a session."""
_PRICED = ("trade", "index", "nav", "expected")
"""Kinds that say a price, the best first."""


class TradedSymbol(NamedTuple):
    """A symbol where it is traded."""

    market: str
    venue: str
    symbol: str


class BookLevel(NamedTuple):
    """One price of an order book."""

    price: Decimal | None
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class WatchedSymbol:
    """What is known of a symbol now; None: nothing."""

    place: TradedSymbol
    name: str
    price: Decimal | None
    change: Decimal | None
    rate: Decimal | None
    volume: Decimal | None
    asks: tuple[BookLevel, ...]
    bids: tuple[BookLevel, ...]
    quality: str
    reason: str
    age_s: float | None
    """Since the newest value of any kind came."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it is now; None: not known."""

    client: str
    name: str
    symbol: str
    side: str
    kind: str
    state: str
    quantity: Decimal | None
    price: Decimal | None
    filled: Decimal | None
    average: Decimal | None
    at: int


@dataclass(slots=True)
class _Kept:
    payload: bytes
    read: dict[str, Any] | None = None

    def content(self) -> dict[str, Any]:
        if self.read is None:
            self.read = _object(self.payload)
        return self.read


@dataclass(slots=True)
class _Symbol:
    """The newest payloads of a symbol, by kind."""

    values: dict[str, _Kept] = field(default_factory=dict)
    qualities: dict[str, _Kept] = field(default_factory=dict)


class Picture:
    """What messages have told so far."""

    def __init__(self, base: str = "kis", names: Mapping[str, str] | None = None) -> None:
        self._depth = base.count("/") + 1
        self._base = base
        self._names = names or {}
        self._symbols: dict[TradedSymbol, _Symbol] = {}
        self._orders: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()
        """By account, client and name; the one that changed last is the last."""
        self._bridge: dict[str, _Kept] = {}
        self._events: deque[tuple[str, _Kept]] = deque(maxlen=_MOST_EVENTS)
        self.messages = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Take a message; one of nothing that is shown, or too many, is left out."""
        if len(payload) > _LONGEST or not topic.startswith(f"{self._base}/"):
            return
        self.messages += 1
        match topic.split("/")[self._depth :]:
            case ["market" | "quality" as what, market, venue, kind, level]:
                with suppress(ValueError):  # the bridge writes no such topic
                    place = TradedSymbol(market, venue, decode_level(level))
                    self._keep(place, kind, payload, quality=what == "quality")
            case ["orders", account, client, "state", name]:
                key = account, client, name
                self._orders.pop(key, None)
                if payload:
                    self._orders[key] = _Kept(payload)
                    if len(self._orders) > _MOST_ORDERS:
                        self._orders.popitem(last=False)
            case ["bridge", "state" | "info" | "health" as what]:
                self._bridge[what] = _Kept(payload)
            case ["bridge", "event", kind]:
                self._events.appendleft((kind, _Kept(payload)))
            case _:
                pass

    def _keep(self, place: TradedSymbol, kind: str, payload: bytes, *, quality: bool) -> None:
        symbol = self._symbols.get(place)
        if symbol is None:
            if not payload or len(self._symbols) >= _MOST_SYMBOLS:
                return
            symbol = self._symbols[place] = _Symbol()
        kept = symbol.qualities if quality else symbol.values
        if payload:
            if kind in kept or len(kept) < len(_PRICED) + 12:
                kept[kind] = _Kept(payload)
        else:
            kept.pop(kind, None)
            if not symbol.values and not symbol.qualities:
                del self._symbols[place]

    def places(self) -> list[TradedSymbol]:
        """Return every symbol, in the order of its market."""
        return sorted(self._symbols)

    def quote(self, place: TradedSymbol, now: int) -> WatchedSymbol | None:
        """Return what is known of a symbol at a time (µs since the epoch)."""
        symbol = self._symbols.get(place)
        if symbol is None:
            return None
        price: dict[str, Any] = {}
        for kind in _PRICED:
            if kind in symbol.values:
                price = symbol.values[kind].content()
                break
        book = symbol.values["quote"].content() if "quote" in symbol.values else {}
        told = next(
            (
                symbol.qualities[kind].content()
                for kind in (*_PRICED, "quote", *symbol.qualities)
                if kind in symbol.qualities
            ),
            {},
        )
        came = [
            at for content in (price, book) if isinstance(at := content.get("received_at"), int)
        ]
        return WatchedSymbol(
            place,
            str(price.get("name") or self._names.get(place.symbol, "")),
            _number(price.get("price", price.get("nav"))),
            _number(price.get("change")),
            _number(price.get("change_rate")),
            _number(price.get("cumulative_volume")),
            _levels(book.get("asks")),
            _levels(book.get("bids")),
            str(told.get("quality") or ""),
            str(told.get("reason") or ""),
            max(0.0, (now - max(came)) / 1e6) if came else None,
        )

    def orders(self) -> Iterator[OrderRow]:
        """Return the orders, the one that changed last first."""
        for (_, client, name), kept in reversed(self._orders.items()):
            told = kept.content()
            at = told.get("at")
            yield OrderRow(
                client,
                name,
                str(told.get("symbol") or ""),
                str(told.get("side") or ""),
                str(told.get("order_type") or ""),
                str(told.get("state") or ""),
                _number(told.get("quantity")),
                _number(told.get("price")),
                _number(told.get("filled_quantity")),
                _number(told.get("average_price")),
                at if isinstance(at, int) else 0,
            )

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return kind and content of what the bridge has told, the newest first."""
        for kind, kept in self._events:
            yield kind, kept.content()

    def bridge(self, what: str) -> dict[str, Any]:
        """Return what the bridge last said as its ``state``, ``info`` or ``health``."""
        kept = self._bridge.get(what)
        return kept.content() if kept else {}


def _object(payload: bytes) -> dict[str, Any]:
    try:
        return decode_object(payload, _LONGEST, names=20_000)
    except JsonError:
        return {}


def _number(value: object) -> Decimal | None:
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _levels(levels: object) -> tuple[BookLevel, ...]:
    if not isinstance(levels, list):
        return ()
    return tuple(
        BookLevel(_number(one.get("price")), _number(one.get("quantity")))
        for one in levels[:10]
        if isinstance(one, dict)
    )
