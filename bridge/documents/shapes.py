"""The small schemas that payloads are made of; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.catalog.schemas import Schema

__all__ = [
    "BOOLEAN",
    "COUNT",
    "MICROSECONDS",
    "MICROSECONDS_OR_NULL",
    "NUMBER",
    "NUMBER_OR_NULL",
    "TEXT",
    "TEXT_OR_NULL",
    "WHOLE_OR_NULL",
    "choice",
    "closed",
    "listed",
    "opened",
]

MICROSECONDS = {"type": "integer", "description": "µs since the epoch"}
MICROSECONDS_OR_NULL = {"type": ["integer", "null"], "description": "µs since the epoch"}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "number"}
NUMBER_OR_NULL = {"type": ["number", "null"]}
WHOLE_OR_NULL = {"type": ["integer", "null"]}
BOOLEAN = {"type": "boolean"}


def closed(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Schema:
    """Return an object with these members and no others."""
    return opened(required, optional) | {"additionalProperties": False}


def opened(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Schema:
    """Return an object that has these members, and further ones that are KIS's to name."""
    schema: Schema = {"type": "object", "properties": {**required, **(optional or {})}}
    return schema | ({"required": list(required)} if required else {})


def listed(item: Schema) -> Schema:
    """Return a list of one kind of item."""
    return {"type": "array", "items": item}


def choice(*values: str) -> Schema:
    """Return one of some words."""
    return {"type": "string", "enum": list(values)}
