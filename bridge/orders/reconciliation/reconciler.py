"""The exchange's own list against the journal: what was missed, what was lost, what is not ours.

One task an account asks KIS for all orders of the day, all pages: at the start and after the
notices were interrupted, before new orders are taken; every second while a command has no answer;
after what notices leave open; and every ``reconcile_s``.

A notice never settles a lost command by itself, because it names no command; it makes the list be
asked for at once, and counts against ``absent`` while the list does not have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import structlog

from bridge.errors import BridgeError
from bridge.kis.executions import ExecutionNotice
from bridge.kis.listing import ListedOrder
from bridge.kis.markets import told_of_fills
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Place
from bridge.orders.model.held_notices import HeldNotices
from bridge.orders.model.lifecycle import OPEN, Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.reconciliation.differences import Differences
from bridge.orders.reconciliation.order_lists import OrderLists
from bridge.orders.reconciliation.proof import ProofWindow
from bridge.orders.reconciliation.settlement import Settlement
from bridge.orders.reconciliation.sightings import Sightings
from bridge.orders.risk.ledger import LimitLedger
from bridge.orders.risk.rules import Terms
from bridge.runtime.backoff import Backoff
from bridge.runtime.clock import seoul_day_start

__all__ = ["Reconciler"]

log = structlog.get_logger()

_LONGEST_PAUSE_S = 30.0
"""Between attempts at a list that cannot be read. The account takes no orders meanwhile, so that a
longer pause would be felt after KIS has recovered."""


@dataclass(slots=True)
class _Watch:
    """What is known about one account's list."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    complete: set[str] = field(default_factory=set)
    """Markets of which no notice can have been missed that the list has not made up for."""
    problems: dict[str, str] = field(default_factory=dict)
    """Why the list of a market could not be read."""
    gaps: int = 0
    markets: set[str] = field(default_factory=set)
    rows: Mapping[str, Sequence[ListedOrder]] = field(default_factory=dict)


