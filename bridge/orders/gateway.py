"""A command's way from MQTT to KIS and back: :meth:`Gateway._take` and :meth:`Gateway._execute`.

What holds, whatever fails: a command is acknowledged to the broker when it is in the journal; it
is handed to the REST client after the journal says ``submitting``; what has no usable answer is
``unknown``, is never sent again, and fences its symbol until the exchange's own list settles it.

Order is kept for each client (:mod:`bridge.orders.routing.sequencer`); clients do not wait for
each other. A ``cancel_all`` waits until the commands before it are in the journal, and for nothing
else: what was not sent before it is not sent at all.

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
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import structlog

from bridge.calendar import order_hours
from bridge.catalog.model import Catalog
from bridge.errors import DecodeError, JournalError
from bridge.kis import markets
from bridge.kis import orders as kis
from bridge.kis.listing import ListedOrder
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Control, Identity, Journal
from bridge.orders.model.blotter import Blotter, ManagedOrder, day_start, restore
from bridge.orders.model.command import CancelAll, CommandError, parse
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import MessageSink, Publisher
from bridge.orders.reconciliation.accounts import Accounts
from bridge.orders.reconciliation.executions import execution
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.risk.checks import Refusal
from bridge.orders.risk.halts import Halts, Mode
from bridge.orders.risk.reference_data import ReferenceData
from bridge.orders.risk.rules import RestApi, Rules, TradingAccount
from bridge.orders.routing.mass_cancel import MassCancel, overtakes
from bridge.orders.routing.sequencer import Sequencer, leave
from bridge.orders.routing.submitter import Submitter
from bridge.runtime.turns import News, Turn

__all__ = ["Gateway", "MessageSink", "RestApi", "Rules", "TradingAccount"]

log = structlog.get_logger()

_LATE_JOURNAL = Refusal("expired", "the bridge could not write its journal in time")
_LONGEST_CLIENT = 128
_UNANSWERED = 1_000
"""Characters of a name from which on the topic of an answer may be none."""
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
        sink: MessageSink,
        topics: Topics,
        accounts: Mapping[str, TradingAccount],
        rules: Rules,
        reference_price: Callable[[str, str, str], Decimal | None] = _no_price,
        trades: order_hours.TradingDays = _weekdays,
        clock: Callable[[], int] = _now,
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._publisher = Publisher(sink, topics, rules.response_prefixes)
        self._topics = topics
        self._accounts = accounts
        self._aliases = {
            account.number.get_secret_value().replace("-", ""): alias
            for alias, account in accounts.items()
        }
        self._rules = rules
        self._clock = clock
        self._order_types = {
            alias: _offered(catalog, account, rules) for alias, account in accounts.items()
        }
        self._halts = Halts()
        self._halting = asyncio.Lock()
        self._halted_at: dict[tuple[str, str], int] = {}
        self._settled = News()
        self._blotter = Blotter()
        self._outbox = Outbox(
            self._blotter, journal, self._publisher, clock=clock, pause_s=rules.pause_s
        )
        self._holdings = Accounts(
            catalog=catalog,
            accounts=accounts,
            rules=rules,
            blotter=self._blotter,
            publisher=self._publisher,
            clock=clock,
        )
        self._outbox.on_fill = self._holdings.filled
        self._reconciler = Reconciler(
            catalog=catalog,
            accounts=accounts,
            rules=rules,
            blotter=self._blotter,
            outbox=self._outbox,
            publisher=self._publisher,
            clock=clock,
            on_round=self._release,
            on_list=self._listed,
        )
        self._holdings.after_fills = self._reconciler.wake
        self._submitter = Submitter(
            catalog=catalog,
            accounts=accounts,
            rules=rules,
            blotter=self._blotter,
            outbox=self._outbox,
            publisher=self._publisher,
            reference_data=ReferenceData(
                catalog, paper=rules.paper, last_price=reference_price, clock=clock
            ),
            holdings=self._holdings,
            reconciler=self._reconciler,
            halts=self._halts,
            order_types=self._order_types,
            trades=trades,
            clock=clock,
            on_answer=self._release,
            news=self._settled,
        )
        self._sequencer = Sequencer(self._blotter, self._submitter, clock)
        self._carried: dict[ManagedOrder, asyncio.Event] = {}
        """What a task has in hand, and what happens when it is through."""
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._notices: asyncio.Queue[tuple[str, kis.ExecutionNotice, int]] = asyncio.Queue()
        self._running: dict[asyncio.Task[None], Identity] = {}
        self._arrived: dict[Identity, int] = {}
        """When what is not in the journal yet came first."""
        self._admitting: dict[ManagedOrder, asyncio.Event] = {}
        """What is not in the journal yet, and what happens when that is decided."""
        self._telling: list[asyncio.Task[None]] = []
        self._latest = self._latest_halt = 0
        self._mass_cancel = MassCancel(
            self._blotter,
            journal,
            self._outbox,
            self._publisher,
            self._submitter,
            self._take_up,
            self._sequencer.called_off,
            self._settled,
        )
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
                    self._tasks.create_task(self._outbox.run()),
                    self._tasks.create_task(self._publisher.run()),
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
                for task in (*others, *self._telling, *self._running):
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
                await self._outbox.flush()
                await self._publisher.drain()
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
        return self._blotter.states()

    def gap(self, account: str) -> None:
        """Take no new orders for an account until the exchange was asked what was missed.

        For when its execution notices come again after an interruption.
        """
        self._reconciler.gap(account)

    async def resolve(self, identity: Identity, *, order_no: str, by: str) -> ManagedOrder:
        """Settle what is unknown as a person says; raises :class:`RequestError`."""
        await self._ready.wait()
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
        asked_at: int | None = None,
    ) -> int:
        """Halt (or, with a blank mode, release) everybody, an account or a client, for good.

        It holds from this moment and is in the journal when this returns, also after a restart.
        ``asked_at`` is when it came (µs since the epoch): a resumption takes back no later halt.
        Returns how many open orders are being cancelled. Raises :class:`JournalError`; it holds
        then until the restart.
        """
        await self._ready.wait()
        asked_at = self._clock() if asked_at is None else asked_at
        circle = (account, client)
        if mode:
            self._halts.say(*circle, mode)  # from now on, whatever the journal does
            self._halted_at[circle] = max(asked_at, self._halted_at.get(circle, 0))
            self._settled.tell()
        async with self._halting:
            if not mode and asked_at < self._halted_at.get(circle, 0):
                return 0  # it came before a halt that holds
            return await self._halt(mode, account, client, reason, cancel_all=cancel_all)

    async def _halt(
        self, mode: Mode, account: str, client: str, reason: str, *, cancel_all: bool
    ) -> int:
        now = self._latest_halt = max(self._latest_halt + 1, self._clock())
        self._halts.say(account, client, mode)
        self._settled.tell()
        self._publisher.post(
            lambda: self._publisher.halted(
                "halted" if mode else "resumed",
                now,
                account=account or None,
                client=client or None,
                mode=mode or None,
                reason=reason,
            )
        )
        control = Control(now, account, client, mode, reason)
        if not cancel_all or self._stopping.is_set():
            await self._journal.control(control)
            if cancel_all:
                raise JournalError("the bridge stops: nothing is cancelled, ask again")
            return 0
        cancellations = await self._mass_cancel.halt(control)
        if cancellations and not self._stopping.is_set():
            self._tell_halted(control)
        return len(cancellations)

    def _tell_halted(self, control: Control) -> None:
        self._telling.append(self._tasks.create_task(self._mass_cancel.tell_halted(control)))

    # commands

    async def command(self, message: Message) -> None:
        """Take a message of ``command/{verb}``; returns when it has its place in the line."""
        await self._ready.wait()
        if self._stopping.is_set():
            return  # without PUBACK: the broker delivers it again
        try:
            account, client, verb = self._topics.parse_command(message.topic)
        except ValueError:
            log.warning("not a command topic", topic=message.topic[:200])
            message.ack()
            return
        if max(len(account), len(client)) > _UNANSWERED:
            log.warning("command from a name that is too long", client=client[:32])
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
        identity = Identity(account, client, *name)
        # Later than what came before it, whatever the clock says, and not later than itself.
        if identity not in self._arrived:
            self._latest = max(self._latest + 1, message.received_at)
            self._arrived[identity] = self._latest
        managed = ManagedOrder.received(
            identity, verb, command, self._arrived[identity], expires_at
        )
        self._start(managed, source)

    def _at_the_door(self, source: _Source) -> Refusal | None:
        if source.message.retain:
            return Refusal("retained_command", "publish commands without the retain flag")
        if source.account not in self._accounts:
            return Refusal("unknown_account", "the configuration has no such account")
        if len(source.client) > _LONGEST_CLIENT:
            return Refusal("not_permitted", "the client's name is too long")
        if not source.client.isprintable() or source.client != source.client.strip():
            # Databases differ in whether they take these names, and tell them from others.
            return Refusal("not_permitted", "the client's name has blanks around it or controls")
        return None

    def _start(self, managed: ManagedOrder, source: _Source | None) -> asyncio.Task[None]:
        """Give a command its place in the line."""
        turns = self._sequencer.stand(managed)
        name = f"{managed.verb} {'/'.join(managed.identity)}"
        task = self._tasks.create_task(self._take(managed, source, turns), name=name)
        self._running[task] = managed.identity
        task.add_done_callback(self._running.pop)
        return task

    async def _take(self, managed: ManagedOrder, source: _Source | None, turns: list[Turn]) -> None:
        """Write a command down, acknowledge it to the broker, and bring it to its answer."""
        line = managed.identity[:2]
        # What cancels is let in long after what adds.
        most = self._rules.waiting * (1 if managed.verb in ("place", "modify") else 4)
        full = source is not None and self._waiting[line] >= most
        self._waiting[line] += source is not None
        new = source is None  # what a restart found comes without a message
        digest = managed.digest
        try:
            if source is not None:
                found = await self._admit_in_turn(managed, full=full)
                if found is None:
                    refusal = Refusal("expired", "it expired before it could be written down")
                    await self._turn_away(source, managed.identity[2:], refusal)
                    return
                managed, new = found
                source.message.ack()
                if managed.digest != digest:
                    refusal = Refusal("duplicate_conflict", "that name stands for another content")
                    await self._turn_away(source, managed.identity[2:], refusal)
                    return
            message = source.message if source else None
            if managed.progress.answer is not None:
                await self._submitter.repeat(managed, message, duplicate=not new)
            elif (over := self._carried.get(managed)) is not None:  # another task has it in hand
                leave(turns)
                if not full:
                    await over.wait()
                    if managed.progress.answer is not None:
                        await self._submitter.repeat(managed, message, duplicate=True)
            else:
                over = self._carried[managed] = asyncio.Event()
                try:
                    await self._carry_out(managed, message, turns)
                finally:
                    del self._carried[managed]
                    over.set()
        finally:
            leave(turns)
            self._waiting[line] -= source is not None
            if not self._waiting[line]:
                del self._waiting[line]

    async def _carry_out(
        self, managed: ManagedOrder, message: Message | None, turns: list[Turn]
    ) -> None:
        """Bring a command to its answer; one task does it, however often it was delivered."""
        await self._sequencer.come(managed, turns)
        while self._mass_cancel.waits(managed):
            leave(turns)
            await self._settled.wait((managed.expires_at - self._clock()) / 1_000_000)
            turns[:] = self._sequencer.stand(managed)
            await self._sequencer.come(managed, turns)
        if managed.verb == "modify":
            turns += await self._sequencer.change(managed)
        if managed.progress.answer is not None:  # it was called off meanwhile
            await self._submitter.repeat(managed, message)
        elif managed.verb == "cancel_all":
            await self._mass_cancel.command(managed, message)
        elif managed.progress.state is State.RECEIVED:
            await self._submitter.execute(managed, message)

    def _take_up(self, managed: ManagedOrder) -> None:
        """Give a command from the journal its place in the line."""
        if not self._stopping.is_set():
            self._start(managed, None)

    async def _admit_in_turn(
        self, managed: ManagedOrder, *, full: bool
    ) -> tuple[ManagedOrder, bool] | None:
        if managed.verb == "cancel_all":
            for one, decided in list(self._admitting.items()):
                if one.identity[:2] == managed.identity[:2]:
                    await decided.wait()
        self._admitting[managed] = asyncio.Event()
        try:
            return await self._admit(managed, full=full)
        finally:
            self._admitting.pop(managed).set()
            self._arrived.pop(managed.identity, None)

    async def _admit(
        self, managed: ManagedOrder, *, full: bool
    ) -> tuple[ManagedOrder, bool] | None:
        """Return the command of that name in the journal, and whether it is this one.

        None: there is none, and this one has expired.
        """
        while True:
            try:
                if self._clock() >= managed.expires_at:
                    found, new = await self._journal.find(managed.identity), False
                else:
                    steps: list[tuple[Step, State]] = []
                    if full:
                        text = f"{self._rules.waiting} commands are under way; slow down"
                        refuse = self._submitter.refusing(Refusal("overloaded", text))
                        steps.append((refuse, State.REFUSED))
                    found, new = await self._journal.admit(managed.record(), *steps)
            except JournalError as error:
                log.warning("command not written down, trying again", cause=str(error))
                await asyncio.sleep(self._rules.pause_s)
                continue
            if found is None:
                return None
            known = self._blotter.get(managed.identity)
            if known is None:
                known = managed.admitted(found) if new else restore(found)
                self._blotter.add(known)
            return known, new

    async def _turn_away(self, source: _Source, name: Sequence[str], refusal: Refusal) -> None:
        """Refuse what is not to be in the journal."""
        step = self._submitter.refusing(refusal)
        self._publisher.post(
            lambda: self._publisher.refuse(
                *(source.account, source.client, source.verb, (name[0], name[1])),
                step,
                source.message,
            )
        )
        source.message.ack()

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
            order = self._blotter.match(alias, notice, at)
            if order is not None:
                self._notice_of(order, notice, at)
            elif self._blotter.hold(alias, notice, at):
                if self._blotter.unsettled(alias, State.UNKNOWN):
                    self._reconciler.wake(alias, notice.market)
            else:
                self._reconciler.elsewhere(alias, notice)
                self._elsewhere(alias, notice, at)

    def _notice_of(self, order: ManagedOrder, notice: kis.ExecutionNotice, at: int) -> None:
        account = order.identity.account
        step = execution(order.progress, notice, at)
        self._outbox.happen(order, step)
        if notice.kind == "modified" and order.progress.split:
            order.parts = None
            self._reconciler.wake(account)
        unsure = notice.kind == "fill" and (step is None or step.event is Event.NOTE)
        if (unsure and order.progress.remaining) or self._blotter.changes(order):
            # The same notice again, or another fill just like it: the list has to say.
            self._reconciler.wake(account)

    def _elsewhere(self, alias: str, notice: kis.ExecutionNotice, at: int) -> None:
        self._outbox.afterwards(lambda: self._publisher.external(alias, notice, at))

    def _release(self) -> None:
        self._settled.tell()
        for item in self._blotter.release():
            self._notices.put_nowait(item)

    def _listed(self, alias: str, rows: Sequence[ListedOrder]) -> None:
        self._holdings.listed(alias, rows)

    # the journal

    async def _recover(self) -> None:
        """Take up what the journal left open; raises :class:`JournalError`."""
        now = self._clock()
        controls = await self._journal.controls()
        for control in controls:
            self._halts.take(control)
        open_ends: list[ManagedOrder] = []
        # From the last day on which something happened: its states are still to be cleared.
        since = min(day_start(now), day_start(await self._journal.latest()))
        for record in await self._journal.replay(since):
            managed = restore(record)
            self._blotter.add(managed)
            if managed.progress.answer is None:
                open_ends.append(managed)
        self._blotter.recount(now)
        self._latest = max((managed.received_at for managed in self._blotter), default=0)
        for managed in self._blotter:
            progress = managed.progress
            if managed.verb == "place" and progress.submitted_at is not None:
                self._publisher.post(self._outbox.state(managed))
            if progress.answer is not None:  # nobody knows which acks left: they wait in memory
                self._submitter.acknowledge(managed, None, duplicate=True)
        for every in (one for one in open_ends if isinstance(one.command, CancelAll)):
            for one in open_ends:
                one.overtaken = one.overtaken or overtakes(self._blotter, every, one)
        for managed in sorted(open_ends, key=lambda one: one.verb == "cancel_all"):
            if managed.progress.submitted_at is None or managed.verb == "cancel_all":
                self._start(managed, None)
            else:
                text = "the bridge stopped before KIS's answer was written down"
                await self._submitter.answer(managed, Step(Event.LOSE, now, message=text), None)
        for control in controls:
            if any(not one.progress.answer for one in self._mass_cancel.of_halt(control)):
                self._tell_halted(control)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a command came from."""

    account: str
    client: str
    verb: str
    message: Message


def _offered(catalog: Catalog, account: TradingAccount, rules: Rules) -> markets.OrderTypes:
    """Return the order types of the places where an account trades."""
    traded = account.markets(rules.markets)
    types = markets.order_types(catalog, paper=rules.paper)
    return {place: known for place, known in types.items() if place[0] in traded}
