"""The configuration of requests: ``[requests]``, who may ask for what."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, Strict

from bridge.config.values import Alias, ClientName, Count, Section, SigningKey
from bridge.mqtt.topics import REQUEST_VERBS
from bridge.runtime.suggestions import nearest

__all__ = ["MOST_SUBSCRIPTIONS", "ClientRights", "RequestsConfig", "Rights", "Role"]

MOST_SUBSCRIPTIONS: Final = 100_000

Role: TypeAlias = Literal["reader", "admin"]


def _verb(value: str) -> str:
    if value not in REQUEST_VERBS:
        near = nearest(value, REQUEST_VERBS)
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(REQUEST_VERBS)}"
        raise ValueError(f"no request {value!r} ({hint})")
    return value


def _calls(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_/*?-]{1,100}", value):
        raise ValueError("must be a call of the workbook, with * for any part: domestic_stock/*")
    return value


class Rights(Section):
    """Rights of one client. A key that is missing is taken from `[requests]`."""

    role: Role | None = None
    """`reader`: market data, and no account. `admin`: every request (`halt`, `resume`, `resolve`,
    `adopt` too) and every account. By default `reader`; with the simulator `admin`, as long as
    nothing of `[requests]` says who may what."""
    verbs: tuple[Annotated[str, AfterValidator(_verb)], ...] | None = None
    """Requests that are served, instead of those of the role: `query`, `halt` …"""
    query: tuple[Annotated[str, AfterValidator(_calls)], ...] | None = None
    """Calls that a `query` may make, by their names in the workbook. `*` stands for any part:
    `domestic_stock/*`. By default every call that only reads."""
    accounts: tuple[Alias, ...] | None = None
    """Aliases of the accounts that a `query` may name. By default those of `[orders.clients.NAME]`
    if it is there, otherwise those of the role."""
    per_second: Count | None = None
    """Most requests a second, for long. By default 50. All requests without a client's name are one
    client."""
    at_once: Count | None = None
    """Most requests at once. By default 200. What is more is refused as `rate_limited`."""
    subscriptions: Annotated[int, Strict(), Field(ge=0, le=MOST_SUBSCRIPTIONS)] | None = None
    """Most subscriptions that a client may hold, with or without a slot. By default 1000. All
    requests without a client's name are one client."""

    def rate(self, usual: tuple[int, int] = (50, 200)) -> tuple[int, int]:
        """Return how many requests a second are served, and how many at once."""
        return self.per_second or usual[0], self.at_once or usual[1]


class ClientRights(Rights):
    """Rights of one client, and how it proves who it is."""

    signing_key: SigningKey | None = None
    """The key that signs its requests, as that of `[orders.clients.NAME]` signs commands."""


class RequestsConfig(Rights):
    """What a request may do that comes without a client's name, or with a name that is not below.

    The name is the last level of `bridge/request/{verb}/{client}`. The broker's ACL vouches for it.
    """

    clients: dict[ClientName, ClientRights] = Field(default_factory=dict)
    """By MQTT user name."""
    subscriptions_in_all: Annotated[int, Strict(), Field(ge=0, le=MOST_SUBSCRIPTIONS)] = 5000
    """Most subscriptions of all clients together that have no section below."""

    @property
    def decided(self) -> bool:
        """Whether anything is said about who may ask for what."""
        return any(
            one is not None
            for rights in (self, *self.clients.values())
            for one in (rights.role, rights.verbs, rights.query, rights.accounts)
        )

    @property
    def limit(self) -> int:
        """Most subscriptions of a client that nothing else is said of."""
        return 1000 if self.subscriptions is None else self.subscriptions
