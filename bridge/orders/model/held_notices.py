"""Execution notices that fit no order yet, kept until what may explain them is answered; pure.

KIS can send the notice of a fill before the REST answer with the order's number (docs/kis.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.kis.executions import ExecutionNotice
from bridge.kis.listing import plain
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.managed_order import ManagedOrder

__all__ = ["HeldNotices"]


@dataclass(slots=True)
class _Held:
    """A notice that no order is known for, while commands have no answer that may explain it."""

    alias: str
    notice: ExecutionNotice
    at: int
    waiting: set[ManagedOrder] = field(default_factory=set)


class HeldNotices:
    """Notices by account, oldest first."""

    def __init__(self, blotter: Blotter) -> None:
        self._blotter = blotter
        self._held: list[_Held] = []

    def match(self, alias: str, notice: ExecutionNotice, at: int) -> ManagedOrder | None:
        """Return the order that a notice is about."""
        numbers = (notice.order_no, notice.original_order_no)
        found = [self._blotter.meant(alias, notice.market, number, at) for number in numbers]
        candidates = [order for order in found if order is not None]
        same = (one for one in candidates if self._blotter.symbol(one) == notice.symbol)
        return next(same, None)

    def hold(self, alias: str, notice: ExecutionNotice, at: int) -> bool:
        """Keep an unmatched notice until what may explain it is answered.

        Returns False when nothing is: the order was placed elsewhere.
        """
        waiting = {
            managed
            for managed in self._blotter.unsettled(alias)
            if managed.verb != "cancel" and self._blotter.symbol(managed) == notice.symbol
        }
        if waiting:
            self._held.append(_Held(alias, notice, at, waiting))
        return bool(waiting)

    def heard(self, alias: str, symbol: str) -> set[str]:
        """Return the numbers in the notices that are kept."""
        return {
            plain(held.notice.order_no)
            for held in self._held
            if held.alias == alias and held.notice.symbol == symbol
        }

    def release(self) -> list[tuple[str, ExecutionNotice, int]]:
        """Return the held notices that need to wait no longer, oldest first."""
        ready: list[_Held] = []
        held: list[_Held] = []
        for one in self._held:
            one.waiting = {each for each in one.waiting if self._blotter.waits(each)}
            free = not one.waiting or self.match(one.alias, one.notice, one.at) is not None
            (ready if free else held).append(one)
        self._held = held
        return [(one.alias, one.notice, one.at) for one in ready]
