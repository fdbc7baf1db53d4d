from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bridge.simulator.stream.notices import off_book_notice
from tests.unit.simulator.rest.account_calls import NOW, AccountCalls

FUTURE, CALL = "A01612", "B01612530"
ORDER = {
    "ORD_PRCS_DVSN_CD": "02",
    "SLL_BUY_DVSN_CD": "02",
    "SHTN_PDNO": FUTURE,
    "ORD_QTY": "4",
    "NMPR_TYPE_CD": "",
    "KRX_NMPR_CNDT_CD": "",
    "ORD_DVSN_CD": "01",
}
DAYS = {"STRT_ORD_DT": "20261123", "END_ORD_DT": "20261124"}


class Derivatives(AccountCalls):
    def __init__(self, **given: Any) -> None:
        super().__init__("03", **given)
        self.last = self.off_book.price(FUTURE)

    def order(self, price: Decimal | int, variant: str = "day", **params: str) -> Any:
        asked = ORDER | {"UNIT_PRICE": f"{price}"} | params
        return self.ask("domestic_futureoption/order", variant, **asked)

    def told(self) -> list[str]:
        events, self.off_book.events = self.off_book.events, []
        return [event.kind for event in events]


def test_first_prices_follow_from_the_index() -> None:
    calls = Derivatives()
    call, put = (calls.off_book.price(f"{letter}01612530") for letter in "BC")
    assert abs(calls.last - 530) < 1
    assert abs(call - put - (calls.last - 530)) < Decimal("0.05")  # parity, but for ticks


@pytest.mark.parametrize(
    ("kind", "apart", "events"),
    [
        ("01", -1, ["taken"]),
        ("01", 1, ["taken", "filled", "filled"]),
        ("02", None, ["taken", "filled", "filled"]),
        ("03", -1, ["taken"]),
        ("04", None, ["taken", "filled", "filled"]),
        ("10", -1, ["taken", "lapsed"]),
        ("10", 1, ["taken", "filled", "filled"]),
        ("11", -1, ["taken", "lapsed"]),
        ("12", None, ["taken", "filled", "filled"]),
        ("13", None, ["taken", "filled", "filled"]),
        ("14", None, ["taken", "filled", "filled"]),
        ("15", None, ["taken", "filled", "filled"]),
    ],
)
@pytest.mark.parametrize("variant", ["day", "night"])
def test_every_kind_of_order(kind: str, apart: int | None, events: list[str], variant: str) -> None:
    calls = Derivatives()
    price = Decimal(0) if apart is None else calls.last + apart
    answer = calls.order(price, variant, ORD_DVSN_CD=kind)
    assert answer.rt_cd == "0", answer
    output = answer.outputs["output"]
    assert (output["ITEM_NAME"], output["TRAD_DVSN_NAME"]) == ("KOSPI200 202612", "매수")
    assert calls.told() == events


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"SHTN_PDNO": "AAPL"}, "APBK0656"),
        ({"SHTN_PDNO": "A99612"}, "APBK0656"),
        ({"ORD_QTY": "0"}, "APBK0400"),
        ({"ORD_QTY": "2001"}, "APBK0400"),
        ({"ORD_QTY": "1500"}, "APBK0952"),
        ({"UNIT_PRICE": "530.03"}, "APBK0506"),
        ({"UNIT_PRICE": "1"}, "APBK0507"),
        ({"UNIT_PRICE": "900"}, "APBK0507"),
        ({"UNIT_PRICE": "NaN"}, "APBK0507"),
        ({"UNIT_PRICE": "0"}, "APBK0918"),
        ({"ORD_DVSN_CD": "02"}, "APBK0918"),  # a market order has no price
        ({"ORD_DVSN_CD": "99"}, "OPSQ2001"),
        ({"NMPR_TYPE_CD": "02"}, "APBK1943"),
        ({"KRX_NMPR_CNDT_CD": "3"}, "APBK1943"),
        ({"SLL_BUY_DVSN_CD": "00"}, "OPSQ2001"),
        ({"ORD_PRCS_DVSN_CD": "01"}, "OPSQ2001"),
        ({"ACNT_PRDT_CD": "01"}, "APAC0081"),
    ],
)
def test_what_is_refused(params: dict[str, str], code: str) -> None:
    calls = Derivatives()
    assert calls.order(calls.last, **params).msg_cd == code
    assert not calls.told()


