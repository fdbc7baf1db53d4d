"""What ``subscribe``, ``query`` and their like make of their arguments and answers."""

from __future__ import annotations

import pytest
import typer

from bridge.cli import requests


def test_symbols_by_topic_and_by_channel() -> None:
    assert requests.wanted(["overseas_stock/nas/trade", "BRK/B", "AAPL"], "") == [
        {"market": "overseas_stock", "venue": "nas", "kind": "trade", "symbol": "BRK/B"},
        {"market": "overseas_stock", "venue": "nas", "kind": "trade", "symbol": "AAPL"},
    ]
    assert requests.wanted(["005930"], "H0STCNT0") == [{"channel": "H0STCNT0", "key": "005930"}]


@pytest.mark.parametrize("what", [["a/b", "1"], ["a//c", "1"], ["005930", "1"], ["a/b/c/d", "1"]])
def test_no_topic(what: list[str]) -> None:
    with pytest.raises(typer.BadParameter, match="is not MARKET/VENUE/KIND"):
        requests.wanted(what, "")


def test_no_symbols() -> None:
    with pytest.raises(typer.BadParameter, match="name the symbols after a/b/c"):
        requests.wanted(["a/b/c"], "")


def test_parameters() -> None:
    assert requests.named_values(["symbol=005930", "key=a=b", "blank="]) == {
        "symbol": "005930",
        "key": "a=b",
        "blank": "",
    }
    for words, says in (
        (["symbol"], "not NAME=VALUE"),
        (["=1"], "not NAME=VALUE"),
        (["a=1", "a=2"], "a is given twice"),
    ):
        with pytest.raises(typer.BadParameter, match=says):
            requests.named_values(words)
