"""Who waits for whom: tasks that share a key go one after the other, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence

__all__ = ["Turn", "Turns"]


class Turns:
    """Places in line, by key."""

    def __init__(self) -> None:
        self._last: dict[Hashable, asyncio.Event] = {}

    def take(self, keys: Sequence[Hashable]) -> Turn:
        """Take a place behind everybody who holds one of ``keys``."""
        before = [self._last[key] for key in keys if key in self._last]
        turn = Turn(self, keys, before)
        for key in keys:
            self._last[key] = turn.left
        return turn

    def leave(self, turn: Turn) -> None:
        turn.left.set()
        for key in turn.keys:
            if self._last.get(key) is turn.left:
                del self._last[key]


class Turn:
    """A place in line; leave it in a ``finally``."""

    def __init__(
        self, turns: Turns, keys: Sequence[Hashable], before: Sequence[asyncio.Event]
    ) -> None:
        self.keys = keys
        self.left = asyncio.Event()
        self._turns = turns
        self._before = before

    async def come(self) -> None:
        """Return when everybody before has left."""
        for event in self._before:
            await event.wait()

    def leave(self) -> None:
        """Let the next one go."""
        self._turns.leave(self)
