from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.simulator.rest.account_calls import CATALOG, NOW
from tests.unit.simulator.rest.test_derivative_orders import CALL, FUTURE, Derivatives

NAME = "domestic_futureoption"
DAYS = {"STRT_ORD_DT": "20261101", "END_ORD_DT": "20261231"}
ACCOUNT_CALLS = [
    "inquire_balance",
    "inquire_balance_settlement_pl",
    "inquire_balance_valuation_pl",
    "inquire_ccnl",
    "inquire_ccnl_bstime",
    "inquire_daily_amount_fee",
    "inquire_deposit",
    "inquire_ngt_balance",
    "inquire_ngt_ccnl",
    "inquire_psbl_ngt_order",
    "inquire_psbl_order",
    "ngt_margin_detail",
]


def _rows(calls: Derivatives, name: str, block: str = "output1", **params: str) -> Any:
    answer = calls.ask(f"{NAME}/{name}", **params)
    assert answer.rt_cd == "0", answer
    return answer.outputs[block]


@pytest.mark.parametrize("name", ACCOUNT_CALLS)
def test_every_report_has_every_member_of_the_workbook(name: str) -> None:
    calls = Derivatives()
    calls.order(calls.last, ORD_QTY="1")
    calls.order(calls.last, "night", ORD_QTY="1")
    asked = DAYS | {"INQR_DT": "20261123", "ORD_DT": "20261123", "PDNO": FUTURE}
    asked |= {"INQR_STRT_DAY": "20261101", "INQR_END_DAY": "20261231", "SLL_BUY_DVSN_CD": "02"}
    if "ccnl" in name:
        del asked["PDNO"]
    answer = calls.ask(f"{NAME}/{name}", **asked)
    assert answer.rt_cd == "0", answer
    for output in CATALOG.apis[f"{NAME}/{name}"].outputs:
        block = answer.outputs[output.name]
        assert isinstance(block, list) is output.array
        for row in block if isinstance(block, list) else [block]:
            assert set(row) >= {field.name for field in output.fields}
            assert row != {}


@pytest.mark.parametrize(
    ("symbol", "side"), [(FUTURE, "02"), (FUTURE, "01"), (CALL, "02"), (CALL, "01")]
)
@pytest.mark.parametrize("held", [0, 2])
def test_just_as_many_are_taken_as_are_said_to_be_possible(
    symbol: str, side: str, held: int
) -> None:
    calls = Derivatives()
    other = "02" if side == "01" else "01"
    price = calls.off_book.price(symbol)
    if held:
        calls.order(price, SHTN_PDNO=symbol, ORD_QTY=f"{held}", SLL_BUY_DVSN_CD=other)
    asked = {"PDNO": symbol, "SLL_BUY_DVSN_CD": side, "UNIT_PRICE": f"{price}", "ORD_DVSN_CD": "01"}
    row = _rows(calls, "inquire_psbl_order", "output", **asked)
    assert int(row["lqd_psbl_qty1"]) == held
    most = min(int(row["ord_psbl_qty"]), 2_000)
    if most < 2_000:
        more = calls.order(price, SHTN_PDNO=symbol, ORD_QTY=f"{most + 1}", SLL_BUY_DVSN_CD=side)
        assert more.msg_cd == "APBK0952"
    taken = calls.order(price, SHTN_PDNO=symbol, ORD_QTY=f"{most}", SLL_BUY_DVSN_CD=side)
    assert taken.rt_cd == "0", taken


def test_two_orders_cannot_close_one_position() -> None:
    calls = Derivatives()
    calls.order(calls.last, ORD_QTY="2")
    far = calls.last + 20
    calls.order(far, ORD_QTY="2", SLL_BUY_DVSN_CD="01")
    money = calls.off_book.money(calls.account)
    assert money.promised("KRW") == 0
    calls.order(far, ORD_QTY="2", SLL_BUY_DVSN_CD="01")
    assert money.promised("KRW") > 2 * 10_000_000
    [row] = _rows(calls, "inquire_balance", EXCC_STAT_CD="2", MGNA_DVSN="01")
    assert (row["cblc_qty"], row["lqd_psbl_qty"]) == ("2", "0")


def test_a_contract_ends_at_the_price_of_its_underlying() -> None:
    calls = Derivatives(now=NOW.replace(month=12, day=10))
    calls.order(calls.last, ORD_QTY="1")
    put = "C01612540"
    calls.order(calls.off_book.price(put), SHTN_PDNO=put, ORD_QTY="1")
    calls.order(Decimal("0.01"), SHTN_PDNO="C01612515", ORD_QTY="3", SLL_BUY_DVSN_CD="01")
    calls.order(calls.last - 5, ORD_QTY="1")
    calls.now += timedelta(days=1)
    assert not _rows(calls, "inquire_balance")
    assert not calls.off_book.waiting()
    done = _rows(calls, "inquire_ccnl_bstime", ORD_DT="20261210")
    last = {row["pdno"]: row for row in done if row["tr_type_name"] == "최종결제"}
    assert Decimal(last[FUTURE]["ccld_idx"]) == calls.last
    assert abs(Decimal(last[put]["ccld_idx"]) - (540 - calls.last)) < Decimal("0.1")
    assert {row["last_sttldt"] for row in last.values()} == {"20261210"}
    yesterday = _rows(calls, "inquire_balance_settlement_pl", INQR_DT="20261210")
    closed = {row["pdno"]: (row["new_qty"], row["mnpl_rpch_qty"]) for row in yesterday}
    assert closed[FUTURE] == ("1", "1")


def test_at_the_close_what_is_conditional_trades_and_the_rest_ends() -> None:
    calls = Derivatives(hours="krx")
    calls.order(calls.last - 3, ORD_DVSN_CD="03", ORD_QTY="1")
    calls.order(calls.last - 3, ORD_QTY="1")
    calls.now = NOW.replace(hour=15, minute=44)
    assert [row["tot_ccld_qty"] for row in _rows(calls, "inquire_ccnl", **DAYS)] == ["0", "0"]
    calls.now = NOW.replace(hour=15, minute=46)
    rows = _rows(calls, "inquire_ccnl", **DAYS)
    assert [(row["tot_ccld_qty"], row["qty"]) for row in rows] == [("1", "0"), ("0", "0")]
    assert Decimal(rows[0]["avg_idx"]) == calls.last


def test_lists_are_filtered_and_sorted() -> None:
    calls = Derivatives()
    first = calls.order(calls.last - 1).outputs["output"]["ODNO"]
    second = calls.order(calls.last, SLL_BUY_DVSN_CD="01").outputs["output"]["ODNO"]

    def numbers(**params: str) -> list[str]:
        return [row["odno"] for row in _rows(calls, "inquire_ccnl", **(DAYS | params))]

    assert numbers(SORT_SQN="AS") == [first, second]
    assert numbers(SORT_SQN="DS") == [second, first]
    assert numbers(SORT_SQN="AS", STRT_ODNO=second) == [second]
    assert numbers(CCLD_NCCS_DVSN="01") == [second]
    assert numbers(CCLD_NCCS_DVSN="02") == [first]
    assert numbers(SLL_BUY_DVSN_CD="02") == [first]
    assert numbers(PDNO="A05612") == []
    assert numbers(STRT_ORD_DT="20261124") == []


def test_an_account_of_stocks_has_no_margins() -> None:
    calls = Derivatives()
    assert calls.ask(f"{NAME}/inquire_balance", ACNT_PRDT_CD="01").msg_cd == "APAC0081"
