"""The running bridge: builds the parts from the configuration, owns their tasks, ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import httpx
import structlog

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.config.kis import AppConfig
from bridge.config.models import Config
from bridge.errors import DecodeError
from bridge.extensions.configured import configured_extensions
from bridge.extensions.context import ExtensionContext
from bridge.extensions.hook import Extensions
from bridge.feed.lane import Lane
from bridge.feed.lane_end import lane_writer
from bridge.feed.policies import policies
from bridge.feed.pump import Pump
from bridge.kis.decode import notice_values
from bridge.kis.frames import DataFrame
from bridge.kis.masters import SymbolStore
from bridge.kis.rest import RestClient, open_http
from bridge.kis.session import Notice, SessionEvent
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.events import Events
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, TradingAccount
from bridge.orders.journal.journal import Journal
from bridge.orders.ownership.presence import Presence
from bridge.orders.publishing.journal_marks import JournalMarks
from bridge.orders.publishing.journal_watch import JournalWatch
from bridge.orders.risk.configured import configured
from bridge.requests.inlets import Inlets
from bridge.requests.local_halts import LocalHalts
from bridge.requests.permissions import Permissions
from bridge.requests.server import RequestServer
from bridge.requests.signed import SignedRequests
from bridge.requests.symbols import SymbolRequests
from bridge.requests.verbs import Verbs
from bridge.runtime.clock import now_us
from bridge.status.arrivals import ArrivalReports
from bridge.status.clocks import Clocks
from bridge.status.health import SessionHealth, snapshot, summary
from bridge.status.overview import Overview
from bridge.status.payloads import HealthReport
from bridge.status.reporter import Reporter
from bridge.subscriptions.app_keys import app_key
from bridge.subscriptions.configured import subscribe_configured
from bridge.subscriptions.listening import Listening
from bridge.subscriptions.reports import Reports
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.upkeep import Upkeep

if TYPE_CHECKING:
    from bridge.dashboard.listen import Listen
    from bridge.dashboard.orders import OrdersSeen

__all__ = ["Bridge"]

log = structlog.get_logger()

_TURN_S = 1.0
_BROKER_S = 30.0
"""What the broker may take to be there at start."""
_HEAD_START_S = 0.04
"""What a session needs until it has sent its first subscription, on this machine or nearby."""
_LEAVE_S = 9.0  # who stops containers and services often kills them after ten
_FRESH = 30_000_000
"""How old (µs) a trade may be that limits are held against."""


class Bridge:
    """One process between KIS and MQTT; built inside the event loop, run once.

    ``listen`` is where the dashboard is; None: there is none.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        endpoints: list[Endpoint],
        *,
        listen: Listen | None = None,
    ) -> None:
        self._config = config
        self._listen = listen
        self.dashboard_url: str | None = None
        self._catalog = catalog
        self._endpoints = endpoints
        self._paper = config.kis.paper
        self.topics = Topics(config.mqtt.base_topic)
        self.clocks = Clocks()
        self._inlets = inlets = Inlets.of(
            config, endpoints, self.topics, self.clocks.kis.now, self.clocks.pulse
        )
        self.control, self.urgent = inlets.control, inlets.urgent
        self.events = Events(self.control, self.topics)
        self._arrivals = ArrivalReports(inlets.arrivals, self.events.tell, now_us)
        self._reports = Reports(catalog, self.events)
        self._calendar = Calendar(catalog.hours)
        self.lane = Lane(policies(config, catalog))
        self._names: dict[tuple[str, str], str] = {}
        self.pump = Pump(
            catalog,
            self.topics,
            self.lane,
            self._reports.problem,
            lambda market, symbol: self._names.get((market, symbol), ""),
            lambda tr_id, key: self.pool.interests.wants(tr_id, key),
        )
        self._store = SymbolStore(config.kis.state_dir / "symbols.db")
        self._symbols = SymbolRequests(self._store, catalog)
        self.sessions: dict[str, SessionHealth] = {}
        self.listening = Listening(
            catalog, lambda app: self.clocks.heard(self.sessions[app].stream), self.clocks.kis.now
        )
        self._rests: dict[str, RestClient] = {}
        self._orders_seen: OrdersSeen | None = None
        if listen is not None:  # a bridge without its page has nothing of it
            from bridge.dashboard.orders import OrdersSeen

            self._orders_seen = OrdersSeen(self.control, self.topics)
        self._reporter = Reporter(
            self.control,
            self.topics,
            catalog,
            config,
            self.sessions,
            self._reports,
            started_at=datetime.now(UTC),
            masters=self._store.updated,
            listing=self._symbols.listing,
        )
        self.control.on_connected(self._reporter.greet)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until ``stop`` is set, then leave within ten seconds.

        ``ready`` is called once, when broker, journal and sessions are up. Raises the errors of
        :mod:`bridge.errors` when it cannot start; anything else out of here is a bug.
        """
        if self._config.market.names:
            self._names = await asyncio.to_thread(self._symbols.names)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(open_http())
            journal = Journal.of(self._config)
            await journal.open()
            marks = JournalMarks(journal, self.control, self.topics, self._config.kis.environment)
            stack.push_async_callback(journal.close)
            await self.clocks.ask(http, self._config.kis.rest_url)
            self._rests = {app.alias: self._app(app, http) for app in self._config.kis.apps}
            self.presence = Presence.of(
                self._config, self.control, self._inlets.owned, journal, self.events.tell
            )
            self.gateway = self._gateway(journal)
            self.upkeep = Upkeep(
                self._catalog,
                self.topics,
                {alias: session.stream for alias, session in self.sessions.items()},
                self.lane,
                self._reports,
                SubscriptionStore(self._config.kis.state_dir),
                paper=self._paper,
                calendar=self._calendar,
                open_orders=self.gateway.open_symbols,
                config=self._config,
            )
            self.pool = self.upkeep.pool
            backup = self.upkeep.backup(self._config)
            told = self.control, self.pump.route, self._config, backup
            self.quality = self.upkeep.quality(*told)
            seen = self._config, self.pump.route, self.quality.board, backup.newest
            self._overview = Overview(self.control, self.topics, *seen)
            self._serve_requests(journal)
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(self.clocks.run(self.events.tell, self.lane.beat))
                present = tasks.create_task(self.presence.run(_BROKER_S))
                urgent = tasks.create_task(self.presence.as_owner(self.urgent.run))
                stopped = tasks.create_task(stop.wait())
                connected = tasks.create_task(self.presence.connected(_BROKER_S))
                await asyncio.wait((stopped, connected), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    for task in (beating, present, urgent, connected):
                        task.cancel()
                    return
                name = self.presence.name("market")
                writer = lane_writer(self.lane, self._endpoints, name, self.control.version)
                self.lane.attach(writer, self.pump.retained)
                local = LocalHalts(self.gateway, self._config.kis.state_dir).run()
                halting = tasks.create_task(local)  # before any command is taken
                orders = tasks.create_task(self.presence.as_owner(marks.before(self.gateway.run)))
                if not self.presence.guest:
                    await self.gateway.ready()  # before KIS can send a notice of what was open
                feeds = self._config, self._catalog, self._markets
                subscribe_configured(self.pool, *feeds, self.events.tell)
                self.upkeep.restore()
                extensions = self._extensions()
                streams = [session.stream.run() for session in self.sessions.values()]
                works = (
                    *(*streams, writer.run(), self.events.run(), self._tend(), self.quality.run()),
                    self._reporter.run(self.numbers, self.gateway.trading, self.pool),
                    JournalWatch(journal, self.events.tell).run(),
                    self.presence.as_owner(marks.run),
                    extensions.run(),
                    self._overview.run(lambda: self.gateway.halted),
                    *(self.upkeep.follow_days(rest.call) for rest in [*self._rests.values()][:1]),
                    backup.run(self._rests),
                )
                others = [beating, urgent, halting, *map(tasks.create_task, works)]
                # The sessions connect meanwhile: what follows keeps Python busy.
                await asyncio.sleep(_HEAD_START_S)
                for tr_id in {wanted.tr_id for wanted in self.pool.interests.all()}:
                    self.pump.prepare(tr_id)
                others += [tasks.create_task(work) for work in await self._dashboard()]
                ready()
                await stop.wait()
                try:
                    async with asyncio.timeout(_LEAVE_S):
                        if not self.presence.guest:
                            await self.gateway.stop()  # while answers and notices still come in
                        await extensions.stop()
                        orders.cancel()
                        await self.presence.owner.release()  # behind the last order
                        for task in others:
                            task.cancel()
                        await asyncio.wait(others)
                        self.upkeep.save()
                        await self.quality.close()
                        await self.presence.close()  # last: all the others publish on it
                except TimeoutError:
                    log.warning("left before everything was finished", waited_s=_LEAVE_S)
                    for task in (present, orders, *others):
                        task.cancel()

    # building

    def _app(self, app: AppConfig, http: httpx.AsyncClient) -> RestClient:
        """Build what one app key needs: its REST client and its session."""

        def on_data(frame: DataFrame, received_at: int) -> None:
            health.records += frame.count
            self.pump.frame(frame, received_at)

        rest, stream = app_key(
            app,
            self._config.kis,
            self._catalog,
            http,
            self.clocks.kis,
            on_data=on_data,
            on_notice=self._notice,
            on_event=lambda event: self._happened(app.alias, event),
            reads=self.lane,
        )
        health = self.sessions[app.alias] = SessionHealth(stream, rest.counts)
        return rest

    def _gateway(self, journal: Journal) -> Gateway:
        gateway = Gateway(
            catalog=self._catalog,
            journal=journal,
            sink=self.control if self._orders_seen is None else self._orders_seen,
            topics=self.topics,
            accounts=self._accounts(),
            rules=configured(self._config),
            # An older one says little, above all of a session that was lost: then KIS is asked.
            reference_price=lambda market, venue, symbol: self.pump.last_price(
                market, venue, symbol, now_us() - _FRESH
            ),
            calendar=self._calendar,
            clock=self.clocks.kis.now,
            clock_problem=self.clocks.kis.problem,
            title=self.presence.owner.title,
        )
        self._inlets.take_commands(self.topics, gateway.command, gateway.take)
        return gateway

    def _serve_requests(self, journal: Journal) -> None:
        accounts = self._config.kis.accounts
        permissions = Permissions.of(self._config)
        for place, wrong in permissions.problems(self._catalog):
            self.events.tell({"kind": "config_warning", "message": f"{place}: {wrong}"})
        verbs = Verbs(
            catalog=self._catalog,
            pool=self.pool,
            pump=self.pump,
            gateway=self.gateway,
            events=self.events,
            rests=self._rests,
            accounts={account.alias: (account.number, account.app) for account in accounts},
            environment=self._config.kis.environment,
            paper=self._paper,
            topics=self.topics,
            permissions=permissions,
            symbols=self._symbols,
            broker_takes=lambda: self.control.maximum_packet,
        )
        prefixes = self._config.mqtt.response_prefixes
        unseal = SignedRequests.of(self._config, journal, self.clocks.kis.now).open
        where = self._inlets.requests, self.topics, prefixes
        self._requests = RequestServer(*where, permissions.verb, self.urgent, unseal)
        verbs.register(self._requests)

    def _extensions(self) -> Extensions:
        told = self._config, self._catalog, self._calendar, self.clocks.kis.now
        context = ExtensionContext(
            *told, self.pump, self.lane, self.events, self.pool.all_live, self._rests
        )
        return configured_extensions(context)

    async def _dashboard(self) -> list[Coroutine[None, None, None]]:
        """Return the work of the web server, if there is to be one; it listens already."""
        if self._listen is None or self._orders_seen is None:
            return []
        # Imported only now: the sessions do not need it.
        await asyncio.to_thread(import_module, "bridge.dashboard.server")
        from bridge.dashboard.server import Dashboard, Sources

        environment = self._config.kis.environment
        sources = Sources(self.numbers, self.pump.routes, self._orders_seen, environment)
        dashboard = Dashboard(sources, self._listen, self._config.dashboard)
        self.dashboard_url = dashboard.url
        return [dashboard.run()]

    def _accounts(self, app: str = "") -> dict[str, TradingAccount]:
        """Return the accounts of an app key, or all, by alias."""
        span, rests = self.listening.span, self._rests
        return {
            one.alias: TradingAccount(one.number, rests[one.app], partial(span, one.app))
            for one in self._config.kis.accounts
            if app in ("", one.app)
        }

    def _markets(self, app: str) -> list[str]:
        """Return the markets in which the accounts of an app key trade."""
        traded = self._config.orders.markets
        return [m for one in self._accounts(app).values() for m in one.markets(traded)]

    # running

    def _happened(self, app: str, event: SessionEvent) -> None:
        self.upkeep.happened(app, event)
        if self.listening.happened(app, event):
            for account in self._config.kis.accounts:
                if account.app == app:
                    self.gateway.gap(account.alias)  # nobody knows what was told before this

    def _notice(self, notice: Notice, _received_at: int) -> None:
        # By KIS's clock, as all times of orders: what was heard before an order is not that one.
        received_at = self.clocks.kis.now()
        tr_id, channel = notice.tr_id, self._catalog.channel(notice.tr_id)
        try:
            if channel is None:
                raise DecodeError(f"no channel {tr_id} in the workbook")
            for values in notice_values(channel, notice.count, notice.body):
                self.gateway.notice(values, received_at, channel.market)
        except DecodeError as error:
            self.events.tell({"kind": "quarantined", "channel": tr_id, "reason": str(error)}, tr_id)

    async def _tend(self) -> None:
        """Keep the feed in order; waits for nobody."""
        while True:
            self.upkeep.tick()
            self.events.settle()
            self._arrivals.tick()
            await asyncio.sleep(_TURN_S)

    def status(self) -> str:
        """Return in a line how the bridge is."""
        return summary(self.numbers(), connected=self.control.connected)

    def numbers(self) -> HealthReport:
        """Return the payload of ``bridge/health``, as of now."""
        return snapshot(
            environment=self._config.kis.environment,
            sessions=self.sessions,
            pump=self.pump,
            lane=self.lane,
            gateway=self.gateway,
            pool=self.pool,
            quality=self.quality.board.counts(),
            arrivals=self._arrivals.numbers(),
            requests_refused=self._requests.refused,
            frames_dropped=self._reports.dropped,
            control_backlog=self.control.backlog + self._inlets.requests.backlog,
            events_dropped=self.events.dropped,
            clocks=self.clocks,
        )
