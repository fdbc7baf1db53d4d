"""Which of KIS's order numbers were there before a command was sent, in a list or in a notice.

An order that was there before is not that command's, however much it looks like it. What came first
is counted and not timed: a clock may be set, or be another one after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TypeAlias
from weakref import WeakKeyDictionary

from bridge.orders.model.managed_order import ManagedOrder

__all__ = ["OrderKey", "Sightings"]

OrderKey: TypeAlias = tuple[date | None, str]
"""Day and plain number: KIS starts its numbers again each day."""

_KEPT = timedelta(days=2)
"""Longer than any session that runs over midnight."""


class Sightings:
    """Numbers by account and market, as this process has seen them."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], dict[OrderKey, int]] = {}
        self._sent: WeakKeyDictionary[ManagedOrder, int] = WeakKeyDictionary()
        self._count = 0

    def note(self, account: str, market: str, keys: Iterable[OrderKey], today: date) -> None:
        """Take note of numbers that are there now."""
        self._count += 1
        seen = self._first.setdefault((account, market), {})
        for key in keys:
            if key[0] is not None:  # without a day it could be the number of any
                seen.setdefault(key, self._count)
        oldest = today - _KEPT
        if any(day is not None and day < oldest for day, _ in seen):
            self._first[account, market] = {
                key: first for key, first in seen.items() if key[0] is None or key[0] >= oldest
            }

    def sending(self, managed: ManagedOrder) -> None:
        """Take note that a command is about to be sent."""
        self._sent.setdefault(managed, self._count)

    def sent(self, managed: ManagedOrder) -> bool:
        """Tell whether this process has sent it: of others nobody knows what was there before."""
        return managed in self._sent

    def before(self, managed: ManagedOrder, market: str) -> set[OrderKey]:
        """Return the numbers that were there before a command was sent."""
        seen = self._first.get((managed.identity.account, market), {})
        sent = self._sent.get(managed, 0)
        return {key for key, first in seen.items() if first <= sent}

    def had(self, managed: ManagedOrder, market: str, key: OrderKey) -> bool:
        """Tell whether a number was there before a command was sent."""
        first = self._first.get((managed.identity.account, market), {}).get(key)
        return first is not None and first <= self._sent.get(managed, 0)
