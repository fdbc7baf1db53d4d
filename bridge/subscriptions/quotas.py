"""How many subscriptions a client may hold. Pure."""

from __future__ import annotations

from collections import Counter

from bridge.config.requests import RequestsConfig
from bridge.errors import RequestError
from bridge.subscriptions.interest import BRIDGE, NAMELESS, Interests

__all__ = ["Quotas"]

_MOST_NAMES = 1000
"""Clients of whom refusals are counted; whoever invents names must not fill the memory."""


class Quotas:
    """A limit for each client, and one for all together that have no section of their own.

    Who has one keeps its room, whatever the others take.
    """

    def __init__(self, requests: RequestsConfig | None = None) -> None:
        self._requests = requests or RequestsConfig()
        self.refused: Counter[str] = Counter()
        """Requests that were refused for a limit, by client."""

    def check(self, interests: Interests, client: str, more: int) -> None:
        """Refuse ``more`` interests of a client that would have too many; `RequestError`."""
        if not (reason := self._reason(interests, client, more)):
            return
        if client in self.refused or len(self.refused) < _MOST_NAMES:
            self.refused[client] += 1
        raise RequestError(
            "too_many_subscriptions", f"{reason}; unsubscribe what is not needed any more"
        )

    def has_room(self, interests: Interests, client: str) -> bool:
        """Tell whether a client may have one more."""
        return not self._reason(interests, client, 1)

    def _reason(self, interests: Interests, client: str, more: int) -> str:
        held, section = interests.count(client), self._requests.clients.get(client)
        own = None if section is None else section.subscriptions
        most = self._requests.limit if own is None else own
        if held + more > most:
            place = "requests.subscriptions" if own is None else f"requests.clients.{client}"
            who = f"client {client!r}"
            if client == NAMELESS:
                who = "requests without a client's name in their topic"
            return f"{who} may hold {most} subscriptions ({place}), and {held} + {more} are more"
        if section is None:
            apart = sum(map(interests.count, (*self._requests.clients, *BRIDGE)))
            held, most = interests.total - apart, self._requests.subscriptions_in_all
            if held + more > most:
                return (
                    f"all clients without a section of their own may hold {most} subscriptions "
                    f"(requests.subscriptions_in_all), and {held} + {more} are more"
                )
        return ""
