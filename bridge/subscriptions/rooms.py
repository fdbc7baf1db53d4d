"""Which sessions can be used now, and how many of their slots are for market data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.subscriptions.feeds import SessionFeed

__all__ = ["Rooms"]

AWAY_S = 15.0
"""A session that is away for longer gives its subscriptions to others. Most reconnections take
less, and moving a subscription costs a gap and two requests."""
_NEVER = float("inf")


class Rooms:
    """The sessions that serve, by alias of the app; some slots are pinned to one of them.

    ``monotonic`` is seconds, ``patience`` the factor of all pauses.
    """

    def __init__(
        self, feeds: Mapping[str, SessionFeed], monotonic: Callable[[], float], patience: float
    ) -> None:
        self._feeds, self._monotonic, self._patience = feeds, monotonic, patience
        self._pins: dict[tuple[str, str], tuple[str, int]] = {}
        self._away: dict[str, float] = dict.fromkeys(feeds, _NEVER)
        """App → when its subscriptions go elsewhere; at start everybody is waited for."""
        self._seen: dict[str, int] = {}

    def pin(self, tr_id: str, key: str, app: str, priority: int) -> None:
        """Want a subscription that only this session can serve, before all others."""
        self._pins[tr_id, key] = (app, priority)
        self._feeds[app].subscribe(tr_id, key, priority)

    def pin_again(self, name: tuple[str, str]) -> bool:
        """Ask again for what is pinned; return whether ``name`` is."""
        if (pinned := self._pins.get(name)) is None:
            return False
        app, priority = pinned
        self._feeds[app].subscribe(*name, priority)
        return True

    def look(self) -> None:
        """Take up which sessions are there."""
        for app, feed in self._feeds.items():
            if feed.state == "connected":
                self.returned(app)
            elif app not in self._away:
                self._away[app] = self._monotonic() + AWAY_S * self._patience

    def returned(self, app: str) -> None:
        """Say that a session serves."""
        self._away.pop(app, None)

    def lost(self, app: str, retry_after: float) -> None:
        """Say that a session is lost, and when the next attempt is made."""
        at = self._monotonic()
        # When even the next attempt comes later than that, there is nothing to wait for.
        if retry_after < AWAY_S:
            at += AWAY_S * self._patience
        self._away[app] = min(at, self._away.get(app, _NEVER))

    @property
    def changed(self) -> bool:
        """Whether there is more or less room than when it was last taken."""
        return self._now() != self._seen

    def take(self) -> dict[str, int]:
        """Return the slots of each session that can be used."""
        self._seen = self._now()
        return self._seen

    def _now(self) -> dict[str, int]:
        now = self._monotonic()
        pins = [app for app, _ in self._pins.values()]
        return {
            app: feed.session.limit - pins.count(app)
            for app, feed in self._feeds.items()
            if self._away.get(app, _NEVER) > now
        }
