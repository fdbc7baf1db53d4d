"""Answers of KIS in the workbook's words: English names, typed values; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from bridge.catalog.model import Api, Field
from bridge.errors import DecodeError
from bridge.kis.values import down, number, scaled
from bridge.runtime.redaction import known

__all__ = ["join", "shape"]

_PAGING = "CTX_AREA_"


def shape(api: Api, body: Mapping[str, Any], account: SecretStr) -> dict[str, Any]:
    """Return an answer of KIS as the workbook names and types it.

    Blocks keep KIS's names (``output1``). What the workbook does not know is left out, and so is
    what leads to the next page: KIS writes the account number into it.
    """
    secret, _, _ = account.get_secret_value().partition("-")
    shaped: dict[str, Any] = {}
    for output in api.outputs:
        block = body.get(output.name) if output.name else body
        if isinstance(block, Mapping):
            rows: list[Any] = [block]
        elif isinstance(block, list):
            rows = block
        else:
            continue
        read = [_row(output.fields, row, secret) for row in rows if isinstance(row, Mapping)]
        if output.array:
            shaped[output.name] = read
        elif read and output.name:
            shaped[output.name] = read[0]
        elif read:
            shaped |= read[0]
    return shaped


def join(pages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one answer of several pages: lists follow each other, the rest is the last page's."""
    joined: dict[str, Any] = {}
    for page in pages:
        for name, value in page.items():
            earlier = joined.get(name)
            both = isinstance(earlier, list) and isinstance(value, list)
            joined[name] = [*earlier, *value] if both and earlier else value
    return joined


def _row(fields: tuple[Field, ...], row: Mapping[str, Any], secret: str) -> dict[str, Any]:
    values = {name.lower(): value for name, value in row.items()}
    shaped: dict[str, Any] = {}
    for field in fields:
        name = field.name.lower()
        if name in values and not name.upper().startswith(_PAGING):
            falls = bool(field.signed_by) and values.get(field.signed_by.lower()) in ("4", "5")
            _put(shaped, field.path, _value(field, _hidden(values[name], secret), falls))
    return shaped


def _put(target: dict[str, Any], path: str, value: object) -> None:
    """Nest ``asks[0].price`` as ``{"asks": [{"price": …}]}``; what KIS left out below is null."""
    parts = path.replace("[", ".[").split(".")
    node: Any = target
    for part, following in zip(parts, (*parts[1:], ""), strict=True):
        fresh: Any = value if not following else [] if following.startswith("[") else {}
        if part.startswith("["):
            index = int(part[1:-1])
            node.extend([None] * (index + 1 - len(node)))
            if not following or node[index] is None:
                node[index] = fresh
            node = node[index]
        elif following:
            node = node.setdefault(part, fresh)
        else:
            node[part] = fresh


def _hidden(value: object, secret: str) -> object:
    if not isinstance(value, str):
        return value
    if secret:
        value = value.replace(secret, "***")
    # Nearly every value is shorter than any key, and then one look tells.
    return known().value(value)


def _value(field: Field, value: object, falls: bool) -> object:
    """Return a number exactly as KIS wrote it, or the text where it wrote none."""
    if field.type not in ("int", "decimal") or not isinstance(value, str):
        return value
    try:
        digits = scaled(number(value), field.scale)
    except DecodeError:
        return value
    return None if digits == "null" else Decimal(down(digits) if falls else digits)
