"""Orders for overseas stocks: kinds, hours, schedules, the daytime market."""

from __future__ import annotations

import pytest

from tests.unit.simulator.rest.overseas.desk import Desk, number


@pytest.mark.parametrize(
    ("variant", "params"),
    [
        ("us_buy", {"ORD_DVSN": "31"}),
        ("us_buy", {"ORD_DVSN": "50"}),
        ("hongkong_buy", {"OVRS_EXCG_CD": "SEHK", "PDNO": "00700", "ORD_DVSN": "50"}),
        ("japan_buy", {"OVRS_EXCG_CD": "TKSE", "PDNO": "7203", "ORD_DVSN": "34"}),
    ],
)
def test_a_kind_that_the_exchange_has_not_is_refused(variant: str, params: dict[str, str]) -> None:
    answer = Desk().stock(variant, **params)
    assert (answer.rt_cd, answer.msg_cd) == ("7", "APBK1943")


@pytest.mark.parametrize("kind", ["31", "32", "33", "34", "35", "36"])
def test_paper_trading_has_limit_orders_only(kind: str) -> None:
    assert Desk().stock("us_sell", ORD_DVSN=kind).rt_cd == "0"
    answer = Desk(environment="paper").stock("us_sell", ORD_DVSN=kind)
    assert (answer.rt_cd, answer.msg_cd) == ("1", "40310000")
    assert Desk(environment="paper").stock("us_sell", ORD_DVSN="00").msg_cd == "40590000"


@pytest.mark.parametrize(
    ("variant", "exchange", "symbol"),
    [
        ("us_buy", "NYSE", "IBM"),
        ("hongkong_buy", "SEHK", "00700"),
        ("shanghai_sell", "SHAA", "600519"),
        ("shenzhen_sell", "SZAA", "000858"),
        ("japan_buy", "TKSE", "7203"),
        ("vietnam_sell", "HASE", "SHS"),
        ("vietnam_buy", "VNSE", "VNM"),
    ],
)
def test_every_country_fills_at_its_own_price_in_its_own_money(
    variant: str, exchange: str, symbol: str
) -> None:
    desk = Desk()
    price, money = desk.off_book.price(symbol), desk.off_book.money("12345678-01")
    where = {"OVRS_EXCG_CD": exchange, "PDNO": symbol, "OVRS_ORD_UNPR": f"{price}"}
    taken = number(desk.stock(variant, **where))
    ticket = desk.off_book.tickets[taken]
    assert (ticket.filled, ticket.value) == (10, 10 * price)
    assert {one.terms.currency for one in money.executions} == {
        money.position("overseas_stock", symbol).terms.currency
    }
    wrong = desk.stock(
        variant, **(where | {"OVRS_EXCG_CD": "AMEX" if "us" not in variant else "SEHK"})
    )
    assert wrong.msg_cd == "APBK0656"


def test_a_price_between_two_steps_is_refused() -> None:
    desk = Desk()
    assert desk.stock(OVRS_ORD_UNPR="1.001").msg_cd == "APBK0506"
    assert desk.stock(OVRS_ORD_UNPR="0.9001").rt_cd == "0"
    assert desk.stock(OVRS_ORD_UNPR="NaN").msg_cd == "APBK0507"


def test_orders_for_an_auction_wait_for_it_and_lapse_when_it_is_over() -> None:
    desk = Desk(always=False, at="23 20:00")
    last = desk.off_book.price("AAPL")
    opening = number(desk.stock("us_sell", ORD_DVSN="31", OVRS_ORD_UNPR="0"))
    unpriced = number(desk.stock(ORD_DVSN="32", OVRS_ORD_UNPR="1.00"))
    closing = number(desk.stock("us_sell", ORD_DVSN="34", OVRS_ORD_UNPR="1.00"))
    tickets = desk.off_book.tickets
    desk.live("23 23:29")
    assert [tickets[one].filled for one in (opening, unpriced, closing)] == [0, 0, 0]
    desk.live("23 23:30")
    assert [tickets[one].filled for one in (opening, unpriced, closing)] == [10, 0, 0]
    assert (tickets[unpriced].cancelled, tickets[opening].value > last) == (10, True)
    change = {"ORGN_ODNO": closing, "ORD_QTY": "10", "OVRS_ORD_UNPR": "2.00"}
    answer = desk.ask("overseas_stock/order_rvsecncl", "us", RVSE_CNCL_DVSN_CD="01", **change)
    assert answer.msg_cd == "APBK1943"
    desk.live("24 06:00")
    assert tickets[closing].filled == 10


