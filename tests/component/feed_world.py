"""A bridge between a simulator and a broker, with impatient clocks, and the books of both sides."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.app import Bridge
from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.config.models import Config
from bridge.kis import auth, session, stream
from bridge.mqtt import lane
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.runtime.backoff import Backoff
from bridge.simulator.server import Simulator
from bridge.subscriptions import app_keys, refusals, rooms, slot_limits, watchdog

__all__ = ["Books", "configuration", "hurry", "running", "until"]

TRADES, QUOTES = "H0STCNT0", "H0STASP0"
_SLACK_US = 500_000
"""A frame may be under way so long."""


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything that waits for KIS wait less."""
    monkeypatch.setattr(session, "IN_USE_WAIT_S", 0.4)
    monkeypatch.setattr(stream, "RETRY", Backoff(0.05, 0.4, jitter=(0.5, 1.0)))
    monkeypatch.setattr(stream, "LONGEST_QUIET_S", 0.8)
    monkeypatch.setattr(stream, "REFUSED_AGAIN_S", 0.4)
    monkeypatch.setattr(rooms, "AWAY_S", 1.0)
    monkeypatch.setattr(slot_limits, "PROBE_S", 3.0)
    for name in ("RETRY", "MEND"):
        monkeypatch.setattr(refusals, name, Backoff(0.5, 2.0))
    monkeypatch.setattr(watchdog, "QUIET_SILENCE_S", 2.0)
    monkeypatch.setattr(watchdog, "BUSY_SILENCE_S", 1.5)
    monkeypatch.setattr(watchdog, "MUTE_S", 1.5)
    monkeypatch.setattr(watchdog, "MUTE_ALONE_S", 3.0)
    monkeypatch.setattr(watchdog, "MUTE_LONGEST_S", 4.0)
    monkeypatch.setattr(Calendar, "phase", lambda *_: "busy")
    monkeypatch.setattr(lane, "RETRY", Backoff(0.25, 0.5, jitter=(0.5, 1.0)))
    monkeypatch.setattr(auth.ApprovalKeys, "interval_s", 0.05)
    monkeypatch.setattr(
        app_keys, "Session", partial(session.Session, answer_s=0.4, spacing_s=0.004)
    )


def configuration(
    sim: Simulator, broker_url: str, state_dir: Path, symbols: list[str], **apps: str
) -> Config:
    """Return a configuration with one app key, or those given as alias=app key."""
    keys = apps or {"app1": sim.app_key}
    return Config.model_validate(
        {
            "kis": {
                "environment": "simulator",
                "rest_url": sim.rest_url,
                "ws_url": sim.ws_url,
                "state_dir": state_dir,
                "apps": [
                    {
                        "alias": alias,
                        "app_key": key,
                        "app_secret": sim.app_secret,
                        "hts_id": sim.hts_id,
                    }
                    for alias, key in keys.items()
                ],
                "accounts": [{"alias": "main", "app": "app1", "number": sim.account}],
            },
            "mqtt": {"url": broker_url},
            "market": {
                "subscriptions": [
                    {
                        "market": "domestic_stock",
                        "venue": "krx",
                        "kinds": ["trade", "quote"],
                        "symbols": symbols,
                    }
                ]
            },
        }
    )


@asynccontextmanager
async def running(config: Config, broker_url: str) -> AsyncIterator[Bridge]:
    """Run a bridge as long as the block."""
    bridge = Bridge(config, load(), [Endpoint.parse(broker_url)])
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bridge.run(stop, ready.set))
        await ready.wait()
        try:
            yield bridge
        finally:
            stop.set()


async def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something that has no event of its own."""
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - states of another program part have no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {seconds} s: {what}")


class Books:
    """What the simulator sent, what came out of the broker, what the bridge announced."""

    def __init__(self, url: str, base: str = "kis") -> None:
        self.sent: defaultdict[str, dict[int, int]] = defaultdict(dict)
        """Symbol → cumulative volume of each trade → µs when it was sent."""
        self.quotes_sent: defaultdict[str, list[int]] = defaultdict(list)
        self.got: defaultdict[str, set[int]] = defaultdict(set)
        self.seqs: defaultdict[str, set[int]] = defaultdict(set)
        self.last: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.received = 0
        # Its session lasts, so that nothing told while the broker restarts escapes it.
        self.client = ControlClient([Endpoint.parse(url)], client_id="books")
        self.client.subscribe(f"{base}/market/#", 0, self._market)
        self.client.subscribe(f"{base}/bridge/event/#", 1, self.event)

    def tap(self, text: str) -> None:
        """Note a frame that the simulator sends; for ``Stream.tap``."""
        _, tr_id, count, body = text.split("|", 3)
        values = body.split("^")
        width = len(values) // int(count)
        now = time.time_ns() // 1000
        for start in range(0, len(values), width):
            if tr_id == TRADES:
                self.sent[values[start]][int(values[start + 13])] = now
            elif tr_id == QUOTES:
                self.quotes_sent[values[start]].append(now)

    def trades_sent(self) -> int:
        """Return how many trades the simulator has sent."""
        return sum(map(len, self.sent.values()))

    async def _market(self, message: Message) -> None:
        record = json.loads(message.payload)
        self.received += 1
        self.seqs[message.topic].add(record["seq"])
        self.last[message.topic] = record
        if "/trade/" in message.topic:
            self.got[record["symbol"]].add(record["cumulative_volume"])

    async def event(self, message: Message) -> None:
        message.ack()
        self.events.append(json.loads(message.payload))

    def gaps(self) -> dict[str, list[tuple[int, int]]]:
        """Return, by topic, when it was not served (µs)."""
        found = defaultdict(list)
        for event in self.events:
            for row in event.get("subscriptions", ()) if event["kind"] == "gap" else ():
                found[row["topic"]].append((row["from"], row["to"]))
        return found

    def losses(self, *, certain: bool) -> Counter[str]:
        """Return, by topic, the records that the bridge says it lost, or may have lost."""
        found: Counter[str] = Counter()
        for event in self.events:
            if event["kind"] == "gap" and event.get("certain") is certain:
                found.update(event["topics"])
        return found

    def quarantined(self, channel: str) -> int:
        """Return how many events told of a record that did not decode, left-out ones included."""
        return sum(
            1 + event.get("suppressed", 0)
            for event in self.events
            if event["kind"] == "quarantined" and event["channel"] == channel
        )

    def unexplained(self) -> dict[str, int]:
        """Return the trades, by topic, that neither arrived nor fell into an announced gap."""
        gaps = self.gaps()
        left = {}
        for symbol, sent in self.sent.items():
            topic = f"kis/market/domestic_stock/krx/trade/{symbol}"
            lost = [
                at
                for volume, at in sent.items()
                if volume not in self.got[symbol]
                and not any(
                    since - _SLACK_US <= at <= until + _SLACK_US for since, until in gaps[topic]
                )
            ]
            if lost:
                left[topic] = len(lost)
        return left
