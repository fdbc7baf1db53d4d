"""What is wrong with a payload, in words that name the key and the mend; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.runtime.suggestions import nearest

__all__ = ["explain"]

_WORDS = {
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_parsing_size": "the number is too large",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "finite_number": "write a number",
    "string_type": "write a text",
    "list_type": "write a list",
    "tuple_type": "write a list",
    "model_type": "write an object: {…}",
    "model_attributes_type": "write an object: {…}",
    "dict_type": "write an object: {…}",
    "missing": "is missing",
}
_LIMITS = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}
_PATTERNS = {
    r"^[A-Za-z0-9._-]{1,64}$": "must be 1 to 64 of A-Z a-z 0-9 . _ -",
    r"^[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?$": "must be a symbol, e.g. 005930, AAPL or BRK/B",
    r"^[a-z_]{1,16}$": "must be 1 to 16 of a-z _, e.g. krx",
    r"^[0-9A-Za-z]{1,16}$": "must be 1 to 16 letters and digits, as KIS numbers orders",
}


def explain(error: ValidationError, known: Collection[str] = (), *, most: int = 1) -> str:
    """Return what is wrong, ``most`` findings of it.

    ``known`` are the keys that there are; those of a list's items have the list's name and a star
    before them: ``subscriptions.*.market``.

    Unknown keys come first: they are often why others are missing.
    """
    found = error.errors(include_url=False, include_input=False)
    found.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    return "; ".join(_line(detail, known) for detail in found[:most])


def _line(detail: ErrorDetails, known: Collection[str]) -> str:
    key = ".".join(str(part)[:64] for part in detail["loc"])
    match detail["type"]:
        case "missing":
            return f"missing key {key!r}"
        case "extra_forbidden":
            meant = _meant(detail["loc"], known)
            mend = f"did you mean {meant!r}?" if meant else "leave it out"
            return f"unknown key {key!r}: {mend}"
    text = _text(detail)
    return f"{key}: {text}" if key else text


def _meant(place: Sequence[int | str], known: Collection[str]) -> str | None:
    """Return the known key, of the same object, that the last part of ``place`` is like."""
    *above, key = ("*" if isinstance(part, int) else part for part in place)
    prefix = "".join(f"{part}." for part in above)
    beside = (one.removeprefix(prefix) for one in known if one.startswith(prefix))
    return nearest(key, [one for one in beside if "." not in one])


def _text(detail: ErrorDetails) -> str:
    kind, context = detail["type"], _context(detail)
    if kind in _LIMITS:
        return _LIMITS[kind].format_map(context)
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context.get("pattern")), "has characters that cannot stand there")
    if kind in _WORDS:
        return _WORDS[kind]
    text = detail["msg"].removeprefix("Value error, ")
    return text.replace("Input should be", "must be")


def _context(detail: ErrorDetails) -> dict[str, Any]:
    return detail.get("ctx", {})
