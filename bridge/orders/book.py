"""Today's commands and orders in memory, found by identity and by KIS's order numbers; no I/O.

Everything in it follows from the journal; :class:`Book` is filled from there at the start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from bridge.kis.orders import Notice
from bridge.orders.command import Command, Place, parse
from bridge.orders.journal import Identity, Line, NewRecord, Record
from bridge.orders.lifecycle import CLOSED, Progress, State, Step
from bridge.orders.risk import Ledger, Limits, Scope

__all__ = [
    "OPEN",
    "Book",
    "Tracked",
    "day_end",
    "day_start",
    "number_key",
    "plain",
    "restore",
    "trading_day",
]

_SEOUL = timezone(timedelta(hours=9), "KST")  # without daylight saving, by law
_MICROSECOND = 1_000_000

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
class Tracked:
    """A command and, when it placed one, its order."""

    identity: Identity
    verb: str
    command: Command
    digest: str
    received_at: int
    expires_at: int
    progress: Progress
    id: int = 0
    """In the journal; 0: not there yet."""
    notional: Decimal = Decimal(0)
    """What it took of the daily limits."""
    overtaken: bool = False
    """A ``cancel_all`` came after it and before it was sent."""

    @classmethod
    def received(
        cls, identity: Identity, verb: str, command: Command, received_at: int, expires_at: int
    ) -> Tracked:
        """Make one of a command that just came in."""
        progress = Progress()
        if isinstance(command, Place):
            progress = Progress(
                command.quantity, command.price, command.order_type, command.condition_price
            )
        digest = command.digest()
        return cls(identity, verb, command, digest, received_at, expires_at, progress)

    def record(self) -> NewRecord:
        """Return what the journal writes down when it comes in."""
        return NewRecord(
            self.identity,
            self.verb,
            self.digest,
            self.command.canonical(),
            self.received_at,
            self.expires_at,
        )


def restore(record: Record) -> Tracked:
    """Return a command as the journal knows it."""
    command = parse(record.verb, record.body.encode())
    tracked = Tracked.received(
        record.identity, record.verb, command, record.received_at, record.expires_at
    )
    tracked.digest = record.digest
    tracked.id = record.id
    tracked.progress = tracked.progress.apply_all(record.steps)
    return tracked


@dataclass(slots=True)
class _Held:
    """A notice that no order is known for, while commands have no answer that may explain it."""

    alias: str
    notice: Notice
    at: int
    waiting: set[int] = field(default_factory=set)


class Book:
    """Commands by identity, orders by number, ledgers by account and client."""

    def __init__(self) -> None:
        self._commands: dict[Identity, Tracked] = {}
        self._numbers: dict[tuple[str, str, date, str], Tracked] = {}
        self._unsettled: dict[int, Tracked] = {}
        self._open: dict[int, Tracked] = {}
        self._held: list[_Held] = []
        self._ledgers: dict[tuple[str, ...], Ledger] = {}

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._commands.values())

    def get(self, identity: Identity) -> Tracked | None:
        return self._commands.get(identity)

    def order(self, identity: Identity) -> Tracked | None:
        """Return the order that a command is about."""
        return self._commands.get(identity._replace(command_id=""))

    def add(self, tracked: Tracked) -> None:
        """Take a command that is in the journal."""
        self._commands[tracked.identity] = tracked
        self._index(tracked)

    def drop(self, over: Collection[Tracked]) -> None:
        """Forget orders of a day that is over, and what was asked about them or about nothing.

        The journal knows them.
        """
        ids, latest = {tracked.id for tracked in over}, max(one.received_at for one in over)
        for tracked in self:
            if tracked.progress.answer is None or tracked.progress.state is State.UNKNOWN:
                continue
            order = self.order(tracked.identity)
            if order is None or order.verb != "place":
                gone = tracked.received_at <= latest
            else:
                gone = order.id in ids
            if gone:
                ids.add(tracked.id)
        self._commands = {k: v for k, v in self._commands.items() if v.id not in ids}
        self._numbers = {k: v for k, v in self._numbers.items() if v.id not in ids}
        for number in ids:
            self._open.pop(number, None)
            self._unsettled.pop(number, None)

    def step(self, tracked: Tracked, step: Step) -> Line:
        """Apply a step; returns the line for the journal.

        Raises :class:`bridge.orders.lifecycle.LifecycleError` and changes nothing.
        """
        tracked.progress = tracked.progress.apply(step)
        self._index(tracked)
        progress = tracked.progress
        return Line(tracked.id, progress.steps, step, progress.state)

    def states(self) -> Counter[str]:
        """Count today's orders by state."""
        return Counter(str(t.progress.state) for t in self if t.verb == "place")

    # what has no answer yet

    def unsettled(self, account: str, state: State | None = None) -> list[Tracked]:
        """Return the commands of an account that are sent and of which nothing is known."""
        return [
            tracked
            for tracked in self._unsettled.values()
            if tracked.identity.account == account
            and (state is None or tracked.progress.state is state)
        ]

    def symbol(self, tracked: Tracked) -> str:
        """Return what a command trades; blank for an order that is not known."""
        order = self.order(tracked.identity)
        return order.command.symbol if order and isinstance(order.command, Place) else ""

    def working(self, account: str) -> list[Tracked]:
        """Return the orders of an account that are or may be open."""
        return [order for order in self._open.values() if order.identity.account == account]

    def fence(self, account: str, symbol: str, *, but: Tracked) -> Tracked | None:
        """Return the order or modification of unknown outcome that fences a symbol."""
        return next(
            (
                tracked
                for tracked in self.unsettled(account, State.UNKNOWN)
                if tracked is not but
                and tracked.verb in ("place", "modify")
                and self.symbol(tracked) == symbol
            ),
            None,
        )

    def claimed(self, about: Tracked, *, changes: bool = False) -> set[str]:
        """Return the order numbers that are explained; ``changes``: by a command to change.

        Those that may mean the same as in the list where ``about`` is looked for: numbers of
        domestic stock start again each day.
        """
        wanted = self._place_and_day(about)
        return {
            plain(leg.order_no)
            for tracked in self
            if tracked.identity.account == about.identity.account
            and (not changes or tracked.verb != "place")
            and self._place_and_day(tracked) == wanted
            for leg in tracked.progress.legs
        }

    def _place_and_day(self, tracked: Tracked) -> tuple[str, date | None]:
        order = self.order(tracked.identity) or tracked
        market = order.command.market if isinstance(order.command, Place) else ""
        return market, _number_day(market, order.progress.submitted_at or order.received_at)

    # as the exchange's list sees it

    def markets(self, account: str) -> set[str]:
        """Return the markets of an account's orders."""
        return {
            tracked.command.market
            for tracked in self
            if tracked.identity.account == account and isinstance(tracked.command, Place)
        }

    def days(self, account: str, market: str) -> set[date]:
        """Return the Korean dates of the orders that are or may be open."""
        return {
            trading_day(tracked.progress.submitted_at or tracked.received_at)
            for tracked in self._open.values()
            if tracked.identity.account == account
            and isinstance(tracked.command, Place)
            and tracked.command.market == market
        }

    def owners(self, account: str, market: str) -> dict[tuple[date | None, str], Tracked]:
        """Return the orders of an account in a market by each of their :func:`number_key`."""
        return {
            number_key(market, tracked.progress.submitted_at, leg.order_no): tracked
            for tracked in self
            if tracked.verb == "place"
            and tracked.identity.account == account
            and isinstance(tracked.command, Place)
            and tracked.command.market == market
            for leg in tracked.progress.legs
        }

    def changes(self, order: Tracked) -> list[Tracked]:
        """Return the modifications and cancellations of an order that have no answer."""
        return [
            tracked
            for tracked in self.unsettled(order.identity.account, State.UNKNOWN)
            if tracked is not order and self.order(tracked.identity) is order
        ]

    # execution notices

    def match(self, alias: str, notice: Notice, at: int) -> Tracked | None:
        """Return the order that a notice is about."""
        today = trading_day(at)
        candidates = []
        for number in (notice.order_no, notice.original_order_no):
            for day in (today, today - timedelta(days=1)):
                found = self._numbers.get((alias, notice.market, day, plain(number)))
                if found is not None and (day == today or notice.market != "domestic_stock"):
                    candidates.append(found)
        same = (one for one in candidates if self.symbol(one) == notice.symbol)
        return next(same, candidates[0] if candidates else None)

    def hold(self, alias: str, notice: Notice, at: int) -> bool:
        """Keep an unmatched notice until what may explain it is answered.

        Returns False when nothing is: the order was placed elsewhere.
        """
        waiting = {
            tracked.id
            for tracked in self.unsettled(alias)
            if tracked.verb != "cancel" and self.symbol(tracked) == notice.symbol
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

    def release(self) -> list[tuple[str, Notice, int]]:
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
        self, identity: Identity, account: Limits, client: Limits, at: int
    ) -> tuple[Scope, ...]:
        """Return what the limits of an account, and of a client on it, have used."""
        whole, own = self._of(identity)
        day = trading_day(at)
        everyone = mine = 0
        if account.open_orders is not None or client.open_orders is not None:
            everyone, mine = self._working(identity)
        return (
            whole.scope(f"account {identity.account}", account, at, day, everyone),
            own.scope(f"client {identity.client}", client, at, day, mine),
        )

    def _working(self, identity: Identity) -> tuple[int, int]:
        """Count the orders that are or may be open: of the account, of the client on it."""
        names = [
            tracked.identity.client
            for tracked in self._open.values()
            if tracked.identity.account == identity.account
        ]
        return len(names), names.count(identity.client)

    def reserve(self, tracked: Tracked, notional: Decimal, at: int) -> None:
        """Count a command against the limits before it is sent."""
        tracked.notional = notional
        for ledger in self._of(tracked.identity):
            ledger.add(at, trading_day(at), notional)

    def unreserve(self, tracked: Tracked) -> None:
        """Give back what a command took, because nothing of it is at the exchange."""
        at = tracked.progress.submitted_at or tracked.received_at
        for ledger in self._of(tracked.identity):
            ledger.release(trading_day(at), tracked.notional)
        tracked.notional = Decimal(0)

    def recount(self, now: int) -> None:
        """Count what the journal says was sent today, after a restart."""
        for tracked in self:
            progress = tracked.progress
            at = progress.submitted_at
            if at is None or trading_day(at) != trading_day(now) or tracked.verb == "cancel":
                continue
            gone = progress.state in (State.REJECTED, State.REFUSED, State.NOT_PLACED)
            self.reserve(tracked, Decimal(0) if gone else progress.notional, at)

    def _of(self, identity: Identity) -> tuple[Ledger, Ledger]:
        return (
            self._ledgers.setdefault((identity.account,), Ledger()),
            self._ledgers.setdefault((identity.account, identity.client), Ledger()),
        )

    def _index(self, tracked: Tracked) -> None:
        progress = tracked.progress
        if progress.state in (State.SUBMITTING, State.UNKNOWN):
            self._unsettled[tracked.id] = tracked
        else:
            self._unsettled.pop(tracked.id, None)
        if tracked.verb != "place" or progress.submitted_at is None:
            return
        if progress.state in CLOSED:
            self._open.pop(tracked.id, None)
        else:
            self._open[tracked.id] = tracked
        assert isinstance(tracked.command, Place)  # noqa: S101
        day, market = trading_day(progress.submitted_at), tracked.command.market
        for leg in progress.legs:
            self._numbers[tracked.identity.account, market, day, plain(leg.order_no)] = tracked


def number_key(market: str, at: int | None, order_no: str) -> tuple[date | None, str]:
    """Return what tells an order number from the same one of another day, ordered ``at``."""
    return _number_day(market, at), plain(order_no)


def _number_day(market: str, at: int | None) -> date | None:
    # Overseas and at night a session has two Korean dates.
    return trading_day(at) if market == "domestic_stock" and at is not None else None


def plain(order_no: str) -> str:
    """Return an order number without its padding."""
    return order_no.strip().lstrip("0")
