"""What users ask of the exchange and what becomes of it (pure data)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.sessions import Session

__all__ = [
    "EventKind",
    "ExchangeEvent",
    "OrderRefused",
    "OrderRequest",
    "Position",
    "Reason",
    "Ticket",
]

Reason = Literal[
    "account",
    "cash",
    "credit",
    "credit_kind",
    "halted",
    "holdings",
    "kind",
    "left",
    "limit",
    "limit_only",
    "loan_date",
    "no_price",
    "order",
    "pension",
    "quantity",
    "reservation",
    "reservation_hours",
    "reservation_state",
    "routing",
    "session",
    "symbol",
    "tick",
]

EventKind = Literal["taken", "confirmed", "filled", "lapsed", "refused"]

Position = tuple[str, str, str]
"""Symbol, kind of loan, its day; both blank for what is paid for."""

_REPAYS = {"25": "21", "27": "23", "26": "22", "28": "24"}
"""Kind of credit order → the kind that it ends."""


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
    credit: str = ""
    """KIS's ``CRDT_TYPE``; blank: for cash."""
    lent_on: str = ""
    """Day of the loan that is taken or repaid, ``YYYYMMDD``."""

    @property
    def loan(self) -> str:
        """The kind of loan of the position that it changes; blank: none."""
        return _REPAYS.get(self.credit, self.credit)

    @property
    def position(self) -> Position:
        return self.symbol, self.loan, self.lent_on

    @property
    def opens(self) -> bool:
        """It makes a position larger: buys, or sells what was borrowed."""
        if self.credit:
            return self.credit not in _REPAYS
        return self.side is Side.BUY

    @property
    def short(self) -> bool:
        """It is about borrowed shares."""
        return self.loan in ("22", "24")


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
    limit: int = 0
    """The price that its reservation is made at."""
    covered: int = 0
    """Won a share that shares sold before pay of their return."""
    held: int = 0
    """Won that are put aside for what is left of it."""
    lending: int = 0
    """Won that KIS will lend for what is left of it."""
    triggered_at: datetime | None = None
    """When a stop order became a limit order."""
    reservation: str = ""
    """Last day of the reservation that it came from."""

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
