"""Bonds of the exchange through the whole line: only KIS's list tells what becomes of an order."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.orders.risk.limits import Limits
from tests.component.markets import in_virtual_time, market
from tests.component.virtual_exchange import VirtualExchange

MARKETS = ("domestic_stock", "domestic_bond")
SYMBOL = "KR6095572D81"
BOND: dict[str, Any] = {
    "market": "domestic_bond",
    "venue": "krx",
    "symbol": SYMBOL,
    "side": "buy",
    "order_type": "limit",
    "quantity": 30,
}


@in_virtual_time
async def test_a_bond_is_bought_modified_cancelled_and_sold_by_the_list_alone(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, markets=MARKETS) as m:
        last = virtual.off_book.price(SYMBOL)
        assert (await m.order("place", "a", **BOND, price=f"{last + 1}"))["status"] == "accepted"
        filled = await m.event("a", 1)
        assert (filled["state"], filled["filled_quantity"]) == ("filled", 30)
        assert Decimal(str(filled["average_price"])) == last

        assert (await m.order("place", "b", **BOND, price=f"{last - 9}"))["status"] == "accepted"
        modified = await m.order("modify", "b", price=f"{last - 8}")
        assert modified["status"] == "accepted", modified
        assert (await m.order("cancel", "b", quantity=10))["reason"] == "invalid_payload"
        assert (await m.order("cancel", "b"))["status"] == "accepted"
        assert (await m.event("b", 2))["state"] == "cancelled"

        sold = BOND | {"side": "sell", "price": f"{last - 3}"}
        assert (await m.order("place", "c", **sold))["status"] == "accepted"
        assert (await m.event("c", 1))["state"] == "filled"
        small = BOND | {"venue": "krx_small", "quantity": 7, "price": f"{last + 1}"}
        assert (await m.order("place", "d", **small))["status"] == "accepted"
        assert (await m.event("d", 1))["state"] == "filled"
        await asyncio.sleep(70)
        said = m.broker.on("kis/accounts/main/positions")
        held = [row for row in said[-1]["positions"] if row["market"] == "domestic_bond"]
        assert [(row["symbol"], row["quantity"]) for row in held] == [(SYMBOL, 7)]
        assert not m.broker.on("kis/bridge/event/position_difference")


@in_virtual_time
async def test_what_rests_is_looked_at_every_few_seconds(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, markets=MARKETS) as m:
        last = virtual.off_book.price(SYMBOL)
        await m.order("place", "a", **BOND, price=f"{last - 5}")
        await asyncio.sleep(30)
        virtual.off_book.move(SYMBOL, last - 5, virtual.loop.now())
        since = virtual.loop.time()
        assert (await m.event("a", 1))["state"] == "filled"
        assert virtual.loop.time() - since < 6


@in_virtual_time
async def test_a_lost_answer_is_found_and_what_never_was_waits_for_proof(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, markets=MARKETS) as m:
        last = virtual.off_book.price(SYMBOL)
        far = BOND | {"price": f"{last - 9}"}
        virtual.faults.append("lost")
        assert (await m.order("place", "a", **far))["status"] == "unknown"
        assert (await m.event("a", 1))["state"] == "accepted"
        virtual.faults.append("lost")
        assert (await m.order("cancel", "a"))["status"] == "unknown"
        ended = await m.event("a", 3)
        assert ended["state"] == "cancelled"

        virtual.faults.append("never")
        assert (await m.order("place", "b", **far))["status"] == "unknown"
        # No notice would have told of it: an order that came later has to.
        told = await m.broker.wait("kis/bridge/event/order_unknown", 1, deadline_s=60)
        assert told[-1]["client_order_id"] == "b"
        assert (await m.order("place", "c", **far))["reason"] == "symbol_fenced"
        other = far | {"symbol": "KR103502GA34"}
        await asyncio.sleep(10)
        near = virtual.off_book.price("KR103502GA34") - 5
        ack = await m.order("place", "d", **other | {"price": f"{near}"})
        assert ack["status"] == "accepted", ack
        assert (await m.event("b", 1))["state"] == "not_placed"


@in_virtual_time
async def test_what_a_bond_did_while_the_bridge_was_away_is_told_after_its_start(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    last = virtual.off_book.price(SYMBOL)
    async with market(tmp_path, virtual, markets=MARKETS) as m:
        await m.order("place", "a", **BOND, price=f"{last - 5}")
        await m.order("place", "b", **BOND, price=f"{last - 9}")
    virtual.off_book.move(SYMBOL, last - 5, virtual.loop.now())
    async with market(tmp_path, virtual, markets=MARKETS) as m:
        assert (await m.event("a", 1))["state"] == "filled"
        assert (await m.order("cancel", "b"))["status"] == "accepted"
        again = await m.order("place", "b", **BOND, price=f"{last - 9}")
        assert (again["status"], again["duplicate"]) == ("accepted", True)


@in_virtual_time
async def test_a_bond_is_held_against_the_limits_in_won(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    last = virtual.off_book.price(SYMBOL)
    worth = last * 30 / 10  # thousands of face value, priced by ten thousand
    limits = Limits(notional=worth, price_band=Decimal("0.05"), check_funds=True)
    async with market(tmp_path, virtual, markets=MARKETS, limits=limits) as m:
        over = BOND | {"price": f"{last + 1}"}
        assert (await m.order("place", "a", **over))["reason"] == "risk_notional"
        exact = BOND | {"price": f"{last}"}
        assert (await m.order("place", "b", **exact))["status"] == "accepted"
        cheap = BOND | {"price": f"{int(last * Decimal('0.9'))}"}
        assert (await m.order("place", "c", **cheap))["reason"] == "risk_price_band"
        sale = BOND | {"side": "sell", "symbol": "KR103502GA34", "quantity": 10}
        ack = await m.order("place", "d", **sale, price=f"{virtual.off_book.price('KR103502GA34')}")
        assert ack["reason"] == "risk_funds", "nothing of it is held"
