"""What was asked and what became of it, on disk before anything follows from it.

Three append-only tables: ``commands`` (one row a command: that it was received), ``steps`` (what
happened to it since) and ``controls`` (who was halted and let go again). Nothing is updated or
deleted; account numbers are never written, only aliases.

One thread does all database work. Whoever asks waits for the commit; what is asked meanwhile goes
into the next commit together, so that many clients share one write to the disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    ForeignKey,
    Insert,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.sql.compiler import SQLCompiler

from bridge.errors import JournalError
from bridge.orders.model.lifecycle import CLOSED, State, Step
from bridge.runtime.filelock import try_lock

__all__ = [
    "SCHEMA",
    "Control",
    "Identity",
    "Journal",
    "JournalStep",
    "NewRecord",
    "Record",
    "read",
    "read_controls",
]

SCHEMA = 2
_BATCH = 64
_CHECKPOINT = 10_000
"""Pages (4 KiB) in the log of SQLite before they move to the database: whoever waits for that
commit waits for all of them."""
_LOCK_NAME = "kis-bridge journal"
_LOCK_S, _LOCK_AGAIN_S = 3.0, 0.05
"""How long a server's lock is tried for: it takes a moment to see that the last bridge is gone."""

_metadata = MetaData()
_BINARY = {"mysql_collate": "utf8mb4_bin", "mariadb_collate": "utf8mb4_bin"}
"""Names that differ in case are different names there too."""
_id = BigInteger().with_variant(Integer, "sqlite")
_schema = Table("schema_version", _metadata, Column("version", Integer, nullable=False))
_commands = Table(
    "commands",
    _metadata,
    Column("id", _id, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("client", String(128), nullable=False),
    Column("client_order_id", String(64), nullable=False),
    Column("command_id", String(64), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
    UniqueConstraint("account", "client", "client_order_id", "command_id", name="identity"),
)
_steps = Table(
    "steps",
    _metadata,
    Column("id", _id, primary_key=True),
    Column("command", _id, ForeignKey("commands.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("command", "number", name="step"),
)
_controls = Table(
    "controls",
    _metadata,
    Column("id", _id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("account", String(64), nullable=False),
    Column("client", String(128), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("reason", Text, nullable=False),
)

_T = TypeVar("_T")


class Identity(NamedTuple):
    """What names a command; ``command_id`` is blank for the one that places the order."""

    account: str
    client: str
    client_order_id: str
    command_id: str


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A command as it was received; times in µs since the epoch."""

    identity: Identity
    verb: str
    digest: str
    body: str
    received_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Record:
    """A command in the journal and everything that happened to it since."""

    id: int
    identity: Identity
    verb: str
    digest: str
    body: str
    received_at: int
    expires_at: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One step to append, its number in the life of its command, and the state it leads to.

    The number makes it safe to append again what may have been written already.
    """

    command: int
    number: int
    step: Step
    state: State


@dataclass(frozen=True, slots=True)
class Control:
    """Who is halted from then on; a blank account or client means all of them."""

    at: int
    account: str
    client: str
    mode: str
    """Blank: no more."""
    reason: str


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]


class Journal:
    """The order journal at a SQLAlchemy URL; ``sqlite:///FILE`` is made when it is missing.

    Each method returns when its result is on disk, and raises :class:`JournalError` when it is
    not known to be there: asking again is right, :meth:`admit` tells what it found.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock: int | None = None
        self._doubtful = False
        """An attempt to write has failed: whoever asks again may ask for what is there."""
        self._loop: asyncio.AbstractEventLoop

    async def open(self) -> None:
        """Open it, and keep every other process out."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
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
            thread, self._thread = self._thread, None
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    async def admit(self, new: NewRecord, *lines: tuple[Step, State]) -> tuple[Record, bool]:
        """Write a command down unless its identity is there already.

        Returns the record that is in the journal now, and whether it is this one.
        """
        return await self._run(
            lambda connection: _admit(connection, new, lines, careful=self._doubtful)
        )

    async def append(self, *lines: JournalStep) -> None:
        """Write steps down, all of them or none."""
        await self._run(lambda connection: _append(connection, lines, careful=self._doubtful))

    async def expand(self, cause: JournalStep | Control, new: Sequence[NewRecord]) -> list[Record]:
        """Write down a step of a command, or a halt, and the commands that come of it, or nothing.

        Returns what the journal has of them now; those that were there already stay as they were.
        """

        def work(connection: Connection) -> list[Record]:
            careful = self._doubtful
            if isinstance(cause, JournalStep):
                _append(connection, [cause], careful=careful)
            else:
                _control(connection, cause)
            return [_admit(connection, one, (), careful=careful)[0] for one in new]

        return await self._run(work)

    async def control(self, control: Control) -> None:
        """Write down that somebody is halted, or no more."""
        await self._run(lambda connection: _control(connection, control))

    async def controls(self) -> list[Control]:
        """Return every halt and resumption, oldest first."""
        return await self._run(_read_controls)

    async def find(self, identity: Identity) -> Record | None:
        """Return the command of that identity."""
        return await self._run(lambda connection: _find(connection, identity))

    async def latest(self) -> int:
        """Return when the last step happened, µs since the epoch; 0: none ever did."""
        return await self._run(lambda connection: connection.execute(_LAST).scalar() or 0)

    async def replay(self, since: int) -> list[Record]:
        """Return, oldest first, what was received since then and whatever is still open."""
        return await self._run(lambda connection: _replay(connection, since))

    async def _run(self, work: Callable[[Connection], _T]) -> _T:
        if self._thread is None:
            raise JournalError("the journal is closed")
        future: asyncio.Future[_T] = self._loop.create_future()
        self._jobs.put(_Job(work, future))
        return await future

    def _serve(self, opened: asyncio.Future[None]) -> None:
        engine: Engine | None = None
        try:
            try:
                self._lock = _claim(self._url)
                engine = _engine(self._url, lock=True)
                with engine.connect() as connection:
                    with connection.begin():
                        _prepare(connection, self._url)
                    self._resolve([(opened, None, None)])
                    while self._work(connection):
                        pass
            finally:
                if engine is not None:
                    engine.dispose()
                if self._lock is not None:
                    os.close(self._lock)
        except (SQLAlchemyError, OSError, ImportError) as error:
            self._resolve([(opened, None, _problem(self._url, error))])
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
        results, problem = self._carry_out(connection, jobs)
        if isinstance(problem, JournalError) and not self._doubtful:
            # Nothing was looked up that might be there already; from now on it is.
            self._doubtful = True
            results, problem = self._carry_out(connection, jobs)
        self._resolve(
            [(job.future, result, problem) for job, result in zip(jobs, results, strict=True)]
        )
        return going

    def _carry_out(
        self, connection: Connection, jobs: Sequence[_Job]
    ) -> tuple[list[Any], Exception | None]:
        nothing = [None] * len(jobs)
        if not jobs:
            return nothing, None
        try:
            with connection.begin():
                return [job.work(connection) for job in jobs], None
        except (SQLAlchemyError, OSError) as error:
            return nothing, _problem(self._url, error)
        except Exception as error:  # noqa: BLE001 - a bug is raised where it was asked for
            return nothing, error

    def _resolve(
        self, results: Sequence[tuple[asyncio.Future[Any], object, Exception | None]]
    ) -> None:
        def tell() -> None:
            for future, result, problem in results:
                if future.done():  # whoever waited has been cancelled
                    continue
                if problem is None:
                    future.set_result(result)
                else:
                    future.set_exception(problem)

        self._loop.call_soon_threadsafe(tell)


def read(url: str, first: int = 0, last: int | None = None) -> list[Record]:
    """Return the journal from another process, without disturbing the one that writes it.

    Those commands, oldest first and each with all its steps, that were received or had a step
    from ``first`` until before ``last`` (µs since the epoch).
    """

    def within(column: Any) -> Any:
        return column >= first if last is None else and_(column >= first, column < last)

    touched = select(_steps.c.command).where(within(_steps.c.at))
    chosen = or_(within(_commands.c.received_at), _commands.c.id.in_(touched))
    return _look(url, lambda connection: _records(connection, chosen))


def read_controls(url: str) -> list[Control]:
    """Return every halt and resumption, oldest first, from another process."""
    return _look(url, _read_controls)


def _look(url: str, work: Callable[[Connection], _T]) -> _T:
    parsed = _parse(url)
    file = _file(parsed)
    if file is not None and not file.exists():
        raise JournalError(f"there is no journal at {file}")
    engine = _engine(parsed)
    try:
        with engine.connect() as connection:
            return work(connection)
    except (SQLAlchemyError, OSError) as error:
        raise _problem(parsed, error) from error
    finally:
        engine.dispose()


class _Statement:
    """A statement whose text is made once: to make it takes longer than to run it.

    Whatever this thread computes, the event loop may have to wait for, and the other way round.
    """

    def __init__(self, statement: Select[Any] | Insert, *keys: str) -> None:
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


def _without_id(table: Table) -> _Statement:
    return _Statement(insert(table), *(column.name for column in table.c if column.name != "id"))


_SAME = _Statement(
    select(_commands.c.id).where(
        *(_commands.c[name] == bindparam(f"its_{name}") for name in Identity._fields)
    )
)
_LAST = select(_steps.c.at).order_by(_steps.c.id.desc()).limit(1)
_NEW, _STEP = _without_id(_commands), _without_id(_steps)


def _admit(
    connection: Connection,
    new: NewRecord,
    lines: Sequence[tuple[Step, State]],
    *,
    careful: bool,
) -> tuple[Record, bool]:
    its = {f"its_{name}": value for name, value in new.identity._asdict().items()}
    if _SAME.execute(connection, its).first() is not None:
        found = _find(connection, new.identity)
        assert found is not None  # noqa: S101
        return found, False
    values = {
        **new.identity._asdict(),
        "verb": new.verb,
        "digest": new.digest,
        "body": new.body,
        "received_at": new.received_at,
        "expires_at": new.expires_at,
    }
    inserted = _NEW.execute(connection, values)
    key = inserted.scalar_one() if inserted.returns_rows else inserted.lastrowid
    new_lines = [JournalStep(key, n, *line) for n, line in enumerate(lines, 1)]
    _append(connection, new_lines, careful=careful)
    steps = tuple(step for step, _ in lines)
    return (
        Record(
            key,
            new.identity,
            new.verb,
            new.digest,
            new.body,
            new.received_at,
            new.expires_at,
            steps,
        ),
        True,
    )


def _append(connection: Connection, lines: Sequence[JournalStep], *, careful: bool) -> None:
    """Write lines; ``careful``: but those that an earlier, doubtful attempt has written."""
    if not lines:
        return
    written: set[tuple[int, int]] = set()
    if careful:
        ids = {line.command for line in lines}
        known = connection.execute(
            select(_steps.c.command, _steps.c.number).where(_steps.c.command.in_(ids))
        )
        written = {(row.command, row.number) for row in known}
    rows = [
        {
            "command": line.command,
            "number": line.number,
            "event": line.step.event.value,
            "state": line.state.value,
            "at": line.step.at,
            "data": line.step.dumps(),
        }
        for line in lines
        if (line.command, line.number) not in written
    ]
    if rows:
        _STEP.execute(connection, *rows)


def _control(connection: Connection, control: Control) -> None:
    connection.execute(insert(_controls), asdict(control))


def _read_controls(connection: Connection) -> list[Control]:
    return [
        Control(row.at, row.account, row.client, row.mode, row.reason)
        for row in connection.execute(select(_controls).order_by(_controls.c.id))
    ]


def _find(connection: Connection, identity: Identity) -> Record | None:
    columns = _commands.c
    found = _records(
        connection,
        and_(
            columns.account == identity.account,
            columns.client == identity.client,
            columns.client_order_id == identity.client_order_id,
            columns.command_id == identity.command_id,
        ),
    )
    return found[0] if found else None


def _replay(connection: Connection, since: int) -> list[Record]:
    last = select(func.max(_steps.c.id)).group_by(_steps.c.command)
    state = _steps.c.state
    answered = and_(_commands.c.verb != "place", state == State.ACCEPTED)
    closed = (
        select(_steps.c.command)
        .join(_commands, _commands.c.id == _steps.c.command)
        .where(_steps.c.id.in_(last), or_(state.in_(sorted(CLOSED)), answered))
    )
    touched = select(_steps.c.command).where(_steps.c.at >= since)  # sent after midnight, say
    recent = or_(_commands.c.received_at >= since, _commands.c.id.in_(touched))
    return _records(connection, or_(recent, _commands.c.id.not_in(closed)))


def _records(connection: Connection, condition: Any) -> list[Record]:
    rows = connection.execute(select(_commands).where(condition).order_by(_commands.c.id)).all()
    steps: dict[int, list[Step]] = {row.id: [] for row in rows}
    chosen = select(_commands.c.id).where(condition)
    for row in connection.execute(
        select(_steps).where(_steps.c.command.in_(chosen)).order_by(_steps.c.id)
    ):
        if row.command in steps:
            steps[row.command].append(Step.loads(row.event, row.at, row.data))
    return [_record(row, steps[row.id]) for row in rows]


def _record(row: Row[Any], steps: Sequence[Step]) -> Record:
    return Record(
        row.id,
        Identity(row.account, row.client, row.client_order_id, row.command_id),
        row.verb,
        row.digest,
        row.body,
        row.received_at,
        row.expires_at,
        tuple(steps),
    )


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise JournalError("journal.url is no SQLAlchemy URL, e.g. sqlite:///orders.db") from error


def _file(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise JournalError("journal.url: name a file, e.g. sqlite:///orders.db")
    return Path(url.database)


def _claim(url: URL) -> int | None:
    """Make the SQLite file for the owner only, and lock it; returns what holds the lock."""
    file = _file(url)
    if file is None:
        return None
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    lock = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not try_lock(lock):
        os.close(lock)
        raise JournalError(_in_use(file))
    return lock


def _engine(url: URL, *, lock: bool = False) -> Engine:
    """Return the engine; with ``lock`` each of its connections keeps other processes out."""
    try:
        engine = create_engine(url, pool_size=1, max_overflow=0)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise _problem(url, error) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _pragmas)
    elif lock:
        event.listen(engine, "connect", _locking(url))
    return engine


def _pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
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


def _prepare(connection: Connection, url: URL) -> None:
    """Make the tables, or bring those of an older bridge up to date."""
    if url.get_backend_name() in ("mysql", "mariadb"):  # to say so imports all of its dialects
        for table in _metadata.tables.values():
            table.dialect_kwargs.update(_BINARY)
    _metadata.create_all(connection)  # schema 1 had no controls, and nothing else was different
    version = connection.execute(select(func.max(_schema.c.version))).scalar()
    if version is None or version < SCHEMA:
        connection.execute(insert(_schema), {"version": SCHEMA})
    elif version > SCHEMA:
        raise JournalError(
            f"the journal {url.render_as_string()} has schema {version}, this bridge reads "
            f"{SCHEMA}: use the bridge that wrote it, or another journal.url"
        )


def _problem(url: URL, error: Exception) -> JournalError:
    cause = getattr(error, "orig", None) or error
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    if isinstance(error, ImportError):
        text = f"{text}: pip install kis-mqtt-bridge[postgresql] or [mariadb]"
    return JournalError(f"the journal {url.render_as_string()}: {text}")
