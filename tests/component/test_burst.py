"""Ten thousand records a second, and a broker that freezes, goes and comes back."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.requests.server import request
from tests.brokers import Mosquitto
from tests.component.feed_world import Books, configuration, running, until

KIS_BRIDGE = str(Path(sys.executable).with_name("kis-bridge"))
READER = (sys.executable, "-m", "tests.component.reader")
RATE = 10_000
SYMBOLS = [f"{number:06d}" for number in range(100010, 100210, 10)]
BUDGET = 8 << 20
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


async def line(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return json.loads(await process.stdout.readline())


@pytest.mark.timeout(120)
async def test_a_broker_that_freezes_and_restarts_in_a_burst(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    extra = "allow_anonymous true\nqueue_qos0_messages true\n"
    with Mosquitto.running(folder, extra) as mosquitto:
        async with (
            program(
                *(KIS_BRIDGE, "simulate", "--json", "--rest-port", "0", "--ws-port", "0"),
                *("--rate", str(RATE), "--rest-rate", "0"),
            ) as simulate,
            program(*READER, str(mosquitto.port), "kis/market/#") as reader,
            asyncio.TaskGroup() as tasks,
        ):
            kis = (await line(simulate))["kis"]
            sim = SimpleNamespace(
                rest_url=kis["rest"],
                ws_url=kis["ws"],
                **{name: kis[name] for name in ("app_key", "app_secret", "account", "hts_id")},
            )
            books = Books(mosquitto.url, base="nothing")
            books.client.subscribe("kis/bridge/event/#", 1, books.event)
            listening = tasks.create_task(books.client.run())
            await books.client.wait_connected()
            config = configuration(sim, mosquitto.url, tmp_path, SYMBOLS)  # type: ignore[arg-type]
            async with running(config, mosquitto.url) as bridge:
                lane, counters = bridge.lane, bridge.pump.counters
                lane.backlog.budget = BUDGET
                wanted = 2 * len(SYMBOLS)
                await until(lambda: bridge.pool.numbers()["live"] == wanted, 20, "all live")
                await line(reader)
                await asyncio.sleep(2)
                gc.collect()
                memory, peak = resident_mb(), 0.0
                began, before = asyncio.get_running_loop().time(), counters.records

                # Orders and requests are not behind market data.
                asked = asyncio.get_running_loop().time()
                await request([Endpoint.parse(mosquitto.url)], "subscriptions", {}, topics=Topics())
                answered = asyncio.get_running_loop().time() - asked

                # The broker freezes: what does not fit any more is dropped and told.
                mosquitto.signal(signal.SIGSTOP)
                await until(lambda: lane.backlog.dropped > 1000, 30, "the budget is exceeded")
                assert lane.backlog.size <= BUDGET
                peak = max(peak, resident_mb())
                mosquitto.signal(signal.SIGCONT)
                await until(lambda: len(lane.backlog) == 0, 20, "the backlog drains")

                # It restarts: the last value of each topic is kept.
                mosquitto.stop()
                await until(lambda: not lane.connected, 5, "the lane notices")
                held = counters.records
                await until(lambda: counters.records > held + 2 * RATE, 20, "KIS goes on")
                assert lane.backlog.size < wanted * 2000
                peak = max(peak, resident_mb())
                mosquitto.start()
                await until(lambda: lane.connected, 30, "the lane is back")
                back = counters.records
                await until(lambda: counters.records > back + 2 * RATE, 20, "it goes on")
                peak = max(peak, resident_mb())
                elapsed = asyncio.get_running_loop().time() - began
                rate = (counters.records - before) / elapsed

                [session] = bridge.sessions.values()
                assert session.stream.counts.reconnects == 0
                simulate.send_signal(signal.SIGSTOP)
                still = 0
                while still != counters.records:
                    still = counters.records
                    await asyncio.sleep(0.5)
                await until(lambda: len(lane.backlog) == 0, 20, "all is written")
                await asyncio.sleep(3)  # the reader reads it, and losses are announced
                last = {route.topic: (route.seq, route.last) for route in bridge.pump.routes()}
                retained = await _retained(mosquitto.url, len(last))
                assert reader.stdin is not None
                reader.stdin.close()
                seen = await line(reader)
                publish: Any = bridge.numbers()["publish"]
            listening.cancel()
    lost, doubtful = books.losses(certain=True), books.losses(certain=False)
    print(
        f"{rate:,.0f} records/s, memory +{peak - memory:.0f} MB, request {answered * 1e3:.0f} ms;",
        f"lost {lost.total()}, conflated {publish['conflated']}, maybe {doubtful.total()}",
    )
    assert rate > RATE * 0.7
    assert answered < 2
    assert peak - memory < BOUND_MB
    assert retained == {topic: payload for topic, (_, payload) in last.items()}
    assert lost.total() == publish["dropped"]
    assert doubtful.total() == publish["possibly_lost"]
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
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(client.run())
        await complete.wait()
        reading.cancel()
    return found
