"""Where an order of KIS's list stands."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.kis.listing import (
    OrderList,
    ask,
    orders_of,
    rows,
    same_symbol,
)

CATALOG = load()
TODAY = date(2026, 11, 23)
NOW = 1_795_400_000_000_000


def listed(market: str, *, part: Any = "", **values: str) -> Any:
    call = ask(
        CATALOG,
        market=market,
        account="12345678-01",
        first=TODAY,
        last=TODAY,
        paper=False,
        part=part,
    )
    output = orders_of(CATALOG.apis[call.api])
    [row] = rows(CATALOG, call, {output.name: [{"odno": "7", **values}]}, NOW)
    return row


@pytest.mark.parametrize(
    ("market", "values", "venue"),
    [
        ("domestic_stock", {"excg_id_dvsn_cd": "NXT"}, "nxt"),
        ("domestic_stock", {"excg_id_dvsn_cd": "SOR"}, "sor"),
        ("domestic_stock", {"excg_id_dvsn_cd": "KRX"}, "krx"),
        ("domestic_stock", {}, "krx"),
        ("overseas_stock", {"ovrs_excg_cd": "NASD"}, "nas"),
        ("overseas_stock", {"ovrs_excg_cd": "SEHK"}, "hks"),
        ("overseas_stock", {"ovrs_excg_cd": "MARS"}, ""),
        ("domestic_derivative", {}, "krx"),
        ("domestic_bond", {}, "krx"),
        ("overseas_derivative", {}, "all"),
    ],
)
def test_a_row_says_where_it_stands(market: str, values: Any, venue: str) -> None:
    assert listed(market, **values).venue == venue


def test_the_list_of_the_night_is_of_the_night() -> None:
    assert listed("domestic_derivative", part="night").venue == "krx_night"


def test_a_bond_is_listed_with_its_price_and_a_short_symbol() -> None:
    row = listed(
        "domestic_bond",
        ord_dt="20261123",
        ord_tmd="101500",
        shtn_pdno="6095572D8",
        sll_buy_dvsn_cd="02",
        ord_qty="30",
        bond_ord_unpr="10450.50",
        tot_ccld_qty="10",
        bond_avg_unpr="10450.0",
        tot_ccld_amt="10450",
        nccs_qty="20",
        ord_gno_brno="00950",
    )
    assert (row.quantity, row.filled, row.remaining, row.cancelled) == (30, 10, 20, 0)
    assert row.value == 104_500, "of prices, whatever it costs in won"
    assert (row.price, row.org_no, row.side) == (Decimal("10450.5"), "00950", "buy")
    assert same_symbol(row.symbol, "KR6095572D81")
    assert not same_symbol(row.symbol, "KR6095573D81")
    assert not same_symbol("D8", "KR6095572D81")
    assert not same_symbol("005930", "0059300")


CONTRACT = {
    "ord_dt": "20261123",
    "odno": "00298044",
    "ovrs_futr_fx_pdno": "CLF27",
    "sll_buy_dvsn_cd": "01",
    "fm_ord_qty": "3",
    "fm_ord_pric": "68.82",
    "fm_ccld_qty": "2",
    "fm_ccld_pric": "68.90",
    "fm_ord_rmn_qty": "1",
}


def test_a_contract_overseas_is_listed_with_the_day_that_names_it() -> None:
    row = listed("overseas_derivative", **CONTRACT, rcit_dtl_dtime="20261123101500123")
    assert (row.quantity, row.filled, row.remaining) == (3, 2, 1)
    assert (row.value, row.org_no, row.side) == (Decimal("137.80"), "20261123", "sell")
    assert row.at == 1_795_396_500_000_000
    gone = listed("overseas_derivative", **CONTRACT, rjct_rson_name="no margin")
    assert gone.rejected == 1


def test_what_only_one_list_tells_of_a_change_proves_no_absence() -> None:
    """The list of today has no word for what a change is."""
    change = CONTRACT | {"odno": "00298045", "orgn_odno": "00298044"}
    when = "20261123101500"
    order = listed("overseas_derivative", part="today", **CONTRACT, erlm_dtl_dtime=when)
    today = listed("overseas_derivative", part="today", **change, erlm_dtl_dtime=when)
    cancels = change | {"rvse_cncl_dvsn_cd": "02", "fm_ccld_qty": "0", "fm_ord_rmn_qty": "0"}
    daily = listed("overseas_derivative", **cancels, rcit_dtl_dtime=when)
    alone = OrderList.of([OrderList([order, today], True), OrderList([], True)])
    assert not alone.complete
    both = OrderList.of([OrderList([order, today], True), OrderList([daily], True)])
    assert both.complete
    assert [row.action for row in both.rows] == ["place", "cancel"]


def test_of_two_lists_the_one_that_knows_of_more_fills_is_believed() -> None:
    when = "20261123101500"
    fresh = listed("overseas_derivative", part="today", **CONTRACT, erlm_dtl_dtime=when)
    behind = CONTRACT | {"fm_ccld_qty": "0", "fm_ord_rmn_qty": "3"}
    late = listed("overseas_derivative", **behind, rcit_dtl_dtime=when)
    both = OrderList.of([OrderList([fresh], True), OrderList([late], True)])
    [row] = both.rows
    assert (row.filled, row.remaining) == (2, 1)
