"""The SQLite file that is open, held against what lies under its name now.

Whoever deletes a file, or moves another one over it, does not touch the one that is open: what is
written goes on into it, and nobody finds it after a restart. Whoever copies over it mixes two
databases, because SQLite keeps its newest pages in the log beside it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from bridge.orders.journal.identity import Mark
from bridge.runtime.private_files import create_private, open_private

__all__ = ["OpenedFile", "OverwrittenError", "read_mark", "set_log_aside"]

_LOOKS, _LOOK_AGAIN_S = 5, 0.01
"""Somebody else's checkpoint may be under way: then the file is half old, half new."""


class OverwrittenError(Exception):
    """Another content lies in the file that is open: nothing may be written to it any more."""


class _Look(NamedTuple):
    """What tells a file from another, and its content from an earlier one."""

    device: int
    inode: int
    changed: int
    size: int


class OpenedFile:
    """Knows the file and its log as they were opened; used right after they are."""

    def __init__(self, file: Path, mark: Mark) -> None:
        self._file = file
        self._log = Path(f"{file}-wal")
        self._mark = mark
        self._seen = {path: _look(path) for path in (file, self._log)}
        self.within = read_mark(file)
        """What the file says without its log: as it was at the last checkpoint; None: nothing."""

    def rename(self, mark: Mark) -> None:
        """Take note that the journal has another name now."""
        self._mark = mark

    def missing(self) -> str:
        """Say which file is not the one that was opened; blank: none."""
        return self._missing(_look(self._file))

    def _missing(self, file: _Look | None) -> str:
        for path, now in ((self._file, file), (self._log, _look(self._log))):
            seen = self._seen[path]
            if now is None:
                return f"{path} is gone"
            if seen is None or (now.device, now.inode) != (seen.device, seen.inode):
                return f"{path} is another file than the one that was opened"
        return ""

    def before(self, generation: int) -> None:
        """Look before something is written to a journal of this generation.

        Raises :class:`OverwrittenError`.
        """
        # The file changes only when its log is moved into it. The bridge does that as it writes;
        # somebody else may have done it too, and then the file has everything.
        if (now := self._changed(_look(self._file))) is not None:
            self._compare(now, Mark(self._mark.journal, generation), _all_of(self._mark))

    def after(self) -> str:
        """Look after something was written; return what is missing, as :meth:`missing` does.

        Raises :class:`OverwrittenError`.
        """
        found = _look(self._file)
        if (now := self._changed(found)) is not None:
            journal, within = self._mark.journal, self.within
            # The file may still have the name that the journal had before it was adopted.
            least = within if within and within.journal == journal else Mark(journal, 0)
            self._compare(now, least, _all_of(self._mark), within)
        return self._missing(found)

    def _changed(self, now: _Look | None) -> _Look | None:
        """Return what was found, if it is the same file and somebody has written to it."""
        seen = self._seen[self._file]
        if now is None or seen is None or now == seen or now.inode != seen.inode:
            return None
        return now

    def _compare(self, now: _Look, least: Mark, most: Mark, same: Mark | None = None) -> None:
        """Look into a file that has changed: it says the same, or what is between these two."""
        for _ in range(_LOOKS):
            within = read_mark(self._file)
            if within is not None and (within == same or least <= within <= most):
                self.within, self._seen[self._file] = within, now
                return
            time.sleep(_LOOK_AGAIN_S)
        # As old as at the last checkpoint it may only have been touched. Then the log is all that
        # has what came since, and a restart finds out.
        if within != self.within:
            set_log_aside(self._file)
        raise OverwrittenError(f"{self._file} was overwritten while it was open")


def _all_of(mark: Mark) -> Mark:
    """Return more than a journal will ever have: what has more than this one is no older copy."""
    return mark._replace(generation=2**63)


def _look(path: Path) -> _Look | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - once for each commit
    except OSError:
        return None
    return _Look(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def set_log_aside(file: Path) -> None:
    """Keep SQLite from mixing a journal with the log of another.

    The log is moved into the file at the end, and again by whoever opens it next. A copy of it
    stays for a person who wants to know what was in it.
    """
    with (
        suppress(OSError),
        Path(f"{file}-wal").open("rb") as log,
        os.fdopen(create_private(Path(f"{file}-wal.replaced")), "wb") as kept,
    ):
        shutil.copyfileobj(log, kept)
    with suppress(OSError):
        os.close(open_private(Path(f"{file}-wal"), os.O_RDWR | os.O_TRUNC))


def read_mark(file: Path) -> Mark | None:
    """Return which journal lies in a file, its log left out; None: none that can be read."""
    # Read by SQLite itself: to close any other descriptor of the file would take away the locks
    # that this process has on it.
    with suppress(sqlite3.Error):
        uri = f"file:{quote(str(file))}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            row = connection.execute("SELECT name, generation FROM journal").fetchone()
            return Mark(*row) if row else None
    return None
