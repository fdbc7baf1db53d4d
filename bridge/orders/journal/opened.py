"""The journal that is open: counts its commits, and sees when it is another one."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.engine import URL

from bridge.errors import NotWrittenError
from bridge.orders.journal import tables
from bridge.orders.journal.database import file_of
from bridge.orders.journal.identity import Mark, new_name
from bridge.orders.journal.opened_file import OpenedFile, OverwrittenError
from bridge.orders.journal.statement import Statement

__all__ = ["Opened"]

_COUNT = Statement(
    update(tables.journal)
    .where(tables.journal.c.generation == bindparam("its"))
    .values(generation=bindparam("next"))
)


class Opened:
    """Used by the journal's thread alone, but for :attr:`mark` and :attr:`replaced`."""

    def __init__(self, connection: Connection, url: URL, mark: Mark) -> None:
        file = file_of(url)
        if file is not None:
            # So that the file itself says which journal it is, and not its log alone.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            connection.rollback()
        self._file = None if file is None else OpenedFile(file, mark)
        self._stopped = ""
        self.mark = mark
        """Which journal it is, and its last generation that is on disk for certain."""
        self._next: Mark | None = None
        self.replaced = ""
        """Why a restart will not find what is written; blank: it will."""

    def count(self, connection: Connection) -> None:
        """Count the commit that begins; raises :class:`NotWrittenError` when it must not be."""
        self._next = None
        self._look_inside()
        if self._stopped:
            raise NotWrittenError(self._stopped)
        # The generation is compared and written at once: whoever puts an older database into the
        # place of this one has another.
        generation = self.mark.generation
        if _COUNT.execute(connection, {"its": generation, "next": generation + 1}).rowcount == 1:
            return
        # There may be more: a commit that seemed to fail, or those of another bridge. Whether that
        # one may write or this one, the claims tell.
        if not self.refresh(connection):
            self._stop("the journal's database was put back to another state")
        generation = self.mark.generation
        _COUNT.execute(connection, {"its": generation, "next": generation + 1})

    def refresh(self, connection: Connection) -> bool:
        """See how far another process has brought it; False: it is another one, or has less."""
        found = connection.execute(select(tables.journal)).first()
        now = None if found is None else Mark(found.name, found.generation)
        if now is None or now.journal != self.mark.journal or now < self.mark:
            return False
        self.mark = now
        return True

    def counted(self) -> None:
        """Take note that the commit is on disk, and look where."""
        self.mark = self._next or self.mark._replace(generation=self.mark.generation + 1)
        if self._file is not None:
            if self._next:
                self._file.rename(self.mark)
            try:
                missing = self._file.after()
            except OverwrittenError as error:
                self.replaced = self.replaced or str(error)
                self._stopped = self.replaced
            else:
                # What is gone is written on, and whoever brings it back has all of it.
                self.replaced = self.replaced or missing

    @property
    def within(self) -> Mark | None:
        """What its file has without the log; None: it is on a server, or has nothing."""
        return self._file.within if self._file else None

    def adopt(self, connection: Connection, least: int) -> None:
        """Give the journal another name, inside a commit that is counted, and ``least`` commits.

        Under the old name there may be copies that know more, and others that know less.
        """
        generation = max(least, self.mark.generation) + 1
        self._next = Mark(new_name(), generation)
        values = {"name": self._next.journal, "generation": generation}
        connection.execute(update(tables.journal).values(values))

    def look(self) -> None:
        """See whether it is still the one that was opened."""
        self._look_inside()
        if self._file is not None:
            self.replaced = self.replaced or self._file.missing()

    def _look_inside(self) -> None:
        if self._file is None or self._stopped:
            return
        try:
            self._file.before(self.mark.generation)
        except OverwrittenError as error:
            self.replaced = self._stopped = str(error)

    def _stop(self, why: str) -> None:
        self.replaced = self._stopped = why
        raise NotWrittenError(why)
