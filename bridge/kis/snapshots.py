"""Prices that REST is asked for where no record comes: which call, and what it answered; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from bridge.catalog.model import Api, Catalog, Snapshot
from bridge.kis.params import prepare
from bridge.kis.query import shape

__all__ = ["choose", "params", "values"]

_NOBODY = SecretStr("")


def choose(catalog: Catalog, missing: Collection[str], *, paper: bool) -> Snapshot | None:
    """Return the call that answers for most of these channels, of several the first one.

    None: the workbook has no such call, or paper trading does not offer it.
    """
    best, most = None, 0
    for row in catalog.snapshots:
        count = sum(channel in row.channels for channel in missing)
        if count > most and _offered(catalog.apis.get(row.api), paper):
            best, most = row, count
    return best


def params(catalog: Catalog, row: Snapshot, venue: str, symbol: str) -> dict[str, str]:
    """Return the wire parameters of a call; raises :class:`RequestError` for a symbol that no
    parameter can hold.
    """
    api = catalog.apis[row.api]
    stands = {"{symbol}": symbol, "{VENUE}": venue.upper()}
    given = {path: stands.get(value, value) for path, value in row.params}
    return prepare(api, catalog, given, _NOBODY)


def values(api: Api, row: Snapshot, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer says, in the workbook's words; empty: KIS knows nothing of it.

    KIS answers for a symbol that there is not as for any other, with blanks and zeros.
    """
    shaped = shape(api, body, _NOBODY)
    found: dict[str, Any] = {}
    for name in row.outputs:
        block = shaped.get(name) if name else shaped
        first = (block[0] if block else None) if isinstance(block, list) else block
        if isinstance(first, dict):
            found |= first
    # Lists last: who looks for the price in the text should not find an order book's first.
    found = dict(sorted(found.items(), key=lambda item: isinstance(item[1], list)))
    return found if any(_says(value) for value in _leaves(found)) else {}


def _offered(api: Api | None, paper: bool) -> bool:
    return api is not None and any(ids.paper if paper else ids.real for ids in api.tr_ids)


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _says(value: Any) -> bool:
    """Tell whether a number, the only thing that is never made up, is there."""
    return value is not None and not isinstance(value, str) and bool(value)
