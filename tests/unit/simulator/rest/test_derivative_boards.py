from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.simulator.rest.account_calls import CATALOG, NOW, AccountCalls

NAME = "domestic_futureoption"
FUTURE, CALL, PUT = "A01612", "B01612530", "C01612530"
ONE = {"FID_COND_MRKT_DIV_CODE": "F", "FID_INPUT_ISCD": FUTURE}
BOARD = {
    "FID_COND_MRKT_DIV_CODE": "O",
    "FID_COND_SCR_DIV_CODE": "20503",
    "FID_MRKT_CLS_CODE": "CO",
    "FID_MRKT_CLS_CODE1": "PO",
    "FID_MTRT_CNT": "202612",
    "FID_COND_MRKT_CLS_CODE": "",
    "FID_COND_MRKT_DIV_CODE1": "",
}


def asked(calls: AccountCalls, name: str, block: str = "output1", **params: str) -> Any:
    answer = calls.ask(f"{NAME}/{name}", **params)
    assert answer.rt_cd == "0", answer
    return answer.outputs[block]


def test_price_book_and_board_tell_one_price() -> None:
    calls = AccountCalls("03")
    index = calls.off_book.tapes.tape("domestic_index", "2001")
    index.print(Decimal("532.40"), 1, NOW)
    calls.off_book.move(FUTURE, Decimal("533.00"), NOW)
    price = asked(calls, "inquire_price", **ONE)
    book = asked(calls, "inquire_asking_price", "output1", **ONE)
    rows = asked(calls, "display_board_futures", **BOARD)
    [row] = [row for row in rows if row["futs_shrn_iscd"] == FUTURE]
    told = {one["futs_prpr"] for one in (price, book, row)}
    assert told == {"533.00"}
    assert price["prdy_vrss_sign"] == "2"
    assert Decimal(price["futs_prdy_clpr"]) + Decimal(price["futs_prdy_vrss"]) == 533
    depth = asked(calls, "inquire_asking_price", "output2", **ONE)
    assert Decimal(depth["futs_askp1"]) > 533 > Decimal(depth["futs_bidp1"])
    assert int(depth["total_askp_rsqn"]) == sum(int(depth[f"askp_rsqn{n}"]) for n in range(1, 6))
    kospi = asked(calls, "inquire_price", "output3", **ONE)
    assert kospi["bstp_nmix_prpr"] == "532.40"
    assert price["mrkt_basis"] == "0.60"
    top = asked(calls, "display_board_top", **(BOARD | ONE))
    assert top["futs_prpr"] == "533.00"
    assert top["unas_prpr"] == kospi["bstp_nmix_prpr"]


def test_limits_of_the_day_are_what_orders_are_held_to() -> None:
    calls = AccountCalls("03")
    price = asked(calls, "inquire_price", **ONE)
    order = {"SHTN_PDNO": FUTURE, "SLL_BUY_DVSN_CD": "01", "ORD_QTY": "1", "ORD_DVSN_CD": "01"}
    for limit, over in ((price["futs_mxpr"], "0.05"), (price["futs_llam"], "-0.05")):
        beyond = Decimal(limit) + Decimal(over)
        taken = calls.ask(f"{NAME}/order", "day", **order, UNIT_PRICE=limit)
        assert taken.rt_cd == "0", taken
        refused = calls.ask(f"{NAME}/order", "day", **order, UNIT_PRICE=f"{beyond}")
        assert refused.msg_cd == "APBK0507"


def test_a_board_has_calls_and_puts_around_the_money() -> None:
    calls = AccountCalls("03")
    [months, *_] = asked(calls, "display_board_option_list", **BOARD)
    assert months["mtrt_yymm_code"] == "202612"
    bought = asked(calls, "display_board_callput", "output1", **BOARD)
    sold = asked(calls, "display_board_callput", "output2", **BOARD)
    strikes = [Decimal(row["acpr"]) for row in bought]
    assert strikes == sorted(strikes, reverse=True) == [Decimal(row["acpr"]) for row in sold]
    assert len(strikes) == 21
    middle = Decimal(530)
    assert [row["acpr"] for row in bought if row["atm_cls_name"] == "ATM"] == ["530.00"]
    for call, put in zip(bought, sold, strict=True):
        assert (call["optn_shrn_iscd"][0], put["optn_shrn_iscd"][0]) == ("B", "C")
        # A call and a put of one strike have one future between them.
        assert abs(Decimal(call["delta_val"]) - Decimal(put["delta_val"]) - 1) < Decimal("0.01")
        inside = "ITM" if Decimal(call["acpr"]) < middle else "OTM"
        assert call["atm_cls_name"] in (inside, "ATM")
        parts = Decimal(call["tmvl_val"]) + Decimal(call["invl_val"])
        assert parts == max(Decimal(call["optn_prpr"]), Decimal(call["invl_val"]))
        assert abs(Decimal(call["hts_ints_vltl"]) - 19) < 2
    single = asked(calls, "inquire_price", **(ONE | {"FID_INPUT_ISCD": CALL}))
    [row] = [row for row in bought if row["optn_shrn_iscd"] == CALL]
    assert (single["futs_prpr"], single["delta_val"], single["acpr"]) == (
        row["optn_prpr"],
        row["delta_val"],
        "530.00",
    )


