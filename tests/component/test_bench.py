"""``kis-bridge bench`` leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from bridge.benchmark.measure import line, orders
from bridge.benchmark.peer import compare
from bridge.errors import ConfigError
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
    assert 0 < found["commit_p50_us"] <= found["commit_p99_us"]
    assert found["p99_ratio"] == round(found["p99_us"] / found["commit_p50_us"], 2)


def test_all_ways_carry_the_same_frames_and_lose_none(mosquitto: Mosquitto) -> None:
    runs = {way: line(way, mosquitto.url, 2_000, 0.25, 2) for way in ("plain", "floor", "bridge")}
    assert {way: (run.sent, run.lost) for way, run in runs.items()} == {
        "plain": (250, 0),
        "floor": (250, 0),
        "bridge": (500, 0),
    }
    assert all(run.cpu_us > 0 for run in runs.values())


def test_without_the_peer_the_comparison_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "kis_trader", None)
    with pytest.raises(ConfigError, match="pip install kis-trader") as caught:
        compare()
    assert "\n" not in str(caught.value)


def test_the_peer_decodes_the_same_captured_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()

    class Frame:
        def __init__(self, text: str) -> None:
            self.tr_id = text.split("|")[1]
            seen.add(text)

        def records(self, count: int) -> list[list[str]]:
            return [[]] * count

    class Spec:
        field_count = 1
        parser = staticmethod(lambda record: record)

    modules: dict[str, dict[str, object]] = {
        "kis_trader": {},
        "kis_trader.realtime": {},
        "kis_trader.realtime.parsers": {},
        "kis_trader.realtime._protocol": {"parse_frame": Frame},
        "kis_trader.realtime._registry": {"lookup": lambda tr_id: Spec},
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        module.__dict__.update({**contents, "__path__": []})
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(metadata, "version", lambda name: "0.0")
    name, figures = compare(seconds=0.0001, rounds=1)
    assert name == "kis-trader 0.0"
    assert len(figures) == len(seen)
    assert {"H0STCNT0", "HDFSCNT0", "H0BJCNT0"} <= {each.channel for each in figures}
    assert all(each.bridge_us > 0 and each.peer_us > 0 for each in figures)
