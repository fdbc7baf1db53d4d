"""JSON Schema (2020-12) of what the workbook describes: market payloads and code lists; pure.

Only keywords that the older drafts have as well are used, so that AsyncAPI tools read them too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from bridge.catalog.model import Api, Catalog, Channel, Field

__all__ = ["DIALECT", "Schema", "codes_text", "family", "record", "snapshot"]

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: Mapping[str, list[str]] = {
    "int": ["integer", "null"],
    "decimal": ["number", "null"],
}
_TEXT = ["string", "null"]
_INDEX = re.compile(r"\[\d+\]")
_LISTED = 12
"""Codes of a list that are named in a description; of longer lists only the name."""


def record(channel: Channel, catalog: Catalog) -> Schema:
    """Return the schema of the payload on the topics of a market channel.

    It holds for every width of record that the workbook knows.
    """
    fields: dict[str, Field] = {}
    for layout in channel.layouts:
        for field in layout.fields:
            fields.setdefault(field.path, field)
    root: Schema = _group()
    properties = root["properties"]
    properties["symbol"] = {"type": "string", "description": "Symbol, as KIS writes it"}
    properties["channel"] = {"const": channel.tr_id, "description": "TR id of the channel"}
    properties["seq"] = {
        "type": "integer",
        "minimum": 1,
        "description": "Counts up by one a record on this topic since the bridge started",
    }
    properties["received_at"] = {
        "type": "integer",
        "description": "When the frame arrived: µs since the epoch",
    }
    if "time" in fields:
        text = "ISO 8601 with the exchange's offset; KIS's own text where it is no time"
        properties["time"] = {"type": _TEXT, "description": text}
    for path, field in fields.items():
        if path != "time" and field.name != channel.symbol:
            _place(root, path, _value(field, catalog))
    properties["name"] = {"type": "string", "description": "Name of the symbol, where it is asked"}
    properties["extra"] = {
        "type": "array",
        "items": {"type": _TEXT},
        "description": "Values beyond those the workbook knows",
    }
    for place, names in _always(channel).items():
        node = root
        for part in filter(None, place.split(".")):
            name, listed, _ = part.partition("[")
            node = node["properties"][name]
            node = node["items"] if listed else node
        node["required"] = names
    root["required"] = ["symbol", "channel", "seq", "received_at", *root["required"]]
    return root


def snapshot(api: Api, outputs: Collection[str], catalog: Catalog) -> Schema:
    """Return the schema of a price that a REST call told in these blocks of its answer."""
    root: Schema = _group()
    properties = root["properties"]
    properties["symbol"] = {"type": "string", "description": "Symbol, as KIS writes it"}
    properties["source"] = {"const": "rest", "description": "No record: REST was asked"}
    properties["polled_at"] = {
        "type": "integer",
        "description": "When KIS answered: µs since the epoch",
    }
    properties["api"] = {"const": api.name, "description": "The call that was made"}
    for output in api.outputs:
        for field in output.fields if output.name in outputs else ():
            if field.path != "symbol":
                _place(root, field.path, _value(field, catalog))
    root["required"] = ["symbol", "source", "polled_at", "api"]
    return root


def family(channel: Channel) -> str:
    """Return what channels with the same layouts have in common: the layout without its width."""
    return channel.layouts[0].id.rpartition("_")[0] or channel.layouts[0].id


def codes_text(name: str, catalog: Catalog) -> str:
    """Return the codes of a list in a few words: ``1 buy, 5 sell``; the name of a long one."""
    codes = catalog.codes.get(name, ())
    if len(codes) > _LISTED:
        return f"a code of the list {name}"
    return ", ".join(f"{code.code} {code.name}" for code in codes)


def _always(channel: Channel) -> dict[str, list[str]]:
    """Return, by group (``asks[]``; blank: the record), the members that it has in every record."""
    always: dict[str, list[str]] = {}
    for layout in channel.layouts:
        groups: dict[str, dict[str, None]] = {}
        for field in layout.fields:
            if field.name != channel.symbol:
                parts = field.path.split(".")
                for depth, part in enumerate(parts):
                    members = groups.setdefault(".".join(parts[:depth]), {})
                    if not field.optional:
                        members[part.partition("[")[0]] = None
        for group, members in groups.items():
            place = _INDEX.sub("[]", group)
            known = always.setdefault(place, list(members))
            always[place] = [name for name in known if name in members]
    return {place: names for place, names in always.items() if names or not place}


def _value(field: Field, catalog: Catalog) -> Schema:
    parts = [field.description or field.path]
    if field.unit:
        parts.append(f"in {field.unit}")
    if field.codes:
        parts.append(codes_text(field.codes, catalog))
    schema: Schema = {"type": _TYPES.get(field.type, _TEXT), "description": "; ".join(parts)}
    schema["x-kis"] = field.name
    return schema


def _group() -> Schema:
    return {"type": "object", "properties": {}, "additionalProperties": False}


def _place(root: Schema, path: str, value: Schema) -> None:
    """Put ``asks[0].price`` under ``asks``, whose items all have the same members."""
    node = root
    *parents, leaf = path.split(".")
    for parent in parents:
        name, listed, _ = parent.partition("[")
        if listed:
            fresh: Schema = {"type": "array", "items": _group()}
            node = node["properties"].setdefault(name, fresh)["items"]
        else:
            node = node["properties"].setdefault(name, _group())
    name, listed, _ = leaf.partition("[")
    if listed:
        value = {"type": "array", "items": value}
    node["properties"].setdefault(name, value)
