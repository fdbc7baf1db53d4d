"""From an execution notice to the step it is in the life of an order; pure."""

from __future__ import annotations

from bridge.kis.executions import ExecutionNotice
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.progress import Progress, fill_key, same_number

__all__ = ["cancel_key", "execution"]


def execution(progress: Progress, notice: ExecutionNotice, at: int) -> Step | None:
    """Return what a notice about this order changes, or None: nothing that is not known yet."""
    price = notice.price or None
    match notice.kind:
        case "fill":
            told = notice.fill_no or notice.time
            key = fill_key(notice.order_no, told, notice.quantity, notice.price)
            return progress.fill(at, notice.quantity, notice.price, key)
        case "cancelled":
            return progress.cancel(at, notice.quantity, cancel_key(notice.order_no))
        case "modified" if not progress.has_number(notice.order_no):
            part = notice.quantity if notice.quantity < progress.remaining else 0
            return Step(Event.MODIFY, at, part, price, order_no=notice.order_no)
        case "rejected":
            first = progress.legs[0] if progress.legs else None
            if first is not None and same_number(first.order_no, notice.order_no):
                return Step(Event.REJECT, at, message="the exchange refused it")
            return Step(Event.DECLINE, at, order_no=notice.order_no)
    return None


def cancel_key(order_no: str) -> str:
    """Return what tells one cancellation from another: it has a number of its own."""
    return f"c{order_no.strip().lstrip('0')}"
