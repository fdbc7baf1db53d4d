"""JSON of our own topics: decimals digit by digit on the way out, bounds on the way in; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from bridge.errors import BridgeError

__all__ = ["JsonError", "decode_object", "encode"]

_DEPTH = 16
"""Lists and objects inside each other; no payload of ours has more than six."""
_DIGITS = 64
"""Of a number; Python takes the square of them to read one."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONG = re.compile(rb"[0-9]{%d}|[0-9.]{%d}|[eE][+-]?+0*+[0-9]{4}" % (_DIGITS + 1, 2 * _DIGITS))
_BRACKET = re.compile(rb"[][{}]")


_quoted = json.JSONEncoder(ensure_ascii=False).encode


class JsonError(BridgeError):
    """A payload cannot be read; the text says why, ``too_large`` that it was not even tried."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


def encode(value: object) -> bytes:
    """Return compact UTF-8 JSON; Hangul stays readable, a `Decimal` is written digit by digit.

    :raises ValueError: a NaN or infinity, which JSON does not have.
    :raises TypeError: something that has no JSON form.
    """
    return _text(value).encode(errors="replace")  # half of a surrogate pair, from KIS


def decode_object(payload: bytes, limit: int) -> dict[str, Any]:
    """Return the JSON object in ``payload``; numbers with a point or exponent are `Decimal`.

    Size, depth and digits are looked at before anything is parsed: one hostile payload must cost
    no more than its length. A key that occurs twice is refused, since two readers would take
    different values of it. Raises :class:`JsonError`, never anything else.
    """
    if len(payload) > limit:
        text = f"the payload has {len(payload)} bytes, at most {limit} are read"
        raise JsonError(text, too_large=True)
    _bound(payload)
    try:
        value = json.loads(
            payload.decode(),
            parse_float=Decimal,
            parse_constant=_constant,
            object_pairs_hook=_pairs,
        )
        if b"\\u" in payload:
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        # Python reads it, and then no topic, answer or log can be made of it.
        raise JsonError("the payload has half of a surrogate pair") from None
    except UnicodeDecodeError:
        raise JsonError("the payload is not UTF-8") from None
    except json.JSONDecodeError as problem:
        raise JsonError(f"the payload is not JSON: {problem.msg} at {problem.pos}") from None
    except ValueError as problem:
        raise JsonError(str(problem)) from None
    if not isinstance(value, dict):
        raise JsonError('the payload is not a JSON object: {"…": …}')
    return value


def _bound(payload: bytes) -> None:
    bare = _TEXT.sub(b"", payload)
    if _LONG.search(bare):
        raise JsonError(f"a number has more than {_DIGITS} digits or an exponent above 999")
    depth = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        if depth > _DEPTH:
            raise JsonError(f"the payload is nested too deeply: more than {_DEPTH} levels")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice[:64]!r} occurs twice")
    return content


def _text(value: object) -> str:
    # Acks are written here: a call of json.dumps for each value would take longer than the rest.
    match value:
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
