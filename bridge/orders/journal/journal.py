"""What was asked and what became of it, on disk before anything follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.orders.journal import queries
from bridge.orders.journal.identity import Binding
from bridge.orders.journal.standing import JournalStanding
from bridge.orders.journal.writer import Writer, WriterThread
from bridge.orders.model.lifecycle import State, Step
from bridge.orders.model.records import Control, Identity, JournalStep, NewRecord, Record

__all__ = ["Journal"]


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
        return await self._writer.run(
            lambda connection, careful: queries.admit(connection, new, lines, careful=careful),
            writes=True,
        )

    async def append(self, *lines: JournalStep) -> None:
        """Write steps down, all of them or none."""
        await self._writer.run(
            lambda connection, careful: queries.append(connection, lines, careful=careful),
            writes=True,
        )

    async def catch_up(
        self, kept: Mapping[int, NewRecord], lines: Sequence[JournalStep]
    ) -> Mapping[int, int]:
        """Write down commands that were kept in memory, with these steps, all or none.

        ``kept`` by the number that the steps name them by. Returns which number each has in the
        journal; 0: another command has its name, so that nothing of it is written.
        """
        return await self._writer.run(
            lambda connection, careful: queries.catch_up(connection, kept, lines, careful=careful),
            writes=True,
        )

    async def expand(self, cause: JournalStep | Control, new: Sequence[NewRecord]) -> list[Record]:
        """Write down a step of a command, or a halt, and the commands that come of it, or nothing.

        Returns what the journal has of them now; those that were there already stay as they were.
        """
        return await self._writer.run(
            lambda connection, careful: queries.expand(connection, cause, new, careful=careful),
            writes=True,
        )

    async def control(self, control: Control) -> None:
        """Write down that somebody is halted, or no more."""
        await self._writer.run(
            lambda connection, _: queries.control(connection, control), writes=True
        )

    async def controls(self) -> list[Control]:
        """Return every halt and resumption, oldest first."""
        return await self._writer.run(lambda connection, _: queries.read_controls(connection))

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
