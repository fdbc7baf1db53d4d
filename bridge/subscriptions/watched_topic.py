"""What is known of one topic, from which its quality follows. Pure: the times are arguments.

``now`` is µs since the epoch, for what is published; ``monotonic`` is seconds of a clock that
nobody sets, for how long something has lasted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.calendar.hours import Phase
from bridge.kis.decode import Route
from bridge.subscriptions.lines import SessionLine
from bridge.subscriptions.pace import Pace, PaceBounds
from bridge.subscriptions.quality import Grade, Graded, Situation
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rows import SlotStanding

__all__ = ["WatchedTopic"]

_TURN_S = 1.0
"""Between two looks."""
_AFTER_CLOSE_S = 60.0
"""So long after the close records still belong to it. Later ones mean that it is open."""
_UNANSWERED = "timeout"
"""KIS has said nothing, so that it has not refused either."""
_RECEIVED_AT = re.compile(rb'"received_at":(\d+)')


class WatchedTopic:
    """A topic that somebody wants; ``place`` is market, venue and kind."""

    __slots__ = (
        "bounds",
        "edge",
        "expected",
        "grade",
        "heard",
        "last_at",
        "pace",
        "place",
        "recorded",
        "seq",
        "served_by",
        "settled",
        "since",
        "steady",
        "unserved_at",
        "wanted",
    )

    def __init__(self, place: tuple[str, str, str], bounds: PaceBounds) -> None:
        self.place, self.bounds = place, bounds
        self.wanted: list[Wanted] = []
        """Registrations that feed it: hardly ever more than one."""
        self.pace = Pace()
        self.seq = 0
        self.last_at: int | None = None
        self.heard = self.expected = float("-inf")
        """When the newest record came, and since when one is to be expected; monotonic."""
        self.edge = float("-inf")
        """When the market began to be as open as it is; seconds since the epoch."""
        self.recorded = False
        """Whether a record came since it is served."""
        self.unserved_at = 0
        """When it was last seen to be served by no session."""
        self.steady = False
        """Whether it was served all the time since its newest record."""
        self.served_by: Sequence[tuple[str, int]] = ()
        """The sessions that served it at the last look, and which connection of theirs."""
        self.grade: Grade | None = None
        self.since = 0
        self.settled: object = None
        """What its grade followed from, where time alone does not change it."""

    @property
    def graded(self) -> Graded | None:
        """What is published of it; None: it was not looked at yet."""
        if self.grade is None:
            return None
        quality, reason, source = self.grade
        return Graded(quality, self.since, self.last_at, reason, source)

    @property
    def sign_at(self) -> int:
        """When its newest record came, or since when one is expected; 0: neither is known."""
        return max(self.last_at or 0, self.unserved_at)

    def hours(self, edge: float, now: int, monotonic: float) -> None:
        """Take up when the timetable last changed."""
        if self.grade is None:
            self.expected = monotonic
        if edge != self.edge:
            # Another session of the market has another pace, and the pause before it is none.
            self.edge, self.steady = edge, False
            self.pace.forget()
            self.expected = max(self.expected, monotonic - max(0.0, now / 1e6 - edge))

    def serve(self, by: Sequence[tuple[str, int]], now: int, monotonic: float) -> None:
        """Take up by which connections of which sessions it is served.

        A session may have been lost and be back before anybody looked.
        """
        if not by or by != self.served_by:
            self._unserved(now, monotonic)
        self.served_by = by

    def _unserved(self, now: int, monotonic: float) -> None:
        """No session serves it."""
        self.unserved_at, self.steady, self.recorded = now, False, False
        self.expected = monotonic

    def hear(self, route: Route | None, now: int, monotonic: float, *, served: bool) -> bool:
        """Take up the records that came since the last look; return whether any did."""
        if route is None or route.seq == self.seq:
            return False
        self.seq = route.seq
        if (told := _RECEIVED_AT.search(route.last)) is None:
            return False  # it was taken back
        before, self.last_at = self.last_at, int(told[1])
        if self.steady and before is not None:
            self.pace.heard((self.last_at - before) / 1e6)
        self.steady = self.recorded = served
        self.heard = monotonic - min(_TURN_S, max(0.0, (now - self.last_at) / 1e6))
        return True

    def surprising(self, monotonic: float) -> bool:
        """Tell whether records come that its hours do not explain.

        The calendar may be wrong about a day, and what arrives is not.
        """
        late = (self.last_at or 0) / 1e6 > self.edge + _AFTER_CLOSE_S
        return late and monotonic - self.heard <= (self.bounds.most_s or _AFTER_CLOSE_S)

    def situation(
        self,
        standing: SlotStanding,
        line: SessionLine | None,
        phase: Phase,
        quiet_s: float,
        monotonic: float,
        polled: bool,
        any_sound: bool,
    ) -> Situation:
        """Return what is known of one of its registrations; ``line`` is its session.

        ``any_sound``: some session brings something.
        """
        bounds = self.bounds
        if bounds.most_s and phase != "busy":
            bounds = PaceBounds(bounds.least_s, max(bounds.most_s, quiet_s))
        return Situation(
            open=phase != "closed" or self.surprising(monotonic),
            refusal="" if standing.refusal == _UNANSWERED else standing.refusal,
            unanswered=standing.refusal == _UNANSWERED,
            app=standing.app,
            connected=any_sound if line is None else line.connected,
            confirmed=standing.live,
            trouble="" if line is None else line.trouble,
            recorded=self.recorded,
            silent_s=monotonic - max(self.heard, self.expected),
            limit_s=self.pace.limit(bounds),
            polled=polled,
            rotating=standing.rotating,
        )

    def note(self, found: Grade, now: int) -> bool:
        """Take its grade; return whether it is news."""
        before, self.grade = self.grade, found
        if before is None or before.quality is not found.quality:
            self.since = now
        return before != found
