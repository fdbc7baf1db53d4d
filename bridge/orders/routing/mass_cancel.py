"""Everything that is open, cancelled at once: by a ``cancel_all`` or a halt.

What is not sent yet is refused, and that is on disk before the cancellations are. Those are
commands of their own, in the journal together with what asked for them: a restart takes up each
of them. One of an order whose outcome is unknown waits for that outcome, as a client's own does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from bridge.errors import JournalError
from bridge.mqtt.event_payloads import HaltCancelledEvent
from bridge.mqtt.message import Message
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Cancel, Place
from bridge.orders.model.lifecycle import CLOSED, OPEN, Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder, restore
from bridge.orders.model.records import Control, NewRecord, Origin, Record
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.risk import checks
from bridge.orders.risk.limits import Context, Refusal, RiskRequest
from bridge.orders.risk.rules import Terms
from bridge.orders.routing.submitter import Submitter
from bridge.orders.routing.sweep import Sweep
from bridge.runtime.turns import News

__all__ = ["MassCancel"]

log = structlog.get_logger()

_MAY_BE_OPEN = frozenset({State.SUBMITTING, State.UNKNOWN, *OPEN})
_LISTED = 20
"""Orders named in one message."""
_CALLED_OFF = Refusal("cancelled", "a cancel_all came before it was sent")

_Write = Callable[[list[NewRecord]], Awaitable[list[Record]]]
"""Writes commands down, with what they come of, after what is called off."""


@dataclass(slots=True)
class MassCancel:
    """Makes many cancellations of one command; ``start`` gives each its place in the line.

    ``called_off`` lets a command know that it need not wait any more. There is ``news`` whenever a
    command is answered or settled.
    """

    terms: Terms
    blotter: Blotter
    journal: Journal
    outbox: Outbox
    publisher: Publisher
    submitter: Submitter
    start: Callable[[ManagedOrder], object]
    called_off: Callable[[ManagedOrder], None]
    news: News
    sweep: Sweep

    # cancel_all

    async def command(self, managed: ManagedOrder, message: Message | None) -> None:
        """Cancel what the client has open; answer when the cancellations are answered."""
        account, client, _, _ = managed.identity
        # As it is named, with its deadline: another one under the same client_order_id is another
        # command, and cancels what came since.
        origin = Origin("cancel_all", managed.command.dated_digest()[:24])
        if managed.progress.state is State.RECEIVED:
            refusal = self._refusal(managed)
            if refusal is not None:
                await self.submitter.answer(managed, self.submitter.refusing(refusal), message)
                return

            async def write(new: list[NewRecord]) -> list[Record]:
                line = self.blotter.step(managed, Step(Event.SUBMIT, self.terms.clock()))
                # The refusals first: once the cancellations are on disk, nothing that they leave
                # out may stand there as if it could still be sent.
                if managed.id > 0 and await self.outbox.flush(until=0):
                    try:
                        return await self.journal.expand(line, new)
                    except JournalError as error:
                        log.warning("cancellations not written, sent without", cause=str(error))
                self.outbox.put(line)
                return [self.outbox.keep(one) for one in new]

            about = [one for one in self.blotter if self.blotter.overtakes(managed, one)]
            mine = await self._cancel(about, origin, lambda order: managed.expires_at, write)
        else:  # a restart came in between
            mine = [one for one in self._of(origin) if one.identity[:2] == (account, client)]
        async with asyncio.TaskGroup() as tasks:  # beside the others: the ack waits for the slower
            strays = self.sweep.strays(account, partial(self.blotter.overtakes, managed))
            tasks.create_task(strays)
            await self.answered(mine)
        await self._insist(managed, mine)
        # Whoever reads that all is cancelled must not see an order afterwards: what was called off
        # and stands in the journal as if it could still be sent has to be refused there, or over.
        if self.outbox.failing:
            await self.outbox.flush(until=self._called_off_until())
        await self.submitter.answer(managed, self._summary(mine), message)

    def _called_off_until(self) -> int:
        refused = (one for one in self.blotter if one.progress.state is State.REFUSED)
        return max((one.expires_at for one in refused if one.overtaken and one.id > 0), default=0)

    async def _insist(self, managed: ManagedOrder, children: Sequence[ManagedOrder]) -> None:
        """Cancel again what KIS's list still has open after its cancellation was answered."""

        def left() -> set[ManagedOrder | None]:
            over = self.terms.clock() >= managed.expires_at
            ends = () if over else self._left(children)
            return {self.blotter.order(one.identity) for one in ends if not self.waits(one)}

        await self.sweep.insist(managed.identity.account, left, self.news)

    def _refusal(self, managed: ManagedOrder) -> Refusal | None:
        account, client, _, _ = managed.identity
        if self.terms.clock() >= managed.expires_at:
            return Refusal("expired", "it expired before it was taken")
        context = Context(
            account_known=account in self.terms.accounts,
            permitted=self.terms.rules.permits(client, account),
            orders_allowed=self.terms.rules.orders_allowed,
        )
        return checks.check(RiskRequest("cancel"), context)

    # halts

    async def halt(self, control: Control) -> list[ManagedOrder]:
        """Write a halt down with the cancellations of everything it is about.

        They may take until each order's day is over. Raises :class:`JournalError`.
        """

        async def write(new: list[NewRecord]) -> list[Record]:
            # One attempt only: whoever halts waits for a reply, and the halt holds in any case.
            if not await self.outbox.flush(until=0):
                raise JournalError("what the halt calls off is not written down")
            return await self.journal.expand(control, new)

        about = self.within(control.account, control.client)
        return await self._cancel(about, _origin(control), self._day_over, write)

    def within(self, account: str, client: str) -> list[ManagedOrder]:
        """Return the commands of an account and client; blank: of all of them."""
        circles = {"account": account, "client": client}
        return [
            one
            for one in self.blotter
            if all(text in ("", getattr(one.identity, name)) for name, text in circles.items())
        ]

    def open_in(self, account: str, client: str) -> int:
        """Count what a halt of them has to cancel."""
        return sum(
            one.verb == "place" and one.progress.state in _MAY_BE_OPEN
            for one in self.within(account, client)
        )

    def _day_over(self, order: ManagedOrder) -> int:
        assert isinstance(order.command, Place)  # noqa: S101
        return self.terms.calendar.over(order.command.place, order.since)

    def of_halt(self, control: Control) -> list[ManagedOrder]:
        """Return the cancellations that a halt asked for."""
        return self._of(_origin(control))

    async def tell_halted(self, control: Control) -> None:
        """Tell what the cancellations of a halt left, when they are answered."""
        mine = self.of_halt(control)
        await self.answered(mine)
        left = self._left(mine)
        names = ["/".join(one.identity[1:3]) for one in left[:_LISTED]]
        now = self.terms.clock()
        event: HaltCancelledEvent = {
            "kind": "halted",
            "account": control.account or None,
            "client": control.client or None,
            "mode": "reduce_only" if control.mode == "reduce_only" else "halted",
            "cancelled": len(mine) - len(left),
            "not_cancelled": len(left),
            "orders": names,
        }
        self.publisher.post(lambda: self.publisher.halted(event, now))

    # what both do

    def _of(self, origin: Origin) -> list[ManagedOrder]:
        return [one for one in self.blotter if one.origin == origin]

    def waits(self, managed: ManagedOrder) -> bool:
        """Tell whether a cancellation has to wait for what is not known about its order."""
        order = self.blotter.order(managed.identity)
        if managed.verb != "cancel" or order is None or self.terms.clock() >= managed.expires_at:
            return False
        if order.progress.state is State.UNKNOWN:
            return True
        # A client may try the number that it knows. Whoever cancels everything must not leave open
        # what the modification made of it.
        return managed.origin.kind != "client" and any(
            one.verb == "modify" for one in self.blotter.changes(order)
        )

    async def _cancel(
        self,
        about: Iterable[ManagedOrder],
        origin: Origin,
        until: Callable[[ManagedOrder], int],
        write: _Write,
    ) -> list[ManagedOrder]:
        """Call off what is not sent yet of some commands, and cancel what is or may be open."""
        now = self.terms.clock()
        new: list[NewRecord] = []
        for one in about:
            if one.verb not in ("place", "modify"):
                continue
            # In force before anything is written: it must not leave while the disk is slow.
            self.blotter.call_off(one)
            if one.progress.state is State.RECEIVED:
                self.outbox.take(one, self.submitter.refusing(_CALLED_OFF))
                self.called_off(one)
            elif one.verb == "place" and one.progress.state in _MAY_BE_OPEN:
                new += _cancellations(one, origin, now, until(one))
        self.news.tell()
        children = []
        for record in await write(new):
            child = self.blotter.get(record.identity)
            if child is None:
                child = restore(record)
                self.blotter.add(child)
            children.append(child)
        for child in children:
            if child.progress.answer is None:
                self.start(child)
        return children

    async def answered(self, children: Sequence[ManagedOrder]) -> None:
        """Return when each is answered, or waits for what may never be known."""
        while any(one.progress.answer is None and not self.waits(one) for one in children):
            await self.news.wait()

    def _summary(self, children: Sequence[ManagedOrder]) -> Step:
        left = self._left(children)
        text = f"{len(children) - len(left)} of {len(children)} orders"
        if left:
            names = [f"{one.identity.client_order_id} {self._standing(one)}" for one in left]
            more = [f"and {len(left) - _LISTED} more"] if len(left) > _LISTED else []
            text = f"{text}; not cancelled: {', '.join([*names[:_LISTED], *more])}"
        event = Event.REJECT if left else Event.ACCEPT
        return Step(event, self.terms.clock(), message=text)

    def _standing(self, child: ManagedOrder) -> State:
        order = self.blotter.order(child.identity)
        unknown = order is not None and order.progress.state is State.UNKNOWN
        return State.UNKNOWN if unknown else child.progress.state

    def _left(self, children: Sequence[ManagedOrder]) -> list[ManagedOrder]:
        """Return those that left something open, or may have."""
        cancelled = self.blotter.cancelled()
        return [child for child in children if not self._nothing_left(child, cancelled)]

    def _nothing_left(self, child: ManagedOrder, cancelled: Container[tuple[str, ...]]) -> bool:
        order = self.blotter.order(child.identity)
        if order is not None and order.progress.state is State.UNKNOWN:
            return False
        if order is not None and order.progress.state in CLOSED:
            return True
        answer, name = child.progress.answer, child.identity[:3]
        over = answer is not None and answer.reason == "not_cancellable"
        number = getattr(child.command, "order_no", None) or ""
        whole = (*name, "") in cancelled and not (order is not None and order.progress.split)
        return over or whole or (*name, number) in cancelled


def _origin(control: Control) -> Origin:
    return Origin("halt", str(control.at))


def _cancellations(
    order: ManagedOrder, origin: Origin, now: int, until: int
) -> Iterator[NewRecord]:
    """Yield a cancellation for each number under which an order has something left.

    Its ``command_id`` has a colon, which no client can write, so that it is nobody else's.
    """
    name = f"{'all' if origin.kind == 'cancel_all' else origin.kind}:{origin.name}"
    client_order_id = order.identity.client_order_id
    for number in order.numbers or ("",):
        command = Cancel(client_order_id=client_order_id, order_no=number or None)
        own = order.identity._replace(command_id=f"{name}:{number}" if number else name)
        yield ManagedOrder.received(own, "cancel", command, now, until, origin).record()
