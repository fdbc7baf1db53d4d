"""Futures and options overseas against the simulated exchange."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.orders.risk.limits import Limits
from tests.component.markets import in_virtual_time, market
from tests.component.virtual_exchange import VirtualExchange

OIL: dict[str, Any] = {
    "market": "overseas_derivative",
    "venue": "all",
    "symbol": "CLF27",
    "side": "buy",
    "order_type": "limit",
    "quantity": 3,
}
TICK = Decimal("0.01")
ACCOUNT = "contracts"


@in_virtual_time
async def test_a_contract_overseas_fills_is_modified_and_cancelled(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, contracts=True) as m:
        last = virtual.off_book.price("CLF27")
        near = OIL | {"price": f"{last + 5 * TICK}"}
        assert (await m.order("place", "a", ACCOUNT, **near))["status"] == "accepted"
        m.tell()
        filled = await m.event("a", 1, ACCOUNT)
        assert (filled["state"], Decimal(str(filled["average_price"]))) == ("filled", last)

        far = OIL | {"price": f"{last - 50 * TICK}"}
        assert (await m.order("place", "b", ACCOUNT, **far))["status"] == "accepted"
        changed = await m.order("modify", "b", ACCOUNT, price=f"{last - 49 * TICK}")
        assert changed["status"] == "accepted", changed
        part = await m.order("cancel", "b", ACCOUNT, quantity=1)
        assert (part["reason"], "whole orders only" in part["message"]) == ("invalid_payload", True)
        assert (await m.order("cancel", "b", ACCOUNT))["status"] == "accepted"
        m.tell()
        ended = await m.event("b", 2, ACCOUNT)
        assert (ended["state"], ended["filled_quantity"]) == ("cancelled", 0)
        assert not m.broker.on("kis/accounts/contracts/event/external")
        await asyncio.sleep(70)
        [row] = m.broker.on("kis/accounts/contracts/positions")[-1]["positions"]
        assert (row["symbol"], row["quantity"]) == ("CLF27", 3)


@in_virtual_time
async def test_options_markets_and_stops_are_taken(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, contracts=True) as m:
        at_market = OIL | {"symbol": "OESZ26 C6700", "order_type": "market", "quantity": 1}
        assert (await m.order("place", "a", ACCOUNT, **at_market))["status"] == "accepted"
        m.tell()
        assert (await m.event("a", 1, ACCOUNT))["state"] == "filled"
        last = virtual.off_book.price("CLF27")
        stop = OIL | {"order_type": "stop", "condition_price": f"{last + 20 * TICK}"}
        assert (await m.order("place", "b", ACCOUNT, **stop))["status"] == "accepted"
        virtual.off_book.move("CLF27", last + 20 * TICK, virtual.loop.now())
        m.tell()
        assert (await m.event("b", 1, ACCOUNT))["state"] == "filled"
        both = OIL | {"order_type": "stop_limit", "side": "sell"}
        both |= {"condition_price": f"{last - 90 * TICK}", "price": f"{last - 91 * TICK}"}
        assert (await m.order("place", "c", ACCOUNT, **both))["status"] == "accepted"
        moved = await m.order(
            *("modify", "c", ACCOUNT),
            price=f"{last - 93 * TICK}",
            condition_price=f"{last - 92 * TICK}",
        )
        assert moved["status"] == "accepted", moved
        assert (await m.order("cancel", "c", ACCOUNT))["status"] == "accepted"


@in_virtual_time
async def test_lost_answers_about_contracts_overseas_are_found(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, contracts=True) as m:
        last = virtual.off_book.price("CLF27")
        far = OIL | {"price": f"{last - 50 * TICK}"}
        virtual.faults.append("lost")
        assert (await m.order("place", "a", ACCOUNT, **far))["status"] == "unknown"
        assert (await m.event("a", 1, ACCOUNT))["state"] == "accepted"
        virtual.faults.append("lost")
        lost = await m.order("modify", "a", ACCOUNT, price=f"{last - 40 * TICK}")
        assert lost["status"] == "unknown"
        modified = await m.event("a", 3, ACCOUNT)
        said = m.broker.on(f"kis/orders/{ACCOUNT}/alice/event/a")
        assert [one["event"] for one in said[1:]] in (["settle", "modify"], ["modify", "settle"])
        assert modified["state"] == "accepted"
        virtual.faults.append("lost")
        assert (await m.order("cancel", "a", ACCOUNT))["status"] == "unknown"
        m.tell()
        await m.until("a", "cancelled", ACCOUNT)
        virtual.faults.append("never")
        assert (await m.order("place", "b", ACCOUNT, **far))["status"] == "unknown"
        assert (await m.event("b", 1, ACCOUNT))["state"] == "not_placed"


@in_virtual_time
async def test_missed_fills_of_contracts_are_made_up_for(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, contracts=True) as m:
        last = virtual.off_book.price("CLF27")
        await m.order("place", "a", ACCOUNT, **OIL, price=f"{last - TICK}")
        virtual.off_book.move("CLF27", last - TICK, virtual.loop.now())
        virtual.told()  # nobody listened
        m.gateway.gap(ACCOUNT)
        filled = await m.event("a", 1, ACCOUNT)
        assert (filled["state"], Decimal(str(filled["average_price"]))) == ("filled", last - TICK)


@in_virtual_time
async def test_without_a_rate_money_limits_refuse_a_contract(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    limits = Limits(notional=Decimal(10**12), quantity=3)
    async with market(tmp_path, virtual, contracts=True, limits=limits) as m:
        last = virtual.off_book.price("CLF27")
        many = OIL | {"quantity": 4, "price": f"{last}"}
        assert (await m.order("place", "a", ACCOUNT, **many))["reason"] == "risk_quantity"
        ack = await m.order("place", "b", ACCOUNT, **OIL, price=f"{last}")
        assert ack["reason"] == "risk_notional"
        assert "orders.rates" in ack["message"]


@in_virtual_time
async def test_a_contract_is_held_against_the_limits_with_its_multiplier(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    last = virtual.off_book.price("CLF27")
    limits = Limits(
        notional=last * 3 * 1_000 * 1_400,
        price_band=Decimal("0.05"),
        tick_size=True,
        check_funds=True,
    )
    rates = {"USD": Decimal(1_400)}
    async with market(tmp_path, virtual, contracts=True, limits=limits, rates=rates) as m:
        over = OIL | {"price": f"{last + TICK}"}
        assert (await m.order("place", "a", ACCOUNT, **over))["reason"] == "risk_notional"
        wild = OIL | {"price": f"{(last * Decimal('1.2')).quantize(TICK)}", "quantity": 1}
        assert (await m.order("place", "b", ACCOUNT, **wild))["reason"] == "risk_price_band"
        uneven = OIL | {"price": f"{last - TICK / 2}"}
        assert (await m.order("place", "c", ACCOUNT, **uneven))["reason"] == "risk_tick"
        exact = OIL | {"price": f"{last}"}
        assert (await m.order("place", "d", ACCOUNT, **exact))["status"] == "accepted"
