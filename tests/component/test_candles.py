"""Candles beside the trades of a simulated market, through a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.config.models import CandlesConfig, Config
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import configuration, hurry, running, until

TRADE = "kis/market/domestic_stock/krx/trade/005930"
EXAMPLE = "kis/market/domestic_stock/krx/candle_{}/005930"


class Reader:
    """A subscriber that keeps every trade and every candle."""

    def __init__(self, url: str) -> None:
        self.trades: list[dict[str, Any]] = []
        self.candles: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.client = ControlClient([Endpoint.parse(url)], client_id="reader", clean=True)
        self.client.subscribe("kis/market/#", 0, self._read)

    async def _read(self, message: Message) -> None:
        record = json.loads(message.payload, parse_float=Decimal)
        if message.topic == TRADE:
            self.trades.append(record)
        elif "/candle_" in message.topic:
            self.candles[message.topic].append(record)

    def closed(self, interval: str) -> list[dict[str, Any]]:
        return [one for one in self.candles[EXAMPLE.format(interval)] if one["closed"]]


def with_candles(config: Config, *intervals: str) -> Config:
    candles = CandlesConfig.model_validate({"venue": "krx", "intervals": intervals})
    return config.model_copy(update={"candles": (candles,)})


def summed(trades: list[dict[str, Any]], start: str, seconds: int) -> list[Any]:
    """Return what a reader's own sums over the trades of a candle are."""
    begin = datetime.fromisoformat(start)
    mine = [
        trade
        for trade in trades
        if 0 <= (datetime.fromisoformat(trade["time"]) - begin).total_seconds() < seconds
    ]
    prices = [trade["price"] for trade in mine]
    return [
        *(prices[0], max(prices), min(prices), prices[-1]),
        sum(trade["quantity"] for trade in mine),
        sum(trade["price"] * trade["quantity"] for trade in mine),
        len(mine),
    ]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.mark.usefixtures("impatient")
async def test_a_closed_candle_is_what_a_reader_sums_up_from_the_trades(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async with Simulator(load(), SimulatorSettings(rate=200.0)) as sim:
        config = with_candles(
            configuration(sim, mosquitto.url, tmp_path, ["005930"]), "1s", "1m", "1d"
        )
        reader = Reader(mosquitto.url)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(reader.client.run())
            await reader.client.wait_connected()
            async with running(config, mosquitto.url):
                await until(
                    lambda: sum(one["complete"] for one in reader.closed("1s")) >= 3,
                    20,
                    "three complete candles of a second",
                )
                before = len(reader.closed("1s"))
                sim.drop_connections()
                await until(
                    lambda: (
                        [one["complete"] for one in reader.closed("1s")[before:]][-1:] == [True]
                        and not all(one["complete"] for one in reader.closed("1s")[before:])
                    ),
                    20,
                    "a candle that the gap fell into, and a complete one after it",
                )
            task.cancel()
        closed = reader.closed("1s")
        assert not closed[0]["complete"], "the bridge came in the middle of it"
        last = {one["start"]: one for one in closed}
        complete = [one for one in last.values() if one["complete"]]
        assert len(complete) >= 4
        for one in complete:
            assert sum(other["start"] == one["start"] for other in closed) == 1, "closed once"
            figures = list(one.values())[2:9]
            assert figures == summed(reader.trades, one["start"], 1), one["start"]
        [minute, *_] = reader.candles[EXAMPLE.format("1m")]
        assert not minute["complete"]
        assert not minute["closed"]
        assert reader.candles[EXAMPLE.format("1d")][-1]["start"].endswith("T00:00:00+09:00")
