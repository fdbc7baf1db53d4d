"""Lists of firms abroad name what is listed, and so do the masters."""

from __future__ import annotations

import pytest

from bridge.simulator.exchange.warrants import warrants_on
from bridge.simulator.history.abroad import EXCHANGES, INDUSTRIES, find_abroad, listed_abroad
from bridge.simulator.rest import masters
from tests.unit.simulator.rest.board.conftest import CATALOG, NOW, Desktop

NAME = "overseas_stock/"


def test_every_exchange_lists_invented_firms_under_symbols_of_its_own() -> None:
    listed = [firm for firms in listed_abroad().values() for firm in firms]
    assert set(listed_abroad()) == set(EXCHANGES)
    assert len(listed) == len({firm.symbol for firm in listed}) > 200
    assert all(firm.real or firm.name.startswith("모의") for firm in listed)


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_the_masters_list_them(exchange: str) -> None:
    master = CATALOG.masters[exchange.lower()]
    lines = masters.content(master, 7, NOW.date()).decode("cp949").splitlines()
    assert len(lines) == len(listed_abroad()[exchange])
    for line, firm in zip(lines, listed_abroad()[exchange], strict=True):
        assert firm.symbol in line
        assert EXCHANGES[exchange].currency in line


def test_news_is_simulated_and_of_the_asked_country(desktop: Desktop) -> None:
    rows = desktop.rows(NAME + "news_title", "outblock1", NATION_CD="US")
    assert rows
    for row in rows:
        firm = find_abroad(row["symb"])
        assert firm is not None
        assert row["title"].startswith("[모의]")
        assert row["nation_cd"] == "US" == EXCHANGES[firm.exchange].country
    assert desktop.rows(NAME + "brknews_title")


def test_rights_of_a_firm_are_those_of_the_calendar(desktop: Desktop) -> None:
    calendar = desktop.rows(
        NAME + "period_rights", RGHT_TYPE_CD="%%", INQR_STRT_DT="20260101", INQR_END_DT="20261127"
    )
    assert calendar
    one = calendar[0]
    own = desktop.rows(
        NAME + "rights_by_ice", "output1", SYMB=one["pdno"], ST_YMD="20260101", ED_YMD="20261127"
    )
    assert one["bass_dt"] in {row["record_dt"] for row in own}
    assert (
        desktop.rows(
            NAME + "period_rights",
            RGHT_TYPE_CD="01",
            INQR_STRT_DT="00010101",
            INQR_END_DT="99991231",
        )
        == []
    )


def test_loans_are_given_on_what_is_listed_in_a_country(desktop: Desktop) -> None:
    first = desktop.ask(NAME + "colable_by_company", NATN_CD="840")
    rows = first.outputs["output1"]
    assert len(rows) == int(first.outputs["output2"]["loan_psbl_item_num"]) > 70
    assert {row["crcy_cd"] for row in rows} == {"USD"}
    assert first.tr_cont == "D"
    industries = desktop.rows(NAME + "industry_price", "output2", EXCD="NAS")
    assert [row["icod"] for row in industries] == [code for code, _, _ in INDUSTRIES]


def test_the_master_of_warrants_lists_those_of_the_day() -> None:
    content = masters.content(CATALOG.masters["elw"], 7, NOW.date()).decode("cp949")
    assert [line[:6] for line in content.splitlines()] == [
        one.symbol for one in warrants_on(NOW.date())
    ]
