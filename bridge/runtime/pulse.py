"""Whether this process ran all the time, or stood still without noticing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from bridge.runtime.clock import now_us, steady_us

__all__ = ["BEAT_S", "STILL_US", "Pulse"]

BEAT_S = 0.5
"""How often it has to beat."""
STILL_US = 2_000_000
"""How long (µs) nothing has to happen before that counts as standing still: a busy machine lets its
processes wait too, but not so long."""

# Elsewhere than on Linux the steady clock may stand still together with a suspended machine, and
# only the wall clock tells. Where it is not needed it stays out: somebody may set it.
_CLOCKS = (steady_us,) if sys.platform == "linux" else (steady_us, now_us)


class Pulse:
    """Beats while the event loop runs; a beat that is long overdue tells of a stop.

    A stopped process (``SIGSTOP``), a suspended machine and a blocked event loop look alike. Clocks
    are in µs.
    """

    def __init__(self, clocks: Sequence[Callable[[], int]] = _CLOCKS) -> None:
        self.stops = 0
        """How often the process has stood still."""
        self.still = 0
        """How long it did altogether, in µs."""
        self._clocks = clocks
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._beaten = [clock() for clock in self._clocks]

    def feel(self) -> int:
        """Return how often the process has stood still, until this moment.

        To be asked before anything that came meanwhile is used: after a stop the event loop may
        read a socket before it runs what has been due for long.
        """
        now = [clock() for clock in self._clocks]
        gap = max(at - before for at, before in zip(now, self._beaten, strict=True))
        if gap > STILL_US:
            self.stops += 1
            self.still += gap
            self._beaten = now
        return self.stops

    def beat(self) -> None:
        """Say that the event loop runs."""
        self.feel()
        self.start()
