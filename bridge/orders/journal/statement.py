"""Statements on the order's hot path, whose text is made once."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Result", "Statement"]


class Result(Protocol):
    """What a statement came to: the part that SQLAlchemy's results and SQLite's cursors share."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...


class Statement:
    """A statement whose text is made once: to make it takes longer than to run it.

    Whatever this thread computes, the event loop may have to wait for, and the other way round.
    For the same reason SQLite gets it without SQLAlchemy between; the connection and its
    transaction are SQLAlchemy's all the same. Errors are :class:`sqlite3.Error` then, and elsewhere
    SQLAlchemy's.
    """

    def __init__(self, statement: Select[Any] | Insert | Update, *keys: str) -> None:
        self._statement = statement
        self._keys = keys or None
        self._made: _Made | None = None

    def execute(self, connection: Connection, *rows: Mapping[str, Any]) -> Result:
        """Run it once for each row of values."""
        result: Result = self._run(connection, rows)
        return result

    def insert(self, connection: Connection, row: Mapping[str, Any]) -> int:
        """Run it for a row of values; return the number that the database gave the row.

        0: it had a condition, and there is no row.
        """
        result = self._run(connection, [row])
        if isinstance(result, sqlite3.Cursor):  # which tells of the row before where there is none
            return int(result.lastrowid or 0) if result.rowcount == 1 else 0
        if not result.returns_rows:
            return int(result.lastrowid or 0)
        return int(result.scalar_one())

    def _run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Any:
        dialect, kept = connection.dialect, self._made  # other threads may have other databases
        if kept is None or kept.dialect is not dialect:
            kept = self._made = self._make(dialect)
        values: Any = rows
        if kept.names is not None:
            values = [tuple([row[name] for name in kept.names]) for row in rows]
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            if len(rows) == 1:
                return raw.execute(kept.text, values[0])
            return raw.executemany(kept.text, values)
        return connection.exec_driver_sql(kept.text, values[0] if len(rows) == 1 else [*values])

    def _make(self, dialect: Dialect) -> _Made:
        made = self._statement.compile(dialect=dialect, column_keys=self._keys)
        assert isinstance(made, SQLCompiler)  # noqa: S101
        return _Made(dialect, made.string, made.positiontup)


class _Made(NamedTuple):
    """The text for a dialect, and the order of its values where they have no names in it."""

    dialect: Dialect
    text: str
    names: Sequence[str] | None
