"""Who gets the slots: wishes spread over the sessions of several app keys. Pure.

What the bridge itself wants is served first: the symbols of open orders, then the configuration.
What is left is shared by the clients: each one's first wish goes before anybody's second, so that
no number of wishes, and no priority, takes a slot that another client's share has a use for. A
priority orders the wishes of one client.

Of the same priority, whoever has a slot keeps it, and nobody who keeps a slot is moved to another
session. KIS wants its requests spaced, and each move is a gap in somebody's data.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias

from bridge.subscriptions.request import Wanted

__all__ = ["Lines", "allocate"]

_Place: TypeAlias = tuple[int, int, Wanted]
"""Priority, number of arrival, wish. No two have the same number."""
_BRIDGE: Final = None
"""The line of what the bridge itself wants."""


class Lines:
    """The wishes of each client in the order in which they are served.

    A change costs what it changes, however many others wait. ``first`` are the names under which
    the bridge itself wants something.
    """

    def __init__(self, first: Collection[str] = ()) -> None:
        self._first = frozenset(first)
        self._numbers: dict[Wanted, int] = {}
        self._count = 0
        self._claims: dict[Wanted, dict[str | None, int]] = {}
        self._lines: dict[str | None, list[_Place]] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._claims

    def put(self, wanted: Wanted, claims: Mapping[str, int]) -> None:
        """Take up a wish, or its new ``claims``: the priority that it has for each client."""
        # What the bridge wants anyway takes nothing of a client's share.
        own = [priority for client, priority in claims.items() if client in self._first]
        wishes: dict[str | None, int] = {_BRIDGE: min(own)} if own else dict(claims.items())
        before = self._claims.get(wanted, {})
        self._leave(wanted, {c: p for c, p in before.items() if wishes.get(c) != p})
        self._enter(wanted, {c: p for c, p in wishes.items() if before.get(c) != p})
        self._claims[wanted] = wishes

    def drop(self, wanted: Wanted) -> None:
        """Forget a wish; should it come again, it is the last of its priority."""
        self._leave(wanted, self._claims.pop(wanted, {}))
        self._numbers.pop(wanted, None)

    def requeue(self, lost: Iterable[Wanted]) -> None:
        """Put those last whose session is gone, so that nobody else has to move for them."""
        known = [wanted for wanted in lost if wanted in self._claims]
        for wanted in sorted(known, key=self._numbers.__getitem__):
            self._leave(wanted, self._claims[wanted])
            del self._numbers[wanted]
            self._enter(wanted, self._claims[wanted])

    def order(self) -> Iterator[Wanted]:
        """Yield every wish, who is served first before who is served next."""
        yield from (wanted for _, _, wanted in self._lines.get(_BRIDGE, ()))
        lines = [line for client, line in self._lines.items() if client is not _BRIDGE]
        served: set[Wanted] = set()
        turn = 0
        while lines := [line for line in lines if len(line) > turn]:
            # One wish of each client, the older ones first. What two of them want is one wish.
            chosen = {line[turn][1]: line[turn][2] for line in lines}
            for _, wanted in sorted(chosen.items()):
                if wanted not in served:
                    served.add(wanted)
                    yield wanted
            turn += 1

    # inside

    def _enter(self, wanted: Wanted, wishes: Mapping[str | None, int]) -> None:
        if wanted not in self._numbers:
            self._count += 1
            self._numbers[wanted] = self._count
        for client, priority in wishes.items():
            insort(self._lines.setdefault(client, []), (priority, self._numbers[wanted], wanted))

    def _leave(self, wanted: Wanted, wishes: Mapping[str | None, int]) -> None:
        for client, priority in wishes.items():
            line = self._lines[client]
            del line[bisect_left(line, (priority, self._numbers[wanted]))]
            if not line:
                del self._lines[client]


def allocate(
    order: Iterable[Wanted], rooms: Mapping[str, int], places: Mapping[Wanted, str]
) -> dict[Wanted, str]:
    """Return who sits where; who is not in it waits.

    ``order`` are the wishes as :meth:`Lines.order` gives them, ``rooms`` the sessions that can be
    used now and how many slots each has. ``places`` is where everybody sat until now, which may
    name sessions that are gone.
    """
    free = {session: max(0, room) for session, room in rooms.items()}
    seats: dict[Wanted, str] = {}
    homeless: list[Wanted] = []
    # First who is served at all, over all sessions together; then where. Decided the other way
    # round, a full session would turn away what an empty one has room for.
    for wanted in islice(order, sum(free.values())):
        place = places.get(wanted, "")
        if free.get(place, 0) > 0:
            free[place] -= 1
            seats[wanted] = place
        else:
            homeless.append(wanted)
    for wanted in homeless:
        # Into the emptiest session, so that losing one costs as few subscriptions as possible.
        place = max(free, key=lambda session: free[session])
        free[place] -= 1
        seats[wanted] = place
    return seats
