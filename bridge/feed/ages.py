"""How old records were when they left, over the last minute; pure, and of bounded size.

Times and ages are in µs. One age stands for all records of a write, so that a record costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Ages", "Freezes"]

_SLOT, _SLOTS = 10_000_000, 6
"""What is told is of the last minute, forgotten by ten seconds at once."""
_BOUNDS = [round(50 * 1.2**step) for step in range(96)]
"""Ages up to which a bucket counts: each a fifth above the one before, up to half an hour."""
_PARTS = 8
_BEAT = 500_000
_FROZEN = 2 * _BEAT
_IDLE = 500
"""Pauses between two reads; while there is more to be read there is none."""


@dataclass(slots=True)
class _Slot:
    number: int
    longest: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))


class Ages:
    """A histogram of the last minute; ``now`` is of a clock that only goes on."""

    def __init__(self) -> None:
        self._slots: deque[_Slot] = deque(maxlen=_SLOTS)

    def add(self, age: int, count: int, now: int) -> None:
        """Count so many records of this age."""
        number = now // _SLOT
        if not self._slots or self._slots[-1].number != number:
            self._slots.append(_Slot(number))
        slot = self._slots[-1]
        slot.counts[bisect_left(_BOUNDS, age)] += count
        if age > slot.longest:
            slot.longest = age

    def spread(self, longest: int, count: int, now: int) -> None:
        """Count so many records that came one after another until now, the first so long ago."""
        for part in range(1, _PARTS + 1):
            share = count * part // _PARTS - count * (part - 1) // _PARTS
            if share:
                self.add(longest * part // _PARTS, share, now)

    def quantiles(self, now: int, *shares: float) -> list[int | None]:
        """Return the ages below which these shares of the records lie; 1.0 is the oldest."""
        slots = [slot for slot in self._slots if slot.number > now // _SLOT - _SLOTS]
        counts = [sum(column) for column in zip(*(slot.counts for slot in slots), strict=True)]
        total, longest = sum(counts), max((slot.longest for slot in slots), default=0)
        if not total:
            return [None] * len(shares)
        found: list[int | None] = []
        for share in shares:
            below, bucket = 0, 0
            while (below := below + counts[bucket]) <= share * total and bucket < len(_BOUNDS) - 1:
                bucket += 1
            found.append(longest if share >= 1 else min(_BOUNDS[bucket], longest))
        return found


class Freezes:
    """How much older than its time of arrival a record may be, because the loop read nothing.

    What comes while the loop is frozen lies in the system, which tells nobody since when.
    """

    def __init__(self) -> None:
        self._beaten = self._began = self._late = 0

    def beat(self, now: int) -> None:
        """Say that the loop runs; twice a second."""
        self.look(now)
        self._beaten = now

    def look(self, now: int) -> None:
        """Find out whether the loop was frozen until now."""
        if self._beaten and now - self._beaten > _FROZEN:
            self._late, self._began, self._beaten = now - self._beaten, now, now

    def late(self, now: int, idle: int) -> int:
        """Return the most that is to be added to an age, ``idle`` µs after the write before.

        A loop that had a moment without anything to read has caught up.
        """
        self.look(now)
        if self._late:
            left = self._late - (now - self._began)
            if left <= 0 or (idle > _IDLE and now > self._began + _BEAT // 5):
                self._late = 0
                return 0
            return left
        return 0
