"""Today's commands and orders in memory, found by identity and by KIS's order numbers; no I/O.

Everything in it follows from the journal; :class:`Blotter` is filled from there at the start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date

from bridge.calendar.hours import Calendar
from bridge.kis.listing import ListedOrder, plain, same_symbol
from bridge.orders.model.command import Cancel, CancelAll, Place
from bridge.orders.model.lifecycle import CLOSED, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity, JournalStep
from bridge.runtime.clock import seoul_day

__all__ = ["Blotter"]

_ASKEW = 3_600_000_000
"""How far (µs) the exchange's clock may be from ours; no number comes again within an hour."""
_EARLY = 2_000_000
"""How much earlier (µs) than ours the exchange's clock may say it was."""


class Blotter:
    """Commands by identity, orders by number; alone in changing a :class:`ManagedOrder`."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._commands: dict[Identity, ManagedOrder] = {}
        self._numbers: dict[tuple[str, str, str], dict[int, ManagedOrder]] = {}
        """By account, market and number: since when it means which order, as its own number or as
        that of what changed it."""
        self._unsettled: dict[ManagedOrder, None] = {}
        self._open: dict[ManagedOrder, None] = {}

    def __iter__(self) -> Iterator[ManagedOrder]:
        return iter(self._commands.values())

    def get(self, identity: Identity) -> ManagedOrder | None:
        return self._commands.get(identity)

    def order(self, identity: Identity) -> ManagedOrder | None:
        """Return the order that a command is about."""
        account, client, client_order_id, _ = identity  # ``_replace`` takes five times as long
        return self._commands.get(Identity(account, client, client_order_id, ""))

    def add(self, managed: ManagedOrder) -> None:
        """Take a command that is in the journal."""
        self._commands[managed.identity] = managed
        self._index(managed)

    def enter(self, managed: ManagedOrder, step: Step) -> None:
        """Take a command that is on its way into the journal, with the step that goes with it."""
        self._commands[managed.identity] = managed
        managed.progress = managed.progress.apply(step)
        self._index(managed)

    def withdraw(self, managed: ManagedOrder) -> None:
        """Forget a command that did not get into the journal; KIS never saw it."""
        if self._commands.get(managed.identity) is managed:
            del self._commands[managed.identity]
        self._unsettled.pop(managed, None)
        self._open.pop(managed, None)

    def drop(self, over: Collection[ManagedOrder], before: int) -> None:
        """Forget orders of a day that is over, and what was asked about them.

        And about nothing, ``before``. The journal knows them.
        """
        gone = set(over)
        for managed in self:
            if managed.progress.answer is None or managed.progress.state is State.UNKNOWN:
                continue
            order = self.order(managed.identity)
            if order is None or order.verb != "place":
                if managed.received_at < before:
                    gone.add(managed)
            elif order in gone:
                gone.add(managed)
        self._commands = {k: v for k, v in self._commands.items() if v not in gone}
        for key, meant in list(self._numbers.items()):
            self._numbers[key] = {at: one for at, one in meant.items() if one not in gone}
            if not self._numbers[key]:
                del self._numbers[key]
        for managed in gone:
            self._open.pop(managed, None)
            self._unsettled.pop(managed, None)

    def step(self, managed: ManagedOrder, step: Step) -> JournalStep:
        """Apply a step; returns the line for the journal.

        Raises :class:`bridge.orders.model.lifecycle.LifecycleError` and changes nothing.
        """
        managed.progress = managed.progress.apply(step)
        self._index(managed)
        progress = managed.progress
        return JournalStep(managed.id, progress.steps, step, progress.state)

    def call_off(self, managed: ManagedOrder) -> None:
        """Let a command not be sent any more: a ``cancel_all`` or a halt came after it."""
        managed.overtaken = True

    def overtakes(self, every: ManagedOrder, one: ManagedOrder) -> bool:
        """Tell whether a ``cancel_all`` is about a command: that came before it, of its client."""
        command = every.command
        return (
            isinstance(command, CancelAll)
            and one.identity[:2] == every.identity[:2]
            and one.received_at <= every.received_at
            and command.symbol in (None, getattr(one.command, "symbol", None) or self.symbol(one))
        )

    def divide(self, order: ManagedOrder, parts: Mapping[str, int] | None) -> None:
        """Take note of what is left under each number of an order; None: nobody knows."""
        order.parts = parts

    def waits(self, managed: ManagedOrder) -> bool:
        """Tell whether a command is sent and nothing is known of it."""
        return managed in self._unsettled

    def states(self) -> Counter[str]:
        """Count today's orders by state."""
        return Counter(str(t.progress.state) for t in self if t.verb == "place")

    # what has no answer yet

    def unsettled(self, account: str, state: State | None = None) -> list[ManagedOrder]:
        """Return the commands of an account that are sent and of which nothing is known."""
        return [
            managed
            for managed in self._unsettled
            if managed.identity.account == account
            and (state is None or managed.progress.state is state)
        ]

    def symbol(self, managed: ManagedOrder) -> str:
        """Return what a command trades; blank for an order that is not known."""
        order = self.order(managed.identity)
        return order.command.symbol if order and isinstance(order.command, Place) else ""

    def working(self, account: str) -> list[ManagedOrder]:
        """Return the orders of an account that are or may be open."""
        return [order for order in self._open if order.identity.account == account]

    def open_symbols(self) -> set[tuple[str, str, str]]:
        """Return market, venue and symbol of every order that is or may be open."""
        return {
            (order.command.market, order.command.venue, order.command.symbol)
            for order in self._open
            if isinstance(order.command, Place)
        }

    def fence(self, account: str, symbol: str, *, but: ManagedOrder) -> ManagedOrder | None:
        """Return the order or modification of unknown outcome that fences a symbol."""
        return next(
            (
                managed
                for managed in self.unsettled(account, State.UNKNOWN)
                if managed is not but
                and managed.verb in ("place", "modify")
                and self.symbol(managed) == symbol
            ),
            None,
        )

    def lives(self, order: ManagedOrder, at: int) -> bool:
        """Tell whether something ordered ``at`` can be about an order: from its day and session."""
        place = order.command
        assert isinstance(place, Place)  # noqa: S101
        return order.since - _ASKEW <= at < self._calendar.over(place.place, order.since)

    def meant(self, account: str, market: str, order_no: str, at: int) -> ManagedOrder | None:
        """Return the order that was meant by a number of KIS's at a moment.

        KIS starts its numbers again, and where a session has two Korean dates it does not say when.
        So a number means an order until that one's day is over; of several the newest.
        """
        found = self._numbers.get((account, market, plain(order_no)), {})
        living = [(since, one) for since, one in found.items() if self.lives(one, at)]
        before = [(since, one) for since, one in living if since - _EARLY <= at]
        pick = max(before, key=_since) if before else min(living, key=_since, default=None)
        return pick[1] if pick else None

    def taken(self, account: str, market: str, order_no: str, at: int) -> bool:
        """Tell whether KIS has given an order of ours that number already, on that Korean day."""
        found = self._numbers.get((account, market, plain(order_no)), {})
        return any(seoul_day(since) == seoul_day(at) for since in found)

    def owned(
        self, account: str, market: str, rows: Iterable[ListedOrder]
    ) -> dict[tuple[date | None, str], ManagedOrder]:
        """Return the orders that rows are, by their ``key``: of that number, symbol and time."""
        same: dict[str, list[ListedOrder]] = {}
        for row in rows:
            same.setdefault(plain(row.order_no), []).append(row)
        found: dict[tuple[date | None, str], tuple[int, ManagedOrder]] = {}
        for number, group in same.items():
            for since, order in self._numbers.get((account, market, number), {}).items():
                near = [
                    (0 if row.at is None else abs(row.at - since), row)
                    for row in group
                    # KIS may have answered a wrong one.
                    if not row.symbol or same_symbol(row.symbol, self.symbol(order))
                    if row.at is None or self.lives(order, row.at)
                ]
                if near:
                    apart, row = min(near, key=_since)
                    if row.key not in found or apart < found[row.key][0]:
                        found[row.key] = apart, order
        return {key: order for key, (_, order) in found.items()}

    def changed(self, order: ManagedOrder) -> set[str]:
        """Return the numbers that KIS gave to the modifications and cancellations of an order."""
        return {
            plain(leg.order_no)
            for managed in self
            if managed is not order and self.order(managed.identity) is order
            for leg in managed.progress.legs
        }

    # as the exchange's list sees it

    def markets(self, account: str) -> set[str]:
        """Return the markets of an account's orders."""
        return {
            managed.command.market
            for managed in self
            if managed.identity.account == account and isinstance(managed.command, Place)
        }

    def venues(self, account: str, market: str) -> set[str]:
        """Return where an account has orders: some sessions have a list of their own."""
        return {
            managed.command.place[1]
            for managed in self
            if isinstance(managed.command, Place) and managed.command.market == market
            if managed.identity.account == account
        }

    def days(self, account: str, market: str) -> set[date]:
        """Return the Korean dates of the orders that are or may be open."""
        return {
            seoul_day(managed.progress.submitted_at or managed.received_at)
            for managed in self._open
            if managed.identity.account == account
            and isinstance(managed.command, Place)
            and managed.command.market == market
        }

    def changes(self, order: ManagedOrder) -> list[ManagedOrder]:
        """Return the modifications and cancellations of an order that have no answer."""
        return [
            managed
            for managed in self.unsettled(order.identity.account, State.UNKNOWN)
            if managed is not order and self.order(managed.identity) is order
        ]

    def cancelled(self) -> set[tuple[str, ...]]:
        """Return the orders of which KIS took a cancellation of the whole: with which number."""
        return {
            (*managed.identity[:3], managed.command.order_no or "")
            for managed in self
            if isinstance(managed.command, Cancel)
            and managed.command.quantity is None
            and managed.progress.state is State.ACCEPTED
        }

    def changing(self, order: ManagedOrder) -> bool:
        """Tell whether a modification or cancellation of an order is sent and has no answer."""
        return any(
            managed is not order and self.order(managed.identity) is order
            for managed in self.unsettled(order.identity.account)
        )

    def _index(self, managed: ManagedOrder) -> None:
        progress = managed.progress
        if progress.state in (State.SUBMITTING, State.UNKNOWN):
            self._unsettled[managed] = None
        else:
            self._unsettled.pop(managed, None)
        order = self.order(managed.identity)
        if order is None or not isinstance(order.command, Place):
            return
        for leg in progress.legs:
            key = (order.identity.account, order.command.market, plain(leg.order_no))
            self._numbers.setdefault(key, {}).setdefault(leg.at, order)
        if managed is not order or progress.submitted_at is None:
            return
        if progress.state in CLOSED:
            self._open.pop(managed, None)
        else:
            self._open[managed] = None


def _since(pair: tuple[int, object]) -> int:
    return pair[0]
