"""Any orders, prices and cancellations: all calls of an account tell the same, after each step.

What should be told is added up here from the lists of executions alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.simulator.off_book.listings import FIRST_MARGIN, FIRST_MONEY
from bridge.simulator.rest.answers import Row
from tests.unit.simulator.rest.overseas.desk import Desk

STOCK, FUTURE = "overseas_stock/", "overseas_futureoption/"
DAYS = {"ORD_STRT_DT": "20261101", "ORD_END_DT": "20261231", "STRT_DT": "20261101"}
DAYS |= {"ERLM_STRT_DT": "20261101", "ERLM_END_DT": "20261231", "END_DT": "20261231"}
DAYS |= {"INQR_STRT_DT": "20261101", "INQR_END_DT": "20261231"}
DAYS |= {"INQR_TERM_FROM_DT": "20261101", "INQR_TERM_TO_DT": "20261231"}
STOCKS = {"AAPL": ("NASD", "us", "USD"), "7203": ("TKSE", "japan", "JPY")}
STOCKS |= {"00700": ("SEHK", "hongkong", "HKD")}
CONTRACTS = {"ESZ26": Decimal(50), "OESZ26 C6700": Decimal(50), "HSIZ26": Decimal(50)}
NEAR = Decimal("0.01")
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*STOCKS, *CONTRACTS]),
        st.sampled_from(["buy", "buy", "sell", "sell", "move", "modify", "cancel", "reserve"]),
        st.integers(1, 60),
        st.integers(-12, 12),
    ),
    max_size=8,
)


@dataclass
class Holding:
    quantity: int = 0
    cost: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)


@dataclass
class Sums:
    """What executions make of an account."""

    cash: dict[str, Decimal]
    held: dict[str, Holding] = field(default_factory=lambda: defaultdict(Holding))

    def trade(
        self, symbol: str, sign: int, quantity: int, price: Decimal, fees: Decimal, *, of: str
    ) -> None:
        """Add an execution; ``of`` is the money it is paid in."""
        one, point = self.held[symbol], CONTRACTS.get(symbol, Decimal(1))
        closing = min(quantity, abs(one.quantity)) if one.quantity * sign < 0 else 0
        given = one.cost * closing / abs(one.quantity) if closing else Decimal(0)
        gain = (given - closing * price * point) * sign
        one.cost += (quantity - closing) * price * point - given
        one.quantity += sign * quantity
        one.realized += gain - (fees * closing / quantity if symbol in STOCKS else 0)
        future = symbol in CONTRACTS and " " not in symbol
        self.cash[of] += (gain if future else -sign * quantity * price * point) - fees


def rows(desk: Desk, name: str, block: str, **params: str) -> list[Row]:
    """Return all pages of a list."""
    found: list[Row] = []
    cont, key = "", ""
    while True:
        areas = {"CTX_AREA_NK100": key, "CTX_AREA_NK200": key}
        answer = desk.ask(name, cont=cont, **(DAYS | params | areas))
        assert answer.rt_cd == "0", answer
        found += answer.outputs[block]
        if answer.tr_cont not in ("F", "M"):
            return found
        cont = "N"
        key = str(answer.outputs.get("ctx_area_nk200", answer.outputs.get("ctx_area_nk100")))


def number(row: Row, name: str) -> Decimal:
    return Decimal(row[name])


@settings(max_examples=12)
@given(STEPS)
@example([("AAPL", "buy", 60, -10), ("AAPL", "cancel", 5, 0), ("AAPL", "move", 1, -12)])
@example([("7203", "sell", 60, -5), ("7203", "buy", 31, 7), ("7203", "sell", 50, -1)])
@example([("ESZ26", "sell", 60, 0), ("ESZ26", "move", 1, -5), ("ESZ26", "buy", 20, 0)])
def test_all_calls_agree_after_each_step(steps: list[tuple[str, str, int, int]]) -> None:
    desk = Desk(at="24 10:00")
    first = {symbol: desk.off_book.price(symbol) for symbol in STOCKS}
    for count, (symbol, what, quantity, shift) in enumerate(steps):
        step(desk, symbol, what, quantity, shift)
        if what == "reserve":
            desk.live(f"24 {10 + count // 6}:{count % 6 * 10 + 5:02d}")
        stocks_agree(desk, first)
        futures_agree(desk)


def step(desk: Desk, symbol: str, what: str, quantity: int, shift: int) -> None:
    price = desk.off_book.price(symbol) + shift
    price = max(price, Decimal(1))
    market = "overseas_stock" if symbol in STOCKS else "overseas_derivative"
    account = "12345678-01" if symbol in STOCKS else "12345678-08"
    open_orders = [one for one in desk.off_book.of(market, account) if one.remaining]  # type: ignore[arg-type]
    oldest = open_orders[0] if open_orders else None
    if what == "move":
        desk.off_book.move(symbol, price, desk.now)
    elif symbol in STOCKS:
        exchange, variant, _ = STOCKS[symbol]
        where = {"OVRS_EXCG_CD": exchange, "PDNO": symbol}
        if what in ("buy", "sell"):
            desk.stock(
                f"{variant}_{what}", **where, ORD_QTY=f"{quantity}", OVRS_ORD_UNPR=f"{price}"
            )
        elif what == "reserve":
            order = {"FT_ORD_QTY": f"{quantity}", "FT_ORD_UNPR3": f"{price}"}
            desk.ask(
                "overseas_stock/order_resv",
                "us_buy" if variant == "us" else "asia",
                **where,
                **order,
                SLL_BUY_DVSN_CD="02",
            )
        elif oldest is not None:
            _, variant, _ = STOCKS[oldest.symbol]
            change = {"ORGN_ODNO": oldest.number, "ORD_QTY": f"{min(quantity, oldest.remaining)}"}
            change |= {"RVSE_CNCL_DVSN_CD": "01" if what == "modify" else "02"}
            change |= {"OVRS_ORD_UNPR": f"{max(Decimal(1), oldest.price + shift)}"}
            desk.ask("overseas_stock/order_rvsecncl", variant, **change)
    elif what in ("buy", "sell"):
        order = {"OVRS_FUTR_FX_PDNO": symbol, "FM_ORD_QTY": f"{quantity // 20 + 1}"}
        order |= {"SLL_BUY_DVSN_CD": "02" if what == "buy" else "01"}
        desk.future(**order, FM_LIMIT_ORD_PRIC=f"{price}")
    elif what in ("modify", "cancel") and oldest is not None:
        change = {"ORGN_ODNO": oldest.number, "ORGN_ORD_DT": f"{oldest.date:%Y%m%d}"}
        limit = f"{max(Decimal(1), oldest.price + shift)}"
        desk.ask(FUTURE + "order_rvsecncl", what, **change, FM_LIMIT_ORD_PRIC=limit)


def stocks_agree(desk: Desk, first: dict[str, Decimal]) -> None:
    sums = Sums(dict(FIRST_MONEY))
    for symbol, price in first.items():
        sums.held[symbol] = Holding(100, 100 * price)
    trades = rows(desk, STOCK + "inquire_period_trans", "output1")
    for one in trades:
        sign = 1 if one["sll_buy_dvsn_cd"] == "02" else -1
        fees = number(one, "dmst_frcr_fee1") + number(one, "frcr_fee1")
        quantity, price = int(one["ccld_qty"]), number(one, "ft_ccld_unpr2")
        sums.trade(one["pdno"], sign, quantity, price, fees, of=one["crcy_cd"])
        assert abs(number(one, "tr_frcr_amt2") - quantity * price) < NEAR
    orders = rows(desk, STOCK + "inquire_ccnl", "output", PDNO="%", OVRS_EXCG_CD="%")
    waiting = rows(desk, STOCK + "inquire_nccs", "output", OVRS_EXCG_CD="%", SORT_SQN="DS")
    left = {row["odno"]: row["nccs_qty"] for row in orders if row["nccs_qty"] != "0"}
    assert left == {row["odno"]: row["nccs_qty"] for row in waiting}
    for symbol, (exchange, _, currency) in STOCKS.items():
        mine = [row for row in trades if row["pdno"] == symbol]
        ordered = [row for row in orders if row["pdno"] == symbol]
        assert sum(int(row["ft_ccld_qty"]) for row in ordered) == sum(
            int(row["ccld_qty"]) for row in mine
        )
        asked = [row for row in waiting if row["pdno"] == symbol]
        stock_agrees(desk, sums, symbol, exchange, currency, asked)
    present = desk.ask(STOCK + "inquire_present_balance", WCRC_FRCR_DVSN_CD="02", NATN_CD="000")
    money = {row["crcy_cd"]: row for row in present.outputs["output2"]}
    margins = desk.ask(STOCK + "foreign_margin").outputs["output"]
    for row in margins:
        currency = row["crcy_cd"]
        assert abs(number(row, "frcr_dncl_amt1") - sums.cash[currency]) < NEAR
        assert abs(number(money[currency], "frcr_dncl_amt_2") - sums.cash[currency]) < NEAR
        promised = sum(
            Decimal(one["nccs_qty"]) * number(one, "ft_ord_unpr3")
            for one in waiting
            if one["tr_crcy_cd"] == currency and one["sll_buy_dvsn_cd"] == "02"
        )
        free = number(row, "frcr_ord_psbl_amt1")
        assert abs(sums.cash[currency] - promised * Decimal("1.0025") - free) < 1 + len(waiting)
        assert free >= 0
    in_won = present.outputs["output3"]
    rates = {row["crcy_cd"]: number(row, "frst_bltn_exrt") for row in present.outputs["output2"]}
    deposits = sum(sums.cash[currency] * rate for currency, rate in rates.items())
    assert abs(number(in_won, "frcr_evlu_tota") - deposits) <= len(rates)
    assert number(in_won, "tot_asst_amt") == (
        number(in_won, "dncl_amt")
        + number(in_won, "frcr_evlu_tota")
        + number(in_won, "evlu_amt_smtl")
    )


def stock_agrees(
    desk: Desk, sums: Sums, symbol: str, exchange: str, currency: str, waiting: list[Row]
) -> None:
    one, last = sums.held[symbol], desk.off_book.price(symbol)
    asked = {"OVRS_EXCG_CD": exchange, "CRCY_CD": currency}
    balance = rows(desk, STOCK + "inquire_balance", "output1", **asked)
    present = desk.ask(STOCK + "inquire_present_balance", WCRC_FRCR_DVSN_CD="02", NATN_CD="000")
    in_balance = [row for row in balance if row["ovrs_pdno"] == symbol]
    in_present = [row for row in present.outputs["output1"] if row["pdno"] == symbol]
    assert len(in_balance) == len(in_present) == bool(one.quantity)
    for row, told in zip(in_balance, in_present, strict=True):
        sales = sum(int(x["nccs_qty"]) for x in waiting if x["sll_buy_dvsn_cd"] == "01")
        assert int(row["ovrs_cblc_qty"]) == number(told, "ccld_qty_smtl1") == one.quantity
        assert int(row["ord_psbl_qty"]) == one.quantity - sales
        assert number(told, "ord_psbl_qty1") == one.quantity - sales
        assert abs(number(row, "frcr_pchs_amt1") - one.cost) < NEAR
        assert abs(number(told, "avg_unpr3") * one.quantity - one.cost) < NEAR
        assert abs(number(row, "frcr_evlu_pfls_amt") - (one.quantity * last - one.cost)) < NEAR
        assert abs(number(told, "evlu_pfls_amt2") - (one.quantity * last - one.cost)) < NEAR
    totals = desk.ask(STOCK + "inquire_balance", **asked).outputs["output2"]
    assert abs(number(totals, "ovrs_rlzt_pfls_amt") - one.realized) < NEAR
    profits = rows(desk, STOCK + "inquire_period_profit", "output1", **asked, PDNO=symbol)
    earned = sum((number(row, "ovrs_rlzt_pfls_amt") for row in profits), Decimal(0))
    assert abs(earned - one.realized) < NEAR * (1 + len(profits))
    can = desk.ask(STOCK + "inquire_psamount", **asked, ITEM_CD=symbol, OVRS_ORD_UNPR=f"{last}")
    able = can.outputs["output"]
    free = number(able, "frcr_ord_psbl_amt1")
    assert abs(int(able["max_ord_psbl_qty"]) - int(free / (last * Decimal("1.0025")))) <= 1


def futures_agree(desk: Desk) -> None:
    sums = Sums(dict(FIRST_MARGIN))
    trades = rows(desk, FUTURE + "inquire_daily_ccld", "output1", CRCY_CD="TUS")
    for one in trades:
        sign = 1 if one["sll_buy_dvsn_cd"] == "02" else -1
        name = "fm_opt_ccld_amt" if " " in one["ovrs_futr_fx_pdno"] else "fm_futr_ccld_amt"
        quantity, price = int(one["fm_ccld_qty"]), number(one, name)
        fees = number(one, "fm_fee")
        sums.trade(one["ovrs_futr_fx_pdno"], sign, quantity, price, fees, of=one["crcy_cd"])
    held = {row["ovrs_futr_fx_pdno"]: row for row in rows(desk, FUTURE + "inquire_unpd", "output")}
    assert set(held) == {symbol for symbol, one in sums.held.items() if one.quantity}
    for symbol, row in held.items():
        own, point = sums.held[symbol], CONTRACTS[symbol]
        short = row["sll_buy_dvsn_cd"] == "01"
        assert int(row["fm_ustl_qty"]) == abs(own.quantity)
        assert short is (own.quantity < 0)
        worth = abs(own.quantity) * desk.off_book.price(symbol) * point
        profit = own.cost - worth if short else worth - own.cost
        assert abs(number(row, "fm_evlu_pfls_amt") - profit) < NEAR
    orders = rows(desk, FUTURE + "inquire_daily_order", "output", CCLD_NCCS_DVSN="01")
    today = rows(desk, FUTURE + "inquire_ccld", "output", CCLD_NCCS_DVSN="01")
    assert [row["odno"] for row in orders] == [row["odno"] for row in today]
    assert sum(int(row["fm_ccld_qty"]) for row in orders) == sum(
        int(row["fm_ccld_qty"]) for row in trades
    )
    period = rows(desk, FUTURE + "inquire_period_ccld", "output2", CRCY_CD="TUS", FUOP_DVSN="00")
    for currency, cash in sums.cash.items():
        deposit = desk.ask(FUTURE + "inquire_deposit", CRCY_CD=currency).outputs["output"]
        margin = desk.ask(FUTURE + "margin_detail", CRCY_CD=currency).outputs["output"]
        assert abs(number(deposit, "fm_nxdy_dncl_amt") - cash) < NEAR
        assert deposit["fm_ord_psbl_amt"] == margin["fm_ord_psbl_amt"]
        assert deposit["fm_brkg_mgn_amt"] == margin["fm_brkg_mgn_amt"]
        adds = number(deposit, "fm_lqd_pfls_amt") + number(deposit, "fm_opt_tr_chgs")
        morning = number(deposit, "fm_dnca_rmnd")
        assert abs(morning + adds - number(deposit, "fm_fee") - cash) < NEAR * 5
        assert (
            abs(cash - number(margin, "fm_brkg_mgn_amt") - number(deposit, "fm_ord_psbl_amt"))
            < NEAR * 5
        )
        booked = rows(desk, FUTURE + "inquire_period_trans", "output", CRCY_CD=currency)
        if booked:
            assert abs(number(booked[-1], "fm_dncl_amt") - cash) < NEAR
            assert abs(number(booked[0], "fm_bf_dncl_amt") - FIRST_MARGIN[currency]) < NEAR
    counted = {
        row["ovrs_futr_fx_pdno"]: int(row["fm_buy_qty"]) - int(row["fm_sll_qty"]) for row in period
    }
    assert {symbol: count for symbol, count in counted.items() if count} == {
        symbol: one.quantity for symbol, one in sums.held.items() if one.quantity
    }


@pytest.mark.parametrize("country", ["840", "392", "704"])
def test_a_present_balance_is_chosen_by_country_and_told_in_won_as_well(country: str) -> None:
    desk = Desk(at="24 10:00")
    asked = {"NATN_CD": country, "TR_MKET_CD": "00"}
    foreign = desk.ask(STOCK + "inquire_present_balance", WCRC_FRCR_DVSN_CD="02", **asked).outputs
    won = desk.ask(STOCK + "inquire_present_balance", WCRC_FRCR_DVSN_CD="01", **asked).outputs
    assert len(foreign["output2"]) == 1
    rate = number(foreign["output2"][0], "frst_bltn_exrt")
    for one, other in zip(foreign["output1"], won["output1"], strict=True):
        assert abs(number(one, "frcr_evlu_amt2") * rate - number(other, "frcr_evlu_amt2")) <= 1
    assert foreign["output3"] == won["output3"]
    fractions = desk.ask(
        *(STOCK + "inquire_present_balance",), **asked, WCRC_FRCR_DVSN_CD="02", INQR_DVSN_CD="02"
    )
    assert fractions.outputs["output1"] == []


def test_profits_of_a_period_are_those_of_its_days_and_its_country() -> None:
    desk = Desk(at="24 10:00")  # the 23rd in New York
    price = f"{desk.off_book.price('AAPL')}"
    desk.stock("us_sell", OVRS_ORD_UNPR=price)
    asked = {"OVRS_EXCG_CD": "NASD", "CRCY_CD": "USD", "PDNO": ""}

    def profit(first: str, **params: str) -> list[Row]:
        days = {"INQR_STRT_DT": first, "INQR_END_DT": "20261130"}
        return rows(desk, STOCK + "inquire_period_profit", "output1", **(asked | days | params))

    assert [row["slcl_qty"] for row in profit("20261123")] == ["10"]
    assert profit("20261124") == profit("20261123", OVRS_EXCG_CD="TKSE", CRCY_CD="JPY") == []


def test_what_a_deposit_is_in_total_counts_every_currency() -> None:
    desk = Desk(at="24 10:00")
    total = desk.ask(FUTURE + "inquire_deposit", CRCY_CD="TKR").outputs["output"]
    dollars = desk.ask(FUTURE + "inquire_deposit", CRCY_CD="TUS").outputs["output"]
    assert number(total, "fm_nxdy_dncl_amt") > 300_000 * 1_400
    assert 300_000 < number(dollars, "fm_nxdy_dncl_amt") < 500_000


def test_what_can_be_ordered_of_a_contract_opens_and_closes() -> None:
    desk = Desk(at="24 10:00")
    price = f"{desk.off_book.price('ESZ26')}"
    desk.future(FM_LIMIT_ORD_PRIC=price, FM_ORD_QTY="3")

    def able(side: str) -> Row:
        asked = {"OVRS_FUTR_FX_PDNO": "ESZ26", "SLL_BUY_DVSN_CD": side, "FM_ORD_PRIC": "0"}
        row: Row = desk.ask(FUTURE + "inquire_psamount", **asked).outputs["output"]
        return row

    assert (able("01")["fm_lqd_psbl_qty"], able("02")["fm_lqd_psbl_qty"]) == ("3", "0")
    new = int(able("02")["fm_new_ord_psbl_qty"])
    assert desk.future(FM_LIMIT_ORD_PRIC=price, FM_ORD_QTY=f"{new + 1}").rt_cd == "7"
    assert desk.future(FM_LIMIT_ORD_PRIC=price, FM_ORD_QTY=f"{new}").rt_cd == "0"
