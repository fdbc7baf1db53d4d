"""Whose turn it is: subscriptions that share, by turns, the slots that nobody else has a use for.

Pure: the time is an argument, in monotonic seconds. The rules:

1. A turn begins when KIS delivers the subscription, and lasts at least as long as is configured. It
   lasts longer where the requests of so many changes would take more than half of what KIS's
   spacing allows.
2. On each session turns end evenly spread, the longest one first, and only for another's turn.
3. Whoever's turn is over queues up again in the line of each client that wants it. A client gets
   the next slot when it has the fewest turns; among equals it is the one that got none for longest.
   So a thousand wishes take nothing of another client's share.
4. When there is less room, the client with the most turns breaks off its newest one, and goes on
   with it next. Were it the longest, or did it begin anew, then whoever wants a slot and gives it
   up again all the time would let nobody's turn come to its end.

Hence a client with ``n`` wishes and a share of ``c`` slots has each of them served again within
``n // c + 1`` turns. That is what :meth:`Rotation.within` says. A turn more may pass after shares
have changed, until those that run are over.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from math import ceil, floor, inf

from bridge.subscriptions.request import Wanted

__all__ = ["HANDOVER_S", "Rotation"]

HANDOVER_S = 3.0
"""What a change of turns takes at most: it is noticed within a second, and two requests have to be
sent and answered."""
_LOOK_S = 1.0
"""Between two looks at the time."""
_REQUESTS = 2
"""Of a change: one to leave, one to enter."""
_SHARE = 0.5
"""Of the requests that a session may send. An open order's symbol must not wait behind others."""


@dataclass(slots=True)
class _Turn:
    client: str
    """Who got it, of those who want it."""
    begun_at: float | None = None
    """When KIS was first seen to deliver it."""


@dataclass(slots=True)
class _Client:
    waiting: OrderedDict[Wanted, None] = field(default_factory=OrderedDict)
    wishes: int = 0
    turns: int = 0
    served: int = 0
    """Number of the turn that it got last."""


