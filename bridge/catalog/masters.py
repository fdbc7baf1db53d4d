"""Symbol masters, from their rows in the workbook."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from bridge.catalog.fields import TYPES
from bridge.catalog.model import Column, Master
from bridge.catalog.sheets import SheetRow, Tables

__all__ = ["read_masters"]

_FORMATS = ("fixed", "pipe", "tab")


def read_masters(tables: Tables, codes: Container[str]) -> dict[str, Master]:
    """Return the masters by id."""
    groups: dict[str, list[SheetRow]] = {}
    for row in tables.rows["master_fields"]:
        groups.setdefault(row["master"], []).append(row)
    heads: dict[str, SheetRow] = {}
    for head in tables.rows["masters"]:
        head.word("id")
        head.new("id", heads)
        heads.setdefault(head["id"], head)
    for name, rows in groups.items():
        if name and name not in heads:
            rows[0].wrong("master", f"no master {name!r} in the sheet masters")
    own = {name: _columns(rows, codes) for name, rows in groups.items()}
    return {name: _master(head, own) for name, head in heads.items()}


def _columns(rows: Sequence[SheetRow], codes: Container[str]) -> tuple[Column, ...]:
    columns: dict[str, Column] = {}
    paths: set[str] = set()
    for position, row in enumerate(rows, 1):
        if row["position"] and row.whole("position") != position:
            row.wrong("position", f"must be {position}: count on from 1, in order")
        row.one_of("type", TYPES)
        row.word("path")
        row.new("name", columns)
        row.new("path", paths)
        paths.add(row["path"])
        if row["codes"] and row["codes"] not in codes:
            row.wrong("codes", f"no list {row['codes']!r} in the sheet codes")
        kind: Any = row["type"]
        columns[row["name"]] = Column(
            name=row["name"],
            path=row["path"],
            type=kind,
            width=row.whole("width"),
            codes=row["codes"],
            korean=row["korean"],
            description=row["english"],
        )
    return tuple(columns.values())


def _master(head: SheetRow, own: Mapping[str, tuple[Column, ...]]) -> Master:
    head.one_of("format", _FORMATS)
    name, base = head["id"], head["layout"]
    if base and name in own:
        head.wrong("layout", f"{name!r} has rows of its own in the sheet master_fields")
    if (base or name) not in own:
        head.wrong("layout" if base else "id", "has no rows in the sheet master_fields")
    columns = own.get(base or name, ())
    fixed = head["format"] == "fixed"
    if fixed and sum(column.width for column in columns) != head.whole("width"):
        total = sum(column.width for column in columns)
        head.wrong("width", f"{head['width'] or 'blank'}, but the columns have {total} bytes")
    if fixed != all(column.width for column in columns) and columns:
        head.wrong("format", "only the columns of a fixed file have a width, and all of them")
    kind: Any = head["format"]
    return Master(
        id=name,
        market=head["market"],
        venue=head["venue"],
        file=head["file"],
        inner=head["inner"],
        format=kind,
        width=head.whole("width"),
        english=head["english"],
        korean=head["korean"],
        columns=columns,
    )
