"""What is listed by name, and how the markets of it begin."""

from __future__ import annotations

from datetime import datetime

import pytest

from bridge.catalog.compile import load
from bridge.runtime.clock import SEOUL
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.securities import find, securities
from bridge.simulator.rest import masters

NOW = datetime(2026, 11, 27, 10, tzinfo=SEOUL)


def test_some_two_hundred_instruments_have_names_of_their_own() -> None:
    listed = securities()
    assert len(listed) == len({one.name for one in listed.values()}) > 200
    assert all(listings.plausible(symbol) for symbol in listed)
    assert {one.name for one in listed.values() if one.real} >= {"삼성전자", "에코프로비엠"}
    assert all(one.real or one.name.startswith("모의") for one in listed.values())


def test_the_exchange_calls_them_by_these_names() -> None:
    assert listings.listing("970000", 7).name == "모의가람전자"
    assert listings.listing("247540", 7).name == "에코프로비엠"
    assert listings.listing("123450", 7).name == "모의123450"


def test_a_preferred_share_is_cheaper_than_its_common_one() -> None:
    preferred = find("970005")
    assert preferred is not None
    assert preferred.common == "970000"
    assert listings.listing("970005", 7).base < listings.listing("970000", 7).base


def test_an_isin_ends_with_its_check_digit() -> None:
    assert listings.standard_symbol("005930") == "KR7005930003"


@pytest.mark.parametrize("symbol", ["005930", "970000", "069500", "123450"])
def test_a_market_opens_as_its_preview_shows(symbol: str) -> None:
    exchange = Exchange(seed=7)
    preview = exchange.preview(symbol, NOW)
    assert symbol not in exchange.markets
    market = exchange.market(symbol, NOW)
    assert (market.last, market.open, market.high, market.low, market.volume, market.value) == (
        *(preview.last, preview.open, preview.high, preview.low),
        *(preview.volume, preview.value),
    )
    assert market.volume > 0


def test_an_invented_firm_opens_with_an_auction_that_the_chart_tells() -> None:
    market = Exchange(seed=7).market("970000", NOW)
    assert market.open == market.high == market.low == market.last
    assert market.value == market.volume * market.open
    assert [one.quantity for one in market.chart.until(NOW, 9)] == [market.volume]


def test_the_masters_list_each_board_with_the_names_of_the_exchange() -> None:
    catalog = load()
    lines = {
        board: masters.content(catalog.masters[board], 7).decode("cp949").splitlines()
        for board in ("kospi", "kosdaq", "nxt_kospi")
    }
    assert any("모의가람전자" in line for line in lines["kospi"])
    assert any("에코프로비엠" in line for line in lines["kosdaq"])
    assert len(lines["kospi"]) + len(lines["kosdaq"]) == len(securities())
    assert not any("ETN" in line for line in lines["nxt_kospi"])
