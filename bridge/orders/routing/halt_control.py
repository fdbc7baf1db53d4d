"""Halts and resumptions: a halt is in force at once, and written down as soon as can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import structlog

from bridge.errors import JournalError
from bridge.mqtt.event_payloads import HaltedEvent, HaltedMode, HaltScope, ResumedEvent
from bridge.orders.journal.journal import Journal
from bridge.orders.model.records import Control
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.risk.halts import HaltOutcome, Halts, Mode
from bridge.orders.routing.goal import Goal
from bridge.orders.routing.goals import Goals
from bridge.orders.routing.mass_cancel import MassCancel
from bridge.runtime.turns import News

__all__ = ["HaltControl"]

log = structlog.get_logger()

_ANSWER_S = 1.0
"""How long whoever halts waits for the disk."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A halt or resumption that is being written down."""

    account: str
    client: str
    mode: Mode
    reason: str
    scope: Literal["", HaltScope]
    """What to cancel; blank: nothing."""
    at: int
    done: asyncio.Future[HaltOutcome]
    goal: Goal | None


class HaltControl:
    """Halts everybody, an account or a client, and lets them go again.

    ``stopping`` is set when the bridge stops: nothing is cancelled any more. ``news`` wakes what
    waits for its turn, so that it sees the halt.
    """

    def __init__(
        self,
        halts: Halts,
        journal: Journal,
        mass_cancel: MassCancel,
        goals: Goals,
        publisher: Publisher,
        *,
        clock: Callable[[], int],
        news: News,
        stopping: asyncio.Event,
        pause_s: float,
    ) -> None:
        self._halts = halts
        self._journal = journal
        self._mass_cancel = mass_cancel
        self._goals = goals
        self._publisher = publisher
        self._clock = clock
        self._news = news
        self._stopping = stopping
        self._pause_s = pause_s
        # Two halts at once would be in the journal in another order than they are in force.
        self._writing = asyncio.Lock()
        self._halted_at: dict[tuple[str, str], int] = {}
        self._latest = 0
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._telling: asyncio.Queue[Control] = asyncio.Queue()
        self._begun: asyncio.Queue[Goal] = asyncio.Queue()

    async def run(self) -> None:
        """Write halts down and tell what the cancellations of each left, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_each(tasks))
            tasks.create_task(self._reach_each(tasks))
            while True:
                asked = await self._asked.get()
                tasks.create_task(self._answer(asked))

    async def _tell_each(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            control = await self._telling.get()
            tasks.create_task(self._mass_cancel.tell_halted(control))

    async def _reach_each(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            goal = await self._begun.get()
            tasks.create_task(self._goals.reach(goal))

    def recover(self, controls: Iterable[Control]) -> None:
        """Take up halts whose cancellations a restart interrupted."""
        for control in controls:
            if control.scope:
                mode: HaltedMode = "reduce_only" if control.mode == "reduce_only" else "halted"
                circle = (control.account, control.client)
                self._begun.put_nowait(self._goals.begin(*circle, mode, control.scope, control))
            if any(not one.progress.answer for one in self._mass_cancel.of_halt(control)):
                self._telling.put_nowait(control)

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
        """Halt (or, with a blank mode, release) everybody, an account or a client, for good.

        A halt holds from this moment, whatever the journal does, and is written as soon as that is
        possible; whoever asks waits for that a second at most. ``cancel_all`` cancels what is open,
        until the exchange has nothing: of us, or of the ``account``. ``asked_at`` is when it came
        (µs since the epoch): a resumption takes back no later halt. Raises :class:`JournalError`: a
        resumption is not written, and maybe does not hold; or the bridge stops.
        """
        asked_at = self._clock() if asked_at is None else asked_at
        done: asyncio.Future[HaltOutcome] = asyncio.get_running_loop().create_future()
        goal = None
        if mode and cancel_all and not self._stopping.is_set():
            goal = self._goals.begin(account, client, mode, scope)
            self._begun.put_nowait(goal)
        wanted = scope if mode and cancel_all else ""
        asked = _Asked(account, client, mode, reason, wanted, asked_at, done, goal)
        if mode:
            # At once, whatever the journal does. A resumption is the other way round: it holds only
            # when its turn comes, behind every halt that was asked for before it.
            self._halted_at[account, client] = max(
                asked_at, self._halted_at.get((account, client), 0)
            )
            self._say(asked)
        if self._stopping.is_set():  # nobody takes it out of the queue any more
            return await self._bring(asked)
        self._asked.put_nowait(asked)
        await asyncio.wait([done], timeout=_ANSWER_S if mode else None)
        if done.done() and not done.cancelled():
            return done.result()
        waiting = self._mass_cancel.open_in(account, client) if cancel_all else 0
        return HaltOutcome(waiting, written=False)

    def _say(self, asked: _Asked) -> None:
        now, holds = self._clock(), self._halts.say(asked.account, asked.client, asked.mode)
        self._news.tell()
        event = _event(asked, holds)
        self._publisher.post(lambda: self._publisher.halted(event, now))

    async def _answer(self, asked: _Asked) -> None:
        try:
            outcome = await self._bring(asked)
        except JournalError as error:
            if not asked.done.done():
                asked.done.set_exception(error)
                asked.done.exception()  # whoever asked may have stopped waiting
        else:
            if not asked.done.done():
                asked.done.set_result(outcome)
        finally:
            asked.done.cancel()

    async def _bring(self, asked: _Asked) -> HaltOutcome:
        """Write a halt or resumption down, in its turn; a halt until that succeeds."""
        if asked.mode:
            async with self._writing:
                control = self._control(asked)
                while True:
                    try:
                        return HaltOutcome(await self._write(control, asked), written=True)
                    except JournalError as error:
                        if self._stopping.is_set():
                            raise
                        log.warning("halt not written down, trying again", cause=str(error))
                        await asyncio.sleep(self._pause_s)
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._writing.acquire()
        except TimeoutError:
            raise JournalError("a halt before it is not written down yet: ask again") from None
        try:
            if asked.at < self._halted_at.get((asked.account, asked.client), 0):
                return HaltOutcome(0, written=True)  # it came before a halt that holds
            control = self._control(asked)
            self._say(asked)
            await self._journal.control(control)
        finally:
            self._writing.release()
        return HaltOutcome(0, written=True)

    def _control(self, asked: _Asked) -> Control:
        # Each halt has a time of its own: it names the cancellations that come of it.
        self._latest = max(self._latest + 1, self._clock())
        return Control(
            *(self._latest, asked.account, asked.client, asked.mode, asked.reason, asked.scope)
        )

    async def _write(self, control: Control, asked: _Asked) -> int:
        # Cancellations that are made while the bridge stops would find nobody who sends them.
        if not asked.scope or self._stopping.is_set():
            await self._journal.control(control)
            if asked.scope:
                raise JournalError("the bridge stops: nothing is cancelled, ask again")
            return 0
        cancellations = await self._mass_cancel.halt(control)
        if asked.goal is not None:
            asked.goal.control = control
            asked.goal.written.set()
        if cancellations:
            self._telling.put_nowait(control)
        return len(cancellations)


def _event(asked: _Asked, holds: Mode) -> HaltedEvent | ResumedEvent:
    account, client = asked.account or None, asked.client or None
    if holds:
        return {
            "kind": "halted",
            "account": account,
            "client": client,
            "mode": holds,
            "reason": asked.reason,
        }
    return {
        "kind": "resumed",
        "account": account,
        "client": client,
        "mode": None,
        "reason": asked.reason,
    }