def test_an_order_split_over_time_is_worked_in_parts() -> None:
    desk = Desk()
    price = f"{desk.off_book.price('AAPL') + 100}"
    span = {"START_TIME": "110000", "END_TIME": "120000", "ALGO_ORD_TMD_DVSN_CD": "00"}
    order = number(desk.stock(ORD_DVSN="35", ORD_QTY="20", OVRS_ORD_UNPR=price, **span))
    desk.live("23 11:00")
    desk.live("23 11:31")
    ticket = desk.off_book.tickets[order]
    assert ticket.filled == 12  # six of ten parts have begun
    asked = {"ORD_DT": f"{ticket.date:%Y%m%d}", "ODNO": order}
    parts = desk.ask("overseas_stock/inquire_algo_ccnl", **asked).outputs
    assert [row["ft_ccld_qty"] for row in parts["output"]] == ["2", "10"]
    assert parts["output"][1]["CCLD_BTWN"] == "11:30:00~11:36:00"
    assert (parts["output3"][0]["ccld_cnt"], parts["output3"][0]["ft_ccld_qty"]) == ("2", "12")
    listed = desk.ask("overseas_stock/algo_ordno", TRAD_DT=asked["ORD_DT"]).outputs["output"]
    assert [(row["odno"], row["splt_buy_attr_name"]) for row in listed] == [(order, "TWAP")]
    desk.live("23 12:00")
    assert (ticket.filled, ticket.remaining) == (20, 0)


def test_an_exchange_that_is_closed_takes_no_order_by_its_own_calendar() -> None:
    desk = Desk(always=False, at="23 10:00")  # Monday, in New York Sunday evening
    assert desk.stock().msg_cd == "APBK0919"
    japan = {"OVRS_EXCG_CD": "TKSE", "PDNO": "7203"}
    # The twenty-third is Labour Thanksgiving Day.
    assert desk.stock("japan_buy", **japan).msg_cd == "APBK0919"
    hongkong = {"OVRS_EXCG_CD": "SEHK", "PDNO": "00700"}
    assert desk.stock("hongkong_buy", **hongkong).rt_cd == "0"
    desk.now = desk.now.replace(day=24)
    assert desk.stock("japan_buy", **japan).rt_cd == "0"


def test_what_crosses_at_lunch_waits_for_the_afternoon() -> None:
    desk = Desk(always=False, at="24 11:45")  # the same in Tokyo
    price = desk.off_book.price("7203")
    where = {"OVRS_EXCG_CD": "TKSE", "PDNO": "7203", "OVRS_ORD_UNPR": f"{price + 1000}"}
    ticket = desk.off_book.tickets[number(desk.stock("japan_buy", **where))]
    desk.live("24 12:29")
    assert ticket.remaining == 10
    desk.live("24 12:30")
    assert ticket.remaining == 0


def test_the_daytime_market_has_hours_and_changes_of_its_own() -> None:
    desk = Desk(always=False, at="24 12:00")
    order = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORD_QTY": "10", "OVRS_ORD_UNPR": "1.00"}
    taken = number(desk.ask("overseas_stock/daytime_order", "buy", **order, ORD_DVSN="00"))
    assert desk.ask("overseas_stock/daytime_order", "buy", **order, ORD_DVSN="32").rt_cd == "7"
    change = {"ORGN_ODNO": taken, "RVSE_CNCL_DVSN_CD": "01"}
    change |= order | {"OVRS_ORD_UNPR": "2.00", "ORD_QTY": "4"}
    assert desk.ask("overseas_stock/order_rvsecncl", "us", **change).msg_cd == "APBK1663"
    moved = number(desk.ask("overseas_stock/daytime_order_rvsecncl", **change))
    assert f"{desk.off_book.tickets[moved].price}" == "2.00"
    assert desk.off_book.tickets[taken].remaining == 6
    cancel = change | {"ORGN_ODNO": moved, "RVSE_CNCL_DVSN_CD": "02"}
    number(desk.ask("overseas_stock/daytime_order_rvsecncl", **cancel))
    assert desk.off_book.tickets[moved].remaining == 0
    desk.now = desk.now.replace(hour=8)
    assert desk.ask("overseas_stock/daytime_order", "buy", **order).msg_cd == "APBK0919"


