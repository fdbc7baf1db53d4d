"""Who may ask the bridge for what, as the configuration says. Pure.

Who is not named gets market data and its own orders, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final, Self

from bridge.catalog.model import Catalog
from bridge.config.models import Config
from bridge.config.orders import OrdersConfig
from bridge.config.requests import RequestsConfig, Rights, Role
from bridge.errors import RequestError
from bridge.kis.params import reads_only
from bridge.mqtt.topics import REQUEST_VERBS, RequestVerb
from bridge.runtime.suggestions import nearest

__all__ = ["READER", "Permissions"]


READER: Final[tuple[RequestVerb, ...]] = (
    "subscribe",
    "unsubscribe",
    "subscriptions",
    "channels",
    "snapshot",
    "query",
    "symbols",
)
"""Market data: it stops nobody and tells nothing of an account."""


class Permissions:
    """Refuses by raising `RequestError` with code ``not_permitted``; a blank client is nobody.

    ``everything``: who is not named may do all of it.
    """

    def __init__(
        self, requests: RequestsConfig, orders: OrdersConfig, *, everything: bool = False
    ) -> None:
        self._requests = requests
        self._orders = orders
        self._default: Role = "admin" if everything else "reader"
        self._nobody_trades = False

    @classmethod
    def of(cls, config: Config) -> Self:
        """Make those of a configuration."""
        made = cls(config.requests, config.orders, everything=config.requests_are_open)
        made._nobody_trades = bool(
            config.kis.accounts and not config.orders.clients and not config.trading_is_open
        )
        return made

    def clients(self) -> Collection[str]:
        """Return the clients that the configuration names."""
        return self._orders.clients.keys() | self._requests.clients.keys()

    def verb(self, client: str, verb: str) -> None:
        """Let a request through, or refuse it."""
        if not self.allows(client, verb):
            name = client or "NAME"
            mend = f'[requests.clients.{name}] role = "admin", or verbs = ["{verb}", …]'
            under = "" if client else " and ask under that name (--user NAME)"
            raise _refusal(
                client, f"may not {verb}", self._verbs(client), f"; to permit it: {mend}{under}"
            )

    def allows(self, client: str, verb: str) -> bool:
        """Tell whether a request may pass."""
        return verb in self._verbs(client)

    def query(self, client: str, api: str, account: str) -> None:
        """Let a call through, or refuse it; ``api`` is its full name, ``account`` may be blank."""
        own = self._requests.clients.get(client, self._requests)
        calls = self._requests.query if own.query is None else own.query
        if calls is not None and not any(fnmatchcase(api, pattern) for pattern in calls):
            raise _refusal(client, f"may not call {api!r}", calls)
        accounts = self._accounts(client)
        if account and accounts is not None and account not in accounts:
            mend = f'; to permit it: [requests.clients.{client or "NAME"}] accounts = ["{account}"]'
            raise _refusal(
                client, f"may not call {api!r} about account {account!r}", accounts, mend
            )

    def holder(self, client: str, asked: str) -> None:
        """Refuse to act under a name that is somebody else's.

        ``asked`` is the name that a request itself gives. A name with rights of its own cannot be
        given so: it has to stand in the topic, where the broker's ACL vouches for it.
        """
        if asked != client if client else asked in self.clients():
            raise _refusal(client, f"may not ask as client {asked!r}", [client] if client else [])

    def problems(self, catalog: Catalog) -> Iterator[tuple[str, str]]:
        """Yield (place in the configuration, what is wrong): what permits nothing to anybody."""
        if self._nobody_trades:
            yield "orders.clients", 'nobody may trade: [orders.clients.NAME] accounts = ["ALIAS"]'
        names = [api.name for api in catalog.apis.values() if reads_only(api)]
        places = {f"requests.clients.{n}": own for n, own in self._requests.clients.items()}
        for place, own in {"requests": self._requests, **places}.items():
            for index, pattern in enumerate(own.query or ()):
                if not any(fnmatchcase(name, pattern) for name in names):
                    known = catalog.api(pattern)
                    near = known.name if known else nearest(pattern, names)
                    hint = f" (did you mean {near!r}?)" if near in names else ""
                    yield f"{place}.query[{index}]", f"{pattern!r}: no such read-only call{hint}"

    def _verbs(self, client: str) -> Collection[str]:
        # What is said of a client itself comes first, and there its verbs before its role.
        for rights in self._rights(client):
            if rights.verbs is not None:
                return rights.verbs
            if rights.role is not None:
                return _verbs_of(rights.role)
        return _verbs_of(self._default)

    def _accounts(self, client: str) -> Collection[str] | None:
        """Return which accounts a query may name; None: all."""
        own, traded = self._requests.clients.get(client), self._orders.clients.get(client)
        if own is not None and own.accounts is not None:
            return own.accounts
        role = own.role if own is not None else None
        if role is None and traded is not None:
            return traded.accounts
        if role is None and self._requests.accounts is not None:
            return self._requests.accounts
        if (role or self._requests.role or self._default) == "admin":
            return None
        return () if traded is None else traded.accounts

    def _rights(self, client: str) -> Iterator[Rights]:
        if client in self._requests.clients:
            yield self._requests.clients[client]
        yield self._requests


def _verbs_of(role: Role) -> Collection[str]:
    return REQUEST_VERBS if role == "admin" else READER


def _refusal(client: str, what: str, permitted: Iterable[str], mend: str = "") -> RequestError:
    who = f"client {client!r}" if client else "a request without a client's name in its topic"
    return RequestError(
        "not_permitted", f"{who} {what}; permitted: {', '.join(permitted) or 'none'}{mend}"
    )
