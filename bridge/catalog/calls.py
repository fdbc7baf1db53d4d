"""REST calls, from their rows in the workbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from bridge.catalog.fields import TYPES, read_block
from bridge.catalog.model import Api, Code, Output, Param, TrId
from bridge.catalog.sheets import SheetRow, Tables

__all__ = ["read_apis"]

_Codes = Mapping[str, Sequence[Code]]
_ONCE = ("method", "path", "changes", "pages", "korean", "english")
"""What the first row of a call tells for all its variants."""
_WITHOUT_TR_ID = "auth"
"""Group of the calls that need none: tokens and keys."""


def read_apis(tables: Tables, codes: _Codes) -> dict[str, Api]:
    """Return the calls by ``category/id``."""
    groups: dict[str, list[SheetRow]] = {}
    tr_ids: set[str] = set()
    for row in tables.rows["apis"]:
        groups.setdefault(f"{row['category']}/{row['id']}", []).append(row)
        for column in ("tr_id", "tr_id_paper"):
            row.tr_id(column)
        row.new("tr_id", tr_ids)
        tr_ids.add(row["tr_id"])
    params = _by_api(tables.rows["params"], groups)
    outputs = _by_api(tables.rows["outputs"], groups)
    apis = {
        name: _api(
            rows, _params(params.get(name, ()), codes), _outputs(outputs.get(name, ()), codes)
        )
        for name, rows in groups.items()
    }
    return dict(sorted(apis.items()))


def _by_api(rows: Sequence[SheetRow], known: Mapping[str, object]) -> dict[str, list[SheetRow]]:
    groups: dict[str, list[SheetRow]] = {}
    for row in rows:
        if row["api"] and row["api"] not in known:
            row.wrong("api", f"no call {row['api']!r} in the sheet apis")
        groups.setdefault(row["api"], []).append(row)
    return groups


def _api(rows: Sequence[SheetRow], params: tuple[Param, ...], outputs: tuple[Output, ...]) -> Api:
    head, *others = rows
    head.word("category")
    head.word("id")
    head.one_of("method", ("GET", "POST"))
    head.one_of("pages", ("", "tr_cont", "tr_cont+ctx_area", "key"))
    if not head["path"].startswith("/"):
        head.wrong("path", "must begin with /")
    for column in ("korean", "english"):
        if not head[column]:
            head.wrong(column, "is missing")
    for row in others:
        for column in _ONCE:
            if row[column]:
                row.wrong(column, f"leave blank: {head.at(column)} tells it")
    variants: set[str] = set()
    for row in rows:
        row.word("variant")
        if row["variant"] in variants or (others and not row["variant"]):
            row.wrong("variant", "each row of a call needs a variant of its own")
        variants.add(row["variant"])
        if not row["tr_id"] and row["category"] != _WITHOUT_TR_ID:
            row.wrong("tr_id", "is missing")
    method: Any = head["method"]
    pages: Any = head["pages"]
    return Api(
        category=head["category"],
        id=head["id"],
        method=method,
        path=head["path"],
        english=head["english"],
        korean=head["korean"],
        tr_ids=tuple(
            TrId(row["variant"], row["tr_id"], row["tr_id_paper"]) for row in rows if row["tr_id"]
        ),
        params=params,
        outputs=outputs,
        changes=head.flag("changes"),
        pages=pages,
    )


def _params(rows: Sequence[SheetRow], codes: _Codes) -> tuple[Param, ...]:
    params: dict[str, Param] = {}
    paths: set[str] = set()
    for row in rows:
        row.one_of("type", TYPES)
        row.one_of("where", ("query", "body"))
        row.word("path")
        row.new("name", params)
        row.new("path", paths)
        paths.add(row["path"])
        if row["codes"] and row["codes"] not in codes:
            row.wrong("codes", f"no list {row['codes']!r} in the sheet codes")
        known = [code.code for code in codes.get(row["codes"], ())]
        if row["default"] and known and row["default"] not in known:
            row.wrong("default", f"{row['default']!r} is not in list {row['codes']!r}")
        kind: Any = row["type"]
        where: Any = row["where"]
        params[row["name"]] = Param(
            name=row["name"],
            path=row["path"],
            type=kind,
            where=where,
            required=row.flag("required"),
            default=row["default"],
            codes=row["codes"],
            korean=row["korean"],
            description=row["english"],
        )
    return tuple(params.values())


def _outputs(rows: Sequence[SheetRow], codes: _Codes) -> tuple[Output, ...]:
    outputs: dict[str, Output] = {}
    for name, group in groupby(rows, key=lambda row: row["output"]):
        first, *others = block = list(group)
        if name in outputs:
            first.wrong("output", f"keep the rows of {name!r} together")
        for row in others:
            if row.flag("array") != first.flag("array"):
                row.wrong("array", f"must be as in {first.at('array')}")
        outputs[name] = Output(name, first.flag("array"), read_block(block, codes))
    return tuple(outputs.values())
