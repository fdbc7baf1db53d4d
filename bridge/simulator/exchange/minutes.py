"""One symbol's trades by the minute, as a chart shows them (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Minute", "MinuteChart"]

_KEPT = 24 * 60


@dataclass(slots=True)
class Minute:
    """The trades of one minute; ``value`` is what was traded until its end, since the start."""

    start: datetime
    open: int
    high: int
    low: int
    close: int
    quantity: int
    value: int


class MinuteChart:
    """The last day's minutes; one without trades is not in it."""

    def __init__(self) -> None:
        self._minutes: deque[Minute] = deque(maxlen=_KEPT)

    def count(self, price: int, quantity: int, value: int, now: datetime) -> None:
        """Enter a trade; ``value`` is what was traded in all, with it."""
        start = now.replace(second=0, microsecond=0)
        last = self._minutes[-1] if self._minutes else None
        if last is None or last.start != start:
            self._minutes.append(Minute(start, price, price, price, price, quantity, value))
            return
        last.high, last.low, last.close = max(last.high, price), min(last.low, price), price
        last.quantity += quantity
        last.value = value

    def __iter__(self) -> Iterator[Minute]:
        return iter(self._minutes)

    def until(self, at: datetime, most: int) -> list[Minute]:
        """Return those of that day that had begun by then, the newest first."""
        day = at.date()
        found = [one for one in self._minutes if one.start <= at and one.start.date() == day]
        return found[::-1][:most]
