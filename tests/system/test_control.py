"""What a test does to the simulated KIS over its control interface is what the bridge publishes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.system.programs import World

TRADE = "kis/market/domestic_stock/krx/trade/005930"
SOON = ("-D", "publish", "message-expiry-interval", "10")

Do = Callable[..., Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.running(tmp_path_factory.mktemp("world"), "", "--control-port", "0") as world:
        yield world


@pytest.fixture
def do(world: World) -> Iterator[Do]:
    """Do something to the simulator."""
    assert world.exchange is not None
    url = json.loads(world.exchange.line())["control"]
    with httpx.Client(base_url=url) as control:

        def act(action: str, **body: Any) -> Any:
            answer = control.post(f"/{action}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield act


def place(world: World, name: str, **changes: object) -> Any:
    """Place an order that waits; return its ack."""
    order = world.resting() | {"client_order_id": name, "quantity": 5, "price": 200_000} | changes
    after = world.command("place", order, *SOON)
    return world.ack(name, after)


def event(world: World, name: str, state: str) -> Any:
    topic = f"kis/orders/main/alice/event/{name}"
    return world.ear.until(topic, lambda said: said["state"] == state).payload


def test_a_price_that_was_set_is_published_and_fills_what_waits(world: World, do: Do) -> None:
    price = int(world.resting()["price"])
    ack = place(world, "waits", price=price)
    after = len(world.ear.heard)
    do("price", symbol="005930", price=price)
    world.ear.until(TRADE, lambda trade: trade["price"] == price, after=after)
    assert event(world, "waits", "filled")["order_no"] == ack["order_no"]


def test_an_order_fills_as_a_test_says(world: World, do: Do) -> None:
    number = place(world, "parts")["order_no"]
    do("fill", order=number, quantity=2)
    assert event(world, "parts", "partially_filled")["filled_quantity"] == 2
    do("fill", order=number)
    assert event(world, "parts", "filled")["filled_quantity"] == 5


def test_refusals_halts_and_closed_markets_are_told(world: World, do: Do) -> None:
    do("refuse", symbol="005930")
    assert place(world, "refused")["status"] == "accepted"
    event(world, "refused", "rejected")
    do("halt", symbol="005930")
    assert place(world, "halted")["status"] == "rejected"
    do("resume", symbol="005930")
    do("session", session="after")
    assert place(world, "closed")["status"] == "rejected"
    do("session", session=None)
    assert place(world, "open")["status"] == "accepted"


def test_the_bridge_gets_over_a_cut_line(world: World, do: Do) -> None:
    assert do("drop") == {"dropped": 1}
    world.ear.until("kis/bridge/health", reconnected)
    world.ear.until(TRADE, after=len(world.ear.heard))


def reconnected(health: Any) -> bool:
    sessions = health["sessions"].values()
    return all(one["state"] == "connected" and one["reconnects"] for one in sessions)
