"""Overseas stocks, futures and options through the same line, against the simulated exchange."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.orders.risk.limits import Limits
from tests.component.markets import EXPIRES, Market, in_virtual_time, market
from tests.component.virtual_exchange import VirtualExchange

APPLE: dict[str, Any] = {
    "market": "overseas_stock",
    "venue": "nas",
    "symbol": "AAPL",
    "side": "buy",
    "order_type": "limit",
    "quantity": 4,
    "expires_at": EXPIRES,
}
FUTURE = APPLE | {"market": "domestic_derivative", "venue": "krx", "symbol": "A01603"}


@in_virtual_time
async def test_an_overseas_order_fills_is_modified_and_cancelled(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        last = virtual.off_book.price("AAPL")
        assert (await m.order("place", "a", **APPLE, price=f"{last + 1}"))["status"] == "accepted"
        m.tell()
        filled = await m.event("a", 2)
        assert (filled["state"], Decimal(str(filled["average_price"]))) == ("filled", last)

        assert (await m.order("place", "b", **APPLE, price=f"{last - 5}"))["status"] == "accepted"
        modified = await m.order("modify", "b", price=f"{last - 4}")
        assert modified["status"] == "accepted"
        cancelled = await m.order("cancel", "b", quantity=1)
        assert cancelled["status"] == "accepted"
        m.tell()
        assert (await m.event("b", 2))["event"] == "cancel_part"
        virtual.off_book.move("AAPL", last - 4, virtual.loop.now())
        m.tell()
        ended = await m.event("b", 3)
        assert (ended["state"], ended["filled_quantity"]) == ("cancelled", 3)
        tickets = list(virtual.off_book.tickets.values())
        assert [one.action for one in tickets] == ["place", "place", "modify", "cancel"]


@in_virtual_time
async def test_what_a_market_does_not_have_is_refused_with_what_it_has(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        plain: dict[str, Any] = APPLE | {"order_type": "market"}
        ack = await m.order("place", "a", **plain)
        assert ack["reason"] == "invalid_payload"
        assert "one of limit, loc, loo" in ack["message"]
        shanghai = APPLE | {"venue": "shs", "symbol": "600519", "price": "15.1"}
        await m.order("place", "c", **shanghai)
        m.tell()
        ack = await m.order("modify", "c", price="15.2")
        assert ("cancel the order" in ack["message"], ack["status"]) == (True, "refused")
        assert (await m.order("cancel", "c"))["status"] == "accepted"
        ack = await m.order("place", "d", **FUTURE, price="400.00")
        assert "takes no orders here" in ack["message"]
        ack = await m.order("place", "e", "futures", **APPLE, price="1")
        assert "takes no orders here (nor does any other venue of this market)" in ack["message"]
        ack = await m.order("place", "f", **APPLE, price="1.00001")
        assert "at most 4 decimals" in ack["message"]


@in_virtual_time
async def test_futures_fill_and_lost_answers_are_found(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        last = virtual.off_book.price("A01603")
        virtual.faults.append("lost")
        ack = await m.order("place", "a", "futures", **FUTURE, price=f"{last - 1}")
        assert ack["status"] == "unknown"
        assert (await m.event("a", 1, "futures"))["state"] == "accepted"
        virtual.off_book.move("A01603", last - 1, virtual.loop.now())
        m.tell()
        filled = await m.event("a", 2, "futures")
        assert (filled["state"], Decimal(str(filled["average_price"]))) == ("filled", last - 1)
        ioc = FUTURE | {"order_type": "limit_ioc", "price": f"{last - 9}"}
        await m.order("place", "b", "futures", **ioc)
        m.tell()
        assert (await m.event("b", 1, "futures"))["state"] == "cancelled"
        positions = await m.broker.wait("kis/accounts/futures/positions", 2)
        row = positions[-1]["positions"][0]
        assert (row["symbol"], row["quantity"]) == ("A01603", 4)


@in_virtual_time
async def test_the_night_session_has_a_list_of_its_own(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    night = FUTURE | {"venue": "krx_night"}
    async with market(tmp_path, virtual, unknown_s=1.0) as m:
        await asyncio.sleep(9 * 3_600)  # Monday, 19:00
        last = virtual.off_book.price("A01603")
        virtual.faults.append("lost")
        ack = await m.order("place", "a", "futures", **night, price=f"{last - 1}")
        assert ack["status"] == "unknown"
        found = await m.event("a", 1, "futures")
        assert (found["event"], found["state"]) == ("accept", "accepted")
        await asyncio.sleep(6 * 3_600)  # Tuesday, 01:00
        virtual.off_book.move("A01603", last - 1, virtual.loop.now())
        virtual.told()  # nobody listened
        m.gateway.gap("futures")
        filled = await m.event("a", 2, "futures")
        assert (filled["state"], Decimal(str(filled["average_price"]))) == ("filled", last - 1)
        low = last - 20
        second = await m.order("place", "b", "futures", **night, price=f"{low}")
        assert second["status"] == "accepted"
        virtual.off_book.move("A01603", low, virtual.loop.now())
        m.tell()
        assert (await m.event("b", 1, "futures"))["state"] == "filled"


@in_virtual_time
async def test_a_lost_order_of_a_night_is_never_proved_absent(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    night = FUTURE | {"venue": "krx_night", "price": "100"}
    async with market(tmp_path, virtual) as m:
        virtual.faults.append("never")
        assert (await m.order("place", "a", "futures", **night))["status"] == "unknown"
        told = await m.broker.wait("kis/bridge/event/order_unknown", 2, deadline_s=60)
        assert "proves nothing" in told[-1]["message"]
        await asyncio.sleep(600)
        assert not m.broker.on("kis/orders/futures/alice/event/a")
        assert (await m.order("place", "b", "futures", **night))["reason"] == "symbol_fenced"


@in_virtual_time
async def test_missed_overseas_fills_are_made_up_for(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        last = virtual.off_book.price("BRK/B")
        berkshire = APPLE | {"venue": "nys", "symbol": "BRK/B", "price": f"{last - 1}"}
        await m.order("place", "a", **berkshire)
        virtual.off_book.move("BRK/B", last - 1, virtual.loop.now())
        virtual.told()  # nobody listened
        m.gateway.gap("main")
        filled = await m.event("a", 1)
        assert (filled["state"], Decimal(str(filled["average_price"]))) == ("filled", last - 1)
        sale = APPLE | {"side": "sell", "quantity": 1_000, "price": "1"}
        assert (await m.order("place", "b", **sale))["status"] == "rejected"


@in_virtual_time
async def test_holdings_of_the_united_states_count_once(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        for name, venue, symbol in (("a", "nas", "AAPL"), ("b", "nys", "IBM")):
            await m.order("place", name, **APPLE | {"venue": venue, "symbol": symbol, "price": "1"})
        m.gateway._parts.holdings._held["main"].wake.set()
        positions = "kis/accounts/main/positions"
        async with asyncio.timeout(60):
            while len(m.broker.on(positions)[-1]["positions"]) < 12:
                await m.broker.wait(positions, len(m.broker.on(positions)) + 1, deadline_s=60)
        held = m.broker.on(positions)[-1]["positions"]
        overseas = [row["symbol"] for row in held if row["market"] == "overseas_stock"]
        assert len(overseas) == len(set(overseas)) == 10
        assert {"AAPL", "IBM"} <= set(overseas)
        await m.gateway.halt("reduce_only", account="main")
        sale = APPLE | {"side": "sell", "price": "1", "venue": "nys", "symbol": "IBM"}
        assert (await m.order("place", "c", **sale | {"quantity": 101}))["reason"] == "halted"
        assert (await m.order("place", "d", **sale | {"quantity": 100}))["status"] == "accepted"


@in_virtual_time
async def test_a_future_can_be_closed_while_only_that_may(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        last = virtual.off_book.price("A01603")
        await m.order("place", "a", "futures", **FUTURE, price=f"{last + 1}")
        m.tell()
        assert (await m.event("a", 2, "futures"))["state"] == "filled"
        positions = await m.broker.wait("kis/accounts/futures/positions", 2)
        row = positions[-1]["positions"][0]
        assert (row["symbol"], row["standard_symbol"]) == ("A01603", "KR4A01603000")
        await asyncio.sleep(5)
        assert not m.broker.on("kis/bridge/event/position_difference")
        await m.gateway.halt("reduce_only", account="futures")
        sale = FUTURE | {"side": "sell", "price": f"{last - 1}"}
        ack = await m.order("place", "b", "futures", **sale | {"quantity": 5})
        assert ack["reason"] == "halted"
        ack = await m.order("place", "c", "futures", **sale | {"quantity": 4})
        assert ack["status"] == "accepted"


@in_virtual_time
async def test_foreign_money_counts_with_its_rate(tmp_path: Path, virtual: VirtualExchange) -> None:
    limits = Limits(daily_notional=Decimal(1_000_000))
    async with market(tmp_path, virtual, limits=limits) as m:
        ack = await m.order("place", "a", **APPLE, price="1")
        assert (ack["reason"], "orders.rates" in ack["message"]) == ("risk_daily", True)
    rates = {"USD": Decimal(1_400)}
    (tmp_path / "second").mkdir()
    async with market(tmp_path / "second", virtual, limits=limits, rates=rates) as m:
        assert (await m.order("place", "a", **APPLE, price="178.58"))["reason"] == "risk_daily"
        assert (await m.order("place", "b", **APPLE, price="178.57"))["status"] == "accepted"


async def past_midnight(m: Market) -> None:
    """Let a session go on over midnight in Korea, where KIS's numbers start again."""
    await asyncio.sleep(3_900)
    off_book = m.virtual.off_book
    off_book.tickets = {f"of yesterday {n}": one for n, one in off_book.tickets.items()}
    off_book.numbered = 0


