"""A command's way from MQTT to KIS and back: the shell around :mod:`bridge.orders.routing.line`.

What holds, whatever fails: a command is acknowledged to the broker when it is in the journal; it
is handed to the REST client after the journal says ``submitting``; what has no usable answer is
``unknown``, is never sent again, and fences its symbol until the exchange's own list settles it.

While the journal cannot be written nothing is sent that could do something twice: whole
cancellations go, everything else is refused, but only when nothing of it can be in the journal.
Otherwise it waits until it expires, because a refusal that is not on disk could be followed by an
execution after a restart. What KIS answered is told at once and written as soon as possible.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from typing import Any, Protocol

import structlog

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.mqtt.event_payloads import HaltScope
from bridge.mqtt.message import Message
from bridge.mqtt.payloads import HaltRow, JournalReport, OwnerReport
from bridge.mqtt.topics import Topics
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.journal import Journal
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.orders.recovery import recover
from bridge.orders.risk.halts import HaltOutcome, Mode
from bridge.orders.risk.rules import RestApi, Rules, Terms, TradingAccount
from bridge.orders.risk.title import Title
from bridge.orders.wiring import Sink, wire
from bridge.runtime.clock import now_us

__all__ = ["Gateway", "RestApi", "Rules", "Sink", "TradingAccount"]

log = structlog.get_logger()

_DRAIN_S = 2.0
"""What a dead disk or broker may cost at a stop. Nothing is lost by giving up: commands without an
answer are settled by the restart, and acks and states are published again."""


class _Runs(Protocol):
    async def run(self) -> None: ...


class Gateway:
    """Takes commands and execution notices, keeps the journal, says what came of them.

    ``accounts`` by alias; ``reference_price(market, venue, symbol)`` is the last trade's price;
    ``calendar`` tells when which market takes orders, by default as the workbook says; ``clock``
    gives KIS's time in µs since the epoch, ``clock_problem`` why it may not be trusted, blank: it
    may; ``title`` says whether this bridge may send, by default always. The journal is open before
    :meth:`run` and closed after.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        journal: Journal,
        sink: Sink,
        topics: Topics,
        accounts: Mapping[str, TradingAccount],
        rules: Rules,
        reference_price: Callable[[str, str, str], Decimal | None] = lambda *_: None,
        calendar: Calendar | None = None,
        clock: Callable[[], int] = now_us,
        clock_problem: Callable[[], str] = lambda: "",
        title: Title | None = None,
    ) -> None:
        self._ready, self._stopping, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        hours = calendar or Calendar(catalog.hours)
        self._terms = Terms.of(catalog, accounts, rules, hours, clock, clock_problem)
        self._title = title or Title.alone()
        self._parts = wire(
            *(self._terms, journal, sink, topics, reference_price),
            *(self._start, self._stopping, self._title),
        )
        self._running: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Bring the journal's open ends to an end, then serve until :meth:`stop`."""
        parts = self._parts
        try:
            # What writes and publishes starts first and ends last: recovery has something to write
            # before any command is taken, and so have the last commands after none is any more.
            async with asyncio.TaskGroup() as self._tasks:
                writing = self._run_all(parts.outbox, parts.publisher)
                await recover(parts)
                serving = self._run_all(
                    parts.notices, parts.reconciler, parts.holdings, parts.halt_control
                )
                self._ready.set()
                await self._stopping.wait()
                # An answer that is not waited for now is one that a restart has to search for in
                # the exchange's list, with the symbol fenced until it is found.
                if self._running:
                    await asyncio.wait(self._running, timeout=self._terms.rules.grace_s)
                if self._running:
                    log.warning("commands left in flight", count=len(self._running))
                for task in (*serving, *self._running):
                    task.cancel()
                await self._finish_writing()
                for task in writing:
                    task.cancel()
        finally:
            self._stopping.set()
            self._ended.set()

    def _run_all(self, *parts: _Runs) -> list[asyncio.Task[None]]:
        return [self._tasks.create_task(part.run()) for part in parts]

    async def _finish_writing(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._parts.outbox.flush()
                await self._parts.publisher.drain()
        except TimeoutError:
            log.warning("not everything is written and told")

    async def stop(self) -> None:
        """Take no more commands; return when those in flight are finished or given up."""
        self._stopping.set()
        self._title.wake()
        await self._ended.wait()

    async def ready(self) -> None:
        """Return when commands are taken."""
        await self._ready.wait()

    # commands

    def take(self, message: Message) -> bool:
        """Give a message of ``command/{verb}`` its place in the line; False: not yet."""
        # Until recovery is through nobody knows whether this command was taken already. Nor whether
        # another bridge sends: what is not acknowledged is delivered to whoever does.
        now = self._ready.is_set() and self._title.held and not self._stopping.is_set()
        if now:
            self._parts.line.take(message)
        return now

    async def command(self, message: Message) -> None:
        """Give a message its place in the line; at a stop, leave it to the broker, which has it."""
        await self._ready.wait()
        while not (self.take(message) or self._stopping.is_set()):
            await self._title.changed()

    def _start(self, managed: ManagedOrder, work: Coroutine[Any, Any, None]) -> None:
        name = f"{managed.verb} {'/'.join(managed.identity)}"
        task = self._tasks.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    # what else the bridge asks of it

    def notice(
        self, values: Mapping[str, str], received_at: int, market: str = "domestic_stock"
    ) -> None:
        """Take an execution notice: its raw values by English path, when it came in µs."""
        # While another bridge trades nobody takes them; its lists are read before this one does.
        if self._ready.is_set():
            self._parts.notices.take(values, received_at, market)

    def gap(self, account: str) -> None:
        """Take no new orders for an account until the exchange was asked what was missed.

        For when its execution notices come again after an interruption.
        """
        self._parts.reconciler.gap(account)

    def states(self) -> Mapping[str, int]:
        """Count today's orders by state."""
        return self._parts.blotter.states()

    def refused(self) -> Mapping[str, int]:
        """Count the commands that were refused since the start, by reason."""
        return self._parts.publisher.refused

    def open_symbols(self) -> set[tuple[str, str, str]]:
        """Return market, venue and symbol of every order that is or may be open."""
        return self._parts.blotter.open_symbols()

    async def resolve(self, identity: Identity, *, order_no: str, by: str) -> ManagedOrder:
        """Settle what is unknown as a person says; raises :class:`RequestError`."""
        await self._ready.wait()
        return await self._parts.reconciler.resolve(identity, order_no=order_no, by=by)

    async def adopt(self) -> Mark:
        """Go on with a journal that lacks orders, see :meth:`Adoption.adopt`."""
        await self._ready.wait()
        return await self._parts.adoption.adopt()

    @property
    def halted(self) -> bool:
        """Whether anybody may not trade freely."""
        return bool(self._parts.halts)

    def halts(self) -> list[HaltRow]:
        """Return who may not trade freely."""
        return self._parts.halts.listing()

    def mode(self, account: str, client: str) -> Mode:
        """Return the mode that holds for an account and client; blank: all of them."""
        return self._parts.halts.of(account, client)[0]

    def journal(self) -> JournalReport:
        """Return whether the journal can be relied on."""
        return self._parts.journal.standing.report()

    def owner(self) -> OwnerReport:
        """Return whether this bridge sends orders, or why not."""
        return {"mine": self._title.held, "reason": self._title.problem() or None}

    def trading(self) -> list[object]:
        """Return who may not trade freely, and what else keeps orders back."""
        return [*self.halts(), self.journal(), self.owner()]

    async def clients(self) -> frozenset[str]:
        """Return who has ever sent a command; raises :class:`JournalError`."""
        return await self._parts.journal.clients()

    async def halt(
        self,
        mode: Mode,
        *,
        account: str = "",
        client: str = "",
        reason: str = "",
        cancel_all: bool = False,
        scope: HaltScope = "ours",
        asked_at: int | None = None,
    ) -> HaltOutcome:
        """Halt or release, see :meth:`HaltControl.halt`."""
        await self._ready.wait()
        return await self._parts.halt_control.halt(
            mode,
            account=account,
            client=client,
            reason=reason,
            cancel_all=cancel_all,
            scope=scope,
            asked_at=asked_at,
        )
