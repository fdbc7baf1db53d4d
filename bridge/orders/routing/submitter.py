"""One command from its turn to its answer: held against everything, written, sent, answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from bridge.calendar import order_hours
from bridge.catalog.model import Catalog
from bridge.kis import markets
from bridge.kis import orders as kis
from bridge.kis.replies import (
    KisError,
    KisNotProcessedError,
    KisNotSentError,
    KisRefusedError,
    KisUnknownError,
    Reply,
)
from bridge.kis.throttle import Priority
from bridge.mqtt.message import Message
from bridge.orders.journal.journal import Identity
from bridge.orders.model.blotter import Blotter, ManagedOrder
from bridge.orders.model.command import Cancel, Place
from bridge.orders.model.intent import Intent, plan
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.reconciliation.accounts import Accounts
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.risk import checks
from bridge.orders.risk.checks import Limits, Reference, Refusal
from bridge.orders.risk.halts import Halts, Mode
from bridge.orders.risk.reference_data import ReferenceData
from bridge.orders.risk.rules import Rules, TradingAccount
from bridge.runtime.turns import News

__all__ = ["Submitter"]

log = structlog.get_logger()

_LATE_JOURNAL = Refusal("expired", "the bridge could not write its journal in time")


@dataclass(slots=True)
class Submitter:
    """Executes commands that are in the journal; ``trades`` tells trading days."""

    catalog: Catalog
    accounts: Mapping[str, TradingAccount]
    rules: Rules
    blotter: Blotter
    outbox: Outbox
    publisher: Publisher
    reference_data: ReferenceData
    holdings: Accounts
    reconciler: Reconciler
    halts: Halts
    order_types: Mapping[str, markets.OrderTypes]
    trades: order_hours.TradingDays
    clock: Callable[[], int]
    on_answer: Callable[[], None]
    """Called when a command has its answer: notices may have waited for it."""
    news: News
    """Of lists that were read, and of what is called off or halted."""

    def acknowledge(
        self, managed: ManagedOrder, message: Message | None, *, duplicate: bool = False
    ) -> None:
        self.publisher.post(
            lambda: self.publisher.acknowledge(managed, message, duplicate=duplicate)
        )

    async def repeat(
        self, managed: ManagedOrder, message: Message | None, *, duplicate: bool = False
    ) -> None:
        """Say again what became of a command."""
        if managed.progress.state is State.REFUSED:  # what calls it off may not be on disk yet
            await self.outbox.flush()
        self.acknowledge(managed, message, duplicate=duplicate)

    async def execute(self, managed: ManagedOrder, message: Message | None) -> None:
        """Bring a command that is in the journal to its answer."""
        planned = await self._admitted(managed)
        if managed.progress.answer is not None:  # called off meanwhile
            await self.repeat(managed, message)
            return
        if isinstance(planned, Refusal):
            await self.answer(managed, self.refusing(planned), message)
            return
        mode = self.halts.of(*managed.identity[:2])[0]  # under which it has just passed
        self.outbox.take(
            managed, Step(Event.SUBMIT, self.clock(), notional=managed.notional or None)
        )
        if not await self.outbox.flush(until=managed.expires_at):
            await self.answer(managed, self.refusing(_LATE_JOURNAL), message)
            return
        answer = await self._send(managed, planned, mode)
        await self.answer(managed, answer, message, planned)

    async def _admitted(self, managed: ManagedOrder) -> Intent | Refusal:
        """Say what to send for a command, counted against the limits, or why not."""
        if managed.identity.account not in self.accounts:
            return Refusal("unknown_account", "the configuration has no such account")
        planned = self._plan(managed)
        if isinstance(planned, Refusal) or planned.request.verb == "cancel":
            return planned if isinstance(planned, Refusal) else self._check(managed, planned)
        account, client = managed.identity.account, managed.identity.client
        if not self.rules.permits(client, account):
            return self._check(managed, planned)
        if not await self.listed(managed):
            refused = self._check(managed, planned)
            if isinstance(refused, Refusal):
                return refused
            self.blotter.unreserve(managed, sent=False)
            return Refusal("halted", "it was halted before the exchange was asked what was missed")
        planned = self._plan(managed)  # as it stands now: its order's day may have ended
        if isinstance(planned, Refusal):
            return planned
        context = await self._look_up(managed, planned)
        planned = self._plan(managed)
        return planned if isinstance(planned, Refusal) else self._check(managed, planned, context)

    async def listed(self, managed: ManagedOrder) -> bool:
        """Wait until the exchange has said what was missed, before an account may be traded.

        False: not before it expired, was called off or halted.
        """
        account, client, _, _ = managed.identity
        while not self.ready(managed):
            left = managed.expires_at - self.clock()
            halted = self.halts.of(account, client)[0] == "halted"
            if left <= 0 or managed.overtaken or halted or managed.progress.answer:
                return False
            await self.news.wait(left / 1_000_000)
        return True

    def ready(self, managed: ManagedOrder) -> bool:
        """Tell whether nothing is missing that a command's market has to tell."""
        order = self.blotter.order(managed.identity)
        if order is None or not isinstance(order.command, Place):
            return True
        return self.reconciler.complete(managed.identity.account, order.command.market)

    def _plan(self, managed: ManagedOrder) -> Intent | Refusal:
        types = self.order_types.get(managed.identity.account, {})
        return plan(managed, self.blotter.order(managed.identity), types, self.rules.rates)

    async def _look_up(self, managed: ManagedOrder, planned: Intent) -> checks.Context:
        """Ask for what the limits have to be held against."""
        identity, request = managed.identity, planned.request
        account, place = self.accounts[identity.account], self._place(managed)
        limits = self._limits(identity)
        reference = Reference(self.reference_data.last(place.place, request.symbol))
        orderable = None
        if any(checks.needs_reference(request, each) for each in limits):
            at_market = request.price is None or request.becomes_market
            deep = at_market or any(x.price_limits or x.tick_size for x in limits)
            reference = await self.reference_data.reference(
                account, place.place, request.symbol, request.price, limits=deep
            )
        if any(each.check_funds for each in limits):
            kind = planned.leg.order_type if planned.leg else place.order_type
            orderable = await self.reference_data.orderable(
                account, place.place, request.symbol, request.side, kind, request.price
            )
        return checks.Context(reference=reference, orderable=orderable)

    def _check(
        self, managed: ManagedOrder, planned: Intent, context: checks.Context | None = None
    ) -> Intent | Refusal:
        """Hold a command against everything that is known, and reserve what it takes.

        Nothing may be awaited in here: two commands must not see the same room.
        """
        now, identity, request = self.clock(), managed.identity, planned.request
        if now >= managed.expires_at:
            missed = self.reconciler.missing(identity.account)
            return Refusal("expired", f"it expired while it waited{missed and f': {missed}'}")
        if managed.overtaken:
            return Refusal("cancelled", "a cancel_all came before it was sent")
        place, (mode, halted_by) = self._place(managed), self.halts.of(*identity[:2])
        fence = self.blotter.fence(identity.account, request.symbol, but=managed)
        closed = ""
        if self.rules.market_hours:
            kind = planned.leg.order_type if planned.leg else place.order_type
            closed = order_hours.closed(place.place, kind, now, self.trades)
        ours = identity.command_id.startswith("halt:")  # no client can name a command so
        context = replace(
            context or checks.Context(),
            account_known=identity.account in self.accounts,
            permitted=ours or self.rules.permits(identity.client, identity.account),
            orders_allowed=ours or self.rules.orders_allowed,
            halt=mode,
            halted_by=halted_by,
            reducible=self._reducible(mode, managed, place),
            fenced=fence.identity.client_order_id if fence else "",
            closed=closed,
            scopes=self.blotter.scopes(managed, *self._limits(identity), now),
        )
        refusal = checks.check(request, context)
        if refusal is not None:
            return refusal
        if request.verb != "cancel":
            self.blotter.reserve(managed, checks.added(request, context.reference), now)
        return replace(planned, context=context)

    def _late(self, managed: ManagedOrder, planned: Intent) -> Refusal | None:
        """Count what has waited as sent now; why not, when there is no room any more."""
        if planned.request.verb == "cancel" or self.blotter.postpone(managed, self.clock()):
            return None
        self.blotter.unreserve(managed, sent=False)
        context, anew = planned.context, self._plan(managed)  # its order's day may have ended
        checked = anew if isinstance(anew, Refusal) else self._check(managed, anew, context)
        return checked if isinstance(checked, Refusal) else None

    def _reducible(self, mode: Mode, managed: ManagedOrder, place: Place) -> int | None:
        if mode != "reduce_only":
            return None
        return self.holdings.reducible(managed.identity.account, place, but=managed)

    def _place(self, managed: ManagedOrder) -> Place:
        order = self.blotter.order(managed.identity)
        assert order is not None and isinstance(order.command, Place)  # noqa: S101, PT018
        return order.command

    def _limits(self, identity: Identity) -> tuple[Limits, Limits]:
        own = self.rules.client_limits.get(identity.client, Limits())
        return self.rules.limits, own

    async def _send(self, managed: ManagedOrder, planned: Intent, mode: Mode) -> Step:
        """Hand it to KIS; again only while KIS certainly did nothing with it.

        A halt or a ``cancel_all`` holds until the first byte leaves.
        """
        account = self.accounts[managed.identity.account]
        call = planned.call(self.catalog, account.number.get_secret_value())
        cancels = planned.request.verb == "cancel"
        loop = asyncio.get_running_loop()

        def halted() -> bool:
            return not cancels and self.halts.of(*managed.identity[:2])[0] not in ("", mode)

        late: Refusal | None = None

        def wanted() -> bool:
            return not (managed.overtaken or halted())

        def still() -> bool:
            nonlocal late
            if not wanted():
                return False
            late = self._late(managed, planned)
            return late is None

        last = Step(Event.REFUSE, 0, reason="expired", message="it expired before it was sent")
        while (left := (managed.expires_at - self.clock()) / 1_000_000) > 0:
            if managed.overtaken:
                last = replace(last, reason="cancelled", message="a cancel_all came before it")
                break
            if halted():
                last = replace(last, reason="halted", message="a halt came before it was sent")
                break
            late = late or self._late(managed, planned)
            if late is not None:
                last = replace(last, reason=late.reason, message=late.message)
                break
            try:
                reply = await account.rest.call(
                    call.api,
                    call.params,
                    variant=call.variant,
                    priority=Priority.CANCEL if cancels else Priority.ORDER,
                    deadline=loop.time() + left,
                    still=still,
                    wanted=wanted,
                )
            except (KisNotSentError, KisNotProcessedError) as error:
                log.info("order not processed", cause=type(error).__name__, msg_cd=error.msg_cd)
                last = replace(last, message=f"it expired; before that: {error}", kis=_said(error))
                await asyncio.sleep(min(self.rules.pause_s, left))
            except KisRefusedError as error:
                return Step(Event.REJECT, self.clock(), message=str(error), kis=_said(error))
            except KisUnknownError as error:
                return Step(Event.LOSE, self.clock(), message=str(error), kis=_said(error))
            else:
                return self._read(call, reply)
        return replace(last, at=self.clock())

    def _read(self, call: kis.OrderCall, reply: Reply) -> Step:
        now = self.clock()
        match kis.outcome(self.catalog, call, reply):
            case kis.Accepted(order_no, org_no, said):
                return Step(Event.ACCEPT, now, order_no=order_no, org_no=org_no, kis=said)
            case kis.Rejected(said):
                return Step(Event.REJECT, now, kis=said)
            case kis.Unreadable(said):
                return Step(Event.LOSE, now, message="KIS named no order number", kis=said)

    async def answer(
        self,
        managed: ManagedOrder,
        answer: Step,
        message: Message | None,
        planned: Intent | None = None,
    ) -> None:
        """Write the answer down and publish it, with what it does to the order."""
        self.outbox.take(
            managed,
            answer,
            lambda: self.publisher.acknowledge(managed, message),
            urgent=answer.event is not Event.REFUSE or answer.at >= managed.expires_at,
        )
        if answer.event in (Event.REFUSE, Event.REJECT):
            self.blotter.unreserve(managed, sent=answer.event is Event.REJECT)
        if managed.verb == "place" and managed.progress.submitted_at is not None:
            self.outbox.afterwards(self.outbox.state(managed))
        order = self.blotter.order(managed.identity)
        if order is not None and isinstance(managed.command, Cancel) and planned is not None:
            order.parts = planned.left(answer, order.parts)
        if planned is not None and order is not None:
            self.outbox.happen(order, planned.after(answer))
        self.on_answer()  # notices that waited for this answer
        if answer.event is Event.LOSE:
            log.warning("order unknown", identity=managed.identity, verb=managed.verb)
            now = self.clock()
            self.outbox.afterwards(lambda: self.publisher.unknown(managed, now))
            self.reconciler.wake(managed.identity.account)
        await self.outbox.flush()

    def refusing(self, refusal: Refusal) -> Step:
        """Return the step of a refusal, now."""
        return Step(Event.REFUSE, self.clock(), reason=refusal.reason, message=refusal.message)


def _said(error: KisError) -> Mapping[str, str]:
    if not error.msg_cd:
        return {}
    return {"rt_cd": "1", "msg_cd": error.msg_cd, "msg1": error.msg1.strip()}
