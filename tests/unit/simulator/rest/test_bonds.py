from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bridge.simulator.bonds.issues import KNOWN
from tests.unit.simulator.rest.account_calls import CATALOG, NOW, AccountCalls

BOND = KNOWN[2]
ORDER = {
    "PDNO": BOND,
    "ORD_QTY2": "100",
    "SAMT_MKET_PTCI_YN": "N",
    "BOND_RTL_MKET_YN": "N",
    "ORD_DVSN": "01",
}
DAY = {"INQR_STRT_DT": "20261123", "INQR_END_DT": "20261123", "SORT_SQN_DVSN": "01"}


class Bonds(AccountCalls):
    def __init__(self, **given: Any) -> None:
        super().__init__("01", **given)
        self.last = self.off_book.price(BOND)

    def order(self, side: str, price: Decimal, **params: str) -> str:
        answer = self.ask(
            f"domestic_bond/{side}", **(ORDER | {"BOND_ORD_UNPR": f"{price}"} | params)
        )
        assert answer.rt_cd == "0", answer
        return str(answer.outputs["output"]["ODNO"])

    def listed(self, **params: str) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = self.ask(
            "domestic_bond/inquire_daily_ccld", **(DAY | params)
        ).outputs["output2"]
        return rows

    def held(self, **params: str) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = self.ask("domestic_bond/inquire_balance", **params).outputs[
            "output"
        ]
        return rows


def test_a_bond_is_bought_and_paid_for_by_its_face_value() -> None:
    bonds = Bonds()
    before = bonds.ask("domestic_bond/inquire_psbl_order", PDNO=BOND, BOND_ORD_UNPR="10000").outputs
    number = bonds.order("buy", bonds.last)
    [row] = bonds.listed()
    assert (row["odno"], row["tot_ccld_qty"], row["nccs_qty"]) == (number, "100", "0")
    # A hundred thousand won of face value, at a price for ten thousand.
    assert int(row["tot_ccld_amt"]) == 10 * bonds.last
    [held] = bonds.held()
    assert (held["pdno"], held["cblc_qty"], held["buy_dt"]) == (BOND, "100", "20261123")
    assert int(held["buy_amt"]) == 10 * bonds.last
    after = bonds.ask("domestic_bond/inquire_psbl_order", PDNO=BOND, BOND_ORD_UNPR="10000").outputs
    spent = int(before["output"][0]["ord_psbl_cash"]) - int(after["output"][0]["ord_psbl_cash"])
    assert spent == 10 * bonds.last
    assert not bonds.off_book.events  # KIS has no notices of these orders


def test_an_order_that_waits_can_be_modified_and_cancelled() -> None:
    bonds = Bonds()
    number = bonds.order("buy", bonds.last - 10)
    change = {"PDNO": BOND, "ORGN_ODNO": number, "QTY_ALL_ORD_YN": "Y", "ORD_QTY2": ""}
    answer = bonds.ask(
        "domestic_bond/order_rvsecncl",
        **change,
        RVSE_CNCL_DVSN_CD="01",
        BOND_ORD_UNPR=f"{bonds.last - 5}",
    )
    moved = answer.outputs["output"]["ODNO"]
    [row] = bonds.ask("domestic_bond/inquire_psbl_rvsecncl").outputs["output"]
    assert (row["odno"], row["orgn_odno"], row["ord_psbl_qty"]) == (moved, number, "100")
    part = {"ORGN_ODNO": moved, "QTY_ALL_ORD_YN": "N", "ORD_QTY2": "40", "RVSE_CNCL_DVSN_CD": "02"}
    assert bonds.ask("domestic_bond/order_rvsecncl", **(change | part)).rt_cd == "0"
    bonds.off_book.move(BOND, bonds.last - 5, NOW)
    assert not bonds.ask("domestic_bond/inquire_psbl_rvsecncl").outputs["output"]
    assert [row["cblc_qty"] for row in bonds.held()] == ["60"]
    states = {state: len(bonds.listed(NCCS_YN=state)) for state in ("N", "C", "Y")}
    assert states == {"N": 3, "C": 1, "Y": 0}


def test_a_sale_takes_the_lots_that_it_names() -> None:
    bonds = Bonds()
    bonds.order("buy", bonds.last)
    bonds.off_book.move(BOND, bonds.last - 3, NOW)
    bonds.order("buy", bonds.last - 3, ORD_QTY2="50")
    assert [(row["buy_sqno"], row["cblc_qty"]) for row in bonds.held()] == [
        ("1", "100"),
        ("2", "50"),
    ]
    second = {"ORD_DVSN": "03", "BUY_DT": "20261123", "BUY_SEQ": "2", "ORD_QTY2": "20"}
    bonds.order("sell", bonds.last - 3, **second)
    assert [row["cblc_qty"] for row in bonds.held()] == ["100", "30"]
    bonds.order("sell", bonds.last - 3, ORD_QTY2="110")
    assert [row["cblc_qty"] for row in bonds.held()] == ["20"]
    bonds.order("sell", bonds.last + 9, ORD_DVSN="02", BUY_DT="20261123", ORD_QTY2="20")
    [row] = bonds.held()
    assert (row["cblc_qty"], row["ord_psbl_qty"]) == ("20", "0")


