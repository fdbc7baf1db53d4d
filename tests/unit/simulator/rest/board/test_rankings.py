"""Rankings rank what they say, keep to what is asked, and agree with the price of each symbol."""

from __future__ import annotations

import pytest

from bridge.simulator.exchange.securities import find, securities
from tests.unit.simulator.rest.board.conftest import Desktop

NAME = "domestic_stock/"
SORTED = [
    # call, parameters, what is ranked, highest first
    ("volume_rank", {"FID_BLNG_CLS_CODE": "0"}, "acml_vol", True),
    ("volume_rank", {"FID_BLNG_CLS_CODE": "1"}, "vol_inrt", True),
    ("volume_rank", {"FID_BLNG_CLS_CODE": "2"}, "vol_tnrt", True),
    ("volume_rank", {"FID_BLNG_CLS_CODE": "3"}, "acml_tr_pbmn", True),
    ("volume_rank", {"FID_BLNG_CLS_CODE": "4"}, "tr_pbmn_tnrt", True),
    ("fluctuation", {"FID_RANK_SORT_CLS_CODE": "0", "FID_PRC_CLS_CODE": "1"}, "prdy_ctrt", True),
    ("fluctuation", {"FID_RANK_SORT_CLS_CODE": "1", "FID_PRC_CLS_CODE": "1"}, "prdy_ctrt", False),
    (
        "fluctuation",
        {"FID_RANK_SORT_CLS_CODE": "0", "FID_PRC_CLS_CODE": "0"},
        "lwpr_vrss_prpr_rate",
        True,
    ),
    ("fluctuation", {"FID_RANK_SORT_CLS_CODE": "0", "FID_INPUT_CNT_1": "5"}, "prd_rsfl_rate", True),
    ("market_cap", {}, "stck_avls", True),
    ("volume_power", {}, "tday_rltv", True),
    ("quote_balance", {"FID_RANK_SORT_CLS_CODE": "0"}, "total_ntsl_bidp_rsqn", True),
    ("quote_balance", {"FID_RANK_SORT_CLS_CODE": "1"}, "total_ntsl_bidp_rsqn", False),
    ("quote_balance", {"FID_RANK_SORT_CLS_CODE": "3"}, "seln_rsqn_rate", True),
    ("bulk_trans_num", {"FID_RANK_SORT_CLS_CODE": "1"}, "seln_cntg_csnu", True),
    ("top_interest_stock", {}, "inter_issu_reg_csnu", True),
    ("exp_trans_updown", {"FID_RANK_SORT_CLS_CODE": "3"}, "prdy_ctrt", False),
    ("disparity", {"FID_HOUR_CLS_CODE": "60"}, "d60_dsrt", True),
    ("disparity", {"FID_RANK_SORT_CLS_CODE": "1", "FID_HOUR_CLS_CODE": "5"}, "d5_dsrt", False),
    ("near_new_highlow", {"FID_PRC_CLS_CODE": "0"}, "hprc_near_rate", True),
    ("near_new_highlow", {"FID_PRC_CLS_CODE": "1"}, "lwpr_near_rate", False),
    ("short_sale", {}, "ssts_cntg_qty", True),
    ("traded_by_company", {"FID_RANK_SORT_CLS_CODE": "1"}, "shnu_cnqn_smtn", True),
    ("frgnmem_trade_estimate", {"FID_RANK_SORT_CLS_CODE": "1"}, "glob_ntsl_qty", False),
    ("foreign_institution_total", {"FID_DIV_CLS_CODE": "0"}, "ntby_qty", True),
    ("after_hour_balance", {"FID_RANK_SORT_CLS_CODE": "3"}, "ovtm_total_askp_rsqn", True),
    ("profit_asset_index", {"FID_RANK_SORT_CLS_CODE": "3"}, "thtr_ntin", True),
    ("profit_asset_index", {"FID_RANK_SORT_CLS_CODE": "4"}, "total_aset", True),
    ("finance_ratio", {"FID_RANK_SORT_CLS_CODE": "11"}, "bis", True),
    ("market_value", {"FID_RANK_SORT_CLS_CODE": "23"}, "per", True),
    ("market_value", {"FID_RANK_SORT_CLS_CODE": "27"}, "eps", True),
    ("prefer_disparate_ratio", {}, "dprt", True),
]


