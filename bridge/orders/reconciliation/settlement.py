"""What the list proves about commands without an answer, and what it knows more of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import structlog

from bridge.errors import RequestError
from bridge.kis.listing import ListedOrder, OrderList, plain, same_symbol
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Modify, Place
from bridge.orders.model.held_notices import HeldNotices
from bridge.orders.model.lifecycle import Event, LifecycleError, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.reconciliation.differences import Differences
from bridge.orders.reconciliation.matching import (
    find_change,
    find_order,
    listed_steps,
    parts,
)
from bridge.orders.reconciliation.proof import Evidence, ProofWindow
from bridge.orders.reconciliation.sightings import Sightings
from bridge.orders.risk.ledger import LimitLedger
from bridge.orders.risk.rules import TradingAccount
from bridge.runtime.clock import seoul_day

__all__ = ["Settlement"]

log = structlog.get_logger()


class Settlement:
    """Brings what the journal knows up to what the list says."""

    def __init__(
        self,
        blotter: Blotter,
        ledger: LimitLedger,
        held: HeldNotices,
        outbox: Outbox,
        differences: Differences,
        sightings: Sightings,
        accounts: Mapping[str, TradingAccount],
        *,
        clock: Callable[[], int],
    ) -> None:
        self._blotter = blotter
        self._ledger = ledger
        self._held = held
        self._outbox = outbox
        self._differences = differences
        self._sightings = sightings
        self._accounts = accounts
        self._clock = clock
        self._missed: WeakKeyDictionary[ManagedOrder, int] = WeakKeyDictionary()
        """When a complete list was asked for first that did not have a command."""

    def settle(self, alias: str, market: str, listed: OrderList, window: ProofWindow) -> None:
        """Settle what the list of a market proves, follow what it tells, tell what differs."""
        rows = listed.rows
        today = seoul_day(self._clock())
        self._sightings.note(alias, market, (row.key for row in rows), today)
        # Lost orders first: one that is found brings its number along, and its rows would be those
        # of a stranger without it.
        self._settle_orders(alias, market, listed, window)
        chains, strangers = self._chains(alias, market, rows)
        for order, own in chains.items():
            for change in self._blotter.changes(order):
                self._settle_change(change, order, own, listed, window)
            self._follow(order, own)
        for managed in self._blotter.unsettled(alias, State.UNKNOWN):
            about = self._blotter.order(managed.identity)
            if managed.verb != "place" and about is not None and about not in chains:
                if not isinstance(about.command, Place) or about.command.market != market:
                    continue
                self._settle_change(managed, about, (), listed, window)
            elif about is None and window.over(managed):  # its order's day is over
                self._differences.tell_unknown(managed)
        self._differences.tell_differences(alias, market, chains, window)
        self._differences.tell_strangers(alias, strangers)

    def resolve(self, identity: Identity, *, order_no: str, by: str) -> ManagedOrder:
        """Settle a command as a person says: under ``order_no``, or, blank, never placed.

        Raises :class:`RequestError`.
        """
        managed = self._blotter.get(identity)
        if managed is None:
            raise RequestError("unknown_order", "there is no such command today")
        if managed.progress.state is not State.UNKNOWN:
            text = f"it is {managed.progress.state}, not unknown"
            raise RequestError("not_unknown", text)
        if order_no and self._taken(managed, order_no):
            raise RequestError("order_no_taken", f"{order_no} is another command's order_no")
        if order_no:
            self._accept(managed, order_no, "", f"resolved by {by}")
        else:
            self._absent(managed, f"resolved by {by}")
        return managed

    def _taken(self, managed: ManagedOrder, order_no: str) -> bool:
        about, account = self._blotter.order(managed.identity), managed.identity.account
        if about is None or not isinstance(about.command, Place):
            return False
        owner = self._blotter.meant(account, about.command.market, order_no, managed.since)
        if owner is about and managed is not about:  # the list may have told it
            return plain(order_no) in self._blotter.changed(about)
        return owner is not None

    def _follow(self, order: ManagedOrder, own: Sequence[ListedOrder]) -> None:
        changing = self._blotter.changing(order)
        try:
            for step in listed_steps(order.progress, own, self._clock(), changing=changing):
                if not self._outbox.happen(order, step):
                    return
        except LifecycleError as error:
            what = f"the exchange's list does not fit: {error}"
            log.warning("list does not fit the order", order=order.identity, cause=what)
        found = None if changing else parts(order.progress, own)
        if found is not None:
            self._blotter.divide(order, found)

    def _settle_orders(
        self,
        alias: str,
        market: str,
        listed: OrderList,
        window: ProofWindow,
    ) -> None:
        owned = self._blotter.owned(alias, market, listed.rows)
        lost = [t for t in self._blotter.unsettled(alias, State.UNKNOWN) if t.verb == "place"]
        found: dict[str, list[tuple[ManagedOrder, ListedOrder]]] = {}
        for order in lost:
            place = order.command
            if not isinstance(place, Place) or place.market != market:
                continue
            evidence = self._evidence(order, market, listed, window)
            verdict = find_order(order, place, listed.rows, replace(evidence, owned=owned), window)
            if isinstance(verdict, ListedOrder):
                found.setdefault(verdict.order_no, []).append((order, verdict))
            elif verdict == "absent":
                self._absent(order, "the exchange's complete list does not have it")
            elif verdict != "open":
                self._tell(order, verdict, window)
            elif not evidence.waits(order, window):
                self._differences.tell_unknown(order)
        # Only when all have chosen: two lost orders that are alike may both point at one row.
        for candidates in found.values():
            [(order, row), *others] = candidates
            # What is being sent right now may be what stands in the list.
            sending = any(
                same_symbol(row.symbol, self._blotter.symbol(other)) and other.verb == "place"
                for other in self._blotter.unsettled(alias, State.SUBMITTING)
            )
            if not others and not sending:
                self._accept(order, row.order_no, row.org_no, "found in the exchange's list")
            elif others:
                for one, _ in candidates:
                    self._differences.tell_unknown(one, [row])

    def _settle_change(
        self,
        change: ManagedOrder,
        order: ManagedOrder,
        own: Sequence[ListedOrder],
        listed: OrderList,
        window: ProofWindow,
    ) -> None:
        place = order.command
        assert isinstance(place, Place)  # noqa: S101
        evidence = self._evidence(change, place.market, listed, window)
        claimed = self._blotter.changed(order)
        verdict = find_change(change, own, listed.rows, claimed, evidence, window)
        if isinstance(verdict, ListedOrder):
            self._accept(change, verdict.order_no, verdict.org_no, "found in the exchange's list")
            command = change.command
            if isinstance(command, Modify):
                step = Step(
                    Event.MODIFY,
                    self._clock(),
                    price=command.price,
                    order_no=verdict.order_no,
                    org_no=verdict.org_no,
                    order_type=command.order_type or order.progress.order_type,
                    condition_price=command.condition_price,
                    since=verdict.at or 0,
                )
                self._outbox.happen(order, step)
        elif verdict == "absent":
            self._absent(change, "the exchange's complete list does not have it")
        elif verdict != "open":
            self._tell(change, verdict, window)
        elif not evidence.waits(change, window):
            self._differences.tell_unknown(change)

    def _evidence(
        self, managed: ManagedOrder, market: str, listed: OrderList, window: ProofWindow
    ) -> Evidence:
        """Return what is known about a lost command beside the rows that may be it."""
        alias = managed.identity.account
        missed = self._missed.get(managed)
        if listed.complete and window.trusted:
            self._missed.setdefault(managed, window.asked)
        account = self._accounts.get(alias)
        # With one that an earlier process has sent, its notice may have gone with that process.
        listens = account is not None and self._sightings.sent(managed)
        return Evidence(
            earlier=self._sightings.before(managed, market),
            heard=self._held.heard(alias, self._blotter.symbol(managed)),
            complete=listed.complete,
            missed=missed,
            listened=account.listened(market) if account and listens else None,
        )

    def _tell(
        self, managed: ManagedOrder, may_be: Sequence[ListedOrder], window: ProofWindow
    ) -> None:
        # Which of them it is may still show, or that there are more.
        if window.over(managed):
            self._differences.tell_unknown(managed, may_be)

    def _accept(self, managed: ManagedOrder, order_no: str, org_no: str, why: str) -> None:
        step = Step(Event.ACCEPT, self._clock(), order_no=order_no, org_no=org_no, message=why)
        self._settle(managed, step)

    def _absent(self, managed: ManagedOrder, why: str) -> None:
        self._settle(managed, Step(Event.PROVE_ABSENT, self._clock(), message=why))
        self._ledger.give_back(managed, sent=True)

    def _settle(self, managed: ManagedOrder, step: Step) -> None:
        log.info("settled", identity=managed.identity, what=step.event, why=step.message)
        if managed.verb == "place":
            self._outbox.happen(managed, step)
            return
        self._outbox.take(managed, step)
        order = self._blotter.order(managed.identity)
        if order is not None:
            said = f"{managed.verb} {managed.identity.command_id}: {step.message}"
            settle = Step(Event.SETTLE, step.at, order_no=step.order_no, message=said)
            self._outbox.happen(order, settle, managed)

    def _chains(
        self, alias: str, market: str, rows: Sequence[ListedOrder]
    ) -> tuple[dict[ManagedOrder, list[ListedOrder]], list[ListedOrder]]:
        """Return the rows of each of our orders, and the rows of nobody's."""
        chains: dict[ManagedOrder, list[ListedOrder]] = {}
        owned, now = self._blotter.owned(alias, market, rows), self._clock()
        changed: dict[str, ManagedOrder] = {}
        """Our orders by the numbers of changes that were asked for elsewhere."""
        strangers = []
        for row in rows:  # oldest first: a change follows what it changes
            owner = owned.get(row.key)
            if owner is None and row.original_order_no:
                owner = self._blotter.meant(alias, market, row.original_order_no, row.at or now)
                other = changed.get(plain(row.original_order_no))
                if (
                    owner is None
                    and other is not None
                    and self._blotter.lives(other, row.at or now)
                ):
                    owner = other
            if owner is None:
                strangers.append(row)
            else:
                changed[plain(row.order_no)] = owner
                chains.setdefault(owner, []).append(row)
        return chains, strangers
