"""Reservation orders on the wire and in KIS's lists of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.errors import DecodeError
from bridge.kis.listing import ListedOrder, OrderList, lists
from bridge.kis.markets import order_types, stands_at, venue
from bridge.kis.orders import Accepted, OrderCall, Unreadable, change, outcome, place
from bridge.kis.replies import Reply
from bridge.kis.reservations import ask, rows

CATALOG = load()
TYPES = order_types(CATALOG, paper=False)
KRX, NASDAQ = ("domestic_stock", "krx_reserved"), ("overseas_stock", "nas_reserved")
ACCOUNT, TODAY = "12345678-01", date(2026, 11, 23)


def reserve(where: tuple[str, str], symbol: str) -> OrderCall:
    return place(
        CATALOG,
        account=ACCOUNT,
        at=venue(where),
        side="buy",
        symbol=symbol,
        order_type=TYPES[where]["limit"],
        quantity=10,
        price=None,
        condition_price=None,
    )


def cancel(where: tuple[str, str], order_no: str, org_no: str = "") -> OrderCall:
    return change(
        CATALOG,
        kind="cancel",
        account=ACCOUNT,
        at=venue(where),
        symbol="005930",
        org_no=org_no,
        order_no=order_no,
        order_type=TYPES[where]["limit"],
        quantity=10,
        whole=True,
        price=None,
        side="buy",
    )


def answered(call: OrderCall, **output: str) -> Any:
    return outcome(CATALOG, call, Reply("0", "", "", {"rt_cd": "0", "output": output}))


def listed(market: str, **values: str) -> list[ListedOrder]:
    call = ask(CATALOG, market=market, account=ACCOUNT, first=TODAY, last=TODAY)
    return rows(CATALOG, call, {"output": [values]})


def test_paper_accounts_have_none() -> None:
    assert not {KRX, NASDAQ} & order_types(CATALOG, paper=True).keys()
    assert set(TYPES[KRX]) == {"limit", "market", "conditional_limit", "pre_open_after_hours"}
    assert set(TYPES[NASDAQ]) == {"limit"}


def test_its_number_is_told_from_those_of_the_exchange() -> None:
    call = reserve(KRX, "005930")
    assert (call.api, call.params["ORD_OBJT_CBLC_DVSN_CD"]) == ("domestic_stock/order_resv", "10")
    assert answered(call, RSVN_ORD_SEQ="42").order_no == "R42"
    assert isinstance(answered(call, RSVN_ORD_SEQ=""), Unreadable)
    gone = cancel(KRX, "R42")
    assert (gone.api, gone.variant) == ("domestic_stock/order_resv_rvsecncl", "cancel")
    assert (gone.params["RSVN_ORD_SEQ"], gone.params["SLL_BUY_DVSN_CD"]) == ("42", "02")
    done = answered(gone, NRML_PRCS_YN="Y")
    assert isinstance(done, Accepted)
    assert done.order_no == "R42C"
    assert isinstance(answered(gone, NRML_PRCS_YN="N"), Unreadable)


def test_the_united_states_name_it_by_number_and_day() -> None:
    call = reserve(NASDAQ, "AAPL")
    assert (call.api, call.variant) == ("overseas_stock/order_resv", "us_buy")
    assert answered(call, ODNO="0030008244").order_no == "R0030008244"
    gone = cancel(NASDAQ, "R0030008244", "20261123")
    assert gone.api == "overseas_stock/order_resv_ccnl"
    assert gone.params["OVRS_RSVN_ODNO"] == "0030008244"
    assert gone.params["RSVN_ORD_RCIT_DT"] == gone.params["RSYN_ORD_RCIT_DT"] == "20261123"


WAITS = {
    "rsvn_ord_seq": "42",
    "rsvn_ord_ord_dt": "20261124",
    "rsvn_ord_rcit_dt": "20261123",
    "rsvn_ord_rcit_tmd": "170000",
    "pdno": "005930",
    "ord_dvsn_cd": "00",
    "sll_buy_dvsn_cd": "02",
    "ord_rsvn_qty": "10",
    "ord_rsvn_unpr": "71900",
    "odno": "",
    "cncl_ord_dt": "",
    "tot_ccld_qty": "0",
}


def test_what_waits_is_open_under_its_own_number() -> None:
    [row] = listed("domestic_stock", **WAITS)
    assert (row.order_no, row.action, row.remaining, row.venue) == ("R42", "place", 10, KRX[1])
    assert (row.symbol, row.side, row.order_type) == ("005930", "buy", "limit")
    assert row.price == 71_900
    assert row.day == TODAY


def test_a_cancelled_one_has_a_row_for_its_cancellation() -> None:
    gone = WAITS | {"cncl_ord_dt": "20261123", "cncl_rcit_tmd": "173000"}
    [row, cancelled] = listed("domestic_stock", **gone)
    assert (row.remaining, row.cancelled) == (0, 10)
    assert (cancelled.order_no, cancelled.original_order_no) == ("R42C", "R42")
    assert (cancelled.action, cancelled.cancelled) == ("cancel", 10)


def test_a_refused_one_is_refused() -> None:
    [row] = listed("domestic_stock", **WAITS, rjct_rson2="no cash")
    assert (row.remaining, row.rejected) == (0, 10)


def test_what_it_became_is_the_order_that_its_own_list_tells_of() -> None:
    sent = WAITS | {"odno": "0000000117", "ord_tmd": "083000", "tot_ccld_qty": "0"}
    [row, became] = listed("domestic_stock", **sent)
    assert (row.remaining, became.original_order_no, became.action) == (0, "R42", "modify")
    order = ListedOrder(
        market="domestic_stock",
        order_no="0000000117",
        original_order_no="",
        org_no="00950",
        action="place",
        symbol="005930",
        side="buy",
        order_type="limit",
        quantity=10,
        price=row.price,
        filled=0,
        value=row.value,
        remaining=7,
        cancelled=3,
        rejected=0,
        at=became.at,
        venue="krx",
    )
    both = OrderList.of([OrderList([order], True), OrderList([row, became], True)])
    [first, second] = both.rows
    assert (first.order_no, second.original_order_no) == ("R42", "R42")
    assert (second.remaining, second.cancelled, second.org_no) == (7, 3, "00950")


def test_an_order_stands_at_its_exchange_when_it_has_a_number_there() -> None:
    assert stands_at(KRX, "R42") == KRX
    assert stands_at(KRX, "0000000117") == ("domestic_stock", "krx")
    assert lists("domestic_stock", {"krx", "krx_reserved"}) == ("", "reserved")
    assert lists("domestic_stock", {"krx"}) == ("",)


@pytest.mark.parametrize("broken", [{"rsvn_ord_seq": ""}, {"ord_rsvn_qty": "ten"}])
def test_a_row_that_cannot_be_read_is_no_list(broken: dict[str, str]) -> None:
    with pytest.raises(DecodeError, match="order_resv_ccnl"):
        listed("domestic_stock", **WAITS | broken)
