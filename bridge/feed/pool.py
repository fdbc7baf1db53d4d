"""Which subscription sits on which session: the wishes of all holders over all app keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bridge.errors import RequestError
from bridge.feed.demand import Wanted
from bridge.kis.session import Session, State

__all__ = ["Feed", "Pool"]


class Feed(Protocol):
    """A stream as far as the pool needs it."""

    session: Session

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None: ...
    def unsubscribe(self, tr_id: str, key: str) -> None: ...


class Pool:
    """Places each wanted subscription on the session with the most free slots.

    A subscription stays as long as any holder (the configuration, a client) wants it. What finds
    no free slot waits in its session, in order of priority.
    """

    def __init__(self, feeds: Mapping[str, Feed]) -> None:
        self._feeds = dict(feeds)
        self._places: dict[Wanted, str] = {}
        self._holders: dict[Wanted, set[str]] = {}

    def hold(self, wanted: Wanted, holder: str, priority: int = 0) -> None:
        """Want a subscription on behalf of ``holder``; idempotent. The smaller priority is first.

        Raises :class:`RequestError` when there is no session at all.
        """
        app = self._places.get(wanted) or self._freest()
        self._places[wanted] = app
        self._holders.setdefault(wanted, set()).add(holder)
        self._feeds[app].subscribe(wanted.tr_id, wanted.key, priority)

    def release(self, wanted: Wanted, holder: str) -> bool:
        """Drop ``holder``'s wish; return whether the subscription ends with it."""
        holders = self._holders.get(wanted, set())
        holders.discard(holder)
        if holders or wanted not in self._places:
            return False
        del self._holders[wanted]
        self._feeds[self._places.pop(wanted)].unsubscribe(wanted.tr_id, wanted.key)
        return True

    def subscriptions(self) -> list[dict[str, object]]:
        """Return every subscription with its session, state and holders, for people."""
        return [
            {
                "channel": wanted.channel,
                "key": wanted.key,
                "session": app,
                "state": self._state(wanted, app).value,
                "holders": sorted(self._holders[wanted]),
            }
            for wanted, app in self._places.items()
        ]

    def _state(self, wanted: Wanted, app: str) -> State:
        states = self._feeds[app].session.states()
        return states.get((wanted.tr_id, wanted.key), State.WANTED)

    def _freest(self) -> str:
        if not self._feeds:
            raise RequestError("no_session", "the configuration names no app key")
        placed = list(self._places.values())
        return max(self._feeds, key=lambda app: self._feeds[app].session.limit - placed.count(app))
