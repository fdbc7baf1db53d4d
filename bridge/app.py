"""The running bridge: builds the parts from the configuration, owns their tasks, ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import import_module

import httpx
import structlog

import bridge
from bridge.calendar.hours import Calendar
from bridge.calendar.table import TIMETABLE
from bridge.catalog.model import Catalog
from bridge.config.kis import AppConfig
from bridge.config.models import Config, SubscriptionConfig
from bridge.config.orders import LimitsConfig as ConfiguredLimits
from bridge.dashboard.listen import Listen
from bridge.dashboard.orders import OrdersSeen
from bridge.errors import DecodeError, RequestError
from bridge.feed.lane import KindPolicy, Lane
from bridge.feed.pump import Pump
from bridge.kis.auth import ApprovalKeys, Tokens
from bridge.kis.decode import notice_values
from bridge.kis.frames import DataFrame
from bridge.kis.masters import MastersError, SymbolStore
from bridge.kis.rest import RestClient, open_http
from bridge.kis.session import Notice, Session, Subscribed
from bridge.kis.session import SessionEvent as SessionEvent
from bridge.kis.stream import Stream
from bridge.kis.throttle import Throttle
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.events import Events
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.lane_messages import MessageWriter
from bridge.mqtt.message import Will
from bridge.mqtt.payloads import encode
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from bridge.orders.journal.journal import Journal
from bridge.orders.risk.limits import Limits
from bridge.requests.permissions import Permissions
from bridge.requests.server import RequestServer
from bridge.requests.symbols import SymbolRequests
from bridge.requests.verbs import Verbs
from bridge.runtime.clock import now_us
from bridge.status.health import SessionHealth, snapshot
from bridge.subscriptions.reports import Reports, notice_ids
from bridge.subscriptions.request import ByChannel, ByTopic, SubscriptionRequest, resolve
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.upkeep import CONFIGURATION, Upkeep

__all__ = ["Bridge"]

log = structlog.get_logger()

_HEALTH_S, _TURN_S = 10.0, 1.0
_LOG_HEALTH_S = 300.0
_CALENDAR_S = 6 * 3600.0
_BROKER_S = 30.0
"""What the broker may take to be there at start."""
_HEAD_START_S = 0.04
"""What a session needs until it has sent its first subscription, on this machine or nearby."""
_LEAVE_S = 9.0
_FRESH = 30_000_000
"""How old (µs) a trade may be that limits are held against."""
_NOTICES = {
    "domestic_stock": ("H0STCNI0",),
    "overseas_stock": ("H0GSCNI0",),
    "domestic_derivative": ("H0IFCNI0", "H0MFCNI0", "H0EUCNI0"),
}
"""Channels of execution notices."""
_NOTICES_FIRST = -2
"""Priority of the execution notices: before any market data."""


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
        self._paper = config.kis.environment != "real"
        self._started_at = datetime.now(UTC)
        self.topics = Topics(config.mqtt.base_topic)
        self._client_id = f"kis-bridge-{self.topics.base.replace('/', '-')}"
        will = Will(self.topics.state(), payloads.OFFLINE, birth=payloads.ONLINE)
        self.control = ControlClient(endpoints, client_id=self._client_id, will=will)
        self.control.on_connected(self._greet)
        self.events = Events(self.control, self.topics)
        self._orders_seen = OrdersSeen(self.control, self.topics)
        self._reports = Reports(catalog, self.events)
        self._calendar = Calendar(TIMETABLE)
        self.lane = Lane(_policies(config, catalog))
        self._names: dict[tuple[str, str], str] = {}
        self.pump = Pump(
            catalog,
            self.topics,
            self.lane,
            self._reports.problem,
            lambda market, symbol: self._names.get((market, symbol), ""),
        )
        self._store = SymbolStore(config.kis.state_dir / "symbols.db")
        self._symbols = SymbolRequests(self._store, catalog)
        self.sessions: dict[str, SessionHealth] = {}

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until ``stop`` is set, then leave within ten seconds.

        ``ready`` is called once, when broker, journal and sessions are up. Raises the errors of
        :mod:`bridge.errors` when it cannot start; anything else out of here is a bug.
        """
        if self._config.market.names:
            self._names = await asyncio.to_thread(self._symbols.names)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(open_http())
            journal = Journal(self._config.journal_url.get_secret_value())
            await journal.open()
            stack.push_async_callback(journal.close)
            rests = {app.alias: self._app(app, http) for app in self._config.kis.apps}
            self.gateway = self._gateway(journal, rests)
            self.upkeep = Upkeep(
                self._catalog,
                self.topics,
                {alias: session.stream for alias, session in self.sessions.items()},
                self.lane,
                self._reports,
                SubscriptionStore(self._config.kis.state_dir),
                paper=self._paper,
                calendar=self._calendar,
                open_orders=self._orders_seen.open_symbols,
            )
            self.pool = self.upkeep.pool
            self._serve_requests(rests)
            async with asyncio.TaskGroup() as tasks:
                control = tasks.create_task(self.control.run())
                stopped = tasks.create_task(stop.wait())
                connected = tasks.create_task(self.control.wait_connected(deadline_s=_BROKER_S))
                await asyncio.wait((stopped, connected), return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    for task in (control, connected):
                        task.cancel()
                    return
                writer = self._lane_writer()
                self.lane.attach(writer, self.pump.routes, confirms=isinstance(writer, LaneWriter))
                orders = tasks.create_task(self.gateway.run())
                await self.gateway.ready()
                self._subscribe_configured(rests)
                streams = [session.stream.run() for session in self.sessions.values()]
                others = [
                    tasks.create_task(work)
                    for work in (
                        *(*streams, writer.run(), self.events.run()),
                        *(self._tend(), self._report(), self._learn_days(rests)),
                    )
                ]
                # The sessions connect meanwhile: what follows keeps Python busy.
                await asyncio.sleep(_HEAD_START_S)
                for tr_id in {requests.wanted.tr_id for requests in self.pool.interests.requests()}:
                    self.pump.prepare(tr_id)
                others += [tasks.create_task(work) for work in await self._dashboard()]
                ready()
                await stop.wait()
                try:
                    async with asyncio.timeout(_LEAVE_S):
                        await self.gateway.stop()
                        for task in others:
                            task.cancel()
                        await asyncio.wait(others)
                        self.upkeep.save()
                        await self.control.close()
                except TimeoutError:
                    log.warning("left before everything was finished", waited_s=_LEAVE_S)
                    for task in (control, orders, *others):
                        task.cancel()

    # building

    def _app(self, app: AppConfig, http: httpx.AsyncClient) -> RestClient:
        """Build what one app key needs: its REST client and its session."""
        kis = self._config.kis
        credentials = (http, kis.rest_url, app.app_key, app.app_secret)
        rest = RestClient(
            self._catalog,
            *credentials,
            Tokens(*credentials, kis.state_dir),
            Throttle(kis.rest_per_second),
            paper=self._paper,
        )

        def on_data(frame: DataFrame, received_at: int) -> None:
            health.records += frame.count
            self.pump.frame(frame, received_at)

        stream = Stream(
            f"{kis.ws_url.rstrip('/')}/tryitout",
            Session(notices=notice_ids(self._catalog), slots=app.slots),
            ApprovalKeys(*credentials, kis.state_dir).key,
            on_data=on_data,
            on_notice=self._notice,
            on_event=lambda event: self._happened(app.alias, event),
        )
        health = self.sessions[app.alias] = SessionHealth(stream, rest.counts)
        return rest

    def _gateway(self, journal: Journal, rests: dict[str, RestClient]) -> Gateway:
        orders = self._config.orders
        gateway = Gateway(
            catalog=self._catalog,
            journal=journal,
            sink=self._orders_seen,
            topics=self.topics,
            accounts={
                account.alias: TradingAccount(account.number, rests[account.app])
                for account in self._config.kis.accounts
            },
            rules=Rules(
                paper=self._paper,
                orders_allowed=self._config.orders_allowed,
                limits=_limits(orders.limits),
                client_limits={n: _limits(client.limits) for n, client in orders.clients.items()},
                permits=orders.permits,
                markets=orders.markets,
                market_hours=self._config.market_hours,
                rates={str(currency): rate for currency, rate in orders.rates.items()},
                reconcile_s=orders.reconcile_s,
                proof_s=orders.proof_s,
                response_prefixes=self._config.mqtt.response_prefixes,
                grace_s=5.0,
            ),
            # An older one says little, above all of a session that was lost: then KIS is asked.
            reference_price=lambda market, venue, symbol: self.pump.last_price(
                market, venue, symbol, now_us() - _FRESH
            ),
            calendar=self._calendar,
        )
        self.control.subscribe(self.topics.command_filter(), 1, gateway.command)
        return gateway

    def _serve_requests(self, rests: dict[str, RestClient]) -> None:
        accounts = self._config.kis.accounts
        permissions = Permissions(self._config.requests, self._config.orders)
        for place, wrong in permissions.idle(self._catalog):
            self.events.tell("config_warning", message=f"{place}: {wrong}")
        verbs = Verbs(
            catalog=self._catalog,
            pool=self.pool,
            pump=self.pump,
            gateway=self.gateway,
            events=self.events,
            rests=rests,
            accounts={account.alias: (account.number, account.app) for account in accounts},
            paper=self._paper,
            topics=self.topics,
            permissions=permissions,
        )
        prefixes = self._config.mqtt.response_prefixes
        requests = RequestServer(self.control, self.topics, prefixes, permissions.verb)
        verbs.register(requests)
        requests.register("symbols", self._symbols.serve)

    def _lane_writer(self) -> LaneWriter | MessageWriter:
        """Return the lane's end that suits the broker which the control connection has found."""
        client_id = f"{self._client_id}-market"
        on_ready, on_lost = self.lane.on_ready, self.lane.on_lost
        if self.control.version == "5" and all(e.transport == "tcp" for e in self._endpoints):
            return LaneWriter(
                self._endpoints,
                client_id,
                on_ready=on_ready,
                on_lost=on_lost,
                on_ping=self.lane.on_ping,
                on_pong=self.lane.on_pong,
            )
        return MessageWriter(self._endpoints, client_id, on_ready=on_ready, on_lost=on_lost)

    async def _dashboard(self) -> list[Coroutine[None, None, None]]:
        """Return the work of the web server, if there is to be one; it listens already."""
        if self._listen is None:
            return []
        # Imported only now: the sessions do not need it.
        await asyncio.to_thread(import_module, "bridge.dashboard.server")
        from bridge.dashboard.server import Dashboard, Sources

        environment = self._config.kis.environment
        sources = Sources(self.numbers, self.pump.routes, self._orders_seen, environment)
        dashboard = Dashboard(sources, self._listen)
        self.dashboard_url = dashboard.url
        return [dashboard.run()]

    def _subscribe_configured(self, rests: dict[str, RestClient]) -> None:
        """Subscribe what the configuration wants; what cannot be had is told and not fatal."""
        for app in self._config.kis.apps:
            own = [one for one in self._config.kis.accounts if one.app == app.alias]
            accounts = [TradingAccount(one.number, rests[app.alias]) for one in own]
            traded = self._config.orders.markets
            for market in sorted({each for one in accounts for each in one.markets(traded)}):
                for name in _NOTICES[market]:
                    channel = self._catalog.channels[name]
                    tr_id = channel.tr_id_paper if self._paper else channel.tr_id
                    if app.hts_id is not None and tr_id:
                        hts_id = app.hts_id.get_secret_value()
                        self.pool.pin(tr_id, hts_id, app.alias, _NOTICES_FIRST)
        found = []
        for subscription in self._config.market.subscriptions:
            for interest in _each(subscription):
                try:
                    found.append(resolve(self._catalog, interest, paper=self._paper))
                except RequestError as error:
                    self.events.tell("config_warning", message=str(error))
        self.pool.hold(found, CONFIGURATION)
        if restored := self.upkeep.restore():
            log.info("subscriptions of clients taken up again", count=restored)

    # running

    def _happened(self, app: str, event: SessionEvent) -> None:
        self.upkeep.happened(app, event)
        channel = self._catalog.channel(event.tr_id) if isinstance(event, Subscribed) else None
        if channel is not None and channel.encrypted:
            for account in self._config.kis.accounts:
                if account.app == app:
                    self.gateway.gap(account.alias)

    def _notice(self, notice: Notice, received_at: int) -> None:
        channel = self._catalog.channel(notice.tr_id)
        try:
            if channel is None:
                raise DecodeError(f"no channel {notice.tr_id} in the workbook")
            for values in notice_values(channel, notice.count, notice.body):
                self.gateway.notice(values, received_at, channel.market)
        except DecodeError as error:
            reason = str(error)
            self.events.tell("quarantined", notice.tr_id, channel=notice.tr_id, reason=reason)

    async def _greet(self) -> None:
        """Publish what is retained, after each connect."""
        kis = self._config.kis
        info = payloads.Info(
            version=bridge.__version__,
            environment=kis.environment,
            started_at=self._started_at,
            workbook=payloads.WorkbookInfo(
                version=self._catalog.version, digest=self._catalog.digest
            ),
            accounts=tuple(account.alias for account in kis.accounts),
            limits={
                "slots": sum(app.slots for app in kis.apps),
                "rest_per_second": kis.rest_per_second,
            },
        )
        await self.control.publish(self.topics.info(), info.encode(), retain=True)
        self._reports.changed.update(self.sessions)
        try:
            for master in await asyncio.to_thread(self._store.updated):
                listing = encode(await asyncio.to_thread(self._symbols.listing, master))
                await self.control.publish(self.topics.symbols(master), listing, retain=True)
        except MastersError as error:
            log.warning("symbols not published", reason=str(error))

    async def _tend(self) -> None:
        """Keep the feed in order; waits for nobody."""
        while True:
            self.upkeep.tick()
            self.events.settle()
            await asyncio.sleep(_TURN_S)

    async def _learn_days(self, rests: dict[str, RestClient]) -> None:
        """Learn from KIS which days are trading days; paper trading cannot tell."""
        while not self._paper:
            await self.upkeep.learn_trading_days(next(iter(rests.values())).call)
            await asyncio.sleep(_CALENDAR_S)

    async def _report(self) -> None:
        """Publish health and session maps while the broker is there."""
        loop = asyncio.get_running_loop()
        health_at = log_at = loop.time()
        while True:
            if loop.time() >= log_at:
                log_at += _LOG_HEALTH_S
                log.info("health", **self.numbers())
            if self.control.connected:
                if loop.time() >= health_at:
                    health_at = loop.time() + _HEALTH_S
                    payload = encode(self.numbers())
                    await self.control.publish(self.topics.health(), payload, retain=True)
                changed, self._reports.changed = sorted(self._reports.changed), set()
                for app in changed:
                    await self._session_map(app)
            await asyncio.sleep(_TURN_S)

    def numbers(self) -> dict[str, object]:
        """Return the payload of ``bridge/health``, as of now."""
        return snapshot(
            sessions=self.sessions,
            pump=self.pump,
            lane=self.lane,
            gateway=self.gateway,
            subscriptions=self.pool.numbers(),
            frames_dropped=self._reports.dropped,
            control_backlog=self.control.backlog,
            events_dropped=self.events.dropped,
        )

    async def _session_map(self, app: str) -> None:
        session = self.sessions[app].stream.session
        held = [row for row in self.pool.subscriptions() if row["session"] == app]
        payload = {
            "state": self.sessions[app].stream.state,
            "slots_used": session.slots_used,
            "slots_limit": session.limit,
            "subscriptions": held,
            "waiting": len(self.pool.waiting()),
        }
        await self.control.publish(self.topics.session(app), encode(payload), retain=True)


def _policies(config: Config, catalog: Catalog) -> dict[str, KindPolicy]:
    kinds = {channel.kind for channel in catalog.channels.values()} | set(config.market.kinds)
    return {kind: KindPolicy(**config.market.kind(kind).model_dump()) for kind in kinds}


def _each(subscription: SubscriptionConfig) -> Iterator[SubscriptionRequest]:
    """Yield every registration that a section of the configuration asks for."""
    for key in subscription.keys or ():
        yield ByChannel(subscription.channel or "", key)
    market, venue = subscription.market or "", subscription.venue or ""
    for kind in subscription.kinds or ():
        for symbol in subscription.symbols or ():
            yield ByTopic(market, venue, kind, symbol)


def _limits(limits: ConfiguredLimits) -> Limits:
    return Limits(**limits.model_dump())
