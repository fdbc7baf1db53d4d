"""Hands a command to KIS and reads what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import structlog

from bridge.errors import BridgeError
from bridge.kis import orders as kis
from bridge.kis.listing import plain
from bridge.kis.replies import (
    KisError,
    KisNotProcessedError,
    KisNotSentError,
    KisRefusedError,
    KisUnknownError,
    Reply,
)
from bridge.kis.throttle import Priority
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.progress import same_number
from bridge.orders.reconciliation.sightings import Sightings
from bridge.orders.risk.intent import Intent
from bridge.orders.risk.limits import Refusal
from bridge.orders.risk.rules import Terms
from bridge.orders.routing.door import Door
from bridge.runtime.clock import seoul_day

__all__ = ["Sender"]

log = structlog.get_logger()

_EARLY = 1_000_000
"""How much earlier (µs) than it was sent a change may seem to be: KIS's list has whole seconds."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends what went through the door: once, and again only while KIS certainly did nothing.

    A halt or a ``cancel_all`` holds until the first byte leaves: the REST client asks right before
    that, because a command may wait long for its turn in the throttle.
    """

    terms: Terms
    door: Door
    blotter: Blotter
    sightings: Sightings
    _prepared: WeakKeyDictionary[ManagedOrder, tuple[Intent, kis.OrderCall]] = field(
        default_factory=WeakKeyDictionary, repr=False
    )
    """What was written out before its turn, and of what."""

    def prepare(self, managed: ManagedOrder, planned: Intent) -> None:
        """Write out the call of a command that is about to be sent."""
        with suppress(BridgeError):  # raised when it is sent, to whoever asked for that
            self._prepared[managed] = planned, self._call(managed, planned)

    def _call(self, managed: ManagedOrder, planned: Intent) -> kis.OrderCall:
        number = self.terms.accounts[managed.identity.account].number
        return planned.call(self.terms.catalog, number.get_secret_value())

    async def send(self, managed: ManagedOrder, planned: Intent) -> Step:
        """Return the answer of a command that the journal says is being submitted."""
        self.sightings.sending(managed)
        account = self.terms.accounts[managed.identity.account]
        found = self._prepared.get(managed)
        call = found[1] if found and found[0] is planned else self._call(managed, planned)
        self._prepared.pop(managed, None)
        cancels = planned.request.verb == "cancel"
        refusal: Refusal | None = None

        # Two questions, because the throttle asks the first whenever it has a token to give. The
        # second counts the order as sent now, so that only what is about to leave may ask it.
        def wanted() -> bool:
            return not (managed.overtaken or self.door.halted_since(managed, planned))

        def still() -> bool:
            nonlocal refusal
            refusal = self._refusal(managed, planned)
            return refusal is None

        last = Step(Event.REFUSE, 0, reason="expired", message="it expired before it was sent")
        while (left := (managed.expires_at - self.terms.clock()) / 1_000_000) > 0:
            refusal = refusal or self._refusal(managed, planned)
            if refusal is not None:
                last = replace(last, reason=refusal.reason, message=refusal.message)
                break
            try:
                # ``expires_at`` is wall time and the deadline monotonic, so that what is left is
                # carried over anew for each attempt.
                reply = await account.rest.call(
                    call.api,
                    call.params,
                    variant=call.variant,
                    priority=Priority.CANCEL if cancels else Priority.ORDER,
                    deadline=asyncio.get_running_loop().time() + left,
                    still=still,
                    wanted=wanted,
                    client=managed.identity.client,
                )
            except (KisNotSentError, KisNotProcessedError) as error:
                # KIS certainly did nothing, so that a second attempt cannot become a second order.
                # EGW00201 means "not processed" for orders, too (docs/kis.md).
                log.info("order not processed", cause=type(error).__name__, msg_cd=error.msg_cd)
                last = replace(last, message=f"it expired; before that: {error}", kis=_said(error))
                await asyncio.sleep(min(self.terms.rules.pause_s, left))
            except KisRefusedError as error:
                return Step(Event.REJECT, self.terms.clock(), message=str(error), kis=_said(error))
            except KisUnknownError as error:
                # Never again: KIS knows no client order id and would place it twice (docs/kis.md).
                return Step(Event.LOSE, self.terms.clock(), message=str(error), kis=_said(error))
            else:
                return self._read(managed, call, reply)
        return replace(last, at=self.terms.clock())

    def _refusal(self, managed: ManagedOrder, planned: Intent) -> Refusal | None:
        """Say why a command must not be sent any more."""
        if problem := self.door.not_ours(managed):
            return Refusal("not_owner", problem)
        if managed.overtaken:
            return Refusal("cancelled", "a cancel_all came before it")
        if self.door.halted_since(managed, planned):
            return Refusal("halted", "a halt came before it was sent")
        # The REST client's deadline does not pass while the machine is suspended.
        if self.terms.clock() >= managed.expires_at:
            return Refusal("expired", "it expired before it was sent")
        if planned.request.verb != "cancel" and (problem := self.terms.clock_problem()):
            return Refusal("clock", problem)
        if (untraced := self.door.untraced(planned)) is not None:
            return untraced
        return self.door.late(managed, planned)

    def _read(self, managed: ManagedOrder, call: kis.OrderCall, reply: Reply) -> Step:
        now = self.terms.clock()
        match kis.outcome(self.terms.catalog, call, reply):
            case kis.Accepted(order_no, _, said) if self._taken(managed, call.market, order_no):
                text = f"KIS answered with {order_no}, which is the number of another order"
                return Step(Event.LOSE, now, message=text, kis=said)
            case kis.Accepted(order_no, org_no, said):
                return Step(Event.ACCEPT, now, order_no=order_no, org_no=org_no, kis=said)
            case kis.Rejected(said):
                return Step(Event.REJECT, now, kis=said)
            case kis.Unreadable(said):
                return Step(Event.LOSE, now, message="KIS named no order number", kis=said)

    def _taken(self, managed: ManagedOrder, market: str, order_no: str) -> bool:
        """Tell whether a number was there before this command was sent.

        With a number that is not its own, a cancellation would reach somebody else's order.
        """
        account, now = managed.identity.account, self.terms.clock()
        key = (seoul_day(now), plain(order_no))
        if self.sightings.had(managed, market, key):
            return True
        return not self._told(managed, order_no) and self.blotter.taken(
            account, market, order_no, now
        )

    def _told(self, managed: ManagedOrder, order_no: str) -> bool:
        """Tell whether a notice has come before the answer, and brought the number along."""
        order = self.blotter.order(managed.identity)
        legs = order.progress.legs if order is not None and order is not managed else ()
        return any(
            same_number(leg.order_no, order_no) and leg.at >= managed.since - _EARLY for leg in legs
        )


def _said(error: KisError) -> Mapping[str, str]:
    if not error.msg_cd:
        return {}
    return {"rt_cd": "1", "msg_cd": error.msg_cd, "msg1": error.msg1.strip()}
