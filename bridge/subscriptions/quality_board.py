"""How good each subscription is now, looked at once a second; time is an argument.

What arrives costs nothing here: the board looks at what the pump and the sessions count anyway. It
never holds up the loop for long, since :meth:`QualityBoard.sweep` pauses after each slice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from bridge.calendar.hours import Calendar, Phase
from bridge.catalog.model import Catalog
from bridge.config.quality import QualityConfig
from bridge.kis.decode import Route
from bridge.mqtt.topics import Topics
from bridge.subscriptions.deliveries import Deliveries
from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.lines import SessionLine
from bridge.subscriptions.pace import Pace, PaceBounds
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.quality import Grade, Graded, Quality, Situation, grade
from bridge.subscriptions.request import Wanted, split_key
from bridge.subscriptions.rows import SlotStanding
from bridge.subscriptions.withdrawals import Withdrawals

__all__ = ["QualityBoard"]

_SLICE = 100
"""Subscriptions that are looked at before others have a turn."""
_TURN_S = 1.0
"""Between two sweeps."""
_STILL_S = 3.0
"""More between two sweeps, and the process has not run."""
_AFTER_CLOSE_S = 60.0
"""So long after the close records still belong to it. Later ones mean that it is open."""
_RECEIVED_AT = re.compile(rb'"received_at":(\d+)')
_NO_REFUSALS = {"", "timeout"}
"""KIS has not answered, so that it has not refused either."""
_RANKS = {quality: rank for rank, quality in enumerate(Quality)}


class _Topic:
    """What is known of one topic; ``heard`` and ``expected`` are monotonic."""

    __slots__ = (
        "bounds",
        "edge",
        "expected",
        "graded",
        "heard",
        "last_at",
        "pace",
        "place",
        "seq",
        "steady",
        "unserved_at",
        "wanted",
    )

    def __init__(self, place: tuple[str, str, str], bounds: PaceBounds) -> None:
        self.place = place
        """Market, venue and kind."""
        self.bounds = bounds
        self.wanted: list[Wanted] = []
        self.pace = Pace()
        self.seq = 0
        self.last_at: int | None = None
        self.heard = self.expected = float("-inf")
        """When the newest record came, and since when one is to be expected."""
        self.edge = float("-inf")
        """When the market began to be as open as it is; seconds since the epoch."""
        self.unserved_at = 0
        """When it was last seen to be served by no session, µs since the epoch."""
        self.steady = False
        """Whether it was served all the time since its newest record."""
        self.graded: Graded | None = None


class QualityBoard:
    """The quality of every topic that somebody wants, by the topic of its market data.

    ``route`` gives where the records of a topic go, ``clear`` takes its value back from the broker.
    With ``always_open`` no market ever closes.
    """

    def __init__(
        self,
        catalog: Catalog,
        topics: Topics,
        pool: Pool,
        feeds: Mapping[str, SessionFeed],
        route: Callable[[str], Route | None],
        calendar: Calendar,
        config: QualityConfig,
        *,
        always_open: bool = False,
        clear: Callable[[Route], None] = lambda route: None,
    ) -> None:
        self._catalog, self._topics, self._pool = catalog, topics, pool
        self._route, self._calendar, self._config = route, calendar, config
        self._always_open = always_open
        self._lines = {app: SessionLine(app, feed) for app, feed in feeds.items()}
        self._deliveries = Deliveries(pool, feeds)
        self.withdrawals = Withdrawals(feeds, route, clear)
        pool.missing_since = self.missing_since
        self._topic_of: dict[Wanted, str] = {}
        self._board: dict[str, _Topic] = {}
        self._phases: dict[tuple[str, str, str], tuple[Phase, float]] = {}
        self._swept_at: float | None = None
        self.changed: dict[str, None] = {}
        """Topics whose quality has changed, or ended. Whoever publishes them takes them out."""

    def of(self, topic: str) -> Graded | None:
        """Return the quality of a market topic; None: nobody wants it."""
        found = self._board.get(topic)
        return None if found is None else found.graded

    def items(self) -> Iterable[tuple[str, Graded]]:
        """Return every topic with its quality."""
        return [(topic, one.graded) for topic, one in self._board.items() if one.graded]

    def counts(self) -> dict[str, int]:
        """Return how many topics have which quality."""
        return dict(Counter(graded.quality.value for _, graded in self.items()))

    def missing_since(self, wanted: Wanted, code: str) -> int | None:
        """Return since when its records are missing, now that its session is lost with a code.

        None: since the session was last heard, because until then it was sound.
        """
        found = self._board.get(self._topic_of.get(wanted, ""))
        if found is None or found.graded is None:
            return None
        if code != "mute" and found.graded.quality is not Quality.STALE:
            return None
        return max(found.last_at or 0, found.unserved_at) or None

    def sweep(self, now: int, monotonic: float) -> Iterator[None]:
        """Look at everything; yields where others may have a turn. ``now``: µs since the epoch."""
        before, self._swept_at = self._swept_at, monotonic
        still = before is not None and monotonic - before > _STILL_S
        self._phases.clear()
        for line in self._lines.values():
            line.look(monotonic, stood_still=still)
        for number, wanted in enumerate(list(self._pool.interests.all()), 1):
            if wanted not in self._topic_of:
                self._meet(wanted)
            if number % (10 * _SLICE) == 0:
                yield
        busy: dict[str, list[float]] = {app: [] for app in self._lines}
        for number, (topic, found) in enumerate(list(self._board.items()), 1):
            left = [one for one in found.wanted if self._still_wanted(one)]
            if left:
                found.wanted = left
                self._look(topic, found, now, monotonic, busy)
            else:
                del self._board[topic]
                self.end(topic, found.wanted)
            if number % _SLICE == 0:
                yield
        for app, edges in busy.items():
            self._lines[app].busy = len(edges)
            self._lines[app].expect(max(edges, default=float("-inf")))
        self.withdrawals.look(monotonic)

    def end(self, topic: str, wanted: Collection[Wanted] = ()) -> None:
        """Nobody wants a topic any more; ``wanted`` are the registrations that fed it."""
        self.changed[topic] = None
        self.withdrawals.leave(topic, wanted)

    def _meet(self, wanted: Wanted) -> None:
        channel = self._catalog.channels[wanted.channel]
        venue, symbol = split_key(channel, wanted.key)
        topic = self._topics.market(channel.market, venue, channel.kind, symbol)
        found = self._board.get(topic)
        if found is None:
            kind = self._config.kind(channel.kind)
            bounds = PaceBounds(kind.least_s, kind.most_s)
            found = self._board[topic] = _Topic((channel.market, venue, channel.kind), bounds)
            self.withdrawals.stay(topic)
        found.wanted.append(wanted)
        self._topic_of[wanted] = topic

    def _still_wanted(self, wanted: Wanted) -> bool:
        if wanted in self._pool.interests:
            return True
        del self._topic_of[wanted]
        return False

    def _look(
        self, topic: str, found: _Topic, now: int, monotonic: float, busy: dict[str, list[float]]
    ) -> None:
        phase, edge = self._phase(found.place, now)
        if found.graded is None:
            found.expected = monotonic
        if edge != found.edge:
            # Another session of the market has another pace, and the pause before it is none.
            found.edge, found.steady = edge, False
            found.pace.forget()
            found.expected = max(found.expected, monotonic - max(0.0, now / 1e6 - edge))
        standings = [self._pool.standing(one) for one in found.wanted]
        served = any(one.live and self._lines[one.app].connected for one in standings)
        if not served:
            found.unserved_at, found.steady = now, False
            found.expected = monotonic
        came = self._hear(topic, found, now, monotonic, served)
        if len(found.wanted) == 1:  # of two, nobody can tell which one KIS serves
            self._deliveries.look(found.wanted[0], standings[0], came=came)
        best = min(
            (grade(self._situation(found, one, phase, monotonic)) for one in standings),
            key=lambda one: _RANKS[one.quality],
        )
        if phase == "busy":
            for one in standings:
                if one.live:
                    busy[one.app].append(edge)
        self._note(topic, found, best, now)

    def _hear(self, topic: str, found: _Topic, now: int, monotonic: float, served: bool) -> bool:
        """Take up the records that came since the last look; return whether any did."""
        route = self._route(topic)
        if route is None or route.seq == found.seq:
            return False
        found.seq = route.seq
        if (told := _RECEIVED_AT.search(route.last)) is None:
            return False  # it was taken back
        before, found.last_at = found.last_at, int(told[1])
        if found.steady and before is not None:
            found.pace.heard((found.last_at - before) / 1e6)
        found.steady = served
        found.heard = monotonic - min(_TURN_S, max(0.0, (now - found.last_at) / 1e6))
        return True

    def _situation(
        self, found: _Topic, standing: SlotStanding, phase: Phase, monotonic: float
    ) -> Situation:
        line = self._lines.get(standing.app)
        most_s = found.bounds.most_s
        if most_s and phase != "busy":
            most_s = max(most_s, self._config.quiet_s)
        limit_s = found.pace.limit(PaceBounds(found.bounds.least_s, most_s))
        silent_s = monotonic - found.heard
        last_s = (found.last_at or 0) / 1e6
        # The calendar may be wrong about a day, and what arrives is not.
        surprise = last_s > found.edge + _AFTER_CLOSE_S and silent_s <= (
            found.bounds.most_s or _AFTER_CLOSE_S
        )
        return Situation(
            open=phase != "closed" or surprise,
            refusal="" if standing.refusal in _NO_REFUSALS else standing.refusal,
            app=standing.app,
            connected=line is not None and line.connected,
            confirmed=standing.live,
            trouble="" if line is None else line.trouble(),
            recorded=found.last_at is not None and found.last_at > found.unserved_at,
            silent_s=monotonic - max(found.heard, found.expected),
            limit_s=limit_s,
        )

    def _note(self, topic: str, found: _Topic, best: Grade, now: int) -> None:
        before = found.graded
        if before is not None and best == (before.quality, before.reason, before.source):
            if before.last_at != found.last_at:
                found.graded = replace(before, last_at=found.last_at)
            return
        same = before is not None and before.quality is best.quality
        since = before.since if before is not None and same else now
        found.graded = Graded(best.quality, since, found.last_at, best.reason, best.source)
        self.changed[topic] = None

    def _phase(self, place: tuple[str, str, str], now: int) -> tuple[Phase, float]:
        """Return how open a market is, and since when; asked for once a sweep."""
        if self._always_open:
            return "busy", 0.0
        found = self._phases.get(place)
        if found is None:
            moment = datetime.fromtimestamp(now / 1e6, UTC)
            found = self._phases[place] = self._calendar.phase_since(*place, moment)
        return found
