"""Whose price REST is asked for next, where no session brings it. Pure: time is an argument.

Times are monotonic seconds. Whoever wants prices has turns, so that nobody's many symbols slow
down another's few. In a turn what has no value yet goes first, then what has waited longest beyond
its time: when the budget is too small for all, all are asked more rarely and none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from bridge.catalog.model import Snapshot

__all__ = ["BackupPlan", "ChangeState", "Missing", "PlanChange", "Poll", "PollPlace"]

_STEPS = ((60.0, 5.0), (300.0, 15.0), (1_800.0, 30.0))
"""Until a backup is so old, its price is asked for every so many seconds."""
_LONGEST_S = 60.0
_MOST_MISSES = 3
"""Refusals of one symbol in a row, or answers that say nothing, after which it is left alone."""
_UNWANTED = "nobody wants it any more"
_MOST_PLACES = 16_384
_SLACK_S = 15.0
"""An answer counts as recent so much longer than the next one takes."""


class PollPlace(NamedTuple):
    """What one poll is about, and one topic."""

    market: str
    venue: str
    symbol: str


class Missing(NamedTuple):
    """What no session brings of a place."""

    channels: frozenset[str]
    client: str
    """Who wants it; of several the first."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A call to make now."""

    place: PollPlace
    row: Snapshot


ChangeState: TypeAlias = Literal["started", "ended", "given_up"]


class PlanChange(NamedTuple):
    """What is to be told of a place."""

    place: PollPlace
    state: ChangeState
    reason: str


@dataclass(slots=True)
class _Place:
    row: Snapshot
    missing: Missing
    since: float
    due: float
    answered: float = float("-inf")
    answered_at: int | None = None
    """µs since the epoch."""
    misses: int = 0
    asking: bool = False
    given_up: bool = False


