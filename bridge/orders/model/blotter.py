"""Today's commands and orders in memory, found by identity and by KIS's order numbers; no I/O.

Everything in it follows from the journal; :class:`Blotter` is filled from there at the start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from bridge.calendar import order_hours
from bridge.kis.listing import ListedOrder, plain
from bridge.kis.markets import NIGHT
from bridge.kis.orders import ExecutionNotice
from bridge.orders.model.command import Cancel, Command, Place, parse
from bridge.orders.model.lifecycle import CLOSED, Event, Progress, State, Step
from bridge.orders.model.records import CLIENT, Identity, JournalStep, NewRecord, Origin, Record
from bridge.orders.risk.checks import MINUTE, Ledger, Limits, Scope

__all__ = [
    "OPEN",
    "Blotter",
    "ManagedOrder",
    "day_end",
    "day_start",
    "lives",
    "restore",
    "trading_day",
]

_SEOUL = timezone(timedelta(hours=9), "KST")  # without daylight saving, by law
_MICROSECOND = 1_000_000

_EARLY = 2_000_000
"""How much earlier (µs) than ours the exchange's clock may say it was."""
_ASKEW = 3_600_000_000
"""The same when nothing else fits; no number comes again within an hour."""

OPEN = frozenset({State.ACCEPTED, State.PARTIALLY_FILLED})
"""States of an order that can be changed or cancelled."""


