"""The running bridge: builds the parts from the configuration, owns their tasks, ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import httpx
import structlog

import bridge
from bridge.catalog.model import Catalog
from bridge.config import App, Config, Subscription
from bridge.config import Limits as ConfiguredLimits
from bridge.errors import DecodeError, RequestError
from bridge.feed.demand import ByChannel, ByTopic, Wish, resolve
from bridge.feed.lane import KindPolicy, Lane
from bridge.feed.pool import Pool
from bridge.feed.pump import Pump
from bridge.feed.reports import Reports, notice_ids
from bridge.health import SessionHealth, snapshot
from bridge.kis.auth import ApprovalKeys, Tokens
from bridge.kis.decode import notice_values
from bridge.kis.frames import DataFrame
from bridge.kis.rest import RestClient, open_http
from bridge.kis.session import Notice, Session
from bridge.kis.stream import Stream
from bridge.kis.throttle import Throttle
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.events import Events
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.message import Will
from bridge.mqtt.payloads import encode
from bridge.mqtt.requests import Requests
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Account, Gateway, Rules
from bridge.orders.journal import Journal
from bridge.orders.risk import Limits
from bridge.verbs import Verbs

__all__ = ["Bridge"]

log = structlog.get_logger()

_HEALTH_S, _TURN_S = 10.0, 1.0
_BROKER_S = 30.0
"""What the broker may take to be there at start."""
_LEAVE_S = 9.0
_CONFIGURATION = "configuration"
_NOTICES = "H0STCNI0"
_NOTICES_FIRST = -1
"""Priority of the execution notices: before any market data."""


class Bridge:
    """One process between KIS and MQTT; built inside the event loop, run once."""

    def __init__(self, config: Config, catalog: Catalog, endpoints: list[Endpoint]) -> None:
        self._config = config
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
        self._reports = Reports(catalog, self.events)
        self.lane = Lane(_policies(config, catalog))
        self.pump = Pump(catalog, self.topics, self.lane, self._reports.problem)
        self.sessions: dict[str, SessionHealth] = {}

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until ``stop`` is set, then leave within ten seconds.

        ``ready`` is called once, when broker, journal and sessions are up. Raises the errors of
        :mod:`bridge.errors` when it cannot start; anything else out of here is a bug.
        """
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(open_http())
            journal = Journal(self._config.journal_url.get_secret_value())
            await journal.open()
            stack.push_async_callback(journal.close)
            rests = {app.alias: self._app(app, http) for app in self._config.kis.apps}
            self.gateway = self._gateway(journal, rests)
            self.pool = Pool({alias: session.stream for alias, session in self.sessions.items()})
            self._serve_requests(rests)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.control.run())
                await self.control.wait_connected(deadline_s=_BROKER_S)
                writer = LaneWriter(
                    self._endpoints,
                    f"{self._client_id}-market",
                    on_ready=self.lane.on_ready,
                    on_lost=self.lane.on_lost,
                )
                self.lane.attach(writer)
                tasks.create_task(self.gateway.run())
                await self.gateway.ready()
                self._subscribe_configured()
                streams = [session.stream.run() for session in self.sessions.values()]
                others = [
                    tasks.create_task(work)
                    for work in (writer.run(), self.events.run(), self._report(), *streams)
                ]
                ready()
                await stop.wait()
                async with asyncio.timeout(_LEAVE_S):
                    await self.gateway.stop()
                    for task in others:
                        task.cancel()
                    await asyncio.wait(others)
                    await self.control.close()

    # building

    def _app(self, app: App, http: httpx.AsyncClient) -> RestClient:
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
            on_event=lambda event: self._reports.session(app.alias, event),
        )
        health = self.sessions[app.alias] = SessionHealth(stream, rest.counts)
        return rest

    def _gateway(self, journal: Journal, rests: dict[str, RestClient]) -> Gateway:
        orders = self._config.orders
        gateway = Gateway(
            catalog=self._catalog,
            journal=journal,
            publisher=self.control,
            topics=self.topics,
            accounts={
                account.alias: Account(account.number, rests[account.app])
                for account in self._config.kis.accounts
            },
            rules=Rules(
                paper=self._paper,
                orders_allowed=self._config.orders_allowed,
                limits=_limits(orders.limits),
                client_limits={n: _limits(client.limits) for n, client in orders.clients.items()},
                permits=orders.permits,
                response_prefixes=self._config.mqtt.response_prefixes,
                grace_s=5.0,
            ),
            reference_price=self.pump.last_price,
        )
        self.control.subscribe(self.topics.command_filter(), 1, gateway.command)
        return gateway

    def _serve_requests(self, rests: dict[str, RestClient]) -> None:
        accounts = self._config.kis.accounts
        verbs = Verbs(
            catalog=self._catalog,
            pool=self.pool,
            pump=self.pump,
            gateway=self.gateway,
            events=self.events,
            rests=rests,
            accounts={account.alias: (account.number, account.app) for account in accounts},
            paper=self._paper,
        )
        prefixes = self._config.mqtt.response_prefixes
        verbs.register(Requests(self.control, self.topics, response_prefixes=prefixes))

    def _subscribe_configured(self) -> None:
        """Subscribe what the configuration wants; what cannot be had is told and not fatal."""
        for app in self._config.kis.apps:
            trades = any(account.app == app.alias for account in self._config.kis.accounts)
            if app.hts_id is not None and trades:
                channel = self._catalog.channels[_NOTICES]
                tr_id = channel.tr_id_paper if self._paper else channel.tr_id
                hts_id = app.hts_id.get_secret_value()
                self.sessions[app.alias].stream.subscribe(tr_id, hts_id, _NOTICES_FIRST)
        for subscription in self._config.market.subscriptions:
            for wish in _each(subscription):
                try:
                    wanted = resolve(self._catalog, wish, paper=self._paper)
                    self.pump.prepare(wanted.tr_id)
                    self.pool.hold(wanted, _CONFIGURATION)
                except RequestError as error:
                    self.events.tell("config_warning", message=str(error))

    # running

    def _notice(self, notice: Notice, received_at: int) -> None:
        channel = self._catalog.channel(notice.tr_id)
        try:
            if channel is None:
                raise DecodeError(f"no channel {notice.tr_id} in the workbook")
            for values in notice_values(channel, notice.count, notice.body):
                self.gateway.notice(values, received_at)
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

    async def _report(self) -> None:
        """Publish health, session maps and losses as they come."""
        loop = asyncio.get_running_loop()
        health_at = loop.time()
        while True:
            if loop.time() >= health_at:
                health_at += _HEALTH_S
                await self._health()
            changed, self._reports.changed = sorted(self._reports.changed), set()
            for app in changed:
                await self._session_map(app)
            if lost := self.lane.backlog.losses():
                self._reports.losses(lost, "the broker was away or slow")
            await asyncio.sleep(_TURN_S)

    async def _health(self) -> None:
        numbers = snapshot(
            sessions=self.sessions,
            pump=self.pump,
            lane=self.lane,
            gateway=self.gateway,
            control_backlog=self.control.backlog,
            events_dropped=self.events.dropped,
        )
        await self.control.publish(self.topics.health(), encode(numbers), retain=True)

    async def _session_map(self, app: str) -> None:
        session = self.sessions[app].stream.session
        held = [row for row in self.pool.subscriptions() if row["session"] == app]
        payload = {
            "state": self.sessions[app].stream.state,
            "slots_used": session.slots_used,
            "slots_limit": session.limit,
            "subscriptions": held,
        }
        await self.control.publish(self.topics.session(app), encode(payload), retain=True)


def _policies(config: Config, catalog: Catalog) -> dict[str, KindPolicy]:
    kinds = {channel.kind for channel in catalog.channels.values()} | set(config.market.kinds)
    return {kind: KindPolicy(**config.market.kind(kind).model_dump()) for kind in kinds}


def _each(subscription: Subscription) -> Iterator[Wish]:
    """Yield every registration that a section of the configuration asks for."""
    for key in subscription.keys or ():
        yield ByChannel(subscription.channel or "", key)
    market, venue = subscription.market or "", subscription.venue or ""
    for kind in subscription.kinds or ():
        for symbol in subscription.symbols or ():
            yield ByTopic(market, venue, kind, symbol)


def _limits(limits: ConfiguredLimits) -> Limits:
    return Limits(**limits.model_dump())
