"""Every kind of domestic order through the whole line, against the simulated exchange."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bridge.orders.risk.limits import Limits
from tests.component.markets import in_virtual_time, market
from tests.component.virtual_exchange import VirtualExchange

SAMSUNG: dict[str, Any] = {
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "limit",
    "quantity": 4,
}
TODAY = "20261123"


def prices(virtual: VirtualExchange) -> tuple[int, int]:
    """Return a price at which a purchase rests, and one at which it fills."""
    book = virtual.exchange.market("005930", virtual.loop.now())
    return book.lower, book.upper


@in_virtual_time
async def test_each_venue_takes_its_types_and_tells_what_becomes_of_them(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        low, high = prices(virtual)
        for venue in ("krx", "nxt", "sor"):
            rests = SAMSUNG | {"venue": venue, "price": low}
            assert (await m.order("place", f"{venue}-rest", **rests))["status"] == "accepted"
            changed = await m.order("modify", f"{venue}-rest", price=low + 1_000)
            assert changed["status"] == "accepted", changed
            assert (await m.order("cancel", f"{venue}-rest"))["status"] == "accepted"
            m.tell()
            assert (await m.event(f"{venue}-rest", 2))["state"] == "cancelled"

            fills = SAMSUNG | {"venue": venue, "price": high}
            assert (await m.order("place", f"{venue}-fill", **fills))["status"] == "accepted"
            m.tell()
            assert (await m.event(f"{venue}-fill", 1))["state"] == "filled"

            for order_type, price in (("limit_ioc", low), ("limit_fok", low)):
                name = f"{venue}-{order_type}"
                at_once = SAMSUNG | {"venue": venue, "order_type": order_type, "price": price}
                assert (await m.order("place", name, **at_once))["status"] == "accepted"
                m.tell()
                assert (await m.event(name, 1))["state"] == "cancelled"


@in_virtual_time
async def test_a_stop_and_an_order_at_the_mid_price_wait_and_are_cancelled(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        _, high = prices(virtual)
        for venue in ("krx", "nxt"):
            stop = SAMSUNG | {"venue": venue, "order_type": "stop_limit"}
            stop |= {"price": high, "condition_price": high}
            assert (await m.order("place", f"{venue}-stop", **stop))["status"] == "accepted"
            moved = await m.order("modify", f"{venue}-stop", price=high, condition_price=high - 500)
            assert moved["status"] == "accepted", moved
            assert (await m.order("cancel", f"{venue}-stop"))["status"] == "accepted"
            m.tell()
            assert (await m.event(f"{venue}-stop", 2))["state"] == "cancelled"
            mid = SAMSUNG | {"venue": venue, "order_type": "mid_price"}
            assert (await m.order("place", f"{venue}-mid", **mid))["status"] == "accepted"
            assert (await m.order("cancel", f"{venue}-mid"))["status"] == "accepted"
        refused = await m.order(
            "place", "sor", **SAMSUNG | {"venue": "sor", "order_type": "mid_price"}
        )
        assert refused["reason"] == "invalid_payload"


@in_virtual_time
async def test_what_no_session_takes_now_is_refused_before_it_is_sent(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, market_hours=True, reconcile_s=7_200.0) as m:
        low, _ = prices(virtual)
        after = SAMSUNG | {"order_type": "post_close_after_hours"}
        late = SAMSUNG | {"order_type": "after_market_limit", "price": low}
        early = SAMSUNG | {"venue": "nxt", "order_type": "gtp_limit", "price": low}
        for name, order in (("a", after), ("b", late), ("c", early)):
            assert (await m.order("place", name, **order))["reason"] == "market_closed"
        void = SAMSUNG | {"order_type": "after_hours_single_price", "price": low}
        assert (await m.order("place", "d", **void))["reason"] == "invalid_payload"
        assert not virtual.sent
        await asyncio.sleep(5 * 3_600 + 45 * 60)  # 15:45
        assert (await m.order("place", "e", **after))["status"] == "accepted"
        assert (await m.order("place", "f", **SAMSUNG, price=low))["reason"] == "market_closed"
        await asyncio.sleep(75 * 60)  # 17:00
        assert (await m.order("place", "g", **late))["status"] == "accepted"
        assert (await m.order("cancel", "g"))["status"] == "accepted"
        await asyncio.sleep(15.25 * 3_600)  # Tuesday, 08:15
        next_day = early | {"expires_at": "2026-11-24T12:00:00+09:00"}
        assert (await m.order("place", "h", **next_day))["status"] == "accepted"


def on_credit(client: str) -> bool:
    return client == "alice"


LOAN = SAMSUNG | {"credit_type": "own_margin_loan_new", "loan_date": TODAY}


@in_virtual_time
async def test_a_purchase_with_a_loan_fills_and_is_sold_again(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, permits_credit=on_credit) as m:
        low, high = prices(virtual)
        assert (await m.order("place", "a", **LOAN, price=high))["status"] == "accepted"
        m.tell()
        filled = await m.event("a", 1)
        assert (filled["state"], filled["filled_quantity"]) == ("filled", 4)
        state = m.broker.on("kis/orders/main/alice/state/a")[-1]
        assert (state["credit_type"], state["loan_date"]) == ("own_margin_loan_new", TODAY)

        repaid = SAMSUNG | {"side": "sell", "credit_type": "own_margin_loan_repaid"}
        repaid |= {"loan_date": TODAY, "price": high}
        assert (await m.order("place", "b", **repaid))["status"] == "accepted"
        assert (await m.order("modify", "b", price=high - 1_000))["status"] == "accepted"
        assert (await m.order("cancel", "b"))["status"] == "accepted"
        assert (await m.order("place", "c", **repaid | {"price": low}))["status"] == "accepted"
        m.tell()
        assert (await m.event("c", 1))["state"] == "filled"


@in_virtual_time
async def test_a_lost_purchase_with_a_loan_is_told_from_one_with_cash(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, permits_credit=on_credit) as m:
        low, _ = prices(virtual)
        virtual.faults.append("lost")
        assert (await m.order("place", "a", **LOAN, price=low))["status"] == "unknown"
        assert (await m.event("a", 1))["state"] == "accepted"
        assert (await m.order("cancel", "a"))["status"] == "accepted"
        virtual.faults.append("lost")
        cash = await m.order("place", "b", **SAMSUNG, price=low)
        assert cash["status"] == "unknown"
        assert (await m.event("b", 1))["state"] == "accepted"


@in_virtual_time
async def test_credit_is_only_for_those_who_may(tmp_path: Path, virtual: VirtualExchange) -> None:
    async with market(tmp_path, virtual) as m:
        low, _ = prices(virtual)
        ack = await m.order("place", "a", **LOAN, price=low)
        assert (ack["status"], ack["reason"]) == ("refused", "not_permitted")
        assert "credit = true" in ack["message"]
    assert not virtual.sent


@in_virtual_time
async def test_loans_count_against_the_limits(tmp_path: Path, virtual: VirtualExchange) -> None:
    limits = Limits(quantity=3, check_funds=True)
    async with market(tmp_path, virtual, permits_credit=on_credit, limits=limits) as m:
        low, _ = prices(virtual)
        assert (await m.order("place", "a", **LOAN, price=low))["reason"] == "risk_quantity"
        assert (await m.order("place", "b", **LOAN | {"quantity": 3}, price=low))[
            "status"
        ] == "accepted"
        repaid = SAMSUNG | {"side": "sell", "credit_type": "own_margin_loan_repaid", "quantity": 1}
        ack = await m.order("place", "c", **repaid, loan_date=TODAY, price=low)
        assert ack["reason"] == "risk_funds", "nothing was bought with that loan yet"
