"""Roles: what a user of the broker may read and write, and which role is the reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from bridge.errors import ConfigError

__all__ = ["ROLES", "Grant", "Role", "Rule", "checked_name", "own_rules", "rules"]

Role: TypeAlias = Literal["reader", "trader", "admin", "bridge"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Access: TypeAlias = Literal["read", "write"]

_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")

_READER_REQUESTS: Final = (
    *("subscribe", "unsubscribe", "subscriptions", "channels", "symbols", "snapshot", "history"),
)
_TRADER_REQUESTS: Final = ("query",)
"""Not for readers: it may ask for balances, and the broker does not see what is asked."""
_ADMIN_REQUESTS: Final = (
    *("query", "halt", "resume", "resolve", "adopt", "approvals", "approve", "decline"),
)
_READER_EVENTS: Final = (
    *("gap", "schema_drift", "quarantined", "slot_refused"),
    *("session_lost", "session_restored", "stale", "frozen", "clock_skew"),
)
"""Events about market data. The others are about orders, accounts or who is at work."""
_TRADER_EVENTS: Final = ("halted", "halt_done", "resumed", "journal_unavailable")


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A role that a user has; that of a trader is for one account."""

    role: Role
    account: str = ""

    def __post_init__(self) -> None:
        """Raise :class:`ConfigError` when role and account do not go together."""
        if self.role == "trader" and not self.account:
            raise ConfigError("role trader: name the account that may be traded (--account ALIAS)")
        if self.role != "trader" and self.account:
            raise ConfigError(f"role {self.role} is for no account in particular: no --account")
        if self.account and not _ACCOUNT.fullmatch(self.account):
            raise ConfigError(
                f"account {self.account[:64]!r}: an alias is 1 to 32 of A-Z a-z 0-9 _ -"
            )

    def __str__(self) -> str:
        return f"{self.role} {self.account}".rstrip()

    @classmethod
    def parse(cls, text: str) -> Grant:
        """Read what ``str`` wrote; raises :class:`ConfigError`."""
        words = text.split()
        for role in ROLES:
            if words[:1] == [role] and len(words) <= 2:
                return cls(role, *words[1:])
        raise ConfigError(f"no role {text[:64]!r} (one of {', '.join(ROLES)}; trader ACCOUNT)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One right."""

    access: Access
    topic_filter: str
    because: Grant


def checked_name(name: str) -> str:
    """Return a user's name, which is a level of topics; raises :class:`ConfigError`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"user {name[:80]!r}: a name is 1 to 64 of A-Z a-z 0-9 . _ @ -")
    return name


def own_rules(base: str = "kis") -> list[tuple[Access, str]]:
    """Return what everybody may do under the own name, which ``%u`` stands for.

    Only reading: what moves an order, or takes a slot from others, is nobody's by default.
    """
    filters = ("bridge/response/+/%u/#", *(f"orders/+/%u/{what}/+" for what in _TOLD))
    return [("read", f"{base}/{topic_filter}") for topic_filter in filters]


_TOLD: Final = ("ack", "event", "state", "approval")
"""What the bridge tells of an order."""


def rules(name: str, grants: Iterable[Grant], base: str = "kis") -> list[Rule]:
    """Return the rights of a user, each once, under the first grant that gives it."""
    found: dict[tuple[Access, str], Rule] = {}
    for grant in sorted(grants, key=lambda grant: (ROLES.index(grant.role), grant.account)):
        for access, topic_filter in _rights(grant, name):
            where = topic_filter if topic_filter.startswith("$") else f"{base}/{topic_filter}"
            found.setdefault((access, where), Rule(access, where, grant))
    return list(found.values())


def _rights(grant: Grant, name: str) -> Iterator[tuple[Access, str]]:
    match grant.role:
        case "reader":
            yield from _reader(name)
        case "trader":
            yield from _reader(name)
            yield "write", f"orders/{grant.account}/{name}/command/+"
            yield "read", f"orders/{grant.account}/{name}/#"
            yield "read", f"accounts/{grant.account}/#"
            yield from _requests(name, _TRADER_REQUESTS)
            yield from (("read", f"bridge/event/{kind}") for kind in _TRADER_EVENTS)
        case "admin":
            yield "read", "#"
            yield "read", "$SYS/#"
            yield from _requests(name, (*_READER_REQUESTS, *_ADMIN_REQUESTS))
        case "bridge":
            yield from _bridge()


def _reader(name: str) -> Iterator[tuple[Access, str]]:
    for topic_filter in ("market/#", "symbols/#", "quality/#"):
        yield "read", topic_filter
    for what in ("state", "info", "health", "overview", "sessions/+"):
        yield "read", f"bridge/{what}"
    yield from (("read", f"bridge/event/{kind}") for kind in _READER_EVENTS)
    yield "read", f"bridge/response/+/{name}/#"
    yield from _requests(name, _READER_REQUESTS)


def _requests(name: str, verbs: Iterable[str]) -> Iterator[tuple[Access, str]]:
    yield from (("write", f"bridge/request/{verb}/{name}") for verb in verbs)


def _bridge() -> Iterator[tuple[Access, str]]:
    """Yield all that the bridge writes, but neither commands nor requests.

    Whoever gets hold of its password can tell lies, but cannot trade.
    """
    yield "read", "#"
    for topic_filter in ("market/#", "symbols/#", "quality/#", "accounts/#"):
        yield "write", topic_filter
    yield from (("write", f"orders/+/+/{what}/+") for what in _TOLD)
    yield "write", "bridge/+"
    for what in ("event", "response", "sessions", "owner", "journal", "nodes", "check"):
        yield "write", f"bridge/{what}/#"
