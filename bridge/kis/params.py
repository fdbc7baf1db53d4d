"""Parameters of REST calls: English names and code names in, KIS's own out; pure.

What users and other rooms write goes through :func:`prepare`, which explains what is wrong with it.
What the bridge itself writes for an order goes through :func:`wire`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from pydantic import SecretStr

from bridge.catalog.model import Api, Catalog, Param
from bridge.errors import RequestError, WorkbookError
from bridge.runtime.suggestions import nearest

__all__ = ["account_values", "is_page_key", "prepare", "reads_only", "variant", "wire"]

_ACCOUNT = ("CANO", "ACNT_PRDT_CD")
"""Parameters that the bridge fills in: no payload ever holds an account number."""
_PAGING = "CTX_AREA_"
_FITS = {
    "int": (r"-?[0-9]{1,32}", "a whole number"),
    "decimal": (r"-?[0-9]{1,32}(?:\.[0-9]{1,32})?", "a number"),
    "date": (r"[0-9]{8}", "a day: YYYYMMDD or YYYY-MM-DD"),
    "time": (r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d", "a time: HHMMSS or HH:MM:SS"),
    "sign": (r"[1-5]", "a sign code, 1 to 5"),
}
"""What a value of each type looks like on the wire; text of any other type has no controls."""
_TEXT = r"[^\x00-\x1f\x7f]{0,200}"


def reads_only(api: Api) -> bool:
    """Tell whether a call can do no harm, even if a user's own workbook says otherwise."""
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


def wire(
    catalog: Catalog, name: str, values: Mapping[str, str], raw: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Write values by English path, codes by their names, as the workbook's parameters.

    ``raw`` are sent as they are: what KIS takes beside its own lists.
    """
    api = catalog.apis.get(name)
    if api is None:
        raise WorkbookError(f"apis: there is no {name!r}")
    raw = raw or {}
    unknown = (values.keys() | raw.keys()) - {param.path for param in api.params}
    if unknown:
        raise WorkbookError(f"params: {name} has no path {min(unknown)!r}")
    written = {}
    for param in api.params:
        value = values.get(param.path)
        if param.path in raw:
            value = raw[param.path]
        elif value is None:
            value = param.default
        elif param.codes and value:
            value = _code(catalog, param.codes, value)
        # KIS answers a query in which a parameter is missing with an error, and takes blank ones.
        if value or param.required or param.where == "query":
            written[param.name] = value
    return written


def account_values(number: str) -> dict[str, str]:
    """Return an account number, ``12345678-01``, by English path."""
    account, _, product = number.partition("-")
    return {"account_no": account, "account_product": product}


def is_page_key(param: Param) -> bool:
    """Tell whether a parameter leads to the next page of an answer."""
    return param.name.upper().startswith(_PAGING)


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
    """Tell whether there is such a day; zeros are KIS's way of writing none."""
    try:
        return not digits.strip("0") or bool(datetime.strptime(digits, "%Y%m%d"))  # noqa: DTZ007
    except ValueError:
        return False


def _code(catalog: Catalog, name: str, value: str) -> str:
    for code in catalog.codes.get(name, ()):
        if code.name == value:
            return code.code
    raise WorkbookError(f"codes: the list {name!r} has no {value!r}")
