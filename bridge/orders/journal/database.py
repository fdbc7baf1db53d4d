"""The journal's database: where it is, who may use it, and how safely it writes."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, or_, select
from sqlalchemy import text as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from bridge.errors import JournalError
from bridge.orders.journal.identity import Binding, Mark, bind
from bridge.orders.journal.tables import (
    BINARY_NAMES,
    SCHEMA,
    commands,
    metadata,
    schema_version,
)
from bridge.orders.model.records import Origin
from bridge.runtime.filelock import try_lock
from bridge.runtime.folders import make_private
from bridge.runtime.private_files import open_private, refuse_symlink

__all__ = [
    "claim",
    "file_of",
    "in_use",
    "lock_name",
    "never_written",
    "open_engine",
    "parse",
    "prepare",
    "problem",
]

_CHECKPOINT = 10_000
"""Pages (4 KiB) in the log of SQLite before they move to the database: whoever waits for that
commit waits for all of them."""
_LOCK_NAME = "kis-bridge journal"
_LOCK_S, _LOCK_AGAIN_S = 3.0, 0.05
"""How long a server's lock is tried for: it takes a moment to see that the last bridge is gone."""
_WITH_ORIGINS = 3
"""The first schema that has them in a column."""


def parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise JournalError("journal.url is no SQLAlchemy URL, e.g. sqlite:///orders.db") from error


