"""JSON of our own topics: bounds on the way in, decimals digit by digit on the way out; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring as _quoted

from bridge.runtime.bounded_json import JsonError, decode_object

__all__ = ["JsonError", "Written", "decode_object", "encode"]


class Written(str):
    """JSON already, and put into other JSON as it is."""

    __slots__ = ()


def encode(value: object) -> bytes:
    """Return compact UTF-8 JSON; Hangul stays readable, a `Decimal` is written digit by digit.

    :raises ValueError: a NaN or infinity, which JSON does not have.
    :raises TypeError: something that has no JSON form.
    """
    return _text(value).encode(errors="replace")  # half of a surrogate pair, from KIS


def _text(value: object) -> str:
    # Acks are written here: a call of json.dumps for each value would take longer than the rest.
    # So do patterns, which ask about classes and not types: what is most frequent goes first.
    if type(value) is str:
        return _quoted(value)
    if type(value) is dict:
        items = [f"{_quoted(key)}:{_text(item)}" for key, item in value.items()]
        return f"{{{','.join(items)}}}"
    match value:
        case Written():
            return str(value)
        case str():
            return _quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal() if value.is_finite():
            return format(value, "f")
        case Mapping():
            return f"{{{','.join(f'{_quoted(key)}:{_text(item)}' for key, item in value.items())}}}"
        case list() | tuple():
            return f"[{','.join(map(_text, value))}]"
        case Decimal():
            value = float(value)  # not a number, or without end: refused as a float would be
    return json.dumps(value, allow_nan=False)
