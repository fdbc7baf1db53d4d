"""How many slots KIS was found to grant each app key, and when one more is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.subscriptions.feeds import SessionFeed

__all__ = ["SlotLimits"]

PROBE_S = 3600.0
"""How often one slot more than the learned limit is tried. Some accounts are refused long
before KIS's 41 (docs/kis.md), and whether that passes only a try can tell."""
_SOON_S = 60.0
"""Before the first try where KIS has granted more than it does now. It may just be slow to free
what was left: turns leave slots all day long, and each late one would cost a slot for an hour."""


class SlotLimits:
    """The limits that were learned, below those of the configuration.

    ``learned`` are those of an earlier run. ``monotonic`` is seconds, ``patience`` the factor of
    all pauses.
    """

    def __init__(
        self,
        feeds: Mapping[str, SessionFeed],
        learned: Mapping[str, int],
        monotonic: Callable[[], float],
        patience: float,
    ) -> None:
        self._feeds, self._monotonic, self._patience = feeds, monotonic, patience
        self._ceilings = {app: feed.session.limit for app, feed in feeds.items()}
        self._most: dict[str, int] = {}
        """What each was granted at once, as far as no refusal has said otherwise since."""
        self.learned = {app: limit for app, limit in learned.items() if app in feeds}
        self._probes = {app: monotonic() + PROBE_S for app in self.learned}
        for app, limit in self.learned.items():
            feeds[app].session.limit = min(limit, self._ceilings[app])

    @property
    def due(self) -> bool:
        """Whether it is time to try one more."""
        now = self._monotonic()
        return any(at <= now for at in self._probes.values())

    def probe(self) -> None:
        """Try one slot more where KIS granted fewer than it should."""
        now = self._monotonic()
        for app, at in list(self._probes.items()):
            feed = self._feeds[app]
            if now >= at and feed.state == "connected":
                self._probes[app] = now + PROBE_S * self._patience
                feed.allow(min(self._ceilings[app], feed.session.limit + 1))

    def granted(self, app: str) -> bool:
        """Take a grant; return whether it taught anything."""
        live = self._feeds[app].session.live
        self._most[app] = max(live, self._most.get(app, 0))
        # KIS grants more than it did, so what was learned was no lasting limit.
        if live <= self.learned.get(app, live):
            return False
        self._learn(app, live)
        self._probes[app] = self._monotonic()  # where one more fits there may be others
        return True

    def refused(self, app: str) -> bool:
        """Take a refusal for want of a slot; return whether it taught anything."""
        limit = self._feeds[app].session.limit
        news = limit < self.learned.get(app, self._ceilings[app])
        if news:
            self._learn(app, limit)
        if app in self.learned:
            pause = min(_SOON_S, PROBE_S) if limit < self._most.get(app, 0) else PROBE_S
            self._probes[app] = self._monotonic() + pause * self._patience
        self._most[app] = limit
        return news

    def _learn(self, app: str, limit: int) -> None:
        """Remember a limit; forget it when it is as high as it can be."""
        if limit >= self._ceilings[app]:
            self.learned.pop(app, None)
            self._probes.pop(app, None)
        else:
            self.learned[app] = limit
