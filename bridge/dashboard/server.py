"""The bridge's small web server: the page, its live stream, health and metrics."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

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

    def __init__(self, sources: Sources, listen: Listen) -> None:
        self._sources = sources
        self._metrics = Metrics(sources.numbers)
        self._readers = 0
        self._leaving = asyncio.Event()
        host = listen.host
        self._socket = open_socket(listen)
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}"
        app = Starlette(
            routes=[
                Path("/", self._page),
                Path("/stream", self._stream),
                Path("/health", self._health),
                Path("/metrics", self._metric),
            ]
        )
        self._server = _Server(
            uvicorn.Config(
                _OwnHostOnly(app, host),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )

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
        nonce = secrets.token_urlsafe(16)
        page = files("bridge.dashboard").joinpath("page.html").read_text(encoding="utf-8")
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}';"
            " connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        )
        return Response(
            page.replace("{nonce}", nonce).replace("{environment}", self._sources.environment),
            media_type="text/html",
            headers={"content-security-policy": policy, "cache-control": "no-store"},
        )

    async def _health(self, _: Request) -> Response:
        return Response(encode(self._sources.numbers()), media_type="application/json")

    async def _metric(self, _: Request) -> Response:
        return Response(self._metrics.render(), headers={"content-type": CONTENT_TYPE})

    async def _stream(self, _: Request) -> Response:
        if self._readers >= _MOST_READERS:
            return PlainTextResponse("too many pages are open\n", 503)
        return StreamingResponse(
            self._events(), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

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


class _OwnHostOnly:
    """Answers only requests that name this machine, so that no web page reaches in by its DNS.

    A name that an attacker owns can be made to point here; an address or ``localhost`` cannot.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._names = {"localhost", host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if self._is_ours(headers.get(b"host", b"").decode("latin-1")):
            await self._app(scope, receive, _guarded(send))
        else:
            text = "this name is not the bridge's; use its address\n"
            await PlainTextResponse(text, 421)(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            if name in self._names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _guarded(send: Send) -> Send:
    async def guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
                (b"cross-origin-resource-policy", b"same-origin"),
            ]
        await send(message)

    return guarded


class _Server(uvicorn.Server):
    """A uvicorn that leaves the signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _event(kind: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
