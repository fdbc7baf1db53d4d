"""What was asked and what became of it, on disk before anything follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from bridge.config.models import Config
from bridge.errors import JournalError, NotOwnerError, NotWrittenError
from bridge.mqtt.signatures import Seal
from bridge.orders.journal import claims, controls, nonces, queries
from bridge.orders.journal.claims import Claimant, JournalClaim
from bridge.orders.journal.database import lock_name, parse
from bridge.orders.journal.identity import Binding, Mark
from bridge.orders.journal.reader import read_claims
from bridge.orders.journal.sidecar import Sidecar, SidecarMark
from bridge.orders.journal.standing import JournalStanding
from bridge.orders.journal.writer import Writer, WriterThread
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.records import Control, Identity, JournalStep, NewRecord, Record
from bridge.runtime.clock import now_us

__all__ = ["Journal"]

log = structlog.get_logger()

_MEND = "look at the exchange's orders, then kis-bridge journal adopt"
_MOST_KNOWN = 100  # orders have stopped by then: whoever tells of so many is no bridge
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
        self._sidecar = Sidecar.of(parse(url))
        self._known: dict[str, int] = {}
        """Journals that were used here, and how far they had come."""
        self._given_up: set[str] = set()
        """Those of them that a person has given up."""
        self._better: Mark | None = None
        """The one that has what this one lacks."""
        self._saved: SidecarMark | None = None
        self._opened = False
        self._writer = writer or WriterThread(url, binding, self.standing)
        self._url = url
        self._owner = ""  # who has claimed accounts here; blank: nobody asks, nothing is checked
        self._scopes: Sequence[str] = ()
        self._claim: Claimant | None = None
        self.taken_over = asyncio.Event()
        """Set when another bridge has taken over a claim that was held here."""

    @classmethod
    def of(cls, config: Config) -> Journal:
        """Make the one that the configuration names, for its environment and accounts."""
        return cls(config.journal_url.get_secret_value(), binding=Binding.of(config.kis))

    async def open(self) -> None:
        """Open it, and keep every other process out.

        Raises :class:`JournalError`, also when it belongs to another environment or account.
        """
        await self._writer.open()
        self._opened, self._saved = True, None
        if self._sidecar is not None:
            known = await asyncio.to_thread(self._sidecar.read)
            if known is not None:
                self._given_up |= set(known.given_up)
                await self.compare(known.mark, str(self._sidecar.path))
            await self.save_mark()

    async def close(self) -> None:
        """Write what was handed over, then let go of the database."""
        if self._opened:
            # While nobody else can have it: the next bridge would know more.
            self._opened = False
            with suppress(JournalError):
                await self.look()
            await self.save_mark()
        await self._writer.close()

    @property
    def mark(self) -> Mark:
        """Which journal it is, and how many commits it has on disk for certain."""
        return self._writer.mark

    async def compare(self, known: Mark, where: str) -> None:
        """Hold the journal against what is known elsewhere; :attr:`standing` tells.

        Raises :class:`JournalError`.
        """
        if known.journal in self._given_up or len(self._known) >= _MOST_KNOWN:
            return
        self._known[known.journal] = max(known.generation, self._known.get(known.journal, 0))
        await self._writer.refresh()
        mine, why = self.mark, ""
        if known.journal != mine.journal:
            why = f"orders may be missing: {where} knows another journal; {_MEND}"
        elif known.generation > mine.generation:
            why = (
                f"orders are missing: the journal is an older copy with {mine.generation} commits, "
                f"{where} knows of {known.generation}; {_MEND}"
            )
        if why:
            self._better = self._better or known
            self.standing.doubt(why)
            if known.journal == mine.journal:
                # From here on it is another one: otherwise it would soon have as many commits.
                await self._writer.adopt(0)

    async def adopt(self) -> None:
        """Go on with the journal as it is, whatever was known of others."""
        await self._writer.adopt(max(self._known.values(), default=0))
        self._given_up |= self._known.keys()
        self._known.clear()
        self._better = None
        self.standing.adopted()
        await self.save_mark()

    async def save_mark(self) -> None:
        """Remember beside the journal how far it has come; nobody need wait for it."""
        # What is known of a better journal is not to be forgotten.
        mark, given_up = self._better or self.mark, tuple(sorted(self._given_up))
        known = SidecarMark(mark, self._writer.within, given_up)
        if self._sidecar is None or known == self._saved:
            return
        try:
            await asyncio.to_thread(self._sidecar.write, known)
            self._saved = known
        except OSError as error:
            log.warning("not written", file=str(self._sidecar.path), cause=error.strerror)

    async def look(self) -> None:
        """See whether it is still the one that was opened; :attr:`standing` tells."""
        await self._writer.run(lambda *_: None)

    async def admit(self, new: NewRecord, *lines: tuple[Step, State]) -> tuple[Record, bool]:
        """Write a command down unless its identity is there already.

        Returns the record that is in the journal now, and whether it is this one.
        """
        claim = self._claim if any(step.event is Event.SUBMIT for step, _ in lines) else None

        def work(connection: Connection, careful: bool) -> tuple[Record, bool]:
            return queries.admit(connection, new, lines, careful=careful, claim=claim)

        return await (self._write(work, sends=False) if claim is None else self._noticing(work))

    def append(self, *lines: JournalStep) -> Awaitable[None]:
        """Write steps down, all of them or none; begins at once, not when it is awaited."""
        return self._write(
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

    def _write(self, work: Callable[[Connection, bool], _T], *, sends: bool) -> Awaitable[_T]:
        """Write something; ``sends``: that an order is handed to KIS, which only its owner may."""
        claim = self._claim
        if claim is None or not sends:
            return self._writer.run(work, writes=True)

        def fenced(connection: Connection, careful: bool) -> _T:
            claims.confirm(connection, claim)
            return work(connection, careful)

        return self._noticing(fenced)

    async def _noticing(self, work: Callable[[Connection, bool], _T]) -> _T:
        try:
            return await self._writer.run(work, writes=True)
        except (NotOwnerError, NotWrittenError) as error:
            # Whoever takes over writes, and a journal that somebody else writes looks as if it had
            # been put back to another state.
            if not isinstance(error, NotOwnerError) and not await self._is_lost():
                raise
            self.taken_over.set()
            raise NotOwnerError(
                "another bridge has taken over the journal: this one writes no order any more"
            ) from None

    async def _is_lost(self) -> bool:
        with suppress(JournalError):
            rows = await self.claims(self._scopes)
            return any(row.owner != self._owner for row in rows.values())
        return False

    async def claims(self, scopes: Sequence[str]) -> Mapping[str, JournalClaim]:
        """Return who has claimed these accounts in this journal."""
        return await self._writer.run(lambda connection, _: claims.read(connection, scopes))

    async def glance(self, scopes: Sequence[str]) -> Mapping[str, JournalClaim]:
        """Return the same while it is not open here: nothing of it is disturbed."""
        return await asyncio.to_thread(read_claims, self._url, scopes)

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
        self._owner, self._scopes = owner, scopes
        self._claim = Claimant(owner, len(scopes))
        return highest

    async def beat(self) -> None:
        """Say that the claims are alive; raises :class:`NotOwnerError` when they are not."""
        claim = self._claim or Claimant("", 0)
        await self._noticing(lambda one, _: claims.beat(one, claim, now_us()))

    async def inherit(self, since: int) -> None:
        """Write down since when a silent bridge may have sent what is not in here; 0: none has."""
        owner = self._owner
        await self._writer.run(lambda one, _: claims.inherit(one, owner, since), writes=True)

    async def release(self) -> None:
        """Give the claims up."""
        owner = self._owner
        await self._writer.run(lambda connection, _: claims.release(connection, owner), writes=True)

    async def control(self, control: Control) -> None:
        """Write down that somebody is halted, or no more."""
        await self._writer.run(lambda connection, _: controls.add(connection, control), writes=True)

    async def fulfil(self, control: Control) -> None:
        """Write down that a halt has nothing to cancel any more."""
        await self._writer.run(lambda one, _: controls.fulfil(one, control), writes=True)

    async def nonces(self, since: int, *new: tuple[str, Seal]) -> list[tuple[str, Seal]]:
        """Write down what was signed; return what is good since then, and forget the rest."""
        return await self._writer.run(lambda one, _: nonces.read(one, since, new), writes=True)

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
