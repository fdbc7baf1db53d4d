"""Values that nobody wants any more are taken back from the broker, once KIS sends no more of them.

Not before: a record that was under way would put the value there again, and it would stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from bridge.kis.decode import Route
from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.request import Wanted

__all__ = ["Withdrawals"]

_WATCHED_S = 600.0
"""So long after it was taken back a value is taken back again, should KIS go on sending it."""


@dataclass(slots=True)
class _Leaving:
    names: frozenset[tuple[str, str]]
    seq: int = -1
    """Of the last record that was taken back; -1: nothing was yet."""
    until: float = float("inf")


class Withdrawals:
    """Takes back values by topic; times are monotonic seconds.

    ``clear`` takes one back behind all that was written of its topic.
    """

    def __init__(
        self,
        feeds: Mapping[str, SessionFeed],
        route: Callable[[str], Route | None],
        clear: Callable[[Route], None],
    ) -> None:
        self._feeds, self._route, self._clear = dict(feeds), route, clear
        self._leaving: dict[str, _Leaving] = {}
        self.unwritten: list[str] = []
        """Topics to take back on which this run has written nothing. Whoever does so clears this.
        """

    def leave(self, topic: str, wanted: Collection[Wanted]) -> None:
        """Say that nobody wants a topic any more; ``wanted`` are the registrations that fed it."""
        self._leaving[topic] = _Leaving(frozenset((one.tr_id, one.key) for one in wanted))

    def stay(self, topic: str) -> None:
        """Somebody wants it again."""
        self._leaving.pop(topic, None)

    def look(self, now: float) -> None:
        """Take back what KIS sends no more."""
        if not self._leaving:
            return
        held = {name for feed in self._feeds.values() for name in feed.session.states()}
        for topic, leaving in list(self._leaving.items()):
            if not held.isdisjoint(leaving.names):
                continue
            route = self._route(topic)
            if leaving.seq < 0:
                leaving.until = now + _WATCHED_S
                if route is None:
                    self.unwritten.append(topic)
            if route is not None and route.seq != leaving.seq:
                self._clear(route)
            leaving.seq = 0 if route is None else route.seq
            if now >= leaving.until:
                del self._leaving[topic]
