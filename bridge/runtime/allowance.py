"""How often something may happen: so many times at once, and then once in so long; pure."""

from __future__ import annotations

__all__ = ["Allowance"]


class Allowance:
    """A token bucket; ``now`` is seconds of any clock that only goes forward.

    What is kept is when the bucket will be full again.
    """

    __slots__ = ("_depth_s", "_every_s", "_full_at")

    def __init__(self, burst: int, every_s: float) -> None:
        self._every_s = every_s
        self._depth_s = burst * every_s
        self._full_at = float("-inf")

    def take(self, now: float) -> bool:
        """Take one; False: there is none."""
        if self.wait(now) > 0.0:
            return False
        self._full_at = max(now, self._full_at) + self._every_s
        return True

    def wait(self, now: float) -> float:
        """Return the seconds until there is one."""
        missing = max(now, self._full_at) + self._every_s - now - self._depth_s
        return missing if missing > _ROUNDING_S else 0.0


_ROUNDING_S = 1e-6
