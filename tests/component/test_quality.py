"""What readers are told of each value, from a whole bridge through a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
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
from bridge.simulator.server import Simulator, SimulatorSettings
from bridge.subscriptions import quality_publisher
from tests.brokers import Mosquitto
from tests.component.feed_world import configuration, hurry, running, until

TRADE, QUOTE = ("domestic_stock/krx/trade/005930", "domestic_stock/krx/quote/005930")
OTHER = "domestic_stock/krx/trade/000660"


class Reader:
    """Holds what is retained, as a reader who came at the start sees it, and counts messages."""

    def __init__(self, url: str, name: str = "reader") -> None:
        self.quality: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, str]] = []
        self.values: set[str] = set()
        self.cleared: Counter[str] = Counter()
        self.state = ""
        self.client = ControlClient([Endpoint.parse(url)], client_id=name, clean=True)
        self.client.subscribe("kis/quality/#", 1, self._told)
        self.client.subscribe("kis/market/#", 0, self._value)
        self.client.subscribe("kis/bridge/state", 1, self._state)

    async def _told(self, message: Message) -> None:
        message.ack()
        topic = message.topic.removeprefix("kis/quality/")
        if message.payload:
            self.quality[topic] = json.loads(message.payload)
            self.heard.append((topic, self.quality[topic]["quality"]))
        else:
            self.quality.pop(topic, None)
            self.heard.append((topic, ""))

    async def _value(self, message: Message) -> None:
        topic = message.topic.removeprefix("kis/market/")
        if message.payload:
            self.values.add(topic)
        else:
            self.values.discard(topic)
            self.cleared[topic] += 1

    async def _state(self, message: Message) -> None:
        message.ack()
        self.state = json.loads(message.payload)["state"]

    def of(self, topic: str) -> str:
        """Return the quality of a topic; blank: none is retained."""
        return str(self.quality.get(topic, {}).get("quality", ""))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.client.run())
            await self.client.wait_connected()
            yield self
            task.cancel()


async def ask(broker: Mosquitto, verb: str, **content: object) -> Any:
    return await request([Endpoint.parse(broker.url)], verb, content, topics=Topics())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(quality_publisher, "_TURN_S", 0.1)


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(60)
async def test_a_reader_sees_what_is_live_what_ends_and_nothing_live_after_the_bridge_has_left(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    wanted = [{"channel": "H0STCNT0", "key": "000660"}]
    async with (
        Simulator(load(), SimulatorSettings(rest_per_second=0)) as sim,
        Reader(mosquitto.url).reading() as reader,
    ):
        config = configuration(sim, mosquitto.url, tmp_path, ["005930"])
        async with running(config, mosquitto.url):
            await ask(mosquitto, "subscribe", subscriptions=wanted, client="alice")
            topics = (TRADE, QUOTE, OTHER)
            await until(lambda: {reader.of(one) for one in topics} == {"live"}, 10, "all are live")
            assert reader.quality[TRADE]["source"] == "session:app1"
            await until(lambda: {*topics} <= reader.values, 10, "values come")

            reader.heard.clear()
            await ask(mosquitto, "unsubscribe", subscriptions=wanted, client="alice")
            await until(lambda: reader.cleared[OTHER] > 0, 10, "its value is taken back")
            said = [quality for topic, quality in reader.heard if topic == OTHER]
            assert said == ["off", ""]

            mosquitto.stop()
            mosquitto.forget()
            reader.quality.clear()
            mosquitto.start()
            await until(lambda: reader.of(TRADE) == reader.of(QUOTE) == "live", 10, "told again")
        assert reader.state == "offline"
        assert {reader.of(one) for one in (TRADE, QUOTE)} == {"stale"}
        assert reader.quality[TRADE]["reason"] == "the bridge has stopped"
        assert OTHER not in reader.values, "no late record has put it there again"


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(60)
async def test_the_next_run_takes_back_what_nobody_wants_any_more(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async with (
        Simulator(load(), SimulatorSettings(rest_per_second=0)) as sim,
        Reader(mosquitto.url).reading() as reader,
    ):
        before = configuration(sim, mosquitto.url, tmp_path, ["005930"])
        async with running(before, mosquitto.url):
            await until(lambda: {TRADE, QUOTE} <= reader.values, 10, "values come")
            await until(lambda: reader.of(TRADE) == "live", 10, "it is live")
        after = configuration(sim, mosquitto.url, tmp_path, ["000660"])
        async with running(after, mosquitto.url):
            await until(lambda: reader.of(OTHER) == "live", 10, "the new one is live")
            await until(lambda: reader.cleared[TRADE] > 0, 10, "the old value is taken back")
            assert TRADE not in reader.quality
            assert QUOTE not in reader.quality
            assert not {TRADE, QUOTE} & reader.values
