"""How the command line writes values for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

__all__ = ["lines", "plain"]


def plain(value: object) -> str:
    """Return a value as people write it; blank for none."""
    match value:
        case None | []:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal() if not value:
            return "0"  # else zero won would be 0E-8 in an answer with eight decimals
        case Decimal():
            return format(value, "f")
        case list():
            return ", ".join(map(plain, value))
    return str(value)


def lines(data: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield an object as lines: one a value, the records of a list one after another."""
    width = max(map(len, data), default=0)
    for name, value in data.items():
        records = value if isinstance(value, list) else [value]
        if records and all(isinstance(record, Mapping) for record in records):
            for number, record in enumerate(records, 1):
                label = f" {number}/{len(records)}" if isinstance(value, list) else ""
                yield f"{indent}{name}{label}"
                yield from lines(record, f"{indent}  ")
        else:
            yield f"{indent}{name:<{width}}  {plain(value)}".rstrip()
