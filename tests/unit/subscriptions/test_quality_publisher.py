"""Publishing quality: what is told, how much of it, and what a broker that is away holds up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bridge.errors import BrokerError
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.subscriptions import quality_publisher
from bridge.subscriptions.quality_publisher import QualityPublisher
from bridge.subscriptions.store import SubscriptionStore
from tests.unit.subscriptions.quality_world import World, trade

WANTED = [trade(f"{number:06}") for number in range(60)]


class Control:
    """A broker that acknowledges while it is there."""

    def __init__(self) -> None:
        self.connected, self.guest = True, False
        self.there = asyncio.Event()
        self.there.set()
        self.refuses = False
        self.said: list[tuple[str, dict[str, Any] | None]] = []
        self.waited = 0
        self.greeters: list[Callable[[], Awaitable[None]]] = []
        self.news = asyncio.Event()

    def on_connected(self, greeter: Callable[[], Awaitable[None]]) -> None:
        self.greeters.append(greeter)

    async def publish(self, publication: Publication, *, wait: bool = False) -> None:
        payload = publication.payload
        assert publication.retain
        self.said.append((publication.topic, json.loads(payload) if payload else None))
        self.news.set()
        if wait:
            self.waited += 1
            await self.there.wait()
            if self.refuses:
                raise BrokerError("publish on kis/quality: not authorized")

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.said) < count:
                self.news.clear()
                await self.news.wait()

    def qualities(self) -> list[str]:
        return [said["quality"] if said else "" for _, said in self.said]


class Play:
    """A publisher whose sweeps are quick."""

    def __init__(self, folder: Path) -> None:
        self.world, self.control = World(), Control()
        self.folder = folder
        self.publisher = self.make()

    def make(self) -> QualityPublisher:
        return QualityPublisher(
            self.world.board,
            cast("ControlClient", self.control),
            Topics(),
            SubscriptionStore(self.folder),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.publisher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    made = Play(tmp_path)
    clock = SimpleNamespace(monotonic=lambda: made.world.monotonic)
    monkeypatch.setattr(quality_publisher, "_TURN_S", 0.001)
    monkeypatch.setattr(quality_publisher, "time", clock)
    monkeypatch.setattr(quality_publisher, "now_us", lambda: made.world.micros)
    return made


async def swept(play: Play, times: int = 3) -> None:
    """Wait until the board was looked at so often."""
    sweeps = 0
    sweep = play.world.board.sweep

    def counted(now: int, monotonic: float) -> Any:
        nonlocal sweeps
        sweeps += 1
        return sweep(now, monotonic)

    play.world.board.sweep = counted  # type: ignore[method-assign]
    async with asyncio.timeout(5):
        while sweeps < times:  # noqa: ASYNC110 - a sweep has no event
            await asyncio.sleep(0)


async def test_each_change_is_one_message_and_few_are_under_way_at_once(play: Play) -> None:
    play.world.hold(*WANTED)
    async with play.running():
        await play.control.until(60)
        await swept(play)
        assert len(play.control.said) == 60
        assert play.control.waited == 2
        assert set(play.control.qualities()) == {"stale"}


async def test_a_flood_of_changes_is_told_by_turns_and_of_each_topic_the_newest(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_publisher, "_MOST_A_TURN", 50)
    play.world.hold(*WANTED)
    play.control.there.clear()
    async with play.running():
        await play.control.until(50)
        play.world.pool.release(WANTED[55:], "configuration")
        await swept(play)
        play.control.there.set()
        await play.control.until(65)
        await swept(play)
    told = [topic for topic, _ in play.control.said]
    assert len(set(told[:50])) == 50
    assert play.control.qualities()[50:55] == ["stale"] * 5
    assert play.control.qualities().count("off") == 5


async def test_the_board_is_looked_at_while_the_broker_is_away(play: Play) -> None:
    play.world.hold(*WANTED[:2])
    play.control.there.clear()
    async with play.running():
        await play.control.until(2)
        await swept(play, 5)
        play.world.pool.release(WANTED[:1], "configuration")
        await swept(play)
        assert play.world.board.counts() == {"stale": 1}
        play.control.there.set()
        await play.control.until(5)
        gone = [said for topic, said in play.control.said if topic.endswith("/000000")]
        assert [said and said["quality"] for said in gone] == ["stale", "off", None, None]


async def test_everything_is_told_again_to_a_broker_that_came_back(play: Play) -> None:
    play.world.hold(*WANTED[:3])
    async with play.running():
        await play.control.until(3)
        for greeter in play.control.greeters:
            await greeter()
        await play.control.until(6)
        assert sorted(play.control.said[:3]) == sorted(play.control.said[3:])


async def test_a_guest_says_nothing(play: Play) -> None:
    play.world.hold(*WANTED[:3])
    play.control.guest = True
    async with play.running():
        await swept(play, 5)
        await play.publisher.close()
    assert play.control.said == []


async def test_a_broker_that_refuses_is_told_of_once(play: Play) -> None:
    play.world.hold(*WANTED[:1])
    play.control.refuses = True
    with capture_logs() as logs:
        async with play.running():
            await play.control.until(1)
            play.world.hold(*WANTED[1:3])
            await play.control.until(3)
            await swept(play)
    assert [line["log_level"] for line in logs].count("warning") == 1


async def test_at_the_end_nothing_is_left_that_looks_alive(play: Play) -> None:
    play.world.hold(*WANTED[:2])
    play.world.feeds["app1"].connect()
    play.world.run(2)
    async with play.running():
        await play.control.until(2)
    await play.publisher.close()
    assert play.control.qualities() == ["live", "live", "stale", "stale"]


async def test_the_next_run_takes_back_what_this_one_said(play: Play) -> None:
    play.world.hold(*WANTED[:2])
    async with play.running():
        await play.control.until(2)
    kept = play.folder / "quality-topics.txt"
    kept.write_text(f"{kept.read_text()}\nelsewhere/x\nkis/market/#\n")
    play.world, play.control = World(), Control()
    play.world.hold(*WANTED[1:2])
    play.publisher = play.make()
    async with play.running():
        await play.control.until(4)
        await swept(play)
    gone = "domestic_stock/krx/trade/000000"
    assert {topic for topic, said in play.control.said if said is None} == {
        f"kis/quality/{gone}",
        f"kis/market/{gone}",
    }
