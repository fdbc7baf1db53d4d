"""Slots and subscriptions of a whole bridge: shared, remembered, told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.requests.server import request
from bridge.simulator.faults.plan import Fault, FaultPlan
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import configuration, hurry, running, until

APPS = {f"app{number}": "P" * 35 + str(number) for number in range(1, 6)}


class Ear:
    """Hears what the bridge says about itself."""

    def __init__(self, url: str) -> None:
        self.heard: dict[str, list[Any]] = {}
        self.client = ControlClient([Endpoint.parse(url)], client_id="ear", clean=True)
        self.client.subscribe("kis/bridge/#", 1, self._hear)

    async def _hear(self, message: Message) -> None:
        message.ack()
        topic = message.topic.removeprefix("kis/bridge/")
        self.heard.setdefault(topic, []).append(json.loads(message.payload))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Ear]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.client.run())
            await self.client.wait_connected()
            yield self
            task.cancel()


async def ask(broker: Mosquitto, verb: str, **content: object) -> Any:
    return await request([Endpoint.parse(broker.url)], verb, content, topics=Topics())


def trades(*symbols: str) -> list[dict[str, str]]:
    return [{"channel": "H0STCNT0", "key": symbol} for symbol in symbols]


def key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["channel"], row["key"]


def sessions(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return, of subscriptions as people see them, who has a place in which session."""
    return {key(row): row["session"] for row in rows if row["session"]}


@pytest.mark.timeout(90)
async def test_five_app_keys_share_three_hundred_wishes(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("bridge.subscriptions.rooms.AWAY_S", 0.5)
    monkeypatch.setattr("bridge.calendar.hours.Calendar.phase", lambda *_: "closed")
    monkeypatch.setattr("bridge.subscriptions.watchdog.QUIET_SILENCE_S", 60.0)
    settings = SimulatorSettings(any_key=True, rest_per_second=0, manual=True)
    async with Simulator(load(), settings) as sim, Ear(mosquitto.url).listening() as ear:
        config = configuration(sim, mosquitto.url, tmp_path, ["005930"], **APPS)
        async with running(config, mosquitto.url) as bridge:
            pool = bridge.pool
            for priority in range(5):
                symbols = [f"{priority + 1}{number:05d}" for number in range(60)]
                answer = await ask(
                    mosquitto,
                    "subscribe",
                    subscriptions=trades(*symbols),
                    priority=priority,
                    client="alice",
                )
                assert answer["subscribed"] == 60
            # 5 × 41 slots, one of them for the execution notices of app1.
            await until(lambda: pool.numbers()["live"] == 204, 30, "all slots are used")
            assert pool.numbers() == {"wanted": 302, "live": 204, "waiting": 98, "refused": 0}
            before: Any = pool.subscriptions()
            rows = await ask(mosquitto, "subscriptions")
            waiting = [row for row in rows if row["state"] == "waiting"]
            assert sorted(row["waits_as"] for row in waiting) == list(range(1, 99))
            assert {row["priority"] for row in waiting} == {3, 4}
            await until(
                lambda: ear.heard.get("sessions/app3", [{}])[-1].get("slots_used") == 41,
                5,
                "the map is published",
            )
            assert len(ear.heard["sessions/app3"][-1]["subscriptions"]) == 41
            assert ear.heard["event/slot_refused"][0]["code"] == "waiting"

            # One app key is taken away and comes back.
            places = sessions(before)
            lost = {one for one, app in places.items() if app == "app3"}
            better = {key(row) for row in before if row["priority"] < 2} & lost
            assert better
            sim.stream.injector.lock(APPS["app3"], 3600)
            sim.stream.drop(APPS["app3"])

            def moved() -> bool:
                live = sessions(row for row in pool.subscriptions() if row["state"] == "live")
                return len(live) == 163 and better <= set(live) and "app3" not in live.values()

            await until(moved, 20, "the better ones have moved")
            now = sessions(pool.subscriptions())
            kept = {one: app for one, app in now.items() if one not in lost}
            assert all(places[one] == app for one, app in kept.items()), "nobody else moved"
            sim.stream.injector.lock(APPS["app3"], 0)
            await until(lambda: pool.numbers()["live"] == 204, 30, "filled again")
            filled = sessions(pool.subscriptions())
            assert {one: filled[one] for one in kept} == kept
            await until(lambda: "event/gap" in ear.heard, 5, "gaps are told")


@pytest.mark.timeout(60)
async def test_a_learned_limit_and_a_wish_survive_a_restart(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("bridge.subscriptions.slot_limits.PROBE_S", 600.0)
    monkeypatch.setattr("bridge.calendar.hours.Calendar.phase", lambda *_: "closed")
    plan = FaultPlan((Fault("slots", count=4),))
    settings = SimulatorSettings(rest_per_second=0, faults=plan, manual=True)
    async with Simulator(load(), settings) as sim:
        config = configuration(sim, mosquitto.url, tmp_path, ["005930"])
        async with running(config, mosquitto.url) as bridge:
            subscriptions = trades(*(f"{number:06d}" for number in range(10, 70, 10)))
            await ask(mosquitto, "subscribe", subscriptions=subscriptions[:5], client="alice")
            await ask(
                mosquitto, "subscribe", subscriptions=subscriptions[5:], client="bob", lease_s=600
            )
            await until(lambda: bridge.pool.learned == {"app1": 4}, 10, "the limit is learned")
            await until(lambda: bridge.pool.numbers()["live"] == 3, 10, "three and the notices")
        async with running(config, mosquitto.url) as bridge:
            assert bridge.pool.learned == {"app1": 4}
            await until(lambda: bridge.pool.numbers()["live"] == 3, 10, "live again")
            assert bridge.pool.numbers() == {"wanted": 8, "live": 3, "waiting": 5, "refused": 0}
            rows = await ask(mosquitto, "subscriptions")
            assert [row["holders"] for row in rows].count(["alice"]) == 5
            [leased] = [row for row in rows if row["holders"] == ["bob"]]
            assert leased["lease_until"] > 0
            answer = await ask(
                mosquitto, "unsubscribe", subscriptions=subscriptions[:5], client="alice"
            )
            assert answer == {"ended": 5}
        async with running(config, mosquitto.url) as bridge:
            assert bridge.pool.numbers()["wanted"] == 3
