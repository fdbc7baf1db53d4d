"""Who gets the slots: requests spread over the sessions of several app keys. Pure.

Three rules, in this order. The smaller priority is served first. Of the same priority, whoever has
a slot keeps it. Nobody who keeps a slot is moved to another session. The last two are there because
KIS wants its requests spaced, and because each move is a gap in somebody's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.subscriptions.request import Wanted

__all__ = ["SlotRequest", "allocate", "queue"]


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """One subscription that somebody wants."""

    wanted: Wanted
    priority: int
    """The smaller goes first."""
    since: int = 0
    """Breaks ties: the earlier goes first."""


def allocate(
    requests: Iterable[SlotRequest], rooms: Mapping[str, int], places: Mapping[Wanted, str]
) -> dict[Wanted, str]:
    """Return who sits where; who is not in it waits.

    ``rooms`` are the sessions that can be used now and how many slots each has; ``places`` is
    where everybody sat until now, which may name sessions that are gone.
    """
    free = {session: max(0, room) for session, room in rooms.items()}
    # First who is served at all, over all sessions together; then where. Decided the other way
    # round, a full session would turn away what an empty one has room for.
    served = _ordered(requests, rooms, places)[: sum(free.values())]
    seats: dict[Wanted, str] = {}
    homeless: list[Wanted] = []
    for one in served:
        place = places.get(one.wanted, "")
        if free.get(place, 0) > 0:
            free[place] -= 1
            seats[one.wanted] = place
        else:
            homeless.append(one.wanted)
    for wanted in homeless:
        # Into the emptiest session, so that losing one costs as few subscriptions as possible.
        place = max(free, key=lambda session: free[session])
        free[place] -= 1
        seats[wanted] = place
    return seats


def queue(requests: Iterable[SlotRequest], seats: Mapping[Wanted, str]) -> list[SlotRequest]:
    """Return who waits for a slot, the next one first."""
    waiting = (one for one in requests if one.wanted not in seats)
    return sorted(waiting, key=lambda one: (one.priority, one.since))


def _ordered(
    requests: Iterable[SlotRequest], rooms: Mapping[str, int], places: Mapping[Wanted, str]
) -> list[SlotRequest]:
    return sorted(
        requests,
        key=lambda one: (one.priority, places.get(one.wanted) not in rooms, one.since),
    )
