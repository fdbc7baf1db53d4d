"""What KIS takes of real accounts alone, through all programs: simulator, Mosquitto and bridge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.brokers import Mosquitto
from tests.system.programs import (
    KIS_BRIDGE,
    Ear,
    Program,
    World,
    bridge_toml,
    publish,
    simulator,
)
from tests.system.test_real_money import ALICE, LOGIN, passwords

MORE = """
[[kis.accounts]]
alias = "contracts"
app = "app1"
number = "12345678-08"
[orders]
allow_real = true
market_hours = false
markets = ["domestic_stock", "overseas_stock", "domestic_bond"]
"""
CREDIT = '[orders.clients.alice]\naccounts = ["main", "contracts"]\ncredit = true\n'
SOON = ("-D", "publish", "message-expiry-interval", "20")
LIMIT: dict[str, Any] = {"side": "buy", "order_type": "limit", "quantity": 10}
BOND = LIMIT | {"market": "domestic_bond", "venue": "krx", "symbol": "KR6095572D81"}
NXT = LIMIT | {"market": "domestic_stock", "venue": "nxt", "symbol": "005930"}
DAYTIME = LIMIT | {"market": "overseas_stock", "venue": "baq", "symbol": "AAPL"}
OIL = LIMIT | {"market": "overseas_derivative", "venue": "all", "symbol": "CLF27"}
LOAN = NXT | {"venue": "krx", "credit_type": "own_margin_loan_new"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with (
        simulator("--environment", "real") as (exchange, kis),
        Mosquitto.running(folder, "allow_anonymous false\n" + passwords(folder)) as broker,
        Ear(broker.port, login=LOGIN) as ear,
    ):
        config = bridge_toml(folder, kis, broker.url, MORE)
        login = f'[mqtt]\nusername = "{LOGIN[0]}"\npassword = "{LOGIN[1]}"\n'
        text = config.read_text().replace("[mqtt]\n", login).replace('"simulator"', '"real"')
        config.write_text(text.replace('[orders.clients.alice]\naccounts = ["main"]\n', CREDIT))
        with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
            bridge.line()
            yield World(broker, kis, config, ear, bridge, exchange)


def query(world: World, api: str, **params: str) -> Any:
    """Ask KIS through the bridge."""
    content = {"api": api, "params": params, "transaction": api}
    before = len(world.ear.heard)
    publish(world.broker.port, "kis/bridge/request/query/alice", content, *ALICE)
    said = world.ear.until("kis/bridge/response/query/alice", after=before).payload
    assert said["status"] == "ok", said
    return said["data"]


def price(world: World, order: dict[str, Any]) -> float:
    match order["market"]:
        case "domestic_bond":
            found = query(world, "domestic_bond/inquire_price", symbol=order["symbol"])
            return float(found["output"]["price"])
        case "overseas_stock" | "overseas_derivative":
            return 60.0 if order is OIL else 260.0
    found = query(world, "domestic_stock/inquire_price", symbol=order["symbol"], market="krx")
    return float(found["output"]["price"])


@pytest.mark.parametrize(
    ("account", "order", "step"),
    [
        ("main", BOND, 1),
        ("main", NXT, 1_000),
        ("main", LOAN, 1_000),
        ("main", DAYTIME, 1),
        ("contracts", OIL, 1),
    ],
    ids=["bond", "nxt", "credit", "daytime", "contract"],
)
def test_orders_fill_are_modified_and_cancelled(
    world: World, account: str, order: dict[str, Any], step: float
) -> None:
    if "credit_type" in order:
        order = order | {"loan_date": f"{datetime.now(ZoneInfo('Asia/Seoul')):%Y%m%d}"}
    name = "-".join((order["market"], order["venue"], order.get("credit_type", "cash")))

    def topic(what: str, suffix: str) -> str:
        return f"kis/orders/{account}/alice/{what}/{name}{suffix}"

    def send(verb: str, suffix: str, **content: Any) -> Any:
        before = len(world.ear.heard)
        content = {"client_order_id": name + suffix, **content}
        to = f"kis/orders/{account}/alice/command/{verb}"
        publish(world.broker.port, to, content, *SOON, *ALICE)
        return world.ear.until(topic("ack", suffix), after=before).payload

    last = price(world, order)
    near, far = (round((last + by * step) / step) * step for by in (5, -20))
    if order in (DAYTIME, OIL):
        near, far = 10 * near, far / 4  # nobody asks what they cost just now
    fills = send("place", "-fills", **order, price=near)
    assert fills["status"] == "accepted", fills
    filled = world.ear.until(topic("event", "-fills"), lambda e: e["state"] == "filled")
    assert filled.payload["filled_quantity"] == 10
    rests = send("place", "-rests", **order, price=far)
    assert rests["status"] == "accepted", rests
    modified = send("modify", "-rests", price=far - step)
    assert modified["status"] == "accepted", modified
    cancelled = send("cancel", "-rests")
    assert cancelled["status"] == "accepted", cancelled
    ended = world.ear.until(topic("event", "-rests"), lambda e: e["state"] == "cancelled")
    assert ended.payload["filled_quantity"] == 0
