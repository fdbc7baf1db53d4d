"""Idle, slow and countless connections to the web page, and the descriptors that they take."""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bridge.dashboard import connections
from bridge.dashboard.server import Dashboard
from bridge.runtime.descriptors import Descriptors
from bridge.runtime.process import new_event_loop
from tests.component import test_dashboard_doors as doors
from tests.component.test_dashboard import World, get

DEADLINE_S = 20
certificate = doors.certificate


def on_each_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on asyncio's event loop and on the bridge's own: connections are the loop's."""

    @wraps(test)
    def run(loop: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(test(**fixtures))

    own = signature(test)
    loop = Parameter("loop", Parameter.KEYWORD_ONLY)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), loop])  # type: ignore[attr-defined]
    on: Callable[..., None]
    on = pytest.mark.parametrize("loop", [asyncio.new_event_loop, new_event_loop])(run)
    return on


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


@on_each_loop
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


@on_each_loop
async def test_a_second_request_has_to_arrive_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    async with World().served() as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /health HTT")
        assert (await ended(reader)).startswith(b"HTTP/1.1 200")
        writer.transport.abort()


@on_each_loop
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


@on_each_loop
async def test_a_handshake_that_does_not_come_holds_no_more_than_its_place(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=cert)
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 3)
    monkeypatch.setattr(connections, "HANDSHAKE_S", 0.5)
    async with doors.served(doors.locked(cert_file=cert, key_file=key)) as dashboard:
        pairs = [await asyncio.open_connection("127.0.0.1", dashboard.port) for _ in range(10)]
        pairs[0][1].write(b"GET / HTTP/1.1\r\n\r\n")
        for reader, writer in pairs:  # seven at once, one that speaks no TLS, two that say nothing
            with suppress(ConnectionResetError):
                await reader.read()
            writer.transport.abort()
        answer = await doors.get(f"{dashboard.url}/health", auth=doors.LOGIN, verify=trusting)
        assert answer.status_code == 200
        stream = await doors.get(f"{dashboard.url}/stream", auth=doors.LOGIN, verify=trusting)
        assert stream.status_code == 200
        _, silent = await asyncio.open_connection("127.0.0.1", dashboard.port)
    silent.transport.abort()  # its handshake was still due when the page ended


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
