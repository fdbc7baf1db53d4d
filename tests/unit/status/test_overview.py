"""One small message with the newest values: on change, bounded, and never in a queue."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest

from bridge.catalog.compile import load
from bridge.documents.reports import REPORTS
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.status.overview import LONGEST, Overview
from bridge.subscriptions.quality import Graded, Quality

CHECK = jsonschema.Draft202012Validator(REPORTS["bridge/overview"])
PLACE = "kis/market/domestic_stock/krx"


class World:
    """A control connection, the pump's routes and the board of qualities."""

    guest = False

    def __init__(self, most: int = 100) -> None:
        self.connected = True
        self.routes: dict[str, Any] = {}
        self.polled: dict[tuple[str, ...], Any] = {}
        self.grades: dict[str, Quality] = {}
        self.said: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.halted = False
        self.greet: Any = None
        self.looked = 0
        config = SimpleNamespace(
            kis=SimpleNamespace(environment="paper"), overview=SimpleNamespace(symbols=most)
        )
        self.overview = Overview(
            cast("Any", self),
            Topics(),
            cast("Any", config),
            self._route,
            self,
            lambda *place: self.polled.get(place),
        )

    def on_connected(self, greeter: Any) -> None:
        self.greet = greeter

    def _route(self, topic: str) -> Any:
        self.looked += 1
        return self.routes.get(topic)

    def items(self) -> list[tuple[str, Graded]]:
        return [(topic, Graded(one, 1, None, "", "")) for topic, one in self.grades.items()]

    async def publish(self, publication: Publication) -> None:
        assert (publication.topic, publication.retain) == ("kis/bridge/overview", True)
        assert publication.qos == 0, "nothing piles up"
        report = json.loads(publication.payload, parse_float=Decimal)
        CHECK.validate(json.loads(publication.payload))
        self.said.append(report)
        self.sizes.append(len(publication.payload))

    def value(self, topic: str, price: str, rate: str = "0.55") -> None:
        self.grades.setdefault(topic, Quality.LIVE)
        seq = self.routes[topic].seq + 1 if topic in self.routes else 1
        last = (
            f'{{"symbol":"x","seq":{seq},"received_at":1795564800000000,"time":null,'
            f'"price":{price},"change":395,"change_rate":{rate},"volume":null}}'
        )
        self.routes[topic] = SimpleNamespace(seq=seq, last=last.encode())

    async def seconds(self, monkeypatch: pytest.MonkeyPatch, count: int = 1) -> None:
        """Let it look so many times."""
        left = count

        async def sleep(delay: float) -> None:
            nonlocal left
            if delay:
                left -= 1
                if not left:
                    raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            with pytest.raises(asyncio.CancelledError):
                await self.overview.run(lambda: self.halted)


