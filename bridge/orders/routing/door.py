"""The door to KIS: what a command comes to, held against everything that is known of the moment.

A command is planned once, when its turn has come, and checked once more right where it goes
through: between that check and the place it takes in the blotter and in the limits nothing is
awaited, so that no two commands see the same room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from bridge.kis.markets import venue
from bridge.orders.journal.standing import JournalStanding
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Cancel, Place
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.reconciliation.accounts import Accounts
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.risk import checks
from bridge.orders.risk.halts import Halts
from bridge.orders.risk.intent import Intent, plan
from bridge.orders.risk.ledger import LimitLedger
from bridge.orders.risk.limits import Context, Limits, Reference, Refusal
from bridge.orders.risk.reference_data import ReferenceData
from bridge.orders.risk.rules import Terms
from bridge.orders.risk.title import Title
from bridge.runtime.turns import News

__all__ = ["Door"]


@dataclass(frozen=True, slots=True)
class Door:
    """Decides whether a command may go to KIS, and as what.

    ``news`` comes of lists that were read, and of what is called off or halted.
    """

    terms: Terms
    blotter: Blotter
    ledger: LimitLedger
    halts: Halts
    reference_data: ReferenceData
    holdings: Accounts
    reconciler: Reconciler
    standing: JournalStanding
    title: Title
    news: News

    async def decide(self, managed: ManagedOrder) -> Intent | Refusal:
        """Say what to send for a command, counted against the limits, or why not.

        Waits until the exchange has said what was missed, and until KIS has said what the limits
        need to know, as long as the command may wait. After each wait a change is planned again,
        because the order that it changes may have been filled or have a new number.
        """
        planned = self._plan(managed)
        if isinstance(planned, Refusal):
            return planned
        if self._passes_unseen(managed):
            return self._check(managed, planned, Context())
        if not await self.listed(managed):
            # There are several reasons to stop waiting, and the check knows which one holds. It
            # finds none when a halt was taken back this moment; then nothing may stay reserved.
            refused = self._check(managed, planned, Context())
            if isinstance(refused, Refusal):
                return refused
            self.give_back(managed, sent=False)
            return Refusal("halted", "it was halted before the exchange was asked what was missed")
        planned = self._anew(managed, planned)
        if isinstance(planned, Refusal):
            return planned
        context = self._known(managed, planned) or await self._look_up(managed, planned)
        planned = self._anew(managed, planned)
        return planned if isinstance(planned, Refusal) else self._check(managed, planned, context)

    def decide_at_once(self, managed: ManagedOrder) -> Intent | Refusal | None:
        """Decide on a command that has to wait for nothing; None: it has to wait."""
        planned = self._plan(managed)
        if isinstance(planned, Refusal):
            return planned
        if self._passes_unseen(managed):
            return self._check(managed, planned, Context())
        context = self._known(managed, planned) if self.ready(managed) else None
        return None if context is None else self._check(managed, planned, context)

    async def listed(self, managed: ManagedOrder) -> bool:
        """Wait until the exchange has said what was missed, before an account may be traded.

        False: not before it expired, was called off or halted.
        """
        account, client, _, _ = managed.identity
        while not self.ready(managed):
            left = managed.expires_at - self.terms.clock()
            halted = self.halts.of(account, client)[0] == "halted"
            if left <= 0 or managed.overtaken or halted or managed.progress.answer:
                return False
            await self.news.wait(left / 1_000_000)
        return True

    def ready(self, managed: ManagedOrder) -> bool:
        """Tell whether nothing is missing that a command's market has to tell."""
        order = self.order(managed)
        if order is None or not isinstance(order.command, Place):
            return True
        return self.reconciler.complete(managed.identity.account, order.command.market)

    def order(self, managed: ManagedOrder) -> ManagedOrder | None:
        """Return the order that a command is about: a new one is about itself."""
        return managed if managed.verb == "place" else self.blotter.order(managed.identity)

    def late(self, managed: ManagedOrder, planned: Intent) -> Refusal | None:
        """Count as sent now what had to wait; return why not, when there is no room any more.

        Limits by the minute and the day are about when KIS sees an order, not about when it came.
        """
        if planned.request.verb == "cancel" or self.ledger.postpone(managed, self.terms.clock()):
            return None
        self.give_back(managed, sent=False)
        # Its minute or day is over, and with it maybe the day of the order that it changes.
        anew = self._anew(managed, planned)
        context = planned.context or Context()
        checked = anew if isinstance(anew, Refusal) else self._check(managed, anew, context)
        return checked if isinstance(checked, Refusal) else None

    def reserved(self, managed: ManagedOrder) -> Decimal:
        """Return what a command took of the daily limits."""
        return self.ledger.reserved(managed)

    def give_back(self, managed: ManagedOrder, *, sent: bool) -> None:
        """Take back what a command took of the limits: nothing of it is at the exchange."""
        self.ledger.give_back(managed, sent=sent)

    def not_ours(self, managed: ManagedOrder) -> str:
        """Say why another bridge may send for the account; blank: none can.

        A whole order may be cancelled twice, and so a halt reaches it without a broker.
        """
        return self.title.problem(harmless=self.whole(managed))

    @staticmethod
    def whole(managed: ManagedOrder) -> bool:
        """Tell whether a command cancels all that an order has left."""
        return isinstance(managed.command, Cancel) and managed.command.quantity is None

    def halted_since(self, managed: ManagedOrder, planned: Intent) -> bool:
        """Tell whether a halt came after a command went through; cancellations pass it."""
        if planned.request.verb == "cancel":
            return False
        passed_under = planned.context.halt if planned.context else ""
        return self.halts.of(*managed.identity[:2])[0] not in ("", passed_under)

    def untraced(self, planned: Intent) -> Refusal | None:
        """Return why not, when a restart would not know of what is about to leave."""
        if planned.request.verb == "cancel" or not self.standing.replaced:
            return None
        return Refusal("journal_unavailable", f"{self.standing.replaced}; it was not sent")

    def _plan(self, managed: ManagedOrder) -> Intent | Refusal:
        account = managed.identity.account
        if account not in self.terms.accounts:  # configured no more since it was received
            return Refusal("unknown_account", "the configuration has no such account")
        order = self.blotter.order(managed.identity)
        unknown = order is not None and order.progress.state is State.UNKNOWN
        if managed.verb == "cancel" and unknown and self.terms.clock() >= managed.expires_at:
            return Refusal("expired", "it expired before the outcome of the order was known")
        types = self.terms.order_types.get(account, {})
        return plan(managed, order, types, self.terms.rules.rates)

    def _anew(self, managed: ManagedOrder, planned: Intent) -> Intent | Refusal:
        """Return what a command comes to now: the order that it changes may have moved."""
        return planned if managed.verb == "place" else self._plan(managed)

    def _passes_unseen(self, managed: ManagedOrder) -> bool:
        """Tell whether a command is decided on without what the exchange has to tell.

        A cancellation needs none of it, and whoever may not trade is refused without waiting, as is
        everybody while the journal lacks orders.
        """
        account, client, _, _ = managed.identity
        permitted = self.terms.rules.permits(client, account)
        return managed.verb == "cancel" or not permitted or bool(self.standing.replaced)

    def _known(self, managed: ManagedOrder, planned: Intent) -> Context | None:
        """Return what the limits have to be held against; None: KIS has to be asked."""
        request, limits = planned.request, self._limits(managed)
        # Funds change with everything that trades, so that nothing known of them is ever fresh.
        if any(each.check_funds for each in limits):
            return None
        last = self.reference_data.last(self._place(managed).place, request.symbol)
        if any(checks.needs_reference(request, each) for each in limits) and (
            last is None or self._deep(planned, limits)
        ):
            return None
        return Context(reference=Reference(last))

    async def _look_up(self, managed: ManagedOrder, planned: Intent) -> Context:
        """Ask for what the limits have to be held against."""
        request, place = planned.request, self._place(managed)
        account, limits = self.terms.accounts[managed.identity.account], self._limits(managed)
        reference = Reference(self.reference_data.last(place.place, request.symbol))
        orderable = None
        if any(checks.needs_reference(request, each) for each in limits):
            reference = await self.reference_data.reference(
                *(account, place.place, request.symbol, request.price),
                limits=self._deep(planned, limits),
            )
        if any(each.check_funds for each in limits):
            kind = planned.leg.order_type if planned.leg else place.order_type
            orderable = await self.reference_data.orderable(
                *(account, place.place, request.symbol, request.side, kind, request.price),
                credit_type=place.credit_type or "",
                loan_date=place.loan_date or "",
            )
        return Context(reference=reference, orderable=orderable)

    def _deep(self, planned: Intent, limits: Sequence[Limits]) -> bool:
        """Tell whether the day's price limits and the tick are needed, not the last price alone."""
        request = planned.request
        at_market = request.price is None or request.becomes_market or request.contract
        return at_market or any(each.price_limits or each.tick_size for each in limits)

    def _check(self, managed: ManagedOrder, planned: Intent, context: Context) -> Intent | Refusal:
        """Hold a command against everything that is known, and reserve what it takes.

        Nothing may be awaited in here: two commands must not see the same room.
        """
        rules, now, request = self.terms.rules, self.terms.clock(), planned.request
        account, client, _, _ = managed.identity
        if now >= managed.expires_at:
            missed = self.reconciler.missing(account)
            return Refusal("expired", f"it expired while it waited{missed and f': {missed}'}")
        if managed.overtaken:
            return Refusal("cancelled", "a cancel_all came before it was sent")
        place, (mode, halted_by) = self._place(managed), self.halts.of(account, client)
        limits = self._limits(managed)
        counted = any(each.open_orders is not None for each in limits)
        working = self.blotter.working(account) if counted else ()
        fence = self.blotter.fence(account, request.symbol, but=managed)
        # Whoever halts has asked for it, and not the client: its rights do not matter.
        ours = managed.origin.kind == "halt"
        context = Context(
            reference=context.reference,
            orderable=context.orderable,
            account_known=account in self.terms.accounts,
            permitted=ours or rules.permits(client, account),
            credit=self._credit(place, client),
            orders_allowed=ours or rules.orders_allowed,
            unavailable=self.standing.replaced,
            not_owner=self.not_ours(managed),
            halt=mode,
            halted_by=halted_by,
            reducible=self._reducible(managed, place) if mode == "reduce_only" else None,
            clock=self.terms.clock_problem(),
            fenced=fence.identity.client_order_id if fence else "",
            closed=self._closed(planned, place, now),
            scopes=self.ledger.scopes(managed, *limits, now, working),
        )
        refusal = checks.check(request, context)
        if refusal is not None:
            return refusal
        if request.verb != "cancel":
            self.ledger.reserve(managed, checks.added(request, context.reference), now)
        return replace(planned, context=context)

    def _credit(self, place: Place, client: str) -> Literal["", "paper", "client"]:
        """Return who does not trade on credit, when an order is one."""
        rules = self.terms.rules
        if place.credit_type is None:
            return ""
        return "paper" if rules.paper else "" if rules.permits_credit(client) else "client"

    def _closed(self, planned: Intent, place: Place, now: int) -> str:
        if not (self.terms.rules.market_hours and venue(place.place).hours):
            return ""
        kind = planned.leg.order_type if planned.leg else place.order_type
        return self.terms.calendar.closed(place.place, kind, now)

    def _reducible(self, managed: ManagedOrder, place: Place) -> int | None:
        return self.holdings.reducible(managed.identity.account, place, but=managed)

    def _place(self, managed: ManagedOrder) -> Place:
        order = self.order(managed)
        assert order is not None and isinstance(order.command, Place)  # noqa: S101, PT018
        return order.command

    def _limits(self, managed: ManagedOrder) -> tuple[Limits, Limits]:
        """Return the limits of the account, and those of the client on it."""
        rules = self.terms.rules
        return rules.limits, rules.client_limits.get(managed.identity.client, Limits())
