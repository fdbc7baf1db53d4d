"""Who trades a stock or a market adds up, over all calls that tell it."""

from __future__ import annotations

import pytest

from bridge.simulator.board.flows import GROUPS, INSTITUTIONS
from bridge.simulator.exchange.securities import securities
from tests.unit.simulator.rest.board.conftest import NOW, Desktop

NAME = "domestic_stock/"
SYMBOLS = ("005930", "970000", "980090")
_FIELDS = {"pe_fund": "ntby_vol", "etc_corp": "ntby_vol", "etc_orgt": "ntby_vol"}


def net(row: dict[str, str], group: str) -> int:
    return int(row[f"{group}_{_FIELDS.get(group, 'ntby_qty')}"])


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_all_groups_buy_and_sell_the_volume_of_each_day(desktop: Desktop, symbol: str) -> None:
    answer = desktop.outputs(
        NAME + "investor_trade_by_stock_daily",
        FID_INPUT_ISCD=symbol,
        FID_INPUT_DATE_1=f"{NOW:%Y%m%d}",
    )
    rows = answer["output2"]
    assert len(rows) == 30
    sides = [*INSTITUTIONS, "prsn", "frgn", "etc"]
    for row in rows:
        for side in ("seln", "shnu"):
            assert sum(int(row[f"{one}_{side}_vol"]) for one in sides) == int(row["acml_vol"])
            value = sum(int(row[f"{one}_{side}_tr_pbmn"]) for one in sides)
            assert value == int(row["acml_tr_pbmn"])
        assert sum(net(row, group) for group in GROUPS) == 0
        assert net(row, "orgn") == sum(net(row, group) for group in INSTITUTIONS)
        assert net(row, "frgn") == net(row, "frgn_reg") + net(row, "frgn_nreg")
        assert int(row["frgn_reg_bidp_qty"]) - int(row["frgn_reg_askp_qty"]) == net(row, "frgn_reg")
    today = desktop.price(symbol)
    assert rows[0]["acml_vol"] == today["acml_vol"]
    assert rows[0]["frgn_ntby_qty"] == today["frgn_ntby_qty"]
    plain = desktop.rows(NAME + "inquire_investor", FID_INPUT_ISCD=symbol)
    assert [row["prsn_ntby_qty"] for row in plain] == [row["prsn_ntby_qty"] for row in rows]


def test_a_market_is_the_sum_of_its_stocks(desktop: Desktop) -> None:
    [row] = desktop.rows(
        NAME + "inquire_investor_time_by_market", FID_INPUT_ISCD="KSQ", FID_INPUT_ISCD_2="1001"
    )
    stocks = [one.symbol for one in securities().values() if one.board == "kosdaq"]
    volume = 0
    for begin in range(0, len(stocks), 30):
        asked = {f"FID_INPUT_ISCD_{n}": one for n, one in enumerate(stocks[begin : begin + 30], 1)}
        rows = desktop.rows(NAME + "intstock_multprice", **asked)
        volume += sum(int(row["acml_vol"]) for row in rows)
    whole = sum(int(row[f"{one}_seln_vol"]) for one in ("prsn", "frgn", "orgn"))
    whole += sum(int(row[f"{one}_seln_vol"]) for one in ("etc_corp", "etc_orgt"))
    assert whole == volume
    [row] = desktop.rows(
        NAME + "inquire_investor_time_by_market", FID_INPUT_ISCD="K2I", FID_INPUT_ISCD_2="F001"
    )
    assert (
        sum(int(row[f"{one}_ntby_qty"]) for one in ("prsn", "frgn", "orgn"))
        + sum(int(row[f"{one}_ntby_vol"]) for one in ("etc_corp", "etc_orgt"))
        == 0
    )


