"""The bridge's small web server: the page, its live stream, health and metrics."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any, Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route as Path

from bridge.config.dashboard import DashboardConfig
from bridge.dashboard.access import Access
from bridge.dashboard.connections import Connections, listening
from bridge.dashboard.gatekeeper import Gatekeeper
from bridge.dashboard.listen import Listen, open_socket
from bridge.dashboard.metrics import CONTENT_TYPE, Metrics
from bridge.dashboard.orders import OrdersSeen
from bridge.kis.decode import Route
from bridge.mqtt.strict_json import encode

__all__ = ["Dashboard", "Sources"]

log = structlog.get_logger()

_TURN_S = 0.5
_HEALTH_TURNS = 4
_MOST_READERS = 16
_BANNERS: Final = {"simulator": "SIMULATED", "paper": "PAPER", "real": "REAL MONEY"}
_FILES: Final = {"page.js": "text/javascript", "page.css": "text/css"}
_MOST_TOPICS = 400
"""On the page; a browser with more rows is of use to nobody."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page's content comes from."""

    numbers: Callable[[], Mapping[str, Any]]
    """The payload of ``bridge/health``, as of now."""
    routes: Callable[[], Iterable[Route]]
    orders: OrdersSeen
    environment: str


class Dashboard:
    """Listens from the beginning; serves while :meth:`run` does.

    Raises :class:`ConfigError` when it cannot listen.
    """

    def __init__(
        self, sources: Sources, listen: Listen, config: DashboardConfig | None = None
    ) -> None:
        self._sources = sources
        self._readers = 0
        self._leaving = asyncio.Event()
        host = listen.host
        access = Access() if config is None else Access.of(config)
        tls = access.tls()
        self._socket = open_socket(listen)
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'http' if tls is None else 'https'}://{shown}:{self.port}"
        app = Starlette(
            routes=[
                Path("/", self._page),
                *(Path(f"/{name}", self._file) for name in _FILES),
                Path("/stream", self._stream),
                Path("/health", self._health),
                Path("/metrics", self._metric),
            ]
        )
        gatekeeper = Gatekeeper(app, host, access)
        connections = Connections()
        self._metrics = Metrics(sources.numbers, lambda: gatekeeper.refused | connections.refused)
        settings = uvicorn.Config(
            gatekeeper,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        settings.load()
        settings.ssl = tls
        self._server = _Server(settings, connections)

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._leaving.set()
            if self._server.started:
                await self._server.shutdown(sockets=[self._socket])
            self._socket.close()

    async def _page(self, _: Request) -> Response:
        environment = self._sources.environment
        page = _read("page.html").replace("{environment}", escape(environment))
        banner = _BANNERS.get(environment, environment)
        return Response(page.replace("{banner}", escape(banner)), media_type="text/html")

    async def _file(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(_read(name), media_type=_FILES[name])

    async def _health(self, _: Request) -> Response:
        return Response(encode(self._sources.numbers()), media_type="application/json")

    async def _metric(self, _: Request) -> Response:
        return Response(self._metrics.render(), headers={"content-type": CONTENT_TYPE})

    async def _stream(self, _: Request) -> Response:
        if self._readers >= _MOST_READERS:
            return PlainTextResponse("too many pages are open\n", 503)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        """Yield what is new, twice a second: at most the newest record of each topic."""
        self._readers += 1
        try:
            seen: dict[str, int] = {}
            version, turn = -1, 0
            while not self._leaving.is_set():
                if rows := self._news(seen):
                    yield _event("market", b"[%b]" % b",".join(rows))
                if version != self._sources.orders.version:
                    version = self._sources.orders.version
                    latest = list(self._sources.orders.latest.values())[-50:]
                    yield _event("orders", json.dumps(latest, ensure_ascii=False).encode())
                if turn % _HEALTH_TURNS == 0:
                    yield _event("health", encode(self._sources.numbers()))
                turn += 1
                try:
                    async with asyncio.timeout(_TURN_S):
                        await self._leaving.wait()
                except TimeoutError:
                    pass
        finally:
            self._readers -= 1

    def _news(self, seen: dict[str, int]) -> list[bytes]:
        rows = []
        for route in self._sources.routes():
            known = seen.get(route.topic)
            if route.last and route.seq != known and (known or len(seen) < _MOST_TOPICS):
                seen[route.topic] = route.seq
                head = json.dumps([route.market, route.venue, route.kind]).encode()
                rows.append(b'{"is":%b,"value":%b}' % (head, route.last))
        return rows


class _Server(uvicorn.Server):
    """A uvicorn that leaves the signals alone and takes no more than some connections."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        self.servers = [await listening(one, self, self._connections) for one in sockets or ()]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._connections.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _event(kind: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def _read(name: str) -> str:
    return files("bridge.dashboard").joinpath(name).read_text(encoding="utf-8")
