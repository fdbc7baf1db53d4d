from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.tickets import OrderRequest, Ticket
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings
from tests.unit.simulator.exchange.quiet_market import clear

CATALOG = load()
NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
NUMBER, PENSION, SYMBOL, FUND = "12345678-01", "12345678-29", "100000", "069500"
TRADING = "/uapi/domestic-stock/v1/trading/"
DAYS = {"INQR_STRT_DT": "20260922", "INQR_END_DT": "20261231"}
FEE = 0.000140527


class Desk:
    """A real account whose one market is quiet at 10,000 won: a test trades with it."""

    def __init__(self, *, hours: bool = True) -> None:
        accounts = [
            with_holdings(NUMBER, 10**8, [(SYMBOL, 100, 9_000)]),
            with_holdings(PENSION, 10**7, []),
        ]
        calendar = Calendar(CATALOG.hours) if hours else None
        self.exchange = Exchange(seed=1, calendar=calendar, accounts=accounts)
        self.handlers = Handlers(
            self.exchange, CATALOG, SimulatorSettings(environment="real", manual=True)
        )
        self.now = NOW
        self.quiet()

    def quiet(self, price: int = 10_000) -> None:
        self.market = self.exchange.market(SYMBOL, self.now)
        clear(self.market, price)

    def day(self, days: int, price: int = 10_000) -> None:
        self.now += timedelta(days=days)
        self.quiet(price)

    def trade(
        self, side: Side, quantity: int, price: int, credit: str = "", lent_on: str = ""
    ) -> Ticket:
        """Let an order meet somebody who wants just that."""
        self.market.book.add(Order(side.other, price, quantity))
        request = OrderRequest(
            NUMBER, SYMBOL, side, quantity, price, credit=credit, lent_on=lent_on
        )
        ticket = self.exchange.place(request, self.now)
        assert ticket.filled == quantity
        return ticket

    def call(
        self,
        name: str,
        params: Mapping[str, str] | None = None,
        *,
        variant: str = "",
        product: str = "01",
        cont: str = "",
    ) -> Answer:
        account = {"CANO": "12345678", "ACNT_PRDT_CD": product}
        call = self.handlers.calls[TRADING + name]
        return self.handlers.answer(call, variant, account | dict(params or {}), cont, self.now)

    def __call__(self, name: str, params: Mapping[str, str] | None = None, **more: str) -> Any:
        answer = self.call(name, params, **more)
        assert answer.rt_cd == "0", answer
        return answer.outputs


def numbers(row: Mapping[str, str], *names: str) -> list[float]:
    return [float(row[name]) for name in names]


def test_cash_arrives_two_trading_days_later() -> None:
    desk = Desk()
    desk.trade(Side.SELL, 10, 10_000)
    net = 100_000 - int(100_000 * FEE) - 200
    names = ("dnca_tot_amt", "nxdy_excc_amt", "prvs_rcdl_excc_amt")

    def cash() -> list[float]:
        return numbers(desk("inquire-balance")["output2"][0], *names)

    assert cash() == [10**8, 10**8, 10**8 + net]
    desk.day(1)
    assert cash() == [10**8, 10**8 + net, 10**8 + net]
    # A holiday on Thursday and Friday, and a weekend.
    desk.day(4)
    assert cash() == [10**8, 10**8 + net, 10**8 + net]
    desk.day(2)
    assert cash() == [10**8 + net] * 3


def test_the_balance_adds_up() -> None:
    desk = Desk()
    desk.trade(Side.BUY, 50, 10_000)
    desk.trade(Side.BUY, 10, 10_000, "21", "20260922")
    desk.trade(Side.SELL, 20, 10_000, "22", "20260922")
    outputs = desk("inquire-balance", {"INQR_DVSN": "01"})
    total = outputs["output2"][0]
    rows = {row["trad_dvsn_name"]: row for row in outputs["output1"]}
    assert {name: row["hldg_qty"] for name, row in rows.items()} == {
        "현금": "150",
        "자기융자": "10",
        "유통대주": "20",
    }
    assert rows["자기융자"]["loan_amt"] == total["tot_loan_amt"] == "55000"
    assert rows["자기융자"]["expd_dt"] == "20261221"
    assert rows["유통대주"]["stln_slng_chgs"] == total["tot_stln_slng_chgs"] == "200000"
    stocks, whole, net, cash = numbers(
        total, "scts_evlu_amt", "tot_evlu_amt", "nass_amt", "prvs_rcdl_excc_amt"
    )
    assert stocks == 160 * 10_000
    assert whole == cash + stocks + 200_000
    assert net == whole - 55_000 - 200_000
    assert float(total["evlu_pfls_smtl_amt"]) == sum(
        float(row["evlu_pfls_amt"]) for row in rows.values()
    )
    base = desk.market.listing.base
    assert float(total["bfdy_tot_asst_evlu_amt"]) == 10**8 + 100 * base
    assert float(total["asst_icdc_amt"]) == whole - 10**8 - 100 * base


