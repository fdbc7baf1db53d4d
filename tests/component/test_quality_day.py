"""Hours of trading in virtual time with random faults: what is published is what is true.

The truth is the simulator's: when a record of each subscription last went out on a line that is
alive. ``SOAK=1`` runs eight hours, until after the close; otherwise it is a quarter of an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
from websockets.asyncio.server import ServerConnection

from tests.component.test_quality_faults import (
    ALL,
    MOST_S,
    TOLD_S,
    asked_again,
    calm,
    cut,
    quotes_answered,
)
from tests.component.virtual_feed import QUICK, VirtualFeed, run, wanted
from tests.soak import SOAK

HOURS = 8.2 if SOAK else 0.25
START = "2026-11-23T12:00:00" if SOAK else "2026-11-23T10:00:00"
CLOSE_S = 8 * 3600.0
BUSY_S = 3 * 3600.0 + 20 * 60.0
"""Until the closing auction, from noon."""
STEADY_S = 12.0
"""Records that came for so long, never further apart than the least limit, make it live."""


class Truth:
    """When records reached the bridge, by topic, as the simulator knows it."""

    def __init__(self, feed: VirtualFeed) -> None:
        self.feed = feed
        self.last: dict[str, float] = {}
        self.since: dict[str, float] = {}
        """Since when they have come without a pause."""
        self.away_since: float | None = None
        self.wanted: dict[str, float] = dict.fromkeys(ALL, 0.0)
        """Since when somebody wants it; negative: nobody does, since then."""
        self.disturbed_at = -TOLD_S
        self._alive: set[ServerConnection] = set()
        self._registrations = {topic: wanted(topic)[:2] for topic in ALL}
        self._names = {name: topic for topic, name in self._registrations.items()}
        self._send = feed.sim.stream.injector.send
        feed.sim.stream.injector.send = self.send  # type: ignore[method-assign]

    def send(self, connections: Iterable[ServerConnection], text: str) -> None:
        connections = list(connections)
        lines = self.feed.sim.stream.injector._lines
        alive_ones = {one for one in connections if one in lines and not lines[one].dead}
        if text.startswith("0|") and alive_ones:
            _, tr_id, _, body = text.split("|", 3)
            topic = self._names[tr_id, body.partition("^")[0]]
            now = self.feed.now
            if alive_ones != self._alive:  # another connection, which has to prove itself
                self._alive = alive_ones
                self.since.clear()
            pause = now - self.last.get(topic, 0.0)
            if topic not in self.since or pause > QUICK.kind("trade").least_s - 1.0:
                self.since[topic] = now
            self.last[topic] = now
        self._send(connections, text)

    def check(self) -> None:
        """Compare with what is published; every delay that is allowed has a name."""
        feed, now = self.feed, self.feed.now
        if feed.sim.stream.sessions:
            self.away_since = None
        elif self.away_since is None:
            self.away_since = now
        for topic in ALL:
            if not feed.sim.stream.subscribed(*self._registrations[topic]):
                self.since.pop(topic, None)
            said, why = feed.of(topic), feed.why(topic)
            place = f"{topic} at {now:.1f}: {said!r} {why!r}"
            if (left := -self.wanted[topic]) > 0:
                assert said == "" or now - left <= TOLD_S, place
                continue
            if now - self.wanted[topic] <= TOLD_S:
                continue
            last = self.last.get(topic, 0.0)
            if SOAK and now > CLOSE_S:
                assert said == "closed" or now <= CLOSE_S + TOLD_S, place
                continue
            busy = not SOAK or now < BUSY_S
            most_s = MOST_S if busy else QUICK.quiet_s
            if now - self.disturbed_at < TOLD_S:
                continue  # nobody told anything while the process stood still
            if said == "live" and why != "no record yet":
                assert now - last <= most_s + TOLD_S, f"live without data: {place}"
            if said == "live" and why == "no record yet":
                assert not busy, place
            if self.away_since is not None and now - self.away_since > TOLD_S:
                assert said in ("stale", "refused"), f"no session: {place}"
            steady = now - last <= QUICK.kind("trade").least_s - 1.0
            long = now - max(self.since.get(topic, now), self.disturbed_at) >= STEADY_S
            if steady and long:
                assert said == "live", f"data comes: {place}"


async def misfortune(feed: VirtualFeed, truth: Truth, draw: Random) -> None:
    """Let one thing go wrong, for a while."""
    one = draw.choice(ALL)
    registration = wanted(one)
    what = {"tr_id": registration.tr_id, "key": registration.key}
    lasting = draw.uniform(1.0, 60.0)
    match draw.randrange(17):
        case 0:
            cut(feed)
        case 1:
            cut(feed)
            await feed.close_port()
            await asyncio.sleep(lasting)
            await feed.open_port()
        case 2:
            feed.strike("maintenance", for_s=lasting)
        case 3:
            feed.strike("silence", for_s=lasting)
        case 4:
            feed.strike("mute", for_s=2 * lasting)
        case 5:
            feed.strike("deaf", for_s=2 * lasting, **what)
        case 6:
            feed.strike("deaf", for_s=2 * lasting, tr_id=registration.tr_id)
        case 7:
            feed.strike("mislay", **what)
        case 8:
            feed.sim.stream.injector.lock(feed.apps["app1"], lasting)
            cut(feed)
        case 9:
            feed.strike(draw.choice(["no_answer", "late_answer", "duplicate_answer"]), chance=0.7)
            cut(feed)
            await asyncio.sleep(lasting)
            calm(feed)
        case 10:
            quotes_answered(draw.choice(["OPSP8992", "OPSP0009", "OPSP9993"]))(feed)
            await asyncio.sleep(lasting)
            asked_again(feed)
        case 11:
            feed.strike(draw.choice(["garbage", "append", "unknown_tr"]), chance=0.3)
            await asyncio.sleep(lasting)
            calm(feed)
        case 12:
            feed.loop.sleep_through(draw.uniform(0.5, 30.0))
            truth.disturbed_at = feed.now
        case 13:
            feed.release(one)
            feed.release(one, holder="alice")
            truth.wanted[one] = -feed.now
            await asyncio.sleep(lasting)
            feed.hold(one)
            truth.wanted[one] = feed.now
            truth.since.pop(one, None)
        case 14:
            feed.strike("no_pingpong", for_s=lasting)
        case 15:
            feed.strike("pingpong_storm", for_s=5.0, count=20)
        case _:
            feed.strike("slow", for_s=lasting)


@pytest.mark.parametrize("seed", [1, 2, 3] if SOAK else [1])
@pytest.mark.timeout(3_600 if SOAK else 120)
def test_the_quality_is_what_the_simulator_knows_to_be_true(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draw = Random(f"day {seed}")  # noqa: S311 - a day's misfortunes, no secret

    async def work(feed: VirtualFeed) -> None:
        feed.hold(*ALL)
        truth = Truth(feed)
        await asyncio.sleep(30)

        async def trouble() -> None:
            while True:
                await asyncio.sleep(draw.expovariate(1 / 40.0))
                await misfortune(feed, truth, draw)

        async with asyncio.TaskGroup() as tasks:
            going_wrong = tasks.create_task(trouble())
            while feed.now < HOURS * 3600:
                if SOAK and feed.now >= CLOSE_S and not going_wrong.cancelled():
                    going_wrong.cancel()
                    feed.strike("mute", for_s=3600.0)
                truth.check()
                await asyncio.sleep(1.0)
            going_wrong.cancel()

    run(work, monkeypatch, tmp_path, at=START)
