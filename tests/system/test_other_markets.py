"""Overseas stocks and futures through all programs: simulator, Mosquitto, bridge, command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.runtime.clock import SEOUL
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.off_book.off_book import OffBook
from tests.system.programs import World

SOON = ("-D", "publish", "message-expiry-interval", "10")
ACCOUNT = """
[[kis.accounts]]
alias = "futures"
app = "app1"
number = "12345678-03"
[orders]
markets = ["domestic_stock", "overseas_stock"]
[orders.clients.bob]
accounts = ["main", "futures"]
"""
APPLE: dict[str, Any] = {
    "market": "overseas_stock",
    "venue": "nas",
    "symbol": "AAPL",
    "side": "buy",
    "order_type": "limit",
    "quantity": 2,
}
KOSPI200: dict[str, Any] = APPLE | {
    "market": "domestic_derivative",
    "venue": "krx",
    "symbol": "A01603",
}


def _about() -> Decimal:
    """Return about what the future costs today in a simulator; a day's prices are near it."""
    return OffBook(1, (), tapes=Tapes(1, datetime.now(SEOUL).date())).price(KOSPI200["symbol"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.running(tmp_path_factory.mktemp("world"), ACCOUNT) as world:
        yield world


@pytest.mark.parametrize(
    ("account", "order", "far", "farther", "near"),
    [
        ("main", APPLE, "0.5", "0.6", "9999"),
        ("futures", KOSPI200, f"{_about() - 30}", f"{_about() - 29}", f"{_about() + 30}"),
    ],
    ids=["overseas", "futures"],
)
def test_orders_fill_are_modified_and_cancelled(
    world: World, account: str, order: dict[str, Any], far: str, farther: str, near: str
) -> None:
    def topic(what: str, name: str) -> str:
        return f"kis/orders/{account}/bob/{what}/{name}"

    def send(verb: str, name: str, **content: Any) -> Any:
        before = world.command(
            verb, {"client_order_id": name, **content}, *SOON, client="bob", account=account
        )
        return world.ear.until(topic("ack", name), after=before).payload

    fills = send("place", f"{account}-fills", **order, price=near)
    assert fills["status"] == "accepted", fills
    assert fills["order_no"]
    filled = world.ear.until(topic("event", f"{account}-fills"), lambda e: e["state"] == "filled")
    assert filled.payload["filled_quantity"] == 2
    assert 0 < filled.payload["average_price"] < 9999
    rests = send("place", f"{account}-rests", **order, price=far)
    assert rests["status"] == "accepted", rests
    modified = send("modify", f"{account}-rests", price=farther)
    assert modified["status"] == "accepted", modified
    assert modified["order_no"] != rests["order_no"]
    cancelled = send("cancel", f"{account}-rests")
    assert cancelled["status"] == "accepted", cancelled
    ended = world.ear.until(topic("event", f"{account}-rests"), lambda e: e["state"] == "cancelled")
    assert ended.payload["filled_quantity"] == 0
    positions = world.ear.until(
        f"kis/accounts/{account}/positions",
        lambda said: any(row["symbol"] == order["symbol"] for row in said["positions"]),
    ).payload["positions"]
    held = next(row["quantity"] for row in positions if row["symbol"] == order["symbol"])
    assert held == (102 if account == "main" else 2)


def test_an_account_takes_no_orders_for_another_market(world: World) -> None:
    for account, order in (("futures", APPLE), ("main", KOSPI200)):
        content = {"client_order_id": "wrong", **order, "price": "1"}
        before = world.command("place", content, *SOON, client="bob", account=account)
        ack = world.ear.until(f"kis/orders/{account}/bob/ack/wrong", after=before).payload
        assert (ack["status"], ack["reason"]) == ("refused", "invalid_payload")
        assert "takes no orders here" in ack["message"]
