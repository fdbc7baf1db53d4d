"""Messages reach their handlers in their order, at once where nothing is before them."""

from __future__ import annotations

import asyncio

from bridge.mqtt.dispatch import Dispatcher
from bridge.mqtt.message import Message


class World:
    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.taken: list[str] = []
        self.passed: list[str] = []
        self.dispatcher = Dispatcher()
        self.dispatcher.subscribe("a", 1, self.handle, None, self.at_once)

    def at_once(self, message: Message) -> bool:
        if self.ready.is_set():
            self.taken.append(message.payload.decode())
        return self.ready.is_set()

    async def handle(self, message: Message) -> None:
        await self.ready.wait()
        self.taken.append(message.payload.decode())

    def arrive(self, text: str) -> None:
        def passed() -> None:
            self.passed.append(text)

        message = Message("a", text.encode(), 1, False, "", b"", None, 0, passed, passed=passed)
        self.dispatcher.arrived(message)


async def test_what_needs_no_waiting_is_taken_in_the_turn_in_which_it_came() -> None:
    world = World()
    world.ready.set()
    world.arrive("1")
    world.arrive("2")
    assert world.taken == world.passed == ["1", "2"]
    assert world.dispatcher.running == 0


async def test_nothing_overtakes_what_has_to_wait() -> None:
    world = World()
    async with asyncio.TaskGroup() as world.dispatcher.group:
        world.arrive("1")
        world.arrive("2")
        await asyncio.sleep(0)
        assert world.taken == world.passed == []
        world.ready.set()
        world.arrive("3")  # it could be taken now, and two are before it
        await world.dispatcher.idle.wait()
        assert world.taken == world.passed == ["1", "2", "3"]
        world.arrive("4")
        assert world.taken[-1] == "4"


async def test_when_it_closes_nothing_more_is_taken() -> None:
    world = World()
    world.ready.set()
    world.dispatcher.closing = True
    world.arrive("1")
    assert world.taken == world.passed == []
