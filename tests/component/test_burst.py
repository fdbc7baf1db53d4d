"""A broker that freezes, goes and comes back, at ten thousand records a second.

On a machine that cannot read so many it is fewer; what is held is the same.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.app import Bridge
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.requests.server import request
from tests.brokers import Mosquitto
from tests.component.feed_world import Books, configuration, running, until

KIS_BRIDGE = str(Path(sys.executable).with_name("kis-bridge"))
READER = (sys.executable, "-m", "tests.component.reader")
RATES = (10_000, 5_000, 2_500, 1_250)
"""Records a second: the first that this machine can read while the test runs."""
SYMBOLS = [f"{number:06d}" for number in range(100010, 100210, 10)]
TOPICS = 2 * len(SYMBOLS)
DEADLINE_S = 120
"""For each thing that is waited for: no bound of how fast a machine must be."""
BUDGET = 8 << 20
"""Bytes of the backlog at the first rate."""
BOUND_MB = 60
"""What the process may grow by: budget, what is under way, Python's own overhead."""


def resident_mb() -> float:
    """Return what the process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Python program as long as the block; its first line says that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> Any:
    """Return the next line of a program, which is JSON."""
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        return json.loads(await process.stdout.readline())


@dataclass
class Line:
    """A simulator, a broker, a bridge, and those who hold them against each other."""

    mosquitto: Mosquitto
    simulate: asyncio.subprocess.Process
    reader: asyncio.subprocess.Process
    books: Books
    bridge: Bridge
    rate: int
    """Records a second that the simulator sends, if it can."""

    @property
    def records(self) -> int:
        return self.bridge.pump.counters.records

    async def pace(self, seconds: float) -> float:
        """Return the records a second, over as many as should come in so many seconds."""
        began, before = asyncio.get_running_loop().time(), self.records
        wanted = before + int(seconds * self.rate)
        await until(lambda: self.records > wanted, DEADLINE_S, "records come")
        return (self.records - before) / (asyncio.get_running_loop().time() - began)


@asynccontextmanager
async def line_of(folder: Path, rate: int) -> AsyncIterator[Line]:
    """Start everything and wait until each subscription is live."""
    (folder / "broker").mkdir(parents=True)
    extra = "allow_anonymous true\nqueue_qos0_messages true\n"
    with Mosquitto.running(folder / "broker", extra) as mosquitto:
        async with (
            program(
                *(KIS_BRIDGE, "simulate", "--json", "--rest-port", "0", "--ws-port", "0"),
                *("--rate", str(rate), "--rest-per-second", "0"),
            ) as simulate,
            program(*READER, str(mosquitto.port), "kis/market/#") as reader,
            asyncio.TaskGroup() as tasks,
        ):
            kis = (await said(simulate))["kis"]
            sim = SimpleNamespace(
                rest_url=kis["rest"],
                ws_url=kis["ws"],
                **{name: kis[name] for name in ("app_key", "app_secret", "account", "hts_id")},
            )
            books = Books(mosquitto.url, base="nothing")
            books.client.subscribe("kis/bridge/event/#", 1, books.event)
            listening = tasks.create_task(books.client.run())
            await books.client.wait_connected()
            config = configuration(sim, mosquitto.url, folder, SYMBOLS)  # type: ignore[arg-type]
            async with running(config, mosquitto.url) as bridge:
                bridge.lane.backlog.budget = BUDGET * rate // RATES[0]
                await until(lambda: bridge.pool.numbers()["live"] == TOPICS, DEADLINE_S, "all live")
                await said(reader)
                yield Line(mosquitto, simulate, reader, books, bridge, rate)
            listening.cancel()


@pytest.mark.timeout(900)
async def test_a_broker_that_freezes_and_restarts_in_a_burst(tmp_path: Path) -> None:
    for rate in RATES:
        async with line_of(tmp_path / str(rate), rate) as line:
            # What the simulator sends faster than this machine can read would only pile up.
            calm = await line.pace(2)
            if calm > rate * 0.8 or rate == RATES[-1]:
                await _burst(line, calm)
                return


async def _burst(line: Line, calm: float) -> None:
    mosquitto, books, bridge, lane = line.mosquitto, line.books, line.bridge, line.bridge.lane
    loop = asyncio.get_running_loop()
    gc.collect()
    memory, peak = resident_mb(), 0.0

    # Orders and requests are not behind market data.
    answered = min([await _asked(mosquitto.url) for _ in range(3)])
    began, before = loop.time(), line.records

    # The broker freezes: what does not fit any more is dropped and told.
    mosquitto.signal(signal.SIGSTOP)
    await until(lambda: lane.backlog.dropped > 1000, DEADLINE_S, "the budget is exceeded")
    assert lane.backlog.size <= lane.backlog.budget
    peak = max(peak, resident_mb())
    mosquitto.signal(signal.SIGCONT)
    await until(lambda: len(lane.backlog) == 0, DEADLINE_S, "the backlog drains")

    # It restarts: the last value of each topic is kept.
    mosquitto.stop()
    await until(lambda: not lane.connected, DEADLINE_S, "the lane notices")
    await line.pace(2)
    assert lane.backlog.size < TOPICS * 2000
    peak = max(peak, resident_mb())
    mosquitto.start()
    await until(lambda: lane.connected, DEADLINE_S, "the lane is back")
    await line.pace(2)
    peak = max(peak, resident_mb())
    rate = (line.records - before) / (loop.time() - began)

    [session] = bridge.sessions.values()
    assert session.stream.counts.reconnects == 0
    line.simulate.send_signal(signal.SIGSTOP)
    still = 0
    while still != line.records:
        still = line.records
        await asyncio.sleep(1)  # that nothing more comes has no event
    await until(lambda: len(lane.backlog) == 0, DEADLINE_S, "all is written")
    quiet = await _asked(mosquitto.url)

    def told() -> bool:
        lost: Any = bridge.numbers()["publish"]
        announced = [books.losses(certain=sure).total() for sure in (True, False)]
        return announced == [lost["dropped"], lost["possibly_lost"]]

    await until(told, DEADLINE_S, "every loss is announced")
    publish: Any = bridge.numbers()["publish"]
    last = {route.topic: (route.seq, route.last) for route in bridge.pump.routes()}
    retained = await _retained(mosquitto.url, len(last))
    seen = await _read(line.reader, {topic: seq for topic, (seq, _) in last.items()})
    lost, doubtful = books.losses(certain=True), books.losses(certain=False)
    print(
        f"{rate:,.0f} records/s of {calm:,.0f}, memory +{peak - memory:.0f} MB,",
        f"request {answered * 1e3:.0f} ms;",
        f"lost {lost.total()}, conflated {publish['conflated']}, maybe {doubtful.total()}",
    )
    assert answered < max(2, 20 * quiet)
    assert rate > calm * 0.6
    assert peak - memory < BOUND_MB
    assert retained == {topic: payload for topic, (_, payload) in last.items()}
    quotes = 0
    for topic, (seq, _) in last.items():
        assert seen[topic][1] == seq, "the last record arrived"
        missing = seq - seen[topic][0]
        if "/trade/" in topic:
            assert lost[topic] <= missing <= lost[topic] + doubtful[topic], topic
        else:
            quotes += missing
    conflated = publish["conflated"]
    assert quotes >= conflated


async def _asked(url: str) -> float:
    """Return the seconds that a request takes."""
    began = asyncio.get_running_loop().time()
    await request(
        [Endpoint.parse(url)], "subscriptions", {}, topics=Topics(), deadline_s=DEADLINE_S
    )
    return asyncio.get_running_loop().time() - began


async def _read(reader: asyncio.subprocess.Process, last: dict[str, int]) -> Any:
    """Return what the reader has seen when it has the last of each topic."""
    assert reader.stdin is not None
    reader.stdin.write(json.dumps(last).encode() + b"\n")
    try:
        return await said(reader)
    except TimeoutError:
        reader.stdin.close()  # it says what it has
        return await said(reader)


async def _retained(url: str, count: int) -> dict[str, bytes]:
    """Return what a late subscriber is told at once."""
    found: dict[str, bytes] = {}
    complete = asyncio.Event()

    async def received(message: Message) -> None:
        found[message.topic] = message.payload
        if len(found) == count:
            complete.set()

    client = ControlClient([Endpoint.parse(url)], client_id="late", clean=True)
    client.subscribe("kis/market/#", 0, received)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(client.run())
        await complete.wait()
        reading.cancel()
    return found
