"""Prices, contracts and settlement overseas."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.simulator.rest.answers import Row
from tests.unit.simulator.rest.overseas.desk import CATALOG, Desk

STOCK, FUTURE = "overseas_stock/", "overseas_futureoption/"


def row(desk: Desk, name: str, block: str = "output", **params: str) -> Row:
    answer = desk.ask(name, **({"AUTH": ""} | params))
    assert answer.rt_cd == "0", answer
    found: Row = answer.outputs[block]
    return found


def test_every_call_for_the_price_of_a_stock_tells_the_same() -> None:
    desk = Desk()
    desk.off_book.move("AAPL", desk.off_book.price("AAPL") + Decimal("3.21"), desk.now)
    asked = {"EXCD": "NAS", "SYMB": "AAPL"}
    price, detail = row(desk, STOCK + "price", **asked), row(desk, STOCK + "price_detail", **asked)
    several = {"NREC": "2", "EXCD_01": "NAS", "SYMB_01": "AAPL", "EXCD_02": "HKS"}
    several |= {f"EXCD_{place:02d}": "" for place in range(3, 11)}
    several |= {f"SYMB_{place:02d}": "" for place in range(3, 11)} | {"SYMB_02": "00700"}
    both = desk.ask(STOCK + "multprice", AUTH="", **several).outputs
    last = desk.off_book.price("AAPL")
    one, other = both["output2"]
    for told in (price["last"], detail["last"], one["last"]):
        assert Decimal(told) == last
    assert (price["sign"], price["diff"], price["tvol"]) == ("2", "3.2100", detail["tvol"])
    assert (other["curr"], both["output"]["nrec"]) == ("HKD", "2")
    assert Decimal(detail["high"]) == last


def test_a_contract_has_its_price_and_book_on_its_grid_and_its_terms() -> None:
    desk = Desk()
    desk.off_book.move("ESZ26", Decimal("6731.25"), desk.now)
    price = row(desk, FUTURE + "inquire_price", "output1", SRS_CD="ESZ26")
    detail = row(desk, FUTURE + "stock_detail", "output1", SRS_CD="ESZ26")
    book = desk.ask(FUTURE + "inquire_asking_price", SRS_CD="ESZ26").outputs
    assert (price["last_price"], price["prev_diff_price"]) == ("6731.25", "11.25")
    assert (price["tick_size"], detail["tick_val"], detail["ctrt_size"]) == (
        *("0.25", "12.5000", "50.0000"),
    )
    assert (detail["expr_date"], detail["crc_cd"], detail["clas_cd"]) == ("20261218", "USD", "003")
    assert book["output1"]["last_price"] == price["last_price"]
    levels = book["output2"]
    assert [level["ask_price"] for level in levels[:2]] == ["6731.50", "6731.75"]
    assert (levels[0]["bid_price"], levels[0]["ask_qntt"]) == ("6731.00", price["ask_qntt"])
    option = row(desk, FUTURE + "opt_price", "output1", SRS_CD="OESZ26 C6700")
    assert Decimal(option["last_price"]) == desk.off_book.price("OESZ26 C6700")
    several = {f"SRS_CD_{place:02d}": "" for place in range(1, 33)} | {"QRY_CNT": "3"}
    several |= {"SRS_CD_01": "ESZ26", "SRS_CD_02": "nothing", "SRS_CD_03": "CLF27"}
    found = desk.ask(FUTURE + "search_contract_detail", **several).outputs["output2"]
    assert [one["exch_cd"] for one in found] == ["CME", "NYMEX"]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("inquire_price", "AAPL"), ("opt_price", "ESZ26"), ("stock_detail", "OESZ26 C6700")],
)
def test_what_is_no_such_contract_is_refused(name: str, symbol: str) -> None:
    assert Desk().ask(FUTURE + name, SRS_CD=symbol).msg_cd == "OPSQ2001"


def test_hours_are_chosen_by_class_and_kind() -> None:
    asked = {"FM_PDGR_CD": "", "FM_CLAS_CD": "007", "FM_EXCG_CD": "NYMEX", "OPT_YN": "N"}
    found = Desk().ask(FUTURE + "market_time", **asked).outputs["output"]
    assert [one["fm_pdgr_cd"] for one in found] == ["CL", "MCL", "NG"]


def test_days_of_settlement_follow_from_the_calendar_of_each_exchange() -> None:
    desk = Desk()

    def settled(day: str) -> dict[str, str]:
        found = desk.ask(STOCK + "countries_holiday", TRAD_DT=day).outputs["output"]
        return {one["prdt_type_cd"]: one["acpl_sttl_dt"] for one in found}

    # Thanksgiving is the 26th, and the 23rd a holiday in Tokyo.
    assert settled("20261125")["512"] == "20261127"
    assert "512" not in settled("20261126")
    assert settled("20261120")["515"] == "20261125"
    assert settled("20261128") == {}


@pytest.mark.parametrize(
    ("name", "params"),
    [
        (FUTURE + "inquire_price", {"SRS_CD": "ESZ26"}),
        (FUTURE + "opt_detail", {"SRS_CD": "OESZ26 C6700"}),
        (STOCK + "inquire_present_balance", {"NATN_CD": "000"}),
        (FUTURE + "inquire_deposit", {"CRCY_CD": "USD"}),
        (FUTURE + "margin_detail", {"CRCY_CD": "USD"}),
    ],
)
def test_an_answer_has_exactly_the_members_of_the_workbook(
    name: str, params: dict[str, str]
) -> None:
    answer = Desk().ask(name, **({"AUTH": ""} | params))
    for output in CATALOG.apis[name].outputs:
        block = answer.outputs[output.name]
        for one in block if isinstance(block, list) else [block]:
            assert set(one) == {field.name for field in output.fields}