def trading_day(at: int) -> date:
    """Return the Korean date of a moment in µs since the epoch."""
    return datetime.fromtimestamp(at // _MICROSECOND, _SEOUL).date()


def day_start(at: int) -> int:
    """Return when that moment's Korean date began, in µs since the epoch."""
    day = trading_day(at)
    return int(datetime(day.year, day.month, day.day, tzinfo=_SEOUL).timestamp()) * _MICROSECOND


def day_end(at: int) -> int:
    """Return when that moment's Korean date ends, in µs since the epoch."""
    return day_start(at) + 86_400 * _MICROSECOND


@dataclass(slots=True, eq=False)
class ManagedOrder:
    """A command and, when it placed one, its order."""

    identity: Identity
    verb: str
    command: Command
    digest: str
    received_at: int
    expires_at: int
    progress: Progress
    origin: Origin = CLIENT
    id: int = 0
    """In the journal; 0: not there yet."""
    notional: Decimal = Decimal(0)
    """What it took of the daily limits."""
    reserved_at: int = 0
    """When it was counted against the limits."""
    parts: Mapping[str, int] | None = None
    """What is left under each of its numbers, while that is not all under the last one; None: no
    list has said it."""

    overtaken: bool = False
    """A ``cancel_all`` came after it and before it was sent."""

    @property
    def numbers(self) -> Collection[str]:
        """Under which numbers something may be left; none: the last one."""
        if self.parts is not None or not self.progress.split:
            return self.parts or ()
        return [plain(leg.order_no) for leg in self.progress.legs]

    @property
    def since(self) -> int:
        """When it was sent; until then, when it came."""
        return self.progress.submitted_at or self.received_at

    @classmethod
    def received(
        cls,
        identity: Identity,
        verb: str,
        command: Command,
        received_at: int,
        expires_at: int,
        origin: Origin = CLIENT,
    ) -> ManagedOrder:
        """Make one of a command that just came in."""
        progress = Progress()
        if isinstance(command, Place):
            progress = Progress(
                command.quantity, command.price, command.order_type, command.condition_price
            )
        digest = command.digest()
        return cls(identity, verb, command, digest, received_at, expires_at, progress, origin)

    def record(self) -> NewRecord:
        """Return what the journal writes down when it comes in."""
        return NewRecord(
            self.identity,
            self.verb,
            self.digest,
            self.command.canonical(),
            self.received_at,
            self.expires_at,
            self.origin,
        )

    def admitted(self, record: Record) -> ManagedOrder:
        """Take over what the journal made of it."""
        self.id = record.id
        self.progress = self.progress.apply_all(record.steps)
        return self


def restore(record: Record) -> ManagedOrder:
    """Return a command as the journal knows it."""
    command = parse(record.verb, record.body.encode())
    managed = ManagedOrder.received(
        *(record.identity, record.verb, command, record.received_at, record.expires_at),
        record.origin,
    )
    managed.digest = record.digest
    return managed.admitted(record)


@dataclass(slots=True)
class _Held:
    """A notice that no order is known for, while commands have no answer that may explain it."""

    alias: str
    notice: ExecutionNotice
    at: int
    waiting: set[ManagedOrder] = field(default_factory=set)


class Blotter:
    """Commands by identity, orders by number, ledgers by account and client."""

    def __init__(self) -> None:
        self._commands: dict[Identity, ManagedOrder] = {}
        self._numbers: dict[tuple[str, str, str], dict[int, ManagedOrder]] = {}
        """By account, market and number: since when it means which order, as its own number or as
        that of what changed it."""
        self._unsettled: dict[ManagedOrder, None] = {}
        self._open: dict[ManagedOrder, None] = {}
        self._held: list[_Held] = []
        self._ledgers: dict[tuple[str, ...], Ledger] = {}

    def __iter__(self) -> Iterator[ManagedOrder]:
        return iter(self._commands.values())

    def get(self, identity: Identity) -> ManagedOrder | None:
        return self._commands.get(identity)

    def order(self, identity: Identity) -> ManagedOrder | None:
        """Return the order that a command is about."""
        return self._commands.get(identity._replace(command_id=""))

    def add(self, managed: ManagedOrder) -> None:
        """Take a command that is in the journal."""
        self._commands[managed.identity] = managed
        self._index(managed)

    def enter(self, managed: ManagedOrder, step: Step) -> None:
        """Take a command that is on its way into the journal, with the step that goes with it."""
        self._commands[managed.identity] = managed
        managed.progress = managed.progress.apply(step)
        self._index(managed)

    def withdraw(self, managed: ManagedOrder) -> None:
        """Forget a command that did not get into the journal; KIS never saw it."""
        if self._commands.get(managed.identity) is managed:
            del self._commands[managed.identity]
        self._unsettled.pop(managed, None)
        self._open.pop(managed, None)

    def drop(self, over: Collection[ManagedOrder], before: int) -> None:
        """Forget orders of a day that is over, and what was asked about them.

        And about nothing, ``before``. The journal knows them.
        """
        gone = set(over)
        for managed in self:
            if managed.progress.answer is None or managed.progress.state is State.UNKNOWN:
                continue
            order = self.order(managed.identity)
            if order is None or order.verb != "place":
                if managed.received_at < before:
                    gone.add(managed)
            elif order in gone:
                gone.add(managed)
        self._commands = {k: v for k, v in self._commands.items() if v not in gone}
        for key, meant in list(self._numbers.items()):
            self._numbers[key] = {at: one for at, one in meant.items() if one not in gone}
            if not self._numbers[key]:
                del self._numbers[key]
        for managed in gone:
            self._open.pop(managed, None)
            self._unsettled.pop(managed, None)

    def step(self, managed: ManagedOrder, step: Step) -> JournalStep:
        """Apply a step; returns the line for the journal.

        Raises :class:`bridge.orders.model.lifecycle.LifecycleError` and changes nothing.
        """
        managed.progress = managed.progress.apply(step)
        self._index(managed)
        progress = managed.progress
        return JournalStep(managed.id, progress.steps, step, progress.state)

    def states(self) -> Counter[str]:
        """Count today's orders by state."""
        return Counter(str(t.progress.state) for t in self if t.verb == "place")

    # what has no answer yet

    def unsettled(self, account: str, state: State | None = None) -> list[ManagedOrder]:
        """Return the commands of an account that are sent and of which nothing is known."""
        return [
            managed
            for managed in self._unsettled
            if managed.identity.account == account
            and (state is None or managed.progress.state is state)
        ]

    def symbol(self, managed: ManagedOrder) -> str:
        """Return what a command trades; blank for an order that is not known."""
        order = self.order(managed.identity)
        return order.command.symbol if order and isinstance(order.command, Place) else ""

    def working(self, account: str) -> list[ManagedOrder]:
        """Return the orders of an account that are or may be open."""
        return [order for order in self._open if order.identity.account == account]

    def fence(self, account: str, symbol: str, *, but: ManagedOrder) -> ManagedOrder | None:
        """Return the order or modification of unknown outcome that fences a symbol."""
        return next(
            (
                managed
                for managed in self.unsettled(account, State.UNKNOWN)
                if managed is not but
                and managed.verb in ("place", "modify")
                and self.symbol(managed) == symbol
            ),
            None,
        )

    def meant(self, account: str, market: str, order_no: str, at: int) -> ManagedOrder | None:
        """Return the order that was meant by a number of KIS's at a moment.

        KIS starts its numbers again, and where a session has two Korean dates it does not say when.
        So a number means an order until that one's day is over; of several the newest.
        """
        found = self._numbers.get((account, market, plain(order_no)), {})
        living = [(since, one) for since, one in found.items() if lives(one, at)]
        before = [(since, one) for since, one in living if since - _EARLY <= at]
        pick = max(before, key=_since) if before else min(living, key=_since, default=None)
        return pick[1] if pick else None

    def owned(
        self, account: str, market: str, rows: Iterable[ListedOrder]
    ) -> dict[tuple[date | None, str], ManagedOrder]:
        """Return the orders whose numbers stand in the exchange's list, by the rows' ``key``.

        Of two rows with one number an order has the one of its own time.
        """
        same: dict[str, list[ListedOrder]] = {}
        for row in rows:
            same.setdefault(plain(row.order_no), []).append(row)
        found: dict[tuple[date | None, str], tuple[int, ManagedOrder]] = {}
        for number, group in same.items():
            for since, order in self._numbers.get((account, market, number), {}).items():
                near = [
                    (0 if row.at is None else abs(row.at - since), row)
                    for row in group
                    if row.at is None or lives(order, row.at)
                ]
                if near:
                    apart, row = min(near, key=_since)
                    if row.key not in found or apart < found[row.key][0]:
                        found[row.key] = apart, order
        return {key: order for key, (_, order) in found.items()}

    def changed(self, order: ManagedOrder) -> set[str]:
        """Return the numbers that KIS gave to the modifications and cancellations of an order."""
        return {
            plain(leg.order_no)
            for managed in self
            if managed is not order and self.order(managed.identity) is order
            for leg in managed.progress.legs
        }

    # as the exchange's list sees it

    def markets(self, account: str) -> set[str]:
        """Return the markets of an account's orders."""
        return {
            managed.command.market
            for managed in self
            if managed.identity.account == account and isinstance(managed.command, Place)
        }

    def at_night(self, account: str, market: str) -> bool:
        """Tell whether an account has orders in a session with a list of its own."""
        return any(
            managed.command.place == NIGHT and managed.identity.account == account
            for managed in self
            if isinstance(managed.command, Place) and managed.command.market == market
        )

    def days(self, account: str, market: str) -> set[date]:
        """Return the Korean dates of the orders that are or may be open."""
        return {
            trading_day(managed.progress.submitted_at or managed.received_at)
            for managed in self._open
            if managed.identity.account == account
            and isinstance(managed.command, Place)
            and managed.command.market == market
        }

    def changes(self, order: ManagedOrder) -> list[ManagedOrder]:
        """Return the modifications and cancellations of an order that have no answer."""
        return [
            managed
            for managed in self.unsettled(order.identity.account, State.UNKNOWN)
            if managed is not order and self.order(managed.identity) is order
        ]

    def cancelled(self) -> set[tuple[str, ...]]:
        """Return the orders of which KIS took a cancellation of the whole: with which number."""
        return {
            (*managed.identity[:3], managed.command.order_no or "")
            for managed in self
            if isinstance(managed.command, Cancel)
            and managed.command.quantity is None
            and managed.progress.state is State.ACCEPTED
        }

    def changing(self, order: ManagedOrder) -> bool:
        """Tell whether a modification or cancellation of an order is sent and has no answer."""
        return any(
            managed is not order and self.order(managed.identity) is order
            for managed in self.unsettled(order.identity.account)
        )

    # execution notices

    def match(self, alias: str, notice: ExecutionNotice, at: int) -> ManagedOrder | None:
        """Return the order that a notice is about."""
        numbers = (notice.order_no, notice.original_order_no)
        found = [self.meant(alias, notice.market, number, at) for number in numbers]
        candidates = [order for order in found if order is not None]
        same = (one for one in candidates if self.symbol(one) == notice.symbol)
        return next(same, None)

    def hold(self, alias: str, notice: ExecutionNotice, at: int) -> bool:
        """Keep an unmatched notice until what may explain it is answered.

        Returns False when nothing is: the order was placed elsewhere.
        """
        waiting = {
            managed
            for managed in self.unsettled(alias)
            if managed.verb != "cancel" and self.symbol(managed) == notice.symbol
        }
        if waiting:
            self._held.append(_Held(alias, notice, at, waiting))
        return bool(waiting)

    def heard(self, alias: str, symbol: str) -> set[str]:
        """Return the numbers in the notices that are kept."""
        return {
            plain(held.notice.order_no)
            for held in self._held
            if held.alias == alias and held.notice.symbol == symbol
        }

    def release(self) -> list[tuple[str, ExecutionNotice, int]]:
        """Return the held notices that need to wait no longer, oldest first."""
        ready: list[_Held] = []
        held: list[_Held] = []
        for one in self._held:
            one.waiting &= self._unsettled.keys()
            free = not one.waiting or self.match(one.alias, one.notice, one.at) is not None
            (ready if free else held).append(one)
        self._held = held
        return [(one.alias, one.notice, one.at) for one in ready]

    # limits

    def scopes(
        self, managed: ManagedOrder, account: Limits, client: Limits, at: int
    ) -> tuple[Scope, ...]:
        """Return what others have used of the limits of an account, and of a client on it."""
        identity = managed.identity
        whole, own = self._of(identity)
        day = trading_day(at)
        everyone = mine = 0
        if account.open_orders is not None or client.open_orders is not None:
            everyone, mine = self._working(managed)
        return (
            whole.scope(f"account {identity.account}", account, at, day, everyone),
            own.scope(f"client {identity.client}", client, at, day, mine),
        )

    def _working(self, managed: ManagedOrder) -> tuple[int, int]:
        """Count the other orders that are or may be open: of the account, of the client on it."""
        account, client, _, _ = managed.identity
        names = [
            one.identity.client
            for one in self._open
            if one.identity.account == account and one is not managed
        ]
        return len(names), names.count(client)

    def reserve(self, managed: ManagedOrder, notional: Decimal, at: int) -> None:
        """Count a command against the limits before it is sent."""
        managed.notional, managed.reserved_at = notional, at
        for ledger in self._of(managed.identity):
            ledger.add(at, trading_day(at), notional)

    def postpone(self, managed: ManagedOrder, at: int) -> bool:
        """Count it as of now instead; False: its minute or day is over, and it needs room anew."""
        before = managed.reserved_at
        if at - before >= MINUTE or trading_day(at) != trading_day(before):
            return False
        managed.reserved_at = at
        for ledger in self._of(managed.identity):
            ledger.move(before, at)
        return True

    def unreserve(self, managed: ManagedOrder, *, sent: bool) -> None:
        """Give back what a command took, because nothing of it is at the exchange.

        What was sent goes on counting as an order of its minute.
        """
        for ledger in self._of(managed.identity):
            ledger.release(trading_day(managed.reserved_at), managed.notional)
            if not sent:
                ledger.forget(managed.reserved_at)
        managed.notional = Decimal(0)

    def recount(self, now: int) -> None:
        """Count what the journal says was sent today, after a restart."""
        for managed in self:
            progress = managed.progress
            at = progress.submitted_at
            if at is not None and progress.answer and progress.answer.event is not Event.REFUSE:
                at = progress.answer.at  # it may have waited for long before it was sent
            if at is None or trading_day(at) != trading_day(now):
                continue
            if managed.verb not in ("place", "modify"):
                continue
            gone = progress.state in (State.REJECTED, State.REFUSED, State.NOT_PLACED)
            self.reserve(managed, Decimal(0) if gone else progress.notional, at)

    def _of(self, identity: Identity) -> tuple[Ledger, Ledger]:
        return (
            self._ledgers.setdefault((identity.account,), Ledger()),
            self._ledgers.setdefault((identity.account, identity.client), Ledger()),
        )

    def _index(self, managed: ManagedOrder) -> None:
        progress = managed.progress
        if progress.state in (State.SUBMITTING, State.UNKNOWN):
            self._unsettled[managed] = None
        else:
            self._unsettled.pop(managed, None)
        order = self.order(managed.identity)
        if order is None or not isinstance(order.command, Place):
            return
        for leg in progress.legs:
            key = (order.identity.account, order.command.market, plain(leg.order_no))
            self._numbers.setdefault(key, {}).setdefault(leg.at, order)
        if managed is not order or progress.submitted_at is None:
            return
        if progress.state in CLOSED:
            self._open.pop(managed, None)
        else:
            self._open[managed] = None


def _since(pair: tuple[int, object]) -> int:
    return pair[0]


def lives(order: ManagedOrder, at: int) -> bool:
    """Tell whether something ordered ``at`` can be about an order: from its day and session."""
    place = order.command
    assert isinstance(place, Place)  # noqa: S101
    return order.since - _ASKEW <= at < order_hours.over(place.place, order.since)
