"""Halts and resumptions: a halt is in force at once, and journaled when its request is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from bridge.errors import JournalError
from bridge.mqtt.event_payloads import HaltedEvent, ResumedEvent
from bridge.orders.journal.journal import Journal
from bridge.orders.model.records import Control
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.risk.halts import Halts, Mode
from bridge.orders.routing.mass_cancel import MassCancel
from bridge.runtime.turns import News

__all__ = ["HaltControl"]


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
        publisher: Publisher,
        *,
        clock: Callable[[], int],
        news: News,
        stopping: asyncio.Event,
    ) -> None:
        self._halts = halts
        self._journal = journal
        self._mass_cancel = mass_cancel
        self._publisher = publisher
        self._clock = clock
        self._news = news
        self._stopping = stopping
        # Two halts at once would be in the journal in another order than they are in force.
        self._writing = asyncio.Lock()
        self._halted_at: dict[tuple[str, str], int] = {}
        self._latest = 0
        self._telling: asyncio.Queue[Control] = asyncio.Queue()

    async def run(self) -> None:
        """Tell what the cancellations of each halt left, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                control = await self._telling.get()
                tasks.create_task(self._mass_cancel.tell_halted(control))

    def recover(self, controls: Iterable[Control]) -> None:
        """Take up halts whose cancellations a restart interrupted."""
        for control in controls:
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
        asked_at: int | None = None,
    ) -> int:
        """Halt (or, with a blank mode, release) everybody, an account or a client, for good.

        It holds from this moment and is in the journal when this returns, also after a restart.
        ``asked_at`` is when it came (µs since the epoch): a resumption takes back no later halt.
        Returns how many open orders are being cancelled. Raises :class:`JournalError`; it holds
        then until the restart.
        """
        asked_at = self._clock() if asked_at is None else asked_at
        circle = (account, client)
        if mode:
            # At once, whatever the journal does. A resumption is the other way round: it holds only
            # when its turn comes, behind every halt that was asked for before it.
            self._halts.say(*circle, mode)
            self._halted_at[circle] = max(asked_at, self._halted_at.get(circle, 0))
            self._news.tell()
        async with self._writing:
            if not mode and asked_at < self._halted_at.get(circle, 0):
                return 0  # it came before a halt that holds
            # Each halt has a time of its own: it names the cancellations that come of it.
            self._latest = max(self._latest + 1, self._clock())
            control = Control(self._latest, account, client, mode, reason)
            return await self._write(control, mode, cancel_all=cancel_all)

    async def _write(self, control: Control, mode: Mode, *, cancel_all: bool) -> int:
        holds = self._halts.say(control.account, control.client, mode)
        self._news.tell()
        event = _event(control, holds)
        self._publisher.post(lambda: self._publisher.halted(event, control.at))
        # Cancellations that are made while the bridge stops would find nobody who sends them.
        if not cancel_all or self._stopping.is_set():
            await self._journal.control(control)
            if cancel_all:
                raise JournalError("the bridge stops: nothing is cancelled, ask again")
            return 0
        cancellations = await self._mass_cancel.halt(control)
        if cancellations:
            self._telling.put_nowait(control)
        return len(cancellations)


def _event(control: Control, holds: Mode) -> HaltedEvent | ResumedEvent:
    account, client = control.account or None, control.client or None
    if holds:
        return {
            "kind": "halted",
            "account": account,
            "client": client,
            "mode": holds,
            "reason": control.reason,
        }
    return {
        "kind": "resumed",
        "account": account,
        "client": client,
        "mode": None,
        "reason": control.reason,
    }
