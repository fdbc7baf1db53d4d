"""Times in which a subscription was not served. Pure: times are µs since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.subscriptions.request import Wanted

__all__ = ["Gap", "Gaps"]


@dataclass(frozen=True, slots=True)
class Gap:
    """What KIS sent of a subscription between the two times is lost."""

    wanted: Wanted
    reason: str
    since: int
    until: int


class Gaps:
    """Opens a gap when a live subscription ends, closes it when it is live again."""

    def __init__(self) -> None:
        self._open: dict[Wanted, tuple[int, str]] = {}
        self._closed: list[Gap] = []

    def __len__(self) -> int:
        return len(self._open)

    def open(self, wanted: Wanted, at: int, reason: str) -> None:
        """Say that nothing came any more from ``at`` on; the earliest time counts."""
        self._open.setdefault(wanted, (at, reason))

    def close(self, wanted: Wanted, at: int) -> None:
        """Say that a subscription is served (again)."""
        found = self._open.pop(wanted, None)
        if found is not None:
            self._closed.append(Gap(wanted, found[1], found[0], at))

    def missed(self, gap: Gap) -> None:
        """Say that a subscription was not served, although it looked so."""
        self._closed.append(gap)

    def forget(self, wanted: Wanted) -> None:
        """Nobody wants it any more."""
        self._open.pop(wanted, None)

    def take(self) -> list[Gap]:
        """Return the gaps that have closed since the last call."""
        closed, self._closed = self._closed, []
        return closed
