"""How long to wait before something that failed is tried again; pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff"]

_MOST = 16
"""Doublings after which a pause is as long as it gets; more would overflow in the end."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow from ``first_s`` by ``factor`` up to ``longest_s``, in seconds.

    ``jitter`` is what a pause is multiplied with, between its two ends: so that many clients that
    lost the same server do not come back at once.
    """

    first_s: float
    longest_s: float
    factor: float = 2.0
    jitter: tuple[float, float] = (1.0, 1.0)

    def pause(
        self, failures: int, uniform: Callable[[float, float], float] = random.uniform
    ) -> float:
        """Return the pause after so many failures in a row; the first is 1."""
        grown = self.first_s * self.factor ** min(max(failures - 1, 0), _MOST)
        low, high = self.jitter
        return min(self.longest_s, grown) * (low if low == high else uniform(low, high))
