"""Where the exchange and the journal differ: told once, for people to look at.

Nothing is changed by it. Neither side is known to be right, and the list may only lag behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from bridge.kis.executions import ExecutionNotice
from bridge.kis.listing import ListedOrder, plain, same_symbol
from bridge.mqtt.event_payloads import OrderDifferenceEvent
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Place
from bridge.orders.model.lifecycle import OPEN
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.reconciliation.proof import ProofWindow
from bridge.runtime.clock import seoul_day

__all__ = ["Differences"]


class Differences:
    """Tells them as events; ``proof`` (µs) is how long the list may lag behind."""

    def __init__(
        self, blotter: Blotter, publisher: Publisher, *, clock: Callable[[], int], proof: int
    ) -> None:
        self._blotter = blotter
        self._publisher = publisher
        self._clock = clock
        self._proof = proof
        self._told: set[tuple[int, str]] = set()
        """What was told of which command."""
        self._day = date.min
        self._elsewhere: dict[tuple[str, str, str], int] = {}
        """Orders placed elsewhere today, by account, market and number: how much was told to be
        filled."""

    def elsewhere(self, alias: str, notice: ExecutionNotice) -> None:
        """Remember that a notice of an order placed elsewhere was told."""
        told, key = self._today(), (alias, notice.market, plain(notice.order_no))
        told[key] = told.get(key, 0) + (notice.quantity if notice.kind == "fill" else 0)

    def _today(self) -> dict[tuple[str, str, str], int]:
        """Return what was told of orders placed elsewhere; KIS's numbers start again each day."""
        today = seoul_day(self._clock())
        if self._day != today:
            self._day = today
            self._elsewhere.clear()
        return self._elsewhere

    def open_end(self, managed: ManagedOrder) -> bool:
        """Tell whether nobody was told yet that only a person can settle a command."""
        return (managed.id, "unknown") not in self._told

    def tell_unknown(self, managed: ManagedOrder, may_be: Sequence[ListedOrder] = ()) -> None:
        """Tell, once, that only a person can settle it; ``may_be`` are the rows to look at."""
        if (managed.id, "unknown") in self._told:
            return
        self._told.add((managed.id, "unknown"))
        now = self._clock()
        if may_be:
            self._publisher.post(lambda: self._publisher.ambiguous(managed, may_be, now))
            return
        why = "the exchange's list does not have it, which proves nothing here: resolve it"
        self._publisher.post(lambda: self._publisher.unknown(managed, now, why))

    def tell_differences(
        self,
        alias: str,
        market: str,
        chains: Mapping[ManagedOrder, Sequence[ListedOrder]],
        window: ProofWindow,
    ) -> None:
        """Tell, once, what the exchange has otherwise and the journal cannot follow."""
        for order in self._blotter:
            progress = order.progress
            if order.verb != "place" or order.identity.account != alias or not progress.legs:
                continue
            if not isinstance(order.command, Place) or order.command.market != market:
                continue
            if progress.at > window.asked - self._proof:
                continue  # the list may still lag behind
            own = [row for row in chains.get(order, ()) if row.action != "cancel"]
            filled = sum(row.filled for row in own)
            if progress.state in OPEN and not own:
                what = "the exchange's list does not have it"
            elif own and filled < progress.filled:
                what = f"{progress.filled} are filled, {filled} in the exchange's list"
            else:
                continue
            if (order.id, what) not in self._told:
                self._told.add((order.id, what))
                self._tell_difference(order, what)

    def _tell_difference(self, order: ManagedOrder, what: str) -> None:
        account, client, client_order_id, _ = order.identity
        now = self._clock()
        event: OrderDifferenceEvent = {
            "kind": "order_difference",
            "account": account,
            "client": client,
            "client_order_id": client_order_id,
            "message": what,
        }
        self._publisher.post(lambda: self._publisher.difference(event, now))

    def tell_strangers(self, alias: str, strangers: Sequence[ListedOrder]) -> None:
        """Tell of orders that were placed elsewhere, and of what they fill."""
        now, elsewhere = self._clock(), self._today()
        waiting = {self._blotter.symbol(managed) for managed in self._blotter.unsettled(alias)}
        for row in strangers:
            key = (alias, row.market, plain(row.order_no))
            ours = any(same_symbol(row.symbol, symbol) for symbol in waiting)
            if ours or row.day not in (None, seoul_day(now)):
                continue  # it may turn out to be ours; or it is of a day that is over
            told = elsewhere.get(key)
            if told is not None and row.filled <= told:
                continue
            elsewhere[key] = row.filled
            self._post_stranger(alias, row, now)

    def _post_stranger(self, alias: str, row: ListedOrder, now: int) -> None:
        self._publisher.post(lambda: self._publisher.external_row(alias, row, now))
