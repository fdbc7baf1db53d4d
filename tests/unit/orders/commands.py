"""Commands of one client on one account, as the unit tests of the order line want them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from bridge.kis.executions import ExecutionNotice
from bridge.kis.listing import ListedOrder
from bridge.orders.model.command import Cancel, CancelAll, Command, Modify, Place
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.runtime.clock import SEOUL

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "MONDAY",
    "SECOND",
    "accept",
    "cancel",
    "cancel_all",
    "fill",
    "listed",
    "managed",
    "modify",
    "notice",
    "place",
    "submit",
]

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
MONDAY = int(datetime(2026, 11, 23, 10, tzinfo=SEOUL).timestamp()) * SECOND
"""10:00 in Seoul, while KRX trades."""


def place(name: str = "a-1", **fields: Any) -> Place:
    values: dict[str, Any] = {
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": "005930",
        "side": "buy",
        "order_type": "limit",
        "quantity": 10,
        "price": Decimal(71_900),
    }
    return Place(client_order_id=name, **(values | fields))


def modify(name: str = "a-1", price: int | None = 71_800, **fields: Any) -> Modify:
    return Modify(client_order_id=name, price=None if price is None else Decimal(price), **fields)


def cancel(name: str = "a-1", **fields: Any) -> Cancel:
    return Cancel(client_order_id=name, **fields)


def cancel_all(name: str = "all", **fields: Any) -> CancelAll:
    return CancelAll(client_order_id=name, **fields)


def managed(
    command: Command,
    *steps: Step,
    at: int = MONDAY,
    client: str = "alice",
    account: str = "main",
    **fields: Any,
) -> ManagedOrder:
    """Return a command that came ``at``, and to which that has happened since."""
    identity = Identity(account, client, command.client_order_id, command.name())
    made = ManagedOrder.received(identity, command.verb, command, at, at + MINUTE, **fields)
    made.progress = made.progress.apply_all(steps)
    return made


def submit(at: int = MONDAY, notional: int = 0) -> Step:
    return Step(Event.SUBMIT, at, notional=Decimal(notional))


def accept(order_no: str = "7", at: int = MONDAY) -> Step:
    return Step(Event.ACCEPT, at, order_no=order_no, org_no="91254")


def fill(quantity: int, at: int = MONDAY, price: int = 71_900) -> Step:
    """Return a fill that a notice told."""
    return Step(Event.FILL_PART, at, quantity, Decimal(price), told=quantity)


def notice(order_no: str = "7", **fields: Any) -> ExecutionNotice:
    """Return the notice of a fill of 3 at 71,900."""
    values: dict[str, Any] = {
        "kind": "fill",
        "account": "1234567801",
        "order_no": order_no,
        "original_order_no": "",
        "symbol": "005930",
        "side": "buy",
        "quantity": 3,
        "price": Decimal(71_900),
        "time": "100001",
    }
    return ExecutionNotice(**(values | fields))


def listed(order_no: str = "7", at: int | None = MONDAY, **fields: Any) -> ListedOrder:
    """Return a row of the exchange's list: an order of which nothing is filled."""
    values: dict[str, Any] = {
        "market": "domestic_stock",
        "original_order_no": "",
        "org_no": "91254",
        "action": "place",
        "symbol": "005930",
        "side": "buy",
        "order_type": "limit",
        "quantity": 10,
        "price": Decimal(71_900),
        "filled": 0,
        "value": Decimal(0),
        "remaining": 10,
        "cancelled": 0,
        "rejected": 0,
    }
    return ListedOrder(order_no=order_no, at=at, **(values | fields))
