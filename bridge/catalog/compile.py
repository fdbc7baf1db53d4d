"""The catalog as JSON: what ``spec compile`` writes, the wheel ships and start-up reads.

One line a row, so that a change of the workbook is a readable difference. A row is the values of
a model object in their order, without the defaults at its end. The order of the lines does not
depend on the order of the workbook's rows, but for the hours, where of several rows the last one
counts, and for the snapshots, where the first one does. A layout that begins another is not
written twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from bridge.catalog.model import (
    Api,
    Catalog,
    Channel,
    Code,
    Column,
    Field,
    Layout,
    Master,
    Output,
    Param,
    Snapshot,
    TrId,
    Venue,
)
from bridge.catalog.timetable import SpecialDay, Timetable, TradingSession
from bridge.errors import WorkbookError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["digest", "dumps", "load", "loads"]

_FORMAT = 4
"""Goes up when the meaning of the rows changes."""
_NO_CATALOG = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What comes of a text that is no catalog."""


@cache
def load() -> Catalog:
    """Return the catalog that this package ships."""
    return loads(files("bridge.catalog").joinpath("kis.json").read_text(encoding="utf-8"))


def digest(catalog: Catalog) -> str:
    """Return the SHA-256 of the content; the digest and the version in it do not count."""
    # Two workbooks with the same content are the same, whatever they call themselves.
    bare = dataclasses.replace(catalog, version="", digest="")
    return hashlib.sha256(dumps(bare).encode()).hexdigest()


def dumps(catalog: Catalog) -> str:
    """Return the JSON text of a catalog; equal catalogs give equal texts."""
    parts = {
        "layouts": _layout_lines(catalog),
        "channels": (_channel_line(channel) for _, channel in sorted(catalog.channels.items())),
        "apis": (_api_line(api) for _, api in sorted(catalog.apis.items())),
        "masters": (_master_line(master) for _, master in sorted(catalog.masters.items())),
        "codes": (
            f"{_json(name)}:{_table(_row(code) for code in rows)}"
            for name, rows in sorted(catalog.codes.items())
        ),
        "hours": (
            f'"sessions":{_table(_row(row) for row in catalog.hours.sessions)}',
            f'"special_days":{_table(_row(row) for row in catalog.hours.special_days)}',
        ),
        "snapshots": (f'"calls":{_table(_row(row) for row in catalog.snapshots)}',),
    }
    head = f'{{"format":{_FORMAT},\n"version":{_json(catalog.version)},\n"digest":'
    body = ",\n".join(f'"{name}":{{\n' + ",\n".join(lines) + "}" for name, lines in parts.items())
    return f"{head}{_json(catalog.digest)},\n{body}}}\n"


def loads(text: str) -> Catalog:
    """Return the catalog of such a text.

    Raises :class:`WorkbookError` when it is none, or one of another version of this package.
    """
    try:
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise WorkbookError(
                f"the compiled catalog has format {document['format']!r}, this program reads"
                f" {_FORMAT}: run kis-bridge spec compile"
            )
        layouts = _layouts(document["layouts"])
        return Catalog(
            version=document["version"],
            digest=document["digest"],
            channels={
                tr_id: _channel(tr_id, entry, layouts)
                for tr_id, entry in document["channels"].items()
            },
            apis=_Apis(document["apis"]),
            codes={
                name: tuple([Code(*row) for row in rows])
                for name, rows in document["codes"].items()
            },
            masters={name: _master(name, entry) for name, entry in document["masters"].items()},
            hours=_timetable(document["hours"]),
            snapshots=tuple([_snapshot(row) for row in document["snapshots"]["calls"]]),
        )
    except _NO_CATALOG as error:
        raise _unreadable(error) from error


class _Apis(Mapping[str, Api]):
    """The calls, each made when it is first asked for: start-up needs none of them."""

    def __init__(self, entries: Mapping[str, Sequence[Any]]) -> None:
        self._entries = dict(entries)
        self._made: dict[str, Api] = {}

    def __getitem__(self, name: str) -> Api:
        made = self._made.get(name)
        if made is None:
            entry = self._entries[name]
            try:
                made = self._made[name] = _api(entry)
            except _NO_CATALOG as error:
                raise _unreadable(error) from error
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _unreadable(error: Exception) -> WorkbookError:
    return WorkbookError(
        f"the compiled catalog cannot be read ({error}): run kis-bridge spec compile"
    )


