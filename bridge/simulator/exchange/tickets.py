"""What users ask of the exchange and what becomes of it (pure data)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.sessions import Session

__all__ = ["EventKind", "ExchangeEvent", "OrderRefused", "OrderRequest", "Reason", "Ticket"]

Reason = Literal[
    "account",
    "cash",
    "holdings",
    "kind",
    "left",
    "limit",
    "no_price",
    "order",
    "quantity",
    "session",
    "symbol",
    "tick",
]

EventKind = Literal["taken", "confirmed", "filled", "lapsed", "refused"]


class OrderRefused(Exception):  # noqa: N818 - an outcome, not a fault
    """An order was not taken; nothing has changed."""

    def __init__(self, reason: Reason, session: Session = "open") -> None:
        super().__init__(reason)
        self.reason = reason
        self.session = session


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A new order as a user states it; ``kind`` is KIS's ``ORD_DVSN``."""

    account: str
    symbol: str
    side: Side
    quantity: int
    price: int = 0
    kind: str = "00"
    trigger: int = 0
    venue: str = "KRX"
    channel: str = "OpnAPI"
    """How it came to KIS, as its list of orders says; another word for what a person places."""


@dataclass(slots=True, eq=False)
class Ticket:
    """An order, change or cancellation of a user, under its own number."""

    number: str
    request: OrderRequest
    name: str
    """Of the symbol."""
    at: datetime
    action: Literal["place", "modify", "cancel"] = "place"
    original: str = ""
    order: Order | None = None
    """What of it is in the market; None while a stop order is not triggered."""
    filled: int = 0
    value: int = 0
    """Won of all fills."""
    cancelled: int = 0
    moved: int = 0
    """Shares that a modification took over to a new number."""
    refused: int = 0
    reserve_price: int = 0
    """Won a share that are put aside for a buy."""

    @property
    def remaining(self) -> int:
        return self.request.quantity - self.filled - self.cancelled - self.moved - self.refused


@dataclass(frozen=True, slots=True)
class ExchangeEvent:
    """Something a customer is told of: one execution notice."""

    kind: EventKind
    ticket: Ticket
    at: datetime
    quantity: int
    price: int
