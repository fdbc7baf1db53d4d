"""Where a broker's users are kept: what both ways of keeping them can do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bridge.broker.folder import BrokerFolder, reload
from bridge.broker.password_file import hashed
from bridge.broker.roles import Grant
from bridge.errors import ConfigError

__all__ = ["BrokerUser", "FileUsers", "Users", "absent"]


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user of the broker."""

    name: str
    grants: frozenset[Grant]
    foreign: tuple[str, ...] = ()
    """Roles that are none of ours: what they give is not known here."""
    can_log_in: bool = field(default=True)


class Users(Protocol):
    """The users of one broker. All raise :class:`BridgeError` with one line for a person."""

    @property
    def base(self) -> str:
        """The base topic that the roles are about."""

    def all(self) -> dict[str, BrokerUser]:
        """Return all users by name."""

    def add(self, name: str, password: str, grants: frozenset[Grant]) -> None:
        """Add a user that is not there yet."""

    def remove(self, name: str) -> None:
        """Remove a user and all of its roles."""

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password."""

    def grant(self, name: str, grant: Grant) -> None:
        """Give a user a role."""

    def revoke(self, name: str, grant: Grant) -> None:
        """Take a role from a user."""

    def effect(self) -> str:
        """Bring changes into effect where that is needed; return what was or is to be done."""


class FileUsers:
    """Users in the password file and the ACL file of a broker's folder."""

    def __init__(self, folder: BrokerFolder, base: str = "kis") -> None:
        """Name the folder; ``base`` is the base topic while nothing is in it yet."""
        self._folder = folder
        self._base = base

    @property
    def base(self) -> str:
        return self._folder.read(self._base).base

    def all(self) -> dict[str, BrokerUser]:
        found = self._folder.read(self._base)
        none: frozenset[Grant] = frozenset()
        return {
            name: BrokerUser(name, found.grants.get(name, none), can_log_in=name in found.hashes)
            for name in sorted(found.hashes.keys() | found.grants.keys())
        }

    def add(self, name: str, password: str, grants: frozenset[Grant]) -> None:
        with self._folder.change(self._base) as found:
            if name in found.hashes:
                raise ConfigError(
                    f"user {name!r} is there already: kis-bridge users password {name},"
                    f" or users grant {name} ROLE"
                )
            found.hashes[name] = hashed(password)
            # Not also those of an earlier user of that name, if a line of it was left.
            found.grants[name] = grants

    def remove(self, name: str) -> None:
        with self._folder.change(self._base) as found:
            if name not in found.hashes and name not in found.grants:
                raise absent(name, found.hashes)
            found.hashes.pop(name, None)
            found.grants.pop(name, None)

    def set_password(self, name: str, password: str) -> None:
        with self._folder.change(self._base) as found:
            if name not in found.hashes and name not in found.grants:
                raise absent(name, found.hashes)
            found.hashes[name] = hashed(password)

    def grant(self, name: str, grant: Grant) -> None:
        with self._folder.change(self._base) as found:
            if name not in found.hashes and name not in found.grants:
                raise absent(name, found.hashes)
            found.grants[name] = found.grants.get(name, frozenset()) | {grant}

    def revoke(self, name: str, grant: Grant) -> None:
        with self._folder.change(self._base) as found:
            held = found.grants.get(name, frozenset())
            if grant not in held:
                raise not_held(name, grant, held)
            found.grants[name] = held - {grant}

    def effect(self) -> str:
        return reload(self._folder)


def absent(name: str, known: object) -> ConfigError:
    """Return the error that there is no such user."""
    names = ", ".join(sorted(known)) if isinstance(known, dict) else ""
    return ConfigError(f"no user {name!r}" + (f" (there are {names})" if names else ""))


def not_held(name: str, grant: Grant, held: frozenset[Grant]) -> ConfigError:
    """Return the error that a role cannot be taken."""
    has = ", ".join(map(str, sorted(held))) or "none"
    return ConfigError(f"user {name!r} does not have role {grant} (it has {has})")
