"""From a command and the order it is about to what is checked and what KIS is sent; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from bridge.catalog.model import Catalog
from bridge.kis import orders as kis
from bridge.orders.book import OPEN, Tracked
from bridge.orders.command import Cancel, CommandError, Modify, OrderTypes, Place, check_price
from bridge.orders.lifecycle import Event, Leg, Step
from bridge.orders.risk import Refusal, Request

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command comes to."""

    request: Request
    call: Callable[[Catalog, str], kis.Call] = field(repr=False)
    """Writes the REST call for an account number."""
    leg: Leg | None = None
    """A modification: the order afterwards, but for its new numbers."""

    def after(self, answer: Step) -> Step | None:
        """Return what an accepted command does to the order it is about, as far as known."""
        if self.leg is None or answer.event is not Event.ACCEPT:
            return None
        return Step(
            Event.MODIFY,
            answer.at,
            price=self.leg.price,
            order_no=answer.order_no,
            org_no=answer.org_no,
            order_type=self.leg.order_type,
            condition_price=self.leg.condition_price,
        )


def plan(tracked: Tracked, order: Tracked | None, order_types: OrderTypes) -> Plan | Refusal:
    """Say what a command comes to; ``order`` is what a modification or cancellation is about."""
    command = tracked.command
    if isinstance(command, Place):
        return _place(command, order_types)
    if order is None or not isinstance(order.command, Place):
        return Refusal("unknown_order", "there is no order of that client_order_id today")
    progress, place = order.progress, order.command
    leg = progress.leg
    if progress.state not in OPEN or leg is None:
        return Refusal("not_cancellable", f"the order is {progress.state}")
    types = order_types.get(place.venue, {})
    if isinstance(command, Cancel):
        return _cancel(command, place, leg, progress.remaining, types[leg.order_type])
    if isinstance(command, Modify):
        if command.quantity is not None and command.quantity < progress.remaining:
            return Refusal(
                "invalid_payload",
                f"quantity: a modification is of the whole rest ({progress.remaining}); leave "
                "quantity out, or cancel a part",
            )
        return _modify(command, place, leg, progress.remaining, order_types)
    return Refusal("invalid_payload", "cancel_all is not offered yet: cancel each order")


def _place(command: Place, order_types: OrderTypes) -> Plan | Refusal:
    kind = order_types.get(command.venue, {}).get(command.order_type)
    if kind is None:  # the workbook changed since it was received
        return Refusal("invalid_payload", f"order_type: {command.venue} has no such type any more")
    return Plan(
        Request("place", command.symbol, command.quantity, command.price),
        lambda catalog, account: kis.place(
            catalog,
            account=account,
            side=command.side,
            venue=command.venue,
            symbol=command.symbol,
            order_type=kind,
            quantity=command.quantity,
            price=command.price,
            condition_price=command.condition_price,
        ),
    )


def _cancel(
    command: Cancel, place: Place, leg: Leg, remaining: int, kind: kis.OrderType
) -> Plan | Refusal:
    part = command.quantity
    if part is not None and part >= remaining:
        part = None
    return Plan(
        Request("cancel", place.symbol, part or remaining, leg.price),
        lambda catalog, account: kis.change(
            catalog,
            kind="cancel",
            account=account,
            venue=place.venue,
            org_no=leg.org_no,
            order_no=leg.order_no,
            order_type=kind,
            quantity=part,
            price=None,
        ),
    )


def _modify(
    command: Modify, place: Place, leg: Leg, remaining: int, order_types: OrderTypes
) -> Plan | Refusal:
    name = command.order_type or leg.order_type
    condition = command.condition_price
    if command.order_type is None and condition is None:
        condition = leg.condition_price
    try:
        wanted = check_price(
            command.model_copy(update={"condition_price": condition}),
            place.venue,
            name,
            order_types,
        )
    except CommandError as error:
        return Refusal(error.code, str(error))
    kind = order_types[place.venue][name]
    already = (leg.price or Decimal(0)) * remaining
    return Plan(
        Request("modify", place.symbol, remaining, wanted.price, already),
        lambda catalog, account: kis.change(
            catalog,
            kind="modify",
            account=account,
            venue=place.venue,
            org_no=leg.org_no,
            order_no=leg.order_no,
            order_type=kind,
            quantity=None,
            price=wanted.price,
            condition_price=wanted.condition_price,
        ),
        Leg("", "", wanted.price, name, wanted.condition_price),
    )
