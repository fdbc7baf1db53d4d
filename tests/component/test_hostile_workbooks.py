"""Workbooks that are small on disk and were made to fill the memory."""

from __future__ import annotations

import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openpyxl import Workbook

from bridge.catalog.excel import open_sheets
from bridge.errors import WorkbookError
from tests.unit.fuzz import memory

_MEMORY = 256 << 20
_SECONDS = 20.0


def parts() -> dict[str, bytes]:
    """Return the files of a small sound workbook."""
    book, target = Workbook(), io.BytesIO()
    book.active.append(["a", "b"])  # type: ignore[union-attr]
    book.save(target)
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


SOUND = parts()
SHEET, BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"


def packed(**changed: bytes) -> bytes:
    files = SOUND | {{"sheet": SHEET, "book": BOOK}.get(k, k): v for k, v in changed.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def sheet(rows: bytes, head: bytes = b"") -> bytes:
    start, _, _ = SOUND[SHEET].partition(b"<sheetData>")
    return head + start + b"<sheetData>" + rows + b"</sheetData></worksheet>"


def lying() -> bytes:
    """Return an archive whose list says that a file of 64 MB has 10 bytes."""
    data = bytearray(packed(sheet=sheet(b" " * (64 << 20))))
    size = (64 << 20) + len(sheet(b""))
    found = 0
    while (found := data.find(size.to_bytes(4, "little"), found + 1)) >= 0:
        data[found : found + 4] = (10).to_bytes(4, "little")
    return bytes(data)


def many_entries() -> bytes:
    data = packed()
    start = data.index(b"PK\x01\x02")
    return data[:start] + data[start:-22] * 100 + data[-22:]


def same_sheet_again_and_again() -> bytes:
    entry = SOUND[BOOK][SOUND[BOOK].index(b"<sheet ") : SOUND[BOOK].index(b"</sheets>")]
    return packed(book=SOUND[BOOK].replace(entry, entry * 50_000))


DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@contextmanager
def bounded() -> Iterator[None]:
    before, began = memory.begin(), time.process_time()
    yield
    assert time.process_time() - began < _SECONDS
    assert memory.most() - before < _MEMORY


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (packed(sheet=sheet(b" " * (64 << 20))), "more than 33554432 bytes when it is unpacked"),
        (lying(), "no Excel workbook"),
        (many_entries(), "more than 256 files in the archive"),
        (packed(sheet=sheet(b'<row r="1">' + b"<c/>" * 1_600_000 + b"</row>")), "1500000 XML"),
        (packed(sheet=sheet(b'<row r="20001"><c r="A1"><v>1</v></c></row>')), "20000 rows"),
        (packed(sheet=sheet(b'<row r="99999999"><c r="A1"><v>1</v></c></row>')), "far more cells"),
        (packed(sheet=sheet(b'<row><c r="XFD1"/></row>' * 300_000)), "far more cells"),
        (packed(sheet=sheet(b'<row r="1"><c r="XFD1"><v>1</v></c></row>')), "64 columns"),
        (packed(sheet=sheet(b"", DOCTYPE)), "XML document type"),
        (packed(sheet=sheet(b"", DOCTYPE).decode().encode("utf-16")), "XML document type"),
        (same_sheet_again_and_again(), "more than 64 sheets"),
        (
            packed(
                sheet=sheet(
                    b'<row r="1"><c r="A1" t="inlineStr"><is><t>%b</t></is></c></row>'
                    % (b"x" * 32_768)
                )
            ),
            "more than 32767 letters",
        ),
        (b"PK\x03\x04", "no sound ZIP archive"),
        (b" " * ((8 << 20) + 1), "more than 8388608 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_workbook_that_would_fill_the_memory_is_refused_in_one_line(
    tmp_path: Path, data: bytes, says: str
) -> None:
    path = tmp_path / "kis.xlsx"
    path.write_bytes(data)
    with bounded(), pytest.raises(WorkbookError, match=says) as caught:
        open_sheets(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_size_that_the_sheet_only_claims_is_not_filled_up(tmp_path: Path) -> None:
    path = tmp_path / "kis.xlsx"
    claimed = sheet(b'<row r="1"><c r="A1"><v>1</v></c></row>').replace(b"A1:B1", b"A1:XFD1048576")
    assert b"XFD1048576" in claimed
    path.write_bytes(packed(sheet=claimed))
    with bounded():
        assert list(open_sheets(path).values()) == [[(1,)]]


def test_formats_that_a_program_has_left_behind_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "kis.xlsx"
    first = b'<row r="1"><c r="A1"><v>1</v></c><c r="XFD1" s="0"/></row>'
    path.write_bytes(packed(sheet=sheet(first + b'<row r="1048576" ht="12.8"/>')))
    (rows,) = open_sheets(path).values()
    assert [row for row in rows if any(row)] == [(1, *[None] * 63)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.timeout(10)
def test_a_pipe_in_the_place_of_the_workbook_does_not_hold_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kis.xlsx")
    with pytest.raises(WorkbookError, match="is a pipe, socket or device and no file"):
        open_sheets(tmp_path / "kis.xlsx")