def file_of(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise JournalError("journal.url: name a file, e.g. sqlite:///orders.db")
    return Path(url.database)


def claim(url: URL) -> int | None:
    """Make the SQLite file for the owner only, and lock it; returns what holds the lock."""
    file = file_of(url)
    if file is None:
        return None
    # Made here because SQLite would make it by the umask, readable for others.
    make_private(file.parent)
    os.close(open_private(file))
    for beside in ("-wal", "-shm", "-journal"):  # SQLite would follow it, and write there
        refuse_symlink(Path(f"{file}{beside}"))
    lock = open_private(Path(_lock_of(file)))
    if not try_lock(lock):
        os.close(lock)
        raise JournalError(_in_use(file))
    _name(lock)
    return lock


_NAME_AT = 1
"""Where the name of a lock begins in its file: the first byte is what Windows locks."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _name(lock: int) -> None:
    """Give a lock file that is new a name, by which it is told from one that replaces it."""
    if os.fstat(lock).st_size <= _NAME_AT:
        os.lseek(lock, 0, os.SEEK_SET)
        os.write(lock, f"\n{secrets.token_hex(8)}".encode())


def lock_name(url: str) -> str:
    """Return the name of the lock that keeps other processes out of this journal.

    It is another one after the lock file was made anew, in a copy of the folder, on another
    machine, and after a restart of the machine: whoever holds the lock of that name now knows that
    whoever held it before is dead.
    """
    file = file_of(parse(url))
    try:
        machine = _BOOT_ID.read_text().strip()
    except OSError:
        machine = socket.gethostname()[:64]
    if file is None:
        return f"{machine} server"  # a server's lock is its own, and ends with the connection
    try:
        with Path(_lock_of(file)).open("rb") as lock:
            status = os.fstat(lock.fileno())
            lock.seek(_NAME_AT)
            name = lock.read(16).decode()
    except FileNotFoundError:
        return ""  # deleted: nothing proves anything
    return f"{machine} {status.st_dev:x} {status.st_ino:x} {name}"


def in_use(url: str) -> bool:
    """Tell whether a bridge has this SQLite journal open now."""
    file = file_of(parse(url))
    if file is None:
        return False
    try:
        lock = os.open(_lock_of(file), os.O_RDWR)
    except OSError:
        return False
    try:
        return not try_lock(lock)
    finally:
        os.close(lock)


def _lock_of(file: Path) -> str:
    # Not the database itself: a process loses SQLite's own (POSIX) locks on a file as soon as it
    # closes any descriptor of that file.
    return f"{file}.lock"


def open_engine(url: URL, *, lock: bool = False) -> Engine:
    """Return the engine; with ``lock`` each of its connections keeps other processes out."""
    try:
        # One connection: the journal has one thread, and a server's lock belongs to a connection.
        engine = create_engine(url, pool_size=1, max_overflow=0)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise problem(url, error) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _pragmas)
    elif lock:
        event.listen(engine, "connect", _locking(url))
    return engine


def _pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    # WAL: readers do not stop the writer, and a commit is one write at the end of one file.
    # FULL: a commit returns when the disk has it; anything less forgets orders at a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")
    cursor.close()


def _locking(url: URL) -> Callable[[Any, object], None]:
    """Return what takes the server's lock for a new connection, which holds it while it lives."""
    if url.get_backend_name() == "postgresql":
        number = int.from_bytes(hashlib.sha256(_LOCK_NAME.encode()).digest()[:8], signed=True)
        statement = f"SELECT CASE WHEN pg_try_advisory_lock({number}) THEN 1 ELSE 0 END"
    else:
        statement = f"SELECT GET_LOCK(CONCAT(DATABASE(), ' {_LOCK_NAME}'), 0)"

    def take(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        until, taken = time.monotonic() + _LOCK_S, False
        while not taken and time.monotonic() < until:
            cursor.execute(statement)
            taken = cursor.fetchone()[0] == 1
            if not taken:
                time.sleep(_LOCK_AGAIN_S)
        cursor.close()
        connection.commit()  # the lock is the session's, not the transaction's
        if not taken:
            raise JournalError(_in_use(url.render_as_string()))

    return take


def _in_use(journal: object) -> str:
    return (
        f"the journal {journal} is in use by another bridge: stop that one, or give this one a "
        "journal.url of its own"
    )


def prepare(connection: Connection, url: URL, binding: Binding | None = None) -> Mark:
    """Make the tables, or bring those of an older bridge up to date; return which journal it is.

    Raises :class:`JournalError` when it belongs to something else than ``binding``.
    """
    if url.get_backend_name() in ("mysql", "mariadb"):  # to say so imports all of its dialects
        for table in metadata.tables.values():
            table.dialect_kwargs.update(BINARY_NAMES)
    old = inspect(connection).has_table(commands.name)
    metadata.create_all(connection)  # what schema 1 lacked is a table of its own
    version = connection.execute(select(func.max(schema_version.c.version))).scalar()
    if version is not None and version > SCHEMA:
        raise JournalError(
            f"the journal {url.render_as_string()} has schema {version}, this bridge reads "
            f"{SCHEMA}: use the bridge that wrote it, or another journal.url"
        )
    if old and (version or 0) < _WITH_ORIGINS:
        _add_origins(connection)
    if version is None or version < SCHEMA:
        connection.execute(insert(schema_version), {"version": SCHEMA})
    return bind(connection, url, binding)


def _add_origins(connection: Connection) -> None:
    """Write into a column what schema 2 had only in the names of cancellations.

    Some servers end a transaction with the new column: whoever is interrupted here finds it there
    and writes the same origins again.
    """
    known = {column["name"] for column in inspect(connection).get_columns(commands.name)}
    if commands.c.origin.name not in known:
        connection.execute(
            sql("ALTER TABLE commands ADD COLUMN origin VARCHAR(64) NOT NULL DEFAULT ''")
        )
    named = commands.c.command_id
    rows = connection.execute(
        select(commands.c.id, named).where(or_(named.like("halt:%"), named.like("all:%")))
    ).all()
    for row in rows:
        kind, name = row.command_id.split(":")[:2]
        origin = Origin("halt" if kind == "halt" else "cancel_all", name)
        connection.execute(
            commands.update().where(commands.c.id == row.id).values(origin=origin.dumps())
        )


def problem(url: URL, error: Exception) -> JournalError:
    cause = getattr(error, "orig", None) or error
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    if isinstance(error, ImportError):
        text = f"{text}: pip install kis-mqtt-bridge[postgresql] or [mariadb]"
    return JournalError(f"the journal {url.render_as_string()}: {text}")


def never_written(error: Exception) -> bool:
    """Tell whether a commit that failed with this error is certain to have had no effect.

    SQLite writes the mark that ends a commit last, and without it what is before it does not
    count. So a failed write is certain; a failed sync is not.
    """
    cause = getattr(error, "orig", None) or error
    name = getattr(cause, "sqlite_errorname", "") or ""
    return name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_BUSY", "SQLITE_READONLY")
