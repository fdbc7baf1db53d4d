"""A line to the broker that swallows: what did not arrive is among what the lane doubts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.feed.lane import KindPolicy, Lane
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.message import Message
from tests.brokers import Mosquitto
from tests.component.feed_world import until
from tests.unit.subscriptions.channels import TRADE


class Proxy:
    """Passes bytes on until told to swallow them."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.swallow = False
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                if not self.swallow:
                    writer.write(chunk)
        except OSError:
            pass


async def test_what_a_broken_line_swallowed_is_announced(mosquitto: Mosquitto) -> None:
    lane = Lane({"trade": KindPolicy(retain=False)})
    route = Route(TRADE, "krx", "A", "kis/t", Zone("Asia/Seoul"))
    arrived: list[bytes] = []

    async def take(message: Message) -> None:
        arrived.append(message.payload)

    reader = ControlClient([Endpoint.parse(mosquitto.url)], client_id="reader", clean=True)
    reader.subscribe("kis/t", 0, take)
    async with Proxy(mosquitto.port).open() as proxy, asyncio.TaskGroup() as tasks:
        writer = LaneWriter(
            [Endpoint.parse(f"mqtt://127.0.0.1:{proxy.port}")],
            "lane",
            on_ready=lane.on_ready,
            on_lost=lane.on_lost,
            on_ping=lane.on_ping,
            on_pong=lane.on_pong,
        )
        lane.attach(writer)
        running = [tasks.create_task(reader.run()), tasks.create_task(writer.run())]
        await reader.wait_connected()
        await until(lambda: lane.connected, 5, "connected")
        for number in range(300):
            lane.put(route, b"%d" % number)
        await until(lambda: len(arrived) == 300, 5, "all of the first arrive")
        # Two answered pings later nobody doubts that.
        await until(lambda: not any(lane._unconfirmed) and not lane._written, 40, "confirmed")
        proxy.swallow = True
        for number in range(300, 450):
            lane.put(route, b"%d" % number)
        await asyncio.sleep(0)
        proxy.cut()
        await until(lambda: not lane.connected, 5, "lost")
        assert lane.doubts() == {"kis/t": 150}
        for task in running:
            task.cancel()
    assert arrived == [b"%d" % number for number in range(300)]
