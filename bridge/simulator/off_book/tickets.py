"""Orders for overseas stocks, futures and options, and what becomes of them (pure data)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from bridge.simulator.exchange.order_book import Side

__all__ = ["NIGHT", "Action", "OffBookEvent", "OffBookMarket", "OffBookTicket"]

Action = Literal["place", "modify", "cancel"]
OffBookMarket = Literal[
    "overseas_stock", "domestic_derivative", "domestic_bond", "overseas_derivative"
]
NIGHT = "NIGHT"
"""In place of an exchange: futures and options of the session that runs over midnight."""

_NO_DATE = date(1970, 1, 1)


@dataclass(slots=True, eq=False)
class OffBookTicket:
    """An order, change or cancellation, under its own number."""

    market: OffBookMarket
    number: str
    account: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    """0: at the market."""
    kind: str
    exchange: str
    at: datetime
    action: Action = "place"
    original: str = ""
    filled: int = 0
    value: Decimal = Decimal(0)
    cancelled: int = 0
    moved: int = 0
    """What a modification took over to a new number."""
    date: date = _NO_DATE
    """The business date at its exchange."""

    @property
    def remaining(self) -> int:
        if self.action == "cancel":
            return 0
        return self.quantity - self.filled - self.cancelled - self.moved

    def crosses(self, price: Decimal) -> bool:
        """Tell whether the order would trade at a price."""
        return price <= self.price if self.side is Side.BUY else price >= self.price


@dataclass(frozen=True, slots=True)
class OffBookEvent:
    """Something a customer is told of."""

    kind: Literal["taken", "confirmed", "filled", "lapsed", "refused"]
    ticket: OffBookTicket
    at: datetime
    quantity: int
    price: Decimal
