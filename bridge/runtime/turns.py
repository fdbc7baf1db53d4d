"""Who waits for whom: tasks that share a key go one after the other, in the order they came.

:class:`News` is for those that wait for something to happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from contextlib import suppress

__all__ = ["News", "Turn", "Turns"]


class Turns:
    """Places in line, by key."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Turn] = {}

    def take(self, keys: Sequence[Hashable]) -> Turn:
        """Take a place behind everybody who holds one of ``keys``."""
        # Only the last one of each key: it waits for those before it, and leaves after them.
        turn = Turn(self, keys, [self._last[key] for key in keys if key in self._last])
        for key in keys:
            self._last[key] = turn
        return turn

    def free(self, keys: Sequence[Hashable]) -> bool:
        """Tell whether nobody holds one of ``keys``."""
        return not any(key in self._last for key in keys)

    def over(self, turn: Turn) -> None:
        """Forget a place that nobody waits behind any more."""
        for key in turn.keys:
            if self._last.get(key) is turn:
                del self._last[key]


class Turn:
    """A place in line; leave it in a ``finally``."""

    def __init__(self, turns: Turns, keys: Sequence[Hashable], before: Sequence[Turn]) -> None:
        self.keys = keys
        self._turns = turns
        self._before = set(before)
        self._behind: list[Turn] = []
        self._comes = asyncio.Event()
        self._left = False
        for turn in self._before:
            turn._behind.append(self)  # noqa: SLF001 - one of its own kind
        self._move()

    @property
    def here(self) -> bool:
        """Whether everybody before has left."""
        return not self._before

    async def come(self) -> None:
        """Return when everybody before has left, or when :meth:`wake` is called."""
        await self._comes.wait()
        if self._before:
            self._comes.clear()  # woken once: whoever comes again waits again

    def wake(self) -> None:
        """Wake its owner to look what is new; the place in the line stays."""
        self._comes.set()

    def leave(self) -> None:
        """Let the next one go.

        A place that is left before its turn keeps those behind it waiting until then: otherwise
        they would pass those before it.
        """
        self._left = True
        self._move()

    def _move(self) -> None:
        if self._before:
            return
        self._comes.set()
        if self._left:
            self._turns.over(self)
            behind, self._behind = self._behind, []
            for turn in behind:
                turn._before.discard(self)  # noqa: SLF001 - one of its own kind
                turn._move()  # noqa: SLF001


class News:
    """Wakes everybody who waits, each time there is some."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake everybody who waits now."""
        # A new event for those who come later: one that is set and cleared could miss a waiter.
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Return at the next news, or after ``seconds``."""
        if seconds is None:
            await self._event.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
