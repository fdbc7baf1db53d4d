"""Commands on their way into the journal: one commit lets each in, whatever it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from bridge.errors import JournalError
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder, restore
from bridge.orders.model.records import Identity, Record

__all__ = ["Admission", "Admitted"]

log = structlog.get_logger()

_LEADS_TO: Mapping[Event, State] = {
    Event.SUBMIT: State.SUBMITTING,
    Event.REFUSE: State.REFUSED,
}


class Admitted(NamedTuple):
    """The command that the journal has under a name, and whether it is the one that just came."""

    managed: ManagedOrder
    new: bool


class Admission:
    """Writes commands down before the broker is told that it need not deliver them again."""

    def __init__(
        self, journal: Journal, blotter: Blotter, *, clock: Callable[[], int], pause_s: float
    ) -> None:
        self._journal = journal
        self._blotter = blotter
        self._clock = clock
        self._pause_s = pause_s
        self._latest = 0
        self._arrived: dict[Identity, int] = {}
        """When what is not in the journal yet came first."""
        self._entering: dict[ManagedOrder, asyncio.Event] = {}
        """What is not in the journal yet, and what happens when that is decided."""

    def arrival(self, identity: Identity, received_at: int) -> int:
        """Return when a command came: later than all before it, whatever the clock says.

        A ``cancel_all`` is about what came before it, so no two commands may have one time and none
        may seem older than it is. What is delivered again before it is in the journal came when it
        came first.
        """
        if identity not in self._arrived:
            self.resume(max(self._latest + 1, received_at))
            self._arrived[identity] = self._latest
        return self._arrived[identity]

    def resume(self, latest: int) -> None:
        """Let nothing come before what a restart found."""
        self._latest = max(self._latest, latest)

    async def admit(self, managed: ManagedOrder, *steps: Step) -> Admitted | None:
        """Write a command down with its first step, unless the journal has that name already.

        One that is submitted is in the blotter from now on, so that limits and other commands see
        it; nobody may hand it to KIS before this returns. None: it expired before it was written.
        """
        entered = any(step.event is Event.SUBMIT for step in steps)
        # Before the commit and not after it: while this waits for the disk, the next command is
        # checked against the limits already.
        for step in steps if entered else ():
            self._blotter.enter(managed, step)
        before = list(self._entering.items())
        self._entering[managed] = asyncio.Event()
        try:
            if managed.verb == "cancel_all":  # it is about everything that came before it
                await _decided(managed, before)
            # A second delivery that got into the journal while the first one tries again would be
            # there as ``received``, and a restart would send what the first one has sent.
            await _decided(
                managed, [pair for pair in before if pair[0].identity == managed.identity]
            )
            found = await self._write(managed, steps)
            admitted = found and self._admitted(managed, *found, entered=entered)
        finally:
            self._entering.pop(managed).set()
            self._arrived.pop(managed.identity, None)
        if entered and (admitted is None or admitted.managed is not managed):
            self._blotter.withdraw(managed)
        return admitted

    async def hold(self, managed: ManagedOrder) -> None:
        """Wait while a ``cancel_all`` of the client is on its way into the journal.

        What was not sent when it came is not to be sent, so nothing may slip out before it.
        """
        entering = self._entering.items()
        await _decided(managed, [pair for pair in entering if pair[0].verb == "cancel_all"])

    async def _write(
        self, managed: ManagedOrder, steps: Sequence[Step]
    ) -> tuple[Record, bool] | None:
        lines = [(step, _LEADS_TO[step.event]) for step in steps]
        while True:
            try:
                # Too late to begin. But an attempt that failed, or an earlier delivery, may have
                # written it all the same, and then its answer is the one that counts.
                if self._clock() >= managed.expires_at:
                    found = await self._journal.find(managed.identity)
                    return None if found is None else (found, False)
                return await self._journal.admit(managed.record(), *lines)
            except JournalError as error:
                log.warning("command not written down, trying again", cause=str(error))
                await asyncio.sleep(self._pause_s)

    def _admitted(
        self, managed: ManagedOrder, found: Record, new: bool, *, entered: bool
    ) -> Admitted:
        # An attempt that failed may have written it all the same: then it is found and not new.
        same = (found.received_at, found.digest) == (managed.received_at, managed.digest)
        if entered and (new or same):
            managed.id = found.id
            return Admitted(managed, True)
        known = None if entered else self._blotter.get(managed.identity)
        if known is None:
            known = managed.admitted(found) if new else restore(found)
            self._blotter.add(known)
        return Admitted(known, new)


async def _decided(
    managed: ManagedOrder, others: Sequence[tuple[ManagedOrder, asyncio.Event]]
) -> None:
    """Wait until it is decided which of the same client's commands get into the journal."""
    for one, decided in others:
        if one.identity[:2] == managed.identity[:2]:
            await decided.wait()
