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
from datetime import date
from itertools import chain

import structlog

from bridge.calendar import order_hours
from bridge.catalog.model import Catalog
from bridge.errors import BridgeError, RequestError
from bridge.kis import listing
from bridge.kis.listing import ListedOrder, plain
from bridge.kis.orders import ExecutionNotice
from bridge.kis.replies import KisUnknownError
from bridge.kis.throttle import Priority
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Modify, Place
from bridge.orders.model.days import day_start, trading_day
from bridge.orders.model.held_notices import HeldNotices
from bridge.orders.model.lifecycle import OPEN, Event, LifecycleError, State, Step
from bridge.orders.model.managed_order import ManagedOrder, lives
from bridge.orders.model.records import Identity
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.reconciliation.matching import (
    ProofWindow,
    find_change,
    find_order,
    listed_steps,
    parts,
)
from bridge.orders.risk.ledger import LimitLedger
from bridge.orders.risk.rules import Rules, TradingAccount

__all__ = ["Reconciler"]

log = structlog.get_logger()

_PAGES = 1_000
_PAGE_S = 30.0
"""How long a page may take: on paper KIS answers one call a second, and orders go first."""
_LONGEST_PAUSE_S = 30.0


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
    day: date = date.min
    elsewhere: dict[tuple[str, str], int] = field(default_factory=dict)
    """Orders placed elsewhere that day, by market and number: how much was told to be filled."""
    told: set[tuple[int, str]] = field(default_factory=set)
    """Differences that were told."""
    rows: Mapping[str, Sequence[ListedOrder]] = field(default_factory=dict)


