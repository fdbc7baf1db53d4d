"""Where the configuration comes from: the file, and what is laid over it."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError
from bridge.runtime.regular_file import read_regular

__all__ = ["merge", "read_file", "references"]

_LARGEST = 1 << 20
"""Bytes of the file; a long list of subscriptions takes a few thousand."""


def read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path, _LARGEST).decode(), parse_float=Decimal)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


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