def _layout_lines(catalog: Catalog) -> Iterator[str]:
    layouts = {
        layout.id: layout for channel in catalog.channels.values() for layout in channel.layouts
    }
    # Longest first, so that whatever a layout begins stands before it. KIS lengthens its layouts,
    # and an old one is then the beginning of the new one.
    longest_first = sorted(
        layouts.values(), key=lambda layout: (-len(layout.fields), layout.width, layout.id)
    )
    bases: list[Layout] = []
    for layout in longest_first:
        size = len(layout.fields)
        base = next((base for base in bases if base.fields[:size] == layout.fields), None)
        if base is None:
            bases.append(layout)
            fields = _table(_row(field) for field in layout.fields)
        else:
            fields = _json([base.id, size])
        yield f"{_json(layout.id)}:[{_json([layout.width, layout.date])[1:-1]},{fields}]"


def _channel_line(channel: Channel) -> str:
    entry = dict(zip(Channel.__match_args__, _row(channel), strict=False))
    entry["layouts"] = [layout.id for layout in channel.layouts]
    if "venues" in entry:
        entry["venues"] = [_row(venue) for venue in channel.venues]
    return f"{_json(entry.pop('tr_id'))}:{_json(list(entry.values()))}"


def _api_line(api: Api) -> str:
    outputs = ",".join(
        f"[{_json([output.name, output.array])[1:-1]},"
        f"{_table(_row(field) for field in output.fields)}]"
        for output in api.outputs
    )
    scalars: list[Any] = [api.category, api.id, api.method, api.path, api.english, api.korean]
    scalars += [api.changes, api.pages, [_row(tr_id) for tr_id in api.tr_ids]]
    params = _table(_row(param) for param in api.params)
    return f"{_json(api.name)}:[{_json(scalars)[1:-1]},{params},[{outputs}]]"


def _master_line(master: Master) -> str:
    *head, columns = _row(master)[1:]
    return f"{_json(master.id)}:[{_json(head)[1:-1]},{_table(_row(column) for column in columns)}]"


def _master(name: str, entry: Sequence[Any]) -> Master:
    market, venue, file, inner, form, width, english, korean, columns = entry
    return Master(
        id=name,
        market=market,
        venue=venue,
        file=file,
        inner=inner,
        format=form,
        width=width,
        english=english,
        korean=korean,
        columns=tuple([Column(*row) for row in columns]),
    )


def _timetable(entries: Mapping[str, Sequence[Any]]) -> Timetable:
    return Timetable(
        tuple([TradingSession(*map(_frozen, row)) for row in entries["sessions"]]),
        tuple([SpecialDay(*map(_frozen, row)) for row in entries["special_days"]]),
    )


def _snapshot(row: Sequence[Any]) -> Snapshot:
    channels, api, params, outputs = row
    return Snapshot(
        tuple(channels), api, tuple((name, value) for name, value in params), tuple(outputs)
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _layouts(entries: Mapping[str, Sequence[Any]]) -> dict[str, Layout]:
    layouts: dict[str, Layout] = {}
    for name, (width, date, fields) in entries.items():
        if fields and isinstance(fields[0], str):  # written longest first: the base is here
            base, size = fields
            rows = layouts[base].fields[:size]
        else:
            rows = tuple([Field(*row) for row in fields])
        layouts[name] = Layout(name, width, rows, date)
    return layouts


def _channel(tr_id: str, entry: Sequence[Any], layouts: Mapping[str, Layout]) -> Channel:
    values = dict(zip(Channel.__match_args__[1:], entry, strict=False))
    values["layouts"] = tuple(layouts[name] for name in values["layouts"])
    values["venues"] = tuple(Venue(*row) for row in values.get("venues", ()))
    return Channel(tr_id, **values)


def _api(entry: Sequence[Any]) -> Api:
    category, name, method, path, english, korean, changes, pages, tr_ids, params, outputs = entry
    return Api(
        category=category,
        id=name,
        method=method,
        path=path,
        english=english,
        korean=korean,
        tr_ids=tuple(TrId(*row) for row in tr_ids),
        params=tuple(Param(*row) for row in params),
        outputs=tuple(
            Output(block, array, tuple([Field(*row) for row in rows]))
            for block, array, rows in outputs
        ),
        changes=changes,
        pages=pages,
    )


def _row(item: DataclassInstance) -> list[Any]:
    """Return the values of an object in order, without the defaults at the end."""
    fields = dataclasses.fields(item)
    row = [getattr(item, field.name) for field in fields]
    for field in reversed(fields):
        if field.default is dataclasses.MISSING or row[-1] != field.default:
            break
        row.pop()
    return row


def _table(rows: Iterator[list[Any]]) -> str:
    lines = ",\n".join(_json(row) for row in rows)
    return f"[\n{lines}]" if lines else "[]"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
