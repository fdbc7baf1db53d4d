"""The journal's thread: it alone touches the database, and shares each commit among who waits."""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import JournalError, NotWrittenError
from bridge.orders.journal.database import (
    claim,
    never_written,
    open_engine,
    parse,
    prepare,
    problem,
)
from bridge.orders.journal.identity import Binding, Mark
from bridge.orders.journal.opened import Opened
from bridge.orders.journal.sidecar import Sidecar
from bridge.orders.journal.standing import JournalStanding
from bridge.orders.journal.transaction import transaction

__all__ = ["Writer", "WriterThread"]

_T = TypeVar("_T")

_MEND = "bring the right file back and restart the bridge; new orders are refused until then"
_BATCH = 64
"""Commands that share a commit at most, so that the first of a burst is not held up by the last."""


class Writer(Protocol):
    """Runs what is to be done with the database, one after the other, each in a transaction."""

    @property
    def mark(self) -> Mark:
        """Which journal it is, and its last generation that is on disk for certain."""

    @property
    def within(self) -> Mark | None:
        """What its file has without the log; None: it is on a server, or has nothing."""

    async def open(self) -> None:
        """Open the database, and keep every other process out; raises :class:`JournalError`."""

    async def close(self) -> None:
        """Write what was handed over, then let go of the database."""

    def run(self, work: Callable[[Connection, bool], _T], *, writes: bool = False) -> Awaitable[_T]:
        """Return what ``work(connection, careful)`` returns, when it is on disk.

        It begins with the call, or when that is awaited. Raises :class:`JournalError` when it is
        not known to be there, :class:`NotWrittenError` when it is known not to be. ``careful``: an
        earlier attempt has failed, so that what is to be written may be there already. ``writes``:
        it is no mere look.
        """

    async def adopt(self, least: int) -> None:
        """Give the journal another name, and more than ``least`` commits."""

    async def refresh(self) -> None:
        """See how far another process has brought the journal."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection, bool], Any]
    writes: bool
    future: asyncio.Future[Any]


class WriterThread:
    """One thread does all the work, so that neither the disk nor a server stops the event loop.

    What is asked while a commit is under way goes into the next one together: many clients share
    one write to the disk.
    """

    def __init__(
        self, url: str, binding: Binding | None = None, standing: JournalStanding | None = None
    ) -> None:
        self._url = parse(url)
        self._binding = binding
        self._standing = standing or JournalStanding()
        self._opened: Opened
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock: int | None = None
        self._doubtful = False
        """An attempt to write has failed: whoever asks again may ask for what is there."""
        self._loop: asyncio.AbstractEventLoop

    async def open(self) -> None:
        """Open the database, and keep every other process out."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a disk or a server that hangs must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._serve, args=(opened,), name="journal", daemon=True
        )
        self._thread.start()
        try:
            await opened
        except JournalError:
            self._thread.join()
            self._thread = None
            raise

    async def close(self) -> None:
        """Write what was handed over, then let go of the database."""
        if self._thread is not None:
            # Nothing is handed over any more, and the mark comes behind everything that was.
            thread, self._thread = self._thread, None
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def run(self, work: Callable[[Connection, bool], _T], *, writes: bool = False) -> Awaitable[_T]:
        """Return what ``work`` returns, when it is on disk; begins at once."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        if self._thread is None:
            future.set_exception(JournalError("the journal is closed"))
        else:
            self._jobs.put(_Job(work, writes, future))
        return future

    async def adopt(self, least: int) -> None:
        """Give the journal another name, and more than ``least`` commits."""
        await self.run(lambda connection, _: self._opened.adopt(connection, least), writes=True)

    async def refresh(self) -> None:
        """See how far another process has brought the journal."""
        await self.run(lambda connection, _: self._opened.refresh(connection))

    @property
    def mark(self) -> Mark:
        """Which journal it is, and its last generation that is on disk for certain."""
        return self._opened.mark

    @property
    def within(self) -> Mark | None:
        """What its file has without the log; None: it is on a server, or has nothing."""
        return self._opened.within

    def _serve(self, opened: asyncio.Future[None]) -> None:
        engine: Engine | None = None
        try:
            try:
                self._lock = claim(self._url)
                if (sidecar := Sidecar.of(self._url)) is not None:
                    sidecar.part_strangers()
                engine = open_engine(self._url, lock=True)
                with engine.connect() as connection:
                    with connection.begin():
                        mark = prepare(connection, self._url, self._binding)
                    self._opened = Opened(connection, self._url, mark)
                    self._resolve([(opened, None, None)])
                    while self._work(connection):
                        pass
            finally:
                # The lock goes last: the next bridge must not open what this one still has open.
                if engine is not None:
                    engine.dispose()
                if self._lock is not None:
                    os.close(self._lock)
        except (SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
            self._resolve([(opened, None, problem(self._url, error))])
        except JournalError as error:
            self._resolve([(opened, None, error)])

    def _work(self, connection: Connection) -> bool:
        """Do everything that waits in one transaction; False: it was the last."""
        jobs: list[_Job] = []
        going = True
        while going and len(jobs) < _BATCH and not (jobs and self._jobs.empty()):
            job = self._jobs.get()
            if job is None:
                going = False
            else:
                jobs.append(job)
        # Who only looks must not be told that something else could not be written.
        for _, together in groupby(jobs, lambda job: job.writes):
            self._answer(connection, [*together])
        return going

    def _answer(self, connection: Connection, jobs: Sequence[_Job]) -> None:
        results, failure = self._carry_out(connection, jobs)
        if isinstance(failure, JournalError) and not self._doubtful:
            # The commit may have reached the disk although it failed. From now on whatever is to be
            # written is looked up first; at the start that would be a needless query for each step.
            self._doubtful = True
            first = failure
            results, failure = self._carry_out(connection, jobs)
            if isinstance(failure, NotWrittenError):
                failure = first  # what that one left is not taken back by this one
        self._resolve(
            [(job.future, result, failure) for job, result in zip(jobs, results, strict=True)],
            partial(self._judge, failure, wrote=jobs[0].writes),
        )

    def _carry_out(
        self, connection: Connection, jobs: Sequence[_Job]
    ) -> tuple[list[Any], Exception | None]:
        nothing = [None] * len(jobs)
        writes, ending = jobs[0].writes, False
        try:
            with transaction(connection):
                if writes:
                    self._opened.count(connection)
                else:
                    self._opened.look()
                results = [job.work(connection, self._doubtful) for job in jobs]
                ending = True
            if writes:
                self._opened.counted()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            problem_seen = problem(self._url, error)
            if not ending or never_written(error):
                problem_seen = NotWrittenError(str(problem_seen))
            return nothing, problem_seen
        except Exception as error:  # noqa: BLE001 - a bug is raised where it was asked for
            return nothing, error
        return results, None

    def _judge(self, failure: Exception | None, *, wrote: bool) -> None:
        """Take note of how the journal stands, before anybody hears of what was written."""
        if isinstance(failure, JournalError) and wrote:
            self._standing.failed(str(failure), self._loop.time())
        elif failure is None and wrote:
            self._standing.wrote()
        if self._opened.replaced:
            self._standing.replace(f"{self._opened.replaced}; {_MEND}")

    def _resolve(
        self,
        results: Sequence[tuple[asyncio.Future[Any], object, Exception | None]],
        first: Callable[[], None] = lambda: None,
    ) -> None:
        def tell() -> None:
            first()
            for future, result, failure in results:
                if future.done():  # whoever waited has been cancelled
                    continue
                if failure is None:
                    future.set_result(result)
                else:
                    future.set_exception(failure)

        self._loop.call_soon_threadsafe(tell)
