"""Who wants which subscription, how urgently, and for how long. Pure: the time is an argument.

A subscription lives as long as any holder (the configuration, a client, an open order) wants it.
Nothing here costs more for there being many others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from bridge.errors import RequestError
from bridge.subscriptions.request import Wanted

__all__ = [
    "BRIDGE",
    "CONFIGURATION",
    "LONGEST_LEASE_S",
    "NAMELESS",
    "ORDERS",
    "Interest",
    "Interests",
    "dumps",
]

CONFIGURATION, ORDERS = BRIDGE = ("configuration", "orders")
"""Holders that are the bridge itself. A restart finds their interests again."""
NAMELESS = ""
"""The client of all requests without a client's name in their topic: together they are one."""
LONGEST_LEASE_S = 7 * 86_400
_CLIENTS, _ROTATING = 10, 11
"""After whatever the bridge itself wants, and after whoever has a slot for itself."""
_STALE = 256
"""Leases that were renewed or released may be kept so long as they are few."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What one holder wants."""

    wanted: Wanted
    holder: str
    client: str
    """On whose account: in whose share of the slots and in whose quota."""
    priority: int
    until: float | None
    """Seconds since the epoch when the lease ends; None: it has none."""
    rotate: bool = False
    """Whether a slot by turns is enough."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    channel: str
    key: str
    holder: str
    priority: int
    until: float | None
    client: str | None = None
    """None: the holder itself."""
    rotate: bool = False


class _Rows(BaseModel):
    model_config = ConfigDict(extra="forbid")

    subscriptions: list[_Row]


class _Lease(NamedTuple):
    until: float
    number: int
    wanted: Wanted
    holder: str


class Interests:
    """The interests of all holders."""

    def __init__(self) -> None:
        self._interests: dict[Wanted, dict[str, Interest]] = {}
        self._claims: dict[Wanted, dict[str, int]] = {}
        self._rotating: Counter[Wanted] = Counter()
        """How many are content with a turn of a subscription, where there is any."""
        self._of_holder: dict[str, dict[Wanted, None]] = {}
        self._counts: Counter[str] = Counter()
        self._leases: list[_Lease] = []
        self._leased = self._numbers = 0
        self.total = 0
        """Interests of all holders; a subscription that two want counts twice."""

    def __len__(self) -> int:
        return len(self._interests)

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._interests

    def wants(self, tr_id: str, key: str) -> bool:
        """Tell whether anybody wants this market data of the real servers."""
        return Wanted(tr_id, key, tr_id) in self._interests

    def hold(
        self,
        wanted: Wanted,
        holder: str,
        priority: int = 0,
        until: float | None = None,
        client: str | None = None,
        *,
        rotate: bool = False,
    ) -> None:
        """Want a subscription on behalf of ``holder``; again: as it is said now.

        ``client`` is on whose account; None: the holder itself.
        """
        self._drop(wanted, holder)
        client = holder if client is None else client
        interest = Interest(wanted, holder, client, priority, until, rotate)
        self._interests.setdefault(wanted, {})[holder] = interest
        if rotate:
            self._rotating[wanted] += 1
        self._claim(wanted, interest.client)
        self._of_holder.setdefault(holder, {})[wanted] = None
        self._counts[interest.client] += 1
        self.total += 1
        if until is not None:
            self._leased += 1
            self._numbers += 1
            heappush(self._leases, _Lease(until, self._numbers, wanted, holder))
            if len(self._leases) > 2 * self._leased + _STALE:
                self._leases = [lease for lease in self._leases if self._is_current(lease)]
                heapify(self._leases)

    def release(self, wanted: Wanted, holder: str) -> bool:
        """Drop the interest of ``holder``; return whether nobody wants it any more."""
        return self._drop(wanted, holder) and wanted not in self._interests

    def replace(self, holder: str, wanted: Collection[Wanted], priority: int) -> set[Wanted]:
        """Let ``holder`` want exactly these; return what has begun or ended for it."""
        before = set(self._of_holder.get(holder, ()))
        ended, begun = before.difference(wanted), set(wanted) - before
        for one in ended:
            self.release(one, holder)
        for one in begun:
            self.hold(one, holder, priority)
        return ended | begun

    def expire(self, now: float) -> list[Interest]:
        """Drop interests whose lease is over (``now``: seconds since the epoch); return them."""
        over = []
        while self._leases and self._leases[0].until <= now:
            lease = heappop(self._leases)
            if self._is_current(lease):
                over.append(self._interests[lease.wanted][lease.holder])
                self.release(lease.wanted, lease.holder)
        return over

    def find(self, wanted: Wanted, holder: str) -> Interest | None:
        """Return what a holder wants of it."""
        return self._interests.get(wanted, {}).get(holder)

    def own(self, wanted: Wanted, holder: str, client: str) -> Interest | None:
        """Return that of a client's own holder; raises `RequestError` when it is another's.

        Without a name nobody may change what a client has asked for under its name.
        """
        found = self.find(wanted, holder)
        if found is not None and client == NAMELESS != found.client:
            text = f"{wanted.key}: client {holder!r} has asked for it by its own topic"
            raise RequestError("not_permitted", text)
        return found

    def all(self) -> Iterable[Wanted]:
        """Return everything that is wanted, the oldest first."""
        return self._interests

    def holders(self, wanted: Wanted) -> list[str]:
        """Return who wants a subscription."""
        return sorted(self._interests.get(wanted, ()))

    def count(self, client: str) -> int:
        """Return how many interests are on a client's account."""
        return self._counts[client]

    def counts(self) -> Mapping[str, int]:
        """Return that of every client that has any."""
        return self._counts

    def priority(self, wanted: Wanted) -> int:
        """Return the priority of a subscription that is wanted."""
        return min(self._claims[wanted].values())

    def urgency(self, wanted: Wanted) -> int:
        """Return when KIS is asked for it, once it has a slot; the smaller is the earlier.

        Among clients it is the order in which they got their slots. By their priorities, one of
        them would have KIS asked for all that it wants before anything of the others.
        """
        if not (fixed := self.fixed(wanted)):
            return _ROTATING
        return min((fixed[holder] for holder in BRIDGE if holder in fixed), default=_CLIENTS)

    def claims(self, wanted: Wanted) -> Mapping[str, int]:
        """Return its priority for each client; empty: nobody wants it."""
        return self._claims.get(wanted, {})

    def fixed(self, wanted: Wanted) -> Mapping[str, int]:
        """Return its priority for each client that wants a slot for it alone.

        Empty: everybody who wants it is content with a turn, or nobody wants it.
        """
        if wanted not in self._rotating:
            return self.claims(wanted)
        fixed: dict[str, int] = {}
        for one in self._interests[wanted].values():
            if not one.rotate:
                fixed[one.client] = min(one.priority, fixed.get(one.client, one.priority))
        return fixed

    def until(self, wanted: Wanted) -> float | None:
        """Return when the last lease ends; None when one has no end."""
        # One holder without a lease keeps the subscription for good, whatever the others have.
        ends = [interest.until for interest in self._interests[wanted].values()]
        return max((end for end in ends if end is not None), default=None) if all(ends) else None

    def but(self, leave_out: Collection[str], dead: Collection[Wanted] = ()) -> list[Interest]:
        """Return the interests of all holders but these; ``dead`` are not to come back."""
        gone = frozenset(dead)
        return [
            interest
            for wanted, holders in self._interests.items()
            if not gone or wanted not in gone
            for holder, interest in holders.items()
            if holder not in leave_out
        ]

    def loads(
        self,
        text: str,
        now: float,
        find: Callable[[str, str], Wanted | None],
        may: Callable[[str], bool] = lambda client: True,
    ) -> int:
        """Take up what :func:`dumps` wrote; return how many interests that were.

        ``find`` gives the subscription of a channel and a key, None when there is none any more.
        ``may`` says whether a client may have one more. Leases that are over are left out. Raises
        ValueError for anything that is not its text.
        """
        try:
            rows = _Rows.model_validate_json(text).subscriptions
        except ValidationError as error:
            raise ValueError(f"{error.error_count()} faults") from error
        taken = 0
        for row in rows:
            client = row.holder if row.client is None else row.client
            if (row.until is not None and not row.until > now) or not may(client):
                continue
            wanted = find(row.channel, row.key)
            if wanted is not None:
                # Whoever set the clock, or wrote the file, gets no longer lease than others do.
                until = None if row.until is None else min(row.until, now + LONGEST_LEASE_S)
                self.hold(wanted, row.holder, row.priority, until, client, rotate=row.rotate)
                taken += 1
        return taken

    # inside

    def _drop(self, wanted: Wanted, holder: str) -> bool:
        holders = self._interests.get(wanted, {})
        interest = holders.pop(holder, None)
        if interest is None:
            return False
        if interest.rotate:
            self._rotating[wanted] -= 1
            if not self._rotating[wanted]:
                del self._rotating[wanted]
        self._claim(wanted, interest.client)
        if not holders:
            del self._interests[wanted], self._claims[wanted]
        del self._of_holder[holder][wanted]
        if not self._of_holder[holder]:
            del self._of_holder[holder]
        self._counts[interest.client] -= 1
        self.total -= 1
        if not self._counts[interest.client]:
            del self._counts[interest.client]
        self._leased -= interest.until is not None
        return True

    def _claim(self, wanted: Wanted, client: str) -> None:
        """Count again what a client's holders want of it."""
        holders = self._interests[wanted]
        # A client holds under its name; only those who give none may do so under several.
        own = holders.values() if client == NAMELESS else filter(None, [holders.get(client)])
        priorities = [one.priority for one in own if one.client == client]
        claims = self._claims.setdefault(wanted, {})
        if priorities:
            claims[client] = min(priorities)
        else:
            claims.pop(client, None)

    def _is_current(self, lease: _Lease) -> bool:
        interest = self.find(lease.wanted, lease.holder)
        return interest is not None and interest.until == lease.until


def dumps(interests: Iterable[Interest]) -> str:
    """Return interests as JSON, one a line."""
    # One by one: encoding all of them at once would hold up the event loop from any thread.
    rows = (
        _Row(
            channel=one.wanted.channel,
            key=one.wanted.key,
            holder=one.holder,
            priority=one.priority,
            until=one.until,
            client=None if one.client == one.holder else one.client,
            rotate=one.rotate,
        ).model_dump_json(exclude_defaults=True)
        for one in interests
    )
    return '{"subscriptions":[\n' + ",\n".join(rows) + "\n]}"
