"""Everything that can go wrong does, in random order: in the end all is live and accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.errors import BridgeError
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.requests.server import request
from bridge.simulator.faults.plan import KINDS, Fault, FaultPlan
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import TRADES, Books, configuration, hurry, running, until

FAULTS = 240
"""Of the simulator, at least; the test goes on until each kind has happened too."""
TRADES_SENT = 1_500
CUTS = 6
"""Times that the connection to the broker is cut as well."""
DEADLINE_S = 120
"""For each thing that is waited for: no bound of how fast a machine must be."""
SYMBOLS = [f"{number:06d}" for number in range(100010, 100210, 10)]
PLAN = FaultPlan(
    (
        *(Fault(kind, every_s=7) for kind in ("drop", "close", "forget", "revoke")),
        Fault("silence", every_s=9, for_s=2),
        Fault("mute", every_s=11, for_s=2),
        Fault("deaf", every_s=9, for_s=1, tr_id="H0STASP0"),
        Fault("slow", every_s=6, for_s=0.5),
        Fault("no_pingpong", every_s=8, for_s=1),
        Fault("pingpong_storm", every_s=8, for_s=0.5, count=500),
        Fault("maintenance", every_s=15, for_s=1.5),
        Fault("http", chance=0.2, status=503),
        Fault("http", chance=0.1, status=429),
        Fault("rate", chance=0.1),
        Fault("hang", chance=0.1, for_s=0.3),
        Fault("code", chance=0.05, code="IGW00007"),
        *(Fault(kind, chance=0.05) for kind in ("number", "no_header", "late_list")),
        *(
            Fault("answer", chance=0.02, code=code)
            for code in ("OPSP0007", "OPSP0009", "OPSP8992", "OPSP8996", "OPSP9993", "NEW42")
        ),
        Fault("answer", chance=0.01, code="OPSP0008"),
        Fault("duplicate_answer", chance=0.05),
        Fault("late_answer", chance=0.05),
        Fault("no_answer", chance=0.05),
        Fault("append", chance=0.002, count=2),
        Fault("missing", chance=0.002, count=3),
        *(
            Fault(kind, chance=0.002)
            for kind in ("wrong_count", "bad_number", "bad_utf8", "garbage", "unknown_tr")
        ),
        Fault("oversized", chance=0.002, count=300_000),
        Fault("slots", count=38),
        Fault("lock", for_s=0.6),
    ),
    seed=20,
)


def resident_mb() -> float:
    """Return what the process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.timeout(900)
