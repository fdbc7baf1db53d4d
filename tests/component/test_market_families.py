"""A record of every family of market data, from the simulated KIS through bridge and broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.catalog.compile import load
from bridge.config.models import Config
from bridge.documents.topics import payloads, topics
from bridge.kis import auth
from bridge.kis.session import Session
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import running, until
from tests.component.schemas import error, misses

CATALOG = load()
CHANNELS = [channel for channel in CATALOG.channels.values() if not channel.encrypted]
APPS = {f"app{number}": "P" * 35 + str(number) for number in range(1, 4)}
"""A session has 41 slots, and here are more wishes than two sessions have."""
DEADLINE_S = 20.0
SECONDS = 5.0
"""Of market data: enough for a record of the rarest kind."""


def subscriptions() -> dict[str, dict[str, Any]]:
    """Return what to subscribe, by the topic where it comes: every channel, every venue.

    Channels that share a family have symbols of their own.
    """
    wanted = {}
    for number, channel in enumerate(CHANNELS):
        stock = channel.market in ("domestic_stock", "domestic_etf")
        symbol = "0001" if channel.market == "domestic_index" else f"{100_000 + number * 10}"
        if not stock and channel.market != "domestic_index":
            symbol = f"A{symbol}"
        venues = [(venue.venue, venue.prefix) for venue in channel.venues]
        for venue, prefix in venues or [(channel.venue or "all", "")]:
            topic = f"kis/market/{channel.market}/{venue}/{channel.kind}/{symbol}"
            wanted[topic] = {"channel": channel.tr_id, "keys": [f"{prefix}{symbol}"]}
    return wanted


def configuration(sim: Simulator, broker: Mosquitto, folder: Path, interests: list[Any]) -> Config:
    secrets = {"app_secret": sim.app_secret, "hts_id": sim.hts_id}
    return Config.model_validate(
        {
            "kis": {
                "environment": "real",
                "rest_url": sim.rest_url,
                "ws_url": sim.ws_url,
                "state_dir": folder,
                "apps": [
                    {"alias": alias, "app_key": key, **secrets} for alias, key in APPS.items()
                ],
            },
            "mqtt": {"url": broker.url},
            "market": {"subscriptions": interests},
        }
    )


async def test_a_record_of_every_family_fulfils_its_schema(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = subscriptions()
    families = [one for one in topics(CATALOG) if one.payloads[0].startswith("market/")]
    assert {one.name for one in families} == {
        one.name for one in families if any(one.matches(topic) for topic in wanted)
    }
    assert {interest["channel"] for interest in wanted.values()} == {one.tr_id for one in CHANNELS}
    assert len(CHANNELS) == 53

    heard = await _heard(mosquitto, tmp_path, monkeypatch, wanted)
    checks = {
        name: Draft202012Validator(schema)
        for name, schema in payloads(CATALOG).items()
        if name.startswith("market/")
    }
    tried = set()
    for topic, record in heard.items():
        [family] = [one for one in families if one.matches(topic)]
        name = f"market/{wanted[topic]['channel']}"
        assert name in family.payloads
        assert record["channel"] == wanted[topic]["channel"]
        assert error(checks[name], record) is None, topic
        if name not in tried:
            tried.add(name)
            assert misses(checks, family.payloads, record) == [], topic


async def _heard(
    broker: Mosquitto, folder: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> dict[str, Any]:
    """Return the first message on each topic; a record that does not decode is a failure."""
    monkeypatch.setattr(auth.ApprovalKeys, "interval_s", 0.05)
    monkeypatch.setattr("bridge.subscriptions.app_keys.Session", partial(Session, spacing_s=0.004))
    heard: dict[str, Any] = {}
    complete, events = asyncio.Event(), []

    async def market(message: Message) -> None:
        heard.setdefault(message.topic, json.loads(message.payload))
        if wanted.keys() <= heard.keys():
            complete.set()

    async def event(message: Message) -> None:
        message.ack()
        events.append(json.loads(message.payload))
        complete.set()  # nothing should be told

    ear = ControlClient([Endpoint.parse(broker.url)], client_id="ear", clean=True)
    ear.subscribe("kis/market/#", 0, market)
    ear.subscribe("kis/bridge/event/#", 1, event)
    settings = SimulatorSettings(environment="real", any_key=True, rest_per_second=0, manual=True)
    async with asyncio.TaskGroup() as tasks, Simulator(CATALOG, settings) as sim:
        hearing = tasks.create_task(ear.run())
        await ear.wait_connected()
        config = configuration(sim, broker, folder, list(wanted.values()))
        async with running(config, broker.url) as bridge:
            live = lambda: bridge.pool.numbers()["live"] == len(wanted)  # noqa: E731
            await until(live, DEADLINE_S, "everything is subscribed")
            sim.step(SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE_S):
                    await complete.wait()
        hearing.cancel()
    assert events == []
    assert heard.keys() == wanted.keys()
    return heard
