"""What has been used of the limits: by account, and by client on an account; pure.

Times are µs since the epoch. What a command has reserved is kept here, so that it can be given
back once, whoever finds out that nothing of it is at the exchange.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple
from weakref import WeakKeyDictionary

from bridge.orders.model.lifecycle import Event, State
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.orders.risk.limits import MINUTE, Limits, Scope
from bridge.runtime.clock import same_seoul_day, seoul_day

__all__ = ["Ledger", "LimitLedger"]


_DAYS = 3
"""Days of which the sum is kept: a clock that jumps comes to an earlier one again."""


class _Reservation(NamedTuple):
    at: int
    notional: Decimal


class LimitLedger:
    """Counts commands before they are sent, and gives back what came to nothing."""

    def __init__(self) -> None:
        self._ledgers: dict[tuple[str, ...], Ledger] = {}
        # Weak: a command that the blotter has dropped has nothing to give back any more.
        self._reserved: WeakKeyDictionary[ManagedOrder, _Reservation] = WeakKeyDictionary()

    def scopes(
        self,
        managed: ManagedOrder,
        account: Limits,
        client: Limits,
        at: int,
        working: Iterable[ManagedOrder],
    ) -> tuple[Scope, ...]:
        """Return what others have used of the limits of an account, and of a client on it.

        ``working`` are the account's orders that are or may be open.
        """
        identity, day = managed.identity, seoul_day(at)
        clients = [one.identity.client for one in working if one is not managed]
        whole, own = self._of(identity)
        return (
            whole.scope(f"account {identity.account}", account, at, day, len(clients)),
            own.scope(f"client {identity.client}", client, at, day, clients.count(identity.client)),
        )

    def reserve(self, managed: ManagedOrder, notional: Decimal, at: int) -> None:
        """Count a command against the limits before it is sent."""
        self._reserved[managed] = _Reservation(at, notional)
        day = seoul_day(at)
        for ledger in self._of(managed.identity):
            ledger.add(at, day, notional)

    def reserved(self, managed: ManagedOrder) -> Decimal:
        """Return what a command took of the daily limits."""
        reservation = self._reserved.get(managed)
        return reservation.notional if reservation else Decimal(0)

    def postpone(self, managed: ManagedOrder, at: int) -> bool:
        """Count it as of now instead; False: its minute or day is over, and it needs room anew."""
        before = self._reserved.get(managed)
        if before is None or at - before.at >= MINUTE or not same_seoul_day(at, before.at):
            return False
        self._reserved[managed] = _Reservation(at, before.notional)
        for ledger in self._of(managed.identity):
            ledger.move(before.at, at)
        return True

    def give_back(self, managed: ManagedOrder, *, sent: bool) -> None:
        """Give back what a command took, because nothing of it is at the exchange.

        What was sent goes on counting as an order of its minute.
        """
        reservation = self._reserved.pop(managed, None)
        if reservation is None:
            return
        for ledger in self._of(managed.identity):
            ledger.release(seoul_day(reservation.at), reservation.notional)
            if not sent:
                ledger.forget(reservation.at)

    def recount(self, commands: Iterable[ManagedOrder]) -> None:
        """Count what the journal says was sent, after a restart; each for its own day.

        Which day it is now, KIS may not have told yet.
        """
        sent: list[tuple[int, ManagedOrder, Decimal]] = []
        for managed in commands:
            progress = managed.progress
            at = progress.submitted_at
            if at is not None and progress.answer and progress.answer.event is not Event.REFUSE:
                at = progress.answer.at  # it may have waited for long before it was sent
            if at is None or managed.verb not in ("place", "modify"):
                continue
            gone = progress.state in (State.REJECTED, State.REFUSED, State.NOT_PLACED)
            sent.append((at, managed, Decimal(0) if gone else progress.notional))
        for at, managed, notional in sorted(sent, key=lambda one: one[0]):
            self.reserve(managed, notional, at)

    def _of(self, identity: Identity) -> tuple[Ledger, Ledger]:
        return self._at((identity.account,)), self._at((identity.account, identity.client))

    def _at(self, key: tuple[str, ...]) -> Ledger:
        found = self._ledgers.get(key)
        if found is None:
            found = self._ledgers[key] = Ledger()
        return found


class Ledger:
    """What one account or client has sent: today's notional, the last minute's orders.

    Times are µs since the epoch; ``day`` is whatever tells one trading day from another. A clock
    that is set, ahead or back, gives no room that is used already.
    """

    def __init__(self) -> None:
        self._notional: dict[object, Decimal] = {}
        """By day, of the last few that had orders."""
        self._times: deque[int] = deque()
        """Oldest first."""

    def add(self, at: int, day: object, notional: Decimal) -> None:
        """Count an order that is about to be sent."""
        self._notional[day] = self._notional.pop(day, Decimal(0)) + notional
        while len(self._notional) > _DAYS:
            del self._notional[next(iter(self._notional))]
        self._sent(at)

    def move(self, before: int, at: int) -> None:
        """Count an order of the last minute as sent later than it was."""
        self.forget(before)
        self._sent(at)

    def forget(self, at: int) -> None:
        """Count an order no more that was never sent."""
        # From behind: it was most likely counted last.
        if self._times and self._times[-1] == at:
            self._times.pop()
        elif at in self._times:
            self._times.remove(at)

    def release(self, day: object, notional: Decimal) -> None:
        """Take back what turned out not to be at the exchange."""
        if day in self._notional:
            self._notional[day] -= notional

    def scope(self, name: str, limits: Limits, at: int, day: object, working: int = 0) -> Scope:
        self._set_back(at)
        while self._times and self._times[0] <= at - MINUTE:
            self._times.popleft()
        notional = self._notional.get(day, Decimal(0))
        return Scope(name, limits, notional, len(self._times), working)

    def _sent(self, at: int) -> None:
        self._set_back(at)
        self._times.append(at)

    def _set_back(self, at: int) -> None:
        """Let nothing be of the future: an order from before the clock was set back is as of now.

        Otherwise it would count for as long as the clock was wrong, and all after it with it.
        """
        if self._times and self._times[-1] > at:
            self._times = deque(min(one, at) for one in self._times)
