"""Which REST call answers for which channels, from its rows in the sheet ``snapshots``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bridge.catalog.model import Api, Channel, Code, Snapshot
from bridge.catalog.sheets import SheetRow, Tables

__all__ = ["PLACEHOLDERS", "read_snapshots"]

PLACEHOLDERS = ("{symbol}", "{VENUE}")
"""What the symbol and the venue, in capitals, are put in for."""
_PARAM = re.compile(r"([a-z][a-z0-9_]*)=([^\s{}]*|\{[A-Za-z]+\})")
_OWN = frozenset(["symbol", "source", "polled_at", "api"])
"""What the bridge says itself; ``symbol`` may come from the call as well."""
_MOST = 200


def read_snapshots(
    tables: Tables,
    channels: Mapping[str, Channel],
    apis: Mapping[str, Api],
    codes: Mapping[str, Sequence[Code]],
) -> tuple[Snapshot, ...]:
    """Return the rows in the order of the sheet: of several that answer as much, the first is
    called.
    """
    rows = tables.rows["snapshots"]
    for row in rows[_MOST:]:
        row.wrong("channels", f"more than {_MOST} rows: take out what is over")
        break
    return tuple(_snapshot(row, channels, apis, codes) for row in rows[:_MOST])


def _snapshot(
    row: SheetRow,
    channels: Mapping[str, Channel],
    apis: Mapping[str, Api],
    codes: Mapping[str, Sequence[Code]],
) -> Snapshot:
    named = tuple(row["channels"].split())
    for number, name in enumerate(named):
        found = channels.get(name)
        if found is None:
            row.wrong("channels", f"no channel {name!r} in the sheet channels")
        elif found.encrypted:
            row.wrong("channels", f"{name!r} is an account notice: no call answers for it")
        elif name in named[:number]:
            row.wrong("channels", f"{name!r} comes twice")
    params = _params(row)
    outputs = tuple(row["outputs"].split())
    api = apis.get(row["api"])
    if api is None:
        row.wrong("api", f"no call {row['api']!r} in the sheet apis (category/id)")
    else:
        served = [channels[name] for name in named if name in channels]
        _check_params(row, api, params, served, codes)
        _check_outputs(row, api, outputs)
    return Snapshot(named, row["api"], tuple(params.items()), outputs)


def _params(row: SheetRow) -> dict[str, str]:
    params: dict[str, str] = {}
    for text in row["params"].split():
        match = _PARAM.fullmatch(text)
        if match is None:
            row.wrong("params", f"{text!r} is no parameter (path=value, parted by blanks)")
            continue
        path, value = match.groups()
        if value.startswith("{") and value not in PLACEHOLDERS:
            row.wrong("params", f"unknown {value} (one of {', '.join(PLACEHOLDERS)})")
        if path in params:
            row.wrong("params", f"{path!r} comes twice")
        params[path] = value
    if "{symbol}" not in params.values():
        row.wrong("params", "the symbol is in none of them: write {symbol} where it goes")
    return params


def _check_params(
    row: SheetRow,
    api: Api,
    params: Mapping[str, str],
    served: Iterable[Channel],
    codes: Mapping[str, Sequence[Code]],
) -> None:
    if api.method != "GET" or api.changes or api.category == "auth":
        row.wrong("api", f"{api.name} is no call that only reads")
    known = {param.path: param for param in api.params}
    for param in api.params:
        if param.name in ("CANO", "ACNT_PRDT_CD"):
            row.wrong("api", f"{api.name} is about an account, and a price is everybody's")
        elif param.required and not param.default and param.path not in params:
            row.wrong("params", f"{param.path} is missing, which {api.name} needs")
    for path, value in params.items():
        if path not in known:
            paths = ", ".join(known) or "none"
            row.wrong("params", f"{api.name} has no parameter {path!r} (it has {paths})")
            continue
        allowed = [
            name for code in codes.get(known[path].codes, ()) for name in (code.code, code.name)
        ]
        values = [value]
        if value == "{VENUE}":
            values = [venue.upper() for channel in served for venue in _venues(channel)]
        for one in values if allowed and value != "{symbol}" else ():
            if one and one not in allowed:
                row.wrong("params", f"{path} {one!r} is not in list {known[path].codes!r}")


def _check_outputs(row: SheetRow, api: Api, outputs: Sequence[str]) -> None:
    blocks = {output.name: output for output in api.outputs}
    paths: dict[str, str] = {}
    for number, name in enumerate(outputs):
        if name not in blocks:
            names = ", ".join(filter(None, blocks)) or "none"
            row.wrong("outputs", f"{api.name} has no block {name!r} (it has {names})")
            continue
        if name in outputs[:number]:
            row.wrong("outputs", f"{name!r} comes twice")
            continue
        for path in sorted({field.path.partition("[")[0] for field in blocks[name].fields}):
            if path in paths:
                row.wrong("outputs", f"{path} is in {paths[path]} and in {name}: take one of them")
            if path in _OWN - {"symbol"}:
                row.wrong("outputs", f"{path} of {name} is a word of the bridge's own")
            paths[path] = name


def _venues(channel: Channel) -> Iterable[str]:
    return [venue.venue for venue in channel.venues] or [channel.venue]