class Reconciler:
    """Settles what has no answer; ``on_settled`` is called after each round.

    ``on_list(account, rows)`` gets what the exchange has.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        accounts: Mapping[str, TradingAccount],
        rules: Rules,
        blotter: Blotter,
        ledger: LimitLedger,
        held: HeldNotices,
        outbox: Outbox,
        publisher: Publisher,
        clock: Callable[[], int],
        on_round: Callable[[], None],
        on_list: Callable[[str, Sequence[ListedOrder]], None],
    ) -> None:
        self._catalog = catalog
        self._accounts = accounts
        self._rules = rules
        self._blotter = blotter
        self._ledger = ledger
        self._held = held
        self._outbox = outbox
        self._publisher = publisher
        self._clock = clock
        self._on_round = on_round
        self._on_list = on_list
        self._proof = int(rules.proof_s * 1_000_000)
        self._watches = {
            alias: _Watch(markets=set(account.markets(rules.markets)))
            for alias, account in accounts.items()
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
        told, key = self._told(alias), (notice.market, plain(notice.order_no))
        told[key] = told.get(key, 0) + (notice.quantity if notice.kind == "fill" else 0)

    def _told(self, alias: str) -> dict[tuple[str, str], int]:
        """Return what was told of orders placed elsewhere; KIS's numbers start again each day."""
        watch, today = self._watches[alias], trading_day(self._clock())
        if watch.day != today:
            watch.day = today
            watch.elsewhere.clear()
        return watch.elsewhere

    async def resolve(self, identity: Identity, *, order_no: str, by: str) -> ManagedOrder:
        """Settle a command as a person says: under ``order_no``, or, blank, never placed.

        Raises :class:`RequestError`.
        """
        managed = self._blotter.get(identity)
        if managed is None:
            raise RequestError("unknown_order", "there is no such command today")
        if managed.progress.state is not State.UNKNOWN:
            text = f"it is {managed.progress.state}, not unknown"
            raise RequestError("not_unknown", text)
        if order_no and self._taken(managed, order_no):
            raise RequestError("order_no_taken", f"{order_no} is another command's order_no")
        if order_no:
            self._accept(managed, order_no, "", f"resolved by {by}")
        else:
            self._absent(managed, f"resolved by {by}")
        await self._outbox.flush()
        self._on_round()
        self.wake(identity.account)
        return managed

    def _taken(self, managed: ManagedOrder, order_no: str) -> bool:
        about, account = self._blotter.order(managed.identity), managed.identity.account
        if about is None or not isinstance(about.command, Place):
            return False
        owner = self._blotter.meant(account, about.command.market, order_no, managed.since)
        if owner is about and managed is not about:  # the list may have told it
            return plain(order_no) in self._blotter.changed(about)
        return owner is not None

    # asking

    async def _watch(self, alias: str, watch: _Watch) -> None:
        failures = 0
        while True:
            watch.wake.clear()
            gaps, asked = watch.gaps, self._clock()
            for market in sorted(watch.markets | self._blotter.markets(alias)):
                try:
                    rows = await self._list(alias, market)
                    self._compare(alias, watch, market, rows, asked)
                except BridgeError as error:
                    log.warning("list of orders not read", account=alias, cause=str(error))
                    watch.problems[market] = str(error)
                    continue
                watch.rows = {**watch.rows, market: rows}
                watch.problems.pop(market, None)
                await self._outbox.flush()
                if gaps == watch.gaps:
                    watch.complete.add(market)
                self._on_round()
            failures = failures + 1 if watch.problems and not watch.complete else 0
            if watch.rows:
                self._on_list(alias, list(chain.from_iterable(watch.rows.values())))
            await self._pause(alias, watch, failures)

    async def _pause(self, alias: str, watch: _Watch, failures: int) -> None:
        pause = self._rules.reconcile_s
        if failures:
            pause = min(self._rules.unknown_s * 2 ** min(failures - 1, 16), _LONGEST_PAUSE_S)
        elif any(
            (managed.id, "unknown") not in watch.told
            for managed in self._blotter.unsettled(alias, State.UNKNOWN)
        ):
            pause = self._rules.unknown_s
        try:
            async with asyncio.timeout(pause):
                await watch.wake.wait()
        except TimeoutError:
            return
        if failures:  # what asks must not make KIS be asked faster
            await asyncio.sleep(self._rules.pause_s)

    async def _list(self, alias: str, market: str) -> list[ListedOrder]:
        """Return all pages; raises :class:`BridgeError` unless the list is complete."""
        nights = [False, True] if self._blotter.at_night(alias, market) else [False]
        rows = [row for night in nights for row in await self._pages(alias, market, night=night)]
        rows.sort(key=lambda row: row.at or 0)
        return list({row.key: row for row in rows}.values())

    async def _pages(self, alias: str, market: str, *, night: bool) -> list[ListedOrder]:
        account, today = self._accounts[alias], trading_day(self._clock())
        first = min([today, *self._blotter.days(alias, market)])
        call = listing.ask(
            self._catalog,
            market=market,
            account=account.number.get_secret_value(),
            first=first,
            last=today,
            paper=self._rules.paper,
            night=night,
        )
        rows: list[ListedOrder] = []
        more = False
        async for reply in account.rest.pages(
            call.api,
            call.params,
            variant=call.variant,
            priority=Priority.RECONCILE,
            page_s=_PAGE_S,
            limit=_PAGES,
        ):
            if not reply.ok:
                raise KisUnknownError(f"{call.api}: {reply.msg_cd} {reply.msg1}".strip())
            rows += listing.rows(self._catalog, call, reply.body, self._clock())
            more = reply.more
        if more:
            raise KisUnknownError(f"{call.api}: more than {_PAGES} pages")
        return rows

    # comparing

    def _compare(
        self, alias: str, watch: _Watch, market: str, rows: Sequence[ListedOrder], asked: int
    ) -> None:
        """Bring what the journal knows up to what the list says."""
        window = ProofWindow(asked, self._proof)
        self._settle_orders(alias, watch, market, rows, window)
        chains, strangers = self._chains(alias, market, rows)
        for order, own in chains.items():
            for change in self._blotter.changes(order):
                self._settle_change(watch, change, order, own, window)
            self._follow(order, own)
        for managed in self._blotter.unsettled(alias, State.UNKNOWN):
            about = self._blotter.order(managed.identity)
            if managed.verb != "place" and about is not None and about not in chains:
                self._settle_change(watch, managed, about, (), window)
            elif about is None and window.over(managed):  # its order's day is over
                self._tell_unknown(watch, managed, "open")
        self._differ(alias, watch, market, chains, window)
        self._tell_strangers(alias, strangers)
        self._end_day(alias, market, asked)

    def _follow(self, order: ManagedOrder, own: Sequence[ListedOrder]) -> None:
        changing = self._blotter.changing(order)
        try:
            for step in listed_steps(order.progress, own, self._clock(), changing=changing):
                if not self._outbox.happen(order, step):
                    return
        except LifecycleError as error:
            what = f"the exchange's list does not fit: {error}"
            log.warning("list does not fit the order", order=order.identity, cause=what)
        found = None if changing else parts(order.progress, own)
        if found is not None:
            self._blotter.divide(order, found)

    def _settle_orders(
        self,
        alias: str,
        watch: _Watch,
        market: str,
        rows: Sequence[ListedOrder],
        window: ProofWindow,
    ) -> None:
        owned = self._blotter.owned(alias, market, rows)
        lost = [t for t in self._blotter.unsettled(alias, State.UNKNOWN) if t.verb == "place"]
        found: dict[str, list[tuple[ManagedOrder, ListedOrder]]] = {}
        for order in lost:
            place = order.command
            if not isinstance(place, Place) or place.market != market:
                continue
            heard = self._held.heard(alias, place.symbol)
            verdict = find_order(order, place, rows, owned, heard, window)
            if isinstance(verdict, ListedOrder):
                found.setdefault(verdict.order_no, []).append((order, verdict))
            elif verdict == "absent":
                self._absent(order, "the exchange's complete list does not have it")
            elif window.over(order):
                self._tell_unknown(watch, order, verdict)
        for candidates in found.values():
            [(order, row), *others] = candidates
            # What is being sent right now may be what stands in the list.
            sending = any(
                self._blotter.symbol(other) == row.symbol and other.verb == "place"
                for other in self._blotter.unsettled(alias, State.SUBMITTING)
            )
            if not others and not sending:
                self._accept(order, row.order_no, row.org_no, "found in the exchange's list")
            elif others:
                for one, _ in candidates:
                    self._tell_unknown(watch, one, "ambiguous")

    def _settle_change(
        self,
        watch: _Watch,
        change: ManagedOrder,
        order: ManagedOrder,
        own: Sequence[ListedOrder],
        window: ProofWindow,
    ) -> None:
        verdict = find_change(change, own, self._blotter.changed(order), window)
        if isinstance(verdict, ListedOrder):
            self._accept(change, verdict.order_no, verdict.org_no, "found in the exchange's list")
            command = change.command
            if isinstance(command, Modify):
                step = Step(
                    Event.MODIFY,
                    self._clock(),
                    price=command.price,
                    order_no=verdict.order_no,
                    org_no=verdict.org_no,
                    order_type=command.order_type or order.progress.order_type,
                    condition_price=command.condition_price,
                    since=verdict.at or 0,
                )
                self._outbox.happen(order, step)
        elif verdict == "absent":
            self._absent(change, "the exchange's complete list does not have it")
        elif window.over(change):
            self._tell_unknown(watch, change, verdict)

    def _accept(self, managed: ManagedOrder, order_no: str, org_no: str, why: str) -> None:
        step = Step(Event.ACCEPT, self._clock(), order_no=order_no, org_no=org_no, message=why)
        self._settle(managed, step)

    def _absent(self, managed: ManagedOrder, why: str) -> None:
        self._settle(managed, Step(Event.PROVE_ABSENT, self._clock(), message=why))
        self._ledger.give_back(managed, sent=True)

    def _settle(self, managed: ManagedOrder, step: Step) -> None:
        log.info("settled", identity=managed.identity, what=step.event, why=step.message)
        if managed.verb == "place":
            self._outbox.happen(managed, step)
            return
        self._outbox.take(managed, step)
        order = self._blotter.order(managed.identity)
        if order is not None:
            said = f"{managed.verb} {managed.identity.command_id}: {step.message}"
            settle = Step(Event.SETTLE, step.at, order_no=step.order_no, message=said)
            self._outbox.happen(order, settle, managed)

    def _chains(
        self, alias: str, market: str, rows: Sequence[ListedOrder]
    ) -> tuple[dict[ManagedOrder, list[ListedOrder]], list[ListedOrder]]:
        """Return the rows of each of our orders, and the rows of nobody's."""
        chains: dict[ManagedOrder, list[ListedOrder]] = {}
        owned, now = self._blotter.owned(alias, market, rows), self._clock()
        changed: dict[str, ManagedOrder] = {}
        """Our orders by the numbers of changes that were asked for elsewhere."""
        strangers = []
        for row in rows:  # oldest first: a change follows what it changes
            owner = owned.get(row.key)
            if owner is None and row.original_order_no:
                owner = self._blotter.meant(alias, market, row.original_order_no, row.at or now)
                other = changed.get(plain(row.original_order_no))
                if owner is None and other is not None and lives(other, row.at or now):
                    owner = other
            if owner is None:
                strangers.append(row)
            else:
                changed[plain(row.order_no)] = owner
                chains.setdefault(owner, []).append(row)
        return chains, strangers

    # telling

    def _tell_unknown(self, watch: _Watch, managed: ManagedOrder, verdict: str) -> None:
        """Tell, once, that only a person can settle it."""
        if (managed.id, "unknown") in watch.told:
            return
        watch.told.add((managed.id, "unknown"))
        now, why = self._clock(), "several orders of the exchange's list may be it"
        if verdict == "open":
            why = "the exchange's list does not have it, which proves nothing here"
        self._publisher.post(lambda: self._publisher.unknown(managed, now, f"{why}: resolve it"))

    def _differ(
        self,
        alias: str,
        watch: _Watch,
        market: str,
        chains: Mapping[ManagedOrder, Sequence[ListedOrder]],
        window: ProofWindow,
    ) -> None:
        """Tell, once, what the exchange has otherwise and the journal cannot follow."""
        for order in self._blotter:
            progress = order.progress
            if order.verb != "place" or order.identity.account != alias or not progress.legs:
                continue
            if not isinstance(order.command, Place) or order.command.market != market:
                continue
            if progress.at > window.asked - self._proof:
                continue  # the list may still lag behind
            own = [row for row in chains.get(order, ()) if row.action != "cancel"]
            filled = sum(row.filled for row in own)
            if progress.state in OPEN and not own:
                what = "the exchange's list does not have it"
            elif own and filled < progress.filled:
                what = f"{progress.filled} are filled, {filled} in the exchange's list"
            else:
                continue
            if (order.id, what) not in watch.told:
                watch.told.add((order.id, what))
                self._tell_difference(order, what)

    def _tell_difference(self, order: ManagedOrder, what: str) -> None:
        account, client, client_order_id, _ = order.identity
        now = self._clock()
        self._publisher.post(
            lambda: self._publisher.difference(
                "order_difference",
                now,
                account=account,
                client=client,
                client_order_id=client_order_id,
                message=what,
            )
        )

    def _tell_strangers(self, alias: str, strangers: Sequence[ListedOrder]) -> None:
        now, elsewhere = self._clock(), self._told(alias)
        waiting = {self._blotter.symbol(managed) for managed in self._blotter.unsettled(alias)}
        for row in strangers:
            key = (row.market, plain(row.order_no))
            if row.symbol in waiting or row.day not in (None, trading_day(now)):
                continue  # it may turn out to be ours; or it is of a day that is over
            told = elsewhere.get(key)
            if told is not None and row.filled <= told:
                continue
            elsewhere[key] = row.filled
            self._post_stranger(alias, row, now)

    def _post_stranger(self, alias: str, row: ListedOrder, now: int) -> None:
        self._publisher.post(lambda: self._publisher.external_row(alias, row, now))

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
            if asked < order_hours.over(place.place, at):
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
            self._blotter.drop(over, day_start(asked))

    def _clear(self, order: ManagedOrder) -> None:
        self._outbox.afterwards(lambda: self._publisher.clear_state(order))
