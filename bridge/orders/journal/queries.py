"""What is written to the journal and read from it, inside a transaction that somebody else has.

``careful`` is set after an attempt whose end nobody knows: then what is to be written is looked up
first, since it may be there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, bindparam, func, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from bridge.orders.journal import controls, nonces, tables
from bridge.orders.journal.claims import Claimant, confirm, held
from bridge.orders.journal.statement import Statement
from bridge.orders.model.lifecycle import CLOSED, State, Step
from bridge.orders.model.records import Control, Identity, JournalStep, NewRecord, Origin, Record

__all__ = [
    "admit",
    "append",
    "between",
    "catch_up",
    "clients",
    "expand",
    "find",
    "latest",
    "replay",
]


def _without_id(table: Table) -> Statement:
    return Statement(insert(table), *(column.name for column in table.c if column.name != "id"))


_SAME = Statement(
    select(tables.commands.c.id).where(
        *(tables.commands.c[name] == bindparam(f"its_{name}") for name in Identity._fields)
    )
)
_NEW, _STEP = _without_id(tables.commands), _without_id(tables.steps)
_COLUMNS = [column for column in tables.commands.c if column.name != "id"]
_NEW_OF_OWNER = Statement(
    sqlite_insert(tables.commands)
    .from_select(
        [column.name for column in _COLUMNS],
        select(*(bindparam(column.name, type_=column.type) for column in _COLUMNS)).where(held()),
    )
    .on_conflict_do_nothing()
)
"""Asks SQLite once: the journal's thread waits for Python after each statement, and market data has
it in between."""


def admit(
    connection: Connection,
    new: NewRecord,
    lines: Sequence[tuple[Step, State]],
    *,
    careful: bool,
    claim: Claimant | None = None,
) -> tuple[Record, bool]:
    """Write a command down unless its identity is there; return what is there, and if it is new.

    ``claim`` has to hold for it, or :class:`NotOwnerError` is raised.
    """
    if new.seal is not None:
        if claim is not None:
            confirm(connection, claim)
        nonces.use(connection, new.identity.client, new.seal)
    if claim is not None:
        if connection.dialect.name == "sqlite":
            key = _NEW_OF_OWNER.insert(connection, {**_values(new), **claim.values()})
            if key:
                return _written(connection, key, new, lines, careful=careful)
        # It is another bridge's now, or the identity is there: what follows tells which.
        confirm(connection, claim)
    its = {f"its_{name}": value for name, value in new.identity._asdict().items()}
    # Asked even when nothing has failed: a client may repeat a name of days ago, of which the
    # blotter knows nothing any more.
    if _SAME.execute(connection, its).fetchone() is not None:
        found = find(connection, new.identity)
        assert found is not None  # noqa: S101
        return found, False
    key = _NEW.insert(connection, _values(new))
    return _written(connection, key, new, lines, careful=careful)


def _values(new: NewRecord) -> dict[str, object]:
    account, client, client_order_id, command_id = new.identity
    return {
        "account": account,
        "client": client,
        "client_order_id": client_order_id,
        "command_id": command_id,
        "verb": new.verb,
        "digest": new.digest,
        "body": new.body,
        "received_at": new.received_at,
        "expires_at": new.expires_at,
        "origin": new.origin.dumps(),
    }


def _written(
    connection: Connection,
    key: int,
    new: NewRecord,
    lines: Sequence[tuple[Step, State]],
    *,
    careful: bool,
) -> tuple[Record, bool]:
    """Write the first steps of a command that was just written down."""
    new_lines = [JournalStep(key, n, *line) for n, line in enumerate(lines, 1)]
    append(connection, new_lines, careful=careful)
    record = Record(
        *(key, new.identity, new.verb, new.digest, new.body, new.received_at, new.expires_at),
        tuple(step for step, _ in lines),
        new.origin,
    )
    return record, True


def append(connection: Connection, lines: Sequence[JournalStep], *, careful: bool) -> None:
    """Write steps; ``careful``: but those that an earlier attempt may have written."""
    if not lines:
        return
    written: set[tuple[int, int]] = set()
    if careful:
        ids = {line.command for line in lines}
        known = connection.execute(
            select(tables.steps.c.command, tables.steps.c.number).where(
                tables.steps.c.command.in_(ids)
            )
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


def catch_up(
    connection: Connection,
    kept: Mapping[int, NewRecord],
    lines: Sequence[JournalStep],
    *,
    careful: bool,
) -> dict[int, int]:
    """Write commands that were kept in memory, and steps; return the number that each has now."""
    ids: dict[int, int] = {}
    for key, new in kept.items():
        record, is_new = admit(connection, new, (), careful=careful)
        # It may be there already: an attempt that failed had written it.
        same = (record.received_at, record.digest) == (new.received_at, new.digest)
        ids[key] = record.id if is_new or same else 0
    told = [replace(line, command=ids.get(line.command, line.command)) for line in lines]
    append(connection, [line for line in told if line.command], careful=careful)
    return ids


def expand(
    connection: Connection,
    cause: JournalStep | Control,
    new: Sequence[NewRecord],
    *,
    careful: bool,
) -> list[Record]:
    """Write what happened to a command, or a halt, and the commands that come of it."""
    if isinstance(cause, JournalStep):
        append(connection, [cause], careful=careful)
    else:
        controls.add(connection, cause)
    return [admit(connection, one, (), careful=careful)[0] for one in new]


def clients(connection: Connection) -> frozenset[str]:
    """Return the names of the clients that have sent commands."""
    return frozenset(connection.execute(select(tables.commands.c.client).distinct()).scalars())


def find(connection: Connection, identity: Identity) -> Record | None:
    """Return the command of that identity."""
    columns = tables.commands.c
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


def latest(connection: Connection) -> int:
    """Return when the last step happened; 0: none ever did."""
    last = select(tables.steps.c.at).order_by(tables.steps.c.id.desc()).limit(1)
    return connection.execute(last).scalar() or 0


def between(connection: Connection, first: int, last: int | None) -> list[Record]:
    """Return what was received or had a step from ``first`` until before ``last``."""

    def within(column: Any) -> Any:
        return column >= first if last is None else and_(column >= first, column < last)

    touched = select(tables.steps.c.command).where(within(tables.steps.c.at))
    return _records(
        connection,
        or_(within(tables.commands.c.received_at), tables.commands.c.id.in_(touched)),
    )


def replay(connection: Connection, since: int) -> list[Record]:
    """Return, oldest first, what was received since then and whatever is still open."""
    last = select(func.max(tables.steps.c.id)).group_by(tables.steps.c.command)
    state = tables.steps.c.state
    answered = and_(tables.commands.c.verb != "place", state == State.ACCEPTED)
    closed = (
        select(tables.steps.c.command)
        .join(tables.commands, tables.commands.c.id == tables.steps.c.command)
        .where(tables.steps.c.id.in_(last), or_(state.in_(sorted(CLOSED)), answered))
    )
    touched = select(tables.steps.c.command).where(
        tables.steps.c.at >= since
    )  # sent after midnight, say
    recent = or_(tables.commands.c.received_at >= since, tables.commands.c.id.in_(touched))
    return _records(connection, or_(recent, tables.commands.c.id.not_in(closed)))


def _records(connection: Connection, condition: Any) -> list[Record]:
    rows = connection.execute(
        select(tables.commands).where(condition).order_by(tables.commands.c.id)
    ).all()
    steps: dict[int, list[Step]] = {row.id: [] for row in rows}
    chosen = select(tables.commands.c.id).where(condition)
    for row in connection.execute(
        select(tables.steps).where(tables.steps.c.command.in_(chosen)).order_by(tables.steps.c.id)
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
        Origin.loads(row.origin),
    )
