"""Masters are cut by bytes, kept whole or not at all, and found by symbol and name."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.catalog.compile import load
from bridge.catalog.model import Column, Master
from bridge.kis.masters import MastersError, Symbol, SymbolStore, parse, unpack

CATALOG = load()
FIXED = Master(
    *("kospi", "domestic_stock", "krx", "kospi.mst.zip", "kospi.mst", "fixed", 27, "K", "코스피"),
    columns=(
        Column("CODE", "symbol", "code", 9),
        Column("NAME", "name", "string", 10),
        Column("BASE", "base_price", "decimal", 5),
        Column("LOT", "lot_size", "int", 3),
    ),
)
TABBED = Master(
    *("nas", "overseas_stock", "nas", "nasmst.cod", "", "tab", 0, "N", "나스닥"),
    columns=(
        Column("SYMB", "symbol", "code"),
        Column("KNAM", "name", "string"),
        Column("ENAM", "english_name", "string"),
    ),
)
STOCKS = (
    "005930   삼성전자  00274001\n"
    "005935   삼성전자우00198  1\n"
    "000660   SK하이닉  01180001\n"
    "\n"
    "00088K   한화3우   \r\n"
).encode("cp949")
NASDAQ = "AAPL\t애플\tAPPLE INC\nTSLA\t테슬라\tTESLA INC\t\nPCT\t100%\tA_B\n".encode("cp949")


def zipped(content: bytes, name: str = "KOSPI.MST") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> SymbolStore:
    found = SymbolStore(tmp_path / "state" / "symbols.db")
    found.replace(FIXED, STOCKS, 1)
    found.replace(TABBED, NASDAQ, 2)
    return found


def test_a_fixed_line_is_cut_as_bytes_and_may_end_after_any_column() -> None:
    rows = list(parse(FIXED, STOCKS))
    assert rows[0] == {
        "symbol": "005930",
        "name": "삼성전자",
        "base_price": "274",
        "lot_size": "1",
    }
    assert [row["symbol"] for row in rows] == ["005930", "005935", "000660", "00088K"]
    assert rows[1]["name"] == "삼성전자우"
    assert rows[3] == {"symbol": "00088K", "name": "한화3우"}


def test_a_separated_line_may_have_nothing_at_its_end() -> None:
    assert [row["english_name"] for row in parse(TABBED, NASDAQ)] == [
        "APPLE INC",
        "TESLA INC",
        "A_B",
    ]
    piped = replace(TABBED, format="pipe")
    assert list(parse(piped, b"A|B")) == [{"symbol": "A", "name": "B"}]


@pytest.mark.parametrize(
    ("master", "content", "text"),
    [
        (FIXED, b"005930   " + b"x" * 30, "kospi, line 1: 39 bytes, not 27 or the end of a"),
        (FIXED, STOCKS + b"0059", "kospi, line 6: 4 bytes"),
        (TABBED, b"A\tB\tC\tD\n", "nas, line 1: 4 columns, not 3"),
    ],
)
def test_a_line_that_does_not_fit_is_told(master: Master, content: bytes, text: str) -> None:
    with pytest.raises(MastersError) as caught:
        list(parse(master, content))
    assert str(caught.value).startswith(text)


def test_what_is_no_number_stays_text() -> None:
    [row] = parse(FIXED, b"A        " + b"B".ljust(10) + b"12.50 -x")
    assert (row["base_price"], row["lot_size"]) == ("12.50", "-x")


def test_a_zip_is_opened_by_the_name_of_the_workbook() -> None:
    assert unpack(FIXED, zipped(STOCKS)) == STOCKS
    assert unpack(TABBED, NASDAQ) == NASDAQ
    for data in (zipped(STOCKS, "other"), b"PK", zipped(STOCKS)[:60], b""):
        with pytest.raises(MastersError, match=r"^kospi: "):
            unpack(FIXED, data)


def test_symbols_are_found_nearest_first(store: SymbolStore) -> None:
    def found(text: str, masters: list[str] | None = None) -> list[str]:
        return [symbol.symbol for symbol in store.search(text, masters)]

    assert found("삼성") == ["005930", "005935"]
    assert found("삼성전자우") == ["005935"]
    assert found("0059") == ["005930", "005935"]
    assert found("apple") == ["AAPL"]
    assert found("apple", ["kospi"]) == found("zzz") == found("삼성", []) == []
    assert found("tsla", ["kospi", "nas"]) == ["TSLA"]
    assert len(store.search("a", limit=1)) == 1


def test_wildcards_of_sql_are_letters_like_others(store: SymbolStore) -> None:
    assert [symbol.symbol for symbol in store.search("%")] == ["PCT"]
    assert [symbol.symbol for symbol in store.search("a_b")] == ["PCT"]
    assert store.search("\\") == []
    assert store.search("' OR 1=1 --") == []


def test_symbols_are_looked_up_with_their_columns(store: SymbolStore) -> None:
    assert store.lookup(["AAPL", "none"]) == [
        Symbol(
            *("nas", "AAPL", "애플", "APPLE INC"),
            {"symbol": "AAPL", "name": "애플", "english_name": "APPLE INC"},
        )
    ]
    assert store.lookup(["AAPL"], ["kospi"]) == store.lookup([]) == []
    assert store.names(["kospi", "nas"])["005930"] == "삼성전자"
    assert store.updated() == {"kospi": 1, "nas": 2}


def test_a_new_file_takes_the_place_of_the_old_one_or_leaves_it(store: SymbolStore) -> None:
    assert store.replace(TABBED, b"NEW\tN\tN\n", 3) == 1
    assert [symbol.symbol for symbol in store.search("", ["nas"])] == ["NEW"]
    for content in (b"A\tB\tC\tD\n", b"\n\n"):
        with pytest.raises(MastersError):
            store.replace(TABBED, content, 4)
    assert store.updated()["nas"] == 3
    assert [symbol.symbol for symbol in store.search("", ["nas"])] == ["NEW"]


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "file" / "symbols.db", tmp_path / "file"):
        with pytest.raises(MastersError, match="file"):
            SymbolStore(path).updated()


def test_every_master_of_the_workbook_can_be_parsed_blank() -> None:
    for master in CATALOG.masters.values():
        separator = {"fixed": "", "pipe": "|", "tab": "\t"}[master.format]
        cells = ["x".ljust(column.width) for column in master.columns]
        [row] = parse(master, separator.join(cells).encode())
        assert set(row.values()) == {"x"}


def test_the_folder_is_made_for_the_owner_alone(store: SymbolStore, tmp_path: Path) -> None:
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_zip_file_unpacks_no_further_than_a_master_may_be_long() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FIXED.inner, b" " * (64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(MastersError, match="more than 16777216 bytes when it is unpacked"):
            unpack(FIXED, bomb.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 128 << 20
    finally:
        tracemalloc.stop()


def test_a_master_has_no_more_lines_than_any_of_kis() -> None:
    with pytest.raises(MastersError, match="more than 200000 lines"):
        for _ in parse(TABBED, b"\n" * 1_000_000):
            pass
