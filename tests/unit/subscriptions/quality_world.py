"""A board over a real pool and real sessions, with a clock that the test moves."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.config.quality import QualityConfig
from bridge.kis.decode import Route
from bridge.kis.session import Lost, Session, SessionEvent
from bridge.kis.stream import StreamCounts
from bridge.kis.values import Zone
from bridge.mqtt.feed_events import StaleRow
from bridge.mqtt.topics import Topics
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.quality import Graded, Quality
from bridge.subscriptions.quality_board import QualityBoard
from bridge.subscriptions.request import ByTopic, Wanted, resolve

__all__ = ["CATALOG", "Feed", "World", "at", "quote", "topic_of", "trade"]

CATALOG = load()
PINGPONG = '{"header":{"tr_id":"PINGPONG","datetime":"20261123100000"}}'


def at(text: str) -> float:
    """Return seconds since the epoch of a moment in Seoul."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Seoul")).timestamp()


def trade(symbol: str) -> Wanted:
    return resolve(CATALOG, ByTopic("domestic_stock", "krx", "trade", symbol), paper=False)


def quote(symbol: str) -> Wanted:
    return resolve(CATALOG, ByTopic("domestic_stock", "krx", "quote", symbol), paper=False)


def topic_of(wanted: Wanted) -> str:
    kind = CATALOG.channels[wanted.channel].kind
    return f"kis/market/domestic_stock/krx/{kind}/{wanted.key}"


class Feed:
    """A stream without a socket: KIS grants what it is asked, unless told otherwise."""

    def __init__(self, world: World, app: str, slots: int) -> None:
        self.session = Session(notices=frozenset(), slots=slots, spacing_s=0.0)
        self.counts = StreamCounts()
        self.state = "connecting"
        self.answers = True
        self.asked: list[tuple[str, str]] = []
        """``+`` or ``-`` and the key of each request."""
        self._world, self._app = world, app

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None:
        self.tell(self.session.subscribe(tr_id, key, self._world.monotonic, priority))

    def unsubscribe(self, tr_id: str, key: str) -> None:
        self.tell(self.session.unsubscribe(tr_id, key, self._world.monotonic))

    def delivers(self, tr_id: str, key: str) -> None:
        self.tell(self.session.delivers(tr_id, key))

    def allow(self, limit: int) -> None:
        self.session.allow(limit)

    def tell(self, events: list[SessionEvent]) -> None:
        for event in events:
            if isinstance(event, Lost):
                self.lose(event.code)
            else:
                self._world.pool.happened(self._app, event)

    def connect(self) -> None:
        self.state = "connected"
        self.counts.connections += 1
        self.tell(self.session.connected(self._world.monotonic))

    def lose(self, code: str = "closed 1006") -> None:
        self.tell(self.session.disconnected())
        self.state = "waiting"
        self._world.pool.happened(self._app, Lost(code, 1.0))

    def say(self, text: str = PINGPONG) -> None:
        """Have KIS say something that is no market data."""
        self.counts.bytes += len(text)
        self.counts.last_message_at = self._world.micros
        said = self.session.receive(text, self._world.monotonic)
        assert isinstance(said, list)
        self.tell(said)

    def converse(self) -> None:
        """Let what the bridge asks reach KIS, and KIS answer."""
        self.tell(self.session.tick(self._world.monotonic))
        while texts := self.session.data_to_send():
            for text in texts:
                if '"tr_type"' in text:
                    asked = json.loads(text)
                    sign = "+" if asked["header"]["tr_type"] == "1" else "-"
                    self.asked.append((sign, asked["body"]["input"]["tr_key"]))
                if self.answers and '"tr_type"' in text:
                    self.say(_answer(text))
            self.tell(self.session.tick(self._world.monotonic))


def _answer(request: str) -> str:
    asked = json.loads(request)
    granted = asked["header"]["tr_type"] == "1"
    body = {"rt_cd": "0", "msg_cd": "OPSP0000" if granted else "OPSP0001", "msg1": "SUCCESS"}
    return json.dumps({"header": asked["body"]["input"], "body": body})


class World:
    """Some app keys, what is wanted of them, and the board."""

    def __init__(
        self,
        now: str = "2026-11-23 10:00",
        *,
        slots: int = 41,
        apps: tuple[str, ...] = ("app1",),
        config: QualityConfig | None = None,
        always_open: bool = False,
    ) -> None:
        self.now, self.monotonic = at(now), 1000.0
        self.routes: dict[str, Route] = {}
        self.cleared: list[str] = []
        self.stale: list[StaleRow] = []
        self.feeds = {app: Feed(self, app, slots) for app in apps}
        self.pool = Pool(self.feeds, clock=lambda: self.now, monotonic=lambda: self.monotonic)
        self.calendar = Calendar(CATALOG.hours)
        self.board = QualityBoard(
            CATALOG,
            Topics(),
            self.pool,
            self.feeds,
            self.routes.get,
            self.calendar,
            config or QualityConfig(),
            always_open=always_open,
            clear=lambda route: self.cleared.append(route.topic),
            tell=self.stale.extend,
        )

    @property
    def micros(self) -> int:
        return int(self.now * 1e6)

    def hold(self, *wanted: Wanted, holder: str = "configuration") -> None:
        self.pool.hold(wanted, holder)

    def record(self, wanted: Wanted, app: str = "app1") -> None:
        """Have a record come."""
        topic = topic_of(wanted)
        route = self.routes.get(topic)
        if route is None:
            channel = CATALOG.channels[wanted.channel]
            zone = Zone(channel.timezone)
            route = self.routes[topic] = Route(channel, "krx", wanted.key, topic, zone)
        route.seq += 1
        route.last = b'{"seq":%d,"received_at":%d}' % (route.seq, self.micros)
        counts = self.feeds[app].counts
        counts.frames += 1
        counts.bytes += 100
        counts.last_frame_at = self.micros

    def sweep(self) -> None:
        for feed in self.feeds.values():
            if feed.state == "connected":
                feed.converse()
        self.pool.tick()
        for _ in self.board.sweep(self.micros, self.monotonic):
            pass

    def pass_time(self, seconds: float) -> None:
        """Let the clock run, and nothing else."""
        self.now += seconds
        self.monotonic += seconds

    def run(self, seconds: int, *lively: Wanted, ping: bool = True) -> None:
        """Let seconds pass in which these have a record each second."""
        for _ in range(seconds):
            self.pass_time(1)
            for wanted in lively:
                self.record(wanted)
            for feed in self.feeds.values():
                if ping and feed.state == "connected":
                    feed.say()
            self.sweep()

    def of(self, wanted: Wanted) -> Graded:
        found = self.board.of(topic_of(wanted))
        assert found is not None
        return found

    def quality(self, wanted: Wanted) -> Quality:
        return self.of(wanted).quality
