"""The cells of an Excel file, which anybody may have made: bounded before they are read."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from bridge.catalog.sheets import Cells, Sheets
from bridge.errors import WorkbookError
from bridge.runtime.bounded_zip import ArchiveError, unpack, without_compression
from bridge.runtime.regular_file import read_regular

__all__ = ["open_sheets"]

# Three to thirty times of what spec/kis.xlsx has.
_LARGEST = 8 << 20
_MEMBERS = 256
_UNPACKED = 32 << 20
_ELEMENTS = 1_500_000
"""XML elements with their attributes; each takes some hundred bytes while a row is read."""
_SHEETS = 64
_ROWS = 20_000
"""Of a sheet."""
_COLUMNS = 64
_LAST_ROW = 1 << 20
"""Of Excel."""
_VISITED = 4_000_000
"""Rows and cells of a sheet, also those that are only there to be filled up."""
_LONGEST_CELL = 32_767
"""Letters; Excel takes no more either."""

_BROKEN = (
    ArithmeticError,
    RuntimeError,
    LookupError,
    ValueError,
    ParseError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    zlib.error,
    zipfile.BadZipFile,
    InvalidFileException,
)
"""What openpyxl raises for a file that is an archive but not a sound workbook."""


def open_sheets(path: Path) -> Sheets:
    """Return the cells of every sheet of an Excel file.

    Raises :class:`WorkbookError` when the file is no Excel workbook, or far larger than one.
    """
    try:
        files = unpack(read_regular(path, _LARGEST), members=_MEMBERS, unpacked=_UNPACKED)
        with warnings.catch_warnings():  # openpyxl's own, of what it leaves out
            warnings.simplefilter("ignore")
            return _sheets(files)
    except FileNotFoundError as error:
        raise WorkbookError(f"{path}: no such file") from error
    except OSError as error:
        raise WorkbookError(f"{path}: {error.strerror or error}") from error
    except ArchiveError as error:
        raise WorkbookError(f"{path}: no Excel workbook (.xlsx): {error}") from error
    except WorkbookError as error:
        raise WorkbookError(f"{path}: {error}") from error


def _sheets(files: Mapping[str, bytes]) -> Sheets:
    _look_through(files)
    try:
        # Read only: openpyxl would otherwise hold each cell as an object of its own.
        book = load_workbook(without_compression(files), read_only=True, keep_links=False)
    except _BROKEN as error:
        raise WorkbookError(f"a broken Excel workbook: {_line(error)}") from error
    try:
        sheets: Any = book.worksheets  # read only ones, which the stubs do not know
        return {sheet.title: _cells(sheet) for sheet in sheets}
    except _BROKEN as error:
        raise WorkbookError(f"a broken Excel workbook: {_line(error)}") from error
    finally:
        book.close()


def _look_through(files: Mapping[str, bytes]) -> None:
    """Refuse XML that costs far more than its length, before any object is made of it."""
    elements = sheets = 0

    def element(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal elements, sheets
        elements += 1 + len(attributes)
        if elements > _ELEMENTS:
            raise WorkbookError(f"more than {_ELEMENTS} XML elements")
        if name.rpartition(":")[2] == "sheet":  # the same cells could stand in any number of sheets
            sheets += 1
            if sheets > _SHEETS:
                raise WorkbookError(f"more than {_SHEETS} sheets")

    def entities(*_: object) -> None:
        raise WorkbookError("an XML document type, which could multiply what it declares")

    for content in files.values():
        parser = expat.ParserCreate()
        parser.StartElementHandler = element
        parser.StartDoctypeDeclHandler = entities
        # No XML, or broken: then openpyxl says so, if it needs it.
        with suppress(expat.ExpatError, ValueError, LookupError):
            parser.Parse(content, True)


def _cells(sheet: Any) -> Cells:
    # What the file says of its size may be a lie: each missing row and cell would be filled up.
    sheet.reset_dimensions()
    rows: list[tuple[Any, ...]] = []
    visited = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        visited += 1 + len(row)
        if visited > _VISITED or number > _LAST_ROW:
            raise WorkbookError(f"{sheet.title}: far more cells than any such workbook has")
        if not row:
            if number <= _ROWS:
                rows.append(row)
            continue
        # Programs leave formats behind, in the last row of all for instance; those are no matter.
        if number > _ROWS and any(value is not None for value in row):
            raise WorkbookError(f"{sheet.title}!{number}: more than {_ROWS} rows")
        if any(value is not None for value in row[_COLUMNS:]):
            raise WorkbookError(f"{sheet.title}!{number}: more than {_COLUMNS} columns")
        if any(isinstance(value, str) and len(value) > _LONGEST_CELL for value in row):
            raise WorkbookError(
                f"{sheet.title}!{number}: a cell has more than {_LONGEST_CELL} letters"
            )
        if number <= _ROWS:
            rows.append(row[:_COLUMNS])
    return rows


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
