"""What has to be done every second, so that the feed never goes quiet unnoticed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import structlog

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.config.models import Config, MarketConfig
from bridge.errors import RequestError
from bridge.feed.lane import Lane
from bridge.kis.decode import Route
from bridge.kis.events import Lost, SessionEvent
from bridge.kis.replies import KisError, Reply
from bridge.kis.stream import Stream
from bridge.mqtt.client import ControlClient
from bridge.mqtt.topics import Topics
from bridge.runtime.clock import SEOUL
from bridge.subscriptions.backup import Backup
from bridge.subscriptions.interest import BRIDGE, ORDERS, Interest, dumps
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.quality_board import QualityBoard
from bridge.subscriptions.quality_publisher import QualityPublisher
from bridge.subscriptions.quotas import Quotas
from bridge.subscriptions.reports import Reports
from bridge.subscriptions.request import ByChannel, ByTopic, Wanted, resolve, split_key
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.watchdog import Watchdog

__all__ = ["Upkeep"]

log = structlog.get_logger()

_ORDERS_FIRST = -1
"""Symbols with open orders come first: the priorities that people can ask for begin at 0."""
_SUBSCRIPTIONS = "subscriptions.json"
_SAVE_S = 5.0
"""Between two times that subscriptions are written down, however many have changed meanwhile."""

_CALENDAR_S = 6 * 3600.0
_MOST_DAYS = 1_000
"""Of an answer; KIS tells of about a month."""

_Call: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[Reply]]
Symbol = tuple[str, str, str]
"""Market, venue, symbol."""


class Upkeep:
    """Looks after sessions, slots and what is stored of them; call :meth:`tick` every second.

    ``calendar`` is the workbook's unless given. ``open_orders`` gives the symbols with open orders.
    ``clock`` is seconds since the epoch.
    """

    def __init__(
        self,
        catalog: Catalog,
        topics: Topics,
        streams: Mapping[str, Stream],
        lane: Lane,
        reports: Reports,
        store: SubscriptionStore,
        *,
        paper: bool,
        calendar: Calendar | None = None,
        open_orders: Callable[[], Iterable[Symbol]] = tuple,
        clock: Callable[[], float] = time.time,
        patience: float = 1.0,
        config: Config | None = None,
    ) -> None:
        self._catalog, self._topics, self._paper = catalog, topics, paper
        self._streams, self._lane, self._reports = dict(streams), lane, reports
        self._store, self._clock = store, clock
        self._open_orders = open_orders
        self._traded: frozenset[Symbol] = frozenset()
        self.calendar = calendar or Calendar(catalog.hours)
        self.calendar.known = store.trading_days()
        self.pool = Pool(
            streams,
            learned=store.limits(),
            clock=clock,
            patience=patience,
            quotas=Quotas(None if config is None else config.requests),
            turn_s=(MarketConfig() if config is None else config.market).turn_s,
        )
        # Apart from the event loop: many subscriptions take a while to be written.
        self._writer = ThreadPoolExecutor(1, "subscriptions")
        self._written: Future[None] | None = None
        self._save_at = 0.0
        self._watchdogs = {app: Watchdog() for app in streams}
        self._frames = dict.fromkeys(streams, 0)

    def restore(self) -> int:
        """Take up the subscriptions that clients had asked for; return how many."""
        text = self._store.read(_SUBSCRIPTIONS)
        if not text:
            return 0
        left_out: Counter[str] = Counter()

        def may(client: str) -> bool:
            fits = self.pool.quotas.has_room(self.pool.interests, client)
            left_out[client] += not fits
            return fits

        try:
            taken = self.pool.interests.loads(text, self._clock(), self._find, may)
        except ValueError as error:
            log.warning("subscriptions ignored, the file is damaged", reason=str(error))
            return 0
        if count := left_out.total():
            [(client, _)] = left_out.most_common(1)
            log.warning("subscriptions beyond a quota left out", count=count, most_of=client)
        self.pool.restored()
        if taken:
            log.info("subscriptions of clients taken up again", count=taken)
        return taken

    def happened(self, app: str, event: SessionEvent) -> None:
        """Take an event of a session."""
        if isinstance(event, Lost) and event.code == "mute":
            self._watchdogs[app].was_mute()
        self._reports.session(app, event)
        self.pool.happened(app, event)

    def tick(self) -> None:
        """Let a second pass."""
        self._want_open_orders()
        if over := self.pool.tick():
            first = over[0].wanted  # a client's leases mostly end together
            log.info("leases over", count=len(over), channel=first.channel, key=first.key)
        for app, stream in self._streams.items():
            self._expect(app, stream)
        self._report()
        if self.pool.changed and time.monotonic() >= self._save_at and self._is_written():
            self._save_at = time.monotonic() + _SAVE_S
            self._written = self._writer.submit(self._write, *self._lasting())

    def save(self) -> None:
        """Write down, at the end, what is to survive a restart."""
        if self._written is not None:
            self._written.result()
        self._write(*self._lasting())

    async def follow_days(self, call: _Call) -> None:
        """Learn from KIS, for ever, which days are trading days; paper trading cannot tell."""
        while not self._paper:
            await self.learn_trading_days(call)
            await asyncio.sleep(_CALENDAR_S)

    async def learn_trading_days(self, call: _Call) -> None:
        """Ask KIS which days KRX trades; at most once a day, as KIS wants it."""
        today = self._today()
        learned = datetime.fromtimestamp(self._store.days_learned_at(), SEOUL).date()
        if learned == today and today in self.calendar.known:
            return
        params = {"BASS_DT": f"{today:%Y%m%d}", "CTX_AREA_NK": "", "CTX_AREA_FK": ""}
        try:
            reply = await call("domestic_stock/chk_holiday", params)
        except KisError as error:
            log.info("trading days not learned", reason=str(error))
            return
        rows = reply.body.get("output")
        days: dict[date, bool] = {}
        for row in rows[:_MOST_DAYS] if isinstance(rows, list) else ():
            try:
                day = datetime.strptime(row["bass_dt"], "%Y%m%d").replace(tzinfo=SEOUL).date()
                days[day] = row["opnd_yn"] == "Y"
            except (KeyError, TypeError, ValueError):
                log.warning("trading day ignored, it is none", row=str(row)[:80])
        if days:
            # A week of the past is enough: night sessions and open orders reach back a day or two.
            self.calendar.known = {
                day: trades
                for day, trades in (dict(self.calendar.known) | days).items()
                if day >= today - timedelta(days=7)
            }
            self._store.save_trading_days(self.calendar.known)

    def backup(self, config: Config) -> Backup:
        """Build what asks REST for the values that no session brings."""
        about = self._catalog, self._topics, self.pool, self._lane, self.calendar, config
        return Backup(*about, self._reports.backup)

    def quality(
        self,
        control: ControlClient,
        route: Callable[[str], Route | None],
        config: Config,
        backup: Backup,
    ) -> QualityPublisher:
        """Build what tells how good the values are; ``route`` is where a topic's records go."""
        board = QualityBoard(
            self._catalog,
            self._topics,
            self.pool,
            self._streams,
            route,
            self.calendar,
            config.quality,
            always_open=config.kis.environment == "simulator",
            clear=self._lane.clear,
            tell=self._reports.stale,
            polled=lambda wanted: backup.polled_at(wanted) is not None,
        )
        return QualityPublisher(board, control, self._topics, self._store)

    # inside

    def _is_written(self) -> bool:
        if self._written is not None and self._written.done():
            self._written.result()  # what went wrong is a bug, and must not stay in a thread
            self._written = None
        return self._written is None

    def _lasting(self) -> tuple[dict[str, int], list[Interest]]:
        self.pool.changed = False
        return dict(self.pool.learned), self.pool.interests.but(BRIDGE, self.pool.dead())

    def _write(self, limits: dict[str, int], interests: list[Interest]) -> None:
        self._store.save_limits(limits)
        self._store.write(_SUBSCRIPTIONS, dumps(interests))

    def _find(self, channel: str, key: str) -> Wanted | None:
        try:
            return resolve(self._catalog, ByChannel(channel, key), paper=self._paper)
        except RequestError:
            return None

    def _want_open_orders(self) -> None:
        traded = frozenset(self._open_orders())
        if traded == self._traded:
            return
        self._traded = traded
        wanted = set()
        for market, venue, symbol in traded:
            try:
                interest = ByTopic(market, venue, "trade", symbol)
                wanted.add(resolve(self._catalog, interest, paper=self._paper))
            except RequestError as error:
                log.info("no prices of an open order", symbol=symbol, reason=str(error))
        self.pool.replace(ORDERS, wanted, _ORDERS_FIRST)

    def _expect(self, app: str, stream: Stream) -> None:
        # The stream only counts. A callback for each frame would be work in the market-data path.
        frames = stream.counts.frames
        if frames != self._frames[app]:
            self._frames[app] = frames
            self._watchdogs[app].heard()
        seconds = self._clock()
        self._watchdogs[app].beat(stream.counts.heard_at / 1e6, seconds)
        now = datetime.fromtimestamp(seconds, UTC)
        busy = sum(self._busy(wanted, now) for wanted in self.pool.live(app))
        stream.expect(*self._watchdogs[app].limits(busy, stream.session.ping_every_s))

    def _busy(self, wanted: Wanted, now: datetime) -> bool:
        channel = self._catalog.channels[wanted.channel]
        venue, _ = split_key(channel, wanted.key)
        return self.calendar.phase(channel.market, venue, channel.kind, now) == "busy"

    def _report(self) -> None:
        if gaps := self.pool.gaps.take():
            self._reports.gaps([(gap, self._topic(gap.wanted)) for gap in gaps])
        if self.pool.crowded_out:
            crowded, self.pool.crowded_out = self.pool.crowded_out, set()
            self._reports.waiting(sorted(crowded, key=lambda one: (one.channel, one.key)))
        if lost := self._lane.backlog.losses():
            self._reports.losses(lost, "the broker was away or slow")
        if unfit := self._lane.unfit():
            limit = self._lane.largest_taken
            self._reports.losses(unfit, f"larger than the {limit} bytes that the broker takes")
        if doubtful := self._lane.doubts():
            self._reports.losses(doubtful, "under way when the broker was lost", certain=False)

    def _topic(self, wanted: Wanted) -> str:
        channel = self._catalog.channels[wanted.channel]
        venue, symbol = split_key(channel, wanted.key)
        return self._topics.market(channel.market, venue, channel.kind, symbol)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), SEOUL).date()
