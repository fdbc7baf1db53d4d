"""Who is served next: those that want a slot for themselves, then those that take turns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from bridge.subscriptions.allocation import Lines
from bridge.subscriptions.interest import BRIDGE, Interests
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rotation import Rotation

__all__ = ["Queue"]


class Queue:
    """Every subscription that KIS may be asked for; times are monotonic seconds."""

    def __init__(self, interests: Interests, turn_s: float, spacing_s: float) -> None:
        self._interests = interests
        self._lines = Lines(BRIDGE)
        self.rotation = Rotation(turn_s, spacing_s)

    def __len__(self) -> int:
        return len(self._lines) + len(self.rotation)

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._lines or wanted in self.rotation

    def put(self, wanted: Wanted, now: float) -> bool:
        """Take up a subscription, or who wants it now; return whether it is new."""
        new = wanted not in self
        if fixed := self._interests.fixed(wanted):
            self.rotation.drop(wanted)
            self._lines.put(wanted, fixed)
        else:
            self._lines.drop(wanted)
            self.rotation.put(wanted, self._interests.claims(wanted), now)
        return new

    def drop(self, wanted: Wanted) -> None:
        """Forget a subscription."""
        self._lines.drop(wanted)
        self.rotation.drop(wanted)

    def lose(self, lost: Iterable[Wanted], now: float) -> None:
        """Put those last whose session is gone, so that nobody else has to move for them."""
        lost = list(lost)
        self._lines.requeue(lost)
        self.rotation.lose(lost, now)

    def served(self, rooms: Mapping[str, int], now: float) -> Iterable[Wanted]:
        """Return who gets a slot of those that the sessions have."""
        slots = sum(max(0, room) for room in rooms.values())
        first = list(islice(self._lines.order(), slots))
        # A rotating one takes what the others leave. Whoever needs a slot gets it from these.
        return chain(first, self.rotation.fit(rooms, slots - len(first), now))

    def order(self) -> Iterator[Wanted]:
        """Yield every one, who is served first before who is served next."""
        yield from chain(self._lines.order(), self.rotation.order())