class Reconciler:
    """Settles what has no answer; ``on_round`` is called after each round.

    ``on_list(account, rows)`` gets what the exchange has.
    """

    def __init__(
        self,
        terms: Terms,
        blotter: Blotter,
        ledger: LimitLedger,
        held: HeldNotices,
        sightings: Sightings,
        outbox: Outbox,
        publisher: Publisher,
        *,
        on_round: Callable[[], None],
        on_list: Callable[[str, Sequence[ListedOrder]], None],
    ) -> None:
        self._rules, self._clock, self._calendar = terms.rules, terms.clock, terms.calendar
        self._clock_problem = terms.clock_problem
        self._blotter = blotter
        self._outbox = outbox
        self._publisher = publisher
        self._on_round = on_round
        self._on_list = on_list
        self._proof = int(terms.rules.proof_s * 1_000_000)
        self._lists = OrderLists(terms, blotter)
        self._differences = Differences(blotter, publisher, clock=terms.clock, proof=self._proof)
        self._settlement = Settlement(
            blotter,
            ledger,
            held,
            outbox,
            self._differences,
            sightings,
            terms.accounts,
            clock=terms.clock,
        )
        self._watches = {
            alias: _Watch(markets=set(account.markets(terms.rules.markets)))
            for alias, account in terms.accounts.items()
        }

    async def run(self) -> None:
        """Watch every account, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for alias, watch in self._watches.items():
                tasks.create_task(self._watch(alias, watch))

    def wake(self, alias: str, market: str = "") -> None:
        """Ask for the list now."""
        watch = self._watches.get(alias)
        if watch is None:  # of an account that is configured no more
            return
        if market:
            watch.markets.add(market)
        watch.wake.set()

    def gap(self, alias: str) -> None:
        """Take no new orders for an account until the list has made up for missed notices."""
        watch = self._watches[alias]
        watch.gaps += 1
        watch.complete.clear()
        watch.wake.set()

    def complete(self, alias: str, market: str) -> bool:
        """Tell whether an account may be traded: the list has made up for missed notices."""
        watch = self._watches.get(alias)  # none: of an account that is configured no more
        return watch is None or market in watch.complete

    def missing(self, alias: str) -> str:
        """Say why lists of an account could not be read, for people; blank: they were."""
        watch = self._watches.get(alias)
        problems = "; ".join(sorted(set(watch.problems.values()))) if watch else ""
        return problems and f"the list of orders could not be read ({problems})"

    def elsewhere(self, alias: str, notice: ExecutionNotice) -> None:
        """Remember that a notice of an order placed elsewhere was told."""
        self._differences.elsewhere(alias, notice)

    async def resolve(self, identity: Identity, *, order_no: str, by: str) -> ManagedOrder:
        """Settle a command as a person says: under ``order_no``, or, blank, never placed.

        Raises :class:`RequestError`.
        """
        managed = self._settlement.resolve(identity, order_no=order_no, by=by)
        await self._outbox.flush()
        self._on_round()
        self.wake(identity.account)
        return managed

    # asking

    async def _watch(self, alias: str, watch: _Watch) -> None:
        failures = 0
        while True:
            # Cleared and noted before the question: what happens while KIS is answering may not be
            # in its answer, and needs another round.
            watch.wake.clear()
            gaps, asked = watch.gaps, self._clock()
            for market in sorted(watch.markets | self._blotter.markets(alias)):
                try:
                    listed = await self._lists.read(alias, market)
                    # ``asked`` is KIS's time (:class:`Terms`). While this machine's clock is far
                    # from it, one of the two is wrong, and nobody knows since when. And a question
                    # of the future was asked before KIS told the time.
                    trusted = not self._clock_problem() and asked <= self._clock()
                    window = ProofWindow(asked, self._proof, trusted)
                    self._settlement.settle(alias, market, listed, window)
                    if trusted:
                        self._end_day(alias, market, asked)
                except BridgeError as error:
                    log.warning("list of orders not read", account=alias, cause=str(error))
                    watch.problems[market] = str(error)
                    continue
                watch.rows = {**watch.rows, market: listed.rows}
                watch.problems.pop(market, None)
                # What the list told is on disk before orders are taken that were checked with it.
                await self._outbox.flush()
                if gaps == watch.gaps:
                    watch.complete.add(market)
                self._on_round()
            # One market that KIS refuses must not slow down the lists of those that it answers.
            failures = failures + 1 if watch.problems and not watch.complete else 0
            if watch.rows:
                self._on_list(alias, list(chain.from_iterable(watch.rows.values())))
            await self._pause(alias, watch, failures)

    async def _pause(self, alias: str, watch: _Watch, failures: int) -> None:
        pause = self._rules.reconcile_s
        if failures:
            pause = Backoff(self._rules.unknown_s, _LONGEST_PAUSE_S).pause(failures)
        elif any(
            self._differences.open_end(managed)
            for managed in self._blotter.unsettled(alias, State.UNKNOWN)
        ):
            pause = self._rules.unknown_s
        elif self._unheard(alias):
            pause = min(pause, self._rules.unheard_s)
        try:
            async with asyncio.timeout(pause):
                await watch.wake.wait()
        except TimeoutError:
            return
        if failures:  # what asks must not make KIS be asked faster
            await asyncio.sleep(self._rules.pause_s)

    def _unheard(self, alias: str) -> bool:
        """Tell whether an order is open that only the list tells more of."""
        commands = (order.command for order in self._blotter.working(alias))
        return any(isinstance(one, Place) and not told_of_fills(one.market) for one in commands)

    # the end of a day

    def _end_day(self, alias: str, market: str, asked: int) -> None:
        """Expire what no market fills any more, and forget what is over."""
        over = []
        for order in list(self._blotter):
            if order.identity.account != alias or order.verb != "place":
                continue
            place, at = order.command, order.progress.submitted_at or order.received_at
            if not isinstance(place, Place) or place.market != market:
                continue
            if asked < self._calendar.over(place.place, at):
                continue
            if order.progress.state in OPEN:
                self._outbox.happen(order, Step(Event.EXPIRE, self._clock()))
            open_end = order.progress.state is State.UNKNOWN or order.progress.answer is None
            if not open_end and not self._blotter.changing(order):
                over.append(order)
        for order in over:
            if order.progress.submitted_at is not None:
                self._clear(order)
        if over:
            self._blotter.drop(over, seoul_day_start(asked))

    def _clear(self, order: ManagedOrder) -> None:
        self._outbox.afterwards(lambda: self._publisher.clear_state(order))
