"""One transaction of the journal: all of it is on disk when it ends, or nothing of it."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from types import TracebackType

from sqlalchemy import Connection

__all__ = ["transaction"]


def transaction(connection: Connection) -> AbstractContextManager[object]:
    """Return the transaction that begins now and ends with the ``with`` statement.

    SQLite is asked directly: an order waits for what stands in between twice.
    """
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        return _Direct(connection, raw)
    return connection.begin()


class _Direct:
    """SQLite begins with the first change, so that what only looks takes no lock."""

    def __init__(self, connection: Connection, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self._raw = raw

    def __enter__(self) -> None:
        if self._raw.in_transaction:
            # One that could not be rolled back would be committed together with this one.
            self._raw.rollback()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Statements off the hot path go through SQLAlchemy, which then has begun one of its own.
        whose = self._raw if self._connection.get_transaction() is None else self._connection
        if kind is not None:
            whose.rollback()
            return
        try:
            whose.commit()
        except BaseException:
            whose.rollback()
            raise
