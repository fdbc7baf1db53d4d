"""Fields and layouts, from their rows in the workbook."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, get_args

from bridge.catalog.model import Field, FieldType, Layout
from bridge.catalog.paths import clashes
from bridge.catalog.sheets import SheetRow, Tables

__all__ = ["TYPES", "read_block", "read_layouts"]

TYPES: Sequence[str] = get_args(FieldType)


def read_layouts(tables: Tables, codes: Container[str]) -> dict[str, Layout]:
    """Return the layouts by id."""
    groups: dict[str, list[SheetRow]] = {}
    heads: dict[str, SheetRow] = {}
    for head in tables.rows["layouts"]:
        head.new("id", heads)
        heads.setdefault(head["id"], head)
    for row in tables.rows["fields"]:
        groups.setdefault(row["layout"], []).append(row)
    for name, rows in groups.items():
        if name and name not in heads:
            rows[0].wrong("layout", f"no layout {name!r} in the sheet layouts")
    own = {name: _layout_fields(rows, codes) for name, rows in groups.items()}
    return {name: _layout(head, own, groups) for name, head in heads.items()}


def read_block(rows: Sequence[SheetRow], codes: Container[str]) -> tuple[Field, ...]:
    """Return the fields of one layout, or of one block of an answer."""
    signs = {row["name"] for row in rows if row["type"] == "sign"}
    names: set[str] = set()
    for row in rows:
        row.new("name", names)
        names.add(row["name"])
        if row["signed_by"] and row["signed_by"] not in signs:
            row.wrong("signed_by", f"no field {row['signed_by']!r} of type sign here")
    for row, message in clashes((row, row["path"]) for row in rows if row["path"]):
        row.wrong("path", message)
    return tuple(_field(row, codes) for row in rows)


def _layout_fields(rows: Sequence[SheetRow], codes: Container[str]) -> tuple[Field, ...]:
    optional = False
    for position, row in enumerate(rows, 1):
        if row["position"] and row.whole("position") != position:
            row.wrong("position", f"must be {position}: count on from 1, in order")
        if optional and not row.flag("optional"):
            row.wrong("optional", "must be yes, as for the field before it")
        optional = optional or row.flag("optional")
        if row["path"] == "time" and row["type"] != "time":
            row.wrong("type", f"the field with path time must be a time, not {row['type']!r}")
    return read_block(rows, codes)


def _field(row: SheetRow, codes: Container[str]) -> Field:
    row.one_of("type", TYPES)
    if row["codes"] and row["codes"] not in codes:
        row.wrong("codes", f"no list {row['codes']!r} in the sheet codes")
    for column in ("scale", "signed_by"):
        if row[column] and row["type"] not in ("int", "decimal"):
            row.wrong(column, f"only int and decimal have one, not {row['type']!r}")
    kind: Any = row["type"]
    return Field(
        name=row["name"],
        path=row["path"],
        type=kind,
        korean=row["korean"],
        description=row["english"],
        unit=row["unit"],
        codes=row["codes"],
        signed_by=row["signed_by"],
        scale=row.whole("scale"),
        optional=row.flag("optional"),
    )


def _layout(
    head: SheetRow, own: Mapping[str, tuple[Field, ...]], rows: Mapping[str, Sequence[SheetRow]]
) -> Layout:
    name, width, base = head["id"], head.whole("width"), head["prefix_of"]
    fields = own.get(name, ())
    if base:
        if name in rows:
            rows[name][0].wrong("layout", f"layout {name!r} takes its fields from {base!r}")
        if base not in own:
            head.wrong("prefix_of", f"no layout {base!r} with rows in the sheet fields")
        fields = own.get(base, ())
        if fields and len(fields) == width:
            head.wrong("prefix_of", f"layout {base!r} has the same width: use it instead")
        fields = fields[:width]
    elif not fields:
        head.wrong("id", f"layout {name!r} has no rows in the sheet fields")
    elif len(fields) != width and head["width"]:
        head.wrong("width", f"{width}, but the sheet fields has {len(fields)} rows for it")
    types = {field.name: field.type for field in fields}
    if head["date"]:
        if types.get(head["date"]) != "date":
            head.wrong("date", f"no field {head['date']!r} of type date in layout {name!r}")
        if all(field.path != "time" for field in fields):
            head.wrong("date", f"layout {name!r} has no field with path time")
    for field in fields if base else ():
        if field.signed_by and field.signed_by not in types:
            head.wrong("width", f"cuts off {field.signed_by!r}, which signs {field.name!r}")
    return Layout(name, width, fields, head["date"])
