"""The simulated KIS as one thing to start: REST, WebSocket, exchange."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from types import TracebackType
from typing import Self

import structlog
import uvicorn
from websockets.asyncio.server import Server, serve

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.errors import ConfigError
from bridge.runtime.clock import SEOUL
from bridge.simulator.clients import Client
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.tickets import ExchangeEvent
from bridge.simulator.faults.plan import Faults
from bridge.simulator.history.history import History
from bridge.simulator.keys import Keys
from bridge.simulator.off_book.closing import catch_up
from bridge.simulator.off_book.off_book import OffBook
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

_PERIOD_S = 0.02


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
        self.settings = settings
        ahead = timedelta(seconds=settings.clock_offset_s)
        self.clock = clock or (lambda: datetime.now(SEOUL) + ahead)
        self.keys = Keys(settings)
        accounts = self.keys.clients.accounts
        shares = [
            (symbol, settings.shares, base) for symbol, (_, base, _) in listings.KNOWN.items()
        ]
        self.exchange = Exchange(
            seed=settings.seed,
            calendar=None if settings.hours == "always" else Calendar(catalog.hours),
            accounts=[
                with_holdings(number, settings.cash, shares)
                for number in accounts
                if not number.endswith("-03")
            ],
        )
        self.off_book = OffBook(settings.seed, accounts, self.exchange.accounts, settings.cash)
        """Overseas stocks, futures and options."""
        self.off_book.listed_on = self.clock().date()
        self.history = History(Calendar(catalog.hours), seed=settings.seed, end=self.clock().date())
        """What every symbol was traded at before today."""
        player = None
        if settings.play is not None:
            frames = playback.read(settings.play, catalog)
            player = playback.Player(frames, per_s=settings.rate or 20.0, once=settings.play_once)
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
        self.rest.app.router.routes.extend(documents.routes(catalog, settings.seed))
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

    async def __aenter__(self) -> Self:
        self.stream.injector.begin()
        host = self.settings.host
        self._ws_socket = _listen(host, self.settings.ws_port)
        try:
            self._rest_socket = _listen(host, self.settings.rest_port)
        except ConfigError:
            self._ws_socket.close()
            raise
        self._ws_port = self._ws_socket.getsockname()[1]
        self._rest_port = self._rest_socket.getsockname()[1]
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
        self._http = _Http(
            uvicorn.Config(
                self.rest.app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._tasks.create_task(self._http.serve(sockets=[self._rest_socket]))
        self._running = [
            self._tasks.create_task(work) for work in (self.stream.ping(), self.stream.go_wrong())
        ]
        if not self.settings.manual:
            self._running.append(self._tasks.create_task(self._live()))
        async with asyncio.timeout(10):
            await self._http.ready.wait()
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
        self._http.should_exit = True
        self._server.close()
        await self._tasks.__aexit__(None, None, None)
        await self._server.wait_closed()

    # -- for tests and demonstrations

    def step(self, seconds: float = 0.1) -> None:
        """Let the markets live so long at once, and send what comes of it."""
        self.stream.send_market_data(seconds, self.clock())
        self.off_book.live(self.clock())
        catch_up(self.off_book, self.exchange.timing.calendar, self.clock())
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

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            await asyncio.sleep(_PERIOD_S)
            now = loop.time()
            self.step(now - before)
            before = now


class _Http(uvicorn.Server):
    """A uvicorn that leaves the signals alone and says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error}); take another port, or 0 for a free one"
        ) from error
    listener.listen(128)
    listener.setblocking(False)
    return listener
