"""Acks, events and states as payloads (contract, section 2); pure."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import cast

from bridge.kis.executions import ExecutionNotice
from bridge.kis.listing import ListedOrder
from bridge.mqtt.event_payloads import CandidateRow
from bridge.mqtt.strict_json import encode
from bridge.orders.model.command import Place
from bridge.orders.model.lifecycle import ANSWERS, AckStatus, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.progress import Progress
from bridge.orders.model.records import TradingEnvironment
from bridge.orders.publishing.reports import (
    ChangeVerb,
    ExternalNotice,
    ExternalRow,
    OrderAck,
    OrderEvent,
    OrderStanding,
    OrderState,
    SettledStatus,
    SpecialTerms,
    WorkingOrderRow,
)

__all__ = [
    "ack",
    "add_message",
    "candidate",
    "event",
    "external",
    "external_row",
    "refusal",
    "state",
    "working_order",
]

_PRICE = Decimal("0.0001")


def ack(
    managed: ManagedOrder, *, duplicate: bool = False, environment: TradingEnvironment = ""
) -> bytes:
    """Return the first answer of a command; also for each duplicate, however late."""
    progress, answer = managed.progress, managed.progress.answer
    if answer is None:
        raise ValueError("the command is not answered yet")
    return _ack(
        managed.identity.client_order_id,
        ANSWERS[answer.event],
        answer,
        received_at=managed.received_at,
        submitted_at=progress.submitted_at,
        verb=managed.verb,
        command_id=managed.identity.command_id,
        duplicate=duplicate,
        environment=environment,
    )


def refusal(
    client_order_id: str,
    verb: str,
    command_id: str,
    answer: Step,
    received_at: int,
    *,
    environment: TradingEnvironment = "",
) -> bytes:
    """Return the ack of a command that is not in the journal."""
    return _ack(
        client_order_id,
        State.REFUSED,
        answer,
        received_at=received_at,
        submitted_at=None,
        verb=verb,
        command_id=command_id,
        duplicate=False,
        environment=environment,
    )


def add_message(acknowledgement: bytes, text: str) -> bytes:
    """Return an ack that says something more to people."""
    fields: OrderAck = json.loads(acknowledgement, parse_float=Decimal)
    said = fields.get("message")
    fields["message"] = f"{said}; {text}" if said else text
    return encode(fields)


def event(managed: ManagedOrder, step: Step, change: ManagedOrder | None = None) -> bytes:
    """Return what just happened to an order; ``change`` is the command that is settled."""
    standing = _standing(managed, managed.progress)
    fields: OrderEvent = {
        "client_order_id": standing["client_order_id"],
        "event": step.event,
        "seq": standing["seq"],
        "state": standing["state"],
        "order_no": standing["order_no"],
        "filled_quantity": standing["filled_quantity"],
        "average_price": standing["average_price"],
        "at": standing["at"],
    }
    if step.quantity:
        fields["quantity"] = step.quantity
    if step.price is not None:
        fields["price"] = step.price
    if step.reason:
        fields["reason"] = step.reason
    if change is not None:
        # Settled is a modification or a cancellation, and it was carried out or it was not.
        fields["verb"] = cast("ChangeVerb", change.verb)
        fields["command_id"] = change.identity.command_id
        fields["status"] = cast("SettledStatus", change.progress.state)
    return encode(fields)


def state(managed: ManagedOrder, then: Progress | None = None) -> bytes:
    """Return the whole order as it is, or as it was ``then``."""
    command, progress = managed.command, then or managed.progress
    if not isinstance(command, Place):
        raise TypeError("only a placed order has a state")
    whole: OrderState = {
        "client_order_id": command.client_order_id,
        "market": command.market,
        "venue": command.venue,
        "symbol": command.symbol,
        "side": command.side,
        "order_type": progress.order_type,
        "quantity": progress.quantity,
        "price": progress.price,
        "condition_price": progress.condition_price,
        "remaining_quantity": progress.remaining,
        "cancelled_quantity": progress.cancelled,
        **_standing(managed, progress),
        "received_at": managed.received_at,
        "submitted_at": progress.submitted_at,
        **_terms(command),
    }
    return encode(whole)


def external(notice: ExecutionNotice, received_at: int) -> bytes:
    """Return a notice about an order that this bridge did not place; without the account."""
    told: ExternalNotice = {
        "kind": notice.kind,
        "order_no": notice.order_no,
        "original_order_no": notice.original_order_no or None,
        "symbol": notice.symbol,
        "side": notice.side,
        "quantity": notice.quantity,
        "price": notice.price,
        "time": notice.time,
        "received_at": received_at,
    }
    return encode(told)


def external_row(row: ListedOrder, received_at: int) -> bytes:
    """Return what the exchange's list has of an order that this bridge did not place."""
    told: ExternalRow = {
        "kind": "listed",
        "order_no": row.order_no,
        "original_order_no": row.original_order_no or None,
        "action": row.action,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": row.quantity,
        "price": row.price,
        "filled_quantity": row.filled,
        "remaining_quantity": row.remaining,
        "cancelled_quantity": row.cancelled,
        "ordered_at": row.at,
        "received_at": received_at,
    }
    return encode(told)


