from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import calls
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

CATALOG = load()
CALLS = calls(CATALOG)
NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
ACCOUNT = {"CANO": "12345678", "ACNT_PRDT_CD": "01"}
NUMBER = "12345678-01"
DOMESTIC = "/uapi/domestic-stock/v1/"
DAYS = {"INQR_STRT_DT": "20260922", "INQR_END_DT": "20260922"}


class Calls:
    """Calls by the last part of a path."""

    def __init__(self, settings: SimulatorSettings | None = None) -> None:
        settings = settings or SimulatorSettings(manual=True)
        account = with_holdings(NUMBER, 10**8, [("005930", 100, 270_000)])
        self.exchange = Exchange(
            seed=1,
            calendar=None if settings.hours == "always" else Calendar(CATALOG.hours),
            accounts=[account],
        )
        self.handlers = Handlers(self.exchange, CATALOG, settings)

    def __call__(
        self,
        name: str,
        params: Mapping[str, str] | None = None,
        *,
        variant: str = "",
        now: datetime = NOW,
    ) -> Answer:
        (path,) = (one for one in CALLS if re.fullmatch(f"{DOMESTIC}[a-z]+/{name}", one))
        return self.handlers.answer(CALLS[path], variant, ACCOUNT | dict(params or {}), "", now)


def test_every_call_of_the_catalog_is_answered_under_its_tr_ids() -> None:
    for api in CATALOG.apis.values():
        if api.category == "auth":
            continue
        call = CALLS[api.path]
        assert call.api is api
        for tr in api.tr_ids:
            assert tr.real in call.real
            assert not tr.paper or tr.paper in call.paper


def test_rows_have_every_field_of_the_workbook_as_text() -> None:
    calls = Calls()
    calls.exchange.place(OrderRequest(NUMBER, "005930", Side.BUY, 1, 200_000), NOW)
    daily = calls("inquire-daily-ccld", DAYS).outputs["output1"][0]
    balance = calls("inquire-balance").outputs
    for api, block, row in (
        ("inquire_daily_ccld", "output1", daily),
        ("inquire_balance", "output1", balance["output1"][0]),
        ("inquire_balance", "output2", balance["output2"][0]),
    ):
        (output,) = (
            output
            for output in CATALOG.apis[f"domestic_stock/{api}"].outputs
            if output.name == block
        )
        assert {field.name for field in output.fields} <= set(row)
        assert all(isinstance(value, str) for value in row.values())


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, 4),
        ({"SLL_BUY_DVSN_CD": "01"}, 1),
        ({"SLL_BUY_DVSN_CD": "02"}, 3),
        ({"PDNO": "000660"}, 1),
        ({"CCLD_DVSN": "01"}, 1),
        ({"CCLD_DVSN": "02"}, 2),
        ({"INQR_STRT_DT": "20260923"}, 0),
        ({"ODNO": "1"}, 0),
    ],
)
def test_daily_orders_are_chosen(params: dict[str, str], expected: int) -> None:
    calls = Calls()
    place = calls.exchange.place
    place(OrderRequest(NUMBER, "005930", Side.SELL, 1, kind="01"), NOW)
    place(OrderRequest(NUMBER, "005930", Side.BUY, 1, 200_000), NOW)
    kept = place(OrderRequest(NUMBER, "000660", Side.BUY, 2, 1_000_000), NOW)
    calls.exchange.cancel(NUMBER, kept.number, quantity=1, now=NOW)
    if params.get("PDNO") == "000660":
        expected = 2
    answer = calls("inquire-daily-ccld", DAYS | params)
    assert len(answer.outputs["output1"]) == expected
    assert answer.tr_cont == "D"


def test_daily_orders_say_what_became_of_an_order() -> None:
    calls = Calls()
    ticket = calls.exchange.place(OrderRequest(NUMBER, "005930", Side.BUY, 5, 200_000), NOW)
    calls.exchange.cancel(NUMBER, ticket.number, quantity=2, now=NOW)
    days = DAYS | {"INQR_DVSN": "01"}
    first, second = calls("inquire-daily-ccld", days).outputs["output1"]
    assert (first["cncl_yn"], first["cnc_cfrm_qty"], first["rmn_qty"]) == ("N", "2", "3")
    assert (second["cncl_yn"], second["orgn_odno"]) == ("Y", ticket.number)
    calls.exchange.cancel(NUMBER, ticket.number, quantity=None, now=NOW)
    first = calls("inquire-daily-ccld", days).outputs["output1"][0]
    assert (first["cncl_yn"], first["cnc_cfrm_qty"], first["rmn_qty"]) == ("Y", "5", "0")


@pytest.mark.parametrize(
    ("hour", "environment", "code"),
    [(8, "paper", "40570000"), (16, "paper", "40580000"), (16, "real", "APBK0919")],
)
def test_outside_the_hours(hour: int, environment: str, code: str) -> None:
    settings = SimulatorSettings(hours="krx", manual=True)
    if environment == "real":
        settings = replace(settings, environment="real")
    order = {"PDNO": "005930", "ORD_QTY": "1", "ORD_UNPR": "274000", "ORD_DVSN": "00"}
    answer = Calls(settings)("order-cash", order, variant="buy", now=NOW.replace(hour=hour))
    assert answer.msg_cd == code
    assert answer.rt_cd != "0"


