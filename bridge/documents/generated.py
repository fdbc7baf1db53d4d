"""JSON Schema of the models that requests are read by, and of the types that payloads have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from bridge.catalog.schemas import Schema

__all__ = ["of_model", "of_payload"]

_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""What pydantic calls the limits of a number that a validator of our own reads first."""


def of_model(model: type[BaseModel]) -> Schema:
    """Return the schema of a pydantic model without references."""
    schema = model.model_json_schema()
    resolved: Schema = _resolved(schema, schema.pop("$defs", {}))
    return resolved


def of_payload(kind: Any) -> Schema:
    """Return the schema of what the bridge sends: a `TypedDict`, or a type made of some.

    Objects are closed, except those whose class allows extra members.
    """
    schema: Schema = TypeAdapter(kind).json_schema(mode="serialization")
    resolved: Schema = _closed(_resolved(schema, schema.pop("$defs", {})))
    return resolved


def _resolved(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        found = _resolved(definitions[reference.rpartition("/")[2]], definitions)
        if "enum" in found:  # its docstring is about the class
            found.pop("description", None)
        return found | {k: v for k, v in value.items() if k != "$ref"}
    # Titles only repeat the names.
    kept = {k: v for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return {_LIMITS.get(name, name): _resolved(item, definitions) for name, item in kept.items()}


def _closed(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = _joined({name: _closed(item) for name, item in value.items()})
    if schema.get("type") == "object" and "properties" in schema:
        if schema.setdefault("additionalProperties", False) is True:
            del schema["additionalProperties"]
        if isinstance(text := schema.get("description"), str):
            text = " ".join(text.split())
            schema["description"] = text if ". " in text else text.rstrip(".")
    return schema


def _joined(schema: Schema) -> Schema:
    """Write alternatives of plain types as one schema, the way the market data's schemas do.

    At most one of them says more than its type, and what it says is about that type alone; words
    to choose from get null beside them.
    """
    options = schema.get("anyOf", [])
    types = [one.get("type") for one in options]
    told = [one for one in options if len(one) > 1]
    if not options or not all(isinstance(kind, str) for kind in types) or len(told) > 1:
        return schema
    joined: Schema = dict(*told)
    if "enum" in joined:
        if types[1:] != ["null"]:
            return schema
        joined["enum"] = [*joined["enum"], None]
    return {**joined, "type": types, **{k: v for k, v in schema.items() if k != "anyOf"}}
