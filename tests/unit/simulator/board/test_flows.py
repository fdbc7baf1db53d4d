"""Who trades adds up to what is traded."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator.board.flows import GROUPS, INSTITUTIONS, Flows, total
from bridge.simulator.board.quotes import Day
from bridge.simulator.exchange import listings

DATE = date(2026, 11, 27)
LISTING = listings.listing("970000", 7)


@given(volume=st.integers(0, 10**10), price=st.integers(1, 10**6))
def test_all_investors_together_buy_and_sell_what_is_traded(volume: int, price: int) -> None:
    day = Day(DATE, price, price, price, price, volume, volume * price)
    flows = Flows(7).investors(LISTING, day)
    every = total(flows[name] for name in GROUPS)
    assert (every.bought, every.sold) == (volume, volume)
    assert (every.bought_value, every.sold_value) == (day.value, day.value)
    assert every.net == every.net_value == 0
    assert flows["orgn"] == total(flows[name] for name in INSTITUTIONS)
    assert flows["frgn"].net == flows["frgn_reg"].net + flows["frgn_nreg"].net
    assert min(one.bought for one in flows.values()) >= 0


@given(bought=st.integers(0, 10**9), sold=st.integers(0, 10**9), price=st.integers(1, 10**6))
def test_programs_are_arbitrage_and_the_rest(bought: int, sold: int, price: int) -> None:
    volume = bought + sold
    day = Day(DATE, price, price, price, price, volume, volume * price)
    flows = Flows(7).programs(day, bought, sold)
    for who in ("onsl", "entm", "smtn"):
        assert flows[f"whol_{who}"] == total((flows[f"arbt_{who}"], flows[f"nabt_{who}"]))
    for kind in ("arbt", "nabt", "whol"):
        assert flows[f"{kind}_smtn"] == total((flows[f"{kind}_onsl"], flows[f"{kind}_entm"]))
    assert (flows["whol_smtn"].bought, flows["whol_smtn"].sold) == (
        bought * 3 // 10,
        sold * 3 // 10,
    )


def test_no_more_is_sold_short_than_traded_and_the_same_seed_says_the_same() -> None:
    day = Day(DATE, 100, 100, 100, 100, 1_000, 100_000)
    lending = Flows(7).lending(LISTING, day)
    assert 0 <= lending.short <= day.volume
    assert lending == Flows(7).lending(LISTING, day)
    assert Flows(7).investors(LISTING, day) == Flows(7).investors(LISTING, day)
    assert Flows(8).investors(LISTING, day) != Flows(7).investors(LISTING, day)
