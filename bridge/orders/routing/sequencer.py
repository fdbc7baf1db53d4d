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

from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.routing.door import Door
from bridge.runtime.turns import Turn, Turns

__all__ = ["Sequencer", "leave"]


@dataclass(slots=True)
class Sequencer:
    """Gives commands their places and has them wait."""

    blotter: Blotter
    door: Door
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
                # ``called_off`` wakes without giving the turn, and a wall clock that is set changes
                # what is left: so everything is looked at again after each wait.
                while not turn.here and managed.progress.answer is None:
                    left = (managed.expires_at - self.clock()) / 1_000_000
                    if left <= 0:
                        return  # whatever is tried with it now is refused
                    with suppress(TimeoutError):
                        async with asyncio.timeout(left):
                            await turn.come()
            finally:
                del self.waiting[managed]

    def free(self, managed: ManagedOrder, turns: Sequence[Turn]) -> bool:
        """Tell whether a command has nobody before it, neither of its client nor of its order."""
        if not all(turn.here for turn in turns):
            return False
        order = self.blotter.order(managed.identity)
        if managed.verb != "modify" or order is None:
            return True
        return order.progress.state is not State.RECEIVED and self.turns.free([_order(managed)])

    def take_order(self, managed: ManagedOrder) -> list[Turn]:
        """Take the order that a modification is about; everything else stands there already."""
        return [self.turns.take([_order(managed)])] if managed.verb == "modify" else []

    async def change(self, managed: ManagedOrder) -> list[Turn]:
        """Take the order of a modification, when that can be sent.

        Not one that waits itself, maybe for this command: then the modification is refused.
        """
        # First the list and then the order: whoever held the order while waiting for the list would
        # keep cancellations of it behind. Waiting for the order takes time as well, in which the
        # list may have fallen behind again; then the order is let go and all begins anew.
        while await self.door.listed(managed):
            order = self.blotter.order(managed.identity)
            if order is None or order.progress.state is State.RECEIVED:
                break
            turns = self.take_order(managed)
            await self.come(managed, turns)
            if self.door.ready(managed):
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


def _order(managed: ManagedOrder) -> tuple[str, ...]:
    return managed.identity[:3]


def _keys(managed: ManagedOrder) -> list[tuple[str, ...]]:
    order, client = _order(managed), managed.identity[:2]
    match managed.verb:
        case "place":
            return [order, client]
        case "modify":
            return [client]
        case "cancel":
            return [order]
    return [managed.identity]
