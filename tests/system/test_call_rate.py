"""``kis-bridge simulate`` and the example for it, without a word of call rates anywhere."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.requests.server import request
from tests.brokers import Mosquitto
from tests.system.programs import DEADLINE_S, KIS_BRIDGE, Ear, Program, client, environ

EXAMPLE = Path(__file__).parents[2] / "examples/bridge.simulator.toml"
QUERIES, ORDERS = 20, 50
EXPIRY_S = 10


@contextmanager
def example(folder: Path, *options: str) -> Iterator[tuple[Mosquitto, Ear]]:
    """Run what the example says, on free ports; ``options`` are the simulator's."""
    ports = ("--rest-port", "0", "--ws-port", "0")
    with (
        Mosquitto.running(folder) as broker,
        Program(*KIS_BRIDGE, "simulate", "--json", *ports, *options) as simulate,
        Ear(broker.port, "kis/orders/#") as ear,
    ):
        kis = json.loads(simulate.line())["kis"]
        text = EXAMPLE.read_text()
        for old, new in {
            'environment = "simulator"': 'environment = "simulator"\n'
            f'rest_url = "{kis["rest"]}"\nws_url = "{kis["ws"]}"',
            "~/.local/state/kis-bridge-simulator": f"{folder}/state",
            "mqtt://127.0.0.1:1883": broker.url,
            '{ env = "KIS_APP_KEY" }': f'"{kis["app_key"]}"',
            '{ env = "KIS_APP_SECRET" }': f'"{kis["app_secret"]}"',
            '{ env = "KIS_HTS_ID" }': f'"{kis["hts_id"]}"',
            '{ env = "KIS_ACCOUNT" }': f'"{kis["account"]}"',
        }.items():
            assert old in text
            text = text.replace(old, new)
        config = folder / "bridge.toml"
        config.touch(mode=0o600)
        config.write_text(text)
        with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
            bridge.line()
            yield broker, ear


async def query(url: str, count: int) -> list[dict[str, Any]]:
    """Ask for a price again and again, each time as soon as the last one is answered."""
    asked = {"api": "domestic_stock/inquire_price", "params": {"market": "J", "symbol": "005930"}}
    return [
        await request([Endpoint.parse(url)], "query", asked, topics=Topics()) for _ in range(count)
    ]


def place(port: int, count: int) -> None:
    """Send orders as fast as one program can."""
    orders = [
        {
            "client_order_id": f"o-{number}",
            "market": "domestic_stock",
            "venue": "krx",
            "symbol": "005930",
            "side": "buy",
            "order_type": "market",
            "quantity": 1,
        }
        for number in range(count)
    ]
    subprocess.run(
        [client("mosquitto_pub"), "-V", "5", "-p", str(port), "-q", "1", "-l",
         "-t", "kis/orders/main/me/command/place",
         "-D", "publish", "message-expiry-interval", str(EXPIRY_S)],
        input="\n".join(map(json.dumps, orders)), text=True, check=True, timeout=DEADLINE_S,
        env=environ(),
    )  # fmt: skip


def test_the_example_answers_every_query_and_takes_every_order(tmp_path: Path) -> None:
    with example(tmp_path) as (broker, ear):
        answers = asyncio.run(query(broker.url, QUERIES))
        assert ["output" in answer for answer in answers] == [True] * QUERIES
        place(broker.port, ORDERS)
        acks = [ear.until(f"kis/orders/main/me/ack/o-{number}").payload for number in range(ORDERS)]
        assert [ack for ack in acks if ack["status"] != "accepted"] == []


@pytest.mark.parametrize("option", ["--environment=paper", "--rest-per-second=2"])
def test_the_bridge_paces_itself_to_a_slower_simulator(tmp_path: Path, option: str) -> None:
    with example(tmp_path, option) as (broker, _):
        answers = asyncio.run(query(broker.url, 6))
        assert ["output" in answer for answer in answers] == [True] * 6