async def test_soak(mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    settings = SimulatorSettings(
        any_key=True,
        rest_per_second=0,
        token_interval_s=0,
        ping_every_s=0.4,
        ping_patience_s=5,
        faults=PLAN,
        seed=4,
    )
    before = asyncio.all_tasks()
    books = Books(mosquitto.url)
    async with asyncio.TaskGroup() as tasks, Simulator(load(), settings) as sim:
        sim.stream.tap = books.tap
        reading = tasks.create_task(books.client.run())
        await books.client.wait_connected()
        config = configuration(
            sim, mosquitto.url, tmp_path, SYMBOLS, app1=sim.app_key, app2="P" * 36
        )
        async with running(config, mosquitto.url) as bridge:
            asking = tasks.create_task(_ask(mosquitto.url))
            counts = sim.faults.counts
            await until(lambda: counts.total() >= FAULTS / 4, DEADLINE_S, "a quarter of the faults")
            gc.collect()
            memory = resident_mb()
            for cut in range(1, CUTS + 1):
                due = FAULTS / 4 + FAULTS * 3 / 4 * cut / CUTS
                await until(partial(enough, counts, due), DEADLINE_S, f"{due} faults")
                writer = bridge.lane._writer
                if writer is not None and writer.connected:
                    writer._connection.transport.abort()  # type: ignore[attr-defined]
            # What KIS has mislaid is missed after minutes only: see test_quality_faults.
            kinds = set(KINDS) - {"slots", "lock", "mislay"}
            await until(lambda: set(counts) == kinds, DEADLINE_S, "each kind of fault")
            await until(lambda: books.trades_sent() > TRADES_SENT, DEADLINE_S, "enough trades")
            sim.faults.calm()
            asking.cancel()
            wanted = 2 * len(SYMBOLS)
            await until(
                lambda: bridge.pool.numbers()["live"] == wanted,
                DEADLINE_S,
                f"everything live again: {bridge.pool.numbers()}",
            )
            assert bridge.pool.numbers() == {
                "wanted": wanted,
                "live": wanted,
                "waiting": 0,
                "refused": 0,
            }
            sim.stream.tap = None
            quiet_at = books.received

            def settled() -> bool:
                """Tell whether what was sent has arrived, and every loss is announced."""
                lost: Any = bridge.numbers()["publish"]
                announced = [books.losses(certain=sure).total() for sure in (True, False)]
                # A gap is told of up to a second after it has ended.
                if _unexplained(books) > books.quarantined(TRADES):
                    return False
                return announced == [lost["dropped"], lost["possibly_lost"]] and all(
                    books.last[topic]["cumulative_volume"] >= max(books.sent[symbol])
                    for symbol in SYMBOLS
                    if (topic := f"kis/market/domestic_stock/krx/trade/{symbol}")
                )

            await until(settled, DEADLINE_S, "what was sent has arrived or is announced as lost")
            assert books.received > quiet_at
            gc.collect()
            grown = resident_mb() - memory
            decoded = {route.topic: route.seq for route in bridge.pump.routes()}
            publish: Any = bridge.numbers()["publish"]
        reading.cancel()
    print(dict(counts), f"memory {grown:+.1f} MB")
    assert set(counts) == kinds
    assert grown < 40
    assert asyncio.all_tasks() == before
    _settle_accounts(books, decoded, publish)


def enough(counts: Counter[str], due: float) -> bool:
    return counts.total() >= due


async def _ask(url: str) -> None:
    """Query KIS now and then; whatever it answers, the bridge goes on."""
    content = {"api": "domestic_stock/inquire_price", "params": {"symbol": "005930"}}
    while True:
        with contextlib.suppress(BridgeError):
            await request([Endpoint.parse(url)], "query", content, topics=Topics(), deadline_s=5)
        await asyncio.sleep(0.1)  # now and then, not all the time


def _unexplained(books: Books) -> int:
    """Return how many trades did not arrive, fell into no announced gap and were not counted."""
    left = books.unexplained()
    for topic, count in (books.losses(certain=True) + books.losses(certain=False)).items():
        left[topic] = max(0, left.get(topic, 0) - count)
    return sum(left.values())


def _settle_accounts(books: Books, decoded: dict[str, int], publish: dict[str, int]) -> None:
    """Hold what KIS sent, what the bridge decoded, what arrived and what it says against it."""
    lost, doubtful = books.losses(certain=True), books.losses(certain=False)
    sent = books.trades_sent()
    arrived = sum(len(books.got[symbol] & set(books.sent[symbol])) for symbol in books.sent)
    print(f"{sent} trades sent, {arrived} arrived; lost {lost.total()}, maybe {doubtful.total()}")
    assert arrived > sent / 2
    # From the simulator to the bridge: arrived, inside an announced gap, or counted.
    assert _unexplained(books) <= books.quarantined(TRADES)
    # From the bridge to the reader: decoded = arrived + conflated + dropped + possibly lost.
    missing = {
        topic: newest - sum(seq <= newest for seq in books.seqs[topic])
        for topic, newest in decoded.items()
    }
    assert lost.total() == publish["dropped"]
    assert doubtful.total() == publish["possibly_lost"]
    known = publish["dropped"] + publish["conflated"]
    assert known <= sum(missing.values()) <= known + publish["possibly_lost"]
    for topic, count in missing.items():
        if "/trade/" in topic:
            assert lost[topic] <= count <= lost[topic] + doubtful[topic], topic
