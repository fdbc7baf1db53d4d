"""Small peers on free loopback ports that answer as a test tells them."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = [
    "RestPeer",
    "Seen",
    "StreamPeer",
    "acknowledge",
    "link_library",
    "raw_peer",
    "rest_peer",
    "stream_peer",
    "without_picows",
]


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: Any
    peer: tuple[str, int]


@dataclass
class RestPeer:
    """Answers with ``answers`` in turn, the last one again and again."""

    url: str
    answers: list[Callable[[], Awaitable[Response]] | Response]
    seen: list[Seen] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: Request) -> Response:
        raw = await request.body()
        client = request.client
        self.seen.append(
            Seen(
                request.method,
                request.url.path,
                dict(request.headers),
                dict(request.query_params),
                json.loads(raw) if raw else None,
                (client.host, client.port) if client else ("", 0),
            )
        )
        self.arrived.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Response) else await answer()


class _Server(uvicorn.Server):
    """Stops when told, without looking ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.stop.wait()


@asynccontextmanager
async def rest_peer(
    *answers: Callable[[], Awaitable[Response]] | Response,
) -> AsyncIterator[RestPeer]:
    """Serve HTTP on a free port."""
    peer = RestPeer("", list(answers) or [JSONResponse({})])
    app = Starlette(routes=[Route("/{path:path}", peer.handle, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    peer.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off")
    config.timeout_graceful_shutdown = 1
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        try:
            yield peer
        finally:
            server.stop.set()


@asynccontextmanager
async def raw_peer(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve plain TCP on a free port: for what no HTTP server would do."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await handle(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()


def acknowledge(request: dict[str, Any]) -> list[str]:
    """Answer a registration as KIS does when all is well."""
    names, tr_type = request["body"]["input"], request["header"]["tr_type"]
    code = "OPSP0000" if tr_type == "1" else "OPSP0001"
    output = {"iv": "0123456789abcdef", "key": "abcdefghijklmnopabcdefghijklmnop"}
    body = {"rt_cd": "0", "msg_cd": code, "msg1": "SUCCESS", "output": output}
    return [json.dumps({"header": {**names, "encrypt": "N"}, "body": body})]


@dataclass
class StreamPeer:
    """KIS's WebSocket: answers each request by ``answer``; a test sends and closes as it likes."""

    url: str = ""
    answer: Callable[[dict[str, Any]], list[str]] = acknowledge
    greet: Callable[[ServerConnection], Awaitable[None]] | None = None
    """Done with each new connection before anything is read from it."""
    connections: list[ServerConnection] = field(default_factory=list)
    requests: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    others: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """Texts that are no requests."""
    closed: asyncio.Queue[int | None] = field(default_factory=asyncio.Queue)
    """Close codes of connections that ended."""

    async def handle(self, link: ServerConnection) -> None:
        self.connections.append(link)
        try:
            if self.greet is not None:
                await self.greet(link)
            async for text in link:
                message = json.loads(text)
                if "body" not in message:
                    self.others.put_nowait(str(text))
                    continue
                self.requests.put_nowait(message)
                for answer in self.answer(message):
                    await link.send(answer)
        except ConnectionClosed:
            pass
        finally:
            await link.wait_closed()
            self.closed.put_nowait(link.close_code)

    async def request(self) -> tuple[str, str, str]:
        """Return the next request: tr_type, TR id, key."""
        message = await self.requests.get()
        names = message["body"]["input"]
        return message["header"]["tr_type"], names["tr_id"], names["tr_key"]

    async def send(self, text: str | bytes) -> None:
        """Send a text on the newest connection; bytes go as a text frame, valid or not."""
        await self.connections[-1].send(text, text=True)


@asynccontextmanager
async def stream_peer(**options: Any) -> AsyncIterator[StreamPeer]:
    """Serve WebSocket on a free port."""
    peer = StreamPeer(**options)
    async with serve(
        peer.handle, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.2
    ) as server:
        peer.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/tryitout"
        yield peer


def without_picows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing import picows, as where it is not installed."""
    monkeypatch.delitem(sys.modules, "bridge.kis.picows_link", raising=False)
    monkeypatch.setitem(sys.modules, "picows", None)


@pytest.fixture(params=["picows", "websockets"], autouse=True)
def link_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the tests of a module that imports this with either library under the session."""
    library: str = request.param
    if library == "websockets":
        without_picows(monkeypatch)
    return library
