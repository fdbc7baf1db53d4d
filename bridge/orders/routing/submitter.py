"""One command from its turn to its answer: through the door, written, sent, answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from bridge.mqtt.message import Message
from bridge.orders.model.command import Cancel
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.risk.intent import Intent
from bridge.orders.risk.limits import Refusal
from bridge.orders.routing.door import Door
from bridge.orders.routing.sender import Sender

__all__ = ["Submitter"]

log = structlog.get_logger()

_LATE_JOURNAL = Refusal("expired", "the bridge could not write its journal in time")


@dataclass(frozen=True, slots=True)
class Submitter:
    """Executes commands that are in the journal."""

    door: Door
    sender: Sender
    outbox: Outbox
    publisher: Publisher
    clock: Callable[[], int]
    on_answer: Callable[[ManagedOrder, Step], None]
    """Called when a command has its answer: notices may have waited for it."""

    async def execute(self, managed: ManagedOrder, message: Message | None) -> None:
        """Bring a command that the journal has as ``received`` to its answer."""
        decision = await self.door.decide(managed)
        if managed.progress.answer is not None:  # called off meanwhile
            await self.repeat(managed, message)
            return
        if isinstance(decision, Refusal):
            await self.answer(managed, self.refusing(decision), message)
            return
        # On disk before the first byte leaves: a restart sends whatever is only ``received``, so
        # that a crash in between must find ``submitting``.
        self.outbox.take(managed, self.submitting(managed))
        # Sent again after a crash, this would do nothing more: it need not wait for a full disk.
        until = self.clock() if managed.harmless else managed.expires_at
        if not await self.outbox.flush(until=until) and not managed.harmless:
            await self.answer(managed, self.refusing(_LATE_JOURNAL), message)
            return
        await self.send(managed, decision, message)

    def prepare(self, managed: ManagedOrder, planned: Intent) -> None:
        """Have written out what will be sent, while the journal writes."""
        asyncio.get_running_loop().call_soon(self.sender.prepare, managed, planned)

    async def send(self, managed: ManagedOrder, planned: Intent, message: Message | None) -> None:
        """Bring a command that the journal has as ``submitting`` to its answer."""
        answer = await self.sender.send(managed, planned)
        await self.answer(managed, answer, message, planned)

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
            # What KIS did is told even while the journal cannot be written: the client must know
            # that it may trade. A refusal waits, because it must still hold after a restart; but
            # what the journal has as ``submitting`` no restart sends.
            urgent=answer.event is not Event.REFUSE
            or answer.at >= managed.expires_at
            or answer.reason == "journal_unavailable",
        )
        # What is lost stays reserved: it may be at the exchange.
        if answer.event in (Event.REFUSE, Event.REJECT):
            self.door.give_back(managed, sent=answer.event is Event.REJECT)
        if managed.verb == "place" and managed.progress.submitted_at is not None:
            self.outbox.afterwards(self.outbox.state(managed))
        order = self.door.order(managed)
        if order is not None and planned is not None:
            if isinstance(managed.command, Cancel):
                self.outbox.divide(order, planned.left(answer, order.parts))
            self.outbox.happen(order, planned.after(answer))
        if answer.event is Event.LOSE:
            log.warning("order unknown", identity=managed.identity, verb=managed.verb)
            now = self.clock()
            self.outbox.afterwards(lambda: self.publisher.unknown(managed, now))
        # Notices may have come before the answer (docs/kis.md). They are released only now, when
        # the order has its number, and before the wait for the disk, which may be long.
        self.on_answer(managed, answer)
        # Not while the disk is full: whoever stands behind this may be its cancellation.
        await self.outbox.flush(until=0)

    def turn_down(self, managed: ManagedOrder, refusal: Refusal, message: Message) -> None:
        """Refuse a command that the journal has no room for, at once."""
        step = self.refusing(refusal)
        said = partial(self.publisher.acknowledge, managed, message)
        self.outbox.take(managed, step, said, urgent=True)
        self.door.give_back(managed, sent=False)
        self.on_answer(managed, step)

    async def repeat(
        self, managed: ManagedOrder, message: Message | None, *, duplicate: bool = False
    ) -> None:
        """Say again what became of a command."""
        # What calls it off may not be on disk yet; what is in memory only, no restart sends.
        if managed.progress.state is State.REFUSED and managed.id > 0:
            await self.outbox.flush()
        self.acknowledge(managed, message, duplicate=duplicate)

    def acknowledge(
        self, managed: ManagedOrder, message: Message | None, *, duplicate: bool = False
    ) -> None:
        """Have the ack of an answered command published."""
        self.publisher.post(
            lambda: self.publisher.acknowledge(managed, message, duplicate=duplicate)
        )

    def submitting(self, managed: ManagedOrder) -> Step:
        """Return the step after which KIS may see a command, now."""
        return Step(Event.SUBMIT, self.clock(), notional=self.door.reserved(managed) or None)

    def refusing(self, refusal: Refusal) -> Step:
        """Return the step of a refusal, now."""
        return Step(Event.REFUSE, self.clock(), reason=refusal.reason, message=refusal.message)
