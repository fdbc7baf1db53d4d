"""The simulated KIS as one thing to start: REST, WebSocket, exchange."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from random import Random
from types import TracebackType
from typing import Self

import structlog
from websockets.asyncio.server import Server, serve

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.simulator.clients import Client
from bridge.simulator.clock import SimulatedClock
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.tickets import ExchangeEvent
from bridge.simulator.faults.plan import Faults
from bridge.simulator.history.history import History
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.keys import Keys
from bridge.simulator.listening import HttpServer, listen
from bridge.simulator.off_book.closing import catch_up
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.overseas_hours import OffBookHours
from bridge.simulator.off_book.turns import take_turn
from bridge.simulator.rest import documents
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.rest.server import RestServer
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream import notices, playback
from bridge.simulator.stream.connection import ClientConnection
from bridge.simulator.stream.feed import Source
from bridge.simulator.stream.pump import RecordPump
from bridge.simulator.stream.server import StreamServer

__all__ = ["Simulator", "SimulatorSettings"]

log = structlog.get_logger()

LOOPBACK = "127.0.0.1"
_PERIOD_S = 0.02
_MOST_AT_ONCE = 64
"""Requests of the control interface."""


class Simulator:
    """A KIS on this machine: ``async with Simulator(catalog, settings) as sim``.

    Raises ConfigError when a port is taken or the file to play cannot be used.
    """

    def __init__(
        self,
        catalog: Catalog,
        settings: SimulatorSettings | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        settings = settings or SimulatorSettings()
        self._catalog, self.settings = catalog, settings
        offset = 0.0 if clock else settings.clock_offset_s
        self.clock = SimulatedClock(clock, timedelta(seconds=offset))
        self.keys = Keys(settings)
        accounts = self.keys.clients.accounts
        shares = [
            (symbol, settings.shares, base) for symbol, (_, base, _) in listings.KNOWN.items()
        ]
        self.exchange = Exchange(
            seed=settings.seed,
            calendar=None if settings.hours == "always" else Calendar(catalog.hours),
            accounts=[
                with_holdings(number, settings.cash, [] if number.endswith("-29") else shares)
                for number in accounts
                if not number.endswith(("-03", "-08"))
            ],
        )
        self.tapes = Tapes(settings.seed, self.clock().date())
        """What is traded today of everything without an order book."""
        self.off_book = OffBook(
            *(settings.seed, accounts, self.exchange.accounts, settings.cash),
            OffBookHours(Calendar(catalog.hours), always=settings.hours == "always"),
            tapes=self.tapes,
        )
        """Overseas stocks, futures and options."""
        self.history = History(Calendar(catalog.hours), seed=settings.seed, began=self.clock())
        """What every symbol was traded at before today."""
        player = None
        if settings.play is not None:
            frames = playback.read(settings.play, catalog)
            player = playback.Player(frames, per_s=settings.rate or 20.0, once=settings.play_once)
        self._control_port = 0
        self._random = Random(f"server {settings.seed}")  # noqa: S311 - decides no secret
        self.faults = Faults(settings.faults)
        self.stream = StreamServer(
            catalog,
            self.keys,
            Source(self.exchange, settings.seed, catalog.codes, self.off_book),
            RecordPump(self.exchange, settings.rate),
            settings,
            player=player,
            clock=self.clock,
            name_of=lambda symbol: listings.listing(symbol, settings.seed).name,
            faults=self.faults,
        )
        self.rest = RestServer(
            Handlers(self.exchange, catalog, settings, self.off_book, self.history),
            self.keys,
            settings,
            clock=self.clock,
            early=lambda: self._random.random() < settings.early_notices,
            publish=self.publish,
            fault=self.stream.injector.rest,
        )
        self.rest.app.router.routes.extend(
            documents.routes(catalog, settings.seed, lambda: self.clock().date())
        )
        self.events: deque[ExchangeEvent] = deque(maxlen=10_000)
        """The latest events of users' orders, in order."""

    @property
    def app_key(self) -> str:
        return self.settings.app_key

    @property
    def app_secret(self) -> str:
        return self.settings.app_secret

    @property
    def account(self) -> str:
        return self.settings.accounts[0]

    @property
    def hts_id(self) -> str:
        return self.settings.hts_id

    @property
    def clients(self) -> tuple[Client, ...]:
        """Everybody who has keys, the one of :attr:`app_key` first."""
        return self.keys.clients.all

    @property
    def rest_url(self) -> str:
        return f"http://{self.settings.host}:{self._rest_port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.settings.host}:{self._ws_port}"

    @property
    def control_url(self) -> str | None:
        """Where the control interface is; None: it was not asked for."""
        return f"http://{LOOPBACK}:{self._control_port}" if self._control_port else None

    async def __aenter__(self) -> Self:
        self.stream.injector.begin()
        host = self.settings.host
        with ExitStack() as opened:
            self._ws_socket = opened.enter_context(listen(host, self.settings.ws_port))
            rest = opened.enter_context(listen(host, self.settings.rest_port))
            control = None
            if self.settings.control_port is not None:
                # Never on an address that another machine could reach, wherever KIS's are.
                control = opened.enter_context(listen(LOOPBACK, self.settings.control_port))
            opened.pop_all()
        self._ws_port = self._ws_socket.getsockname()[1]
        self._rest_port = rest.getsockname()[1]
        self._http = [(HttpServer(self.rest.app), rest)]
        if control is not None:
            self._control_port = control.getsockname()[1]
            self._http.append((self._control(), control))
        self._server: Server = await serve(
            self.stream.handle,
            sock=self._ws_socket,
            process_request=self.stream.check_path,
            create_connection=ClientConnection,
            compression=None,
            ping_interval=None,
            server_header=None,
            max_size=1 << 20,
        )
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        for http, listener in self._http:
            self._tasks.create_task(http.serve(sockets=[listener]))
        self._running = [
            self._tasks.create_task(work) for work in (self.stream.ping(), self.stream.go_wrong())
        ]
        if not self.settings.manual:
            self._running.append(self._tasks.create_task(self._live()))
        async with asyncio.timeout(10):
            for http, _ in self._http:
                await http.ready.wait()
        log.info("simulator listening", rest=self.rest_url, ws=self.ws_url, data="simulated")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._running:
            task.cancel()
        for http, _ in self._http:
            http.should_exit = True
        self._server.close()
        await self._tasks.__aexit__(None, None, None)
        await self._server.wait_closed()

    # -- for tests and demonstrations

    def step(self, seconds: float = 0.1) -> None:
        """Let the markets live so long at once, and send what comes of it."""
        self.stream.send_market_data(seconds, self.clock())
        self.off_book.live(self.clock())
        catch_up(self.off_book, self.exchange.timing.calendar, self.clock())
        take_turn(self.off_book, self.clock())
        self.publish()

    def publish(self) -> None:
        """Send the notices of what has happened to users' orders."""
        events, self.exchange.events = self.exchange.events, []
        self.events += events
        for event in events:
            self.stream.send_notice(event)
        told, self.off_book.events = self.off_book.events, []
        for one in told:
            hts_id = self.keys.clients.owner(one.ticket.account).hts_id
            tr_id, values = notices.off_book_notice(one, hts_id=hts_id)
            self.stream.send_values(tr_id, values, hts_id)

    def drop_connections(self) -> None:
        """Cut every WebSocket connection without a closing handshake."""
        self.stream.drop()

    def _control(self) -> HttpServer:
        # Who does not ask for it does not wait for it to be imported.
        from bridge.simulator.control.desk import ControlDesk
        from bridge.simulator.control.server import ControlServer

        desk = ControlDesk(
            *(self.exchange, self.off_book, self.keys, self.stream, self.clock, self.publish),
            status={one.tr_id for one in self._catalog.channels.values() if one.kind == "status"},
        )
        return HttpServer(ControlServer(desk).app, at_once=_MOST_AT_ONCE)

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            await asyncio.sleep(_PERIOD_S)
            now = loop.time()
            self.step(now - before)
            before = now
