"""Where the configuration comes from: the file, and what is laid over it."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError
from bridge.runtime.bounded_json import DIGITS, within_bounds
from bridge.runtime.regular_file import read_regular

__all__ = ["merge", "read_file", "references"]

_LARGEST = 1 << 20
"""Bytes of the file; a long list of subscriptions takes a few thousand."""
_MOST_DOTS = 200
"""In a line: to read a name of parts, Python takes the square of their number."""


def read_file(path: Path) -> dict[str, Any]:
    try:
        return _parsed(read_regular(path, _LARGEST).decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


def _parsed(text: str) -> dict[str, Any]:
    for place, line in enumerate(text.splitlines(), 1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"line {place}: more than {_MOST_DOTS} points, split it")
    data = tomllib.loads(text, parse_float=_decimal)
    _look_through(data)
    return data


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if number.is_finite() and not within_bounds(number):
        raise ValueError(f"the number {text[:20]} would have more than {DIGITS} digits")
    return number


def _look_through(value: object) -> None:
    """Refuse whole numbers that are too long; they may be written in base 16."""
    match value:
        case dict():
            for item in value.values():
                _look_through(item)
        case list():
            for item in value:
                _look_through(item)
        case int() if not within_bounds(value):
            raise ValueError(f"a number has more than {DIGITS} digits")


def references(value: object) -> list[str]:
    """Return the variables that the file itself asks for: they are secrets, not settings."""
    match value:
        case {"env": str(name)}:
            return [name]
        case dict():
            return [name for item in value.values() for name in references(item)]
        case list():
            return [name for item in value for name in references(item)]
        case _:
            return []


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one set of nested tables over another; lists and values replace."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[name] = merge(merged[name], value) if both else value
    return merged
