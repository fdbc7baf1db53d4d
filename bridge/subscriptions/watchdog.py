"""How long a session may say nothing. Pure.

KIS's PINGPONG comes day and night, so when nothing at all comes the connection is dead, at any
hour. It has been seen to die so, without a close, for 18 minutes (docs/kis.md).

Market data may be missing for good reasons: lunch, a holiday, thin symbols. Its absence counts only
while the market is busy, and counts less each time that a new connection brought none either.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Watchdog"]

QUIET_SILENCE_S = 120.0
"""Without any message, while nothing is known of KIS's pace or no market is busy. A needless
reconnection is no help then: it may find the app key locked for a while."""
BUSY_SILENCE_S = 25.0
"""The same while a market is busy, where each second without data costs somebody."""
_PINGS = 2.5
"""PINGPONGs that may be missing: one may be late, two in a row are no chance."""
DENSE_SILENCE_S = 12.0
"""The same on a line on which something came every moment for a minute."""
_DENSE_S, _DENSE_TICKS = 1.5, 60
"""No pause longer than that, each second for so long."""
_LATE_S = 3.0
"""By which a PINGPONG may be late. A trading halt stops the data of a dense line, but not those."""
MUTE_S, MUTE_ALONE_S, MUTE_LONGEST_S = 60.0, 300.0, 1800.0
"""Without market data: of five busy subscriptions and more, of a single one, and at most. The fewer
there are, the likelier it is that simply nobody trades."""
_MOST_DOUBT = 6
"""Doublings: more would change nothing, MUTE_LONGEST_S ends them."""


class Watchdog:
    """How patient the bridge is with one session."""

    def __init__(self) -> None:
        self._doubt = 0
        self._heard_at = self._quiet_s = 0.0
        self._pauses: deque[float] = deque(maxlen=_DENSE_TICKS)
        """Between the latest messages, as seen once a second."""

    def beat(self, heard_at: float, now: float) -> None:
        """Say, once a second, when anything came last; in seconds of one clock."""
        if heard_at != self._heard_at:
            self._heard_at = heard_at
            self._pauses.append(self._quiet_s)
        self._quiet_s = now - heard_at

    def limits(self, busy: int, ping_every_s: float | None) -> tuple[float, float | None]:
        """Return the seconds without any message, and without market data (None: any time).

        ``busy`` is the number of live subscriptions whose market is busy, ``ping_every_s`` the
        longest of the latest pauses between PINGPONGs.
        """
        if not busy:
            return QUIET_SILENCE_S, None
        dense = len(self._pauses) == _DENSE_TICKS and max(self._pauses) <= _DENSE_S
        if ping_every_s is None:
            silence = BUSY_SILENCE_S if dense else QUIET_SILENCE_S
        elif dense:
            silence = max(DENSE_SILENCE_S, ping_every_s + _LATE_S)
        else:
            silence = max(BUSY_SILENCE_S, _PINGS * ping_every_s)
        silence = min(QUIET_SILENCE_S, silence)
        mute = max(MUTE_S, MUTE_ALONE_S / busy) * 2**self._doubt
        return silence, min(MUTE_LONGEST_S, mute)

    def was_mute(self) -> None:
        """Say that the session was given up because no market data came."""
        self._doubt = min(_MOST_DOUBT, self._doubt + 1)

    def heard(self) -> None:
        """Say that market data came."""
        self._doubt = 0