@pytest.mark.parametrize(("call", "params", "field", "highest"), SORTED)
def test_a_ranking_is_sorted_by_what_it_ranks(
    desktop: Desktop, call: str, params: dict[str, str], field: str, highest: bool
) -> None:
    rows = desktop.rows(NAME + call, **params)
    values = [float(row[field]) for row in rows]
    assert values == sorted(values, reverse=highest)
    assert 10 <= len(rows) <= 30
    assert len({row.get("mksc_shrn_iscd") or row["stck_shrn_iscd"] for row in rows}) == len(rows)
    if "data_rank" in rows[0]:
        assert [int(row["data_rank"]) for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    ("call", "params", "field", "highest"),
    [
        ("credit_balance", {"FID_RANK_SORT_CLS_CODE": "1"}, "whol_loan_rmnd_stcn", True),
        ("credit_balance", {"FID_RANK_SORT_CLS_CODE": "5"}, "whol_stln_rmnd_rate", True),
        ("overtime_volume", {"FID_RANK_SORT_CLS_CODE": "2"}, "ovtm_untp_vol", True),
        ("overtime_fluctuation", {"FID_DIV_CLS_CODE": "5"}, "ovtm_untp_prdy_ctrt", False),
    ],
)
def test_so_is_one_beside_totals(
    desktop: Desktop, call: str, params: dict[str, str], field: str, highest: bool
) -> None:
    rows = desktop.rows(NAME + call, "output2", **params)
    values = [float(row[field]) for row in rows]
    assert len(values) == 30
    assert values == sorted(values, reverse=highest)


def test_a_ranking_says_what_the_price_of_each_symbol_says() -> None:
    desktop = Desktop()
    ranked = desktop.rows(NAME + "volume_rank")
    rows = ranked[:8] + desktop.rows(NAME + "market_cap")[:8]
    assert not desktop.exchange.markets  # no order book is opened for a ranking
    for row in rows:
        price = desktop.price(row["mksc_shrn_iscd"])
        for name in ("stck_prpr", "prdy_vrss", "prdy_vrss_sign", "prdy_ctrt", "acml_vol"):
            assert row[name] == price[name], (row["mksc_shrn_iscd"], name)
        assert row["lstn_stcn"] == price["lstn_stcn"]
    # and it still says so of markets that are open by now
    assert desktop.rows(NAME + "volume_rank") == ranked


def test_nothing_outside_the_ranking_is_traded_more_than_its_last(desktop: Desktop) -> None:
    rows = desktop.rows(NAME + "volume_rank")
    least = int(rows[-1]["acml_vol"])
    ranked = {row["mksc_shrn_iscd"] for row in rows}
    others = [symbol for symbol in securities() if symbol not in ranked]
    volumes = [
        int(desktop.row("domestic_stock/inquire_price", FID_INPUT_ISCD=symbol)["acml_vol"])
        for symbol in others[::12]
    ]
    assert max(volumes) <= least


