"""Orders and balances of stocks overseas."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge.catalog.compile import load
from bridge.kis.decode import notice_values
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.stock_accounts import OverseasStockAccounts
from bridge.simulator.rest.overseas.stock_lists import OverseasStockLists
from bridge.simulator.rest.overseas.stock_orders import OverseasStockOrders
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream.notices import off_book_notice

CATALOG = load()
NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Asia/Seoul"))
ACCOUNT = {"CANO": "12345678", "ACNT_PRDT_CD": "01"}
BUY = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORD_QTY": "4", "OVRS_ORD_UNPR": "1"}


class Calls:
    def __init__(self) -> None:
        settings = SimulatorSettings(environment="real")
        self.off_book = OffBook(settings.seed, settings.accounts)
        self.handlers: dict[str, Handler] = {}
        for family in (OverseasStockOrders, OverseasStockLists, OverseasStockAccounts):
            self.handlers |= family(self.off_book, CATALOG, settings).handlers()

    def ask(self, name: str, variant: str = "", cont: str = "", **params: str) -> Answer:
        return self.handlers[name](variant, ACCOUNT | params, cont, NOW)

    def buy(self, **params: str) -> str:
        answer = self.ask("overseas_stock/order", "us_buy", **(BUY | params))
        return str(answer.outputs["output"]["ODNO"])


def test_what_crosses_fills_and_the_rest_waits_for_its_price() -> None:
    calls = Calls()
    last = calls.off_book.price("AAPL")
    first, second = calls.buy(OVRS_ORD_UNPR=f"{last}"), calls.buy()
    tickets = calls.off_book.tickets
    assert (tickets[first].filled, tickets[first].value) == (4, 4 * last)
    assert tickets[second].remaining == 4
    calls.off_book.move("AAPL", Decimal("0.99"), NOW)
    assert tickets[second].value == 4
    assert [event.kind for event in calls.off_book.events].count("filled") == 3
    before = calls.off_book.price("MSFT")
    calls.buy(PDNO="MSFT", OVRS_ORD_UNPR="0.01")
    calls.off_book.live(NOW)
    assert calls.off_book.price("MSFT") != before


def test_changes_move_or_end_what_is_left() -> None:
    calls = Calls()
    number = calls.buy()
    change = {"ORGN_ODNO": number, "ORD_QTY": "3", "OVRS_ORD_UNPR": "2"}
    modified = calls.ask("overseas_stock/order_rvsecncl", "us", **change, RVSE_CNCL_DVSN_CD="01")
    moved = calls.off_book.tickets[modified.outputs["output"]["ODNO"]]
    assert (moved.quantity, moved.price, moved.original) == (3, Decimal(2), number)
    with pytest.raises(OrderRefused, match="left"):
        calls.ask("overseas_stock/order_rvsecncl", "us", **change, RVSE_CNCL_DVSN_CD="02")
    with pytest.raises(OrderRefused, match="kind"):
        calls.ask("overseas_stock/order_rvsecncl", "shanghai_cancel_only", **change)
    with pytest.raises(OrderRefused, match="order"):
        calls.ask("overseas_stock/order_rvsecncl", "us", **(change | {"ORGN_ODNO": "7"}))


@pytest.mark.parametrize(
    ("variant", "params", "reason"),
    [
        ("us_sell", {"ORD_QTY": "101"}, "holdings"),
        ("us_buy", {"OVRS_ORD_UNPR": "0"}, "no_price"),
        ("us_buy", {"ORD_QTY": "0"}, "quantity"),
        ("us_buy", {"ORD_QTY": "x"}, "quantity"),
        ("us_buy", {"PDNO": ""}, "symbol"),
        ("us_buy", {"CANO": "1"}, "account"),
        ("us_buy", {"ORD_QTY": "9999", "OVRS_ORD_UNPR": "250"}, "cash"),
        ("us_sell", {"PDNO": "XYZ"}, "holdings"),
        ("us_buy", {"OVRS_EXCG_CD": "SEHK"}, "symbol"),
        ("us_buy", {"OVRS_EXCG_CD": "MOON"}, "symbol"),
    ],
)
def test_what_is_refused(variant: str, params: dict[str, str], reason: str) -> None:
    with pytest.raises(OrderRefused, match=reason):
        Calls().ask("overseas_stock/order", variant, **(BUY | params))


def test_lists_come_in_pages() -> None:
    calls = Calls()
    for _ in range(21):
        calls.buy()
    days = {"ORD_STRT_DT": "20261122", "ORD_END_DT": "20261123"}
    first = calls.ask("overseas_stock/inquire_ccnl", **days)
    assert (first.tr_cont, len(first.outputs["output"])) == ("F", 20)
    key = first.outputs["ctx_area_nk200"]
    second = calls.ask("overseas_stock/inquire_ccnl", cont="N", CTX_AREA_NK200=key, **days)
    assert (second.tr_cont, len(second.outputs["output"])) == ("E", 1)
    held = calls.ask("overseas_stock/inquire_balance", OVRS_EXCG_CD="NASD")
    assert held.outputs["output1"][0]["ovrs_cblc_qty"] == "100"


def test_an_overseas_balance_adds_up() -> None:
    calls = Calls()
    base = calls.off_book.price("AAPL")
    calls.buy(ORD_QTY="100", OVRS_ORD_UNPR=f"{base}")
    calls.off_book.move("AAPL", base + 10, NOW)
    sell = BUY | {"ORD_QTY": "50", "OVRS_ORD_UNPR": f"{base + 10}"}
    calls.ask("overseas_stock/order", "us_sell", **sell)
    calls.ask("overseas_stock/order", "us_sell", **(sell | {"OVRS_ORD_UNPR": f"{base + 99}"}))
    answer = calls.ask("overseas_stock/inquire_balance", OVRS_EXCG_CD="NASD").outputs
    rows, totals = answer["output1"], answer["output2"]
    row = next(one for one in rows if one["ovrs_pdno"] == "AAPL")
    # What waits to be sold is still held; the simulated account began with 100.
    assert (row["ovrs_cblc_qty"], row["ord_psbl_qty"], row["tr_crcy_cd"]) == ("150", "100", "USD")
    assert Decimal(row["pchs_avg_pric"]) == base
    assert Decimal(row["frcr_pchs_amt1"]) == 150 * base
    assert Decimal(totals["frcr_pchs_amt1"]) == sum(Decimal(x["frcr_pchs_amt1"]) for x in rows)
    assert Decimal(totals["tot_evlu_pfls_amt"]) == 1500
    # 0.25 % and a tax of 0.00206 % of two executions of 25.
    costs = 2 * ((base + 10) * 25 * Decimal("0.0025")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    costs += 2 * ((base + 10) * 25 * Decimal("0.0000206")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(totals["ovrs_rlzt_pfls_amt"]) == 500 - costs
    assert Decimal(totals["ovrs_tot_pfls"]) == 2000 - costs
    assert Decimal(totals["frcr_buy_amt_smtl1"]) == 100 * base
    other = calls.ask("overseas_stock/inquire_balance", OVRS_EXCG_CD="TKSE").outputs
    assert [one["ovrs_pdno"] for one in other["output1"]] == ["7203"]
    assert Decimal(other["output2"]["ovrs_rlzt_pfls_amt"]) == 0


def test_a_balance_has_every_member_of_the_workbook() -> None:
    name = "overseas_stock/inquire_balance"
    answer = Calls().ask(name, OVRS_EXCG_CD="NASD").outputs
    for output in CATALOG.apis[name].outputs:
        if output.name == "output2":
            assert set(answer["output2"]) == {field.name for field in output.fields}


def test_notices_fill_the_layouts_of_their_channels() -> None:
    calls = Calls()
    calls.buy(OVRS_ORD_UNPR="9999")
    tr_id, values = off_book_notice(calls.off_book.events[-1], hts_id="x")
    channel = CATALOG.channels[tr_id]
    body = "^".join(str(values.get(field.name, "")) for field in channel.layouts[0].fields)
    [read] = notice_values(channel, 1, body)
    assert (read["filled"], read["symbol"], read["overseas_class"]) == ("2", "AAPL", "6")
    assert Decimal(read["price"]).scaleb(-4) == calls.off_book.price("AAPL")
