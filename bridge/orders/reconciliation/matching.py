"""What the exchange's own list proves about orders; pure.

The list is compared with what the journal knows. It may lag behind (a paper order that was
accepted can be missing at first), so nothing is ever concluded from less than is known already.
KIS has no client order id: what a person places by hand may look just like a lost order, and what
cannot be told apart is left to a person.
Times are µs since the epoch; KIS writes whole seconds, and its clock may be a second off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from bridge.kis.listing import ListedOrder, plain, same_symbol
from bridge.kis.markets import NIGHT, RESERVED
from bridge.orders.model.command import Cancel, Modify, Place
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.progress import Progress
from bridge.orders.reconciliation.executions import cancel_key
from bridge.orders.reconciliation.proof import Evidence, ProofWindow

__all__ = [
    "Verdict",
    "find_change",
    "find_order",
    "listed_steps",
    "parts",
]

_ASKEW = 600_000_000
"""How far apart the clocks may be before an order just like the lost one counts as another. An
absence that is wrongly proven frees the symbol for a second order, so this is wide."""

Verdict: TypeAlias = Literal["open", "absent"] | Sequence[ListedOrder]
"""Nothing found yet; proof that the exchange never had it; rows of which none is proved to be it,
nor proved not to be."""


def listed_steps(
    progress: Progress, chain: Sequence[ListedOrder], at: int, *, changing: bool = False
) -> Iterator[Step]:
    """Yield, one after the other, what the list knows more about an accepted order.

    ``changing``: a change of it has no answer, and what is gone may stand under a new number soon.
    ``chain`` are the rows of its numbers and of what changed it, oldest first.
    """
    for row in chain:
        if row.action == "modify" and not progress.has_number(row.order_no) and not row.rejected:
            step = Step(
                Event.MODIFY,
                at,
                quantity=row.quantity if row.quantity < progress.remaining else 0,
                price=row.price or None,
                order_no=row.order_no,
                org_no=row.org_no,
                order_type=row.order_type,
                since=row.at or 0,
            )
            progress = progress.apply(step)
            yield step
        elif row.action == "modify" and row.rejected and progress.has_number(row.order_no):
            step = Step(Event.DECLINE, at, order_no=row.order_no)
            progress = progress.apply(step)
            yield step
    orders = [row for row in chain if row.action != "cancel"]
    filled = sum(row.filled for row in orders)
    fill = progress.listed(at, filled, sum((row.value for row in orders), Decimal(0)))
    if fill is not None:
        progress = progress.apply(fill)
        yield fill
    for row in chain:
        if row.action == "cancel" and row.cancelled:
            cancelled = progress.cancel(at, row.cancelled, cancel_key(row.order_no))
            if cancelled is not None:
                progress = progress.apply(cancelled)
                yield cancelled
    end = None if changing else _end(progress, orders, at)
    if end is not None:
        yield end


def parts(progress: Progress, chain: Sequence[ListedOrder]) -> dict[str, int] | None:
    """Return what is left under each number of an order that was modified in parts elsewhere.

    Nothing: what is left is under its last number. None: the list lags behind, or changed while
    it was read.
    """
    found = {plain(row.order_no): row.remaining for row in chain if row.action != "cancel"}
    left = {number: quantity for number, quantity in found.items() if quantity}
    numbers = [plain(leg.order_no) for leg in progress.legs]
    complete = all(number in found for number in numbers)
    if not complete or sum(left.values()) > progress.remaining:
        return None
    return {} if list(left) in ([], numbers[-1:]) else left


def _end(progress: Progress, orders: Sequence[ListedOrder], at: int) -> Step | None:
    """Return how an order ended that has nothing left at the exchange, but has in the journal."""
    numbers = {plain(row.order_no) for row in orders}
    complete = all(plain(leg.order_no) in numbers for leg in progress.legs)
    if not complete or not progress.remaining or any(row.remaining for row in orders):
        return None
    over = sum(row.filled + row.cancelled for row in orders)
    rejected = sum(row.rejected for row in orders)
    if rejected and not over and len(progress.legs) == 1 and progress.state is State.ACCEPTED:
        return Step(Event.REJECT, at, message="the exchange refused it")
    return progress.cancel(at, 0) if over + rejected >= progress.quantity else None


def find_order(
    order: ManagedOrder,
    place: Place,
    rows: Sequence[ListedOrder],
    evidence: Evidence,
    window: ProofWindow,
) -> ListedOrder | Verdict:
    """Look for an order whose answer was lost.

    It is the only row that may be it; it came by the Open API while the order was under way, and
    has its symbol, side, quantity, price and type.
    """
    # KIS's word for a channel may be one that the workbook does not have. Only where orders of ours
    # carry the known one is another word somebody else's.
    reserved = place.place[1].endswith(RESERVED)
    sure = any(row.channel == "api" and row.key in evidence.owned for row in rows)
    may_be = [
        row
        for row in rows
        if row.action == "place"
        and row.venue.endswith(RESERVED) is reserved
        and row.key not in evidence.owned
        and row.key not in evidence.earlier
        and not (sure and row.channel == "elsewhere")
    ]
    near = [
        row
        for row in may_be
        if (not row.symbol or same_symbol(row.symbol, place.symbol))
        and row.side in ("", place.side)
        and window.covers(order, row.at)
        and (row.channel != "elsewhere" or _fits(place, row))
    ]
    ours = [row for row in near if row.channel != "elsewhere"]
    if (
        len(ours) == 1
        # Where KIS does not say how it came, a person may have placed it by hand.
        and ours[0].channel == "api"
        and window.tight(order, ours[0].at)
        and _fits(place, ours[0])
    ):
        return ours[0]
    if near:
        return near
    if askew := [
        row
        for row in may_be
        if _fits(place, row) and row.at is not None and abs(row.at - order.since) <= _ASKEW
    ]:
        return askew  # the clocks may differ more than they should
    # KIS does not say under which day its list has a night, and no notice tells of a reservation.
    if place.place == NIGHT or reserved:
        return "open"
    return "absent" if evidence.absent(order, rows, window) else "open"


def _fits(place: Place, row: ListedOrder) -> bool:
    return (
        same_symbol(row.symbol, place.symbol)
        and row.side == place.side
        and row.quantity == place.quantity
        and _paid_alike(place, row)
        and (place.price is None or row.price == place.price)
        and row.order_type in ("", place.order_type)
    )


def _paid_alike(place: Place, row: ListedOrder) -> bool:
    """Tell whether a row was paid with what the order is: own means, or the loan of that day."""
    if place.credit_type is None:
        return not row.loan_date
    return row.loan_date in ("", (place.loan_date or "").strip("0"))


def find_change(
    change: ManagedOrder,
    chain: Sequence[ListedOrder],
    rows: Sequence[ListedOrder],
    claimed: Collection[str],
    evidence: Evidence,
    window: ProofWindow,
) -> ListedOrder | Verdict:
    """Look for a modification or cancellation whose answer was lost among its order's rows.

    ``rows`` is the whole list, ``claimed`` are the numbers of those that were answered.
    """
    wanted = "cancel" if isinstance(change.command, Cancel) else "modify"
    near = [
        row
        for row in chain
        if row.action == wanted
        and not row.rejected
        and plain(row.order_no) not in claimed
        and row.key not in evidence.earlier
        and window.covers(change, row.at)
    ]
    price = change.command.price if isinstance(change.command, Modify) else None
    if len(near) == 1 and (price is None or near[0].price == price):
        return near[0]
    if near:
        return near
    # Without the order's own row the list is not complete. A change that is wrongly taken for one
    # that never was cannot place anything, and whoever waits for it could not cancel its order.
    return "absent" if chain and evidence.missing(change, rows, window) else "open"