def test_loans_of_several_days_are_one_row_by_symbol() -> None:
    desk = Desk()
    desk.trade(Side.BUY, 10, 10_000, "21", "20260922")
    desk.day(1)
    desk.trade(Side.BUY, 5, 10_000, "21", "20260923")
    by_day = desk("inquire-balance", {"INQR_DVSN": "01"})["output1"]
    assert [(row["loan_dt"], row["hldg_qty"]) for row in by_day] == [
        *(("", "100"), ("20260922", "10"), ("20260923", "5")),
    ]
    by_symbol = desk("inquire-balance", {"INQR_DVSN": "02"})["output1"]
    assert [(row["trad_dvsn_name"], row["hldg_qty"]) for row in by_symbol] == [
        *(("현금", "100"), ("자기융자", "15")),
    ]


def test_profit_is_the_same_in_every_report() -> None:
    desk = Desk()
    desk.trade(Side.SELL, 40, 10_000)
    fee, tax = int(400_000 * FEE), 800
    gain = 400_000 - 360_000 - fee - tax
    today = desk("inquire-balance-rlz-pl")["output2"][0]
    assert today["rlzt_pfls"] == str(gain)
    assert int(today["real_evlu_pfls"]) == gain + 60 * 1_000
    by_day = desk("inquire-period-profit", DAYS)
    by_trade = desk("inquire-period-trade-profit", DAYS)
    for outputs in (by_day, by_trade):
        (row,) = outputs["output1"]
        assert numbers(row, "rlzt_pfls", "fee", "tl_tax") == [gain, fee, tax]
        total = outputs["output2"]
        assert numbers(total, "tot_rlzt_pfls", "sll_tr_amt_smtl", "sll_fee_smtl") == [
            *(gain, 400_000, fee),
        ]
    assert numbers(by_trade["output1"][0], "hldg_qty", "pchs_unpr", "sll_pric") == [
        *(60, 9_000, 10_000),
    ]
    ordered = desk("inquire-daily-ccld", DAYS)["output2"]
    assert int(ordered["prsm_tlex_smtl"]) == fee + tax


def test_profits_are_listed_by_day_and_symbol() -> None:
    desk = Desk()
    desk.trade(Side.SELL, 1, 10_000)
    desk.day(1)
    desk.trade(Side.SELL, 1, 10_000)
    recent = desk("inquire-period-profit", DAYS | {"SORT_DVSN": "00"})["output1"]
    assert [row["trad_dt"] for row in recent] == ["20260923", "20260922"]
    older = desk("inquire-period-profit", DAYS | {"SORT_DVSN": "01"})["output1"]
    assert older == recent[::-1]
    assert desk("inquire-period-trade-profit", DAYS | {"PDNO": "005930"})["output1"] == []
    one_day = DAYS | {"INQR_END_DT": "20260922"}
    assert len(desk("inquire-period-profit", one_day)["output1"]) == 1


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, 3),
        ({"SLL_BUY_DVSN_CD": "02"}, 2),
        ({"CCLD_DVSN": "01"}, 2),
        ({"CCLD_DVSN": "02"}, 1),
        ({"EXCG_ID_DVSN_CD": "NXT"}, 1),
        ({"EXCG_ID_DVSN_CD": "ALL"}, 3),
        ({"INQR_DVSN_3": "01"}, 2),
        ({"INQR_DVSN_3": "02"}, 1),
        ({"INQR_DVSN_3": "06"}, 1),
        ({"INQR_DVSN_3": "07"}, 0),
        ({"INQR_DVSN_1": "1"}, 0),
        ({"ORD_GNO_BRNO": "91252"}, 3),
        ({"ORD_GNO_BRNO": "00001"}, 0),
        ({"INQR_END_DT": "20260921"}, 0),
    ],
)
def test_every_filter_of_the_list_of_orders(params: dict[str, str], expected: int) -> None:
    desk = Desk()
    desk.trade(Side.SELL, 1, 10_000)
    desk.trade(Side.BUY, 1, 10_000, "21", "20260922")
    desk.exchange.place(OrderRequest(NUMBER, SYMBOL, Side.BUY, 1, 9_000, venue="NXT"), NOW)
    assert len(desk("inquire-daily-ccld", DAYS | params)["output1"]) == expected


