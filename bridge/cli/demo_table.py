"""The demo's live table: the newest trade and best quote of each symbol, the newest orders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.mqtt.message import Message
from bridge.runtime.bounded_json import JsonError, decode_object

__all__ = ["DemoTable"]

_ORDERS = 8


class DemoTable:
    """Handlers of MQTT messages, and a rich renderable of what they brought."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._trades: dict[str, dict[str, Any]] = {}
        self._quotes: dict[str, dict[str, Any]] = {}
        self._orders: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._records = 0

    async def market(self, message: Message) -> None:
        """Take a trade or a quote."""
        record = _object(message.payload)
        symbol = str(record.get("symbol"))
        if symbol in self._names:  # anybody on this machine can publish here
            kept = self._trades if "/trade/" in message.topic else self._quotes
            kept[symbol] = record
            self._records += 1

    async def order(self, message: Message) -> None:
        """Take the state of an order; an empty payload clears it."""
        self._orders.pop(message.topic, None)
        if message.payload:
            self._orders[message.topic] = _object(message.payload)

    def __rich__(self) -> RenderableType:
        quotes = Table(title=f"simulated market data, {self._records:,} records", expand=True)
        for title in ("symbol", "", "price", "change", "%", "bid", "ask", "volume", "time"):
            left = title in ("symbol", "")
            quotes.add_column(title, justify="left" if left else "right", no_wrap=True)
        for symbol, name in self._names.items():
            trade, quote = self._trades.get(symbol, {}), self._quotes.get(symbol, {})
            change = _number(trade.get("change"))
            fall = change.startswith("-")
            colour = "white" if change in ("", "0") else "blue" if fall else "red"  # as in Korea
            quotes.add_row(
                symbol,
                name,
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
