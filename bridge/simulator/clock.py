"""The simulator's clock, which can be set (thin: it reads the machine's)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bridge.runtime.clock import SEOUL

__all__ = ["SimulatedClock"]


class SimulatedClock:
    """Runs as ``base`` does, ``ahead`` of it."""

    def __init__(
        self, base: Callable[[], datetime] | None = None, ahead: timedelta = timedelta()
    ) -> None:
        self._base = base or (lambda: datetime.now(SEOUL))
        self.ahead = ahead

    def __call__(self) -> datetime:
        return self._base() + self.ahead

    def set(self, moment: datetime) -> None:
        """Let it be this moment now."""
        self.ahead = moment - self._base()
