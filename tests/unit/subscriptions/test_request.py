"""Wishes become registrations, or an error that says what there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog
from bridge.errors import RequestError
from bridge.subscriptions.request import (
    ByChannel,
    ByTopic,
    SubscriptionRequest,
    Wanted,
    resolve,
    split_key,
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def trade(symbol: str = "005930", **levels: str) -> ByTopic:
    named = {"market": "domestic_stock", "venue": "krx", "kind": "trade", **levels}
    return ByTopic(**named, symbol=symbol)


@pytest.mark.parametrize("paper", [True, False])
def test_by_topic(catalog: Catalog, paper: bool) -> None:
    assert resolve(catalog, trade(), paper=paper) == Wanted("H0STCNT0", "005930", "H0STCNT0")


def test_by_channel_in_either_name(catalog: Catalog) -> None:
    wanted = Wanted("H0STCNT0", "005930", "H0STCNT0")
    assert resolve(catalog, ByChannel("H0STCNT0", "005930"), paper=True) == wanted


def test_both_ways_are_one_registration(catalog: Catalog) -> None:
    one = resolve(catalog, trade(), paper=False)
    assert one == resolve(catalog, ByChannel("H0STCNT0", "005930"), paper=False)
    assert hash(one) == hash(resolve(catalog, trade(), paper=False))


def test_an_overseas_venue_puts_its_prefix_before_the_symbol(catalog: Catalog) -> None:
    interest = trade("AAPL", market="overseas_stock", venue="nas")
    assert resolve(catalog, interest, paper=False).key == "DNASAAPL"


@pytest.mark.parametrize(
    ("interest", "code", "says"),
    [
        (trade(market="domestic"), "unknown_channel", "market 'domestic' is none of "),
        (trade(venue="nyse"), "unknown_channel", "venue 'nyse' is none of krx"),
        (trade(kind="tick"), "unknown_channel", "kind 'tick' is none of "),
        (trade(" "), "invalid_request", "needs a symbol"),
        (ByChannel("H0STCNT1", "005930"), "unknown_channel", "did you mean H0STCNT0?"),
        (ByChannel("X", "005930"), "unknown_channel", "no channel 'X'"),
        (ByChannel("H0STCNT0", ""), "invalid_request", "needs a key"),
        (trade("삼성전자"), "invalid_request", "kis-bridge symbols search 삼성전자"),
        (ByChannel("H0STCNT0", "삼성전자"), "invalid_request", "no symbol of KIS's"),
        (ByChannel("H0STCNT0", "005930^1"), "invalid_request", "no symbol of KIS's"),
        (ByChannel("H0STCNI0", "login"), "not_market_data", "account notice"),
        (ByChannel("H0STCNI9", "login"), "not_market_data", "account notice"),
    ],
)
def test_what_cannot_be_had(
    catalog: Catalog, interest: SubscriptionRequest, code: str, says: str
) -> None:
    with pytest.raises(RequestError) as caught:
        resolve(catalog, interest, paper=False)
    assert caught.value.code == code
    assert says in str(caught.value)


def test_paper_trading_has_few_channels(catalog: Catalog) -> None:
    interest = trade(market="overseas_stock", venue="nas")
    with pytest.raises(RequestError, match="paper trading has no HDFSCNT0") as caught:
        resolve(catalog, interest, paper=True)
    assert caught.value.code == "not_in_paper"


def test_two_channels_on_one_topic_are_not_guessed(catalog: Catalog) -> None:
    twin = replace(catalog.channels["H0STCNT0"], tr_id="H0STCNT9", tr_id_paper="")
    both = replace(catalog, channels={**catalog.channels, "H0STCNT9": twin})
    with pytest.raises(RequestError, match="carried by H0STCNT0, H0STCNT9") as caught:
        resolve(both, trade(), paper=False)
    assert caught.value.code == "ambiguous_channel"
    assert resolve(both, ByChannel("H0STCNT9", "A"), paper=False).tr_id == "H0STCNT9"


@pytest.mark.parametrize(
    ("channel", "key", "found"),
    [
        ("HDFSCNT0", "DNASAAPL", ("nas", "AAPL")),
        ("HDFSCNT0", "RNASAAPL", ("nas", "AAPL")),  # paid for, and published on the same topic
        ("HDFSCNT0", "RHKS00700", ("hks", "00700")),
        ("HDFSCNT0", "DNAS", ("all", "DNAS")),
        ("H0STCNT0", "005930", ("krx", "005930")),
    ],
)
def test_a_key_names_its_venue_and_symbol(
    catalog: Catalog, channel: str, key: str, found: tuple[str, str]
) -> None:
    assert split_key(catalog.channels[channel], key) == found
