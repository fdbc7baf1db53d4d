"""Who waits for whom, and who need not wait any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.routing.sequencer import Sequencer, leave
from bridge.runtime.turns import Turn
from tests.unit.orders.commands import (
    MINUTE,
    MONDAY,
    accept,
    cancel,
    cancel_all,
    managed,
    modify,
    place,
    submit,
)


@dataclass
class PlayedDoor:
    """Knows whether the exchange's list is there; each time it is waited for, that may change."""

    ready_now: bool = True
    comes: list[Callable[[], bool]] = field(default_factory=list)
    """What happens at each wait, and whether the list is there then; nothing more: it is."""
    waits: int = 0

    def ready(self, _managed: ManagedOrder) -> bool:
        return self.ready_now

    async def listed(self, _managed: ManagedOrder) -> bool:
        self.waits += 1
        self.ready_now = self.comes.pop(0)() if self.comes else True
        return self.ready_now


class Queue:
    """A sequencer, the time, and who has come."""

    def __init__(self, *known: ManagedOrder) -> None:
        self.now = MONDAY
        self.door = PlayedDoor()
        self.blotter = Blotter(Calendar(load().hours))
        for one in known:
            self.blotter.add(one)
        door: Any = self.door
        self.sequencer = Sequencer(self.blotter, door, lambda: self.now)
        self.turns: dict[ManagedOrder, list[Turn]] = {}

    def stand(self, *commands: ManagedOrder) -> None:
        for one in commands:
            self.turns[one] = self.sequencer.stand(one)

    def here(self, command: ManagedOrder) -> bool:
        return all(turn.here for turn in self.turns[command])

    def leave(self, command: ManagedOrder) -> None:
        leave(self.turns.pop(command))

    def come(self, command: ManagedOrder) -> asyncio.Task[None]:
        return asyncio.create_task(self.sequencer.come(command, self.turns[command]))


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def order(name: str = "a-1", **fields: Any) -> ManagedOrder:
    return managed(place(name), submit(), accept(), **fields)


class TestPlaces:
    async def test_orders_of_a_client_go_one_after_the_other(self) -> None:
        first, second, third = (managed(place(name)) for name in "abc")
        queue = Queue()
        queue.stand(first, second, third)
        assert [queue.here(one) for one in (first, second, third)] == [True, False, False]
        queue.leave(first)
        assert [queue.here(one) for one in (second, third)] == [True, False]

    async def test_of_different_clients_and_accounts_nobody_waits(self) -> None:
        queue, mine = Queue(), managed(place())
        others = [managed(place(), client="bob"), managed(place(), account="other")]
        queue.stand(mine, *others)
        assert all(queue.here(one) for one in others)

    async def test_who_goes_before_the_turn_lets_nobody_past_those_before(self) -> None:
        first, second, third = (managed(place(name)) for name in "abc")
        queue = Queue()
        queue.stand(first, second, third)
        queue.leave(second)  # it expired
        assert not queue.here(third)
        queue.leave(first)
        assert queue.here(third)

    async def test_a_cancel_waits_for_its_order_and_not_for_its_client(self) -> None:
        busy, mine, cancelling = managed(place("a")), managed(place("b")), managed(cancel("b"))
        foreign = managed(cancel("c"))
        queue = Queue()
        queue.stand(busy, mine, cancelling, foreign)
        assert (queue.here(cancelling), queue.here(foreign)) == (False, True)
        queue.leave(mine)  # it was refused while it waited for the other one
        assert queue.here(cancelling)

    async def test_a_modification_waits_for_its_client_and_lets_cancels_pass(self) -> None:
        busy, change, cancelling = managed(place("b")), managed(modify()), managed(cancel())
        queue = Queue(order())
        queue.stand(busy, change, cancelling)
        assert (queue.here(change), queue.here(cancelling)) == (False, True)
        queue.leave(busy)
        assert queue.here(change)

    async def test_a_cancel_all_waits_for_nobody_and_nobody_for_it(self) -> None:
        busy, everything, after = managed(place()), managed(cancel_all()), managed(cancel("b"))
        queue = Queue()
        queue.stand(busy, everything, after)
        assert queue.here(everything)
        assert queue.here(after)


class TestFree:
    async def test_a_command_is_free_with_nobody_before_it(self) -> None:
        first, second = managed(place("a")), managed(place("b"))
        queue = Queue()
        queue.stand(first, second)
        assert queue.sequencer.free(first, queue.turns[first])
        assert not queue.sequencer.free(second, queue.turns[second])

    async def test_a_modification_is_free_when_its_order_is_sent_and_nobody_changes_it(
        self,
    ) -> None:
        about, change, cancelling = order(), managed(modify()), managed(cancel())
        queue = Queue(about)
        queue.stand(change)
        assert queue.sequencer.free(change, queue.turns[change])
        queue.stand(cancelling)
        assert not queue.sequencer.free(change, queue.turns[change])
        queue.leave(cancelling)
        assert queue.sequencer.free(change, queue.turns[change])

    async def test_not_while_its_order_waits_itself(self) -> None:
        change = managed(modify())
        queue = Queue(managed(place()))
        queue.stand(change)
        assert not queue.sequencer.free(change, queue.turns[change])

    async def test_of_no_order_it_is_free_to_be_refused(self) -> None:
        queue, change = Queue(), managed(modify())
        queue.stand(change)
        assert queue.sequencer.free(change, queue.turns[change])

    async def test_only_a_modification_takes_its_order_when_it_is_sent(self) -> None:
        queue, change, cancelling = Queue(order()), managed(modify()), managed(cancel())
        (turn,) = queue.sequencer.take_order(change)
        queue.stand(cancelling)
        assert not queue.here(cancelling)
        leave([turn])
        assert queue.here(cancelling)
        assert queue.sequencer.take_order(managed(place("b"))) == []
        assert queue.sequencer.take_order(managed(cancel("b"))) == []


