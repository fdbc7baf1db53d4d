"""Read-only KIS calls in the workbook's words: English parameters in, typed answers out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from bridge.catalog.model import Api, Catalog, Field, Param
from bridge.errors import DecodeError, RequestError
from bridge.kis.replies import Reply
from bridge.kis.values import down, number, scaled
from bridge.runtime.suggestions import nearest

__all__ = ["join", "next_page", "prepare", "reads_only", "shape", "variant"]

_ACCOUNT = ("CANO", "ACNT_PRDT_CD")
"""Parameters that the bridge fills in: no payload ever holds an account number."""
_PAGING = "CTX_AREA_"
_FITS = {
    "int": (r"-?\d+", "a whole number"),
    "decimal": (r"-?\d+(?:\.\d+)?", "a number"),
    "date": (r"\d{8}", "a day: YYYYMMDD or YYYY-MM-DD"),
    "time": (r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d", "a time: HHMMSS or HH:MM:SS"),
    "sign": (r"[1-5]", "a sign code, 1 to 5"),
}
"""What a value of each type looks like on the wire; text of any other type has no controls."""
_TEXT = r"[^\x00-\x1f\x7f]{0,200}"


def reads_only(api: Api) -> bool:
    """Tell whether a call can do no harm, whatever a workbook of one's own says of it."""
    return api.method == "GET" and not api.changes and api.category != "auth"


def prepare(
    api: Api, catalog: Catalog, given: Mapping[str, str | int], account: SecretStr
) -> dict[str, str]:
    """Return the wire parameters of a call.

    ``account`` is ``12345678-01``, blank when the request names none. Raises
    :class:`RequestError` that names the parameter and what it may be.
    """
    if not reads_only(api):
        raise RequestError("not_read_only", f"{api.name} cannot be called by query")
    wire: dict[str, str] = {}
    missing = ""
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
            wire[param.name] = "" if value is None else _wire(api, param, str(value))
        elif value is not None:
            wire[param.name] = _checked(api, catalog, param, str(value))
        elif param.required and not param.default:
            missing = missing or param.path
        else:
            wire[param.name] = param.default
    if left:
        [name, *_] = left
        paths = [param.path for param in api.params if param.name not in _ACCOUNT]
        near = nearest(name, paths)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(paths) or 'none'}"
        raise RequestError("invalid_request", f"{api.name}: no params.{name} ({hint})")
    if missing:
        raise RequestError("invalid_request", f"{api.name}: params.{missing} is missing")
    return wire


def variant(api: Api, asked: str) -> str:
    """Return the variant asked for, by default the first one of the workbook."""
    known = [ids.variant for ids in api.tr_ids]
    if asked and asked not in known:
        names = ", ".join(filter(None, known)) or "it has none"
        raise RequestError("invalid_request", f"{api.name}: no variant {asked!r} ({names})")
    return asked or known[0]


def next_page(
    api: Api, params: Mapping[str, str], reply: Reply
) -> tuple[dict[str, str], str] | None:
    """Return parameters and ``tr_cont`` that lead to the next page; None after the last one.

    ``params`` are those of the page that ``reply`` answered.
    """
    if not api.pages or not reply.ok:
        return None
    keys: dict[str, str] = {}
    for param in api.params:
        if param.path.startswith("continuation"):
            value = _answered(reply.body, param.name.lower())
            if value is not None:
                keys[param.name] = value.rstrip()  # KIS pads them with blanks
    if api.pages == "key":
        moved = any(value and value != params.get(name) for name, value in keys.items())
        if moved:
            # Overseas futures want to be told that the key is not the first one.
            keys |= {param.name: "P" for param in api.params if param.name == "QRY_TP"}
        elif keys or not reply.more:
            return None
    elif not reply.more:
        return None
    return {**params, **keys}, "N" if reply.more else ""


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


def _checked(api: Api, catalog: Catalog, param: Param, value: str) -> str:
    codes = catalog.codes.get(param.codes, ())
    for same in (str, str.casefold):  # NAS is nas in the topics
        for code in codes:
            if same(value) in (same(code.code), same(code.name)):
                return code.code
    if codes and value:  # blank is KIS's word for all of them
        allowed = ", ".join(f"{code.code} ({code.name})" for code in codes)
        raise RequestError(
            "invalid_request", f"{api.name}: params.{param.path} {value!r} is none of {allowed}"
        )
    return _wire(api, param, value)


def _wire(api: Api, param: Param, value: str) -> str:
    """Return a value as it goes out; days and times may have their usual separators."""
    if param.type == "date" and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        value = value.replace("-", "")
    elif param.type == "time" and re.fullmatch(r"\d\d:\d\d:\d\d", value):
        value = value.replace(":", "")
    fits, what = _FITS.get(param.type, (_TEXT, "a text of at most 200 characters"))
    fitting = re.fullmatch(fits, value, re.ASCII) is not None
    if value and not (fitting and (param.type != "date" or _is_day(value))):
        raise RequestError(
            "invalid_request", f"{api.name}: params.{param.path} must be {what}, not {value[:40]!r}"
        )
    return value


def _is_day(digits: str) -> bool:
    """Tell whether there is such a day; zeros are how KIS is told of none."""
    try:
        return not digits.strip("0") or bool(datetime.strptime(digits, "%Y%m%d"))  # noqa: DTZ007
    except ValueError:
        return False


def _answered(body: Mapping[str, Any], name: str) -> str | None:
    """Return a key for the next page; KIS writes it beside the blocks or into one of them."""
    blocks = (block for block in body.values() if isinstance(block, Mapping))
    for block in (body, *blocks):
        for key, value in block.items():
            if key.lower() == name and isinstance(value, str):
                return value
    return None


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
    return value.replace(secret, "***") if secret and isinstance(value, str) else value


def _value(field: Field, value: object, falls: bool) -> object:
    """Return a number exactly as KIS wrote it, or the text where it wrote none."""
    if field.type not in ("int", "decimal") or not isinstance(value, str):
        return value
    try:
        digits = scaled(number(value), field.scale)
    except DecodeError:
        return value
    return None if digits == "null" else Decimal(down(digits) if falls else digits)
