"""Where an order of KIS's list stands."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.kis.listing import ask, rows

CATALOG = load()
TODAY = date(2026, 11, 23)
NOW = 1_795_400_000_000_000


def listed(market: str, *, night: bool = False, **values: str) -> Any:
    call = ask(
        CATALOG,
        market=market,
        account="12345678-01",
        first=TODAY,
        last=TODAY,
        paper=False,
        night=night,
    )
    output = next(output for output in CATALOG.apis[call.api].outputs if output.array)
    [row] = rows(CATALOG, call, {output.name: [{"odno": "7", **values}]}, NOW)
    return row


@pytest.mark.parametrize(
    ("market", "values", "venue"),
    [
        ("domestic_stock", {"excg_id_dvsn_cd": "NXT"}, "nxt"),
        ("domestic_stock", {"excg_id_dvsn_cd": "SOR"}, "sor"),
        ("domestic_stock", {"excg_id_dvsn_cd": "KRX"}, "krx"),
        ("domestic_stock", {}, "krx"),
        ("overseas_stock", {"ovrs_excg_cd": "NASD"}, "nas"),
        ("overseas_stock", {"ovrs_excg_cd": "SEHK"}, "hks"),
        ("overseas_stock", {"ovrs_excg_cd": "MARS"}, ""),
        ("domestic_derivative", {}, "krx"),
    ],
)
def test_a_row_says_where_it_stands(market: str, values: Any, venue: str) -> None:
    assert listed(market, **values).venue == venue


def test_the_list_of_the_night_is_of_the_night() -> None:
    assert listed("domestic_derivative", night=True).venue == "krx_night"
