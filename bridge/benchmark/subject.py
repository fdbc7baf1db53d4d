"""The process that is measured: the bridge's market-data line, or what it is compared with.

``floor`` receives the same frames through the same stream on the same library and sends one message
for each frame through the same lane, but forwards the bytes as they came, and in the turn of the
event loop that follows, as who knows nothing of the socket has to. ``plain`` does that with the
client of `websockets`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable

from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis import websockets_link
from bridge.kis.decode import Problem, Route
from bridge.kis.frames import DataFrame
from bridge.kis.link import open_link
from bridge.kis.session import Lost, Session, SessionEvent, Subscribed
from bridge.kis.stream import Stream
from bridge.kis.values import Zone
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.topics import Topics
from bridge.runtime import logs
from bridge.runtime.process import new_event_loop, settle

__all__ = ["Subject"]

CHANNEL, SYMBOL = "H0STCNT0", "005930"


class Subject:
    """Carries frames until the feeder closes the session."""

    def __init__(self, mode: str, ws_url: str, broker: str) -> None:
        self._cpu_s = [0.0, 0.0]
        self._asked = self._arrived = 0
        """Messages written before the last ping; those before the last that was answered."""
        self._answered = asyncio.Event()
        self._done = asyncio.Event()
        self._ready = asyncio.Event()
        self._lane = Lane({})
        self._writer = LaneWriter(
            [Endpoint.parse(broker)],
            f"bench-{mode}",
            on_ready=self._drained,
            on_lost=self._lane.on_lost,
            on_ping=self._ping,
            on_pong=self._pong,
        )
        self._lane.attach(self._writer)
        carry = _bridge if mode == "bridge" else _floor
        self._stream = Stream(
            ws_url,
            Session(notices=frozenset()),
            _no_key,
            on_data=carry(load(), self._lane),
            on_notice=lambda notice, at: None,
            on_event=self._happened,
            connect=websockets_link.connect if mode == "plain" else open_link,
            reads=self._lane if mode == "bridge" else None,
        )

    async def run(self) -> dict[str, float | int]:
        """Return the CPU seconds from the subscription to the end, and the messages published."""
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._writer.run())
            await self._ready.wait()
            settle()
            reading = tasks.create_task(self._stream.run())
            self._stream.subscribe(CHANNEL, SYMBOL)
            await self._done.wait()
            await self._arrival()
            reading.cancel()
            writing.cancel()
        return {"cpu_s": self._cpu_s[1] - self._cpu_s[0], "published": self._lane.published}

    async def _arrival(self) -> None:
        """Wait until the broker has all of it."""
        self._lane.flush()
        while len(self._lane.backlog):
            self._ready.clear()
            await self._ready.wait()
        self._cpu_s[1] = time.process_time()
        while self._arrived < self._lane.published:
            self._answered.clear()
            await self._answered.wait()

    def _ping(self) -> None:
        self._lane.on_ping()
        self._asked = self._lane.published

    def _pong(self) -> None:
        self._lane.on_pong()
        self._arrived = self._asked
        self._answered.set()

    def _drained(self) -> None:
        self._lane.on_ready()
        self._ready.set()

    def _happened(self, event: SessionEvent) -> None:
        match event:
            case Subscribed():
                self._cpu_s[0] = time.process_time()
            case Lost():
                self._done.set()
            case _:
                pass


def _bridge(catalog: Catalog, lane: Lane) -> Callable[[DataFrame, int], None]:
    pump = Pump(catalog, Topics("kis"), lane, _fail)
    pump.prepare(CHANNEL)
    return pump.frame


def _floor(catalog: Catalog, lane: Lane) -> Callable[[DataFrame, int], None]:
    channel = catalog.channels[CHANNEL]
    topic = Topics("kis").market(channel.market, channel.venue, channel.kind, SYMBOL)
    route = Route(channel, channel.venue, SYMBOL, topic, Zone(channel.timezone))
    return lambda frame, _: lane.put(route, frame.body.encode())


def _fail(problem: Problem) -> None:
    raise AssertionError(problem)


async def _no_key(_: bool) -> SecretStr:
    return SecretStr("benchmark")


if __name__ == "__main__":
    logs.configure("error")

    async def _main() -> None:
        print(json.dumps(await Subject(*sys.argv[1:]).run()), flush=True)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_main())
