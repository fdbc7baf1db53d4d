"""KIS's clock, as its answers tell it in their ``Date``, beside ours; no I/O.

Between sending a call and having its answer lies the moment of its ``Date``, which is cut to a
whole second: that bounds how far KIS's clock is from one of ours. The bounds are kept against a
clock that nobody can set, so that they stay right when this machine's wall clock jumps. All times
are µs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from bridge.runtime.clock import now_us, steady_us

__all__ = ["FAR_US", "NEAR_US", "SKEW_US", "ClockBounds", "KisClock", "read_date"]

SKEW_US = 2_000_000
"""From here on the difference is told."""
NEAR_US = 1_500_000
"""Back within this, it is over: one that hovers around the other limit is not told all the time."""
FAR_US = 10_000_000
"""From here on no new orders are sent, and no time proves anything."""
_SLACK = 1_000_000
"""How far our clock may leave the bounds before ours is not taken any more: KIS's servers need not
agree to the second, and a time of ours that is right is better than theirs."""
_SECOND = 1_000_000
_DRIFT_PPM = 500
"""How much faster or slower one of the clocks may run: as much as NTP makes it."""
_YEARS = 2000, 2999


@dataclass(frozen=True, slots=True)
class ClockBounds:
    """KIS's clock minus our steady one, as known ``at`` a reading of the steady one."""

    low: int
    high: int
    at: int

    @classmethod
    def of(cls, date: int, sent: int, came: int) -> ClockBounds:
        """Return what one answer tells: its ``Date``, and between which readings it was made."""
        return cls(date - came, date + _SECOND - sent, came)

    @property
    def middle(self) -> int:
        return (self.low + self.high) // 2

    @property
    def uncertainty(self) -> int:
        """Return how far from the middle it may be."""
        return (self.high - self.low + 1) // 2

    def aged(self, at: int) -> ClockBounds:
        """Return the same as known later: the clocks may run differently."""
        drift = self.drift(at)
        return ClockBounds(self.low - drift, self.high + drift, at)

    def drift(self, at: int) -> int:
        """Return how far the clocks may have run apart since."""
        return max(0, at - self.at) * _DRIFT_PPM // 1_000_000

    def apart(self, later: ClockBounds) -> int:
        """Return how far they are from each other; 0: both may be right."""
        before = self.aged(later.at)
        return max(0, before.low - later.high, later.low - before.high)

    def narrowed(self, later: ClockBounds) -> ClockBounds:
        """Return what both tell; where they cannot both be right, the later one alone.

        Then one of the clocks was set, or ours stood still with a machine that was frozen.
        """
        before = self.aged(later.at)
        low, high = max(before.low, later.low), min(before.high, later.high)
        return ClockBounds(low, high, later.at) if low <= high else later


def read_date(headers: Mapping[str, str]) -> int | None:
    """Return the ``Date`` of an answer in µs since the epoch; None: it tells none that counts."""
    if headers.get("age"):
        return None  # out of a cache: it is as old as what it came with
    return _parsed(headers.get("date", ""))


@lru_cache(maxsize=8)  # many answers come within one second
def _parsed(text: str) -> int | None:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000": of no known zone, and HTTP has no other than this
            moment = moment.replace(tzinfo=UTC)
        if not _YEARS[0] <= moment.year <= _YEARS[1]:
            return None
        return int(moment.timestamp()) * _SECOND
    except (ValueError, OverflowError):
        return None


class KisClock:
    """The time at KIS; as long as no answer told it, that of ``wall``.

    ``steady`` is a clock that nobody sets.
    """

    def __init__(
        self, wall: Callable[[], int] = now_us, steady: Callable[[], int] = steady_us
    ) -> None:
        self._wall = wall
        self.steady = steady
        self.bounds: ClockBounds | None = None
        """None: not told yet."""
        self._doubt: ClockBounds | None = None
        """What the last answer told, when that is far from what all before it did."""
        self._latest = 0

    def heard(self, headers: Mapping[str, str], sent: int) -> None:
        """Take the headers of an answer that just came; ``sent`` is when it was asked for."""
        if (date := read_date(headers)) is None:
            return
        told = ClockBounds.of(date, sent, self.steady())
        if self.bounds is None:
            # No order was sent yet: none is before KIS has answered for the list of orders.
            self.bounds, self._latest = told, 0
        elif self.bounds.apart(told) <= FAR_US:
            self.bounds, self._doubt = self.bounds.narrowed(told), None
        # One answer may come from a server whose clock is wrong. Another one has to say the same:
        # until then nothing is sent or proved, and the time goes on as before.
        elif self._doubt is None or self._doubt.apart(told):
            self._doubt = told
        else:
            self.bounds, self._doubt = told, None

    def now(self) -> int:
        """Return KIS's time in µs since the epoch.

        It is the wall clock's as long as that may be right to the second. Where it is not, and when
        it jumps, this one goes on as KIS's does. Then it does not go back: what came after an order
        was sent must not seem to have been there before.
        """
        wall = self._wall()
        if self.bounds is not None:
            low, high = self._between()
            wall = min(max(wall, low - _SLACK), high + _SLACK)
        elif wall < self._latest - FAR_US:
            self._latest = 0  # set back by so much, it was wrong before
        self._latest = max(self._latest, wall)
        return self._latest

    @property
    def offset(self) -> int | None:
        """Return how far KIS's clock is ahead of the wall clock; None: not known."""
        if self.bounds is None:
            return None
        return self.bounds.middle + self.steady() - self._wall()

    @property
    def difference(self) -> int:
        """Return by how much the clocks differ at least; 0: they may agree."""
        if self.bounds is None:
            return 0
        wall, (low, high) = self._wall(), self._between()
        return max(0, low - wall, wall - high)

    def problem(self) -> str:
        """Return why no times may be trusted, for people; blank: they may."""
        if self.bounds is None or self.offset is None:
            return ""
        if self._doubt is not None:
            apart = self.bounds.apart(self._doubt)
            return f"KIS's answers are {apart / _SECOND:.0f} s apart in what time it is"
        if self.difference > FAR_US:
            side = "behind" if self.offset > 0 else "ahead of"
            return (
                f"this machine's clock is {abs(self.offset) / _SECOND:.0f} s {side} KIS's; "
                "synchronise it (NTP)"
            )
        if (back := self._latest - self._between()[1]) > FAR_US:
            text = "wait so long, or restart the bridge if that is right"
            return f"KIS's clock has gone back by {back / _SECOND:.0f} s; {text}"
        return ""

    def _between(self) -> tuple[int, int]:
        """Return between which times it is at KIS now; asked several times for every order."""
        known, at = self.bounds, self.steady()
        assert known is not None  # noqa: S101
        drift = known.drift(at)
        return at + known.low - drift, at + known.high + drift