async def test_it_has_the_newest_values_as_kis_wrote_them(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.value(f"{PLACE}/trade/005930", "71900")
    world.value("kis/market/domestic_index/krx/index/0001", "2624.50", "-1.20")
    world.value("kis/market/overseas_stock/nys/trade/BRK%2FB", "354.4200")
    world.grades[f"{PLACE}/trade/000660"] = Quality.STALE
    world.grades[f"{PLACE}/quote/005930"] = Quality.LIVE
    world.halted = True
    await world.seconds(monkeypatch)
    [report] = world.said
    assert report["environment"] == "paper"
    assert report["halted"]
    assert report["quality"] == {"live": 4, "stale": 1}
    assert report["left_out"] == 0
    symbols = report["symbols"]
    assert symbols["domestic_stock/krx/005930"] == {
        "price": 71900,
        "change": 395,
        "change_rate": Decimal("0.55"),
        "at": 1795564800000000,
        "quality": "live",
    }
    assert str(symbols["domestic_index/krx/0001"]["price"]) == "2624.50"
    assert str(symbols["overseas_stock/nys/BRK%2FB"]["price"]) == "354.4200"
    assert symbols["domestic_stock/krx/000660"] == {
        "price": None,
        "change": None,
        "change_rate": None,
        "at": None,
        "quality": "stale",
    }
    assert len(symbols) == 4, "a quote is no price"


async def test_of_what_rest_tells_the_polled_value_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    topic = "kis/market/overseas_stock/nys/trade/BRK%2FB"
    world.value(topic, "350")
    world.grades[topic] = Quality.BACKUP
    await world.seconds(monkeypatch)
    told = b'{"symbol":"BRK/B","source":"rest","polled_at":1795564900000000,"price":354.42}'
    place = ("overseas_stock", "nys", "BRK/B")
    world.polled[place] = SimpleNamespace(seq=0, last=told)
    await world.seconds(monkeypatch)
    world.polled[place] = SimpleNamespace(seq=0, last=told.replace(b"354.42", b"355"))
    await world.seconds(monkeypatch)
    world.grades[topic] = Quality.LIVE
    await world.seconds(monkeypatch)
    shown = [one["symbols"]["overseas_stock/nys/BRK%2FB"] for one in world.said]
    assert [one["price"] for one in shown] == [350, Decimal("354.42"), 355, 350]
    assert shown[1]["at"] == 1795564900000000
    assert shown[1]["change"] is None


async def test_nothing_is_published_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.value(f"{PLACE}/trade/005930", "71900")
    await world.seconds(monkeypatch, 5)
    assert len(world.said) == 1
    world.value(f"{PLACE}/trade/005930", "72000")
    await world.seconds(monkeypatch, 5)
    world.grades[f"{PLACE}/trade/005930"] = Quality.STALE
    await world.seconds(monkeypatch, 5)
    world.halted = True
    await world.seconds(monkeypatch, 5)
    assert len(world.said) == 4
    del world.grades[f"{PLACE}/trade/005930"]
    await world.seconds(monkeypatch, 5)
    assert world.said[-1]["symbols"] == {}


async def test_many_records_in_a_second_are_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for price in range(10_000, 10_500):
        world.value(f"{PLACE}/trade/005930", str(price))
    await world.seconds(monkeypatch)
    assert [one["symbols"]["domestic_stock/krx/005930"]["price"] for one in world.said] == [10_499]


async def test_nothing_piles_up_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.connected = False
    for price in range(5):
        world.value(f"{PLACE}/trade/005930", str(price))
        await world.seconds(monkeypatch)
    assert (world.said, world.looked) == ([], 0)
    world.connected = True
    await world.seconds(monkeypatch)
    assert len(world.said) == 1
    await world.greet()
    await world.seconds(monkeypatch)
    assert len(world.said) == 2, "a broker that starts anew has nothing"


async def test_a_guest_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.guest = True
    world.value(f"{PLACE}/trade/005930", "71900")
    await world.seconds(monkeypatch)
    assert world.said == []


async def test_it_is_bounded_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(most=3)
    for number in range(10):
        world.value(f"{PLACE}/trade/{number:06}", "71900")
    await world.seconds(monkeypatch)
    assert [*world.said[-1]["symbols"]] == [f"domestic_stock/krx/{n:06}" for n in range(3)]
    assert world.said[-1]["left_out"] == 7
    huge = World(most=400)
    for number in range(1_200):
        huge.value(f"{PLACE}/trade/{number:06}" + "%2F" * 20, "9" * 64 + "." + "9" * 64)
    await huge.seconds(monkeypatch)
    assert huge.sizes[-1] < LONGEST
    assert len(huge.said[-1]["symbols"]) + huge.said[-1]["left_out"] == 1_200


async def test_the_most_symbols_there_may_be_take_less_than_small_brokers_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(most=400)
    for number in range(400):
        world.value(f"{PLACE}/trade/{number:06}", "1234567", "-29.99")
    await world.seconds(monkeypatch)
    assert world.said[-1]["left_out"] == 0
    assert 40_000 < world.sizes[-1] < LONGEST


def test_channels_with_a_price_have_one_of_each_name() -> None:
    for channel in load().channels.values():
        if channel.kind in ("trade", "index"):
            for layout in channel.layouts:
                leaves = [field.path.split(".")[-1] for field in layout.fields]
                assert leaves.count("price") == 1, channel.tr_id
                assert leaves.count("change") <= 1, channel.tr_id
