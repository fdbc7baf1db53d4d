"""How long something may be silent before that means something, learned from its own pace. Pure.

A quote of a liquid stock that is silent for ten seconds is broken; a thin stock may trade once an
hour. No constant fits both, so that each topic teaches its own limit, between two bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace", "PaceBounds"]

_FACTOR = 3.0
"""The limit beside the longest pause of late: chance alone hardly ever triples it."""
_FORGET_S = 1800.0
"""After so long a pause counts for half: the opening is busier than noon."""
_TRUST_S = 60.0
"""Each time that it was watched for so long, half of what the upper bound allows is taken back."""
_MOST_HALVINGS = 40.0


@dataclass(frozen=True, slots=True)
class PaceBounds:
    """Between which seconds a limit may be; ``most_s`` of 0: silence says nothing."""

    least_s: float
    most_s: float


class Pace:
    """The pauses of one topic, or of one session."""

    __slots__ = ("_longest", "_watched")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: another session of the market has a pace of its own."""
        self._longest = self._watched = 0.0

    def heard(self, pause_s: float) -> None:
        """Say that records came after a pause."""
        pause = max(0.0, pause_s)
        self._longest = max(self._longest * 0.5 ** (pause / _FORGET_S), pause)
        self._watched += pause

    def limit(self, bounds: PaceBounds) -> float | None:
        """Return the seconds of silence that are too many; None: there is no such limit."""
        if not bounds.most_s:
            return None
        # Little is known at first, and then the upper bound holds. It gives way to the pace itself
        # the longer that was seen, without a moment at which everything changes.
        doubt: float = bounds.most_s * 0.5 ** min(_MOST_HALVINGS, self._watched / _TRUST_S)
        return min(bounds.most_s, max(bounds.least_s, doubt, self._longest * _FACTOR))
