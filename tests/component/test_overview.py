"""The newest values of a running bridge in one message, and a small device that shows them."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import configuration, hurry, running, until

DEVICE = Path(__file__).parents[2] / "examples/display/main.py"


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example for MicroPython, with a module of that name for its MQTT library."""
    library = ModuleType("umqtt.simple")
    library.MQTTClient = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umqtt", ModuleType("umqtt"))
    monkeypatch.setitem(sys.modules, "umqtt.simple", library)
    spec = importlib.util.spec_from_file_location("display", DEVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_display_shows_what_the_simulated_market_does(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Any
) -> None:
    hurry(monkeypatch)
    shown: list[list[str]] = []
    monkeypatch.setattr(device, "show", shown.append)
    came: list[dict[str, Any]] = []

    async def read(message: Message) -> None:
        message.ack()
        device.received(message.topic.encode(), message.payload)
        if message.topic.endswith("overview"):
            came.append(json.loads(message.payload))

    client = ControlClient([Endpoint.parse(mosquitto.url)], client_id="display", clean=True)
    client.subscribe("kis/bridge/state", 1, read)
    client.subscribe("kis/bridge/overview", 1, read)
    async with (
        Simulator(load(), SimulatorSettings(rate=300.0)) as sim,
        asyncio.TaskGroup() as tasks,
    ):
        task = tasks.create_task(client.run())
        await client.wait_connected()
        config = configuration(sim, mosquitto.url, tmp_path, ["005930", "000660"])
        async with running(config, mosquitto.url):
            await until(
                lambda: any("%" in row for rows in shown[-1:] for row in rows), 10, "a price"
            )
            seen = len(came)
            await until(lambda: len(came) >= seen + 2, 10, "two more")
        task.cancel()
    times = [one["at"] for one in came]
    assert all(later - before > 990_000 for before, later in pairwise(times))
    last = came[-1]
    assert set(last["symbols"]) == {"domestic_stock/krx/005930", "domestic_stock/krx/000660"}
    assert last["symbols"]["domestic_stock/krx/005930"]["quality"] == "live"
    assert last["quality"] == {"live": 4}
    assert shown[-1][0] == "simulator"
    assert shown[-1][1].startswith("005930")
