"""A line to the broker that swallows everything, and brokers that only pause."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge.mqtt import client as control
from bridge.mqtt import lane as fast
from bridge.mqtt import lane_messages as slow
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.lane_messages import MessageWriter
from bridge.mqtt.message import Publication
from bridge.orders.ownership import owner
from tests.brokers import Mosquitto

AIM_S = 5.0
SLACK_S = 1.5
"""What a busy machine may add."""


PAUSE = threading.Event()
"""Never set: what is waited for is the pause of the broker itself."""


class Hole:
    """A TCP line that can swallow what both sides send, and close nothing."""

    def __init__(self) -> None:
        self.port = 0
        self.open = asyncio.Event()
        self.open.set()
        self.accepted = 0
        self._links: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._links.append(writer)
        await self.open.wait()  # of a line like this nobody gets an answer
        far_reader, far = await asyncio.open_connection("127.0.0.1", self.target)
        self._links.append(far)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.carry(reader, far))
            group.create_task(self.carry(far_reader, writer))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self.open.is_set():
                    writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    target = 0

    def close(self) -> None:
        self.open.set()
        for link in self._links:
            link.transport.abort()


@asynccontextmanager
async def hole_to(broker: Mosquitto) -> AsyncIterator[Hole]:
    hole = Hole()
    hole.target = broker.port
    server = await asyncio.start_server(hole.accept, "127.0.0.1", 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()
        hole.close()


@asynccontextmanager
async def everybody(port: int) -> AsyncIterator[list[Any]]:
    """Connect one of each kind; ends them."""
    url = f"mqtt://127.0.0.1:{port}"

    def none() -> None: ...

    new, old = [Endpoint.parse(url)], [Endpoint.parse(url, version=4)]
    ends: list[Any] = [
        LaneWriter(new, "lane", on_ready=none, on_lost=none),
        MessageWriter(old, "lane-old", on_ready=none, on_lost=none),
        ControlClient(new, client_id="control", leave_s=0.2),
        ControlClient(old, client_id="control-old", leave_s=0.2),
    ]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(end.run()) for end in ends]
        await within(10, lambda: all(end.connected for end in ends))
        yield ends
        for task in running:
            task.cancel()


async def within(seconds: float, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  seen from outside, as health sees it
            await asyncio.sleep(0.01)


async def test_a_line_that_swallows_everything_is_left_and_found_again(tmp_path: Path) -> None:
    with Mosquitto.running(tmp_path) as broker:
        async with hole_to(broker) as hole, everybody(hole.port) as ends:
            hole.open.clear()
            await within(AIM_S + SLACK_S, lambda: not any(end.connected for end in ends))
            assert hole.accepted <= 8, "one connection each, and at most one more"
            hole.open.set()
            await within(AIM_S + SLACK_S, lambda: all(end.connected for end in ends))


async def test_a_broker_that_pauses_for_three_seconds_keeps_everybody(tmp_path: Path) -> None:
    with Mosquitto.running(tmp_path) as broker:
        async with hole_to(broker) as hole, everybody(hole.port) as ends:
            broker.signal(signal.SIGSTOP)
            try:
                await asyncio.get_running_loop().run_in_executor(None, PAUSE.wait, 3.0)
            finally:
                broker.signal(signal.SIGCONT)
            for end in ends[2:]:
                await end.publish(Publication("x", b"1", qos=1), wait=True)
            assert all(end.connects == 1 for end in ends)
            assert hole.accepted == len(ends)


def test_however_long_the_broker_was_away_the_next_try_is_near() -> None:
    for backoff in (fast.RETRY, slow.RETRY, control._RETRY, owner._RETRY):
        assert backoff.longest_s <= 2.0
        assert min(backoff.pause(1000) for _ in range(50)) >= 0.9, "and no storm"
