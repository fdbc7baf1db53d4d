"""Warrants follow from their stocks, funds from what they hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.simulator.derivatives import pricing
from bridge.simulator.exchange.warrants import find_warrant, warrants_on
from tests.unit.simulator.rest.board.conftest import NOW, Desktop

LISTED = list(warrants_on(NOW.date()))
SYMBOL = LISTED[0].symbol


def test_a_symbol_says_all_about_its_warrant_and_those_near_their_end_are_gone() -> None:
    for one in LISTED:
        assert find_warrant(one.symbol) == one
        assert timedelta(20) <= one.expires(NOW.date()) - NOW.date() <= timedelta(110)
        assert one.expires(NOW.date()).weekday() == 3
    assert find_warrant("005930") is None
    assert find_warrant("56L999") is None
    assert len({one.symbol for one in LISTED}) == len(LISTED) >= 60


def test_theory_greeks_and_implied_volatility_belong_together(desktop: Desktop) -> None:
    [row] = desktop.rows("domestic_stock/inquire_elw_price", "output1", FID_INPUT_ISCD=SYMBOL)
    [told] = [
        one
        for one in desktop.rows(
            "elw/udrl_asset_price",
            FID_UNAS_INPUT_ISCD=LISTED[0].underlying,
            FID_MRKT_CLS_CODE="A",
            FID_INPUT_ISCD="00000",
        )
        if one["elw_shrn_iscd"] == SYMBOL
    ]
    stock = desktop.price(LISTED[0].underlying)
    assert int(float(row["unas_prpr"])) == int(stock["stck_prpr"])
    assert told["hts_thpr"] == row["hts_thpr"]
    right = LISTED[0].right(int(stock["stck_sdpr"]))
    spot, years = float(row["unas_prpr"]), int(told["hts_rmnn_dynu"]) / 365
    ratio = float(told["stck_cnvr_rate"])
    wide = float(told["hts_ints_vltl"]) / 100
    value = pricing.value(right, spot, years, wide) * ratio
    assert value == pytest.approx(int(row["elw_prpr"]), rel=0.02)
    assert 0 < float(told["delta_val"]) < 1
    assert float(told["gear"]) * float(told["delta_val"]) == pytest.approx(
        float(told["lvrg_val"]), abs=0.02
    )
    inner = float(told["invl_val"]) + float(told["tmvl_val"])
    assert inner == pytest.approx(int(row["elw_prpr"]), abs=0.01)


@pytest.mark.parametrize(
    ("call", "block", "code", "field", "highest"),
    [
        ("volume_rank", "output", "0", "acml_vol", True),
        ("volume_rank", "output", "3", "acml_tr_pbmn", True),
        ("updown_rate", "output", "0", "prdy_ctrt", True),
        ("updown_rate", "output", "1", "prdy_ctrt", False),
        ("sensitivity", "output", "0", "hts_thpr", True),
        ("sensitivity", "output", "1", "delta_val", True),
        ("sensitivity", "output", "6", "hts_ints_vltl", True),
        ("indicator", "output1", "1", "lvrg_val", True),
        ("indicator", "output1", "2", "acpr", True),
        ("quick_change", "output", "5", "total_askp_rsqn", True),
    ],
)
def test_rankings_of_warrants_are_sorted(
    desktop: Desktop, call: str, block: str, code: str, field: str, highest: bool
) -> None:
    rows = desktop.rows(f"elw/{call}", block, FID_RANK_SORT_CLS_CODE=code)
    values = [float(row[field]) for row in rows]
    assert len(values) == 30
    assert values == sorted(values, reverse=highest)


def test_lists_of_warrants_keep_to_what_is_asked(desktop: Desktop) -> None:
    puts = desktop.rows("elw/volume_rank", FID_DIV_CLS_CODE="2", FID_UNAS_INPUT_ISCD="005930")
    assert puts
    assert all("풋" in row["elw_kor_isnm"] for row in puts)
    assert {row["unas_shrn_iscd"] for row in puts} == {"005930"}
    assert len(desktop.rows("elw/udrl_asset_list")) == 5
    like = desktop.rows("elw/compare_stocks", FID_INPUT_ISCD="005930")
    assert len(like) == sum(one.underlying == "005930" for one in LISTED)
    soon = NOW.date() + timedelta(days=50)
    rows = desktop.rows(
        "elw/expiration_stocks",
        "output1",
        FID_INPUT_DATE_1=f"{NOW:%Y%m%d}",
        FID_INPUT_DATE_2=f"{soon:%Y%m%d}",
        FID_DIV_CLS_CODE="2",
    )
    assert rows
    assert all(row["stck_last_tr_date"] <= f"{soon:%Y%m%d}" for row in rows)
    cheap = desktop.rows("elw/cond_search", "output1", FID_PRPR_CNT2="300", FID_MRKT_CLS_CODE="CO")
    assert cheap
    assert all(int(row["elw_prpr"]) <= 300 and row["rght_type_name"] == "콜" for row in cheap)


@pytest.mark.parametrize(
    "call",
    ["indicator_trend_daily", "volatility_trend_daily", "sensitivity_trend_daily"],
)
def test_a_warrant_by_day_begins_with_today(desktop: Desktop, call: str) -> None:
    rows = desktop.rows(f"elw/{call}", FID_INPUT_ISCD=SYMBOL)
    [now] = desktop.rows("domestic_stock/inquire_elw_price", "output1", FID_INPUT_ISCD=SYMBOL)
    assert len(rows) == 30
    assert rows[0]["stck_bsop_date"] == f"{NOW:%Y%m%d}"
    assert rows[0]["elw_prpr"] == now["elw_prpr"]
    days = [row["stck_bsop_date"] for row in rows]
    assert days == sorted(days, reverse=True)
    assert desktop.rows(f"elw/{call}", FID_INPUT_ISCD="005930") == []


def test_what_a_fund_holds_is_worth_what_its_unit_is(desktop: Desktop) -> None:
    for symbol in ("069500", "990030"):
        answer = desktop.outputs("etfetn/inquire_component_stock_price", FID_INPUT_ISCD=symbol)
        first, rows = answer["output1"], answer["output2"]
        unit = int(float(first["nav"]) * int(first["etf_cu_unit_scrt_cnt"]))
        assert sum(int(row["etf_vltn_amt"]) for row in rows) == pytest.approx(unit, abs=1_000)
        assert len(rows) == int(first["etf_cnfg_issu_cnt"]) > 10
        assert sum(float(row["etf_cnfg_issu_rlim"]) for row in rows) == pytest.approx(100, abs=0.2)
        held = rows[3]
        assert held["stck_prpr"] == desktop.price(held["stck_shrn_iscd"])["stck_prpr"]
        price = desktop.row("etfetn/inquire_price", FID_INPUT_ISCD=symbol)
        now = desktop.row("etfetn/nav_comparison_trend", "output2", FID_INPUT_ISCD=symbol)
        days = desktop.rows("etfetn/nav_comparison_daily_trend", FID_INPUT_ISCD=symbol)
        minutes = desktop.rows("etfetn/nav_comparison_time_trend", FID_INPUT_ISCD=symbol)
        assert price["nav"] == now["nav"] == first["nav"] == days[0]["nav"] == minutes[0]["nav"]
        assert price["stck_prpr"] == desktop.price(symbol)["stck_prpr"]
