"""The compiled catalog: the same content gives the same text, and comes back from it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bridge.catalog.compile import digest, dumps, loads
from bridge.catalog.model import Catalog, Channel, Field, Layout
from bridge.catalog.workbook import examine_sheets
from bridge.errors import WorkbookError
from tests.unit.catalog.books import book


def catalog() -> Catalog:
    read, problems = examine_sheets(book())
    assert problems == []
    return read


def test_text_and_catalog_are_the_same_thing() -> None:
    text = dumps(catalog())
    assert loads(text) == catalog()
    assert dumps(loads(text)) == text


def test_each_row_is_a_line() -> None:
    lines = dumps(catalog()).splitlines()
    assert '["DIFF","change","int","대비","Change","KRW","","SIGN"],' in lines
    assert '["PDNO","symbol","code","body",true,"","","종목","Symbol"],' in lines
    assert '["01","sell","Sell","매도"],' in lines


def test_a_layout_that_begins_another_is_written_once() -> None:
    text = dumps(catalog())
    assert json.loads(text)["layouts"]["trade_5"] == [5, "DAY", ["trade_6", 5]]
    assert text.count('"DIFF"') == 1


def test_a_layout_of_the_same_fields_and_more_values_is_written_once() -> None:
    fields = (Field("CODE", "symbol", "code"), Field("MORE", "more", "int", scale=2, optional=True))
    layouts = (Layout("two", 2, fields), Layout("five", 5, fields), Layout("one", 1, fields[:1]))
    words = ("domestic_stock", "krx", "trade", "English", "한국어")
    channel = Channel("H0AAAAA0", "", *words, layouts, symbol="CODE")
    whole = Catalog("1", "", {"H0AAAAA0": channel}, {}, {})
    assert dumps(whole).count('"MORE"') == 1
    assert loads(dumps(whole)) == whole


def test_the_digest_counts_the_content_alone() -> None:
    whole = catalog()
    assert digest(whole) == whole.digest
    assert digest(dataclasses.replace(whole, version="9", digest="")) == whole.digest
    assert digest(dataclasses.replace(whole, codes={})) != whole.digest


@pytest.mark.parametrize(
    "text",
    [
        *["", "[]", "{}", "null", "1", "[" * 100_000],
        '{"format":4,"version":"","digest":"","layouts":{},"channels":{"A":[1]},"apis":{},"codes":{}}',
        '{"format":4,"version":"","digest":"","layouts":{"a":[1]},"channels":{},"apis":{},"codes":{}}',
    ],
    ids=lambda text: text[:20],
)
def test_a_text_that_is_no_catalog_is_told(text: str) -> None:
    with pytest.raises(WorkbookError, match=r"cannot be read .*: run kis-bridge spec compile"):
        loads(text)


def test_a_catalog_of_another_format_is_told() -> None:
    text = dumps(catalog()).replace('"format":4', '"format":1')
    with pytest.raises(WorkbookError, match="has format 1, this program reads 4: run kis-bridge"):
        loads(text)


def test_a_call_is_read_when_it_is_asked_for() -> None:
    whole = loads(dumps(catalog()).replace('"TTTC0012U","VTTC0012U"', '"TTTC0012U"'))
    assert len(whole.apis) == 4
    assert "auth/token" in whole.apis
    assert whole.apis["auth/token"] is whole.apis["auth/token"]
    with pytest.raises(WorkbookError, match="cannot be read"):
        whole.api("order_cash")
    with pytest.raises(KeyError):
        whole.apis["auth/none"]


def test_a_call_is_found_by_its_id_alone_where_that_is_clear() -> None:
    call = catalog().apis["domestic_stock/order_cash"]
    same = {
        f"{category}/{name}": dataclasses.replace(call, category=category, id=name)
        for category, name in (
            *(("elw", "one"), ("elw", "both"), ("bond", "both")),
            *(("elw", "common"), ("domestic_stock", "common")),
        )
    }
    whole = dataclasses.replace(catalog(), apis=same)
    assert whole.api("one") == whole.api("elw/one") == same["elw/one"]
    assert whole.api("both") is None
    assert whole.api("common") == same["domestic_stock/common"]
