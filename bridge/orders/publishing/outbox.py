"""Every step of every order: applied in memory, written in that order, published when on disk.

In memory first, because the next decision is due before the disk has answered. Published last,
because what a client has been told must still be true after a crash.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bridge.errors import JournalError
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, LifecycleError, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import JournalStep, NewRecord, Record
from bridge.orders.publishing import payloads
from bridge.orders.publishing.publisher import Publisher, Saying
from bridge.runtime.turns import News

__all__ = ["Outbox"]

log = structlog.get_logger()

_FILLS = (Event.FILL_PART, Event.FILL_REST, Event.FILL_LAST)


@dataclass(slots=True)
class _Entry:
    line: JournalStep
    sayings: Sequence[Saying]
    urgent: bool


class Outbox:
    """Steps go through here one after the other, whoever found them.

    While the journal cannot be written they wait in their order. None is lost and none overtakes.
    ``on_fill(order, quantity)`` is called for each fill, when it is known and not yet written.
    """

    def __init__(
        self,
        blotter: Blotter,
        journal: Journal,
        publisher: Publisher,
        *,
        clock: Callable[[], int],
        pause_s: float,
        on_fill: Callable[[ManagedOrder, int], None],
    ) -> None:
        self._blotter = blotter
        self._journal = journal
        self._publisher = publisher
        self._clock = clock
        self._pause_s = pause_s
        self._on_fill = on_fill
        self._entries: list[_Entry] = []
        self._kept: dict[int, NewRecord] = {}
        """Commands that are in memory alone, by the number that stands for them until then."""
        self._keys = itertools.count(-1, -1)
        self._taken = 0
        self._written = 0
        self._wake = asyncio.Event()
        self._attempts = News()
        self._failing = False
        self._under_way: tuple[list[_Entry], Awaitable[None]] | None = None
        """What is being written, until the next attempt may begin."""

    async def run(self) -> None:
        """Write what is taken, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, writing = self._under_way or self._begin()
            try:
                await writing
            except JournalError as error:
                log.warning("journal not written, trying again", cause=str(error))
                self._failing = True
                self._tell([entry for entry in batch if entry.urgent])
                self._attempts.tell()
                await asyncio.sleep(self._pause_s)
                self._under_way = None
                self._wake.set()  # also when nothing new comes
            else:
                self._failing = False
                self._under_way = None
                del self._entries[: len(batch)]
                self._written += len(batch)
                if self._entries or self._kept:  # it came after this batch was made up
                    self._wake.set()
                self._tell(batch)
                self._attempts.tell()

    def _begin(self) -> tuple[list[_Entry], Awaitable[None]]:
        """Hand what waits to the journal; return that, and what ends when it is written."""
        # Everything that waits goes into one commit: a burst costs one wait for the disk. What
        # comes during it is appended, so that the batch stays the front of the list.
        batch, kept = self._entries[:], dict(self._kept)
        lines = [entry.line for entry in batch if entry.line.command]
        writing = self._catch_up(kept, lines) if kept else self._journal.append(*lines)
        self._under_way = batch, writing
        return self._under_way

    async def _catch_up(self, kept: Mapping[int, NewRecord], lines: Sequence[JournalStep]) -> None:
        self._written_down(await self._journal.catch_up(kept, lines))

    def _written_down(self, ids: Mapping[int, int]) -> None:
        """Give commands that were kept the numbers that they have in the journal."""
        for key, number in ids.items():
            identity = self._kept.pop(key).identity
            managed = self._blotter.get(identity)
            if managed is not None and managed.id == key:
                managed.id = number
            if not number:
                log.warning("not written down, its name was there already", identity=identity)
        for entry in self._entries:  # what came while this was written
            number = ids.get(entry.line.command, entry.line.command)
            entry.line = replace(entry.line, command=number)

    @property
    def failing(self) -> bool:
        """Whether the last attempt to write failed, so that what was taken waits here."""
        return self._failing

    def take(
        self, managed: ManagedOrder, step: Step, *sayings: Saying, urgent: bool = False
    ) -> None:
        """Apply a step, and have it written and then told.

        ``urgent`` is told after the first attempt to write, whatever came of it. Raises
        :class:`LifecycleError` and changes nothing.
        """
        self._entries.append(_Entry(self._blotter.step(managed, step), sayings, urgent))
        self._taken += 1
        self._wake.set()

    def keep(self, new: NewRecord, *lines: tuple[Step, State]) -> Record:
        """Take a command that the journal has no room for now; return what it will have of it.

        It is written as soon as that is possible, with everything that happened to it until then.
        The process may end before that: only what may be forgotten then is to be kept.
        """
        key = next(self._keys)
        self._kept[key] = new
        for number, line in enumerate(lines, 1):
            self.put(JournalStep(key, number, *line))
        self._wake.set()
        return Record(
            *(key, new.identity, new.verb, new.digest, new.body, new.received_at, new.expires_at),
            tuple(step for step, _ in lines),
            new.origin,
        )

    def put(self, line: JournalStep) -> None:
        """Have a step written that is applied already."""
        self._entries.append(_Entry(line, (), False))
        self._taken += 1
        self._wake.set()

    def divide(self, order: ManagedOrder, parts: Mapping[str, int] | None) -> None:
        """Take note of what is left under each number of an order; it is in no journal."""
        self._blotter.divide(order, parts)

    def happen(
        self, order: ManagedOrder, step: Step | None, change: ManagedOrder | None = None
    ) -> bool:
        """Apply what happened to an order and have it told; False: it does not fit the order.

        ``change`` is the command that a ``SETTLE`` is about.
        """
        if step is None:
            return False
        try:
            self.take(order, step)
        except LifecycleError as error:
            log.warning("step does not fit the order", order=order.identity, cause=str(error))
            return False
        if step.event in _FILLS:
            self._on_fill(order, step.quantity)
        # Rendered now: when the disk is done, the order may have moved on.
        if step.event is not Event.NOTE:
            event = payloads.event(order, step, change)
            self._entries[-1].sayings = (
                lambda: self._publisher.event(order, event),
                self.state(order),
            )
        return True

    def afterwards(self, *sayings: Saying) -> None:
        """Have something told after everything that was taken so far."""
        # With the last step that waits for the disk, so that it is not told before what it follows.
        if self._entries:
            self._entries[-1].sayings = (*self._entries[-1].sayings, *sayings)
        else:
            self._publisher.post(*sayings)

    def state(self, order: ManagedOrder) -> Saying:
        """Return what publishes the order as it is now."""
        # Written out when it is told: an ack goes before it, and need not wait for that.
        progress, now = order.progress, self._clock()
        return lambda: self._publisher.state(order, payloads.state(order, progress), now)

    async def flush(self, until: int | None = None) -> bool:
        """Wait until everything taken so far is on disk.

        False: it is not, the last attempt failed, and ``until`` has passed.
        """
        wanted = self._taken
        if self._written < wanted and self._under_way is None and not self._kept:
            self._begin()  # a turn of the event loop earlier than :meth:`run` would
        while self._written < wanted:
            await self._attempts.wait()
            late = until is not None and self._clock() >= until
            # Late alone is no reason to give up: an attempt is under way, and if it succeeds the
            # step holds, whatever its owner has decided meanwhile.
            if self._written < wanted and self._failing and late:
                return False
        return True

    def _tell(self, entries: Sequence[_Entry]) -> None:
        for entry in entries:
            self._publisher.post(*entry.sayings)
            entry.sayings = ()
