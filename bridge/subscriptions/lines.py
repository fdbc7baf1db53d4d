"""Whether anything can arrive on a session, as far as it can be told from what does. Pure."""

from __future__ import annotations

from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.pace import Pace, PaceBounds

__all__ = ["SessionLine"]

_PINGS = 3
"""PINGPONGs that may be missing: one may be late, three in a row are no chance."""
_SILENT_LEAST_S, _SILENT_MOST_S = 10.0, 45.0
_FEW = 3
"""Busy subscriptions that there must be: of fewer each one's own limit tells as much."""
_MUTE_LEAST_S, _MUTE_MOST_S, _MUTE_ALONE_S = 5.0, 60.0, 300.0


class SessionLine:
    """What has been heard of one session; times are monotonic seconds."""

    def __init__(self, app: str, feed: SessionFeed) -> None:
        self.app, self._feed = app, feed
        self._bytes = self._frames = 0
        self.connections = 0
        """How many it has had, up to the last look."""
        self._heard = self._data_at = float("-inf")
        self._now = 0.0
        self._pace = Pace()
        self._still = False
        self._edge = float("-inf")
        self.trouble = ""
        """Why nothing arrives, in words; blank: nothing is wrong."""
        self.busy = 0
        """Subscriptions that it serves and whose market is busy; whoever counts them sets it."""

    @property
    def connected(self) -> bool:
        return self._feed.state == "connected"

    def look(self, now: float, *, stood_still: bool) -> None:
        """Take up what came since the last look; ``stood_still``: this process ran not at all.

        What was sent meanwhile waits in the socket and is old when it is read, so that the session
        has to be heard once more before it counts as sound.
        """
        counts, self._now = self._feed.counts, now
        if counts.connections != self.connections:
            self.connections = counts.connections
            self._heard = self._data_at = now
            self._still = False
        heard = counts.bytes != self._bytes
        if heard:
            self._heard, self._bytes = now, counts.bytes
        if counts.frames != self._frames:
            if not self._still:
                self._pace.heard(now - self._data_at)
            self._data_at, self._frames = now, counts.frames
        self._still = stood_still or (self._still and not heard)
        self.trouble = self._trouble()

    def expect(self, edge: float) -> None:
        """Say since when the markets that it serves are as busy as they are."""
        if edge != self._edge:
            self._edge = edge
            self._pace.forget()
            self._data_at = self._now

    def _trouble(self) -> str:
        if self._still:
            return "the bridge stood still"
        ping_s = self._feed.session.ping_every_s
        silent_s = _SILENT_MOST_S
        if ping_s is not None:
            silent_s = min(_SILENT_MOST_S, max(_SILENT_LEAST_S, _PINGS * ping_s))
        if self._now - self._heard > silent_s:
            return f"session {self.app} says nothing any more"
        if self.busy >= _FEW:
            most_s = max(_MUTE_MOST_S, _MUTE_ALONE_S / self.busy)
            mute_s = self._pace.limit(PaceBounds(_MUTE_LEAST_S, most_s))
            if mute_s is not None and self._now - self._data_at > mute_s:
                return f"session {self.app} brings no market data any more"
        return ""
