"""How often each of many names may come: a token bucket for each, and room for so many names.

Pure: time is an argument, in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Rate", "TokenBuckets"]

_MOST = 1_000
_SWEEP_S = 0.25
"""Looking for names that may be forgotten takes time that a flood of new names must not have."""


class Rate(NamedTuple):
    """So many a second, and so many at once."""

    per_s: float
    burst: float


class TokenBuckets:
    """A bucket a name; names that ``own`` does not have share one when there are too many.

    What is kept of a bucket is when it will be full again: one that is full need not be kept.
    """

    def __init__(
        self, rate: Rate, own: Mapping[bytes, Rate] | None = None, *, most: int = _MOST
    ) -> None:
        self._usual = _terms(rate)
        self._own = {name: _terms(rate) for name, rate in (own or {}).items()}
        self._most = most
        self._full_at: dict[bytes, float] = {}
        self._swept_at = 0.0

    def __len__(self) -> int:
        """Return how many names are remembered."""
        return len(self._full_at)

    def take(self, name: bytes, now: float) -> bool:
        """Take a token from the bucket of a name; False: it has none."""
        interval, depth = self._own.get(name, self._usual)
        full_at = self._full_at.get(name)
        if full_at is None:
            if len(self._full_at) >= self._most and name not in self._own:
                self._sweep(now)
                if len(self._full_at) >= self._most:
                    name = b""
                    full_at = self._full_at.get(name)
            full_at = full_at or now
        if full_at < now:
            full_at = now
        if full_at - now > depth:
            return False
        self._full_at[name] = full_at + interval
        return True

    def _sweep(self, now: float) -> None:
        if now - self._swept_at >= _SWEEP_S:
            self._swept_at = now
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}


def _terms(rate: Rate) -> tuple[float, float]:
    """Return what a token takes to come back, and all but one; half of one is for rounding."""
    return 1 / rate.per_s, (rate.burst - 0.5) / rate.per_s