def test_older_orders_are_in_the_other_list() -> None:
    desk = Desk()
    desk.trade(Side.SELL, 1, 10_000)

    def lists() -> list[int]:
        return [
            len(desk("inquire-daily-ccld", DAYS, variant=variant)["output1"])
            for variant in ("within_3_months", "before_3_months")
        ]

    assert lists() == [1, 0]
    desk.day(100)
    assert lists() == [0, 1]


def test_a_list_of_credit_orders_tells_kind_and_day() -> None:
    desk = Desk()
    desk.trade(Side.BUY, 3, 10_000, "23", "20260922")
    desk.trade(Side.SELL, 1, 10_000, "27", "20260922")
    rows = desk("inquire-daily-ccld", DAYS | {"INQR_DVSN": "01"})["output1"]
    assert [(row["sll_buy_dvsn_cd_name"], row["loan_dt"]) for row in rows] == [
        *(("유통융자매수", "20260922"), ("유통융자상환매도", "20260922")),
    ]


class TestOrderable:
    @pytest.mark.parametrize(
        ("call", "credit"),
        [("inquire-psbl-order", ""), ("inquire-credit-psamount", "21")],
    )
    def test_that_much_is_taken_and_not_one_share_more(self, call: str, credit: str) -> None:
        desk = Desk()
        asked = {"PDNO": SYMBOL, "ORD_UNPR": "10000", "ORD_DVSN": "00", "CRDT_TYPE": credit}
        most = int(desk(call, asked)["output"]["max_buy_qty"])
        lent_on = "20260922" if credit else ""
        for quantity, taken in ((most + 1, False), (most, True)):
            params = {
                "PDNO": SYMBOL,
                "ORD_QTY": str(quantity),
                "ORD_UNPR": "10000",
                "ORD_DVSN": "00",
                "CRDT_TYPE": credit,
                "LOAN_DT": lent_on,
            }
            name = "order-credit" if credit else "order-cash"
            assert (desk.call(name, params, variant="buy").rt_cd == "0") is taken
        assert int(desk(call, asked)["output"]["max_buy_qty"]) == 0

    def test_what_was_sold_can_be_used_again_before_it_arrives(self) -> None:
        desk = Desk()
        desk.trade(Side.SELL, 100, 10_000)
        row = desk("inquire-psbl-order", {"PDNO": "", "ORD_UNPR": "", "ORD_DVSN": "00"})["output"]
        net = 1_000_000 - int(1_000_000 * FEE) - 2_000
        assert numbers(row, "ord_psbl_cash", "ruse_psbl_amt", "nrcvb_buy_amt") == [
            *(10**8, net, 10**8 + net),
        ]

    def test_shares_that_an_order_speaks_for_cannot_be_sold_again(self) -> None:
        desk = Desk()
        desk.exchange.place(OrderRequest(NUMBER, SYMBOL, Side.SELL, 30, 11_000), NOW)
        row = desk("inquire-psbl-sell", {"PDNO": SYMBOL})["output1"]
        assert numbers(row, "cblc_qty", "ord_psbl_qty") == [100, 70]
        none = desk("inquire-psbl-sell", {"PDNO": "005930"})["output1"]
        assert numbers(none, "cblc_qty", "ord_psbl_qty") == [0, 0]

    def test_what_is_borrowed_says_how_much_can_be_given_back(self) -> None:
        desk = Desk()
        desk.trade(Side.SELL, 7, 10_000, "24", "20260922")
        asked = {"PDNO": SYMBOL, "ORD_UNPR": "10000", "ORD_DVSN": "00", "CRDT_TYPE": "28"}
        assert desk("inquire-credit-psamount", asked)["output"]["max_buy_qty"] == "7"

    def test_the_margin_statement_says_the_same(self) -> None:
        desk = Desk()
        desk.exchange.place(OrderRequest(NUMBER, SYMBOL, Side.BUY, 30, 9_000), NOW)
        margin = desk("intgr-margin")["output"]
        row = desk("inquire-psbl-order", {"PDNO": SYMBOL, "ORD_UNPR": "1"})["output"]
        assert float(margin["stck_cash_ord_psbl_amt"]) == float(row["ord_psbl_cash"])
        used = 270_000 + int(270_000 * FEE)
        assert float(margin["stck_cash_use_amt"]) == used


