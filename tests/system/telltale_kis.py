"""A KIS that writes secrets into whatever it says, as a careless or broken one might."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bridge.catalog.compile import load
from bridge.simulator.server import Simulator
from bridge.simulator.settings import SimulatorSettings

__all__ = ["HTS_ID", "TelltaleKis"]

ACCOUNT = "86420975-01"
HTS_ID = "dst1htsid9"
_HOP = ("host", "content-length", "connection", "accept-encoding", "transfer-encoding")


class TelltaleKis:
    """The simulator behind two proxies that add secrets to its words."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        """What → secret, with those that were issued meanwhile."""
        self.broken = False
        """Answers of calls that only read are faults, and full of secrets."""
        self.told = 0
        """How often it has told something."""
        self.kis: dict[str, str] = {}

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[TelltaleKis]:
        """Run it in a thread of its own."""
        one, ready = cls(), threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        def work() -> None:
            loop.run_until_complete(one._serve(ready, stop))
            loop.close()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert ready.wait(20)
        try:
            yield one
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)

    async def _serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        settings = SimulatorSettings(
            seed=77, accounts=(ACCOUNT, f"{ACCOUNT[:8]}-03"), hts_id=HTS_ID, rest_per_second=0
        )
        async with contextlib.AsyncExitStack() as stack:
            self._simulator = await stack.enter_async_context(Simulator(load(), settings))
            self._http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
            door = socket.create_server(("127.0.0.1", 0))
            app = Starlette(routes=[Route("/{path:path}", self._rest, methods=["GET", "POST"])])
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
            stream = await stack.enter_async_context(serve(self._stream, "127.0.0.1", 0))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            tasks.create_task(server.serve(sockets=[door]))
            self.kis = {
                "rest": f"http://127.0.0.1:{door.getsockname()[1]}",
                "ws": f"ws://127.0.0.1:{next(iter(stream.sockets)).getsockname()[1]}",
                "app_key": settings.app_key,
                "app_secret": settings.app_secret,
                "account": ACCOUNT,
                "hts_id": HTS_ID,
            }
            self.secrets |= {k: self.kis[k] for k in ("app_key", "app_secret", "account", "hts_id")}
            ready.set()
            await stop.wait()
            server.should_exit = True

    def _telltale(self, *sent: str) -> str:
        """Return what was sent, and what KIS knows of who sent it."""
        self.told += 1
        said = " ".join((*sent, ACCOUNT, HTS_ID))
        return f"[{said} CANO={ACCOUNT[:8]}&ACNT_PRDT_CD=01 {ACCOUNT.replace('-', '')}]"

    async def _rest(self, request: Request) -> Response:
        headers = {k: v for k, v in request.headers.items() if k not in _HOP}
        answer = await self._http.request(
            request.method,
            f"{self._simulator.rest_url}{request.url.path}",
            params=dict(request.query_params),
            headers=headers,
            content=await request.body(),
        )
        kept = {k: v for k, v in answer.headers.items() if k not in (*_HOP, "content-encoding")}
        body = answer.json()
        for name, what in (("access_token", "token"), ("approval_key", "approval key")):
            if name in body:
                self.secrets[what] = body[name]
        given = dict(request.headers)
        if request.url.path.startswith("/oauth2/"):
            given |= json.loads(await request.body())
        names = ("appkey", "appsecret", "secretkey", "authorization")
        telltale = self._telltale(*(given[name] for name in names if name in given))
        if self.broken and request.method == "GET":
            return Response(f"<h1>500</h1>{telltale}", 500, {"content-type": "text/html"})
        return Response(json.dumps(self._spoil(body, telltale)), answer.status_code, kept)

    def _spoil(self, body: dict[str, Any], telltale: str) -> dict[str, Any]:
        """Add secrets to every text that is for people, and to what nobody has asked for."""
        spoiled = dict(body)
        for name in ("msg1", "error_description"):
            if name in spoiled:
                spoiled[name] += telltale
        for name, block in body.items():
            rows = [block] if isinstance(block, dict) else block if isinstance(block, list) else []
            for row in rows:
                row |= {"new_field": telltale}
                for key in [key for key in row if key.lower().endswith(("_name", "name40"))]:
                    row[key] += telltale
            spoiled[name] = block if rows else spoiled[name]
        return spoiled | {"debug": telltale}

    async def _stream(self, client: ServerConnection) -> None:
        path = client.request.path if client.request else "/"
        with contextlib.suppress(ConnectionClosed):
            async with (
                connect(f"{self._simulator.ws_url}{path}") as upstream,
                asyncio.TaskGroup() as tasks,
            ):
                up = tasks.create_task(self._up(client, upstream))
                await self._down(client, upstream)
                up.cancel()

    async def _up(self, client: ServerConnection, upstream: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in client:
                await upstream.send(text)
        await upstream.close()

    async def _down(self, client: ServerConnection, upstream: Any) -> None:
        async for text in upstream:
            said = text
            if isinstance(text, str) and text.startswith("{"):
                body = json.loads(text)
                output = body.get("body", {}).get("output", {})
                if output.get("key"):
                    self.secrets |= {"AES key": output["key"], "AES iv": output["iv"]}
                if "msg1" in body.get("body", {}):
                    keys = (
                        self.secrets["approval key"],
                        output.get("key", ""),
                        output.get("iv", ""),
                    )
                    telltale = self._telltale(*keys)
                    body["body"]["msg1"] += telltale
                    # What belongs to nothing that was asked for, and what is no JSON.
                    refused = {"rt_cd": "1", "msg_cd": "OPSP9999", "msg1": telltale}
                    stray = {"header": {"tr_id": "H0STCNI9", "tr_key": telltale}, "body": refused}
                    for junk in (
                        json.dumps(stray),
                        f'{{"header":{telltale}',
                        f"0|H0STCNI9|001|{HTS_ID}^{ACCOUNT}^{telltale}",
                        f"1|H0STCNI9|001|{telltale}",
                        f"9|{telltale}|",
                    ):
                        await client.send(junk)
                said = json.dumps(body)
            await client.send(said)
