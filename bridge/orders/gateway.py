"""A command's way from MQTT to KIS and back: :meth:`Gateway._take` and :meth:`Gateway._execute`.

What holds, whatever fails: a command is acknowledged to the broker when it is in the journal; it
is handed to the REST client after the journal says ``submitting``; what has no usable answer is
``unknown``, is never sent again, and fences its symbol until the exchange's own list settles it.

Order is kept for each client: a ``place`` or ``modify`` waits for the client's one before it, a
``cancel`` only for what is under way about the same order. Clients do not wait for each other. A
``cancel_all`` waits for nothing: what was not sent before it is not sent at all.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import structlog

from bridge.catalog.model import Catalog
from bridge.errors import DecodeError, JournalError
from bridge.kis import markets
from bridge.kis import orders as kis
from bridge.kis.listing import Row
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
from bridge.orders import hours, risk
from bridge.orders.accounts import Accounts
from bridge.orders.announce import Announcer, Publisher
from bridge.orders.book import OPEN, Book, Tracked, day_start, restore
from bridge.orders.chronicle import Chronicle
from bridge.orders.command import Cancel, CancelAll, CommandError, Place, parse
from bridge.orders.executions import execution
from bridge.orders.halts import Halts, Mode
from bridge.orders.journal import Control, Identity, Journal
from bridge.orders.lifecycle import Event, State, Step
from bridge.orders.plan import Plan, plan
from bridge.orders.reconcile import Reconciler
from bridge.orders.references import References
from bridge.orders.risk import Limits, Reference, Refusal
from bridge.orders.rules import Account, Rest, Rules
from bridge.orders.turns import Turn, Turns

__all__ = ["Account", "Gateway", "Publisher", "Rest", "Rules"]

log = structlog.get_logger()

_LATE_JOURNAL = Refusal("expired", "the bridge could not write its journal in time")
_LONGEST_CLIENT = 128
_ACK_AGAIN = 60_000_000
"""After a restart acks go out again when they are at most this much (µs) older than the journal's
last line: nobody knows whether the last ones left."""
_HALT_CANCELS = 60_000_000
"""How long (µs) the cancellations of a halt may take."""
_DRAIN_S = 2.0


def _now() -> int:
    return time.time_ns() // 1_000


def _no_price(market: str, venue: str, symbol: str) -> Decimal | None:
    return None


def _weekdays(calendar: str, day: date) -> bool:
    return day.weekday() < 5


class Gateway:
    """Takes commands and execution notices, keeps the journal, says what came of them.

    ``accounts`` by alias; ``reference_price(market, venue, symbol)`` is the last trade's price;
    ``trades(calendar, day)`` tells trading days;
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
        trades: hours.TradingDays = _weekdays,
        clock: Callable[[], int] = _now,
    ) -> None:
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
        self._trades = trades
        self._clock = clock
        self._order_types = {
            alias: _offered(catalog, account, rules) for alias, account in accounts.items()
        }
        self._halts = Halts()
        self._book = Book()
        self._chronicle = Chronicle(
            self._book, journal, self._announcer, clock=clock, pause_s=rules.pause_s
        )
        self._references = References(
            catalog, paper=rules.paper, last_price=reference_price, clock=clock
        )
        self._holdings = Accounts(
            catalog=catalog,
            accounts=accounts,
            rules=rules,
            book=self._book,
            announcer=self._announcer,
            clock=clock,
        )
        self._chronicle.on_fill = self._holdings.filled
        self._reconciler = Reconciler(
            catalog=catalog,
            accounts=accounts,
            rules=rules,
            book=self._book,
            chronicle=self._chronicle,
            announcer=self._announcer,
            clock=clock,
            on_round=self._release,
            on_list=self._listed,
        )
        self._turns = Turns()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._notices: asyncio.Queue[tuple[str, kis.Notice, int]] = asyncio.Queue()
        self._running: dict[asyncio.Task[None], Identity] = {}
        self._tasks: asyncio.TaskGroup
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    # the shell

    async def run(self) -> None:
        """Bring the journal's open ends to an end, then serve until :meth:`stop`."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                writing = [
                    self._tasks.create_task(self._chronicle.run()),
                    self._tasks.create_task(self._announcer.run()),
                ]
                await self._recover()
                others = [
                    self._tasks.create_task(self._serve_notices()),
                    self._tasks.create_task(self._reconciler.run()),
                    self._tasks.create_task(self._holdings.run()),
                ]
                self._ready.set()
                await self._stopping.wait()
                if self._running:
                    await asyncio.wait(self._running, timeout=self._rules.grace_s)
                if self._running:
                    log.warning("commands left in flight", count=len(self._running))
                for task in (*others, *self._running):
                    task.cancel()
                await self._finish_writing()
                for task in writing:
                    task.cancel()
        finally:
            self._stopping.set()
            self._ended.set()

    async def _finish_writing(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._chronicle.flush()
                await self._announcer.drain()
        except TimeoutError:
            log.warning("not everything is written and told")

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

    def gap(self, account: str) -> None:
        """Take no new orders for an account until the exchange was asked what was missed.

        For when its execution notices come again after an interruption.
        """
        self._reconciler.gap(account)

    async def resolve(self, identity: Identity, *, order_no: str, by: str) -> Tracked:
        """Settle what is unknown as a person says; raises :class:`RequestError`."""
        return await self._reconciler.resolve(identity, order_no=order_no, by=by)

    # halts

    @property
    def halted(self) -> bool:
        """Whether anybody may not trade freely."""
        return bool(self._halts)

    def halts(self) -> list[dict[str, str | None]]:
        """Return who may not trade freely."""
        return self._halts.listing()

    async def halt(
        self,
        mode: Mode,
        *,
        account: str = "",
        client: str = "",
        reason: str = "",
        cancel_all: bool = False,
    ) -> int:
        """Halt (or, with a blank mode, release) everybody, an account or a client, for good.

        It holds from this moment and is in the journal when this returns, also after a restart.
        Returns how many open orders are being cancelled. Raises :class:`JournalError`; it holds
        then until the restart.
        """
        now = self._clock()
        self._halts.say(account, client, mode)
        self._announcer.post(
            lambda: self._announcer.halted(
                "halted" if mode else "resumed",
                now,
                account=account or None,
                client=client or None,
                mode=mode or None,
                reason=reason,
            )
        )
        await self._journal.control(Control(now, account, client, mode, reason))
        if not cancel_all:
            return 0
        orders = [
            order
            for order in self._book
            if account in ("", order.identity.account) and client in ("", order.identity.client)
        ]
        return len(await self._cancel_each(orders, f"halt:{now}", now + _HALT_CANCELS, None))

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
            command = parse(verb, message.payload, self._order_types.get(account))
        except CommandError as error:
            reason = "retained_command" if message.retain else error.code
            refusal = Refusal(reason, str(error))
            await self._turn_away(source, (error.client_order_id, ""), refusal)
            return
        name = (command.client_order_id, command.name())
        expires_at = command.deadline(message.received_at, message.expiry_s)
        problem = self._at_the_door(source)
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

    def _start(self, tracked: Tracked, source: _Source | None) -> asyncio.Task[None]:
        """Give a command its place in the line."""
        account, client, client_order_id, _ = tracked.identity
        keys: list[tuple[str, ...]] = [(account, client, client_order_id)]
        if tracked.verb in ("place", "modify"):
            keys.append((account, client))
        elif tracked.verb == "cancel_all":
            keys = [tracked.identity]
        turn = self._turns.take(keys)
        name = f"{tracked.verb} {'/'.join(tracked.identity)}"
        task = self._tasks.create_task(self._take(tracked, source, turn), name=name)
        self._running[task] = tracked.identity
        task.add_done_callback(self._running.pop)
        return task

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
                self._acknowledge(tracked, message, duplicate=not new)
            elif tracked.verb == "cancel_all":
                await self._cancel_all(tracked, source)
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

    def _acknowledge(
        self, tracked: Tracked, message: Message | None, *, duplicate: bool = False
    ) -> None:
        self._announcer.post(
            lambda: self._announcer.acknowledge(tracked, message, duplicate=duplicate)
        )

    async def _execute(self, tracked: Tracked, source: _Source | None) -> None:
        """Bring a command that is in the journal to its answer."""
        planned = await self._admitted(tracked)
        if isinstance(planned, Refusal):
            await self._answer(tracked, self._refusing(planned), source)
            return
        self._chronicle.take(
            tracked, Step(Event.SUBMIT, self._clock(), notional=tracked.notional or None)
        )
        if not await self._chronicle.flush(until=tracked.expires_at):
            await self._answer(tracked, self._refusing(_LATE_JOURNAL), source)
            return
        answer = await self._send(tracked, planned)
        await self._answer(tracked, answer, source, planned)

    async def _admitted(self, tracked: Tracked) -> Plan | Refusal:
        """Say what to send for a command, counted against the limits, or why not."""
        order = self._book.order(tracked.identity)
        types = self._order_types.get(tracked.identity.account, {})
        planned = plan(tracked, order, types, self._rules.rates)
        if isinstance(planned, Refusal) or planned.request.verb == "cancel":
            return planned if isinstance(planned, Refusal) else self._check(tracked, planned)
        account, client = tracked.identity.account, tracked.identity.client
        if account not in self._accounts or not self._rules.permits(client, account):
            return self._check(tracked, planned)
        if not await self._reconciler.admitted(account, tracked.expires_at):
            text = "it expired while the exchange was asked what was missed"
            return Refusal("expired", text)
        context = await self._look_up(tracked, planned)
        planned = plan(tracked, order, types, self._rules.rates)  # as it stands now
        return planned if isinstance(planned, Refusal) else self._check(tracked, planned, context)

    async def _look_up(self, tracked: Tracked, planned: Plan) -> risk.Context:
        """Ask for what the limits have to be held against."""
        identity, request = tracked.identity, planned.request
        account, place = self._accounts[identity.account], self._place(tracked)
        limits = self._limits(identity)
        reference, orderable = Reference(), None
        if any(risk.needs_reference(request, each) for each in limits):
            deep = request.price is None or any(x.price_limits or x.tick_size for x in limits)
            reference = await self._references.reference(
                account, place.place, request.symbol, request.price, limits=deep
            )
        if any(each.check_funds for each in limits):
            kind = planned.leg.order_type if planned.leg else place.order_type
            orderable = await self._references.orderable(
                account, place.place, request.symbol, request.side, kind, request.price
            )
        return risk.Context(reference=reference, orderable=orderable)

    def _check(
        self, tracked: Tracked, planned: Plan, context: risk.Context | None = None
    ) -> Plan | Refusal:
        """Hold a command against everything that is known, and reserve what it takes.

        Nothing may be awaited in here: two commands must not see the same room.
        """
        now, identity, request = self._clock(), tracked.identity, planned.request
        if now >= tracked.expires_at:
            return Refusal("expired", "it expired while it waited for its turn")
        if tracked.overtaken:
            return Refusal("cancelled", "a cancel_all came before it was sent")
        place, (mode, halted_by) = self._place(tracked), self._halts.of(*identity[:2])
        fence = self._book.fence(identity.account, request.symbol, but=tracked)
        closed = ""
        if self._rules.market_hours:
            kind = planned.leg.order_type if planned.leg else place.order_type
            closed = hours.closed(place.place, kind, now, self._trades)
        context = replace(
            context or risk.Context(),
            account_known=identity.account in self._accounts,
            permitted=self._rules.permits(identity.client, identity.account),
            orders_allowed=self._rules.orders_allowed,
            halt=mode,
            halted_by=halted_by,
            reducible=self._holdings.reducible(identity.account, place, but=tracked),
            fenced=fence.identity.client_order_id if fence else "",
            closed=closed,
            scopes=self._book.scopes(identity, *self._limits(identity), now),
        )
        refusal = risk.check(request, context)
        if refusal is not None:
            return refusal
        if request.verb != "cancel":
            self._book.reserve(tracked, risk.added(request, context.reference), now)
        return planned

    def _place(self, tracked: Tracked) -> Place:
        order = self._book.order(tracked.identity)
        assert order is not None and isinstance(order.command, Place)  # noqa: S101, PT018
        return order.command

    def _limits(self, identity: Identity) -> tuple[Limits, Limits]:
        own = self._rules.client_limits.get(identity.client, Limits())
        return self._rules.limits, own

    async def _send(self, tracked: Tracked, planned: Plan) -> Step:
        """Hand it to KIS; again only while KIS certainly did nothing with it."""
        account = self._accounts[tracked.identity.account]
        call = planned.call(self._catalog, account.number.get_secret_value())
        cancels = planned.request.verb == "cancel"
        loop = asyncio.get_running_loop()
        last = Step(Event.REFUSE, 0, reason="expired", message="it expired before it was sent")
        while (left := (tracked.expires_at - self._clock()) / 1_000_000) > 0:
            if tracked.overtaken:
                last = replace(last, reason="cancelled", message="a cancel_all came before it")
                break
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
        message = source.message if source else None
        self._chronicle.take(
            tracked,
            answer,
            lambda: self._announcer.acknowledge(tracked, message),
            urgent=True,
        )
        if answer.event in (Event.REFUSE, Event.REJECT):
            self._book.unreserve(tracked)
        if tracked.verb == "place" and tracked.progress.submitted_at is not None:
            self._chronicle.afterwards(self._chronicle.state(tracked))
        order = self._book.order(tracked.identity)
        if planned is not None and order is not None:
            self._chronicle.happen(order, planned.after(answer))
        self._release()  # notices that waited for this answer
        if answer.event is Event.LOSE:
            log.warning("order unknown", identity=tracked.identity, verb=tracked.verb)
            now = self._clock()
            self._chronicle.afterwards(lambda: self._announcer.unknown(tracked, now))
            self._reconciler.wake(tracked.identity.account)
        await self._chronicle.flush()

    async def _turn_away(self, source: _Source, name: Sequence[str], refusal: Refusal) -> None:
        """Refuse what is not to be in the journal."""
        step = self._refusing(refusal)
        self._announcer.post(
            lambda: self._announcer.refuse(
                *(source.account, source.client, source.verb, (name[0], name[1])),
                step,
                source.message,
            )
        )
        source.message.ack()

    def _refusing(self, refusal: Refusal) -> Step:
        return Step(Event.REFUSE, self._clock(), reason=refusal.reason, message=refusal.message)

    # all at once

    async def _cancel_all(self, tracked: Tracked, source: _Source | None) -> None:
        """Cancel what the client has open; answer when each of the cancellations is answered."""
        account, client, _, _ = tracked.identity
        command = tracked.command
        assert isinstance(command, CancelAll)  # noqa: S101
        children = f"all:{tracked.digest[:24]}"
        if tracked.progress.state is State.RECEIVED:
            context = risk.Context(
                account_known=account in self._accounts,
                permitted=self._rules.permits(client, account),
                orders_allowed=self._rules.orders_allowed,
            )
            refusal = risk.check(risk.Request("cancel"), context)
            if self._clock() >= tracked.expires_at:
                refusal = Refusal("expired", "it expired before it was taken")
            if refusal is not None:
                await self._answer(tracked, self._refusing(refusal), source)
                return
            orders = [
                order
                for order in self._book
                if order.identity[:2] == (account, client)
                and command.symbol in (None, self._book.symbol(order))
            ]
            mine = await self._cancel_each(orders, children, tracked.expires_at, tracked)
        else:  # a restart came in between
            mine = [
                one
                for one in self._book
                if (*one.identity[:2], one.identity.command_id) == (account, client, children)
            ]
            names = {one.identity for one in mine}
            if running := [task for task, name in self._running.items() if name in names]:
                await asyncio.wait(running)
        await self._answer(tracked, self._summary(mine, account, client, command), source)

    async def _cancel_each(
        self, orders: Iterable[Tracked], name: str, until: int, under: Tracked | None
    ) -> list[Tracked]:
        """Cancel what is open or on its way of some orders, and stop what is not sent yet.

        The cancellations are in the journal, all of them with ``under``, before one is sent.
        """
        now, new = self._clock(), []
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
            line = self._book.step(under, Step(Event.SUBMIT, now))
        while True:
            try:
                records = await self._journal.expand(line, [one.record() for one in new])
                break
            except JournalError as error:
                log.warning("cancellations not written down, trying again", cause=str(error))
                await asyncio.sleep(self._rules.pause_s)
        children = []
        for record in records:
            child = self._book.get(record.identity)
            if child is None:
                child = restore(record)
                self._book.add(child)
            children.append(child)
        tasks = [self._start(child, None) for child in children if not child.progress.answer]
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
            for order in self._book.unsettled(account, State.UNKNOWN)
            if order.verb == "place"
            and order.identity.client == client
            and command.symbol in (None, self._book.symbol(order))
        ]
        done = sum(_nothing_left(child) for child in children)
        text = f"{done} of {len(children)} orders"
        if left:
            text = f"{text}; not cancelled: {', '.join(left)}"
        event = Event.REJECT if left else Event.ACCEPT
        return Step(event, self._clock(), message=text)

    # execution notices

    def notice(
        self, values: Mapping[str, str], received_at: int, market: str = "domestic_stock"
    ) -> None:
        """Take an execution notice: its raw values by English path, when it came in µs."""
        try:
            notice = kis.notice(values, market)
        except DecodeError as error:
            log.warning("execution notice dropped", cause=str(error))
            for each in self._accounts:
                self._reconciler.wake(each)  # the list has to say what it was
            return
        alias = self._aliases.get(notice.account)
        if alias is None:
            log.info("execution notice of an account that is not configured")
            return
        self._notices.put_nowait((alias, notice, received_at))

    async def _serve_notices(self) -> None:
        while True:
            alias, notice, at = await self._notices.get()
            order = self._book.match(alias, notice, at)
            if order is not None:
                self._notice_of(order, notice, at)
            elif self._book.hold(alias, notice, at):
                if self._book.unsettled(alias, State.UNKNOWN):
                    self._reconciler.wake(alias, notice.market)
            else:
                self._reconciler.elsewhere(alias, notice)
                self._elsewhere(alias, notice, at)

    def _notice_of(self, order: Tracked, notice: kis.Notice, at: int) -> None:
        account = order.identity.account
        step = execution(order.progress, notice, at)
        self._chronicle.happen(order, step)
        unsure = notice.kind == "fill" and (step is None or step.event is Event.NOTE)
        if (unsure and order.progress.remaining) or self._book.changes(order):
            # The same notice again, or another fill just like it: the list has to say.
            self._reconciler.wake(account)

    def _elsewhere(self, alias: str, notice: kis.Notice, at: int) -> None:
        self._chronicle.afterwards(lambda: self._announcer.external(alias, notice, at))

    def _release(self) -> None:
        for item in self._book.release():
            self._notices.put_nowait(item)

    def _listed(self, alias: str, rows: Sequence[Row]) -> None:
        self._holdings.listed(alias, rows)

    # the journal

    async def _recover(self) -> None:
        """Take up what the journal left open; raises :class:`JournalError`."""
        now = self._clock()
        self._halts = Halts(await self._journal.controls())
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
                self._announcer.post(self._chronicle.state(tracked))
            if progress.answer is not None and progress.answer.at >= newest - _ACK_AGAIN:
                self._acknowledge(tracked, None, duplicate=True)
        for tracked in sorted(open_ends, key=lambda one: one.verb == "cancel_all"):
            if tracked.progress.submitted_at is None or tracked.verb == "cancel_all":
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


def _offered(catalog: Catalog, account: Account, rules: Rules) -> markets.OrderTypes:
    """Return the order types of the places where an account trades."""
    traded = account.markets(rules.markets)
    types = markets.order_types(catalog, paper=rules.paper)
    return {place: known for place, known in types.items() if place[0] in traded}


def _nothing_left(child: Tracked) -> bool:
    answer = child.progress.answer
    over = answer is not None and answer.reason == "not_cancellable"
    return over or child.progress.state is State.ACCEPTED


def _said(error: KisError) -> Mapping[str, str]:
    if not error.msg_cd:
        return {}
    return {"rt_cd": "1", "msg_cd": error.msg_cd, "msg1": error.msg1.strip()}
