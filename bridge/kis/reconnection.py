"""When a lost session is connected again; pure.

Where data is missing each second counts, but retries in a storm get the app key blocked, and KIS
takes a connection that it is about to refuse (docs/kis.md). So a session that brought data is
connected again at once, one that did not after pauses that grow, and whatever happens there are
never more than so many connections a minute.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from bridge.runtime.allowance import Allowance
from bridge.runtime.backoff import Backoff

__all__ = ["BURST", "Reconnection"]

BURST = 6
"""Connections at once."""
_EVERY = 1 / 4
"""And then one in so much of the longest pause: with 30 s eight a minute, however they end."""
_SHORT = 1 / 6
"""A life of so much of the longest pause, 5 s, is none too short to count when it brought data."""
_QUIET_GROWTH = 1.5
_QUIET_JITTER = (1.0, 1.05)
"""The quiet that KIS wants is as long as it is; more would only be time without data."""


class Reconnection:
    """The pauses of one session; ``now`` is monotonic seconds.

    Tell :meth:`connects` of each attempt, and ask :meth:`pause` at its end. ``longest_quiet_s``
    bounds the quiet that grows while KIS goes on refusing the app key.
    """

    def __init__(
        self,
        retry: Backoff,
        longest_quiet_s: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._retry = retry
        self._longest_quiet_s = longest_quiet_s
        self._uniform = uniform
        self._connections = Allowance(BURST, retry.longest_s * _EVERY)
        self._failures = self._refusals = 0

    def connects(self, now: float) -> None:
        """Take note of an attempt to connect."""
        self._connections.take(now)

    def pause(
        self, now: float, *, quiet_s: float, lived_s: float = 0.0, brought_data: bool = False
    ) -> float:
        """Return how long to wait, at the end of a connection or of an attempt at one.

        ``quiet_s`` is how long KIS wants to be left alone; 0: it wants nothing. ``lived_s`` is how
        long there was a connection.
        """
        # By how long it lasted, not by that it was made.
        longest_s = self._retry.longest_s
        if lived_s > longest_s or (brought_data and lived_s >= longest_s * _SHORT):
            self._failures = self._refusals = 0
        if quiet_s:
            self._refusals += 1
            quiet = Backoff(quiet_s, self._longest_quiet_s, _QUIET_GROWTH, _QUIET_JITTER)
            return quiet.pause(self._refusals, self._uniform)
        self._failures += 1
        pause = self._retry.pause(self._failures, self._uniform)
        return max(pause, self._connections.wait(now))
