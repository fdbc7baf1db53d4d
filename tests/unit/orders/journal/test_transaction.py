"""A transaction of the journal is there as a whole or not at all, whoever asked the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from bridge.orders.journal.database import never_written, open_engine
from bridge.orders.journal.transaction import transaction

Write = Callable[[Connection, str], None]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_engine(make_url(f"sqlite:///{tmp_path}/some.db"))
    with engine.connect() as opened:
        with opened.begin():
            opened.execute(text("CREATE TABLE rows (id INTEGER PRIMARY KEY, word TEXT UNIQUE)"))
            opened.execute(
                text(
                    "CREATE TABLE child (row INTEGER REFERENCES rows (id) DEFERRABLE"
                    " INITIALLY DEFERRED)"
                )
            )
        yield opened
    engine.dispose()


def raw(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def directly(connection: Connection, word: str) -> None:
    raw(connection).execute("INSERT INTO rows (word) VALUES (?)", (word,))


def indirectly(connection: Connection, word: str) -> None:
    connection.execute(text("INSERT INTO rows (word) VALUES (:word)"), {"word": word})


def words(connection: Connection) -> list[str]:
    """Return what somebody else reads."""
    name = raw(connection).execute("PRAGMA database_list").fetchone()[2]
    other = sqlite3.connect(name)
    try:
        return [row[0] for row in other.execute("SELECT word FROM rows ORDER BY id")]
    finally:
        other.close()


def test_what_was_written_directly_and_through_sqlalchemy_is_there_together(
    connection: Connection,
) -> None:
    with transaction(connection):
        directly(connection, "a")
        indirectly(connection, "b")
        directly(connection, "c")
        assert words(connection) == []
    assert words(connection) == ["a", "b", "c"]
    with transaction(connection):
        directly(connection, "d")
    assert words(connection) == ["a", "b", "c", "d"]


def broken_off(connection: Connection, *writes: Write) -> None:
    with transaction(connection):
        for number, write in enumerate(writes):
            write(connection, str(number))
        raise ZeroDivisionError


@pytest.mark.parametrize("writes", [[directly], [indirectly], [directly, indirectly]])
def test_after_an_error_nothing_of_it_is_there(connection: Connection, writes: list[Write]) -> None:
    with pytest.raises(ZeroDivisionError):
        broken_off(connection, *writes)
    assert not raw(connection).in_transaction
    with transaction(connection):
        directly(connection, "next")
    assert words(connection) == ["next"]


def orphan(connection: Connection) -> None:
    with transaction(connection):
        directly(connection, "lost")
        raw(connection).execute("INSERT INTO child (row) VALUES (99)")  # seen at the commit


def test_a_commit_that_fails_leaves_nothing_for_the_next_one(connection: Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        orphan(connection)
    with transaction(connection):
        directly(connection, "next")
    assert words(connection) == ["next"]


def test_what_an_earlier_one_left_is_not_committed(connection: Connection) -> None:
    directly(connection, "left")
    with transaction(connection):
        directly(connection, "next")
    assert words(connection) == ["next"]


def test_whoever_only_looks_takes_no_lock(connection: Connection, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "some.db", timeout=0)
    with transaction(connection):
        assert raw(connection).execute("SELECT count(*) FROM rows").fetchone() == (0,)
        with other:
            other.execute("INSERT INTO rows (word) VALUES ('other')")
    other.close()
    assert words(connection) == ["other"]


@pytest.mark.parametrize(
    ("name", "certain"), [("SQLITE_IOERR_WRITE", True), ("SQLITE_IOERR_FSYNC", False)]
)
def test_a_failed_write_is_certain_and_a_failed_sync_is_not(name: str, *, certain: bool) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    assert never_written(error) is certain
    assert never_written(DBAPIError("COMMIT", None, error)) is certain