def test_markets_classes_and_ranges_are_kept_to(desktop: Desktop) -> None:
    def symbols(call: str, **params: str) -> list[str]:
        rows = desktop.rows(NAME + call, **params)
        return [row.get("mksc_shrn_iscd") or row["stck_shrn_iscd"] for row in rows]

    for symbol in symbols("market_cap", FID_INPUT_ISCD="1001"):
        assert securities()[symbol].board == "kosdaq"
    for symbol in symbols("market_cap", FID_INPUT_ISCD="2001"):
        assert "2001" in securities()[symbol].groups
    preferred = symbols("market_cap", FID_DIV_CLS_CODE="2")
    assert len(preferred) == 10
    assert all(securities()[symbol].common for symbol in preferred)
    assert symbols("disparity", FID_DIV_CLS_CODE="3") == []  # nothing here is under a warning
    rows = desktop.rows(NAME + "volume_rank", FID_INPUT_PRICE_1="5000", FID_INPUT_PRICE_2="9000")
    assert rows
    assert all(5_000 <= int(row["stck_prpr"]) <= 9_000 for row in rows)
    rows = desktop.rows(NAME + "fluctuation", FID_VOL_CNT="100000", FID_RSFL_RATE1="0.5")
    assert all(int(row["acml_vol"]) >= 100_000 for row in rows)
    assert all(float(row["prdy_ctrt"]) >= 0.5 for row in rows)
    funds = symbols("volume_rank", FID_TRGT_EXLS_CLS_CODE="0000001100", FID_INPUT_PRICE_1="1")
    found = [find(symbol) for symbol in funds]
    assert all(one is not None and one.kind == "stock" for one in found)
    assert [
        row["data_rank"]
        for row in desktop.rows(NAME + "top_interest_stock", FID_INPUT_CNT_1="10")[:2]
    ] == ["10", "11"]


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("volume_rank", {"FID_INPUT_PRICE_1": "cheap"}),
        ("volume_rank", {"FID_INPUT_PRICE_1": "NaN"}),
        ("volume_rank", {"FID_BLNG_CLS_CODE": "9"}),
        ("fluctuation", {"FID_INPUT_CNT_1": "9" * 30}),
        ("profit_asset_index", {"FID_INPUT_OPTION_1": "20²6"}),
        ("quote_balance", {"FID_RANK_SORT_CLS_CODE": "x"}),
    ],
)
def test_what_cannot_be_read_is_an_input_error(
    desktop: Desktop, call: str, params: dict[str, str]
) -> None:
    assert desktop.ask(NAME + call, **params).msg_cd == "OPSQ2001"


def test_the_same_seed_ranks_the_same_and_another_one_otherwise(desktop: Desktop) -> None:
    call = NAME + "volume_rank"
    assert Desktop().rows(call) == desktop.rows(call)
    assert Desktop(8).rows(call) != desktop.rows(call)


def test_measures_of_the_price_come_from_the_statements(desktop: Desktop) -> None:
    row = desktop.price("970000")
    assert float(row["per"]) == pytest.approx(int(row["stck_prpr"]) / float(row["eps"]), abs=0.01)
    assert float(row["pbr"]) == pytest.approx(int(row["stck_prpr"]) / float(row["bps"]), abs=0.01)
    [ranked] = [
        one
        for one in desktop.rows(
            NAME + "market_value", FID_INPUT_ISCD="0001", FID_RANK_SORT_CLS_CODE="23"
        )
        if one["mksc_shrn_iscd"] == "970000"
    ] or [row]
    assert (ranked["per"], ranked["eps"]) == (row["per"], row["eps"])
    assert int(row["w52_lwpr"]) <= int(row["stck_prpr"]) <= int(row["w52_hgpr"])


def test_preferred_shares_stand_beside_their_common_ones(desktop: Desktop) -> None:
    row = desktop.rows(NAME + "prefer_disparate_ratio")[0]
    common, preferred = int(row["stck_prpr"]), int(row["prst_prpr"])
    assert securities()[row["prst_iscd"]].common == row["mksc_shrn_iscd"]
    assert int(row["diff_prpr"]) == common - preferred
    assert desktop.price(row["prst_iscd"])["stck_prpr"] == row["prst_prpr"]


def test_dividends_are_paid_out_of_a_year_and_ranked_by_their_rate(desktop: Desktop) -> None:
    rows = desktop.rows(
        NAME + "dividend_rate", "output1", GB3="2", GB4="0", F_DT="20250101", T_DT="20261231"
    )
    rates = [float(row["divi_rate"]) for row in rows]
    assert len(rows) == 30
    assert rates == sorted(rates, reverse=True)
    assert {row["record_date"] for row in rows} == {"20251231"}
