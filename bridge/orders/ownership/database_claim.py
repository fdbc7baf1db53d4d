"""The claim in the journal's database: it keeps a second bridge off the same journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.orders.journal.claims import JournalClaim
from bridge.orders.journal.journal import Journal
from bridge.orders.ownership.claim import Claim, Contest, Lives

__all__ = ["DatabaseClaim"]

_S = 1_000_000
_BEATS = 3
"""In the time after which a claim is dead; few, because each is a write to the disk."""


class DatabaseClaim:
    """Takes the rows of all scopes, or waits until their owner is silent for long enough."""

    def __init__(self, journal: Journal, scopes: Sequence[str], name: str, lives: Lives) -> None:
        self.taken = False
        self.fence = 0
        """The highest of the rows that were taken."""
        self.predecessors: dict[str, str] = {}
        """By scope: a process that had it and is proved to be dead."""
        self.inherited = 0
        """Since when a silent bridge may have sent what is not in this journal; 0: none has."""
        self.owners: frozenset[str] = frozenset()
        """Who had it before: what they did is in this journal."""
        self._journal = journal
        self._scopes = scopes
        self._name = name
        self._contests = {scope: Contest(scope, name, lives) for scope in scopes}
        self._rows: Mapping[str, JournalClaim] | None = None
        self._beat_us = round(lives.silent_s * _S / _BEATS)
        self._beaten_at = 0
        self._waiting = False

    @property
    def lost(self) -> bool:
        """Whether another bridge has taken over what was taken."""
        return self._journal.taken_over.is_set()

    def rivals(self) -> list[tuple[str, Claim]]:
        """Return who has which scope; their hosts are not known."""
        found = [(scope, contest.rival) for scope, contest in self._contests.items()]
        return [(scope, rival) for scope, rival in found if rival is not None and not self.taken]

    async def see_to(self, now: int, *, doubtful: bool) -> None:
        """Do what is due at ``now``, in µs of the steady clock; raises :class:`JournalError`.

        ``doubtful``: this process may have been paused, and another one may have the journal now.
        """
        if not self.taken:
            await self._take(now)
        elif doubtful or now - self._beaten_at >= self._beat_us:
            await self._journal.beat()
            self._beaten_at = now

    async def inherit(self, since: int) -> None:
        """Remember it beyond this process; raises :class:`JournalError`."""
        if since != self.inherited:
            await self._journal.inherit(since)
            self.inherited = since

    async def release(self) -> None:
        """Give up what was taken; raises :class:`JournalError`."""
        if self.taken:
            await self._journal.release()

    async def _take(self, now: int) -> None:
        rows = await self._look()
        if self._rows is None:
            self._know_predecessors(rows)
        for scope, contest in self._contests.items():
            contest.tick(now)
            row = rows.get(scope)
            if row is not None and row != (self._rows or {}).get(scope):
                contest.hear(Claim(row.owner, "", 0, row.beaten_at, row.fence))
        self._rows = rows
        self.owners |= {row.owner for row in rows.values()}
        if not all(contest.ready() for contest in self._contests.values()):
            await self._let_go()
            return
        if self._waiting:
            await self._journal.open()
            self._waiting = False
        # Taken only if they still are what was judged: another bridge may wait as well.
        self.fence = await self._journal.take(self._name, self._scopes, rows)
        self.inherited = min((row.inherited for row in rows.values() if row.inherited), default=0)
        self.taken, self._beaten_at = True, now

    async def _look(self) -> Mapping[str, JournalClaim]:
        if self._waiting:
            return await self._journal.glance(self._scopes)
        return await self._journal.claims(self._scopes)

    async def _let_go(self) -> None:
        """Close the journal while another bridge has it: whoever has it open would watch over it,
        and take what the other one writes for a journal that was replaced."""
        if not self._waiting:
            self._waiting = True
            await self._journal.close()

    def _know_predecessors(self, rows: Mapping[str, JournalClaim]) -> None:
        """Find the claims of a bridge that held the lock which this process holds now.

        It is dead, so that a bridge that was killed is followed at once when it is started again.
        """
        lock = self._journal.lock_name()
        for scope, row in rows.items():
            if row.owner and lock and row.lock == lock:
                self.predecessors[scope] = row.owner
                self._contests[scope].follow(row.owner)
