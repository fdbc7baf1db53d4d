"""Plain commits to SQLite: what a write to this disk costs without a bridge around it."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["PlainCommits", "plain_commits"]

_ROW = "x" * 400
"""About as long as what the journal writes of a command."""


class PlainCommits:
    """Commits one row at a time, as safely as the journal does, and times each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.taken_us: list[int] = []

    def commit(self) -> None:
        """Write a row to the disk."""
        execute = self._connection.execute
        began = time.perf_counter_ns()
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO rows (content) VALUES (?)", (_ROW,))
        execute("COMMIT")
        self.taken_us.append((time.perf_counter_ns() - began) // 1_000)


@contextmanager
def plain_commits() -> Iterator[PlainCommits]:
    """Yield a database of its own, on the disk on which the benchmark has the journal."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "plain.db", isolation_level=None)) as connection,
    ):
        # As the journal's connection has it: see bridge/orders/journal/database.py.
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content TEXT NOT NULL)")
        yield PlainCommits(connection)
