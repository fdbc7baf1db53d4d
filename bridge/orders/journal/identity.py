"""Which journal this is, and whose: a random name, an environment, and the accounts it knows.

Order numbers of one environment or account mean other orders in another. A journal that is used
with the wrong one would cancel what somebody else has placed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import SecretStr
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import URL

from bridge.config.kis import KisConfig
from bridge.errors import JournalError
from bridge.orders.journal import tables

__all__ = ["Binding", "Mark", "bind", "new_name"]

_ONLY = 1
"""Id of the only row of ``journal``."""
_NAME = re.compile(r"[0-9a-z]{1,32}")
_MOST = 2**62
"""More commits than any journal has; what is beyond, no database takes."""
_WORK = 2**13
"""There are so few account numbers that a quick hash would hide none of them."""


class Mark(NamedTuple):
    """A journal at one moment of its life."""

    journal: str
    """Its random name."""
    generation: int
    """How many commits it has had."""

    @classmethod
    def told(cls, said: Mapping[str, object]) -> Mark:
        """Return the mark that a file or a broker tells of; raises :class:`ValueError`."""
        journal, generation = said.get("journal"), said.get("generation")
        if not isinstance(journal, str) or not _NAME.fullmatch(journal):
            raise ValueError("journal is no journal's name")
        if type(generation) is not int or not 0 <= generation < _MOST:
            raise ValueError("generation is no number of commits")
        return cls(journal, generation)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a journal is used with: the environment, and the number of each account by alias."""

    environment: str
    accounts: Mapping[str, SecretStr]

    @classmethod
    def of(cls, kis: KisConfig) -> Binding:
        """Return what the configuration says."""
        return cls(kis.environment, {one.alias: one.number for one in kis.accounts})


def bind(connection: Connection, url: URL, binding: Binding | None) -> Mark:
    """Return which journal this is; a new one belongs to ``binding`` from now on.

    None binds it to nothing. Raises :class:`JournalError` when it belongs to something else.
    """
    row = connection.execute(select(tables.journal)).first()
    if row is None:
        values = {
            "id": _ONLY,
            "name": new_name(),
            "environment": "",
            "salt": secrets.token_hex(16),
            "generation": 0,
        }
        connection.execute(insert(tables.journal), values)
        row = connection.execute(select(tables.journal)).one()
    if binding is not None:
        _bind_environment(connection, url, row.environment, binding.environment)
        _bind_accounts(connection, url, row.salt, binding.accounts)
    return Mark(row.name, row.generation)


def new_name() -> str:
    """Return a name that no journal has had."""
    return secrets.token_hex(16)


def _bind_environment(connection: Connection, url: URL, bound: str, wanted: str) -> None:
    if bound == wanted:
        return
    used = connection.execute(select(tables.commands.c.id).limit(1)).first() is not None
    if bound and used:
        raise JournalError(
            f"the journal {url.render_as_string()} has orders of the environment {bound!r}, this "
            f"bridge is configured for {wanted!r}: give {wanted!r} a kis.state_dir (or "
            f"journal.url) of its own, or set kis.environment to {bound!r}"
        )
    connection.execute(update(tables.journal).values(environment=wanted))


def _bind_accounts(
    connection: Connection, url: URL, salt: str, accounts: Mapping[str, SecretStr]
) -> None:
    known = {row.alias: row.digest for row in connection.execute(select(tables.accounts))}
    for alias, number in accounts.items():
        digest = _digest(number, salt)
        if alias not in known:
            connection.execute(insert(tables.accounts), {"alias": alias, "digest": digest})
        elif known[alias] != digest:
            if _has_orders(connection, alias):
                raise JournalError(
                    f"the journal {url.render_as_string()} has orders of another account under "
                    f"the alias {alias!r}: give the account that is configured now another alias, "
                    "or a kis.state_dir (or journal.url) of its own"
                )
            which = tables.accounts.c.alias == alias
            connection.execute(update(tables.accounts).where(which).values(digest=digest))


def _has_orders(connection: Connection, alias: str) -> bool:
    found = select(tables.commands.c.id).where(tables.commands.c.account == alias).limit(1)
    return connection.execute(found).first() is not None


def _digest(number: SecretStr, salt: str) -> str:
    plain = number.get_secret_value().replace("-", "").encode()
    return hashlib.scrypt(plain, salt=bytes.fromhex(salt), n=_WORK, r=8, p=1, dklen=32).hex()