def test_an_order_ends_with_the_day_of_its_exchange() -> None:
    desk = Desk(at="24 13:00")
    here, there = (
        number(desk.stock()),
        number(desk.stock("japan_buy", OVRS_EXCG_CD="TKSE", PDNO="7203")),
    )
    tickets = desk.off_book.tickets
    desk.live("24 14:01")  # past midnight in New York
    assert [tickets[one].remaining for one in (here, there)] == [0, 10]
    desk.live("25 00:01")
    assert tickets[there].remaining == 0


def test_lists_are_chosen_by_exchange_side_state_symbol_and_business_date() -> None:
    desk = Desk(at="24 10:00")  # in New York it is still the 23rd
    price = f"{desk.off_book.price('AAPL')}"
    number(desk.stock(OVRS_ORD_UNPR=price))
    number(desk.stock("us_sell", PDNO="IBM", OVRS_EXCG_CD="NYSE", OVRS_ORD_UNPR="9000.00"))
    number(desk.stock("japan_buy", OVRS_EXCG_CD="TKSE", PDNO="7203"))
    everything = {"PDNO": "%", "OVRS_EXCG_CD": "%", "SLL_BUY_DVSN": "00", "CCLD_NCCS_DVSN": "00"}
    everything |= {"ORD_STRT_DT": "20261123", "ORD_END_DT": "20261124", "SORT_SQN": "DS"}

    def symbols(**params: str) -> list[str]:
        answer = desk.ask("overseas_stock/inquire_ccnl", **(everything | params))
        return [row["pdno"] for row in answer.outputs["output"]]

    assert symbols() == ["AAPL", "IBM", "7203"]
    assert symbols(SORT_SQN="AS") == ["7203", "IBM", "AAPL"]
    assert symbols(ORD_END_DT="20261123") == ["AAPL", "IBM"]
    assert symbols(OVRS_EXCG_CD="NASD") == ["AAPL", "IBM"]
    assert symbols(OVRS_EXCG_CD="NYSE") == ["IBM"]
    assert symbols(SLL_BUY_DVSN="01") == ["IBM"]
    assert symbols(CCLD_NCCS_DVSN="01") == ["AAPL"]
    assert symbols(CCLD_NCCS_DVSN="02") == ["IBM", "7203"]
    assert symbols(PDNO="7203") == ["7203"]
    open_orders = desk.ask("overseas_stock/inquire_nccs", OVRS_EXCG_CD="NASD", SORT_SQN="DS")
    assert [row["pdno"] for row in open_orders.outputs["output"]] == ["IBM"]
    assert open_orders.outputs["output"][0]["nccs_qty"] == "10"


def test_a_notice_tells_kind_and_span() -> None:
    desk = Desk()
    desk.stock("us_sell", ORD_DVSN="34", OVRS_ORD_UNPR="9000.00")
    desk.stock(ORD_DVSN="36", START_TIME="110000", END_TIME="120000")
    (first, loc), (_, vwap) = desk.notices()
    assert (first, loc["order_kind"]) == ("H0GSCNI0", "D")
    assert (vwap["split_start_time"], vwap["split_end_time"]) == ("110000", "120000")


@pytest.mark.parametrize("text", ["", "999999", "x"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    answer = Desk().stock(ORD_DVSN="35", START_TIME=text)
    assert (answer.rt_cd, answer.msg_cd) == (("0", "APBK0013") if not text else ("2", "OPSQ2001"))
