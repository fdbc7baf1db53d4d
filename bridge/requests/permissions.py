"""Who may ask the bridge for what, as the configuration says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from bridge.catalog.model import Catalog
from bridge.config.orders import OrdersConfig
from bridge.config.requests import RequestsConfig
from bridge.errors import RequestError
from bridge.kis.params import reads_only
from bridge.runtime.suggestions import nearest

__all__ = ["Permissions"]


class Permissions:
    """Refuses by raising `RequestError` with code ``not_permitted``; a blank client is nobody."""

    def __init__(self, requests: RequestsConfig, orders: OrdersConfig) -> None:
        self._requests = requests
        self._orders = orders

    def clients(self) -> Collection[str]:
        """Return the clients that the configuration names."""
        return self._orders.clients.keys() | self._requests.clients.keys()

    def verb(self, client: str, verb: str) -> None:
        """Let a request through, or refuse it."""
        own = self._requests.clients.get(client, self._requests)
        verbs = self._requests.verbs if own.verbs is None else own.verbs
        if verbs is not None and verb not in verbs:
            raise _refusal(client, f"may not {verb}", verbs)

    def query(self, client: str, api: str, account: str) -> None:
        """Let a call through, or refuse it; ``api`` is its full name, ``account`` may be blank."""
        own = self._requests.clients.get(client, self._requests)
        calls = self._requests.query if own.query is None else own.query
        if calls is not None and not any(fnmatchcase(api, pattern) for pattern in calls):
            raise _refusal(client, f"may not call {api!r}", calls)
        accounts = self._accounts(client)
        if account and accounts is not None and account not in accounts:
            raise _refusal(client, f"may not call {api!r} about account {account!r}", accounts)

    def holder(self, client: str, asked: str) -> None:
        """Refuse to act under a name that is somebody else's.

        ``asked`` is the name that a request itself gives. A name with rights of its own cannot be
        given so: it has to stand in the topic, where the broker's ACL vouches for it.
        """
        if asked != client if client else asked in self._requests.clients:
            raise _refusal(client, f"may not ask as client {asked!r}", [client] if client else [])

    def idle(self, catalog: Catalog) -> Iterator[tuple[str, str]]:
        """Yield (place in the configuration, what is wrong) of patterns that permit nothing."""
        names = [api.name for api in catalog.apis.values() if reads_only(api)]
        places = {f"requests.clients.{n}": own for n, own in self._requests.clients.items()}
        for place, own in {"requests": self._requests, **places}.items():
            for index, pattern in enumerate(own.query or ()):
                if not any(fnmatchcase(name, pattern) for name in names):
                    known = catalog.api(pattern)
                    near = known.name if known else nearest(pattern, names)
                    hint = f" (did you mean {near!r}?)" if near in names else ""
                    yield f"{place}.query[{index}]", f"{pattern!r}: no such read-only call{hint}"

    def _accounts(self, client: str) -> tuple[str, ...] | None:
        own = self._requests.clients.get(client)
        if own is not None and own.accounts is not None:
            return own.accounts
        if client in self._orders.clients:
            return self._orders.clients[client].accounts
        return self._requests.accounts


def _refusal(client: str, what: str, permitted: Iterable[str]) -> RequestError:
    who = f"client {client!r}" if client else "a request without a client's name in its topic"
    return RequestError(
        "not_permitted", f"{who} {what}; permitted: {', '.join(permitted) or 'none'}"
    )
