"""Subscriptions that KIS serves although it never said so: its answers get lost, and data comes."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.kis.events import SubscriptionState
from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rows import SlotStanding

__all__ = ["Deliveries"]


class Deliveries:
    """Takes data of a subscription as the answer that is missing."""

    def __init__(self, pool: Pool, feeds: Mapping[str, SessionFeed]) -> None:
        self._pool, self._feeds = pool, dict(feeds)
        self._asked: dict[Wanted, tuple[str, int]] = {}
        """What waited for an answer at the last look; on which connection of which session."""

    def look(self, wanted: Wanted, standing: SlotStanding, *, came: bool) -> None:
        """Take up whether records of a subscription ``came`` since the last look."""
        asked = self._asked.pop(wanted, None)
        if standing.live:
            return
        if not standing.app:
            if came and standing.refusal == "timeout":
                self._pool.ask_again(wanted)
            return
        feed, name = self._feeds[standing.app], (wanted.tr_id, wanted.key)
        if feed.session.states().get(name) is not SubscriptionState.REQUESTED:
            return
        # On the same connection, or it may be what the one before had sent; and from no other
        # session, which may still send what it is to stop.
        here = self._asked[wanted] = (standing.app, feed.counts.connections)
        if came and asked == here and not self._elsewhere(name, standing.app):
            del self._asked[wanted]
            feed.delivers(*name)

    def _elsewhere(self, name: tuple[str, str], app: str) -> bool:
        return any(
            name in feed.session.states() for other, feed in self._feeds.items() if other != app
        )
