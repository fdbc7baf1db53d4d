"""Statements on the order's hot path, whose text is made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Insert, Select, Update
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Statement"]


class Statement:
    """A statement whose text is made once: to make it takes longer than to run it.

    Whatever this thread computes, the event loop may have to wait for, and the other way round.
    """

    def __init__(self, statement: Select[Any] | Insert | Update, *keys: str) -> None:
        self._statement = statement
        self._keys = keys or None
        self._made: tuple[Dialect, SQLCompiler] | None = None

    def execute(self, connection: Connection, *rows: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it once for each row of values."""
        dialect, kept = connection.dialect, self._made  # other threads may have other databases
        if kept is None or kept[0] is not dialect:
            kept = self._made = dialect, self._make(dialect)
        made = kept[1]
        values: Any = rows
        if made.positiontup is not None:
            values = [tuple(row[name] for name in made.positiontup) for row in rows]
        return connection.exec_driver_sql(made.string, values[0] if len(rows) == 1 else [*values])

    def _make(self, dialect: Dialect) -> SQLCompiler:
        made = self._statement.compile(dialect=dialect, column_keys=self._keys)
        assert isinstance(made, SQLCompiler)  # noqa: S101
        return made
