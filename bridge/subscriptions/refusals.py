"""What KIS has refused, and when it is asked again. Pure: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias

from bridge.kis.codes import UNKNOWN_KEY, Action, action
from bridge.runtime.backoff import Backoff
from bridge.subscriptions.request import Wanted

__all__ = ["Refusals", "SlotRefusal"]

RETRY = Backoff(30.0, 600.0)
MEND = Backoff(600.0, 3600.0)
"""Pauses before a refused subscription is tried again: MEND where only a person can mend it."""
_HURRY_S = 30.0
"""How often somebody who asks again need not sit out the pause."""
_MOST_TRIES = 3
"""So often KIS is asked about a key that it does not know, before a client's wish for it ends."""

_Name: TypeAlias = tuple[str, str]
"""TR id and key."""


@dataclass(slots=True)
class SlotRefusal:
    """What KIS said, how often, and when it is asked again."""

    code: str
    tries: int
    again_at: float
    waiting: bool = True
    """Not asked again yet."""
    hurried_at: float = float("-inf")
    wanted: Wanted | None = None
    """None: a notice."""

    @property
    def final(self) -> bool:
        """Whether asking again has been of no use, and will not be."""
        return self.code in UNKNOWN_KEY and self.tries >= _MOST_TRIES


class Refusals:
    """By registration; ``patience`` is the factor of all pauses."""

    def __init__(self, patience: float = 1.0) -> None:
        self._patience = patience
        self._refusals: dict[_Name, SlotRefusal] = {}
        self._due: list[tuple[float, _Name]] = []

    def get(self, name: _Name) -> SlotRefusal | None:
        return self._refusals.get(name)

    def waits(self, name: _Name) -> bool:
        """Tell whether it is refused and not to be asked for now."""
        found = self._refusals.get(name)
        return found is not None and found.waiting

    def add(self, name: _Name, code: str, now: float, wanted: Wanted | None = None) -> SlotRefusal:
        """Remember a refusal, of a subscription or of a notice."""
        known = self._refusals.get(name)
        tries = 0 if known is None else known.tries + 1
        again = MEND if action(code) is Action.MEND else RETRY
        made = SlotRefusal(
            code, tries, now + again.pause(tries + 1) * self._patience, wanted=wanted
        )
        if known is not None:
            made.hurried_at = known.hurried_at
        self._refusals[name] = made
        heappush(self._due, (made.again_at, name))
        return made

    def hurry(self, name: _Name, now: float) -> None:
        """Let it be asked for at once: somebody wants it again, perhaps because it is mended.

        Once in a while only. Who asks all the time would have the bridge ask KIS all the time.
        """
        found = self._refusals.get(name)
        if found is not None and now >= found.hurried_at + _HURRY_S * self._patience:
            found.waiting, found.tries, found.hurried_at = False, 0, now

    def forget(self, name: _Name) -> None:
        """It is granted, or nobody wants it any more."""
        self._refusals.pop(name, None)

    def dead(self) -> list[Wanted]:
        """Return what KIS has no such key for."""
        refusals = self._refusals.values()
        return [one.wanted for one in refusals if one.wanted and one.code in UNKNOWN_KEY]

    def lapse(self, code: str, now: float) -> None:
        """Let what was refused with a code be due: what has refused it is gone."""
        for name, found in self._refusals.items():
            if found.waiting and found.code == code:
                found.again_at = now
                heappush(self._due, (now, name))

    def due(self, now: float) -> list[tuple[_Name, Wanted | None]]:
        """Return what is to be asked for again now."""
        due: list[tuple[_Name, Wanted | None]] = []
        while self._due and self._due[0][0] <= now:
            at, name = heappop(self._due)
            found = self._refusals.get(name)
            if found is not None and found.waiting and found.again_at == at:
                # The refusal itself stays: it counts the tries, by which the next pause grows.
                found.waiting = False
                due.append((name, found.wanted))
        return due