def candidate(row: ListedOrder) -> CandidateRow:
    """Return a row that may be what became of a command."""
    return {
        "order_no": row.order_no,
        "action": row.action,
        "side": row.side,
        "quantity": row.quantity,
        "price": row.price,
        "filled_quantity": row.filled,
        "ordered_at": row.at,
        "channel": row.channel or None,
    }


def working_order(row: ListedOrder, owner: ManagedOrder | None) -> WorkingOrderRow:
    """Return an order that works at the exchange, with the name that its owner gave it."""
    return {
        "order_no": row.order_no,
        "market": row.market,
        "symbol": row.symbol,
        "side": row.side,
        "order_type": row.order_type or None,
        "quantity": row.quantity,
        "price": row.price,
        "filled_quantity": row.filled,
        "remaining_quantity": row.remaining,
        "ordered_at": row.at,
        "client": owner.identity.client if owner else None,
        "client_order_id": owner.identity.client_order_id if owner else None,
    }


def _ack(
    client_order_id: str,
    status: AckStatus,
    answer: Step,
    *,
    received_at: int,
    submitted_at: int | None,
    verb: str,
    command_id: str,
    duplicate: bool,
    environment: TradingEnvironment,
) -> bytes:
    fields: OrderAck = {
        "client_order_id": client_order_id or None,
        "status": status,
        "reason": answer.reason or None,
        "order_no": answer.order_no or None,
        "kis": answer.kis or None,
        "received_at": received_at,
        "submitted_at": submitted_at,
        "answered_at": answer.at,
    }
    if verb != "place":
        fields["verb"] = verb
        fields["command_id"] = command_id or None
    if answer.message:
        fields["message"] = answer.message
    if duplicate:
        fields["duplicate"] = True
    if environment:
        fields["environment"] = environment
    return encode(fields)


def _terms(command: Place) -> SpecialTerms:
    terms: SpecialTerms = {}
    if command.credit_type is not None:
        terms = {"credit_type": command.credit_type, "loan_date": command.loan_date or ""}
    if command.reserved:
        terms["reserved"] = True
    return terms


def _standing(managed: ManagedOrder, progress: Progress) -> OrderStanding:
    average = progress.average_price
    if average is not None:
        average = average.quantize(_PRICE)
        average = average.quantize(Decimal(1)) if average == int(average) else average.normalize()
    return {
        "client_order_id": managed.identity.client_order_id,
        "seq": progress.seq,
        "state": progress.state,
        "order_no": progress.leg.order_no if progress.leg else None,
        "filled_quantity": progress.filled,
        "average_price": average,
        "at": progress.at,
    }
