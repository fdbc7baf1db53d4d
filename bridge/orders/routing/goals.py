"""A halt that cancels is a goal: it is reached when the exchange's own list has nothing open.

The cancellations that the journal has are the first attempt. After it the list is read and what it
has open is cancelled under its numbers, again and again with growing pauses, until it has nothing
twice in a row and nothing is under way any more, or the halt is taken back. None of this waits for
the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from bridge.errors import BridgeError, JournalError
from bridge.mqtt.event_payloads import (
    HaltCancelledEvent,
    HaltDoneEvent,
    HaltedMode,
    HaltScope,
)
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import CLOSED, Event, State
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Control
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.risk.halts import Halts
from bridge.orders.risk.rules import Terms
from bridge.orders.routing.goal import Goal, outcome
from bridge.orders.routing.mass_cancel import MassCancel
from bridge.orders.routing.sweep import Sweep, Working
from bridge.runtime.backoff import Backoff

__all__ = ["Goals"]

log = structlog.get_logger()

_DISK_S = 1.0
"""How long the first attempt may wait for the journal, before orders are cancelled without it."""
_UNDER_WAY_S = 30.0
"""How long a cancellation of the first attempt may be under way before its order is cancelled by
the list: on paper KIS takes one a second."""
_LISTED_S = 3.0
"""How long the list may still have what KIS took a cancellation of."""
_LONGEST_S = 30.0
_SURE = 2
"""Lists in a row that must have nothing."""
_MOST = 100
"""Orders of each kind in one event."""


@dataclass(slots=True)
class Goals:
    """Reaches each goal in a task of its own."""

    terms: Terms
    blotter: Blotter
    journal: Journal
    publisher: Publisher
    halts: Halts
    mass_cancel: MassCancel
    sweep: Sweep
    _newest: dict[tuple[str, str, str], Goal] = field(default_factory=dict)

    def begin(
        self,
        account: str,
        client: str,
        mode: HaltedMode,
        scope: HaltScope,
        control: Control | None = None,
    ) -> Goal:
        """Take note of what is or may be open now; it replaces an earlier goal just like it.

        ``control`` is one that a restart found in the journal.
        """
        about = {
            one: one.progress.filled
            for one in self.mass_cancel.within(account, client)
            if one.verb == "place" and one.progress.state not in (State.RECEIVED, *CLOSED)
        }
        began = self.terms.clock() if control is None else control.at
        goal = Goal(account, client, mode, scope, began, about, control)
        if control is not None:
            goal.written.set()
        self._newest[account, client, scope] = goal
        return goal

    async def reach(self, goal: Goal) -> None:
        """Cancel until nothing is left, telling what happens; the last event says what came of it.

        Ends when the halt is taken back, and without a word when one just like it has come.
        """
        circle, why, clean, rounds = (goal.account, goal.client), "", 0, 0
        unknown_s, since = self.terms.rules.unknown_s, self.terms.clock()
        pauses = Backoff(unknown_s, _LONGEST_S)
        await self._first_attempt(goal)
        while self._newest.get((*circle, goal.scope)) is goal:
            if not self.halts.named(*circle):
                why = "the halt was taken back"
                break
            missing = await self._look(goal)
            if missing or goal.open() or self._under_way(goal):
                clean, since, rounds = 0, self.terms.clock(), rounds + 1
                tried = await self._cancel(goal)
                goal.attempts += bool(tried)
                self._tell_left(goal, tried)
                await asyncio.sleep(pauses.pause(rounds))
                continue
            clean += 1
            # What the journal has open and the list does not may only be late in the list, or the
            # journal has not heard of its end.
            patience = max(self.terms.rules.proof_s, _LISTED_S)
            late = self.terms.clock() < since + patience * 1_000_000
            if clean >= _SURE and not (late and any(self._believed(goal))):
                break
            for order in self._believed(goal):
                self.sweep.changed(order.identity.account)
            await asyncio.sleep(unknown_s)
        else:
            await self._end(goal)
            return
        self._tell_done(goal, why)
        await self._end(goal)

    async def _first_attempt(self, goal: Goal) -> None:
        try:
            async with asyncio.timeout(_DISK_S):
                await goal.written.wait()
        except TimeoutError:
            return
        try:
            async with asyncio.timeout(_UNDER_WAY_S):
                await self.mass_cancel.answered(self._children(goal))
        except TimeoutError:
            return

    def _children(self, goal: Goal) -> list[ManagedOrder]:
        return [] if goal.control is None else self.mass_cancel.of_halt(goal.control)

    async def _look(self, goal: Goal) -> bool:
        """Read the lists; tell whether anything of them is missing."""
        missing = False
        for alias in self.terms.accounts:
            if goal.account not in ("", alias):
                continue
            try:
                found, complete = await self.sweep.look(alias)
            except BridgeError as error:
                log.warning("list of orders not read", account=alias, cause=str(error))
                missing = True
                continue
            missing = missing or not complete
            now = {one.key: one for one in found if goal.meant(one)}
            # What a complete list does not have any more is not open.
            kept = {k: one for k, one in goal.last.items() if one.account != alias or not complete}
            goal.last = kept | now
            for key, one in now.items():
                if one.row.remaining:
                    goal.first.setdefault(key, one)
        return missing

    def _under_way(self, goal: Goal) -> bool:
        """Tell whether something may still become or be open that the list does not show."""
        answered = all(one.progress.answer is not None for one in self._children(goal))
        return not answered or any(
            one.verb == "place"
            and one.progress.state in (State.SUBMITTING, State.UNKNOWN)
            and goal.covers(one)
            for one in self.mass_cancel.within(goal.account, goal.client)
        )

    async def _cancel(self, goal: Goal) -> list[Working]:
        """Cancel what is open and has no cancellation under way; return that."""
        now = self.terms.clock()
        busy = set()
        for child in self._children(goal):
            answer = child.progress.answer
            patience = _UNDER_WAY_S if answer is None else _LISTED_S
            since = child.received_at if answer is None else answer.at
            taken = answer is None or answer.event is Event.ACCEPT
            if taken and now < since + patience * 1_000_000:
                busy.add(self.blotter.order(child.identity))
        due = [
            one
            for one in goal.open()
            if (one.owner is None or one.owner not in busy)
            and now >= goal.taken.get(one.key, 0) + _LISTED_S * 1_000_000
        ]
        for one in due:
            goal.refused[one.key] = await self.sweep.cancel(one)
            if not goal.refused[one.key]:
                goal.taken[one.key] = self.terms.clock()
        return due

    def _believed(self, goal: Goal) -> Iterator[ManagedOrder]:
        """Yield what was open and is, as far as the journal knows."""
        whole = self.blotter.cancelled()
        for order in goal.about:
            over = order.progress.state in CLOSED or (*order.identity[:3], "") in whole
            if not over:
                yield order

    async def _end(self, goal: Goal) -> None:
        if goal.control is None:
            return
        try:
            await self.journal.fulfil(goal.control)
        except JournalError as error:  # a restart looks once more, and finds nothing
            log.warning("end of a halt's cancellations not written down", cause=str(error))

    # what is told

    def _tell_left(self, goal: Goal, left: list[Working]) -> None:
        keys = frozenset(one.key for one in left)
        if not left or keys == goal.told:
            return
        goal.told = keys
        now = self.terms.clock()
        event: HaltCancelledEvent = {
            "kind": "halted",
            "account": goal.account or None,
            "client": goal.client or None,
            "mode": goal.mode,
            "cancelled": len(goal.about.keys() - {one.owner for one in left}),
            "not_cancelled": len(left),
            "orders": [one.name for one in left[:_MOST]],
        }
        self.publisher.post(lambda: self.publisher.halted(event, now))

    def _tell_done(self, goal: Goal, why: str) -> None:
        cancelled, filled, left = outcome(goal, self.blotter.cancelled(), why)
        now = self.terms.clock()
        event: HaltDoneEvent = {
            "kind": "halt_done",
            "account": goal.account or None,
            "client": goal.client or None,
            "scope": goal.scope,
            "complete": not left,
            "attempts": goal.attempts,
            "cancelled": cancelled[:_MOST],
            "filled": filled[:_MOST],
            "left": left[:_MOST],
        }
        log.warning("halt has cancelled", cancelled=len(cancelled), left=len(left), why=why)
        self.publisher.post(lambda: self.publisher.halted(event, now))
