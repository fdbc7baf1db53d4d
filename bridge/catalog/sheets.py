"""The sheets of the workbook as checked rows of text; what the rows mean is ``workbook``'s.

Every complaint names sheet and cell, says what is wrong and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openpyxl.utils import get_column_letter

__all__ = ["SHEETS", "Problems", "SheetRow", "Sheets", "Tables", "read_tables"]

SHEETS: Mapping[str, tuple[str, ...]] = {
    "channels": (
        *("tr_id", "tr_id_paper", "market", "venue", "kind", "layouts", "symbol", "key"),
        *("timezone", "encrypted", "korean", "english"),
    ),
    "venues": ("channel", "venue", "prefix", "timezone", "english"),
    "layouts": ("id", "width", "date", "prefix_of", "english"),
    "fields": (
        *("layout", "position", "name", "path", "type", "unit", "codes", "signed_by", "scale"),
        *("optional", "korean", "english"),
    ),
    "apis": (
        *("category", "id", "variant", "tr_id", "tr_id_paper", "method", "path", "changes"),
        *("pages", "korean", "english"),
    ),
    "params": (
        *("api", "name", "path", "type", "where", "required", "default", "codes", "korean"),
        "english",
    ),
    "outputs": (
        *("api", "output", "array", "name", "path", "type", "unit", "codes", "signed_by"),
        *("scale", "korean", "english"),
    ),
    "masters": (
        *("id", "market", "venue", "file", "inner", "format", "width", "layout", "korean"),
        "english",
    ),
    "master_fields": (
        *("master", "position", "name", "path", "type", "width", "codes", "korean", "english"),
    ),
    "codes": ("list", "code", "name", "korean", "english"),
    "hours": (
        *("markets", "venues", "session", "calendar", "days", "opens", "closes", "timezone"),
        *("since", "until", "data", "busy", "orders", "order_types", "english"),
    ),
    "snapshots": ("channels", "api", "params", "outputs", "english"),
}
"""The columns of every sheet but ``about``, which explains them."""

_MENDS = {"hours": ": copy it from spec/kis.xlsx, with what about says of it"}
"""For workbooks that were copied before there was such a sheet."""
_MAY_BE_MISSING = frozenset(["snapshots"])
"""Without it nothing is polled, and all else is as it was."""
_ABOUT = ("sheet", "column", "meaning")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_TR_ID = re.compile(r"[A-Z][A-Z0-9]{5,14}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_NUMBERS = frozenset(["position", "width", "scale"])
_FLAGS = frozenset(["encrypted", "optional", "changes", "required", "array", "data", "orders"])
_REQUIRED = frozenset(
    [
        *("channels.tr_id", "channels.market", "channels.kind", "channels.layouts"),
        *("channels.symbol", "channels.timezone", "channels.english", "channels.korean"),
        *("venues.channel", "venues.venue", "venues.prefix", "venues.timezone"),
        *("layouts.id", "layouts.width"),
        *("fields.layout", "fields.position", "fields.name", "fields.path", "fields.type"),
        *("fields.korean", "fields.english"),
        *("apis.category", "apis.id"),
        *("params.api", "params.name", "params.path", "params.type", "params.where"),
        *("outputs.api", "outputs.name", "outputs.path", "outputs.type"),
        *("masters.id", "masters.format", "masters.korean", "masters.english"),
        *("master_fields.master", "master_fields.position", "master_fields.name"),
        *("master_fields.path", "master_fields.type", "master_fields.english"),
        *("codes.list", "codes.code", "codes.name", "codes.english"),
        "hours.calendar",
        *("snapshots.channels", "snapshots.api", "snapshots.params", "snapshots.outputs"),
    ]
)


_MOST_PROBLEMS = 10_000
_LONGEST_PROBLEM = 1_000
"""Letters; a cell that is repeated in a complaint may have thirty times as many."""

Cells: TypeAlias = Sequence[Sequence[Any]]
Sheets: TypeAlias = Mapping[str, Cells]
"""Title → rows → cells, as Excel holds them."""


@dataclass(slots=True)
class Problems:
    """What is wrong with a workbook, one line each, in the order found."""

    lines: list[str] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        if len(self.lines) < _MOST_PROBLEMS:
            self.lines.append(f"{place}: {message}"[:_LONGEST_PROBLEM])


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row, and what a cell of it may hold; blank cells are blank texts."""

    sheet: str
    number: int
    cells: Mapping[str, str]
    letters: Mapping[str, str]
    problems: Problems = field(repr=False)

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def at(self, column: str) -> str:
        """Return where the cell is, e.g. ``fields!E14``."""
        return f"{self.sheet}!{self.letters[column]}{self.number}"

    def whole(self, column: str) -> int:
        return int(self[column] or "0")

    def flag(self, column: str) -> bool:
        return self[column] == "yes"

    def wrong(self, column: str, message: str) -> None:
        self.problems.add(self.at(column), message)

    def one_of(self, column: str, allowed: Sequence[str]) -> None:
        value = self[column]
        if value not in allowed and (value or f"{self.sheet}.{column}" not in _REQUIRED):
            names = ", ".join(name or "blank" for name in allowed)
            self.wrong(column, f"unknown {column} {value!r} (one of {names})")

    def word(self, column: str) -> None:
        if self[column] and not _WORD.fullmatch(self[column]):
            self.wrong(column, f"{self[column]!r} is no snake_case name")

    def tr_id(self, column: str) -> None:
        if self[column] and not _TR_ID.fullmatch(self[column]):
            self.wrong(column, f"{self[column]!r} is no TR id (capitals and digits)")

    def timezone(self, column: str) -> None:
        try:
            ZoneInfo(self[column] or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.wrong(column, f"{self[column]!r} is no IANA zone, e.g. Asia/Seoul")

    def new(self, column: str, seen: Container[str], where: str = "") -> None:
        """Complain when the cell's value was there before."""
        if self[column] and self[column] in seen:
            self.wrong(column, f"{self[column]!r} comes twice{where}")


@dataclass(frozen=True, slots=True)
class Tables:
    """The sheets, row by row, and the version told on ``about``."""

    version: str
    rows: Mapping[str, Sequence[SheetRow]]


def read_tables(sheets: Sheets, problems: Problems) -> Tables:
    """Check headers and cells; what is wrong goes to ``problems``."""
    known = ("about", *SHEETS)
    for name in sheets:
        if name not in known:
            problems.add(name, f"unknown sheet (the sheets are {', '.join(known)})")
    for name in known:
        if name not in sheets and name not in _MAY_BE_MISSING:
            problems.add(name, f"this sheet is missing{_MENDS.get(name, '')}")
    first = next(iter(sheets), "about")
    if first != "about":
        problems.add(first, "the first sheet must be about")
    rows = {
        name: _table(name, columns, sheets.get(name, []), problems)
        for name, columns in SHEETS.items()
    }
    there = {name: columns for name, columns in SHEETS.items() if name in sheets}
    there |= {name: SHEETS[name] for name in SHEETS.keys() - _MAY_BE_MISSING}
    return Tables(_about(sheets["about"], there, problems) if "about" in sheets else "", rows)


def _about(cells: Cells, sheets: Mapping[str, Sequence[str]], problems: Problems) -> str:
    """Check that the sheet explains every column; return the version of the workbook."""
    version = ""
    told: dict[tuple[str, str], int] = {}
    header = 0
    for number, row in enumerate(cells, 1):
        texts = [str(value).strip() if value is not None else "" for value in row[:3]]
        texts += [""] * (3 - len(texts))
        if header:
            if any(texts):
                told[texts[0], texts[1]] = number
                if not texts[2]:
                    problems.add(f"about!C{number}", "the meaning is missing")
        elif tuple(texts) == _ABOUT:
            header = number
        elif texts[0] == "version":
            version = texts[1]
    if not version:
        problems.add("about", "a row 'version' with the version of the workbook is missing")
    if not header:
        problems.add("about", f"the header {', '.join(_ABOUT)} is missing")
        return version
    wanted = {(sheet, column) for sheet, columns in sheets.items() for column in ("", *columns)}
    wanted.add(("about", ""))
    for (sheet, column), number in told.items():
        if (sheet, column) not in wanted:
            problems.add(f"about!A{number}", f"explains {sheet}.{column}, which is not there")
    for sheet, column in sorted(wanted - told.keys()):
        what = f"column {column!r} of sheet {sheet!r}" if column else f"sheet {sheet!r}"
        problems.add("about", f"does not explain {what}")
    return version


def _table(
    sheet: str, columns: Sequence[str], cells: Cells, problems: Problems
) -> Sequence[SheetRow]:
    if not cells:
        return ()
    letters = _header(sheet, columns, cells[0], problems)
    rows = []
    for number, values in enumerate(cells[1:], 2):
        if all(value is None for value in values):
            continue
        texts = dict.fromkeys(columns, "")
        row = SheetRow(sheet, number, texts, letters, problems)
        for name, value in _named(columns, letters, values):
            texts[name] = _text(row, name, value)
        for name in columns:
            if not texts[name] and f"{sheet}.{name}" in _REQUIRED:
                row.wrong(name, "is missing")
        rows.append(row)
    return rows


def _header(
    sheet: str, columns: Sequence[str], values: Sequence[Any], problems: Problems
) -> dict[str, str]:
    """Return the letter of every column; a missing one has the letter ``?``."""
    letters: dict[str, str] = {}
    for number, value in enumerate(values, 1):
        if value is None:
            continue
        letter = get_column_letter(number)
        if value not in columns:
            known = ", ".join(columns)
            problems.add(f"{sheet}!{letter}1", f"unknown column {value!r} (one of {known})")
        elif value in letters:
            problems.add(f"{sheet}!{letter}1", f"column {value!r} comes twice")
        else:
            letters[value] = letter
    for name in columns:
        if name not in letters:
            problems.add(f"{sheet}!1", f"column {name!r} is missing")
    return {name: letters.get(name, "?") for name in columns}


def _named(
    columns: Iterable[str], letters: Mapping[str, str], values: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    by_letter = {get_column_letter(i): value for i, value in enumerate(values, 1)}
    for name in columns:
        if by_letter.get(letters[name]) is not None:
            yield name, by_letter[letters[name]]


def _text(row: SheetRow, column: str, value: object) -> str:
    """Return the cell as text; blank when it is not what the column holds."""
    # Excel makes numbers and dates of what looks like them, and then leading zeros are gone. So
    # everything but counts has to be text.
    if column in _NUMBERS:
        if _NUMBER.fullmatch(str(value)) and not isinstance(value, bool):
            return str(value)
        row.wrong(column, f"must be a whole number, not {value!r}")
    elif not isinstance(value, str):
        row.wrong(column, f"{value!r} is no text: format the cell as text and type it again")
    elif value.startswith("="):
        row.wrong(column, "a formula: write its value")
    elif value != value.strip():
        row.wrong(column, f"blanks around {value.strip()!r}: remove them")
    elif column in _FLAGS and value not in ("yes", "no"):
        row.wrong(column, f"{value!r} is neither yes nor no (blank means no)")
    else:
        return value
    return ""
