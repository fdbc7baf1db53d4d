"""Orders for overseas stocks, futures and options, and what becomes of them (pure data)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from bridge.simulator.exchange.order_book import Side

__all__ = ["NIGHT", "Action", "OffBookEvent", "OffBookMarket", "OffBookTicket", "Part"]

Action = Literal["place", "modify", "cancel"]
OffBookMarket = Literal[
    "overseas_stock", "domestic_derivative", "domestic_bond", "overseas_derivative"
]
NIGHT = "NIGHT"
"""In place of an exchange: futures and options of the session that runs over midnight."""
_NO_DATE = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Part:
    """From ``begins`` on so much in all of an order should have been traded."""

    begins: datetime
    ends: datetime
    target: int


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
    trigger: Decimal = Decimal(0)
    """The price that a stop order waits for; 0: it is none."""
    triggered: bool = False
    daytime: bool = False
    """Of the American market in the Korean daytime."""
    schedule: list[Part] = field(default_factory=list)
    """Empty: it trades as soon as its price comes."""
    lasting: bool = False
    """It does not end with its business day."""
    reservation: str = ""
    """Number of the reservation that became this order."""

    @property
    def remaining(self) -> int:
        if self.action == "cancel":
            return 0
        return self.quantity - self.filled - self.cancelled - self.moved

    @property
    def waits(self) -> bool:
        """Whether something else than its price has to come first."""
        return bool(self.schedule) or bool(self.trigger and not self.triggered)

    def crosses(self, price: Decimal) -> bool:
        """Tell whether the order would trade at a price."""
        if not self.price:
            return True
        return price <= self.price if self.side is Side.BUY else price >= self.price

    def reaches(self, price: Decimal) -> bool:
        """Tell whether a price sets off a stop order."""
        return price >= self.trigger if self.side is Side.BUY else price <= self.trigger

    def due(self, now: datetime) -> int:
        """Return how much of it its schedule wants to be traded now."""
        target = max((part.target for part in self.schedule if part.begins <= now), default=0)
        return max(0, min(self.remaining, target - self.filled - self.cancelled - self.moved))

    def over(self, now: datetime) -> bool:
        """Tell whether its schedule has come to its end."""
        return bool(self.schedule) and self.schedule[-1].ends <= now


@dataclass(frozen=True, slots=True)
class OffBookEvent:
    """Something a customer is told of."""

    kind: Literal["taken", "confirmed", "filled", "lapsed", "refused"]
    ticket: OffBookTicket
    at: datetime
    quantity: int
    price: Decimal
    execution: str = ""
    """Number of the execution."""
