"""Messages held against the schemas that are said to describe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

__all__ = ["Checks", "error", "misses", "wrong_ones"]

_EITHER = ("oneOf", "anyOf")

Checks = Mapping[str, Draft202012Validator]


def error(validator: Any, payload: object) -> str | None:
    """Return what is wrong with a payload, with its place; None: nothing."""
    found = next(validator.iter_errors(payload), None)
    return None if found is None else f"{found.json_path}: {found.message[:300]}"


def misses(checks: Checks, names: Sequence[str], right: Any) -> list[str]:
    """Return what may be wrong with a right payload and is refused by none of the schemas.

    A schema that anything fulfils proves nothing.
    """
    return [
        what
        for what, wrong in wrong_ones([checks[name].schema for name in names], right)
        if any(checks[name].is_valid(wrong) for name in names)
    ]


def wrong_ones(schemas: Sequence[Any], right: Any) -> Iterator[tuple[str, Any]]:
    """Yield payloads without a required member, with one of a wrong type, with one too many.

    Below the top, too; of a list in its first row.
    """
    whole = [part for schema in schemas for part in _alternatives(schema)]
    if isinstance(right, list):
        items = [part["items"] for part in whole if "items" in part]
        for what, wrong in wrong_ones(items, right[0]) if right and items else ():
            yield f"[0] {what}", [wrong, *right[1:]]
        return
    if not isinstance(right, dict):
        return
    for name in sorted({name for part in whole for name in part.get("required", ())} & set(right)):
        yield f"without {name}", {key: value for key, value in right.items() if key != name}
    for name, value in right.items():
        parts = [part["properties"][name] for part in whole if name in part.get("properties", {})]
        if parts and all(parts):  # {} takes anything
            wrong = 7 if isinstance(value, list | dict) else ["no"]
            yield f"{name} = {wrong}", right | {name: wrong}
        for what, below in wrong_ones([one for one in parts if isinstance(one, dict)], value):
            yield f"{name}: {what}", right | {name: below}
    if whole and all(part.get("additionalProperties") is False for part in whole):
        yield "one too many", right | {"nobody_knows": 1}


def _alternatives(schema: Any) -> Iterator[Any]:
    """Yield what a payload may fulfil, each with what all of them have in common."""
    parts = [part for key in _EITHER for part in schema.get(key, ())]
    common = {key: value for key, value in schema.items() if key not in _EITHER}
    if not parts:
        yield common
    for part in parts:
        for one in _alternatives(part):
            properties = {**common.get("properties", {}), **one.get("properties", {})}
            required = [*common.get("required", ()), *one.get("required", ())]
            yield {**common, **one, "properties": properties, "required": required}
