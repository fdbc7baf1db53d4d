"""From a command and the order it is about to what is checked and what KIS is sent; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bridge.catalog.model import Catalog
from bridge.kis import orders as kis
from bridge.kis.listing import plain
from bridge.kis.markets import (
    RESERVED,
    OrderType,
    OrderTypes,
    OrderVenue,
    stands_at,
    venue,
)
from bridge.kis.prices import won_per_point
from bridge.orders.model.command import Cancel, CommandError, Modify, Place
from bridge.orders.model.command_parser import check_price
from bridge.orders.model.lifecycle import OPEN, Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.progress import Leg
from bridge.orders.risk.limits import Context, Refusal, RiskRequest
from bridge.runtime.clock import seoul_day

__all__ = ["Intent", "plan"]


_AT_MARKET_LATER = frozenset({"conditional_limit", "stop"})
"""At the limit until the closing auction and then at the market; a stop once a price came."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a command comes to."""

    request: RiskRequest
    call: Callable[[Catalog, str], kis.OrderCall] = field(repr=False)
    """Writes the REST call for an account number."""
    leg: Leg | None = None
    """A modification: the order afterwards, but for its new numbers."""
    cancels: str = ""
    """A cancellation of the whole: of what is under this number."""
    context: Context | None = None
    """What it was held against."""

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

    def left(self, answer: Step, parts: Mapping[str, int] | None) -> Mapping[str, int] | None:
        """Return what is left under an order's numbers after an answer, as far as known."""
        if parts is None:
            return None
        gone = self.cancels if answer.event is Event.ACCEPT else ""
        return {number: left for number, left in parts.items() if number != gone}


def plan(
    managed: ManagedOrder,
    order: ManagedOrder | None,
    order_types: OrderTypes,
    rates: Mapping[str, Decimal],
) -> Intent | Refusal:
    """Say what a command comes to; ``order`` is what a modification or cancellation is about.

    ``rates`` are won for one unit of a currency.
    """
    command = managed.command
    if isinstance(command, Place):
        return _place(command, order_types, rates)
    if order is None or not isinstance(order.command, Place):
        return Refusal("unknown_order", "there is no order of that client_order_id today")
    progress, place = order.progress, order.command
    leg = progress.leg
    if progress.state not in OPEN or leg is None:
        return Refusal("not_cancellable", f"the order is {progress.state}")
    if isinstance(command, Cancel):
        part = _part(order, leg, command.order_no)
        if part is None:
            return Refusal("unknown_order", f"order_no: nothing is open as {command.order_no}")
        return _cancel(command, place, *part, order_types)
    assert isinstance(command, Modify)  # noqa: S101 - a cancel_all has no plan of its own
    if order.parts:
        text = "a part of it was modified elsewhere; cancel it, and place another"
        return Refusal("invalid_payload", f"{text} ({', '.join(order.parts)})")
    # KIS would split the order: the rest would live on under a second number.
    if command.quantity is not None and command.quantity < progress.remaining:
        return Refusal(
            "invalid_payload",
            f"quantity: a modification is of the whole rest ({progress.remaining}); leave "
            "quantity out, or cancel a part",
        )
    return _modify(command, place, leg, progress.remaining, order_types, rates)


def _place(
    command: Place, order_types: OrderTypes, rates: Mapping[str, Decimal]
) -> Intent | Refusal:
    kind = order_types.get(command.place, {}).get(command.order_type)
    if kind is None:  # the workbook or the environment changed since it was received
        return Refusal("invalid_payload", f"order_type: {command.venue} has no such type any more")
    return Intent(
        RiskRequest(
            "place",
            command.symbol,
            command.quantity,
            _at(kind, command.price, command.condition_price),
            side=command.side,
            becomes_market=kind.name in _AT_MARKET_LATER,
            unit=won_per_point(command.place, command.symbol, rates),
            contract=_contract(command),
        ),
        lambda catalog, account: kis.place(
            catalog,
            account=account,
            at=venue(command.place),
            side=command.side,
            symbol=command.symbol,
            order_type=kind,
            quantity=command.quantity,
            price=command.price,
            condition_price=command.condition_price,
            credit=_credit(command),
        ),
    )


def _credit(command: Place) -> kis.Credit | None:
    if command.credit_type is None:
        return None
    return kis.Credit(command.credit_type, command.loan_date or "")


def _at(kind: OrderType, price: Decimal | None, condition: Decimal | None) -> Decimal | None:
    """Return the price to hold against the limits: of a stop the one at which it becomes active."""
    return price if kind.priced or not kind.conditional else condition


