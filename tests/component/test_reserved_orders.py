"""Reservation orders: what waits for the next opening, cancelled before it and traded after it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.calendar.hours import Calendar
from bridge.simulator.off_book.overseas_hours import OffBookHours
from bridge.simulator.off_book.turns import take_turn
from tests.component.markets import in_virtual_time, market
from tests.component.virtual_exchange import CATALOG, VirtualExchange

NEXT_DAY = "2026-11-25T12:00:00+09:00"
RESERVED: dict[str, Any] = {
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "limit",
    "quantity": 4,
    "reserved": True,
    "expires_at": NEXT_DAY,
}
EVENING, MORNING = 7 * 3_600, 15 * 3_600
"""From Monday 10:00 to 17:00, and from there to Tuesday 08:00."""


def prices(virtual: VirtualExchange) -> tuple[int, int]:
    book = virtual.exchange.market("005930", virtual.loop.now())
    return book.lower, book.upper


@in_virtual_time
async def test_a_reservation_is_cancelled_under_its_own_number(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        await asyncio.sleep(EVENING)
        low, _ = prices(virtual)
        ack = await m.order("place", "a", **RESERVED, price=low)
        assert (ack["status"], ack["order_no"]) == ("accepted", "R1"), ack
        state = m.broker.on("kis/orders/main/alice/state/a")[-1]
        assert (state["venue"], state["reserved"]) == ("krx", True)
        changed = await m.order("modify", "a", price=low + 1_000, expires_at=NEXT_DAY)
        assert changed["reason"] == "invalid_payload"
        assert "place another" in changed["message"]
        part = await m.order("cancel", "a", quantity=1, expires_at=NEXT_DAY)
        assert part["reason"] == "invalid_payload"
        gone = await m.order("cancel", "a", expires_at=NEXT_DAY)
        assert (gone["status"], gone["order_no"]) == ("accepted", "R1C")
        m.gateway.gap("main")
        assert (await m.event("a", 1))["state"] == "cancelled"
        assert not m.broker.on("kis/bridge/event/order_difference")


@in_virtual_time
async def test_a_reservation_becomes_an_order_that_fills_like_any_other(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        await asyncio.sleep(EVENING)
        low, high = prices(virtual)
        await m.order("place", "fills", **RESERVED, price=high)
        await m.order("place", "rests", **RESERVED, price=low)
        await asyncio.sleep(MORNING)
        virtual.exchange.advance(virtual.loop.now())
        virtual.collect()
        m.tell()
        m.gateway.gap("main")
        opened = await m.event("rests", 1)
        assert (opened["event"], opened["state"]) == ("modify", "accepted")
        assert opened["order_no"] != "R2"
        filled = await m.event("fills", 2)
        assert (filled["state"], filled["filled_quantity"]) == ("filled", 4)
        changed = await m.order("modify", "rests", price=low + 1_000, expires_at=NEXT_DAY)
        assert changed["status"] == "accepted", changed
        assert (await m.order("cancel", "rests", expires_at=NEXT_DAY))["status"] == "accepted"


@in_virtual_time
async def test_what_became_of_a_reservation_while_the_bridge_was_away_is_told_after_its_start(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        await asyncio.sleep(EVENING)
        low, high = prices(virtual)
        await m.order("place", "a", **RESERVED, price=high)
        await m.order("place", "b", **RESERVED, price=low)
    await asyncio.sleep(MORNING)
    virtual.exchange.advance(virtual.loop.now())
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        assert (await m.until("a", "filled"))["filled_quantity"] == 4
        assert (await m.event("b", 1))["event"] == "modify"
        assert (await m.order("cancel", "b", expires_at=NEXT_DAY))["status"] == "accepted"


@in_virtual_time
async def test_a_halt_takes_reservations_back(tmp_path: Path, virtual: VirtualExchange) -> None:
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        await asyncio.sleep(EVENING)
        low, _ = prices(virtual)
        await m.order("place", "a", **RESERVED, price=low)
        await m.gateway.halt("halted", cancel_all=True)
        done = await m.broker.wait("kis/bridge/event/halt_done", 1, deadline_s=60)
        assert not done[-1]["left"], done
        assert (await m.event("a", 1))["state"] == "cancelled"


@in_virtual_time
async def test_a_lost_reservation_waits_for_a_person_and_a_lost_cancellation_is_found(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        await asyncio.sleep(EVENING)
        low, _ = prices(virtual)
        virtual.faults.append("lost")
        assert (await m.order("place", "a", **RESERVED, price=low))["status"] == "unknown"
        told = await m.broker.wait("kis/bridge/event/order_ambiguous", 1, deadline_s=60)
        assert [row["order_no"] for row in told[-1]["candidates"]] == ["R1"]
        identity = next(one.identity for one in m.gateway._parts.blotter)
        await m.gateway.resolve(identity, order_no="R1", by="bob")
        assert (await m.event("a", 1))["state"] == "accepted"
        virtual.faults.append("lost")
        assert (await m.order("cancel", "a", expires_at=NEXT_DAY))["status"] == "unknown"
        ended = await m.event("a", 3)
        assert ended["state"] == "cancelled", ended
        virtual.faults.append("never")
        assert (await m.order("place", "b", **RESERVED, price=low))["status"] == "unknown"
        await asyncio.sleep(600)
        assert not m.broker.on("kis/orders/main/alice/event/b"), "no list proves that"


APPLE: dict[str, Any] = RESERVED | {"market": "overseas_stock", "venue": "nas", "symbol": "AAPL"}


@in_virtual_time
async def test_a_reservation_for_new_york_is_cancelled_or_becomes_an_order(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, reconcile_s=7_200.0) as m:
        virtual.off_book.hours = OffBookHours(Calendar(CATALOG.hours))
        last = virtual.off_book.price("AAPL")
        far = APPLE | {"price": f"{last * Decimal('0.8'):.2f}"}
        ack = await m.order("place", "a", **far)
        assert (ack["status"], ack["order_no"]) == ("accepted", "R0000000001"), ack
        gone = await m.order("cancel", "a", expires_at=NEXT_DAY)
        assert (gone["status"], gone["order_no"]) == ("accepted", "R0000000001C"), gone
        m.gateway.gap("main")
        assert (await m.event("a", 1))["state"] == "cancelled"
        virtual.faults.append("lost")
        assert (await m.order("place", "b", **far))["status"] == "unknown"
        assert (await m.event("b", 1))["state"] == "accepted", "its list says how it came"
        await asyncio.sleep(13.75 * 3_600)  # 23:45, when New York has opened
        take_turn(virtual.off_book, virtual.loop.now())
        m.tell()
        m.gateway.gap("main")
        opened = await m.event("b", 2)
        assert (opened["event"], opened["order_no"].startswith("R")) == ("modify", False)
        changed = await m.order("modify", "b", price=far["price"], expires_at=NEXT_DAY)
        assert changed["status"] == "accepted", changed
        assert (await m.order("cancel", "b", expires_at=NEXT_DAY))["status"] == "accepted"
        m.tell()
        assert (await m.until("b", "cancelled"))["filled_quantity"] == 0
