"""The web page and what is behind it, as a browser meets them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from bridge.dashboard.listen import Listen
from bridge.dashboard.orders import OrdersSeen
from bridge.dashboard.server import Dashboard, Sources
from bridge.errors import ConfigError
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from tests.unit.dashboard.test_metrics import NUMBERS
from tests.unit.dashboard.test_orders import Out, state
from tests.unit.subscriptions.channels import TRADE

LOOPBACK = Listen("127.0.0.1", 0)


class World:
    def __init__(self) -> None:
        self.route = Route(TRADE, "krx", "A", "kis/t", Zone("Asia/Seoul"))
        self.route.last, self.route.seq = b'{"symbol":"A","seq":1,"price":71900}', 1
        self.orders = OrdersSeen(Out(), Topics())
        self.sources = Sources(lambda: NUMBERS, lambda: [self.route], self.orders, "simulator")

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Dashboard]:
        dashboard = Dashboard(self.sources, LOOPBACK)
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(dashboard.run())
            yield dashboard
            serving.cancel()


async def get(dashboard: Dashboard, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(dashboard.url + path, headers=headers)


async def test_health_and_metrics_have_the_same_numbers() -> None:
    async with World().served() as dashboard:
        health = await get(dashboard, "/health")
        assert health.json() == NUMBERS
        metrics = await get(dashboard, "/metrics")
        assert "kis_bridge_published_total 1e+07" in metrics.text
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert (await get(dashboard, "/nothing")).status_code == 404


class Page(HTMLParser):
    """Collects what a page would load and run."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [found[name] or "" for name in ("src", "href") if name in found]
        self.inline += [name for name in found if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in found):
            self.inline.append(tag)


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    async with World().served() as dashboard:
        page = await get(dashboard, "/")
        script, style = [await get(dashboard, name) for name in ("/page.js", "/page.css")]
    parsed = Page()
    parsed.feed(page.text)
    assert parsed.addresses == ["page.css", "page.js"]
    assert parsed.inline == []
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    for each in (page, script, style):
        assert not re.search(r"(https?:)?//[a-z]|@import|url\(", each.text)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8780", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("[", 421),
        ("localhost:8780", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]:8780", 200),
        ("192.168.0.7:8780", 200),
    ],
)
async def test_a_name_that_points_here_is_not_enough(host: str, status: int) -> None:
    async with World().served() as dashboard:
        for path in ("/", "/health", "/metrics"):
            assert (await get(dashboard, path, host=host)).status_code == status


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    kind = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


async def test_the_stream_says_what_is_new() -> None:
    world = World()
    async with (
        world.served() as dashboard,
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"{dashboard.url}/stream") as response,
    ):
        coming = events(response)
        assert await anext(coming) == (
            "market",
            [
                {
                    "is": ["domestic_stock", "krx", "trade"],
                    "value": {"symbol": "A", "seq": 1, "price": 71900},
                }
            ],
        )
        assert await anext(coming) == ("orders", [])
        assert await anext(coming) == ("health", NUMBERS)
        world.route.last, world.route.seq = b'{"symbol":"A","seq":2}', 2
        topic = Topics().order_state("main", "alice", "a-1")
        await world.orders.publish(Publication(topic, state("a-1", "accepted")))
        assert (await anext(coming))[1][0]["value"]["seq"] == 2
        kind, orders = await anext(coming)
        assert (kind, orders[0]["client_order_id"]) == ("orders", "a-1")


async def test_an_open_page_does_not_hold_up_the_end() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        async with asyncio.timeout(5), World().served() as dashboard:
            response = await client.send(
                client.build_request("GET", f"{dashboard.url}/stream"), stream=True
            )
            await anext(response.aiter_lines())
        await response.aclose()


async def test_a_busy_port_is_one_clear_line_or_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"dashboard.listen 127.0.0.1:{port}: "):
            Dashboard(World().sources, Listen("127.0.0.1", port))
        dashboard = Dashboard(World().sources, Listen("127.0.0.1", port, or_free=True))
        assert dashboard.port != port
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(dashboard.run())
            assert (await get(dashboard, "/health")).status_code == 200
            serving.cancel()
