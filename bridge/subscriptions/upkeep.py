"""What has to be done every second, so that the feed never goes quiet unnoticed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

import structlog

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.errors import RequestError
from bridge.feed.lane import Lane
from bridge.kis.events import Lost, SessionEvent
from bridge.kis.replies import KisError, Reply
from bridge.kis.stream import Stream
from bridge.mqtt.topics import Topics
from bridge.runtime.clock import SEOUL
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.reports import Reports
from bridge.subscriptions.request import ByChannel, ByTopic, Wanted, resolve, split_key
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.watchdog import Watchdog

__all__ = ["CONFIGURATION", "ORDERS", "Upkeep"]

log = structlog.get_logger()

CONFIGURATION, ORDERS = "configuration", "orders"
"""Holders whose interests a restart finds again by itself, so that they are not written down."""
_ORDERS_FIRST = -1
"""Symbols with open orders come first: the priorities that people can ask for begin at 0."""
_SUBSCRIPTIONS = "subscriptions.json"

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
    ) -> None:
        self._catalog, self._topics, self._paper = catalog, topics, paper
        self._streams, self._lane, self._reports = dict(streams), lane, reports
        self._store, self._clock = store, clock
        self._open_orders = open_orders
        self._traded: frozenset[Symbol] = frozenset()
        self.calendar = calendar or Calendar(catalog.hours)
        self.calendar.known = store.trading_days()
        self.pool = Pool(streams, learned=store.limits(), clock=clock, patience=patience)
        self._watchdogs = {app: Watchdog() for app in streams}
        self._frames = dict.fromkeys(streams, 0)

    def restore(self) -> int:
        """Take up the subscriptions that clients had asked for; return how many."""
        text = self._store.read(_SUBSCRIPTIONS)
        if not text:
            return 0
        try:
            taken = self.pool.interests.loads(text, self._clock(), self._find)
        except ValueError as error:
            log.warning("subscriptions ignored, the file is damaged", reason=str(error))
            return 0
        self.pool.arrange()
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
        for wanted, holder in self.pool.tick():
            log.info("lease over", channel=wanted.channel, key=wanted.key, client=holder)
        for app, stream in self._streams.items():
            self._expect(app, stream)
        self._lane.tick()
        self._report()
        if self.pool.changed:
            self.pool.changed = False
            self.save()

    def save(self) -> None:
        """Write down what is to survive a restart."""
        self._store.save_limits(self.pool.learned)
        self._store.write(
            _SUBSCRIPTIONS, self.pool.interests.dumps({CONFIGURATION, ORDERS}, self.pool.dead())
        )

    async def learn_trading_days(
        self, call: Callable[[str, Mapping[str, str]], Awaitable[Reply]]
    ) -> None:
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
        for row in rows if isinstance(rows, list) else ():
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

    # inside

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
        now = datetime.fromtimestamp(self._clock(), UTC)
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
        if doubtful := self._lane.doubts():
            self._reports.losses(doubtful, "under way when the broker was lost", certain=False)

    def _topic(self, wanted: Wanted) -> str:
        channel = self._catalog.channels[wanted.channel]
        venue, symbol = split_key(channel, wanted.key)
        return self._topics.market(channel.market, venue, channel.kind, symbol)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), SEOUL).date()