class BackupPlan:
    """The places whose prices are asked for; ``choose`` gives the call for missing channels."""

    def __init__(self, choose: Callable[[Collection[str]], Snapshot | None]) -> None:
        self.per_second = 1.0
        """Polls that the budget allows."""
        self._choose = choose
        self._places: dict[PollPlace, _Place] = {}
        self._calls: dict[frozenset[str], Snapshot | None] = {}
        self._turns: dict[str, int] = {}
        """Client → its last turn."""
        self._turn = 0
        self._changes: list[PlanChange] = []
        self._resting: dict[str, tuple[float, int]] = {}
        """Call → until when it is not made, and how often KIS refused it in a row."""

    def __len__(self) -> int:
        """Return how many are polled."""
        return sum(not one.given_up for one in self._places.values())

    def take_changes(self) -> list[PlanChange]:
        """Return what has changed since the last time."""
        changes, self._changes = self._changes, []
        return changes

    def want(
        self,
        missing: Mapping[PollPlace, Missing],
        ended: Mapping[PollPlace, str],
        now: float,
    ) -> None:
        """Poll exactly for these; ``ended`` says why others are not to be polled any more."""
        for place in [place for place in self._places if place not in missing]:
            gone = self._places.pop(place)
            if not gone.given_up:
                reason = ended.get(place, _UNWANTED)
                self._changes.append(PlanChange(place, "ended", reason))
        for place, wanted in missing.items():
            found = self._places.get(place)
            if found is not None and found.given_up and found.missing.channels != wanted.channels:
                found = None  # another call may know more
            if found is None:
                if place in self._places or len(self._places) < _MOST_PLACES:
                    self._begin(place, wanted, now)
            elif found.missing != wanted:
                found.missing = wanted
                if (row := self._row(wanted.channels)) is not None:
                    found.row = row
                elif not found.given_up:  # what is missing still has no call
                    found.given_up = True
                    reason = ended.get(place, _UNWANTED)
                    self._changes.append(PlanChange(place, "ended", reason))
        there = {one.missing.client for one in self._places.values()}
        self._turns = {client: self._turns.get(client, self._turn) for client in there}

    def next(self, now: float) -> Poll | None:
        """Return the poll that is due, and take it as being made; None: there is none."""
        first, rank = None, (0, False, 0.0)
        for place, one in self._places.items():
            if one.asking or one.given_up or one.due > now or self._rests(one.row, now):
                continue
            own = (self._turns[one.missing.client], one.answered_at is not None, one.due)
            if first is None or own < rank:
                first, rank = place, own
        if first is None:
            return None
        found = self._places[first]
        found.asking = True
        self._turn += 1
        self._turns[found.missing.client] = self._turn
        return Poll(first, found.row)

    def due_in(self, now: float) -> float | None:
        """Return in how many seconds a poll is due; None: nothing is polled."""
        due = [
            max(one.due, self._resting.get(one.row.api, (now, 0))[0])
            for one in self._places.values()
            if not one.asking and not one.given_up
        ]
        return max(0.0, min(due) - now) if due else None

    def wants(self, poll: Poll) -> bool:
        """Tell whether the answer to a poll is still of use."""
        found = self._places.get(poll.place)
        return found is not None and not found.given_up

    def answered(self, poll: Poll, now: float, at: int) -> bool:
        """Take note of a value, ``at`` µs since the epoch; return whether it is still wanted."""
        self._resting.pop(poll.row.api, None)
        found = self._done(poll, now)
        if found is None:
            return False
        found.misses, found.answered, found.answered_at = 0, now, at
        return True

    def missed(self, poll: Poll, now: float, reason: str) -> None:
        """Take note that KIS's systems know nothing of the symbol, or refused it."""
        found = self._done(poll, now)
        if found is not None:
            found.misses += 1
            found.due = now + min(_LONGEST_S, 15.0 * 2 ** (found.misses - 1))
            if found.misses >= _MOST_MISSES:
                self._give_up(poll.place, found, reason)

    def refused(self, poll: Poll, now: float, reason: str) -> bool:
        """Take note that the call was refused whoever it is about; return whether that is new."""
        self._done(poll, now)
        _, before = self._resting.get(poll.row.api, (now, 0))
        self._resting[poll.row.api] = (now + min(3_600.0, 60.0 * 4**before), min(before + 1, 8))
        return not before

    def put_off(self, poll: Poll, now: float) -> None:
        """Take note that nothing came of a poll, for reasons that lie elsewhere."""
        self._done(poll, now)

    def polled_at(self, place: PollPlace, channel: str, now: float) -> int | None:
        """Return when REST last told the value that stands for a channel's; None: not of late."""
        found = self._places.get(place)
        if found is None or found.given_up or channel not in found.row.channels:
            return None
        # Where the budget is small, a turn comes later than the step says.
        due_s = max(self._step(found, now), len(self) / self.per_second)
        recent = now - found.answered <= 2 * due_s + _SLACK_S
        return found.answered_at if recent else None

    # inside

    def _begin(self, place: PollPlace, missing: Missing, now: float) -> None:
        row = self._row(missing.channels)
        if row is None:
            self._places[place] = _Place(Snapshot((), "", (), ()), missing, now, now)
            self._give_up(place, self._places[place], "no call of the workbook answers for it")
            return
        self._places[place] = _Place(row, missing, now, now)
        self._changes.append(PlanChange(place, "started", ""))

    def _row(self, channels: frozenset[str]) -> Snapshot | None:
        if channels not in self._calls:
            self._calls[channels] = self._choose(channels)
        return self._calls[channels]

    def _done(self, poll: Poll, now: float) -> _Place | None:
        found = self._places.get(poll.place)
        if found is None or found.given_up:
            return None
        found.asking = False
        found.due = now + self._step(found, now)
        return found

    def _step(self, found: _Place, now: float) -> float:
        age = now - found.since
        return next((step for until, step in _STEPS if age < until), _LONGEST_S)

    def _rests(self, row: Snapshot, now: float) -> bool:
        return self._resting.get(row.api, (now, 0))[0] > now

    def _give_up(self, place: PollPlace, found: _Place, reason: str) -> None:
        found.given_up = True
        self._changes.append(PlanChange(place, "given_up", reason))
