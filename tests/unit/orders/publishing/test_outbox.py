"""Steps are written in their order, as soon as somebody waits for them, and none is left over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.errors import JournalError
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import JournalStep
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from tests.unit.orders.commands import MONDAY, accept, fill, managed, place, submit

CALENDAR = Calendar(load().hours)


class Disk(Journal):
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[JournalStep], asyncio.Future[None]]] = []
        self.came = asyncio.Event()

    def append(self, *lines: JournalStep) -> Awaitable[None]:
        written = asyncio.get_running_loop().create_future()
        self.asked.append((lines, written))
        self.came.set()
        return written

    async def next(self, count: int) -> asyncio.Future[None]:
        """Return what ends the attempt of that number when it has begun."""
        while len(self.asked) < count:
            self.came.clear()
            await self.came.wait()
        return self.asked[count - 1][1]

    def events(self, count: int) -> list[Event]:
        return [line.step.event for line in self.asked[count - 1][0]]


class Nobody:
    async def publish(self, publication: Publication) -> None: ...


class World:
    def __init__(self, order: ManagedOrder) -> None:
        self.disk = Disk()
        blotter = Blotter(CALENDAR)
        blotter.add(order)
        self.order = order
        self.told: list[str] = []
        self.publisher = Publisher(Nobody(), Topics())
        self.outbox = Outbox(
            *(blotter, self.disk, self.publisher),
            clock=lambda: MONDAY,
            pause_s=0,
            on_fill=lambda order, quantity: None,
        )

    def take(self, step: Step, name: str) -> None:
        async def say() -> None:
            self.told.append(name)

        self.outbox.take(self.order, step, say)

    async def __aenter__(self) -> World:
        self._tasks = [
            asyncio.create_task(self.outbox.run()),
            asyncio.create_task(self.publisher.run()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def sent() -> ManagedOrder:
    order = managed(place(), submit())
    order.id = 1
    return order


async def test_whoever_waits_for_the_disk_does_not_wait_for_a_turn_first() -> None:
    async with World(sent()) as world:
        world.take(accept("7"), "accepted")
        flushing = asyncio.ensure_future(world.outbox.flush())
        await asyncio.sleep(0)
        assert world.disk.events(1) == [Event.ACCEPT], "handed over when it was asked for"
        (await world.disk.next(1)).set_result(None)
        assert await flushing
        await world.publisher.drain()
        assert world.told == ["accepted"]


async def test_what_comes_while_a_batch_is_on_its_way_is_in_the_next_one() -> None:
    async with World(sent()) as world:
        world.take(accept("7"), "accepted")
        flushing = asyncio.ensure_future(world.outbox.flush())
        first = await world.disk.next(1)
        world.take(fill(1), "filled")
        first.set_result(None)
        assert await flushing
        second = await world.disk.next(2)  # though nobody asks for it
        assert world.disk.events(2) == [Event.FILL_PART]
        await world.publisher.drain()
        assert world.told == ["accepted"], "the fill is not on disk"
        second.set_result(None)
        assert await world.outbox.flush()
        await world.publisher.drain()
        assert world.told == ["accepted", "filled"]
        assert len(world.disk.asked) == 2


async def test_what_failed_is_written_again_with_what_came_meanwhile() -> None:
    async with World(sent()) as world:
        world.take(accept("7"), "accepted")
        flushing = asyncio.ensure_future(world.outbox.flush())
        first = await world.disk.next(1)
        world.take(fill(1), "filled")
        first.set_exception(JournalError("full"))
        second = await world.disk.next(2)
        assert world.disk.events(2) == [Event.ACCEPT, Event.FILL_PART]
        assert world.told == []
        second.set_result(None)
        assert await flushing
        await world.publisher.drain()
        assert world.told == ["accepted", "filled"]


async def test_nobody_hurries_a_journal_that_fails() -> None:
    async with World(sent()) as world:
        world.take(accept("7"), "accepted")
        first = await world.disk.next(1)
        first.set_exception(JournalError("full"))
        assert await world.outbox.flush(until=0) is False
        assert len(world.disk.asked) <= 2, "the next attempt is the outbox's own"
