"""What was asked and what became of it, on disk before anything follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from bridge.errors import NotOwnerError
from bridge.orders.journal import claims, controls, queries
from bridge.orders.journal.claims import JournalClaim
from bridge.orders.journal.database import lock_name
from bridge.orders.journal.identity import Binding
from bridge.orders.journal.standing import JournalStanding
from bridge.orders.journal.writer import Writer, WriterThread
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.records import Control, Identity, JournalStep, NewRecord, Record
from bridge.runtime.clock import now_us

__all__ = ["Journal"]

_T = TypeVar("_T")


class Journal:
    """The order journal at a SQLAlchemy URL; ``sqlite:///FILE`` is made when it is missing.

    Each method returns when its result is on disk, and raises :class:`JournalError` when it is
    not known to be there: asking again is right, :meth:`admit` tells what it found. ``binding`` is
    what it is used with. ``writer`` is who works with the database, a thread unless something else
    is given.
    """

    def __init__(
        self, url: str, writer: Writer | None = None, *, binding: Binding | None = None
    ) -> None:
        self.standing = JournalStanding()
        self._writer = writer or WriterThread(url, binding, self.standing)
        self._url = url
        self._owner, self._scopes = "", 0
        """Who has claimed how many accounts here; blank: nobody asks, and nothing is checked."""
        self.taken_over = asyncio.Event()
        """Set when another bridge has taken over a claim that was held here."""

    async def open(self) -> None:
        """Open it, and keep every other process out.

        Raises :class:`JournalError`, also when it belongs to another environment or account.
        """
        await self._writer.open()

    async def close(self) -> None:
        """Write what was handed over, then let go of the database."""
        await self._writer.close()

    async def look(self) -> None:
        """See whether it is still the one that was opened; :attr:`standing` tells."""
        await self._writer.run(lambda *_: None)

    async def admit(self, new: NewRecord, *lines: tuple[Step, State]) -> tuple[Record, bool]:
        """Write a command down unless its identity is there already.

        Returns the record that is in the journal now, and whether it is this one.
        """
        return await self._write(
            lambda connection, careful: queries.admit(connection, new, lines, careful=careful),
            sends=any(step.event is Event.SUBMIT for step, _ in lines),
        )

    async def append(self, *lines: JournalStep) -> None:
        """Write steps down, all of them or none."""
        await self._write(
            lambda connection, careful: queries.append(connection, lines, careful=careful),
            sends=any(line.step.event is Event.SUBMIT for line in lines),
        )

    async def catch_up(
        self, kept: Mapping[int, NewRecord], lines: Sequence[JournalStep]
    ) -> Mapping[int, int]:
        """Write down commands that were kept in memory, with these steps, all or none.

        ``kept`` by the number that the steps name them by. Returns which number each has in the
        journal; 0: another command has its name, so that nothing of it is written.
        """
        return await self._write(
            lambda connection, careful: queries.catch_up(connection, kept, lines, careful=careful),
            sends=any(line.step.event is Event.SUBMIT for line in lines),
        )

    async def expand(self, cause: JournalStep | Control, new: Sequence[NewRecord]) -> list[Record]:
        """Write down a step of a command, or a halt, and the commands that come of it, or nothing.

        Returns what the journal has of them now; those that were there already stay as they were.
        """
        return await self._write(
            lambda connection, careful: queries.expand(connection, cause, new, careful=careful),
            sends=isinstance(cause, JournalStep) and cause.step.event is Event.SUBMIT,
        )

    async def _write(self, work: Callable[[Connection, bool], _T], *, sends: bool) -> _T:
        """Write something; ``sends``: that an order is handed to KIS, which only its owner may."""
        owner, scopes = self._owner, self._scopes
        if not owner or not sends:
            return await self._writer.run(work, writes=True)

        def fenced(connection: Connection, careful: bool) -> _T:
            claims.confirm(connection, owner, scopes, now_us())
            return work(connection, careful)

        return await self._noticing(fenced)

    async def _noticing(self, work: Callable[[Connection, bool], _T]) -> _T:
        try:
            return await self._writer.run(work, writes=True)
        except NotOwnerError:
            if self._owner:
                self.taken_over.set()
            raise

    # whose it is

    async def claims(self, scopes: Sequence[str]) -> Mapping[str, JournalClaim]:
        """Return who has claimed these accounts in this journal."""
        return await self._writer.run(lambda connection, _: claims.read(connection, scopes))

    def lock_name(self) -> str:
        """Return the name of the lock that this bridge holds; :func:`database.lock_name`."""
        return lock_name(self._url)

    async def take(
        self, owner: str, scopes: Sequence[str], known: Mapping[str, JournalClaim]
    ) -> int:
        """Claim these accounts, if their claims are still the known ones; return the highest fence.

        From now on nothing is written as being sent unless the claim still holds, which is seen in
        the same transaction. Raises :class:`NotOwnerError` when another bridge was quicker.
        """
        lock, at = self.lock_name(), now_us()
        highest = await self._writer.run(
            lambda connection, _: claims.take(
                connection, scopes, known, owner=owner, lock=lock, at=at
            ),
            writes=True,
        )
        self._owner, self._scopes = owner, len(scopes)
        return highest

    async def beat(self) -> None:
        """Say that the claims are alive; raises :class:`NotOwnerError` when they are not."""
        owner, scopes = self._owner, self._scopes
        await self._noticing(
            lambda connection, _: claims.confirm(connection, owner, scopes, now_us())
        )

    async def release(self) -> None:
        """Give the claims up."""
        owner = self._owner
        await self._writer.run(lambda connection, _: claims.release(connection, owner), writes=True)

    async def control(self, control: Control) -> None:
        """Write down that somebody is halted, or no more."""
        await self._writer.run(lambda connection, _: controls.add(connection, control), writes=True)

    async def fulfil(self, control: Control) -> None:
        """Write down that a halt has nothing to cancel any more."""
        await self._writer.run(
            lambda connection, _: controls.fulfil(connection, control), writes=True
        )

    async def controls(self) -> list[Control]:
        """Return every halt and resumption, oldest first."""
        return await self._writer.run(lambda connection, _: controls.read(connection))

    async def clients(self) -> frozenset[str]:
        """Return the names of the clients that have sent commands."""
        return await self._writer.run(lambda connection, _: queries.clients(connection))

    async def find(self, identity: Identity) -> Record | None:
        """Return the command of that identity."""
        return await self._writer.run(lambda connection, _: queries.find(connection, identity))

    async def latest(self) -> int:
        """Return when the last step happened, µs since the epoch; 0: none ever did."""
        return await self._writer.run(lambda connection, _: queries.latest(connection))

    async def replay(self, since: int) -> list[Record]:
        """Return, oldest first, what was received since then and whatever is still open."""
        return await self._writer.run(lambda connection, _: queries.replay(connection, since))
