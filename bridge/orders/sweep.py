"""Everything that is open, cancelled at once: by a ``cancel_all`` or a halt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from bridge.errors import JournalError
from bridge.mqtt.message import Message
from bridge.orders import risk
from bridge.orders.book import OPEN, Book, Tracked, restore
from bridge.orders.command import Cancel, CancelAll
from bridge.orders.journal import Identity, Journal
from bridge.orders.lifecycle import Event, State, Step
from bridge.orders.risk import Refusal
from bridge.orders.submit import Submitter

__all__ = ["Sweep"]

log = structlog.get_logger()


@dataclass(slots=True)
class Sweep:
    """Makes many cancellations of one word; ``start`` gives each its place in the line.

    ``running`` are the commands that have one, ``admitting`` those that are not in the journal yet.
    """

    book: Book
    journal: Journal
    submitter: Submitter
    start: Callable[[Tracked], asyncio.Task[None]]
    running: Mapping[asyncio.Task[None], Identity]
    admitting: Sequence[Tracked]

    def overtake(self, commands: Iterable[Tracked], every: Tracked) -> None:
        """Stop the commands that came before a ``cancel_all`` and are not sent."""
        command = every.command
        assert isinstance(command, CancelAll)  # noqa: S101
        for one in commands:
            symbol = getattr(one.command, "symbol", None) or self.book.symbol(one)
            if (
                one.verb in ("place", "modify")
                and one.progress.state is State.RECEIVED
                and one.identity[:2] == every.identity[:2]
                and one.received_at <= every.received_at
                and command.symbol in (None, symbol)
            ):
                one.overtaken = True

    async def command(self, tracked: Tracked, message: Message | None) -> None:
        """Cancel what the client has open; answer when each of the cancellations is answered."""
        account, client, _, _ = tracked.identity
        command = tracked.command
        assert isinstance(command, CancelAll)  # noqa: S101
        children = f"all:{tracked.digest[:24]}"
        if tracked.progress.state is State.RECEIVED:
            context = risk.Context(
                account_known=account in self.submitter.accounts,
                permitted=self.submitter.rules.permits(client, account),
                orders_allowed=self.submitter.rules.orders_allowed,
            )
            refusal = risk.check(risk.Request("cancel"), context)
            if self.submitter.clock() >= tracked.expires_at:
                refusal = Refusal("expired", "it expired before it was taken")
            if refusal is not None:
                await self.submitter.answer(tracked, self.submitter.refusing(refusal), message)
                return
            self.overtake(self.admitting, tracked)
            orders = [
                order
                for order in self.book
                if order.identity[:2] == (account, client)
                and command.symbol in (None, self.book.symbol(order))
            ]
            mine = await self.cancel(orders, children, tracked.expires_at, tracked)
        else:  # a restart came in between
            mine = [
                one
                for one in self.book
                if (*one.identity[:2], one.identity.command_id) == (account, client, children)
            ]
            names = {one.identity for one in mine}
            if running := [task for task, name in self.running.items() if name in names]:
                await asyncio.wait(running)
        await self.submitter.answer(tracked, self._summary(mine, account, client, command), message)

    async def cancel(
        self, orders: Iterable[Tracked], name: str, until: int, under: Tracked | None
    ) -> list[Tracked]:
        """Cancel what is open or on its way of some orders, and stop what is not sent yet.

        The cancellations are in the journal, all of them with ``under``, before one is sent.
        """
        now, new = self.submitter.clock(), []
        for one in list(orders):
            if one.progress.state is State.RECEIVED and one.verb in ("place", "modify"):
                one.overtaken = True
            elif one.verb == "place" and one.progress.state in (State.SUBMITTING, *OPEN):
                one.overtaken = True
                identity = one.identity._replace(command_id=name)
                command = Cancel(client_order_id=one.identity.client_order_id)
                new.append(Tracked.received(identity, "cancel", command, now, until))
        line = None
        if under is not None:
            line = self.book.step(under, Step(Event.SUBMIT, now))
        while True:
            try:
                records = await self.journal.expand(line, [one.record() for one in new])
                break
            except JournalError as error:
                log.warning("cancellations not written down, trying again", cause=str(error))
                await asyncio.sleep(self.submitter.rules.pause_s)
        children = []
        for record in records:
            child = self.book.get(record.identity)
            if child is None:
                child = restore(record)
                self.book.add(child)
            children.append(child)
        tasks = [self.start(child) for child in children if not child.progress.answer]
        if tasks and under is not None:
            await asyncio.wait(tasks)
        return children

    def _summary(
        self, children: Sequence[Tracked], account: str, client: str, command: CancelAll
    ) -> Step:
        left = [
            f"{child.identity.client_order_id} {child.progress.state}"
            for child in children
            if not _nothing_left(child)
        ]
        left += [
            f"{order.identity.client_order_id} unknown"
            for order in self.book.unsettled(account, State.UNKNOWN)
            if order.verb == "place"
            and order.identity.client == client
            and command.symbol in (None, self.book.symbol(order))
        ]
        done = sum(_nothing_left(child) for child in children)
        text = f"{done} of {len(children)} orders"
        if left:
            text = f"{text}; not cancelled: {', '.join(left)}"
        event = Event.REJECT if left else Event.ACCEPT
        return Step(event, self.submitter.clock(), message=text)


def _nothing_left(child: Tracked) -> bool:
    answer = child.progress.answer
    over = answer is not None and answer.reason == "not_cancellable"
    return over or child.progress.state is State.ACCEPTED