@in_virtual_time
async def test_a_number_that_comes_again_in_one_session_is_another_order(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        await asyncio.sleep(13 * 3600)  # 23:00, in New York in the morning
        last = virtual.off_book.price("AAPL")
        low = f"{last - 50}"
        first = await m.order("place", "a", **APPLE, price=f"{last - 1}")
        virtual.off_book.move("AAPL", last - 1, virtual.loop.now())
        m.tell()
        assert (await m.event("a", 1))["state"] == "filled"
        await past_midnight(m)
        second = await m.order("place", "b", **APPLE, price=low)
        assert first["order_no"] == second["order_no"]
        m.gateway.gap("main")
        third = await m.order("place", "c", **APPLE, price=low)  # waits for the list
        assert third["status"] == "accepted"
        assert not m.broker.on("kis/bridge/event/position_difference")
        orders = m.broker.on("kis/accounts/main/orders")[-1]["orders"]
        assert [order["client_order_id"] for order in orders] == ["b"]
        assert not m.broker.on("kis/orders/main/alice/event/b")
        assert (await m.order("cancel", "b"))["status"] == "accepted"


@in_virtual_time
async def test_a_lost_order_is_found_under_a_number_that_was_used_before(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        await asyncio.sleep(13 * 3600)
        low = f"{virtual.off_book.price('AAPL') - 50}"
        first = await m.order("place", "a", **APPLE, price=low)
        await past_midnight(m)
        virtual.faults.append("lost")
        assert (await m.order("place", "b", **APPLE, price=low))["status"] == "unknown"
        found = await m.event("b", 1)
        assert (found["state"], found["order_no"]) == ("accepted", first["order_no"])


DAYTIME: dict[str, Any] = {
    "market": "overseas_stock",
    "venue": "baq",
    "symbol": "AAPL",
    "side": "buy",
    "order_type": "limit",
    "quantity": 4,
}


@in_virtual_time
async def test_the_us_daytime_has_calls_of_its_own_and_the_lists_of_the_others(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, market_hours=True) as m:
        last = virtual.off_book.price("AAPL")
        assert (await m.order("place", "a", **DAYTIME, price=f"{last + 1}"))["status"] == "accepted"
        m.tell()
        await m.until("a", "filled")
        far = DAYTIME | {"price": f"{last - 5}"}
        assert (await m.order("place", "b", **far))["status"] == "accepted"
        assert (await m.order("modify", "b", price=f"{last - 4}"))["status"] == "accepted"
        assert (await m.order("cancel", "b"))["status"] == "accepted"
        m.tell()
        assert (await m.event("b", 2))["state"] == "cancelled"
        virtual.faults.append("lost")
        assert (await m.order("place", "c", **far))["status"] == "unknown"
        assert (await m.event("c", 1))["state"] == "accepted"
        assert (await m.order("cancel", "c"))["status"] == "accepted"
        ack = await m.order("place", "d", **far | {"venue": "nas"})
        assert ack["reason"] == "market_closed", "New York sleeps"
        ack = await m.order("place", "e", **far | {"order_type": "loc"})
        assert ack["reason"] == "invalid_payload"
