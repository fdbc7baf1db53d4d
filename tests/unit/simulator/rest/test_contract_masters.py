from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.kis.masters import parse
from bridge.simulator.bonds.issues import issue
from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.rest import masters
from bridge.simulator.rest.contract_masters import CONTRACT_MASTERS
from tests.unit.simulator.rest.account_calls import CATALOG, NOW, AccountCalls

DAY = NOW.date()


@pytest.mark.parametrize("name", sorted(CONTRACT_MASTERS - {"bond"}))
def test_what_a_master_lists_can_be_ordered_under_that_name(name: str) -> None:
    master = CATALOG.masters[name]
    rows = list(parse(master, masters.content(master, 1, DAY)))
    assert len(rows) == len({row["symbol"] for row in rows}) > 4
    for row in rows:
        one = contract(str(row["symbol"]), DAY)
        assert one is not None
        assert (one.name, one.expiry >= DAY) == (row["name"], True)
        if one.option:
            assert Decimal(str(row["strike_price"])) == one.strike
    options = {"night_option": True, "night_future": False}.get(name)
    if options is not None:
        kinds = {str(row["symbol"])[0] in "BC" for row in rows}
        assert kinds == {options}


def test_boards_list_what_the_master_lists() -> None:
    master = CATALOG.masters["index_derivative"]
    listed = {row["symbol"] for row in parse(master, masters.content(master, 1, DAY))}
    calls = AccountCalls("03")
    board = calls.ask(
        "domestic_futureoption/display_board_futures",
        FID_COND_MRKT_DIV_CODE="F",
        FID_COND_SCR_DIV_CODE="20503",
        FID_COND_MRKT_CLS_CODE="MKI",
    ).outputs["output1"]
    assert {row["futs_shrn_iscd"] for row in board} <= listed


def test_bonds_are_listed_with_their_terms() -> None:
    master = CATALOG.masters["bond"]
    for row in parse(master, masters.content(master, 1, DAY)):
        one = issue(str(row["symbol"]), 1)
        assert row["name"] == one.name
        assert str(row["redemption_date"]).replace("-", "") == f"{one.matures:%Y%m%d}"
