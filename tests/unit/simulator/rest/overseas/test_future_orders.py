"""Orders for futures and options overseas, and what is told of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.simulator.derivatives.overseas import overseas_contract
from tests.unit.simulator.rest.overseas.desk import Desk, number

CHANGE = "overseas_futureoption/order_rvsecncl"


def test_a_limit_order_waits_is_modified_fills_and_tells_it() -> None:
    desk = Desk()
    first = number(desk.future())
    change = {"ORGN_ORD_DT": "20261123", "ORGN_ODNO": first, "FM_LIMIT_ORD_PRIC": "6100.25"}
    second = number(desk.ask(CHANGE, "modify", **change))
    desk.off_book.move("ESZ26", Decimal(6100), desk.now)
    ticket = desk.off_book.tickets[second]
    assert (ticket.filled, ticket.value) == (2, Decimal("12200.50"))
    told = desk.notices()
    assert [kind for kind, _ in told] == ["HDFFF1C0"] * 3 + ["HDFFF2C0"]
    fill = told[-1][1]
    assert (fill["symbol"], fill["filled_quantity"], fill["price"]) == (*("ESZ26", "2", "6100.25"),)
    assert told[1][1]["original_order_no"] == first
    money = desk.off_book.money("12345678-08")
    assert money.funds("USD") == 300_000 - 15  # 7.50 a contract
    assert money.margin("USD") == 2 * 6100 * 50 * Decimal("0.065")


def test_a_stop_waits_for_its_price_and_a_stop_limit_then_for_its_limit() -> None:
    desk = Desk()
    last = desk.off_book.price("ESZ26")
    stop = {"SLL_BUY_DVSN_CD": "01", "PRIC_DVSN_CD": "3", "FM_STOP_ORD_PRIC": f"{last - 20}"}
    plain = desk.off_book.tickets[number(desk.future(**stop))]
    limited = stop | {"PRIC_DVSN_CD": "4", "FM_LIMIT_ORD_PRIC": f"{last - 21}"}
    second = desk.off_book.tickets[number(desk.future(**limited))]
    desk.off_book.move("ESZ26", last - 19, desk.now)
    assert (plain.filled, second.filled) == (0, 0)
    desk.off_book.move("ESZ26", last - 25, desk.now)
    assert (plain.value / 2, second.filled, second.triggered) == (last - 25, 0, True)
    desk.off_book.move("ESZ26", last - 21, desk.now)
    assert second.filled == 2


def test_a_modification_can_make_it_a_market_order_and_a_cancellation_ends_it() -> None:
    desk = Desk()
    first, second = number(desk.future()), number(desk.future())
    change = {"ORGN_ORD_DT": "20261123", "ORGN_ODNO": first, "FM_MKPR_CVSN_YN": "Y"}
    sold = desk.off_book.tickets[number(desk.ask(CHANGE, "modify", **change))]
    assert sold.filled == 2
    cancel = {"ORGN_ORD_DT": "20261123", "ORGN_ODNO": second}
    assert desk.ask(CHANGE, "cancel", **(cancel | {"ORGN_ORD_DT": "20261122"})).rt_cd == "7"
    assert desk.ask(CHANGE, "cancel", **cancel).rt_cd == "0"
    assert desk.off_book.tickets[second].remaining == 0


def test_an_order_ends_with_its_day_unless_it_is_meant_to_last() -> None:
    desk = Desk()
    day, lasting = number(desk.future()), number(desk.future(CCLD_CNDT_CD="5"))
    desk.live("24 09:00")
    tickets = desk.off_book.tickets
    assert (tickets[day].remaining, tickets[lasting].remaining) == (0, 2)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"FM_LIMIT_ORD_PRIC": "6000.1"}, "APBK0506"),
        ({"FM_LIMIT_ORD_PRIC": "0"}, "APBK0918"),
        ({"OVRS_FUTR_FX_PDNO": "XXZ26"}, "APBK0656"),
        ({"ACNT_PRDT_CD": "01"}, "APAC0081"),
        ({"FM_ORD_QTY": "99"}, "APBK0952"),
        ({"PRIC_DVSN_CD": "9"}, "OPSQ2001"),
        ({"PRIC_DVSN_CD": "3", "FM_STOP_ORD_PRIC": "0"}, "APBK0918"),
        ({"FM_LIMIT_ORD_PRIC": "NaN"}, "APBK0507"),
    ],
)
def test_what_is_refused(params: dict[str, str], code: str) -> None:
    assert Desk().future(**params).msg_cd == code


def test_an_option_is_paid_in_full_and_a_short_one_ties_up_a_margin() -> None:
    desk = Desk()
    price = desk.off_book.price("OESZ26 C6700")
    order = {"OVRS_FUTR_FX_PDNO": "OESZ26 C6700", "FM_LIMIT_ORD_PRIC": f"{price}"}
    number(desk.future(**order))
    money = desk.off_book.money("12345678-08")
    assert money.funds("USD") == 300_000 - 2 * price * 50 - 15
    assert money.margin("USD") == 0
    number(desk.future(**order, SLL_BUY_DVSN_CD="01", FM_ORD_QTY="3"))
    held = money.position("overseas_derivative", "OESZ26 C6700")
    assert held.quantity == -1
    assert held.realized == -15
    assert held.margin > 0


def test_a_contract_is_read_from_its_symbol() -> None:
    found = overseas_contract("OESZ26 C6700")
    assert found is not None
    assert (found.right, f"{found.strike}", f"{found.expires}") == ("C", "6700", "2026-12-18")
    assert [overseas_contract(symbol) for symbol in ("ESZ26 C6700", "OESZ26", "AAPL", "ESA26")] == [
        None
    ] * 4
