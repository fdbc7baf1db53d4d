"""How good each subscription is now, looked at once a second; time is an argument.

What arrives costs nothing here: the board looks at what the pump and the sessions count anyway. It
never holds up the loop for long, since :meth:`QualityBoard.sweep` pauses after each slice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bridge.calendar.hours import Calendar, Phase
from bridge.catalog.model import Catalog
from bridge.config.quality import QualityConfig
from bridge.kis.decode import Route
from bridge.mqtt.feed_events import StaleRow
from bridge.mqtt.topics import Topics
from bridge.subscriptions.deliveries import Deliveries
from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.lines import SessionLine
from bridge.subscriptions.pace import PaceBounds
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.quality import SILENT, Grade, Graded, Quality, grade
from bridge.subscriptions.renewals import Renewals, Silent
from bridge.subscriptions.request import Wanted, split_key
from bridge.subscriptions.rows import SlotStanding
from bridge.subscriptions.watched_topic import WatchedTopic
from bridge.subscriptions.withdrawals import Withdrawals

__all__ = ["QualityBoard"]

_SLICE = 100
"""Subscriptions that are looked at before others have a turn."""
_STILL_S = 3.0
"""More between two sweeps, and the process has not run."""
_RANKS = {quality: rank for rank, quality in enumerate(Quality)}


class QualityBoard:
    """The quality of every topic that somebody wants, by the topic of its market data.

    ``route`` gives where the records of a topic go, ``clear`` takes its value back from the broker.
    ``tell`` is given what has gone silent alone, and ``polled`` says whether REST tells a value
    instead. With ``always_open`` no market ever closes.
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
        tell: Callable[[list[StaleRow]], None] = lambda rows: None,
        polled: Callable[[Wanted], bool] = lambda wanted: False,
    ) -> None:
        self._catalog, self._topics, self._pool = catalog, topics, pool
        self._route, self._calendar, self._config = route, calendar, config
        self._always_open, self._polled = always_open, polled
        self._lines = {app: SessionLine(app, feed) for app, feed in feeds.items()}
        self._deliveries = Deliveries(pool, feeds)
        self._renewals = Renewals(pool, feeds, tell)
        self._silent: list[Silent] = []
        self._sound: Counter[str] = Counter()
        self.withdrawals = Withdrawals(feeds, route, clear)
        pool.missing_since = self.missing_since
        self._topic_of: dict[Wanted, str] = {}
        self._board: dict[str, WatchedTopic] = {}
        self._phases: dict[tuple[str, str, str], tuple[Phase, float]] = {}
        self._swept_at: float | None = None
        self._any_sound = False
        self.changed: dict[str, None] = {}
        """Topics whose quality has changed, or ended. Whoever publishes them takes them out."""

    def of(self, topic: str) -> Graded | None:
        """Return the quality of a market topic; None: nobody wants it."""
        found = self._board.get(topic)
        return None if found is None else found.graded

    def items(self) -> Iterable[tuple[str, Graded]]:
        """Return every topic with its quality."""
        return [(topic, graded) for topic, one in self._board.items() if (graded := one.graded)]

    def counts(self) -> dict[str, int]:
        """Return how many topics have which quality."""
        grades = (one.grade for one in self._board.values())
        return dict(Counter(grade.quality.value for grade in grades if grade))

    def missing_since(self, wanted: Wanted, code: str) -> int | None:
        """Return since when its records are missing, now that its session is lost with a code.

        None: since the session was last heard, because until then it was sound.
        """
        found = self._board.get(self._topic_of.get(wanted, ""))
        if found is None or found.grade is None:
            return None
        if code != "mute" and found.grade.quality is not Quality.STALE:
            return None
        return found.sign_at or None

    def sweep(self, now: int, monotonic: float) -> Iterator[None]:
        """Look at everything; yields where others may have a turn. ``now``: µs since the epoch."""
        before, self._swept_at = self._swept_at, monotonic
        still = before is not None and monotonic - before > _STILL_S
        self._phases.clear()
        self._silent, self._sound = [], Counter()
        for line in self._lines.values():
            line.look(monotonic, stood_still=still)
        lines = self._lines.values()
        self._any_sound = any(line.connected and not line.trouble for line in lines)
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
        self._renewals.look(self._silent, self._sound, self._last_at, monotonic)
        self.withdrawals.look(monotonic)

    def end(self, topic: str, wanted: Collection[Wanted] = ()) -> None:
        """Nobody wants a topic any more; ``wanted`` are the registrations that fed it."""
        self.changed[topic] = None
        self.withdrawals.leave(topic, wanted)

    def _last_at(self, topic: str) -> int | None:
        """Return when the newest record came of a topic that is not silent."""
        graded = self.of(topic)
        return graded.last_at if graded is not None and graded.reason != SILENT else None

    def _meet(self, wanted: Wanted) -> None:
        channel = self._catalog.channels[wanted.channel]
        venue, symbol = split_key(channel, wanted.key)
        topic = self._topics.market(channel.market, venue, channel.kind, symbol)
        found = self._board.get(topic)
        if found is None:
            kind = self._config.kind(channel.kind)
            bounds = PaceBounds(kind.least_s, kind.most_s)
            place = channel.market, venue, channel.kind
            found = self._board[topic] = WatchedTopic(place, bounds)
            self.withdrawals.stay(topic)
        found.wanted.append(wanted)
        self._topic_of[wanted] = topic

    def _still_wanted(self, wanted: Wanted) -> bool:
        if wanted in self._pool.interests:
            return True
        del self._topic_of[wanted]
        return False

    def _look(
        self,
        topic: str,
        found: WatchedTopic,
        now: int,
        monotonic: float,
        busy: dict[str, list[float]],
    ) -> None:
        phase, edge = self._phase(found.place, now)
        route = self._route(topic)
        standings = [self._pool.standing(one) for one in found.wanted]
        polled = any(map(self._polled, found.wanted))
        settled = (standings, edge, 0 if route is None else route.seq, polled, self._any_sound)
        if found.settled == settled:
            return  # most have no slot, and nothing about them changes for hours
        found.hours(edge, now, monotonic)
        serving = [self._lines[one.app] for one in standings if one.live]
        by = [(line.app, line.connections) for line in serving if line.connected]
        found.serve(by, now, monotonic)
        came = found.hear(route, now, monotonic, served=bool(by))
        if len(standings) == 1:  # of two, nobody can tell which one KIS serves
            self._deliveries.look(found.wanted[0], standings[0], came=came)
        told = phase, self._config.quiet_s, monotonic, polled, self._any_sound
        best = min(
            (grade(found.situation(one, self._lines.get(one.app), *told)) for one in standings),
            key=lambda one: _RANKS[one.quality],
        )
        if phase == "busy":
            self._count(topic, found, standings, best, busy, came=came)
        if found.note(best, now):
            self.changed[topic] = None
        waits = not any(one.app for one in standings) and not found.surprising(monotonic)
        found.settled = settled if waits else None

    def _count(
        self,
        topic: str,
        found: WatchedTopic,
        standings: Sequence[SlotStanding],
        best: Grade,
        busy: dict[str, list[float]],
        *,
        came: bool,
    ) -> None:
        """Count for each session what it brings, and what is silent."""
        sound = best.quality is Quality.LIVE and not best.reason
        if best.quality is Quality.ROTATING:
            sound = came  # its turn may have begun with nothing traded for long
        for wanted, one in zip(found.wanted, standings, strict=True):
            if one.live:
                busy[one.app].append(found.edge)
                self._sound[one.app] += sound
                if best.reason == SILENT:
                    self._silent.append(Silent(wanted, topic, one.app, found.sign_at))

    def _phase(self, place: tuple[str, str, str], now: int) -> tuple[Phase, float]:
        """Return how open a market is, and since when; asked for once a sweep."""
        if self._always_open:
            return "busy", 0.0
        found = self._phases.get(place)
        if found is None:
            moment = datetime.fromtimestamp(now / 1e6, UTC)
            found = self._phases[place] = self._calendar.phase_since(*place, moment)
        return found
