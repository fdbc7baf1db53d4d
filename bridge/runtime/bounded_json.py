"""JSON from outside: size, depth, digits and names are bounded before anything is made; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

from bridge.errors import BridgeError

__all__ = [
    "DIGITS",
    "NAMES",
    "JsonError",
    "decode",
    "decode_lenient",
    "decode_object",
    "within_bounds",
]

_DEPTH = 16
"""Lists and objects inside each other; neither KIS nor the bridge writes more than six."""
DIGITS = 64
"""Of a number; Python takes the square of them to read one."""
NAMES = 256
"""Of one object; what has more, such as the answer with all topics, has a bound of its own."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONG = re.compile(rb"[0-9]{%d}|[0-9.]{%d}|[eE][+-]?+0*+[0-9]{4}" % (DIGITS + 1, 2 * DIGITS + 2))
_BRACKET = re.compile(rb"[][{}]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonError(BridgeError):
    """A payload cannot be read; the text says why, ``too_large`` that it was not even tried."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


def decode(
    payload: bytes | str, limit: int, *, names: int = NAMES, numbers_as_text: bool = False
) -> Any:
    """Return what stands in ``payload``; numbers with a point or exponent are `Decimal`.

    One hostile payload must cost no more than its length. A name that occurs twice is refused,
    since two readers would take different values of it. Raises :class:`JsonError`, never anything
    else.
    """
    content = _bounded(payload, limit)
    try:
        value = _strict(names, numbers_as_text)(content.decode())
        if _SURROGATE.search(content):
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
    return value


def decode_object(payload: bytes | str, limit: int, *, names: int = NAMES) -> dict[str, Any]:
    """Return the JSON object in ``payload``, as :func:`decode` does."""
    value = decode(payload, limit, names=names)
    if not isinstance(value, dict):
        raise JsonError('the payload is not a JSON object: {"…": …}')
    return value


def decode_lenient(payload: bytes | str, limit: int) -> Any:
    """Return what stands in an answer of KIS, which is worth more than its faults.

    An order whose answer is not read may have been placed. So the same bounds hold, but a ``NaN``
    is None, a letter that is none is a question mark or its like, and of two equal names the last
    one counts. Raises :class:`JsonError`, never anything else.
    """
    content = _bounded(payload, limit)
    try:
        value = _lenient(content.decode("utf-8-sig", errors="replace"))
    except ValueError as problem:
        raise JsonError(f"the payload is not JSON: {problem}") from None
    return _whole(value) if _SURROGATE.search(content) else value


def within_bounds(number: Decimal | int) -> bool:
    """Tell whether a number has few digits also when it is written without an exponent."""
    if isinstance(number, int):
        return number.bit_length() <= 3 * DIGITS
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -DIGITS and number.adjusted() < DIGITS


@lru_cache(maxsize=16)
def _strict(names: int, numbers_as_text: bool) -> Callable[[str], Any]:
    """Return what reads JSON; made once, because to make it takes as long as a command's text."""
    return json.JSONDecoder(
        parse_float=str if numbers_as_text else _decimal,
        parse_int=str if numbers_as_text else int,
        parse_constant=_constant,
        object_pairs_hook=lambda found: _object(found, names),
    ).decode


def _bounded(payload: bytes | str, limit: int) -> bytes:
    """Return the payload as bytes if it may be parsed."""
    if len(payload) > limit:
        text = f"the payload has {len(payload)} bytes, at most {limit} are read"
        raise JsonError(text, too_large=True)
    content = payload.encode(errors="replace") if isinstance(payload, str) else payload
    bare = _TEXT.sub(b"", content)
    if _LONG.search(bare):
        raise JsonError(f"a number has more than {DIGITS} digits or an exponent above 999")
    depth = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        if depth > _DEPTH:
            raise JsonError(f"the payload is nested too deeply: more than {_DEPTH} levels")
    return content


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if not within_bounds(number):
        raise ValueError(f"the number {text} would have more than {DIGITS} digits")
    return number


def _decimal_or_nothing(text: str) -> Decimal | None:
    number = Decimal(text)
    return number if within_bounds(number) else None


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _nothing(_: str) -> None:
    return None


def _object(pairs: list[tuple[str, Any]], most: int) -> dict[str, Any]:
    if len(pairs) > most:
        raise ValueError(f"an object has more than {most} names")
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        for twice, _ in pairs:
            if twice in seen:
                break
            seen.add(twice)
        raise ValueError(f"key {twice[:64]!r} occurs twice")
    return content


def _whole(value: Any) -> Any:
    """Return the value with a question mark in the place of each half of a surrogate pair."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_whole(name): _whole(item) for name, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value


_lenient = json.JSONDecoder(
    parse_float=_decimal_or_nothing, parse_constant=_nothing, strict=False
).decode
