"""Which signed commands have come, for as long as one of them could come again."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select

from bridge.mqtt.signatures import Seal
from bridge.orders.journal import tables
from bridge.orders.journal.statement import Statement

__all__ = ["read", "use"]

_columns = tables.nonces.c
_SAME = Statement(
    select(_columns.client).where(
        _columns.client == bindparam("its_client"), _columns.nonce == bindparam("its_nonce")
    )
)
_NEW = Statement(insert(tables.nonces), *(column.name for column in _columns))


def use(connection: Connection, client: str, seal: Seal) -> None:
    """Write down that it has come; once is enough."""
    its = {"its_client": client, "its_nonce": seal.nonce}
    if _SAME.execute(connection, its).fetchone() is None:
        _NEW.execute(connection, {"client": client, **seal._asdict()})


def read(
    connection: Connection, since: int, new: Iterable[tuple[str, Seal]] = ()
) -> list[tuple[str, Seal]]:
    """Write down what is new; return what is good since then, by client, and forget the rest."""
    for client, seal in new:
        use(connection, client, seal)
    connection.execute(delete(tables.nonces).where(_columns.expires_at < since))
    return [
        (row.client, Seal(row.nonce, row.expires_at, row.content))
        for row in connection.execute(select(tables.nonces))
    ]
