"""Commands on their way into the journal: one commit lets each in, whatever it comes to.

While the journal cannot be written, what adds is refused, and that soon: nothing is worse for a
client than not to know. But only where nothing of the command can turn up in the journal later,
because a restart would send it. Cancellations go without the journal: whoever forgets one and
sends it again does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog

from bridge.errors import JournalError, NotWrittenError
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder, restore
from bridge.orders.model.records import Identity, Record
from bridge.orders.risk.limits import Refusal

__all__ = ["Admission", "Admitted"]

log = structlog.get_logger()

_LEADS_TO: Mapping[Event, State] = {
    Event.SUBMIT: State.SUBMITTING,
    Event.REFUSE: State.REFUSED,
}


_PATIENCE_S = 1.0
"""How long the journal may fail before something is refused: many a failure is over at once."""

_TOLD_LATE = 10_000


def unavailable(why: str) -> Refusal:
    """Return the refusal of what the journal cannot take."""
    return Refusal("journal_unavailable", f"{why}; cancellations pass")


class Admitted(NamedTuple):
    """The command that the journal has under a name, and whether it is the one that just came."""

    managed: ManagedOrder
    new: bool


class Admission:
    """Writes commands down before the broker is told that it need not deliver them again."""

    def __init__(
        self,
        journal: Journal,
        blotter: Blotter,
        keep: Callable[..., Record],
        *,
        clock: Callable[[], int],
        pause_s: float,
    ) -> None:
        self._journal = journal
        self._keep = keep
        self._blotter = blotter
        self._clock = clock
        self._pause_s = pause_s
        self._latest = 0
        self._arrived: dict[Identity, int] = {}
        """When what is not in the journal yet came first."""
        self._told_late: dict[Identity, int] = {}
        """What was refused as expired, with its deadline; the newest."""
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

    def over(self, managed: ManagedOrder) -> bool:
        """Tell whether it is too late for a command.

        What was refused as expired stays it, also when the clock was wrong then and is right now. A
        broker that missed the PUBACK delivers it again, and its client knows that it is not sent.
        """
        told = self._told_late.get(managed.identity, 0)
        return told >= managed.expires_at or self._clock() >= managed.expires_at

    async def admit(self, managed: ManagedOrder, *steps: Step) -> Admitted | Refusal:
        """Write a command down with its first step, unless the journal has that name already.

        One that is submitted is in the blotter from now on, so that limits and other commands see
        it; nobody may hand it to KIS before this returns. A refusal as ``expired``: that is in no
        journal and never will be. As ``journal_unavailable``: it is in the blotter, and its refusal
        is still to be taken.
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
            same = [pair for pair in before if pair[0].identity == managed.identity]
            if same:
                await _decided(managed, same)
            known = self._blotter.get(managed.identity)
            if known is not None and known is not managed and known.id < 0:
                return Admitted(known, False)  # it waits in memory for the journal
            written = await self._write(managed, steps)
            refusal = written if isinstance(written, Refusal) else None
            if refusal is not None and refusal.reason == "expired":
                if entered:
                    self._blotter.withdraw(managed)
                return refusal
            if isinstance(written, tuple):
                found, new = written
            else:
                found, new = self._keep(managed.record(), *_lines(steps)), True
            admitted = self._admitted(managed, found, new, entered=entered)
        finally:
            self._entering.pop(managed).set()
            self._arrived.pop(managed.identity, None)
        if entered and admitted.managed is not managed:
            self._blotter.withdraw(managed)
        decided = admitted.managed.progress.answer is not None
        return admitted if refusal is None or decided else refusal

    async def hold(self, managed: ManagedOrder) -> None:
        """Wait while a ``cancel_all`` of the client is on its way into the journal.

        What was not sent when it came is not to be sent, so nothing may slip out before it.
        """
        entering = self._entering.items()
        await _decided(managed, [pair for pair in entering if pair[0].verb == "cancel_all"])

    async def _write(
        self, managed: ManagedOrder, steps: Sequence[Step]
    ) -> tuple[Record, bool] | Refusal | None:
        """Return what the journal has of a command now, and whether it is new; or why nothing.

        None: it goes without the journal.
        """
        certain = True
        """That nothing of what was tried can be in the journal."""
        while True:
            try:
                # Too late to begin. But an attempt that failed, or an earlier delivery, may have
                # written it all the same, and then its answer is the one that counts.
                if self.over(managed):
                    found = await self._journal.find(managed.identity)
                    return self._late(managed) if found is None else (found, False)
                return await self._journal.admit(managed.record(), *_lines(steps))
            except JournalError as error:
                log.warning("command not written down, trying again", cause=str(error))
                certain = certain and isinstance(error, NotWrittenError)
                if managed.harmless or (certain and self._long_enough()):
                    with suppress(JournalError):  # an earlier delivery may be there, to be read
                        found = await self._journal.find(managed.identity)
                        if found is not None:
                            return found, False
                        if not managed.harmless:
                            return unavailable(str(error))
                    if managed.harmless:
                        return None
                    # Nothing is sent any more, and no restart goes on before a person has looked.
                    if self._journal.standing.replaced:
                        return unavailable(str(error))
                await asyncio.sleep(self._pause_s)

    def _late(self, managed: ManagedOrder) -> Refusal:
        """Refuse what the journal does not have and will not get; a later deadline is welcome."""
        while len(self._told_late) >= _TOLD_LATE:
            del self._told_late[next(iter(self._told_late))]
        self._told_late[managed.identity] = managed.expires_at
        return Refusal("expired", "it expired before it could be written down")

    def _long_enough(self) -> bool:
        since = self._journal.standing.failing_since
        if self._journal.standing.replaced:
            return True  # nobody knows of a failure like that being over at once
        return since is not None and asyncio.get_running_loop().time() - since >= _PATIENCE_S

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


def _lines(steps: Sequence[Step]) -> list[tuple[Step, State]]:
    return [(step, _LEADS_TO[step.event]) for step in steps]


async def _decided(
    managed: ManagedOrder, others: Sequence[tuple[ManagedOrder, asyncio.Event]]
) -> None:
    """Wait until it is decided which of the same client's commands get into the journal."""
    for one, decided in others:
        if one.identity[:2] == managed.identity[:2]:
            await decided.wait()
