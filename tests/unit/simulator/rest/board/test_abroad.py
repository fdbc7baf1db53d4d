"""Stocks abroad: rankings rank, searches find, lists name what is listed."""

from __future__ import annotations

import pytest

from bridge.simulator.history.abroad import EXCHANGES, find_abroad, listed_abroad
from tests.unit.simulator.rest.board.conftest import Desktop

NAME = "overseas_stock/"


@pytest.mark.parametrize(
    ("call", "params", "field", "highest"),
    [
        ("trade_vol", {"NDAY": "0"}, "tvol", True),
        ("trade_vol", {"NDAY": "3"}, "a_tvol", True),
        ("trade_pbmn", {"NDAY": "0"}, "tamt", True),
        ("trade_growth", {"NDAY": "2"}, "n_rate", True),
        ("trade_turnover", {"NDAY": "1"}, "tover", True),
        ("market_cap", {}, "tomv", True),
        ("volume_power", {}, "tpow", True),
        ("updown_rate", {"GUBN": "1", "NDAY": "0"}, "rate", True),
        ("updown_rate", {"GUBN": "0", "NDAY": "3"}, "n_rate", False),
        ("price_fluct", {"GUBN": "1", "MINX": "4"}, "n_rate", True),
        ("volume_surge", {"MINX": "3"}, "n_diff", True),
    ],
)
def test_a_ranking_abroad_is_sorted_by_what_it_ranks(
    desktop: Desktop, call: str, params: dict[str, str], field: str, highest: bool
) -> None:
    answer = desktop.outputs(NAME + call, EXCD="NAS", **params)
    rows = answer["output2"]
    assert len(rows) == int(answer["output1"]["nrec"]) == len(listed_abroad()["NAS"])
    values = [float(row[field]) for row in rows]
    assert values == sorted(values, reverse=highest)


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_a_ranking_says_what_the_price_says(desktop: Desktop, exchange: str) -> None:
    rows = desktop.rows(NAME + "trade_vol", "output2", EXCD=exchange)
    for row in rows[:3]:
        assert row["excd"] == exchange
        price = desktop.row(NAME + "price", EXCD=exchange, SYMB=row["symb"])
        assert float(price["last"]) == float(row["last"])
        assert price["tvol"] == row["tvol"]


def test_filters_and_conditions_are_kept_to(desktop: Desktop) -> None:
    rows = desktop.rows(NAME + "trade_vol", "output2", EXCD="NAS", PRC1="100", PRC2="300")
    assert rows
    assert all(100 <= float(row["last"]) <= 300 for row in rows)
    volumes = desktop.rows(NAME + "market_cap", "output2", EXCD="NAS", VOL_RANG="5")
    assert all(int(row["tvol"]) >= 1_000_000 for row in volumes)
    found = desktop.rows(
        NAME + "inquire_search",
        "output2",
        EXCD="NAS",
        CO_YN_PRICECUR="1",
        CO_ST_PRICECUR="50",
        CO_EN_PRICECUR="250",
        CO_YN_PER="1",
        CO_ST_PER="5",
        CO_EN_PER="25",
    )
    assert found
    for row in found:
        assert 50 <= float(row["last"]) <= 250
        assert 5 <= float(row["per"]) <= 25
    for row in desktop.rows(NAME + "new_highlow", "output2", EXCD="NAS", GUBN="1", NDAY="1"):
        assert float(row["n_base"]) > 0
    assert desktop.ask(NAME + "trade_vol", EXCD="XXX").msg_cd.startswith("OPSQ200")


def test_industries_hold_the_stocks_that_name_them(desktop: Desktop) -> None:
    for industry in desktop.rows(NAME + "industry_price", "output2", EXCD="NYS"):
        rows = desktop.rows(NAME + "industry_theme", "output2", EXCD="NYS", ICOD=industry["icod"])
        assert rows
        for row in rows:
            firm = find_abroad(row["symb"])
            assert firm is not None
            assert firm.industry == industry["icod"]


def test_a_stock_abroad_is_told_as_it_is_ranked(desktop: Desktop) -> None:
    for exchange in ("NAS", "HKS"):
        row = desktop.rows(NAME + "market_cap", "output2", EXCD=exchange)[2]
        detail = desktop.row(NAME + "price_detail", EXCD=exchange, SYMB=row["symb"])
        assert (detail["tomv"], detail["shar"]) == (row["tomv"], row["shar"])
        assert float(detail["l52p"]) <= float(detail["last"]) <= float(detail["h52p"])
        assert detail["curr"] == EXCHANGES[exchange].currency
        basics = desktop.row(
            NAME + "search_info", PRDT_TYPE_CD=EXCHANGES[exchange].product, PDNO=row["symb"]
        )
        assert basics["prdt_name"] == row["name"]
        assert basics["lstg_stck_num"] == row["shar"]
