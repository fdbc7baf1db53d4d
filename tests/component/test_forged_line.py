"""Whoever writes into KIS's plain line: the bridge's memory, time and log have bounds.

A real stream reads from a real socket; behind it are the pump, the lane and the events of a bridge.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.catalog.compile import load
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis.session import Session
from bridge.kis.stream import Stream
from bridge.mqtt.events import Events
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.subscriptions.reports import Reports, notice_ids
from tests.component.fakes import StreamPeer, stream_peer

CATALOG = load()
TRADE = (
    "005930^131509^71900^2^395^0.55^71500.1^71500^72000^71400^71900^71800^7^1234567^88000000000"
    "^100^200^100^103.2^5000^6000^1^0.55^12.3^090001^2^400^091500^5^-100^100101^2^500^20260223^20"
    "^N^10^20^30^40^0.1^900000^137.2^0^^71400^1"
)


def trade(symbol: str = "005930", **values: str) -> str:
    """Return a frame with a trade of today's layout; ``v2="x"``: another third value."""
    record = [symbol, *TRADE.split("^")[1:]]
    for place, value in values.items():
        record[int(place[1:])] = value
    return "0|H0STCNT0|001|" + "^".join(record)


LONG = "A" * 60_000
FORGED: dict[str, Callable[[int], str]] = {
    "long text": lambda n: trade(f"S{n:05}", v46=LONG),
    "long symbol": lambda n: trade(f"S{n:05}{LONG}"),
    "long number": lambda n: trade(f"S{n:05}", v2="9" * 60_000),
    "invented symbols": lambda n: trade(f"S{n:05}"),
    "no number": lambda n: trade(v2="x"),
    "unknown channels": lambda n: f"0|H0X{n:05}|001|1^2",
    "unknown encrypted channels": lambda n: f"1|H0X{n:05}|001|AAAA",
    "long names of channels": lambda n: f"0|H0X{n:05}{LONG}|001|1^2",
    "widths that grow": lambda n: trade() + "^7" * (2 + n % 62),
    "widths that are none": lambda n: "0|H0STCNT0|001|" + "^" * (120 + n % 300),
    "no frames": lambda n: f"garbage {n}",
    "answers to nothing": lambda n: json.dumps(
        {
            "header": {"tr_id": f"H0X{n:05}", "tr_key": f"{n}"},
            "body": {"rt_cd": "0", "msg_cd": f"OPSQ{n:04}", "msg1": "x"},
        }
    ),
}


class Timed(Stream):
    """Counts what it costs to take what came, without the reading and writing of bytes."""

    spent_s = 0.0

    def _received(self, text: str, arrived: int) -> None:
        began = time.thread_time()
        super()._received(text, arrived)
        self.spent_s += time.thread_time() - began


@dataclass
class Line:
    """A stream and what is behind it."""

    peer: StreamPeer
    stream: Timed
    pump: Pump
    events: Events
    told: list[dict[str, Any]] = field(default_factory=list)

    async def publish(self, publication: Publication) -> None:
        self.told.append(json.loads(publication.payload))

    async def feed(self, texts: Sequence[str]) -> float:
        """Have texts sent and taken; return the CPU seconds of it."""
        echoed = json.dumps({"header": {"tr_id": "PINGPONG", "datetime": str(time.time_ns())}})
        before = self.stream.spent_s
        for text in (*texts, echoed):
            await self.peer.send(text)
        async with asyncio.timeout(60):
            while await self.peer.others.get() != echoed:
                pass
        return self.stream.spent_s - before


@asynccontextmanager
async def connected() -> AsyncIterator[Line]:
    async def key(_: bool) -> SecretStr:
        return SecretStr("sesame")

    async with stream_peer() as peer, asyncio.TaskGroup() as group:
        line: Line

        class Sink:
            async def publish(self, publication: Publication) -> None:
                await line.publish(publication)

        events = Events(Sink(), Topics())
        reports = Reports(CATALOG, events)
        pump = Pump(CATALOG, Topics(), Lane({}), reports.problem)
        stream = Timed(
            peer.url,
            Session(notices=notice_ids(CATALOG), spacing_s=0.001),
            key,
            on_data=pump.frame,
            on_notice=lambda *_: None,
            on_event=lambda event: reports.session("app1", event),
        )
        line = Line(peer, stream, pump, events)
        tasks = [group.create_task(stream.run()), group.create_task(events.run())]
        stream.subscribe("H0STCNT0", "005930")
        await peer.request()
        await line.feed([trade()] * 200)
        yield line
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("kind", FORGED)
async def test_garbage_costs_little_more_than_good_frames_and_no_memory(kind: str) -> None:
    good, bad = [trade()] * 500, [FORGED[kind](n) for n in range(3_000)]
    async with connected() as line:
        await line.feed(bad[:100])
        costs = []
        for start in (100, 600, 1_100):
            fair = await line.feed(good)
            costs.append(await line.feed(bad[start : start + 500]) / fair)
        gc.collect()
        tracemalloc.start()
        with capture_logs() as logs:
            began = time.monotonic()
            for start in range(1_500, 3_000, 50):
                await line.feed(bad[start : start + 50])
            seconds = time.monotonic() - began
            line.events.settle()
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert line.stream.counts.reconnects == 0
        assert (await line.feed([trade()])) < 1
        [route] = [route for route in line.pump.routes() if route.symbol == "005930"]
        assert json.loads(route.last)["price"] == 71900
    assert min(costs) < 6, costs
    assert grown < 8 << 20
    assert len(logs) <= 3 + 3 * seconds
    assert len(line.told) <= 12 + 3 * seconds
    assert len(line.pump.counters.quarantined) <= 2
