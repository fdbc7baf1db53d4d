"""Calls about firms agree with one another."""

from __future__ import annotations

import pytest

from bridge.simulator.exchange.securities import securities
from tests.unit.simulator.rest.board.conftest import NOW, Desktop

NAME = "domestic_stock/"
SYMBOLS = ("005930", "970000", "980090")


def statement(desktop: Desktop, kind: str, symbol: str, quarter: str = "0") -> list[dict[str, str]]:
    return desktop.rows(f"{NAME}finance_{kind}", FID_INPUT_ISCD=symbol, FID_DIV_CLS_CODE=quarter)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_statements_add_up_and_ratios_follow_from_them(desktop: Desktop, symbol: str) -> None:
    sheet = statement(desktop, "balance_sheet", symbol)
    income = statement(desktop, "income_statement", symbol)
    ratio = statement(desktop, "financial_ratio", symbol)
    profit = statement(desktop, "profit_ratio", symbol)
    stability = statement(desktop, "stability_ratio", symbol)
    growth = statement(desktop, "growth_ratio", symbol)
    assert [row["stac_yymm"] for row in sheet[:2]] == ["202512", "202412"]
    for one, earned, part, kept in zip(sheet, income, profit, stability, strict=True):
        total = float(one["total_lblt"]) + float(one["total_cptl"])
        assert float(one["total_aset"]) == pytest.approx(total, abs=0.011)
        assert float(one["total_aset"]) == pytest.approx(
            float(one["cras"]) + float(one["fxas"]), abs=0.011
        )
        gross = float(earned["sale_account"]) - float(earned["sale_cost"])
        assert float(earned["sale_totl_prfi"]) == pytest.approx(gross, abs=1.01)
        margin = float(earned["thtr_ntin"]) / float(earned["sale_account"]) * 100
        assert float(part["sale_ntin_rate"]) == pytest.approx(margin, abs=0.02)
        debts = float(one["total_lblt"]) / float(one["total_cptl"]) * 100
        assert float(kept["lblt_rate"]) == pytest.approx(debts, abs=0.02)
    sales = [float(row["sale_account"]) for row in income[:2]]
    assert float(growth[0]["grs"]) == pytest.approx((sales[0] / sales[1] - 1) * 100, abs=0.02)
    price = desktop.price(symbol)
    assert (price["eps"], price["bps"]) == (ratio[0]["eps"], ratio[0]["bps"])
    assert len(statement(desktop, "balance_sheet", symbol, "1")) > len(sheet)


def test_basics_agree_with_price_and_dividends_with_statements(desktop: Desktop) -> None:
    row = desktop.row(NAME + "search_stock_info", PDNO="970000", PRDT_TYPE_CD="300")
    price = desktop.price("970000")
    assert (row["lstg_stqt"], row["thdt_clpr"], row["papr"]) == (
        price["lstn_stcn"],
        price["stck_prpr"],
        price["stck_fcam"],
    )
    assert row["prdt_name"] == "모의가람전자"
    paid = desktop.rows(
        NAME + "ksdinfo_dividend", "output1", GB1="0", F_DT="20250101", T_DT="20261231"
    )
    assert {one["record_date"] for one in paid} == {"20251231"}
    [others] = [
        row
        for row in statement(desktop, "other_major_ratios", paid[0]["sht_cd"])
        if row["stac_yymm"] == paid[0]["record_date"][:6]
    ]
    assert float(others["payout_rate"]) > 0
    assert paid[0]["divi_pay_dt"].count("/") == 2


def test_new_shares_are_listed_when_the_calendar_of_their_issue_says(desktop: Desktop) -> None:
    days = {"F_DT": "20260101", "T_DT": "20261231"}
    issues = desktop.rows(NAME + "ksdinfo_bonus_issue", "output1", **days)
    listed = desktop.rows(NAME + "ksdinfo_list_info", "output1", **days)
    assert issues
    told = {(row["sht_cd"], row["list_dt"].replace("/", "")) for row in listed}
    known = [one for one in issues if one["list_date"] <= f"{NOW:%Y%m%d}"]
    assert known
    assert {(one["sht_cd"], one["list_date"]) for one in known} <= told
    one = issues[0]
    assert desktop.rows(
        NAME + "ksdinfo_bonus_issue",
        "output1",
        SHT_CD=one["sht_cd"],
        F_DT=one["record_date"],
        T_DT=one["record_date"],
    ) == [one]


