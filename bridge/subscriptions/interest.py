"""Who wants which subscription, how urgently, and for how long. Pure: the time is an argument.

A subscription lives as long as any holder (the configuration, a client, an open order) wants it;
its priority is that of the holder to whom it matters most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from bridge.subscriptions.allocation import SlotRequest
from bridge.subscriptions.request import Wanted

__all__ = ["Interests"]


@dataclass(slots=True)
class _Interest:
    priority: int
    until: float | None
    """Seconds since the epoch when the lease ends; None: it has none."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    channel: str
    key: str
    holder: str
    priority: int
    until: float | None


class _Rows(BaseModel):
    model_config = ConfigDict(extra="forbid")

    subscriptions: list[_Row]


class Interests:
    """The interests of all holders."""

    def __init__(self) -> None:
        self._interests: dict[Wanted, dict[str, _Interest]] = {}
        self._since: dict[Wanted, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._interests)

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._interests

    def hold(
        self, wanted: Wanted, holder: str, priority: int = 0, until: float | None = None
    ) -> None:
        """Want a subscription on behalf of ``holder``; again: with the new priority and lease."""
        if wanted not in self._interests:
            self._count += 1
            self._since[wanted] = self._count
        self._interests.setdefault(wanted, {})[holder] = _Interest(priority, until)

    def release(self, wanted: Wanted, holder: str) -> bool:
        """Drop the interest of ``holder``; return whether nobody wants it any more."""
        holders = self._interests.get(wanted)
        if holders is None or holders.pop(holder, None) is None or holders:
            return False
        del self._interests[wanted], self._since[wanted]
        return True

    def replace(self, holder: str, wanted: Collection[Wanted], priority: int) -> bool:
        """Let ``holder`` want exactly these; return whether anything changed."""
        before = {one for one, holders in self._interests.items() if holder in holders}
        for one in before.difference(wanted):
            self.release(one, holder)
        for one in wanted:
            if one not in before:
                self.hold(one, holder, priority)
        return before != set(wanted)

    def expire(self, now: float) -> list[tuple[Wanted, str]]:
        """Drop interests whose lease is over (``now``: seconds since the epoch); return them."""
        over = [
            (wanted, holder)
            for wanted, holders in self._interests.items()
            for holder, interest in holders.items()
            if interest.until is not None and interest.until <= now
        ]
        for wanted, holder in over:
            self.release(wanted, holder)
        return over

    def holders(self, wanted: Wanted) -> list[str]:
        """Return who wants a subscription."""
        return sorted(self._interests.get(wanted, ()))

    def priority(self, wanted: Wanted) -> int:
        """Return the priority of a subscription that is wanted."""
        return min(interest.priority for interest in self._interests[wanted].values())

    def until(self, wanted: Wanted) -> float | None:
        """Return when the last lease ends; None when one has no end."""
        # One holder without a lease keeps the subscription for good, whatever the others have.
        ends = [interest.until for interest in self._interests[wanted].values()]
        return max((end for end in ends if end is not None), default=None) if all(ends) else None

    def requests(self) -> list[SlotRequest]:
        """Return everything that is wanted, as what slots are given out for."""
        return [
            SlotRequest(wanted, self.priority(wanted), self._since[wanted])
            for wanted in self._interests
        ]

    def dumps(self, leave_out: Collection[str], dead: Collection[Wanted] = ()) -> str:
        """Return the interests of all holders but these as JSON; ``dead`` are not to come back."""
        rows = [
            _Row(
                channel=wanted.channel,
                key=wanted.key,
                holder=holder,
                priority=interest.priority,
                until=interest.until,
            )
            for wanted, holders in self._interests.items()
            for holder, interest in holders.items()
            if holder not in leave_out and wanted not in dead
        ]
        return _Rows(subscriptions=rows).model_dump_json(indent=1)

    def loads(self, text: str, now: float, find: Callable[[str, str], Wanted | None]) -> int:
        """Take up what :meth:`dumps` wrote; return how many interests that were.

        ``find`` gives the subscription of a channel and a key, None when there is none any more.
        Leases that are over are left out. Raises ValueError for anything that is not its text.
        """
        try:
            rows = _Rows.model_validate_json(text).subscriptions
        except ValidationError as error:
            raise ValueError(f"{error.error_count()} faults") from error
        taken = 0
        for row in rows:
            wanted = find(row.channel, row.key)
            if wanted is not None and (row.until is None or row.until > now):
                self.hold(wanted, row.holder, row.priority, row.until)
                taken += 1
        return taken
