"""Read-only KIS calls in the workbook's words: English parameters in, typed answers out. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from bridge.catalog.model import Api, Catalog, Field, Param
from bridge.errors import DecodeError, RequestError
from bridge.kis.values import number, scaled

__all__ = ["join", "prepare", "shape"]

_ACCOUNT = ("CANO", "ACNT_PRDT_CD")
"""Parameters that the bridge fills in: no payload ever holds an account number."""
_PAGING = "CTX_AREA_"


def prepare(
    api: Api, catalog: Catalog, given: Mapping[str, str | int], account: SecretStr
) -> dict[str, str]:
    """Return the wire parameters of a call.

    ``account`` is ``12345678-01``, blank when the request names none. Raises
    :class:`RequestError` that names the parameter and what it may be.
    """
    if api.changes or api.category == "auth":
        raise RequestError("not_read_only", f"{api.name} cannot be called by query")
    wire: dict[str, str] = {}
    left = dict(given)
    for param in api.params:
        if param.name in _ACCOUNT:
            if not account.get_secret_value():
                raise RequestError("invalid_request", f"{api.name} needs an account")
            parts = account.get_secret_value().split("-")
            wire[param.name] = parts[_ACCOUNT.index(param.name)]
            continue
        value = left.pop(param.path, left.pop(param.name, None))
        if param.name.upper().startswith(_PAGING):
            wire[param.name] = "" if value is None else str(value)
        elif value is not None:
            wire[param.name] = _checked(api, catalog, param, str(value))
        elif param.required and not param.default:
            raise RequestError("invalid_request", f"{api.name}: params.{param.path} is missing")
        else:
            wire[param.name] = param.default
    if left:
        [name, *_] = left
        paths = [param.path for param in api.params if param.name not in _ACCOUNT]
        near = difflib.get_close_matches(name, paths, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(paths) or 'none'}"
        raise RequestError("invalid_request", f"{api.name}: no params.{name} ({hint})")
    return wire


def shape(api: Api, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer of KIS as the workbook names and types it.

    Blocks keep KIS's names (``output1``); what the workbook does not know is left out.
    """
    shaped: dict[str, Any] = {}
    for output in api.outputs:
        block = body.get(output.name) if output.name else body
        if isinstance(block, Mapping):
            rows: list[Any] = [block]
        elif isinstance(block, list):
            rows = block
        else:
            continue
        read = [_row(output.fields, row) for row in rows if isinstance(row, Mapping)]
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


def _checked(api: Api, catalog: Catalog, param: Param, value: str) -> str:
    codes = catalog.codes.get(param.codes, ())
    for code in codes:
        if value in (code.code, code.name):
            return code.code
    if codes:
        allowed = ", ".join(f"{code.code} ({code.name})" for code in codes)
        raise RequestError(
            "invalid_request", f"{api.name}: params.{param.path} {value!r} is none of {allowed}"
        )
    return value


def _row(fields: tuple[Field, ...], row: Mapping[str, Any]) -> dict[str, Any]:
    names = {name.lower(): value for name, value in row.items()}
    return {
        field.path: _value(field, names[field.name.lower()])
        for field in fields
        if field.name.lower() in names
    }


def _value(field: Field, value: object) -> object:
    """Return a number exactly as KIS wrote it, or the text where it wrote none."""
    if field.type not in ("int", "decimal") or not isinstance(value, str):
        return value
    try:
        digits = scaled(number(value), field.scale)
    except DecodeError:
        return value
    return None if digits == "null" else Decimal(digits)
