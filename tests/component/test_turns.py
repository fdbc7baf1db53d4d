"""More symbols than slots, on a whole bridge: each has its turn, and open orders lose nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge import app
from bridge.catalog.compile import load
from bridge.config.models import MarketConfig
from bridge.kis.session import Session
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.topics import Topics
from bridge.requests.server import request
from bridge.simulator.server import Simulator, SimulatorSettings
from bridge.simulator.stream.connection import ClientSession
from bridge.simulator.stream.server import StreamServer
from bridge.subscriptions import app_keys
from bridge.subscriptions.rotation import HANDOVER_S
from tests.brokers import Mosquitto
from tests.component.feed_world import configuration, hurry, running, until

APPS = {"app1": "P" * 35 + "1", "app2": "P" * 35 + "2"}
SYMBOLS = ["000660", *(f"1{number:05d}" for number in range(499))]
TRADE = "kis/market/domestic_stock/krx/trade/"
QUALITY = "kis/quality/domestic_stock/krx/trade/"
SECTION = {"market": "domestic_stock", "venue": "krx", "kinds": ["trade"]}
MARKET = MarketConfig.model_validate(
    {
        "turn_s": 1,
        "subscriptions": [
            SECTION | {"symbols": ["005930"]},
            SECTION | {"symbols": SYMBOLS, "rotate": True},
        ],
    }
)
SPACING_S = 0.004
"""Of the requests to the simulator, in a hurry."""


class Ear:
    """Hears when each symbol had a record, and all that is told."""

    def __init__(self, url: str, name: str, topics: str = "kis/#") -> None:
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.heard: dict[str, Any] = {}
        """Topic → its newest payload."""
        self.client = ControlClient([Endpoint.parse(url)], client_id=name, clean=True)
        self.client.subscribe(topics, 0, self._hear)
        self.late = 0.0
        """For how long in all this process has come late to what was due: the machine was busy."""

    async def _hear(self, message: Message) -> None:
        if message.topic.startswith(TRADE):
            self.times[message.topic.removeprefix(TRADE)].append(time.monotonic())
        self.heard[message.topic] = json.loads(message.payload) if message.payload else None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Ear]:
        async with asyncio.TaskGroup() as tasks:
            works = [tasks.create_task(work) for work in (self.client.run(), self._watch())]
            await self.client.wait_connected()
            yield self
            for work in works:
                work.cancel()

    async def _watch(self) -> None:
        while True:
            due = time.monotonic() + 0.02
            await asyncio.sleep(0.02)
            self.late += max(0.0, time.monotonic() - due)

    def longest_pause(self, symbol: str, since: float = 0.0) -> float:
        times = [at for at in self.times[symbol] if at >= since]
        return max(after - before for before, after in pairwise([*times, time.monotonic()]))


def resting(price: int) -> bytes:
    order = {
        "client_order_id": "beside",
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": "000660",
        "side": "buy",
        "order_type": "limit",
        "quantity": 1,
        "price": price * 9 // 10_000 * 1_000,
        "expires_at": "2999-01-01T00:00:00+09:00",
    }
    return json.dumps(order).encode()


@pytest.mark.timeout(170)
async def test_five_hundred_symbols_on_two_app_keys_are_fresh_within_the_time_that_is_told(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    # Each change of turns waits for an answer: on a busy machine it may come late.
    monkeypatch.setattr(app_keys, "Session", partial(Session, spacing_s=SPACING_S))
    monkeypatch.setattr(app, "_TURN_S", 0.25)
    asked: Counter[str] = Counter()
    answer = StreamServer._answer

    def counting(server: StreamServer, session: ClientSession, text: str) -> dict[str, Any] | None:
        asked[session.app_key] += "PINGPONG" not in text
        return answer(server, session, text)

    monkeypatch.setattr(StreamServer, "_answer", counting)
    settings = SimulatorSettings(any_key=True, rest_per_second=0, rate=400)
    async with Simulator(load(), settings) as sim, Ear(mosquitto.url, "ear").listening() as ear:
        config = configuration(sim, mosquitto.url, tmp_path, ["005930"], **APPS)
        config = config.model_copy(update={"market": MARKET})
        async with running(config, mosquitto.url) as bridge:
            pool, begun = bridge.pool, time.monotonic()
            # 80 slots: one of the 82 is for notices, and one for the symbol that takes no turns.
            within = pool.rotation.within()
            assert within == (500 // 80 + 1) * (1 + HANDOVER_S)
            told = max(pool.next_turn(one) or 0.0 for one in pool.interests.all())
            assert told <= within + 1
            every = {"005930", *SYMBOLS}
            await until(lambda: ear.times.keys() >= every, told + 60, "every symbol had its turn")
            assert time.monotonic() - begun <= told + ear.late

            # An order takes one of their slots, and its symbol does not pause any more.
            [traded] = [one for one in pool.interests.all() if one.key == "000660"]
            order = resting(ear.heard[TRADE + "000660"]["price"])
            await ear.client.publish(
                Publication("kis/orders/main/alice/command/place", order, qos=1)
            )
            await until(lambda: not pool.rotating(traded), 20, "it needs a slot for itself")
            await until(lambda: pool.standing(traded).live, 20, "it has one")
            placed = time.monotonic()

            def all_again() -> bool:
                assert pool.standing(traded).live
                assert sim.stream.subscribed("H0STCNT0", "000660")
                return all(ear.times[symbol][-1] > placed + 1 for symbol in every)

            await until(all_again, within + 60, "every symbol had another turn")
            assert max(map(ear.longest_pause, every)) <= within + ear.late
            assert ear.longest_pause("000660", since=placed) < 5 + ear.late
            # Half of what KIS's spacing allows, beside what was asked at the start.
            most = 0.5 * (time.monotonic() - begun) / SPACING_S + 2 * 41
            assert all(asked[key] < most for key in APPS.values())

            rotation = ear.heard["kis/bridge/health"]["rotation"]
            assert rotation == rotation | {"turn_s": 1.0, "within_s": within}
            assert not {"kis/bridge/event/gap", "kis/bridge/event/slot_refused"} & ear.heard.keys()
            qualities = Counter(ear.heard[QUALITY + symbol]["quality"] for symbol in every)
            assert qualities == {"rotating": 499, "live": 2}
            rows = ear.heard["kis/bridge/sessions/app2"]["subscriptions"]
            assert len([row for row in rows if row.get("turn_until")]) >= 38
            asked_for = {"channel": "H0STCNT0", "key": "200000"}
            told = await request(
                [Endpoint.parse(mosquitto.url)],
                "subscribe",
                {"subscriptions": [asked_for], "rotate": True},
                topics=Topics(),
            )
            assert told == {
                "subscribed": 1,
                "waiting": 0,
                "rotating": 1,
                "within_s": told["within_s"],
            }
            assert 1 <= told["within_s"] <= 3 * (1 + HANDOVER_S)
            await until(lambda: "200000" in ear.times, told["within_s"] + 20, "another client's")
            # Who comes later finds the newest value of each, with a slot or without.
            async with Ear(mosquitto.url, "late", TRADE + "#").listening() as late:
                await until(lambda: late.times.keys() >= every, 30, "all are retained")
