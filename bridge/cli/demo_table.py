"""The demo's live table: the newest trade and best quote of each symbol, the newest orders."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from bridge.mqtt.message import Message

__all__ = ["Board"]

_ORDERS = 8


class Board:
    """Handlers of MQTT messages, and a rich renderable of what they brought."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._trades: dict[str, dict[str, Any]] = {}
        self._quotes: dict[str, dict[str, Any]] = {}
        self._orders: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._records = 0

    async def market(self, message: Message) -> None:
        """Take a trade or a quote."""
        record = json.loads(message.payload, parse_float=Decimal)
        kept = self._trades if "/trade/" in message.topic else self._quotes
        kept[record["symbol"]] = record
        self._records += 1

    async def order(self, message: Message) -> None:
        """Take the state of an order; an empty payload clears it."""
        self._orders.pop(message.topic, None)
        if message.payload:
            self._orders[message.topic] = json.loads(message.payload, parse_float=Decimal)

    def __rich__(self) -> RenderableType:
        quotes = Table(title=f"simulated market data, {self._records:,} records", expand=True)
        for title in ("symbol", "", "price", "change", "%", "bid", "ask", "volume", "time"):
            left = title in ("symbol", "")
            quotes.add_column(title, justify="left" if left else "right", no_wrap=True)
        for symbol, name in self._names.items():
            trade, quote = self._trades.get(symbol, {}), self._quotes.get(symbol, {})
            change = trade.get("change") or 0
            colour = "red" if change > 0 else "blue" if change < 0 else "white"  # as in Korea
            quotes.add_row(
                symbol,
                name,
                f"[{colour}]{_number(trade.get('price'))}",
                f"[{colour}]{_number(trade.get('change'))}",
                f"[{colour}]{trade.get('change_rate', '')}",
                _best(quote.get("bids")),
                _best(quote.get("asks")),
                _number(trade.get("cumulative_volume")),
                str(trade.get("time", ""))[11:19],
            )
        orders = Table(title="orders", expand=True)
        for title in ("client", "order", "symbol", "side", "quantity", "state", "filled", "at"):
            orders.add_column(title, no_wrap=True)
        for topic, order in list(self._orders.items())[-_ORDERS:]:
            orders.add_row(
                topic.split("/")[3],
                str(order.get("client_order_id")),
                str(order.get("symbol")),
                str(order.get("side")),
                _number(order.get("quantity")),
                str(order.get("state")),
                _number(order.get("filled_quantity")),
                _number(order.get("average_price")),
            )
        return Group(quotes, orders)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | Decimal) else ""


def _best(levels: object) -> str:
    return _number(levels[0]["price"]) if isinstance(levels, list) and levels else ""