def test_type_and_condition_may_say_what_the_division_says() -> None:
    calls = Derivatives()
    said = {"NMPR_TYPE_CD": "01", "KRX_NMPR_CNDT_CD": "4", "ORD_DVSN_CD": "11"}
    assert calls.order(calls.last + 1, **said).rt_cd == "0"


def test_a_modification_may_change_the_kind_of_an_order() -> None:
    calls = Derivatives()
    number = calls.order(calls.last - 1).outputs["output"]["ODNO"]
    change = {
        "ORD_PRCS_DVSN_CD": "02",
        "ORGN_ODNO": number,
        "RMN_QTY_YN": "Y",
        "ORD_QTY": "0",
        "NMPR_TYPE_CD": "02",
        "KRX_NMPR_CNDT_CD": "0",
        "ORD_DVSN_CD": "02",
        "UNIT_PRICE": "0",
        "RVSE_CNCL_DVSN_CD": "01",
    }
    answer = calls.ask("domestic_futureoption/order_rvsecncl", "day", **change)
    assert answer.outputs["output"]["ORGN_ODNO"] == number
    assert calls.told() == ["taken", "taken", "confirmed", "filled", "filled"]


def test_a_night_s_orders_are_its_own() -> None:
    calls = Derivatives(now=NOW.replace(hour=19))
    number = calls.order(calls.last - 1, "night").outputs["output"]["ODNO"]
    change = {"ORGN_ODNO": number, "RMN_QTY_YN": "N", "RVSE_CNCL_DVSN_CD": "02", "ORD_QTY": "4"}
    name = "domestic_futureoption/order_rvsecncl"
    assert calls.ask(name, "day", **change).msg_cd == "APBK1663"
    assert calls.ask(name, "night", **(change | {"ORD_QTY": "3"})).msg_cd == "KIER2320"
    listed = "domestic_futureoption/inquire_ngt_ccnl"
    [row] = calls.ask(listed, **DAYS).outputs["output1"]
    assert (row["odno"], row["ord_dt"], row["qty"]) == (number, "20261124", "4")
    assert not calls.ask("domestic_futureoption/inquire_ccnl", **DAYS).outputs["output1"]
    assert calls.ask(name, "night", **change).rt_cd == "0"
    channels = {off_book_notice(event, hts_id="x")[0] for event in calls.off_book.events}
    assert channels == {"H0MFCNI0"}
    # Stocks have no night.
    assert calls.order(97_500, "night", SHTN_PDNO="A11612").msg_cd == "APBK0656"


@pytest.mark.parametrize(
    ("hour", "variant", "code"),
    [
        (10, "day", "APBK0013"),
        (16, "day", "APBK0919"),
        (10, "night", "APBK0919"),
        (19, "night", "APBK0013"),
        (5, "night", "APBK0013"),
    ],
)
def test_day_and_night_have_their_hours(hour: int, variant: str, code: str) -> None:
    calls = Derivatives(hours="krx", now=NOW.replace(day=24, hour=hour))
    assert calls.order(calls.last, variant).msg_cd == code


def test_money_is_tied_up_by_what_each_product_is_worth() -> None:
    calls = Derivatives()
    money = calls.off_book.money(calls.account)
    calls.order(calls.last, ORD_QTY="1")
    assert money.margin("KRW") == round(calls.last * 250_000 * Decimal("0.105"))
    mini = calls.off_book.price("A05612")
    calls.order(mini, SHTN_PDNO="A05612", ORD_QTY="1")
    both = calls.last * 250_000 * Decimal("0.105") + mini * 50_000 * Decimal("0.105")
    assert abs(money.margin("KRW") - both) <= 1
    # A bought option is paid for; one sold short ties up its price and a part of its strike.
    before, price = money.funds("KRW"), calls.off_book.price(CALL)
    calls.order(price, SHTN_PDNO=CALL, ORD_QTY="2")
    paid = before - money.funds("KRW")
    assert paid - sum(one.fee for one in list(money.executions)[-2:]) == 2 * price * 250_000
    put = calls.off_book.price("C01612530")
    tied = money.margin("KRW")
    calls.order(put, SHTN_PDNO="C01612530", ORD_QTY="1", SLL_BUY_DVSN_CD="01")
    assert money.margin("KRW") - tied == round(put * 250_000) + 530 * 26_250
