"""How long a session may say nothing. Pure.

KIS's PINGPONG comes day and night, so when nothing at all comes the connection is dead, at any
hour. It has been seen to die so, without a close, for 18 minutes (docs/kis.md).

Market data may be missing for good reasons: lunch, a holiday, thin symbols. Its absence counts only
while the market is busy, and counts less each time that a new connection brought none either.
"""

from __future__ import annotations

__all__ = ["Watchdog"]

QUIET_SILENCE_S = 120.0
"""Without any message, while nothing is known of KIS's pace or no market is busy. A needless
reconnection is no help then: it may find the app key locked for a while."""
BUSY_SILENCE_S = 45.0
"""The same while a market is busy, where each second without data costs somebody."""
_PINGS = 3
"""PINGPONGs that may be missing: one may be late, three in a row are no chance."""
MUTE_S, MUTE_ALONE_S, MUTE_LONGEST_S = 60.0, 300.0, 1800.0
"""Without market data: of five busy subscriptions and more, of a single one, and at most. The fewer
there are, the likelier it is that simply nobody trades."""
_MOST_DOUBT = 6
"""Doublings: more would change nothing, MUTE_LONGEST_S ends them."""


class Watchdog:
    """How patient the bridge is with one session."""

    def __init__(self) -> None:
        self._doubt = 0

    def limits(self, busy: int, ping_every_s: float | None) -> tuple[float, float | None]:
        """Return the seconds without any message, and without market data (None: any time).

        ``busy`` is the number of live subscriptions whose market is busy, ``ping_every_s`` the
        longest of the latest pauses between PINGPONGs.
        """
        if not busy:
            return QUIET_SILENCE_S, None
        silence = QUIET_SILENCE_S
        if ping_every_s is not None:
            silence = min(QUIET_SILENCE_S, max(BUSY_SILENCE_S, _PINGS * ping_every_s))
        mute = max(MUTE_S, MUTE_ALONE_S / busy) * 2**self._doubt
        return silence, min(MUTE_LONGEST_S, mute)

    def was_mute(self) -> None:
        """Say that the session was given up because no market data came."""
        self._doubt = min(_MOST_DOUBT, self._doubt + 1)

    def heard(self) -> None:
        """Say that market data came."""
        self._doubt = 0