def test_an_unwatched_market_catches_up_when_it_is_asked_for() -> None:
    calls = Calls(SimulatorSettings())
    asked = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}
    first = calls("inquire-price", asked).outputs["output"]
    later = calls("inquire-price", asked, now=NOW + timedelta(seconds=3)).outputs["output"]
    assert int(later["acml_vol"]) > int(first["acml_vol"])
    book = calls("inquire-asking-price-exp-ccn", asked).outputs["output1"]
    assert int(book["bidp1"]) < int(book["askp1"])


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("inquire-price", {"FID_COND_MRKT_DIV_CODE": "J"}, "OPSQ2001"),
        ("order-cash", {"PDNO": "005930", "ORD_QTY": "1", "ORD_DVSN": "00"}, "OPSQ2001"),
        ("order-rvsecncl", {"ORGN_ODNO": "1", "QTY_ALL_ORD_YN": "Y"}, "OPSQ2001"),
        (
            "order-rvsecncl",
            {"ORGN_ODNO": "1", "QTY_ALL_ORD_YN": "Y", "RVSE_CNCL_DVSN_CD": "03"},
            "OPSQ2001",
        ),
        (
            "order-rvsecncl",
            {"ORGN_ODNO": "1", "QTY_ALL_ORD_YN": "Y", "RVSE_CNCL_DVSN_CD": "02"},
            "40320000",
        ),
        ("inquire-daily-ccld", {}, "OPSQ2001"),
        ("chk-holiday", {"BASS_DT": "x"}, "OPSQ2001"),
        ("inquire-balance", {"CANO": "1"}, "APAC0081"),
        ("inquire-psbl-order", {"CANO": "1"}, "APAC0081"),
        ("search-info", {"PDNO": "AAPL", "PRDT_TYPE_CD": "300"}, "KIER2620"),
    ],
)
def test_bad_parameters(name: str, params: dict[str, str], code: str) -> None:
    answer = Calls()(name, params, variant="buy")
    assert (answer.msg_cd, answer.rt_cd == "0") == (code, False)


@pytest.mark.parametrize(
    ("kind", "symbol", "name"),
    [
        ("300", "005930", "삼성전자"),
        ("301", "A01612", "KOSPI200 F 202612"),
        ("302", "KR2033022D33", ""),
        ("512", "AAPL", "AAPL"),
        ("512", "PLTR", "PLTR"),
        ("513", "IBM", "IBM"),
        ("501", "00700", "00700"),
        ("515", "7203", "7203"),
    ],
)
def test_every_kind_of_product_has_a_name(kind: str, symbol: str, name: str) -> None:
    row = Calls()("search-info", {"PDNO": symbol, "PRDT_TYPE_CD": kind}).outputs["output"]
    assert row["prdt_name"].startswith(name.partition(" ")[0])
    assert row["prdt_name"]


@pytest.mark.parametrize(
    ("kind", "symbol"),
    [("513", "AAPL"), ("512", "IBM"), ("512", "005930"), ("301", "005930"), ("999", "AAPL")],
)
def test_a_symbol_is_of_one_kind(kind: str, symbol: str) -> None:
    assert Calls()("search-info", {"PDNO": symbol, "PRDT_TYPE_CD": kind}).msg_cd == "KIER2620"


def test_what_can_be_bought() -> None:
    row = Calls()("inquire-psbl-order", {"PDNO": "005930", "ORD_UNPR": ""}).outputs["output"]
    assert (row["psbl_qty_calc_unpr"], row["max_buy_qty"]) == ("356000", "280")


def test_the_minute_chart_is_what_was_traded_in_each_minute() -> None:
    calls = Calls()
    market = calls.exchange.market("005930", NOW)
    prints = []
    for second in range(0, 45 * 60, 4):
        calls.exchange.act("005930", NOW + timedelta(seconds=second))
        prints += market.collect()
    asked = {
        "FID_COND_MRKT_DIV_CODE": "J",
        "FID_INPUT_ISCD": "005930",
        "FID_INPUT_HOUR_1": "103959",
        "FID_PW_DATA_INCU_YN": "N",
        "FID_ETC_CLS_CODE": "",
    }
    later = NOW + timedelta(minutes=50)
    rows = calls("inquire-time-itemchartprice", asked, now=later).outputs["output2"]
    assert [row["stck_cntg_hour"] for row in rows] == [f"10{m:02}00" for m in range(39, 9, -1)]
    for row, before in pairwise(rows):
        minute = [one for one in prints if f"{one.at:%H%M}00" == row["stck_cntg_hour"]]
        prices = [one.price for one in minute]
        assert [int(row[f"stck_{what}"]) for what in ("oprc", "hgpr", "lwpr", "prpr")] == [
            *(prices[0], max(prices), min(prices), prices[-1])
        ]
        assert int(row["cntg_vol"]) == sum(one.quantity for one in minute)
        traded = sum(one.price * one.quantity for one in minute)
        assert int(row["acml_tr_pbmn"]) - int(before["acml_tr_pbmn"]) == traded
    last = calls("inquire-time-itemchartprice", asked | {"FID_INPUT_HOUR_1": "000001"}, now=later)
    assert last.outputs["output2"] == []
    wrong = calls("inquire-time-itemchartprice", asked | {"FID_INPUT_HOUR_1": "ten"}, now=later)
    assert wrong.msg_cd == "OPSQ2001"
