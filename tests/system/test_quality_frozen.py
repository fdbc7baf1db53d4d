"""How good values are said to be after the process has stood still, with real processes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.programs import Program, World

QUALITY = "kis/quality/domestic_stock/krx"
TOPICS = [
    f"{QUALITY}/{kind}/{symbol}" for kind in ("trade", "quote") for symbol in ("005930", "000660")
]
FREEZE_S = 4.0
TOLD_S = 3.0
"""What is known is published within so long."""


@contextmanager
def frozen(*programs: Program) -> Iterator[None]:
    """Stop processes as a suspended machine is; then let them go on."""
    for program in programs:
        program.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(subprocess.TimeoutExpired):  # only time is waited for
            programs[0].process.wait(FREEZE_S)
        yield
    finally:
        for program in programs:
            program.process.send_signal(signal.SIGCONT)


def said(world: World, topic: str, after: int) -> list[str]:
    return [heard.payload["quality"] for heard in world.ear.heard[after:] if heard.topic == topic]


def all_live(world: World, after: int = 0) -> None:
    for topic in TOPICS:
        world.ear.until(topic, lambda told: told["quality"] == "live", after=after)


def test_a_bridge_that_stood_still_says_so_of_every_value_until_kis_is_heard(
    tmp_path: Path,
) -> None:
    with World.running(tmp_path) as world:
        all_live(world)
        before = len(world.ear.heard)
        with frozen(world.bridge):
            pass
        thawed = time.monotonic()
        for topic in TOPICS:
            world.ear.until(topic, after=before, deadline_s=TOLD_S)
        all_live(world, after=before)
        assert time.monotonic() - thawed < 2 * TOLD_S
        for topic in TOPICS:
            assert said(world, topic, before) == ["stale", "live"]


def test_nothing_is_live_after_that_while_kis_says_nothing(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        all_live(world)
        before = len(world.ear.heard)
        assert world.exchange is not None
        world.exchange.process.send_signal(signal.SIGSTOP)
        try:
            with frozen(world.bridge):
                pass
            for topic in TOPICS:
                world.ear.until(topic, after=before, deadline_s=TOLD_S)
            with pytest.raises(subprocess.TimeoutExpired):
                world.bridge.process.wait(TOLD_S)
            for topic in TOPICS:
                assert said(world, topic, before) == ["stale"]
        finally:
            world.exchange.process.send_signal(signal.SIGCONT)
        all_live(world, after=before)
