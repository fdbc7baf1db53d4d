"""Orders that are kept until an exchange opens."""

from __future__ import annotations

import pytest

from bridge.simulator.off_book import reservations
from bridge.simulator.rest.answers import Answer, Row
from tests.unit.simulator.rest.overseas.desk import Desk

DAYS = {"INQR_STRT_DT": "20261123", "INQR_END_DT": "20261124", "INQR_DVSN_CD": "00"}


def reserve(desk: Desk, variant: str = "us_buy", **params: str) -> Answer:
    order = {"PDNO": "AAPL", "OVRS_EXCG_CD": "NASD", "FT_ORD_QTY": "3", "FT_ORD_UNPR3": "900.00"}
    return desk.ask("overseas_stock/order_resv", variant, **(order | params))


def listed(desk: Desk, variant: str = "us") -> list[Row]:
    answer = desk.ask("overseas_stock/order_resv_list", variant, **DAYS, OVRS_EXCG_CD="")
    rows: list[Row] = answer.outputs["output"]
    return rows


def test_it_is_carried_out_when_its_exchange_opens_and_then_an_order_like_any_other() -> None:
    desk = Desk(at="23 20:00")
    taken = reserve(desk).outputs["output"]
    assert (taken["ODNO"], taken["OVRS_RSVN_ODNO"]) == ("0000000001", "")
    desk.live("23 23:29")
    assert not desk.off_book.tickets
    assert [(row["ovrs_rsvn_odno"], row["odno"]) for row in listed(desk)] == [("0000000001", "")]
    desk.live("23 23:30")
    [row] = listed(desk)
    assert (row["ovrs_rsvn_ord_stat_cd_name"], row["ft_ccld_qty"]) == ("주문완료", "3")
    assert desk.off_book.tickets[row["odno"]].filled == 3
    assert [kind for kind, _ in desk.notices()] == ["H0GSCNI0"] * 3
    assert listed(desk, "asia") == []


def test_one_for_asia_is_cancelled_by_the_call_that_made_it() -> None:
    desk = Desk(at="23 20:00")
    order = {"OVRS_EXCG_CD": "TKSE", "PDNO": "7203", "PRDT_TYPE_CD": "515", "SLL_BUY_DVSN_CD": "01"}
    taken = reserve(desk, "asia", **order, RVSE_CNCL_DVSN_CD="00").outputs["output"]
    assert taken["RSVN_ORD_RCIT_DT"] == "20261123"
    gone = {"OVRS_RSVN_ODNO": taken["OVRS_RSVN_ODNO"], "RSVN_ORD_RCIT_DT": "20261123"}
    assert reserve(desk, "asia", **order, RVSE_CNCL_DVSN_CD="02", **gone).rt_cd == "0"
    [row] = listed(desk, "asia")
    assert (row["cncl_yn"], row["prdt_type_cd"], row["sll_buy_dvsn_cd"]) == ("Y", "515", "01")
    desk.live("24 09:00")
    assert not desk.off_book.tickets


@pytest.mark.parametrize("name", ["RSVN_ORD_RCIT_DT", "RSYN_ORD_RCIT_DT"])
def test_one_for_america_is_cancelled_once(name: str) -> None:
    desk = Desk(at="23 20:00")
    number = reserve(desk).outputs["output"]["ODNO"]
    cancel = {"OVRS_RSVN_ODNO": number, name: "20261123"}
    assert desk.ask("overseas_stock/order_resv_ccnl", **(cancel | {name: "20261101"})).rt_cd == "7"
    answer = desk.ask("overseas_stock/order_resv_ccnl", **cancel)
    assert answer.outputs["output"] == {"OVRS_RSVN_ODNO": number}
    assert desk.ask("overseas_stock/order_resv_ccnl", **cancel).msg_cd == "KIER2320"


def test_what_the_account_cannot_pay_is_refused_when_it_is_carried_out() -> None:
    desk = Desk(at="23 20:00")
    assert reserve(desk, FT_ORD_QTY="9999").rt_cd == "0"
    assert reserve(desk, "us_sell", ORD_DVSN="31", FT_ORD_UNPR3="0").rt_cd == "0"
    desk.live("23 23:30")
    short, sold = listed(desk)
    assert (short["ovrs_rsvn_ord_stat_cd_name"], short["odno"]) == ("거부", "")
    assert short["nprc_rson_text"] == "주문가능금액이 부족합니다."
    assert (sold["odno"], sold["ft_ccld_qty"]) == ("0030000002", "3")


def test_while_the_exchange_trades_none_is_taken() -> None:
    assert reserve(Desk(always=False, at="24 00:30")).msg_cd == "APBK0919"
    assert reserve(Desk(always=False, at="24 20:00"), ORD_DVSN="33").msg_cd == "APBK1943"
    assert reserve(Desk(), "asia").msg_cd == "APBK0656"


def test_an_account_keeps_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "_MOST_KEPT", 2)
    desk = Desk(at="23 20:00")
    assert [reserve(desk).rt_cd for _ in range(3)] == ["0", "0", "7"]
