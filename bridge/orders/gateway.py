"""A command's way from MQTT to KIS and back: :meth:`Gateway._take` and :meth:`Gateway._execute`.

What holds, whatever fails: a command is acknowledged to the broker when it is in the journal; it
is handed to the REST client after the journal says ``submitting``; what has no usable answer is
``unknown`` and never sent again.

Order is kept for each client: a ``place`` or ``modify`` waits for the client's one before it, a
``cancel`` only for what is under way about the same order. Clients do not wait for each other.

Refusals that depend on the moment (limits, halted, too much at once) are in the journal and final
under their name. Those that the same bytes get every time (no command, retained, expired when it
came, unknown account, in conflict with an earlier one) are not, and never touch what is known
under the same name.

While the journal cannot be written nothing is sent: a command waits until it expires, and is only
then refused, because a refusal that is not on disk could be followed by an execution after a
restart. What KIS answered is told at once and written as soon as that is possible.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import structlog

from bridge.catalog.model import Catalog
from bridge.errors import DecodeError, JournalError
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
from bridge.mqtt.topics import Topics
from bridge.orders import answers, risk
from bridge.orders.announce import Announcer, Publisher
from bridge.orders.book import OPEN, Book, Tracked, day_start, restore
from bridge.orders.command import CancelAll, CommandError, Place, parse
from bridge.orders.executions import execution
from bridge.orders.journal import Identity, Journal, Line
from bridge.orders.lifecycle import Event, LifecycleError, State, Step
from bridge.orders.plan import Plan, plan
from bridge.orders.risk import Limits, Refusal
from bridge.orders.rules import Account, Rest, Rules
from bridge.orders.turns import Turn, Turns

__all__ = ["Account", "Gateway", "Publisher", "Rest", "Rules"]

log = structlog.get_logger()

_LATE_JOURNAL = Refusal("expired", "the bridge could not write its journal in time")
_LONGEST_CLIENT = 128
_ACK_AGAIN = 60_000_000
"""After a restart acks go out again when they are at most this much (µs) older than the journal's
last line: nobody knows whether the last ones left."""


def _now() -> int:
    return time.time_ns() // 1_000


def _no_price(market: str, venue: str, symbol: str) -> Decimal | None:
    return None


class Gateway:
    """Takes commands and execution notices, keeps the journal, says what came of them.

    ``accounts`` by alias; ``reference_price(market, venue, symbol)`` is the last trade's price;
    ``clock`` gives µs since the epoch. The journal is open before :meth:`run` and closed after.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        journal: Journal,
        publisher: Publisher,
        topics: Topics,
        accounts: Mapping[str, Account],
        rules: Rules,
        reference_price: Callable[[str, str, str], Decimal | None] = _no_price,
        clock: Callable[[], int] = _now,
    ) -> None:
        self.halted = False
        """While True only cancellations go out."""
        self._catalog = catalog
        self._journal = journal
        self._announcer = Announcer(publisher, topics, rules.response_prefixes)
        self._topics = topics
        self._accounts = accounts
        self._aliases = {
            account.number.get_secret_value().replace("-", ""): alias
            for alias, account in accounts.items()
        }
        self._rules = rules
        self._reference_price = reference_price
        self._clock = clock
        venues = kis.venues(paper=rules.paper)
        types = kis.order_types(catalog)
        self._order_types = {venue: types[venue] for venue in venues}
        self._book = Book()
        self._turns = Turns()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._notices: asyncio.Queue[tuple[str, kis.Notice, int]] = asyncio.Queue()
        self._running: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    # the shell

    async def run(self) -> None:
        """Bring the journal's open ends to an end, then serve until :meth:`stop`."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._recover()
                notices = self._tasks.create_task(self._serve_notices())
                self._ready.set()
                await self._stopping.wait()
                if self._running:
                    await asyncio.wait(self._running, timeout=self._rules.grace_s)
                if self._running:
                    log.warning("commands left in flight", count=len(self._running))
                for task in (notices, *self._running):
                    task.cancel()
        finally:
            self._stopping.set()
            self._ended.set()

    async def stop(self) -> None:
        """Take no more commands; return when those in flight are finished or given up."""
        self._stopping.set()
        await self._ended.wait()

    async def ready(self) -> None:
        """Return when commands are taken."""
        await self._ready.wait()

    def states(self) -> Mapping[str, int]:
        """Count today's orders by state."""
        return self._book.states()

    async def end_of_day(self) -> None:
        """Expire the orders that are still open and clear the retained states.

        For when no market fills today's orders any more. What is unknown stays.
        """
        now = self._clock()
        for order in [t for t in self._book if t.verb == "place" and t.progress.state in OPEN]:
            await self._happen(self._apply(order, Step(Event.EXPIRE, now)))
        over = [t for t in self._book if t.progress.answer and t.progress.state != State.UNKNOWN]
        for tracked in over:
            if tracked.verb == "place":
                await self._announcer.clear_state(tracked)
        self._book.drop(over)

    # commands

    async def command(self, message: Message) -> None:
        """Take a message of ``command/{verb}``; returns when it has its place in the line."""
        await self._ready.wait()
        if self._stopping.is_set():
            return  # without PUBACK: the broker delivers it again
        try:
            account, client, verb = self._topics.parse_command(message.topic)
        except ValueError:
            log.warning("not a command topic", topic=message.topic)
            message.ack()
            return
        source = _Source(account, client, verb, message)
        try:
            command = parse(verb, message.payload, self._order_types)
        except CommandError as error:
            reason = "retained_command" if message.retain else error.code
            refusal = Refusal(reason, str(error))
            await self._turn_away(source, (error.client_order_id, ""), refusal)
            return
        name = (command.client_order_id, command.name())
        expires_at = command.deadline(message.received_at, message.expiry_s)
        problem = self._at_the_door(source)
        if isinstance(command, CancelAll):
            text = "cancel_all is not offered yet: cancel each order by its client_order_id"
            problem = problem or Refusal("invalid_payload", text)
        if expires_at is None:
            text = "missing key 'expires_at': a time with offset, or set the MQTT message expiry"
            problem = problem or Refusal("invalid_payload", text)
        if problem is not None or expires_at is None:
            await self._turn_away(source, name, problem or _LATE_JOURNAL)
            return
        tracked = Tracked.received(
            Identity(account, client, *name), verb, command, message.received_at, expires_at
        )
        self._start(tracked, source)

    def _at_the_door(self, source: _Source) -> Refusal | None:
        if source.message.retain:
            return Refusal("retained_command", "publish commands without the retain flag")
        if source.account not in self._accounts:
            return Refusal("unknown_account", "the configuration has no such account")
        if len(source.client) > _LONGEST_CLIENT or len(source.account) > _LONGEST_CLIENT:
            return Refusal("not_permitted", "the client's name is too long")
        return None

    def _start(self, tracked: Tracked, source: _Source | None) -> None:
        """Give a command its place in the line."""
        account, client, client_order_id, _ = tracked.identity
        keys: list[tuple[str, ...]] = [(account, client, client_order_id)]
        if tracked.verb != "cancel":
            keys.append((account, client))
        turn = self._turns.take(keys)
        task = self._tasks.create_task(self._take(tracked, source, turn))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _take(self, tracked: Tracked, source: _Source | None, turn: Turn) -> None:
        """Write a command down, acknowledge it to the broker, and execute it in its turn."""
        line = tracked.identity[:2]
        full = source is not None and self._waiting[line] >= self._rules.waiting
        self._waiting[line] += 1
        new = source is None  # what a restart found comes without a message
        digest = tracked.digest
        try:
            if source is not None:
                found = await self._admit(tracked, full=full)
                if found is None:
                    refusal = Refusal("expired", "it expired before it could be written down")
                    await self._turn_away(source, tracked.identity[2:], refusal)
                    return
                tracked, new = found
                source.message.ack()
                if tracked.digest != digest:
                    refusal = Refusal("duplicate_conflict", "that name stands for another content")
                    await self._turn_away(source, tracked.identity[2:], refusal)
                    return
            if tracked.progress.answer is None:
                if full:
                    return  # a duplicate of one that waits: that one's ack answers both
                await turn.come()
            if tracked.progress.answer is not None:
                message = source.message if source else None
                await self._announcer.acknowledge(tracked, message, duplicate=not new)
            elif tracked.progress.state is State.RECEIVED:
                await self._execute(tracked, source)
        finally:
            turn.leave()
            self._waiting[line] -= 1
            if not self._waiting[line]:
                del self._waiting[line]

    async def _admit(self, tracked: Tracked, *, full: bool) -> tuple[Tracked, bool] | None:
        """Return the command of that name in the journal, and whether it is this one.

        None: there is none, and this one has expired.
        """
        while True:
            try:
                if self._clock() >= tracked.expires_at:
                    found, new = await self._journal.find(tracked.identity), False
                else:
                    steps: list[tuple[Step, State]] = []
                    if full:
                        text = f"{self._rules.waiting} commands are under way; slow down"
                        refuse = self._refusing(Refusal("overloaded", text))
                        steps.append((refuse, State.REFUSED))
                    found, new = await self._journal.admit(tracked.record(), *steps)
            except JournalError as error:
                log.warning("command not written down, trying again", cause=str(error))
                await asyncio.sleep(self._rules.pause_s)
                continue
            if found is None:
                return None
            known = self._book.get(tracked.identity)
            if known is None:
                known = restore(found)
                self._book.add(known)
            return known, new

    async def _execute(self, tracked: Tracked, source: _Source | None) -> None:
        """Bring a command that is in the journal to its answer."""
        planned = self._check(tracked)
        if isinstance(planned, Refusal):
            await self._answer(tracked, self._refusing(planned), source)
            return
        submit = self._book.step(tracked, Step(Event.SUBMIT, self._clock()))
        if not await self._write(submit, until=tracked.expires_at):
            await self._answer(tracked, self._refusing(_LATE_JOURNAL), source)
            return
        answer = await self._send(tracked, planned)
        await self._answer(tracked, answer, source, planned)

    def _check(self, tracked: Tracked) -> Plan | Refusal:
        """Say what to send for a command, counted against the limits, or why not."""
        now = self._clock()
        identity = tracked.identity
        if now >= tracked.expires_at:
            return Refusal("expired", "it expired while it waited for its turn")
        order = self._book.order(identity)
        planned = plan(tracked, order, self._order_types)
        if isinstance(planned, Refusal):
            return planned
        assert order is not None and isinstance(order.command, Place)  # noqa: S101, PT018
        place = order.command
        reference = self._reference_price(place.market, place.venue, place.symbol)
        client_limits = self._rules.client_limits.get(identity.client, Limits())
        context = risk.Context(
            account_known=identity.account in self._accounts,
            permitted=self._rules.permits(identity.client, identity.account),
            orders_allowed=self._rules.orders_allowed,
            halted=self.halted,
            reference_price=reference,
            scopes=self._book.scopes(identity, self._rules.limits, client_limits, now),
        )
        refusal = risk.check(planned.request, context)
        if refusal is not None:
            return refusal
        if planned.request.verb != "cancel":
            self._book.reserve(tracked, risk.added(planned.request, reference), now)
        return planned

    async def _send(self, tracked: Tracked, planned: Plan) -> Step:
        """Hand it to KIS; again only while KIS certainly did nothing with it."""
        account = self._accounts[tracked.identity.account]
        call = planned.call(self._catalog, account.number.get_secret_value())
        cancels = planned.request.verb == "cancel"
        loop = asyncio.get_running_loop()
        last = Step(Event.REFUSE, 0, reason="expired", message="it expired before it was sent")
        while (left := (tracked.expires_at - self._clock()) / 1_000_000) > 0:
            try:
                reply = await account.rest.call(
                    call.api,
                    call.params,
                    variant=call.variant,
                    priority=Priority.CANCEL if cancels else Priority.ORDER,
                    deadline=loop.time() + left,
                )
            except (KisNotSentError, KisNotProcessedError) as error:
                log.info("order not processed", cause=type(error).__name__, msg_cd=error.msg_cd)
                last = replace(last, message=f"it expired; before that: {error}", kis=_said(error))
                await asyncio.sleep(min(self._rules.pause_s, left))
            except KisRefusedError as error:
                return Step(Event.REJECT, self._clock(), message=str(error), kis=_said(error))
            except KisUnknownError as error:
                return Step(Event.LOSE, self._clock(), message=str(error), kis=_said(error))
            else:
                return self._read(call, reply)
        return replace(last, at=self._clock())

    def _read(self, call: kis.Call, reply: Reply) -> Step:
        now = self._clock()
        match kis.outcome(self._catalog, call, reply):
            case kis.Accepted(order_no, org_no, said):
                return Step(Event.ACCEPT, now, order_no=order_no, org_no=org_no, kis=said)
            case kis.Rejected(said):
                return Step(Event.REJECT, now, kis=said)
            case kis.Unreadable(said):
                return Step(Event.LOSE, now, message="KIS named no order number", kis=said)

    async def _answer(
        self,
        tracked: Tracked,
        answer: Step,
        source: _Source | None,
        planned: Plan | None = None,
    ) -> None:
        """Write the answer down and publish it, with what it does to the order."""
        lines = [self._book.step(tracked, answer)]
        if answer.event in (Event.REFUSE, Event.REJECT):
            self._book.unreserve(tracked)
        order = self._book.order(tracked.identity)
        changes: list[_Change] = []
        if planned is not None and order is not None:
            changes = self._apply(order, planned.after(answer))
        lines += [change.line for change in changes]
        for item in self._book.release():  # notices that waited for this answer
            self._notices.put_nowait(item)
        written = await self._write(*lines, until=0)
        await self._announcer.acknowledge(tracked, source.message if source else None)
        if not written:  # the client knows; a restart before this is through says ``unknown``
            await self._write(*lines)
        if tracked.verb == "place" and tracked.progress.submitted_at is not None:
            await self._announcer.state(tracked, self._clock())
        await self._announce(changes)
        if answer.event is Event.LOSE:
            log.warning("order unknown", identity=tracked.identity, verb=tracked.verb)
            await self._announcer.unknown(tracked, self._clock())

    async def _turn_away(self, source: _Source, name: Sequence[str], refusal: Refusal) -> None:
        """Refuse what is not to be in the journal."""
        await self._announcer.refuse(
            source.account,
            source.client,
            source.verb,
            (name[0], name[1]),
            self._refusing(refusal),
            source.message,
        )
        source.message.ack()

    def _refusing(self, refusal: Refusal) -> Step:
        return Step(Event.REFUSE, self._clock(), reason=refusal.reason, message=refusal.message)

    # execution notices

    def notice(self, values: Mapping[str, str], received_at: int) -> None:
        """Take an execution notice: its raw values by English path, when it came in µs."""
        try:
            notice = kis.notice(values)
        except DecodeError as error:
            log.warning("execution notice dropped", cause=str(error))
            return
        alias = self._aliases.get(notice.account)
        if alias is None:
            log.info("execution notice of an account that is not configured")
            return
        self._notices.put_nowait((alias, notice, received_at))

    async def _serve_notices(self) -> None:
        while True:
            items = [await self._notices.get()]
            while not self._notices.empty():
                items.append(self._notices.get_nowait())
            changes: list[_Change] = []
            for alias, notice, at in items:
                order = self._book.match(alias, notice, at)
                if order is not None:
                    changes += self._apply(order, execution(order.progress, notice, at))
                elif not self._book.hold(alias, notice, at):
                    await self._announcer.external(alias, notice, at)
            await self._happen(changes)

    def _apply(self, order: Tracked, step: Step | None) -> list[_Change]:
        """Apply a later step of an order; none when it is not one."""
        if step is None:
            return []
        try:
            line = self._book.step(order, step)
        except LifecycleError as error:
            log.warning("step does not fit the order", order=order.identity, cause=str(error))
            return []
        return [_Change(order, line, answers.event(order, step))]

    async def _happen(self, changes: Sequence[_Change]) -> None:
        """Write later steps down, then publish them."""
        await self._write(*(change.line for change in changes))
        await self._announce(changes)

    async def _announce(self, changes: Sequence[_Change]) -> None:
        for change in changes:
            await self._announcer.event(change.order, change.event)
        for order in dict.fromkeys(change.order for change in changes):
            await self._announcer.state(order, self._clock())

    # the journal

    async def _write(self, *lines: Line, until: int | None = None) -> bool:
        """Append lines, again while it fails and ``until`` has not passed; False: it has."""
        while lines:
            try:
                await self._journal.append(*lines)
            except JournalError as error:
                log.warning("journal not written, trying again", cause=str(error))
                if until is not None and self._clock() >= until:
                    return False
                await asyncio.sleep(self._rules.pause_s)
            else:
                break
        return True

    async def _recover(self) -> None:
        """Take up what the journal left open; raises :class:`JournalError`."""
        now = self._clock()
        open_ends: list[Tracked] = []
        for record in await self._journal.replay(day_start(now)):
            tracked = restore(record)
            self._book.add(tracked)
            if tracked.progress.answer is None:
                open_ends.append(tracked)
        self._book.recount(now)
        newest = max((tracked.progress.at for tracked in self._book), default=0)
        for tracked in self._book:
            progress = tracked.progress
            if tracked.verb == "place" and progress.submitted_at is not None:
                await self._announcer.state(tracked, now)
            if progress.answer is not None and progress.answer.at >= newest - _ACK_AGAIN:
                await self._announcer.acknowledge(tracked, duplicate=True)
        for tracked in open_ends:
            if tracked.progress.submitted_at is None:
                self._start(tracked, None)
            else:
                text = "the bridge stopped before KIS's answer was written down"
                await self._answer(tracked, Step(Event.LOSE, now, message=text), None)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a command came from."""

    account: str
    client: str
    verb: str
    message: Message


@dataclass(frozen=True, slots=True)
class _Change:
    """A later step of an order, as the journal and the clients get it."""

    order: Tracked
    line: Line
    event: bytes


def _said(error: KisError) -> Mapping[str, str]:
    if not error.msg_cd:
        return {}
    return {"rt_cd": "1", "msg_cd": error.msg_cd, "msg1": error.msg1.strip()}
