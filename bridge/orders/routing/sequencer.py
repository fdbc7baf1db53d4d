"""Who goes first: the commands of a client, and those about an order, one after the other.

A ``place`` stands in both lines from the moment it came, a ``cancel`` in that of its order, a
``modify`` in that of its client and, only when it can be sent, in that of its order: a cancellation
goes before a modification that waits for the exchange's list. A ``cancel_all`` stands in no line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.orders.model.blotter import Blotter, ManagedOrder
from bridge.orders.model.lifecycle import State
from bridge.orders.routing.submitter import Submitter
from bridge.runtime.turns import Turn, Turns

__all__ = ["Sequencer", "leave"]


@dataclass(slots=True)
class Sequencer:
    """Gives commands their places and has them wait."""

    blotter: Blotter
    submitter: Submitter
    clock: Callable[[], int]
    turns: Turns = field(default_factory=Turns)
    waiting: dict[ManagedOrder, Turn] = field(default_factory=dict)

    def stand(self, managed: ManagedOrder) -> list[Turn]:
        """Take the places of a command behind everybody who came before."""
        return [self.turns.take([key]) for key in _keys(managed)]

    async def come(self, managed: ManagedOrder, turns: Sequence[Turn]) -> None:
        """Wait for its turns, as long as there is something to wait for."""
        for turn in turns:
            self.waiting[managed] = turn
            try:
                while not turn.here and managed.progress.answer is None:
                    left = (managed.expires_at - self.clock()) / 1_000_000
                    if left <= 0:
                        return  # whatever is tried with it now is refused
                    with suppress(TimeoutError):
                        async with asyncio.timeout(left):
                            await turn.come()
            finally:
                del self.waiting[managed]

    async def change(self, managed: ManagedOrder) -> list[Turn]:
        """Take the order of a modification, when that can be sent.

        Not one that waits itself, maybe for this command: then the modification is refused.
        """
        while await self.submitter.listed(managed):
            order = self.blotter.order(managed.identity)
            if order is None or order.progress.state is State.RECEIVED:
                break
            turns = [self.turns.take([managed.identity[:3]])]
            await self.come(managed, turns)
            if self.submitter.ready(managed):
                return turns
            leave(turns)
        return []

    def called_off(self, managed: ManagedOrder) -> None:
        """Let a command know that it need not wait any more."""
        if (turn := self.waiting.get(managed)) is not None:
            turn.wake()


def leave(turns: Iterable[Turn]) -> None:
    """Let those behind go."""
    for turn in turns:
        turn.leave()


def _keys(managed: ManagedOrder) -> list[tuple[str, ...]]:
    order, client = managed.identity[:3], managed.identity[:2]
    match managed.verb:
        case "place":
            return [order, client]
        case "modify":
            return [client]
        case "cancel":
            return [order]
    return [managed.identity]