class TestComing:
    async def test_it_comes_when_everybody_before_has_left(self) -> None:
        first, second = managed(place("a")), managed(place("b"))
        queue = Queue()
        queue.stand(first, second)
        coming = queue.come(second)
        await settled()
        assert not coming.done()
        queue.leave(first)
        await coming
        assert queue.here(second)
        assert queue.sequencer.waiting == {}

    async def test_what_has_expired_does_not_wait(self) -> None:
        first, second = managed(place("a")), managed(place("b"))
        queue = Queue()
        queue.stand(first, second)
        queue.now = second.expires_at
        await queue.come(second)
        assert not queue.here(second)

    async def test_a_clock_that_is_set_ahead_is_seen_at_the_next_look(self) -> None:
        first, second = managed(place("a")), managed(place("b"))
        queue = Queue()
        queue.stand(first, second)
        coming = queue.come(second)
        await settled()
        queue.now += MINUTE
        queue.sequencer.called_off(second)
        await coming
        assert not queue.here(second)

    async def test_what_is_answered_meanwhile_does_not_wait(self) -> None:
        first, second = managed(place("a")), managed(place("b"))
        queue = Queue(second)
        queue.stand(first, second)
        coming = queue.come(second)
        await settled()
        queue.blotter.step(second, Step(Event.REFUSE, MONDAY, reason="cancelled"))
        queue.sequencer.called_off(second)
        await coming
        assert not queue.here(second)
        queue.sequencer.called_off(second)  # nobody waits: nothing happens

    async def test_a_call_without_a_reason_gives_no_turn(self) -> None:
        first, second = managed(place("a")), managed(place("b"))
        queue = Queue()
        queue.stand(first, second)
        coming = queue.come(second)
        await settled()
        queue.sequencer.called_off(second)
        await settled()
        assert not coming.done()
        queue.leave(first)
        await coming


class TestModifications:
    async def test_it_takes_its_order_when_the_list_is_there(self) -> None:
        queue, change, cancelling = Queue(order()), managed(modify()), managed(cancel())
        (turn,) = await queue.sequencer.change(change)
        assert (turn.here, queue.door.waits) == (True, 1)
        queue.stand(cancelling)
        assert not queue.here(cancelling)

    async def test_while_it_waits_for_the_list_cancels_pass(self) -> None:
        queue, change, cancelling = Queue(order()), managed(modify()), managed(cancel())
        passed: list[bool] = []

        def comes() -> bool:
            queue.stand(cancelling)
            passed.append(queue.here(cancelling))
            queue.leave(cancelling)
            return True

        queue.door.comes = [comes]
        assert await queue.sequencer.change(change)
        assert passed == [True]

    async def test_without_the_list_it_gets_nothing(self) -> None:
        queue, change = Queue(order()), managed(modify())
        queue.door.comes = [lambda: False]
        assert await queue.sequencer.change(change) == []
        assert queue.sequencer.turns.free([change.identity[:3]])

    @pytest.mark.parametrize("known", [[], [managed(place())]])
    async def test_it_does_not_wait_for_an_order_that_waits_itself(
        self, known: list[ManagedOrder]
    ) -> None:
        assert await Queue(*known).sequencer.change(managed(modify())) == []

    async def test_when_the_list_fell_behind_while_it_waited_it_begins_anew(self) -> None:
        queue, change = Queue(order()), managed(modify())
        cancelling, second = managed(cancel(command_id="1")), managed(cancel(command_id="2"))
        queue.stand(cancelling)
        changing = asyncio.create_task(queue.sequencer.change(change))
        await settled()
        queue.stand(second)  # behind the modification
        queue.door.ready_now = False  # an interruption

        def comes() -> bool:
            assert queue.here(second), "the order was let go"
            queue.leave(second)
            return True

        queue.door.comes = [comes]
        queue.leave(cancelling)
        (turn,) = await changing
        assert (turn.here, queue.door.waits) == (True, 2)

    async def test_it_waits_for_its_order_no_longer_than_it_is_good(self) -> None:
        queue, change, cancelling = Queue(order()), managed(modify()), managed(cancel())
        queue.stand(cancelling)
        changing = asyncio.create_task(queue.sequencer.change(change))
        await settled()
        queue.now = change.expires_at
        queue.sequencer.called_off(change)
        (turn,) = await changing
        assert not turn.here, "the door refuses what has expired"
