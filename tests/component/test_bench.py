"""``kis-bridge bench`` leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from bridge.benchmark.measure import orders
from tests.brokers import Mosquitto, mosquitto_program

BENCH = """
from bridge.cli import bench, main
bench.decode_rate = lambda: [1.0]
main()
"""


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_sigterm_ends_its_processes_too() -> None:
    mosquitto_program()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BENCH, "bench", "--seconds", "30", "--pairs", "1"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        while len(started := children(process.pid)) < 2:  # noqa: ASYNC110  seen from outside
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 143
        while not all(map(gone, started)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_what_the_bridge_adds_to_orders_is_measured(mosquitto: Mosquitto) -> None:
    found = orders(mosquitto.url, 1_000, 40, 200.0)
    assert found["orders"] == 40
    assert 0 < found["before_p50_us"] < found["p99_us"] <= found["max_us"]
    assert found["max_us"] < 5_000_000
    assert found["commit_p50_us"] > 0
    assert found["p99_ratio"] == round(found["p99_us"] / found["commit_p50_us"], 2)
