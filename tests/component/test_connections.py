"""Idle, slow and countless connections to the web page, and the descriptors that they take."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from structlog.testing import capture_logs

from bridge.dashboard import connections
from bridge.dashboard.server import Dashboard
from bridge.runtime.descriptors import Descriptors
from tests.component.test_dashboard import World, get

DEADLINE_S = 20


@asynccontextmanager
async def opened(dashboard: Dashboard, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Open connections that say nothing."""
    pairs = [await asyncio.open_connection("127.0.0.1", dashboard.port) for _ in range(count)]
    try:
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the other side closed."""
    async with asyncio.timeout(DEADLINE_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_a_connection_too_many_is_closed_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 5)
    async with World().served() as dashboard:
        with capture_logs() as logs:
            async with opened(dashboard, 5), opened(dashboard, 20) as more:
                for reader in more:
                    assert await ended(reader) == b""
        [line] = [line for line in logs if line["event"].startswith("connections to the web")]
        assert (line["reason"], line["address"], line["open"]) == ("connections", "127.0.0.1", 5)
        async with asyncio.timeout(DEADLINE_S):
            metrics = None
            while metrics is None:  # until the bridge has seen that the five are gone
                metrics = await answered(dashboard)
        assert 'kis_bridge_web_refused_total{reason="connections"}' in metrics


async def answered(dashboard: Dashboard) -> str | None:
    try:
        return (await get(dashboard, "/metrics")).text
    except httpx.TransportError:
        return None


@pytest.mark.parametrize("text", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
async def test_a_request_that_does_not_arrive_is_not_waited_for(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.2)
    async with World().served() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port)
        ending = asyncio.ensure_future(ended(reader))
        while not ending.done():
            if text:  # a byte now and then keeps nothing alive
                writer.write(text)
                text = b"a"
            await asyncio.wait([ending], timeout=0.05)
        assert await ending == b""
        writer.transport.abort()


async def test_a_second_request_has_to_arrive_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    async with World().served() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /health HTT")
        assert (await ended(reader)).startswith(b"HTTP/1.1 200")
        writer.transport.abort()


async def test_who_does_not_read_loses_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_S", 0.2)
    given_up = asyncio.Event()
    monkeypatch.setattr(connections.Connections, "gave_up", lambda *_: given_up.set())
    world = World()
    world.route.last = b'{"symbol":"%b"}' % (b"A" * 20_000_000)
    async with world.served() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port, limit=1024)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            await given_up.wait()
        assert len(await ended(reader)) < 20_000_000
        writer.transport.abort()


async def test_a_page_that_is_read_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.2)
    async with World().served() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(2):  # health comes once a second
                await reader.readuntil(b"event: health")
        writer.transport.abort()


def test_descriptors_are_as_many_as_can_be_and_their_end_is_foretold() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    now = 0.0
    descriptors = Descriptors(clock=lambda: now)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        descriptors.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[1], 65_536)
        found = descriptors.left()
        assert found is not None
        used = found[1] - found[0]
        with capture_logs() as logs:
            for left in (99, 150, 99, 201, 99):
                resource.setrlimit(resource.RLIMIT_NOFILE, (used + left, before[1]))
                descriptors.look()
                descriptors.look()
                now += 11
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [line["event"] for line in logs] == ["few file descriptors left"] * 2
    assert logs[0]["left"] == 99