class Rotation:
    """The wishes of all clients that take turns.

    ``turn_s`` is how long a turn is to last, ``spacing_s`` the pause that KIS wants between two
    requests of a session.
    """

    def __init__(self, turn_s: float, spacing_s: float) -> None:
        self._least_s, self._spacing_s = turn_s, spacing_s
        self.turn_s = turn_s
        """How long a turn lasts, with the slots that there are."""
        self._room = 0
        self._claims: dict[Wanted, frozenset[str]] = {}
        self._since: dict[Wanted, float] = {}
        """Who waits, and since when."""
        self._turns: dict[Wanted, _Turn] = {}
        self._broken_off: dict[Wanted, float] = {}
        """When turns began that are to go on."""
        self._clients: dict[str, _Client] = {}
        self._ready: list[tuple[int, int, str]] = []
        """Clients with wishes that wait: turns, number of the last one, name. The first is next."""
        self._next_end: dict[str, float] = {}
        """Session → when its next turn may end."""
        self._served = 0
        self._share: float | None = None
        """Slots for each client that has a use for so many; None: it has to be counted anew."""
        self._steady_at = 0.0
        """When the latest change of the shares has settled: turns that ran then are over."""

    def __len__(self) -> int:
        return len(self._claims)

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._claims

    # who takes part

    def put(self, wanted: Wanted, clients: Collection[str], now: float) -> None:
        """Let a subscription take turns on behalf of these clients, of one at least."""
        before, claims = self._claims.get(wanted, frozenset()), frozenset(clients)
        if before == claims:
            return
        self._claims[wanted] = claims
        turn = self._turns.get(wanted)
        if turn is not None and turn.client not in claims:
            self._return(turn)
            turn.client = min(claims)
            with self._changing(turn.client) as client:
                client.turns += 1
        for name in before - claims:
            with self._changing(name) as client:
                client.wishes -= 1
                client.waiting.pop(wanted, None)
        for name in claims - before:
            with self._changing(name) as client:
                client.wishes += 1
                if turn is None:
                    client.waiting[wanted] = None
        if turn is None:
            self._since[wanted] = now
        self._share = None

    def drop(self, wanted: Wanted) -> None:
        """Forget a subscription."""
        if wanted not in self._claims:
            return
        if (turn := self._turns.pop(wanted, None)) is not None:
            self._return(turn)
        for name in self._claims.pop(wanted):
            with self._changing(name) as client:
                client.wishes -= 1
                client.waiting.pop(wanted, None)
        self._since.pop(wanted, None)
        self._broken_off.pop(wanted, None)
        self._share = None

    # whose turn it is

    def fit(self, rooms: Mapping[str, int], room: int, now: float) -> Collection[Wanted]:
        """Return whose turn it is, in ``room`` slots of those that the sessions have in all."""
        changes_s = self._spacing_s * _REQUESTS / _SHARE
        self.turn_s = max(self._least_s, changes_s * max(rooms.values(), default=0))
        if room != self._room:
            self._room, self._share = room, None
        while len(self._turns) > room:
            self._break_off(max(reversed(self._turns), key=self._first_to_go), now)
        while len(self._turns) < room and self._ready:
            self._begin(self._ready[0][2])
        if self._share is None:
            self._share, self._steady_at = self._count_share(), now + self.turn_s
        return self._turns.keys()

    def lose(self, lost: Iterable[Wanted], now: float) -> None:
        """End turns early: their session is gone."""
        for wanted in lost:
            if wanted in self._turns:
                self._end(wanted, now)

    def tick(self, live: Mapping[Wanted, str], now: float) -> bool:
        """Let time pass; return whether somebody else's turn has come.

        ``live`` is what KIS delivers now, and on which session. Where nothing is delivered turns
        do not end, since they would end unused.
        """
        shared = Counter(live[one] for one in self._turns if one in live)
        changed = False
        for wanted, turn in list(self._turns.items()):
            app = live.get(wanted)
            if app is None:
                continue
            if turn.begun_at is None:
                turn.begun_at = now
            if now < turn.begun_at + self.turn_s or now < self._next_end.get(app, -inf):
                continue
            if (successor := self._successor(turn.client)) is None:
                continue
            pause = self.turn_s / shared[app]
            # Counted from when it was due: several may have been due since the last look.
            self._next_end[app] = max(self._next_end.get(app, -inf), now - _LOOK_S) + pause
            self._begin(successor)
            self._end(wanted, now)
            changed = True
        return changed

    # what people want to know

    @property
    def slots(self) -> int:
        """How many have their turn."""
        return len(self._turns)

    @property
    def waiting(self) -> int:
        """How many wait for their turn, and have one to come."""
        return len(self._since) if self._turns else 0

    def order(self) -> Iterator[Wanted]:
        """Yield those with a turn, then those that wait, the longest first."""
        yield from chain(self._turns, self._since)

    def has_turns(self, wanted: Wanted) -> bool:
        """Tell whether it gets a slot by turns, now or later."""
        return bool(self._turns) and wanted in self._claims

    def shares(self, wanted: Wanted, now: float) -> bool:
        """Tell whether it has to share its slot, and gets its turns in time."""
        if not self.has_turns(wanted):
            return False
        if wanted in self._since:
            return self.next_turn(wanted, now) >= 0
        return any(self._clients[name].waiting for name in self._claims[wanted])

    def until(self, wanted: Wanted, now: float) -> float | None:
        """Return for how many seconds it keeps its slot at least; None: it has none."""
        if (turn := self._turns.get(wanted)) is None:
            return None
        begun_at = now if turn.begun_at is None else turn.begun_at
        return max(0.0, begun_at + self.turn_s - now)

    def next_turn(self, wanted: Wanted, now: float) -> float:
        """Return within how many seconds it has a slot; negative: its turn is overdue."""
        since = self._since.get(wanted)
        if since is None:
            return 0.0
        since = max(since, self._steady_at)
        return since + max(map(self._within, self._claims[wanted])) - now

    def within(self) -> float | None:
        """Return within how many seconds each of them has its turn again.

        0: all have a slot; None: there is none for them.
        """
        if not self._turns and self._claims:
            return None
        return max(map(self._within, self._clients), default=0.0)

    # inside

    def _within(self, name: str) -> float:
        client = self._clients[name]
        if not client.waiting:
            return 0.0
        share = min(self._share or 0.0, client.wishes)
        if share >= 1:
            rounds = client.wishes // floor(share) + 1
        elif share > 0:
            # Not every client has a slot: they take turns as well, and so do each one's wishes.
            rounds = client.wishes * ceil(1 / share) + 1
        else:
            return inf
        return rounds * (self.turn_s + HANDOVER_S)

    def _count_share(self) -> float:
        left, clients = float(self._room), len(self._clients)
        for wishes in sorted(client.wishes for client in self._clients.values()):
            if wishes > left / clients:
                return left / clients
            left, clients = left - wishes, clients - 1
        return inf

    def _first_to_go(self, wanted: Wanted) -> tuple[int, float]:
        turn = self._turns[wanted]
        # One that KIS has not granted yet cannot be left at once.
        return self._clients[turn.client].turns, -inf if turn.begun_at is None else turn.begun_at

    def _successor(self, name: str) -> str | None:
        """Return who gets the slot when a turn of this client ends; None: nobody needs it."""
        own = self._clients[name]
        other = next((one for one in islice(self._ready, 2) if one[2] != name), None)
        if own.waiting and (other is None or (own.turns - 1, own.served) <= other[:2]):
            return name
        if other is not None and (own.waiting or other[0] < own.turns):
            return other[2]
        return None

    def _begin(self, name: str) -> None:
        wanted = next(iter(self._clients[name].waiting))
        for claim in self._claims[wanted]:
            with self._changing(claim) as client:
                del client.waiting[wanted]
        del self._since[wanted]
        self._served += 1
        self._turns[wanted] = _Turn(name, self._broken_off.pop(wanted, None))
        with self._changing(name) as client:
            client.turns, client.served = client.turns + 1, self._served

    def _end(self, wanted: Wanted, now: float) -> None:
        self._return(self._turns.pop(wanted))
        self._since[wanted] = now
        for name in self._claims[wanted]:
            with self._changing(name) as client:
                client.waiting[wanted] = None

    def _break_off(self, wanted: Wanted, now: float) -> None:
        begun_at = self._turns[wanted].begun_at
        self._end(wanted, now)
        if begun_at is not None:
            self._broken_off[wanted] = begun_at
        for name in self._claims[wanted]:
            self._clients[name].waiting.move_to_end(wanted, last=False)

    def _return(self, turn: _Turn) -> None:
        with self._changing(turn.client) as client:
            client.turns -= 1

    @contextmanager
    def _changing(self, name: str) -> Iterator[_Client]:
        """Change what is known of a client, and keep it in its place."""
        client = self._clients.setdefault(name, _Client())
        if client.waiting:
            del self._ready[bisect_left(self._ready, (client.turns, client.served, name))]
        yield client
        if client.waiting:
            insort(self._ready, (client.turns, client.served, name))
        if not client.wishes and not client.turns:
            del self._clients[name]
