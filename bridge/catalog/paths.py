"""Where values go in a payload: ``price``, ``asks[0].price``, ``total.sell.agency.volume``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

__all__ = ["RESERVED", "clashes"]

RESERVED = frozenset(["channel", "seq", "received_at", "extra"])
"""What the bridge itself writes into a payload."""

_NAME = r"[a-z][a-z0-9_]*(?:\[(?:0|[1-9]\d?)\])?"
_PATH = re.compile(rf"{_NAME}(?:\.{_NAME})*", re.ASCII)
_PART = re.compile(r"\[(\d+)\]|[a-z0-9_]+")

T = TypeVar("T")


def clashes(paths: Iterable[tuple[T, str]]) -> list[tuple[T, str]]:
    """Check the paths of one record; return each culprit with what is wrong with its path.

    A path may be there once, no value may hold others, lists count from 0 without gaps.
    """
    wrong: list[tuple[T, str]] = []
    kinds: dict[str, str] = {}
    counts: dict[str, dict[int, T]] = {}
    for culprit, path in paths:
        if not _PATH.fullmatch(path):
            wrong.append(
                (culprit, f"{path!r} is no path: snake_case, dots, [0], e.g. asks[0].price")
            )
        elif path.split(".", 1)[0] in RESERVED:
            wrong.append((culprit, f"{path!r} is a name of the bridge itself"))
        elif kinds.get(path) == "value":
            wrong.append((culprit, f"{path!r} comes twice"))
        else:
            message = _enter(culprit, path, kinds, counts)
            if message:
                wrong.append((culprit, message))
    for parent, indexes in counts.items():
        for expected, index in enumerate(sorted(indexes)):
            if index != expected:
                wrong.append((indexes[index], f"{parent}[{expected}] is missing before [{index}]"))
                break
    return wrong


def _enter(culprit: T, path: str, kinds: dict[str, str], counts: dict[str, dict[int, T]]) -> str:
    """Note what every part of the path is: a list, a group of values or a value."""
    parts = list(_PART.finditer(path))
    for i, part in enumerate(parts):
        here = path[: part.end()]
        if i + 1 == len(parts):
            kind = "value"
        else:
            kind = "list" if parts[i + 1][1] is not None else "group"
        known = kinds.setdefault(here, kind)
        if known != kind:
            return f"{here!r} would be a {known} and a {kind}"
        if part[1] is not None:
            counts.setdefault(path[: part.start()], {}).setdefault(int(part[1]), culprit)
    return ""
