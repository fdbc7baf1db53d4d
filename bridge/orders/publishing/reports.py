"""What is published of orders and accounts, as types; the builders are beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from bridge.kis.executions import NoticeKind
from bridge.mqtt.shapes import Count, Microseconds, Number
from bridge.orders.model.lifecycle import AckStatus, Event, State

__all__ = [
    "AccountBalance",
    "AccountOrders",
    "AccountPositions",
    "BalanceRow",
    "ChangeVerb",
    "ExternalNotice",
    "ExternalRow",
    "OrderAck",
    "OrderEvent",
    "OrderStanding",
    "OrderState",
    "PositionRow",
    "SettledStatus",
    "SpecialTerms",
    "WorkingOrderRow",
]

ChangeVerb: TypeAlias = Literal["modify", "cancel"]
SettledStatus: TypeAlias = Literal[State.ACCEPTED, State.NOT_PLACED]
_Side: TypeAlias = Annotated[str, Field(json_schema_extra={"enum": ["buy", "sell", ""]})]
"""Blank: KIS does not say."""


class OrderStanding(TypedDict):
    """How an order stands, in its events and its state."""

    client_order_id: str
    seq: Annotated[Count, Field(description="Counts up by one a step of this order")]
    state: State
    order_no: Annotated[str | None, Field(description="Number KIS gave the order")]
    filled_quantity: Count
    average_price: Number | None
    at: Microseconds


class OrderAck(TypedDict):
    """The one answer to a command."""

    client_order_id: str | None
    status: AckStatus
    reason: str | None
    order_no: str | None
    kis: Mapping[str, str] | None
    received_at: Microseconds
    submitted_at: Microseconds | None
    answered_at: Microseconds | None
    verb: NotRequired[
        Annotated[str, Field(json_schema_extra={"enum": ["modify", "cancel", "cancel_all"]})]
    ]
    command_id: NotRequired[str | None]
    message: NotRequired[str]
    duplicate: NotRequired[Literal[True]]
    environment: NotRequired[
        Annotated[
            Literal["simulator", "paper", "real"],
            Field(description="Whose money it is: nothing is to be mistaken for a real order"),
        ]
    ]


class OrderEvent(OrderStanding):
    """What happened to an order.

    A `settle` says what became of a `verb` that had no answer: its `command_id` and `status`.
    """

    event: Event
    quantity: NotRequired[Count]
    price: NotRequired[Number | None]
    reason: NotRequired[str]
    verb: NotRequired[ChangeVerb]
    command_id: NotRequired[str]
    status: NotRequired[SettledStatus]


class SpecialTerms(TypedDict, total=False):
    """What a credit order borrows or repays, and that an order is for the next opening."""

    credit_type: str
    loan_date: str
    reserved: Literal[True]


class OrderState(OrderStanding, SpecialTerms):
    """The whole order."""

    market: str
    venue: str
    symbol: str
    side: Literal["buy", "sell"]
    order_type: str
    quantity: Count
    price: Number | None
    condition_price: Number | None
    remaining_quantity: Count
    cancelled_quantity: Count
    received_at: Microseconds
    submitted_at: Microseconds | None


class _Elsewhere(TypedDict):
    order_no: str
    original_order_no: str | None
    symbol: str
    side: _Side
    quantity: Count
    price: Number | None
    received_at: Microseconds


class ExternalNotice(_Elsewhere):
    """An execution notice."""

    kind: NoticeKind
    time: str


class ExternalRow(_Elsewhere):
    """A row of the exchange's list of orders."""

    kind: Literal["listed"]
    action: Literal["place", "modify", "cancel"]
    filled_quantity: Count
    remaining_quantity: Count
    cancelled_quantity: Count
    ordered_at: Microseconds | None


@with_config(ConfigDict(extra="allow"))
class BalanceRow(TypedDict):
    """Of one market, in the workbook's words."""

    market: str


class AccountBalance(TypedDict):
    """Cash and worth of the account, a row for each market.

    Beside the market the members of KIS's balance call, as the workbook names them.
    """

    at: Microseconds
    balance: list[BalanceRow]


@with_config(ConfigDict(extra="allow"))
class PositionRow(TypedDict):
    """Of one symbol, in the workbook's words."""

    market: str
    symbol: str
    quantity: Number


class AccountPositions(TypedDict):
    """What the account holds.

    Beside these the members of KIS's balance call, as the workbook names them.
    """

    at: Microseconds
    positions: list[PositionRow]


class WorkingOrderRow(TypedDict):
    """An order that works at the exchange."""

    order_no: str
    market: str
    symbol: str
    side: _Side
    order_type: str | None
    quantity: Count
    price: Number | None
    filled_quantity: Count
    remaining_quantity: Count
    ordered_at: Microseconds | None
    client: str | None
    client_order_id: str | None


class AccountOrders(TypedDict):
    """Orders that work at the exchange; ours with client and client_order_id."""

    at: Microseconds
    orders: list[WorkingOrderRow]