def _contract(place: Place) -> bool:
    """Tell whether what one is worth is in no table of ours."""
    return place.market == "overseas_derivative"


def _beside(leg: Leg, at: OrderVenue) -> str:
    """Return what KIS wants beside a number: its day, where KIS has not said it with the number."""
    dated = at.market == "overseas_derivative" or (at.variant, at.currency) == ("reserved", "USD")
    return leg.org_no or (f"{seoul_day(leg.at):%Y%m%d}" if dated else "")


def _part(order: ManagedOrder, last: Leg, order_no: str | None) -> tuple[Leg, int] | None:
    """Return the number to cancel, and what is left under it."""
    remaining, parts = order.progress.remaining, order.parts or {}
    legs = {plain(leg.order_no): leg for leg in order.progress.legs}
    if order_no is not None:
        found = legs.get(plain(order_no))
        return None if found is None else (found, parts.get(plain(order_no), remaining))
    for number, left in parts.items():
        if plain(last.order_no) not in parts and number in legs:
            return legs[number], left
    return last, parts.get(plain(last.order_no), remaining)


def _cancel(
    command: Cancel, place: Place, leg: Leg, remaining: int, order_types: OrderTypes
) -> Intent | Refusal:
    at = venue(stands_at(place.place, leg.order_no))
    kind = _kind(order_types, place, leg.order_type)
    if kind is None:
        return Refusal("invalid_payload", f"order_type: {place.venue} has no {leg.order_type!r}")
    # As "all that is left" rather than as a number: a fill on its way would make it too much, which
    # KIS refuses (KIER2320).
    part = command.quantity
    if part is not None and part >= remaining:
        part = None
    if part is not None and not at.parts:
        return Refusal("invalid_payload", f"quantity: {place.venue} cancels whole orders only")
    return Intent(
        RiskRequest("cancel", place.symbol, part or remaining, leg.price, side=place.side),
        lambda catalog, account: kis.change(
            catalog,
            kind="cancel",
            account=account,
            at=at,
            symbol=place.symbol,
            org_no=_beside(leg, at),
            order_no=leg.order_no,
            order_type=kind,
            quantity=part or remaining,
            whole=part is None,
            price=None,
            side=place.side,
        ),
        cancels=plain(leg.order_no) if part is None else "",
    )


def _modify(
    command: Modify,
    place: Place,
    leg: Leg,
    remaining: int,
    order_types: OrderTypes,
    rates: Mapping[str, Decimal],
) -> Intent | Refusal:
    where = stands_at(place.place, leg.order_no)
    at = venue(where)
    if not at.modifies and where[1].endswith(RESERVED):
        text = "reserved: nothing would tell of a lost change; cancel it and place another"
        return Refusal("invalid_payload", text)
    if not at.modifies:
        text = f"{place.venue}: KIS has no modification there; cancel the order and place another"
        return Refusal("invalid_payload", text)
    name = command.order_type or leg.order_type
    condition = command.condition_price
    if command.order_type is None and condition is None:
        condition = leg.condition_price
    try:
        wanted = check_price(
            command.model_copy(update={"condition_price": condition}),
            where,
            place.side,
            name,
            order_types,
        )
    except CommandError as error:
        return Refusal(error.code, str(error))
    if place.market == "overseas_stock" and name != leg.order_type:
        return Refusal("invalid_payload", "order_type: overseas only the price can be modified")
    kind = order_types[where][name]
    unit = won_per_point(where, place.symbol, rates)
    return Intent(
        RiskRequest(
            *("modify", place.symbol, remaining),
            _at(kind, wanted.price, wanted.condition_price),
            replaces=_at(kind, leg.price, leg.condition_price),
            side=place.side,
            becomes_market=name in _AT_MARKET_LATER,
            unit=unit,
            contract=_contract(place),
        ),
        lambda catalog, account: kis.change(
            catalog,
            kind="modify",
            account=account,
            at=at,
            symbol=place.symbol,
            org_no=_beside(leg, at),
            order_no=leg.order_no,
            order_type=kind,
            quantity=remaining,
            whole=True,
            price=wanted.price,
            condition_price=wanted.condition_price,
        ),
        Leg("", "", wanted.price, name, wanted.condition_price),
    )


def _kind(order_types: OrderTypes, place: Place, name: str) -> OrderType | None:
    known = order_types.get(place.place, {})
    return known.get(name) or known.get(place.order_type)
