"""The demo's live table: the newest trade and best quote of each symbol, the newest orders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.cli.demo_market import DemoSymbol
from bridge.mqtt.message import Message
from bridge.runtime.bounded_json import JsonError, decode_object

__all__ = ["DemoTable"]

_ORDERS = 8

Key = tuple[str, str, str]
"""Market, venue and symbol, as in a topic."""


class DemoTable:
    """Handlers of MQTT messages, and a rich renderable of what they brought."""

    def __init__(self, symbols: Sequence[DemoSymbol]) -> None:
        self._symbols = {one.key: one for one in symbols}
        self._markets = len({(one.market, one.venue) for one in symbols}) > 1
        self._trades: dict[Key, dict[str, Any]] = {}
        self._quotes: dict[Key, dict[str, Any]] = {}
        self._orders: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._records = 0

    async def market(self, message: Message) -> None:
        """Take a trade, the value of an index, or a quote."""
        _, _, market, venue, kind, symbol = (message.topic.split("/") + [""] * 6)[:6]
        key = market, venue, symbol
        if key in self._symbols:  # anybody on this machine can publish here
            kept = self._quotes if kind.endswith("quote") else self._trades
            kept[key] = _object(message.payload)
            self._records += 1

    async def order(self, message: Message) -> None:
        """Take the state of an order; an empty payload clears it."""
        self._orders.pop(message.topic, None)
        if message.payload:
            self._orders[message.topic] = _object(message.payload)

    def __rich__(self) -> RenderableType:
        quotes = Table(title=f"simulated market data, {self._records:,} records", expand=True)
        titles = ["symbol", "", "price", "change", "%", "bid", "ask", "volume", "time"]
        for title in ["market", *titles] if self._markets else titles:
            left = title in ("market", "symbol", "")
            quotes.add_column(title, justify="left" if left else "right", no_wrap=True)
        for key, one in self._symbols.items():
            trade, quote = self._trades.get(key, {}), self._quotes.get(key, {})
            change = _number(trade.get("change"))
            fall = change.startswith("-")
            colour = "white" if change in ("", "0") else "blue" if fall else "red"  # as in Korea
            market = [f"{one.market} {one.venue}"] if self._markets else []
            quotes.add_row(
                *market,
                one.symbol,
                one.name,
                *(
                    Text(_number(trade.get(value)), colour)
                    for value in ("price", "change", "change_rate")
                ),
                _best(quote.get("bids")),
                _best(quote.get("asks")),
                _number(trade.get("cumulative_volume")),
                Text(str(trade.get("time", ""))[11:19]),
            )
        orders = Table(title="orders", expand=True)
        for title in ("client", "order", "symbol", "side", "quantity", "state", "filled", "at"):
            orders.add_column(title, no_wrap=True)
        for topic, order in list(self._orders.items())[-_ORDERS:]:
            orders.add_row(
                Text(topic.split("/")[3]),
                *(Text(str(order.get(name))) for name in ("client_order_id", "symbol", "side")),
                _number(order.get("quantity")),
                Text(str(order.get("state"))),
                _number(order.get("filled_quantity")),
                _number(order.get("average_price")),
            )
        return Group(quotes, orders)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        return decode_object(payload, len(payload), names=10_000)
    except JsonError:
        return {}


def _number(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:,f}"  # without the f, zero won with eight decimals is 0E-8
    return f"{value:,}" if isinstance(value, int) else ""


def _best(levels: object) -> str:
    best = levels[0] if isinstance(levels, list) and levels else None
    return _number(best.get("price")) if isinstance(best, dict) else ""
