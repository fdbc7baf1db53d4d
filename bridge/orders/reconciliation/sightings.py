"""When each of KIS's order numbers was seen first, in a list or in a notice; pure.

An order that was there before a command was sent is not that command's, however much it looks like
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TypeAlias

from bridge.runtime.clock import seoul_day

__all__ = ["OrderKey", "Sightings"]

OrderKey: TypeAlias = tuple[date | None, str]
"""Day and plain number: KIS starts its numbers again each day."""

_KEPT = timedelta(days=2)
"""Longer than any session that runs over midnight."""


class Sightings:
    """Numbers by account and market; times are µs since the epoch."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], dict[OrderKey, int]] = {}
        self._resumed = 0

    def resume(self, latest: int) -> None:
        """Let nothing seem seen before what a restart found, whatever the clock says."""
        self._resumed = latest

    def note(self, account: str, market: str, keys: Iterable[OrderKey], at: int) -> None:
        """Take note of numbers that are there ``at``."""
        seen, at = self._first.setdefault((account, market), {}), max(at, self._resumed)
        for key in keys:
            if key[0] is not None:  # without a day it could be the number of any
                seen.setdefault(key, at)
        oldest = seoul_day(at) - _KEPT
        if any(day is not None and day < oldest for day, _ in seen):
            self._first[account, market] = {
                key: first for key, first in seen.items() if key[0] is None or key[0] >= oldest
            }

    def before(self, account: str, market: str, at: int) -> set[OrderKey]:
        """Return the numbers that were there before."""
        seen = self._first.get((account, market), {})
        return {key for key, first in seen.items() if first < at}

    def had(self, account: str, market: str, key: OrderKey, at: int) -> bool:
        """Tell whether a number was there before."""
        first = self._first.get((account, market), {}).get(key)
        return first is not None and first < at