def test_programs_are_arbitrage_and_the_rest_in_every_call(desktop: Desktop) -> None:
    [now] = desktop.rows(NAME + "comp_program_trade_today", "output1", FID_MRKT_CLS_CODE="K")
    arbitrage, rest = int(now["arbt_smtn_ntby_tr_pbmn"]), int(now["nabt_smtn_ntby_tr_pbmn"])
    assert int(now["whol_smtn_ntby_tr_pbmn"]) == arbitrage + rest
    by_investor = desktop.rows(
        NAME + "investor_program_trade_today", "output1", MRKT_DIV_CLS_CODE="1"
    )
    assert sum(int(row["all_ntby_amt"]) for row in by_investor) == arbitrage + rest
    assert sum(int(row["arbt_seln_amt"]) for row in by_investor) == int(
        now["arbt_smtn_seln_tr_pbmn"]
    )
    for row in desktop.rows(
        NAME + "comp_program_trade_daily",
        FID_MRKT_CLS_CODE="K",
        FID_INPUT_DATE_1="20261001",
        FID_INPUT_DATE_2="20261126",
    ):
        for what in ("seln_vol", "shnu_tr_pbmn"):
            parts = [int(row[f"{kind}_smtn_{what}"]) for kind in ("arbt", "nabt")]
            own = [int(row[f"whol_{who}_{what}"]) for who in ("onsl", "entm")]
            assert sum(parts) == sum(own)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_programs_and_members_of_a_stock_are_parts_of_its_sides(
    desktop: Desktop, symbol: str
) -> None:
    rows = desktop.rows(NAME + "program_trade_by_stock", FID_INPUT_ISCD=symbol)
    daily = desktop.rows(
        NAME + "program_trade_by_stock_daily",
        FID_INPUT_ISCD=symbol,
        FID_INPUT_DATE_1=f"{NOW:%Y%m%d}",
    )
    assert rows[0]["whol_smtn_ntby_qty"] == daily[0]["whol_smtn_ntby_qty"]
    assert rows[0]["whol_smtn_ntby_qty"] == desktop.price(symbol)["pgtr_ntby_qty"]
    members = desktop.row(NAME + "inquire_member", FID_INPUT_ISCD=symbol)
    sold = sum(int(members[f"total_seln_qty{place}"]) for place in range(1, 6))
    assert sold <= int(members["total_seln_qty1"]) * 100 // 24 + 5
    [one] = desktop.rows(
        NAME + "inquire_member_daily",
        FID_INPUT_ISCD=symbol,
        FID_INPUT_ISCD_2=members["seln_mbcr_no1"],
        FID_INPUT_DATE_1=f"{NOW:%Y%m%d}",
        FID_INPUT_DATE_2=f"{NOW:%Y%m%d}",
    )
    assert one["total_seln_qty"] == members["total_seln_qty1"]
    foreign = desktop.rows(NAME + "frgnmem_pchs_trend", FID_INPUT_ISCD=symbol)
    assert foreign[0]["glob_ntby_qty"] == members["glob_ntby_qty"]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_short_sales_and_volumes_by_price_and_amount_are_parts_of_the_volume(
    desktop: Desktop, symbol: str
) -> None:
    days = {"FID_INPUT_DATE_1": "20261101", "FID_INPUT_DATE_2": f"{NOW:%Y%m%d}"}
    rows = desktop.rows(NAME + "daily_short_sale", "output2", FID_INPUT_ISCD=symbol, **days)
    assert all(row["stck_bsop_date"] >= "20261101" for row in rows)
    assert all(int(row["ssts_cntg_qty"]) <= int(row["acml_vol"]) for row in rows)
    assert int(rows[0]["acml_ssts_cntg_qty"]) == sum(int(row["ssts_cntg_qty"]) for row in rows)
    volume = int(desktop.price(symbol)["acml_vol"])
    levels = desktop.rows(NAME + "pbar_tratio", "output2", FID_INPUT_ISCD=symbol)
    assert sum(int(row["cntg_vol"]) for row in levels) == volume
    amounts = desktop.rows(NAME + "tradprt_byamt", FID_INPUT_ISCD=symbol)
    assert sum(int(row["acml_vol"]) for row in amounts) == volume
    sides = desktop.outputs(NAME + "inquire_daily_trade_volume", FID_INPUT_ISCD=symbol, **days)
    assert int(sides["output1"]["shnu_cnqn_smtn"]) == sum(
        int(row["total_shnu_qty"]) for row in sides["output2"]
    )


def test_days_before_today_are_those_of_the_history(desktop: Desktop) -> None:
    rows = desktop.rows(
        NAME + "daily_credit_balance", FID_INPUT_ISCD="970000", FID_INPUT_DATE_1="20261126"
    )
    assert rows[0]["deal_date"] == "20261126"
    assert rows[0]["stck_prpr"] == desktop.price("970000")["stck_sdpr"]
    loans = desktop.rows(
        NAME + "daily_loan_trans",
        "output1",
        MRKT_DIV_CLS_CODE="3",
        MKSC_SHRN_ISCD="970000",
        START_DATE="20261110",
        END_DATE="20261126",
    )
    assert [loans[-1]["bsop_date"], loans[0]["bsop_date"]] == ["20261110", "20261126"]
    for row in desktop.rows(NAME + "investor_trend_estimate", "output2", MKSC_SHRN_ISCD="970000"):
        parts = int(row["frgn_fake_ntby_qty"]) + int(row["orgn_fake_ntby_qty"])
        assert parts == int(row["sum_fake_ntby_qty"])


def test_market_funds_and_rates_say_what_changed_since_the_day_before(desktop: Desktop) -> None:
    rows = desktop.rows(NAME + "mktfunds", FID_INPUT_DATE_1="20261126")
    change = int(rows[0]["cust_dpmn_amt"]) - int(rows[1]["cust_dpmn_amt"])
    assert int(rows[0]["cust_dpmn_amt_prdy_vrss"]) == change
    rates = desktop.outputs(NAME + "comp_interest")
    assert all("모의" in row["hts_kor_isnm"] for row in rates["output1"] + rates["output2"])