@pytest.mark.parametrize(
    ("side", "params", "code"),
    [
        ("buy", {"ORD_QTY2": "15"}, "APBK0400"),  # the general market trades tens
        ("buy", {"ORD_QTY2": "0"}, "APBK0400"),
        ("buy", {"ORD_QTY2": "50010", "SAMT_MKET_PTCI_YN": "Y"}, "APBK0400"),
        ("buy", {"ORD_QTY2": "90000000"}, "APBK0952"),
        ("buy", {"PDNO": "AAPL"}, "APBK0656"),
        ("buy", {"BOND_ORD_UNPR": "0"}, "APBK0918"),
        ("buy", {"BOND_ORD_UNPR": "NaN"}, "APBK0918"),
        ("buy", {"BOND_ORD_UNPR": "10000.5"}, "APBK0506"),
        ("buy", {"BOND_ORD_UNPR": "99999"}, "APBK0507"),
        ("buy", {"ACNT_PRDT_CD": "03"}, "APAC0081"),
        ("buy", {"SAMT_MKET_PTCI_YN": "?"}, "OPSQ2001"),
        ("sell", {}, "APBK1234"),
        ("sell", {"ORD_DVSN": "09"}, "OPSQ2001"),
        ("sell", {"ORD_DVSN": "02"}, "OPSQ2001"),
        ("sell", {"ORD_DVSN": "03", "BUY_DT": "20261123", "BUY_SEQ": "x"}, "APBK0400"),
        ("order_rvsecncl", {"ORGN_ODNO": "7"}, "APBK1663"),
    ],
)
def test_what_is_refused(side: str, params: dict[str, str], code: str) -> None:
    bonds = Bonds()
    answer = bonds.ask(f"domestic_bond/{side}", **(ORDER | {"BOND_ORD_UNPR": "10000"} | params))
    assert answer.msg_cd == code
    assert not bonds.off_book.tickets


def test_the_small_market_takes_any_number() -> None:
    bonds = Bonds()
    bonds.order("buy", bonds.last, ORD_QTY2="7", SAMT_MKET_PTCI_YN="Y")
    assert [row["samt_mket_ptci_yn_name"] for row in bonds.listed()] == ["소액"]
    assert [row["cblc_qty"] for row in bonds.held()] == ["7"]


def test_out_of_hours_there_is_no_market() -> None:
    bonds = Bonds(hours="krx")
    bonds.order("buy", bonds.last)
    for now, text in ((NOW.replace(hour=16), "APBK0919"), (NOW - timedelta(days=1), "APBK0919")):
        bonds.now = now
        answer = bonds.ask("domestic_bond/buy", **ORDER, BOND_ORD_UNPR="10000")
        assert answer.msg_cd == text


def test_price_book_and_yields_agree() -> None:
    bonds = Bonds()
    asked = {"FID_COND_MRKT_DIV_CODE": "B", "FID_INPUT_ISCD": BOND}
    price = bonds.ask("domestic_bond/inquire_price", **asked).outputs["output"]
    book = bonds.ask("domestic_bond/inquire_asking_price", **asked).outputs["output"]
    assert Decimal(price["bond_prpr"]) == bonds.last == Decimal(book["bond_bidp1"])
    assert Decimal(price["ernn_rate"]) == Decimal(book["shnu_ernn_rate1"])
    assert Decimal(book["seln_ernn_rate5"]) < Decimal(book["seln_ernn_rate1"])
    values = bonds.ask("domestic_bond/avg_unit", PDNO=BOND, **DAY).outputs
    [unit], [amount] = values["output1"], values["output2"]
    assert abs(Decimal(unit["avg_evlu_unpr"]) - bonds.last) < 2
    assert unit["evlu_dt"] == amount["evlu_dt"] == "20261123"
    assert Decimal(unit["avg_evlu_erng_rt"]) > 0


@pytest.mark.parametrize(
    "name", [name for name in CATALOG.apis if name.startswith("domestic_bond/")]
)
def test_every_answer_has_every_member_of_the_workbook(name: str) -> None:
    bonds = Bonds()
    bonds.order("buy", bonds.last)
    asked = DAY | {"PDNO": BOND, "FID_INPUT_ISCD": BOND, "PRDT_TYPE_CD": "302"}
    asked |= {"FID_COND_MRKT_DIV_CODE": "B", "BOND_ORD_UNPR": "10000", "ORD_QTY2": "10"}
    asked |= {"ORD_DVSN": "01", "ORGN_ODNO": "1"}
    answer = bonds.ask(name, **asked)
    if name.endswith("order_rvsecncl"):
        return
    assert answer.rt_cd == "0", answer
    for output in CATALOG.apis[name].outputs:
        block = answer.outputs[output.name]
        assert isinstance(block, list) is output.array
        for row in block if isinstance(block, list) else [block]:
            assert set(row) >= {field.name for field in output.fields}