def test_the_asset_statement_agrees_with_the_balance() -> None:
    desk = Desk()
    desk.trade(Side.BUY, 10, 10_000, "21", "20260922")
    balance = desk("inquire-balance")["output2"][0]
    assets = desk("inquire-account-balance")
    total = assets["output2"]
    assert len(assets["output1"]) == 19
    assert total["nass_tot_amt"] == balance["nass_amt"] == assets["output1"][18]["real_nass_amt"]
    assert total["loan_amt_smtl"] == balance["tot_loan_amt"]
    assert total["tot_asst_amt"] == balance["tot_evlu_amt"]


def test_orders_that_can_be_changed_are_those_that_wait() -> None:
    desk = Desk()
    kept = desk.exchange.place(OrderRequest(NUMBER, SYMBOL, Side.BUY, 30, 9_000), NOW)
    desk.trade(Side.SELL, 1, 10_000)
    rows = desk("inquire-psbl-rvsecncl")["output"]
    assert [(row["odno"], row["psbl_qty"]) for row in rows] == [(kept.number, "30")]
    assert desk("inquire-psbl-rvsecncl", {"INQR_DVSN_2": "1"})["output"] == []
    desk.now = NOW.replace(hour=15, minute=31)
    assert desk("inquire-psbl-rvsecncl")["output"] == []


def test_firms_here_pay_no_dividends() -> None:
    answer = Desk().call("period-rights", DAYS)
    assert (answer.rt_cd, answer.outputs["output1"]) == ("0", [])


class TestPension:
    def bought(self) -> Desk:
        desk = Desk()
        price = desk.exchange.market(FUND, NOW).book.best(Side.SELL)
        desk.exchange.place(OrderRequest(PENSION, FUND, Side.BUY, 2, price), NOW)
        return desk

    def test_its_reports_agree(self) -> None:
        desk = self.bought()
        balance = desk("pension/inquire-balance", product="29")
        present = desk("pension/inquire-present-balance", product="29")
        deposit = desk("pension/inquire-deposit", product="29")["output"]
        (held,), (shown,) = balance["output1"], present["output1"]
        assert held["hldg_qty"] == shown["hldg_qty"] == "2"
        assert held["evlu_amt"] == shown["evlu_amt"]
        total = balance["output2"]
        assert deposit["dnca_tota"] == total["dnca_tot_amt"]
        # It is paid for in two days.
        paid = int(total["prvs_rcdl_excc_amt"]) - int(total["dnca_tot_amt"])
        assert int(deposit["nx2_day_sttl_amt"]) == paid < 0

    def test_its_orders_are_listed_by_what_became_of_them(self) -> None:
        desk = self.bought()
        low = desk.exchange.market(FUND, NOW).lower
        desk.exchange.place(OrderRequest(PENSION, FUND, Side.BUY, 1, low, venue="NXT"), NOW)
        for variant, state, expected in (
            ("krx_nxt_sor", "%%", 2),
            ("krx_nxt_sor", "02", 1),
            ("krx_nxt_sor", "01", 1),
            ("krx_only", "%%", 1),
        ):
            params = {"CCLD_NCCS_DVSN": state, "SLL_BUY_DVSN_CD": "00"}
            rows = desk("pension/inquire-daily-ccld", params, variant=variant, product="29")
            assert len(rows["output"]) == expected

    def test_it_buys_no_stocks(self) -> None:
        desk = Desk()
        order = {"PDNO": SYMBOL, "ORD_QTY": "1", "ORD_UNPR": "10000", "ORD_DVSN": "00"}
        answer = desk.call("order-cash", order, variant="buy", product="29")
        assert (answer.rt_cd, answer.msg_cd) == ("7", "APBK1552")

    def test_what_it_can_buy_is_what_is_taken(self) -> None:
        desk = Desk()
        price = str(desk.exchange.market(FUND, NOW).lower)
        asked = {"PDNO": FUND, "ORD_UNPR": price, "ORD_DVSN": "00"}
        most = int(desk("pension/inquire-psbl-order", asked, product="29")["output"]["max_buy_qty"])
        for quantity, code in ((most + 1, "7"), (most, "0")):
            order = asked | {"ORD_QTY": str(quantity)}
            answer = desk.call("order-cash", order, variant="buy", product="29")
            assert answer.rt_cd == code

    def test_other_accounts_have_no_pension(self) -> None:
        assert Desk().call("pension/inquire-balance").msg_cd == "APAC0081"