@pytest.mark.parametrize("market", ["MKI", "WKM", "WKI", "KQI"])
def test_each_class_has_a_board_of_its_own(market: str) -> None:
    calls = AccountCalls("03")
    board = BOARD | {"FID_COND_MRKT_CLS_CODE": market}
    months = asked(calls, "display_board_option_list", **board)
    board["FID_MTRT_CNT"] = months[1]["mtrt_yymm_code"]
    calls_told = asked(calls, "display_board_callput", **board)
    assert len(calls_told) == 21
    # What is on the board can be ordered.
    row = calls_told[10]
    order = {
        "SHTN_PDNO": row["optn_shrn_iscd"],
        "SLL_BUY_DVSN_CD": "02",
        "ORD_QTY": "1",
        "ORD_DVSN_CD": "01",
        "UNIT_PRICE": row["optn_prpr"],
    }
    assert calls.ask(f"{NAME}/order", "day", **order).rt_cd == "0"
    futures = asked(calls, "display_board_futures", **board)
    assert bool(futures) is (market in ("MKI", "KQI"))


def test_margins_are_told_as_they_are_asked_for() -> None:
    calls = AccountCalls("03")
    rows = asked(calls, "margin_rate", "output", BASS_DT="20261123", BAST_ID="")
    kospi = next(row for row in rows if row["bast_id"] == "2001")
    calls.ask(
        f"{NAME}/order",
        "day",
        SHTN_PDNO=FUTURE,
        SLL_BUY_DVSN_CD="02",
        ORD_QTY="1",
        ORD_DVSN_CD="02",
        UNIT_PRICE="0",
    )
    tied = calls.off_book.money(calls.account).margin("KRW")
    assert abs(tied - Decimal(kospi["ctrt_per_futr_mgna"])) <= 1
    only = asked(calls, "margin_rate", "output", BASS_DT="20261123", BAST_ID="USD")
    assert [row["bast_name"] for row in only] == ["미국달러 F"]


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("inquire_price", ONE | {"FID_INPUT_ISCD": "A99612"}, "APBK0656"),
        ("inquire_price", ONE | {"FID_COND_MRKT_DIV_CODE": "Z"}, "OPSQ2001"),
        ("display_board_futures", BOARD | {"FID_COND_MRKT_CLS_CODE": "?"}, "OPSQ2001"),
    ],
)
def test_what_is_refused(name: str, params: dict[str, str], code: str) -> None:
    assert AccountCalls("03").ask(f"{NAME}/{name}", **params).msg_cd == code


@pytest.mark.parametrize(
    "name",
    [
        "display_board_callput",
        "display_board_futures",
        "display_board_option_list",
        "display_board_top",
        "inquire_asking_price",
        "inquire_price",
        "margin_rate",
    ],
)
def test_every_answer_has_every_member_of_the_workbook(name: str) -> None:
    calls = AccountCalls("03")
    answer = calls.ask(f"{NAME}/{name}", **(BOARD | ONE | {"BASS_DT": "20261123"}))
    assert answer.rt_cd == "0", answer
    for output in CATALOG.apis[f"{NAME}/{name}"].outputs:
        block = answer.outputs[output.name]
        assert isinstance(block, list) is output.array
        assert block
        for row in block if isinstance(block, list) else [block]:
            assert set(row) >= {field.name for field in output.fields}


def test_charts_say_what_boards_say() -> None:
    calls = AccountCalls("03")
    calls.off_book.turn(FUTURE, NOW)
    price = asked(calls, "inquire_price", **ONE)
    dates = {"FID_INPUT_DATE_1": "20261101", "FID_INPUT_DATE_2": "20261123"}
    chart = asked(
        calls, "inquire_daily_fuopchartprice", **(ONE | dates | {"FID_PERIOD_DIV_CODE": "D"})
    )
    for name in ("futs_prpr", "hts_kor_isnm", "hts_otst_stpl_qty", "futs_mxpr", "futs_prdy_clpr"):
        assert chart[name] == price[name], name
