from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.catalog.compile import load
from bridge.kis.snapshots import choose, params, values

CATALOG = load()


def api_of(*missing: str, paper: bool = False) -> str:
    row = choose(CATALOG, missing, paper=paper)
    return "" if row is None else row.api


def test_the_call_is_the_first_one_that_answers_for_most() -> None:
    assert api_of("H0STCNT0") == "domestic_stock/inquire_price"
    assert api_of("H0STASP0") == "domestic_stock/inquire_asking_price_exp_ccn"
    assert api_of("H0STCNT0", "H0STASP0") == "domestic_stock/inquire_asking_price_exp_ccn"
    assert api_of("H0STCNT0", "H0STMBC0") == "domestic_stock/inquire_price"
    assert api_of("H0STMBC0") == ""
    assert api_of("HDFSASP0") == "overseas_stock/inquire_asking_price"


def test_in_paper_trading_only_what_it_offers_is_called() -> None:
    assert api_of("HDFSCNT0", "HDFSASP0", paper=True) == "overseas_stock/price"
    assert api_of("HDFSASP0", paper=True) == ""
    assert api_of("H0UPCNT0", paper=True) == ""
    assert api_of("H0STCNT0", paper=True) == "domestic_stock/inquire_price"


@pytest.mark.parametrize(
    ("channel", "venue", "symbol", "sent"),
    [
        ("H0STCNT0", "krx", "005930", {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}),
        ("H0NXCNT0", "nxt", "005930", {"FID_COND_MRKT_DIV_CODE": "NX", "FID_INPUT_ISCD": "005930"}),
        ("H0UNCNT0", "unified", "1", {"FID_COND_MRKT_DIV_CODE": "UN", "FID_INPUT_ISCD": "1"}),
        ("H0IFCNT0", "krx", "101W09", {"FID_COND_MRKT_DIV_CODE": "F", "FID_INPUT_ISCD": "101W09"}),
        ("H0MFCNT0", "krx_night", "1", {"FID_COND_MRKT_DIV_CODE": "CM", "FID_INPUT_ISCD": "1"}),
        ("H0UPCNT0", "krx", "0001", {"FID_COND_MRKT_DIV_CODE": "U", "FID_INPUT_ISCD": "0001"}),
        ("HDFSCNT0", "nas", "AAPL", {"AUTH": "", "EXCD": "NAS", "SYMB": "AAPL"}),
        ("HDFFF020", "all", "ESH26", {"SRS_CD": "ESH26"}),
    ],
)
def test_parameters_are_kis_own(
    channel: str, venue: str, symbol: str, sent: dict[str, str]
) -> None:
    row = choose(CATALOG, [channel], paper=False)
    assert row is not None
    assert params(CATALOG, row, venue, symbol) == sent


def test_every_call_can_be_written_for_every_venue() -> None:
    for row in CATALOG.snapshots:
        for channel in (CATALOG.channels[name] for name in row.channels):
            for venue in [one.venue for one in channel.venues] or [channel.venue]:
                assert params(CATALOG, row, venue, "X")


def test_an_answer_is_told_in_the_workbooks_words_and_exact() -> None:
    row = choose(CATALOG, ["H0STCNT0", "H0STASP0"], paper=False)
    assert row is not None
    body = {
        "output1": {"aspr_acpt_hour": "101500", "askp1": "72000", "askp_rsqn1": "15"},
        "output2": {"stck_prpr": "71900", "antc_cntg_prdy_ctrt": "0.10", "vi_cls_code": "N"},
        "output3": {"stck_prpr": "1"},
    }
    found = values(CATALOG.apis[row.api], row, body)
    assert found["asks"] == [{"price": Decimal(72000), "quantity": Decimal(15)}]
    assert (found["price"], found["vi"]) == (Decimal(71900), "N")
    assert str(found["expected_change_rate"]) == "0.10"
    assert list(found)[-1] == "asks"  # behind the price, for who looks for it in the text


def test_of_a_list_the_first_row_counts() -> None:
    row = choose(CATALOG, ["H0EWCNT0"], paper=False)
    assert row is not None
    api = CATALOG.apis[row.api]
    assert values(api, row, {"output1": [{"elw_prpr": "85"}, {"elw_prpr": "1"}]})["price"] == 85
    assert values(api, row, {"output1": {"elw_prpr": "85"}})["price"] == 85
    assert values(api, row, {"output1": []}) == {}


def test_blanks_and_zeros_say_nothing() -> None:
    row = choose(CATALOG, ["H0STCNT0"], paper=False)
    assert row is not None
    api = CATALOG.apis[row.api]
    body = {"output": {"stck_prpr": "0", "prdy_ctrt": "0.00", "rprs_mrkt_kor_name": "KOSPI"}}
    assert values(api, row, body) == {}
    assert values(api, row, {"output": {"stck_prpr": "0", "stck_sdpr": "70000"}})
    assert values(api, row, {"output": "?"}) == {}
