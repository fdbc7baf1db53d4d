"""Who may write to the journal that an order is sent, as rows of its database.

A lock file can be deleted, and a second bridge then opens the same journal. A row cannot: whoever
takes it over writes its own name and a higher fence into it, and from then on the first one's
transactions fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from bridge.errors import NotOwnerError
from bridge.orders.journal import tables
from bridge.orders.journal.statement import Statement
from bridge.runtime.clock import now_us

__all__ = [
    "Claimant",
    "JournalClaim",
    "beat",
    "confirm",
    "held",
    "inherit",
    "read",
    "release",
    "take",
]

_claims = tables.claims
_TAKEN_OVER = "another bridge has taken over the journal"


class JournalClaim(NamedTuple):
    """The row of a scope."""

    owner: str
    """Random name of a process; blank: it was given up."""
    fence: int
    beaten_at: int
    """By the owner's clock, µs since the epoch; what counts is whether it changes."""
    lock: str
    """Name of the lock that the owner holds while it lives."""
    inherited: int = 0
    """Since when a bridge with another journal may have sent what the broker delivers again, µs
    since the epoch; 0: none has."""


def read(connection: Connection, scopes: Sequence[str]) -> dict[str, JournalClaim]:
    """Return the rows that there are, by scope."""
    rows = connection.execute(select(_claims).where(_claims.c.scope.in_(scopes)))
    return {row.scope: JournalClaim(*row[1:]) for row in rows}


def take(
    connection: Connection,
    scopes: Sequence[str],
    known: Mapping[str, JournalClaim],
    *,
    owner: str,
    lock: str,
    at: int,
) -> int:
    """Take all scopes over, if they still are what is ``known``; return the highest fence.

    Raises :class:`NotOwnerError` when somebody else was quicker.
    """
    highest = 0
    for scope in scopes:
        before = known.get(scope)
        fence = 1 if before is None else before.fence + 1
        values = {"owner": owner, "fence": fence, "beaten_at": at, "lock_name": lock}
        if before is None:
            # Of two who insert it at once the second fails at the primary key.
            connection.execute(insert(_claims), {"scope": scope, **values})
        else:
            same = (_claims.c.scope == scope) & (_claims.c.fence == before.fence)
            if connection.execute(update(_claims).where(same).values(values)).rowcount != 1:
                raise NotOwnerError(f"another bridge has claimed {scope} in the journal")
        highest = max(highest, fence)
    return highest


_BEAT = Statement(
    update(_claims)
    .where(_claims.c.owner == bindparam("its_owner"))
    .values(beaten_at=bindparam("now")),
)
_HELD = select(func.count()).where(_claims.c.owner == bindparam("its_owner"))
_COUNT_HELD = Statement(_HELD)


class Claimant(NamedTuple):
    """A process that has claimed so many scopes under its random name."""

    owner: str
    scopes: int

    def values(self) -> dict[str, object]:
        """Return what :func:`held` is asked with."""
        return {"its_owner": self.owner, "its_count": self.scopes}


def held() -> ColumnElement[bool]:
    """Return the condition that a claim holds; only for SQLite, see :func:`confirm`."""
    return _HELD.scalar_subquery() == bindparam("its_count")


def beat(connection: Connection, claim: Claimant, at: int) -> None:
    """Say that what is claimed is alive; raises :class:`NotOwnerError` when it is another's."""
    values: dict[str, Any] = {"its_owner": claim.owner, "now": at}
    if _BEAT.execute(connection, values).rowcount != claim.scopes:
        raise NotOwnerError(_TAKEN_OVER)


def confirm(connection: Connection, claim: Claimant) -> None:
    """See to it that all scopes are still the owner's when this transaction ends.

    Used in one that has written already. SQLite has one writer, which nobody else can be until
    then, so that to look is enough. On a server a row that is only read could be taken over between
    that and the commit: there it is written, and so held. The name is the fence: it is random, of
    one process, and whoever takes a row over replaces it. Raises :class:`NotOwnerError`.
    """
    if connection.dialect.name != "sqlite":
        beat(connection, claim, now_us())
    elif _COUNT_HELD.execute(connection, {"its_owner": claim.owner}).fetchone()[0] != claim.scopes:
        raise NotOwnerError(_TAKEN_OVER)


def inherit(connection: Connection, owner: str, since: int) -> None:
    """Write down since when another bridge may have sent what the broker delivers again.

    It outlives this process: the broker may deliver it to the next one only. 0: it has all.
    """
    its = _claims.c.owner == owner
    connection.execute(update(_claims).where(its).values(inherited=since))


def release(connection: Connection, owner: str) -> None:
    """Give up what is the owner's; the fences stay."""
    connection.execute(update(_claims).where(_claims.c.owner == owner).values(owner=""))
