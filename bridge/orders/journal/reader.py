"""The journal as another process reads it, without disturbing the one that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import JournalError
from bridge.orders.journal import claims, controls, queries
from bridge.orders.journal.claims import JournalClaim
from bridge.orders.journal.database import file_of, open_engine, parse, problem
from bridge.orders.journal.tables import SCHEMA, schema_version
from bridge.orders.model.records import Control, Record

__all__ = ["read", "read_claims", "read_controls"]

_T = TypeVar("_T")


def read(url: str, first: int = 0, last: int | None = None) -> list[Record]:
    """Return what was received or had a step from ``first`` until before ``last``.

    Oldest first, each command with all its steps; times are µs since the epoch. Raises
    :class:`JournalError`.
    """
    return _look(url, lambda connection: queries.between(connection, first, last))


def read_controls(url: str) -> list[Control]:
    """Return every halt and resumption, oldest first; raises :class:`JournalError`."""
    return _look(url, controls.read)


def read_claims(url: str, scopes: Sequence[str]) -> Mapping[str, JournalClaim]:
    """Return who has claimed these accounts; raises :class:`JournalError`."""
    return _look(url, lambda connection: claims.read(connection, scopes))


def _look(url: str, work: Callable[[Connection], _T]) -> _T:
    parsed = parse(url)
    file = file_of(parsed)
    if file is not None and not file.exists():
        raise JournalError(f"there is no journal at {file}")
    engine = open_engine(parsed)
    try:
        with engine.connect() as connection:
            version = connection.execute(select(func.max(schema_version.c.version))).scalar()
            if version != SCHEMA:
                raise JournalError(
                    f"the journal {parsed.render_as_string()} has schema {version}, this version "
                    f"reads {SCHEMA}: run the bridge that is as new as the journal, which brings "
                    "an older one up to date"
                )
            return work(connection)
    except (SQLAlchemyError, OSError) as error:
        raise problem(parsed, error) from error
    finally:
        engine.dispose()