@pytest.mark.parametrize(
    "call",
    [
        *("paidin_capin", "bonus_issue", "dividend", "purreq", "merger_split", "rev_split"),
        *("cap_dcrs", "list_info", "pub_offer", "forfeit", "mand_deposit", "sharehld_meet"),
    ],
)
def test_a_calendar_keeps_to_its_days_however_far_they_are(desktop: Desktop, call: str) -> None:
    block = "output" if call == "paidin_capin" else "output1"
    rows = desktop.rows(f"{NAME}ksdinfo_{call}", block, F_DT="00010101", T_DT="99991231")
    assert 0 < len(rows) <= 100
    assert desktop.rows(f"{NAME}ksdinfo_{call}", block, F_DT="20300101", T_DT="20291231") == []
    assert desktop.ask(f"{NAME}ksdinfo_{call}", F_DT="yesterday").msg_cd.startswith("OPSQ200")


def test_news_is_simulated_the_latest_first_and_never_of_the_future(desktop: Desktop) -> None:
    rows = desktop.rows(NAME + "news_title")
    assert len(rows) == 40
    assert all(row["hts_pbnt_titl_cntt"].startswith("[모의]") for row in rows)
    numbers = [row["cntt_usiq_srno"] for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert max(row["data_tm"] for row in rows) <= "100000"
    assert desktop.rows(NAME + "news_title", FID_INPUT_SRNO=numbers[5])[0] == rows[6]
    assert desktop.rows(NAME + "news_title", FID_INPUT_DATE_1="20261128") == []
    symbol = rows[3]["iscd1"]
    about = desktop.rows(NAME + "news_title", FID_INPUT_ISCD=symbol)
    assert {row["iscd1"] for row in about} == {symbol}


def test_opinions_are_of_the_asked_days_and_members_agree_with_stocks(desktop: Desktop) -> None:
    days = {"FID_INPUT_DATE_1": "20261101", "FID_INPUT_DATE_2": "20261127"}
    every = desktop.rows(NAME + "invest_opbysec", FID_INPUT_ISCD="999", **days)
    assert every
    assert all("20261101" <= row["stck_bsop_date"] <= "20261127" for row in every)
    one = every[0]
    own = desktop.rows(NAME + "invest_opinion", FID_INPUT_ISCD=one["stck_shrn_iscd"], **days)
    assert one["hts_goal_prc"] in {row["hts_goal_prc"] for row in own}


def test_lists_come_in_pages_that_lose_nothing(desktop: Desktop) -> None:
    first = desktop.outputs(NAME + "credit_by_company", FID_SLCT_YN="0")["output"]
    refused = desktop.outputs(NAME + "credit_by_company", FID_SLCT_YN="1")["output"]
    assert len(first) + len(refused) == len(securities())
    symbols: list[str] = []
    key = ""
    for mark in ("F", "E"):
        answer = desktop.ask(
            NAME + "lendable_by_company",
            tr_cont="N" if key else "",
            THCO_STLN_PSBL_YN="Y",
            CTX_AREA_NK100=key,
        )
        assert answer.tr_cont == mark
        symbols += [row["pdno"] for row in answer.outputs["output1"]]
        key = answer.outputs["ctx_area_nk100"].strip()
    assert not key
    assert len(symbols) == len(set(symbols)) > 100


def test_groups_of_interest_name_what_they_hold_and_quote_it(desktop: Desktop) -> None:
    group = desktop.rows(NAME + "intstock_grouplist", "output2", USER_ID="somebody")[0]
    rows = desktop.rows(
        NAME + "intstock_stocklist_by_group", "output2", INTER_GRP_CODE=group["inter_grp_code"]
    )
    assert len(rows) == int(group["ask_cnt"])
    asked = {f"FID_INPUT_ISCD_{place}": row["jong_code"] for place, row in enumerate(rows, 1)}
    quoted = desktop.rows(NAME + "intstock_multprice", **asked)
    assert [row["inter_shrn_iscd"] for row in quoted] == list(asked.values())
    assert quoted[0]["inter2_prpr"] == desktop.price(quoted[0]["inter_shrn_iscd"])["stck_prpr"]


def test_saved_searches_find_what_the_rankings_find(desktop: Desktop) -> None:
    [search, *_] = desktop.rows(NAME + "psearch_title", "output2", USER_ID="somebody")
    rows = desktop.rows(NAME + "psearch_result", "output2", SEQ=search["seq"])
    ranked = desktop.rows(NAME + "volume_rank", FID_BLNG_CLS_CODE="0")
    assert [row["code"] for row in rows] == [row["mksc_shrn_iscd"] for row in ranked]


def test_only_what_moved_far_was_interrupted(desktop: Desktop) -> None:
    rows = desktop.rows(NAME + "inquire_vi_status")
    assert rows
    for row in rows:
        assert abs(float(row["vi_dprt"])) >= 10
    ups = desktop.rows(NAME + "inquire_vi_status", FID_DIV_CLS_CODE="1")
    assert all(float(row["vi_dprt"]) > 0 for row in ups)
