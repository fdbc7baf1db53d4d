"""Commands on their way into the journal: each name once, however often and however late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.errors import JournalError, NotWrittenError
from bridge.orders.journal.standing import JournalStanding
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity, NewRecord, Record
from bridge.orders.risk.limits import Refusal
from bridge.orders.routing.admission import Admission, Admitted
from tests.unit.orders.commands import (
    MINUTE,
    MONDAY,
    SECOND,
    accept,
    cancel,
    cancel_all,
    managed,
    place,
    submit,
)

REFUSE = Step(Event.REFUSE, MONDAY, reason="risk_quantity")


@dataclass
class PlayedJournal:
    """Writes what it is given, unless and until it is told otherwise."""

    records: dict[Identity, Record] = field(default_factory=dict)
    fails: list[str] = field(default_factory=list)
    """What comes of the next attempts: ``lost`` wrote nothing, ``written`` did all the same. Of
    ``full`` it is certain that nothing was written."""
    standing: JournalStanding = field(default_factory=JournalStanding)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    """Commands whose commit takes until then, by client_order_id."""
    asked: list[str] = field(default_factory=list)
    led_to: list[State] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def find(self, identity: Identity) -> Record | None:
        return self.records.get(identity)

    async def admit(self, new: NewRecord, *lines: tuple[Step, State]) -> tuple[Record, bool]:
        self.asked.append(new.identity.client_order_id)
        self.moved.set()
        if (held := self.held.get(new.identity.client_order_id)) is not None:
            await held.wait()
        fails = self.fails.pop(0) if self.fails else ""
        if fails == "full":
            raise NotWrittenError("disk full")
        if fails == "lost":
            raise JournalError("connection lost")
        before = self.records.get(new.identity)
        if before is None:
            fields = {name: getattr(new, name) for name in new.__slots__ if name != "seal"}
            steps = tuple(step for step, _ in lines)
            self.records[new.identity] = Record(len(self.records) + 1, **fields, steps=steps)
            self.led_to += [state for _, state in lines]
        if fails == "written":
            raise JournalError("connection lost")
        return self.records[new.identity], before is None


class Desk:
    """An admission to a played journal, and what time it is."""

    def __init__(self) -> None:
        self.now = MONDAY
        self.journal = PlayedJournal()
        self.blotter = Blotter(Calendar(load().hours))
        journal: Any = self.journal
        self.admission = Admission(
            journal, self.blotter, self.keep, clock=lambda: self.now, pause_s=0
        )
        self.admit = self.admission.admit
        self.tasks: list[asyncio.Task[Any]] = []
        self.kept: list[Identity] = []

    def keep(self, new: NewRecord, *lines: tuple[Step, State]) -> Record:
        """Keep a command in memory, under a number that the journal cannot have."""
        self.kept.append(new.identity)
        fields = {name: getattr(new, name) for name in new.__slots__ if name != "seal"}
        return Record(-len(self.kept), **fields, steps=tuple(step for step, _ in lines))

    def start(self, command: ManagedOrder, *steps: Step) -> asyncio.Task[Admitted | Refusal]:
        task = asyncio.create_task(self.admit(command, *steps))
        self.tasks.append(task)
        return task

    async def asked(self, *names: str) -> None:
        """Wait until the journal has been asked for exactly these."""
        async with asyncio.timeout(5):
            while self.journal.asked != list(names):
                assert len(self.journal.asked) < len(names), self.journal.asked
                self.journal.moved.clear()
                await self.journal.moved.wait()

    def hold(self, name: str) -> asyncio.Event:
        return self.journal.held.setdefault(name, asyncio.Event())


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    assert all(task.done() for task in made.tasks)
    assert not [one for one in made.blotter if one.id == 0], (
        "the blotter has what the journal has not"
    )


def said(refusal: object) -> str:
    return refusal.reason if isinstance(refusal, Refusal) else ""


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class TestOnce:
    async def test_what_has_to_wait_is_written_down_as_received(self, desk: Desk) -> None:
        command = managed(place())
        assert await desk.admit(command) == Admitted(command, True)
        assert (command.id, command.progress.state) == (1, State.RECEIVED)
        assert desk.blotter.get(command.identity) is command
        assert desk.journal.records[command.identity].steps == ()

    async def test_what_is_decided_is_written_down_with_what_it_came_to(self, desk: Desk) -> None:
        sent, refused = managed(place()), managed(place("b"))
        assert await desk.admit(sent, submit()) == Admitted(sent, True)
        assert await desk.admit(refused, REFUSE) == Admitted(refused, True)
        assert desk.journal.led_to == [State.SUBMITTING, State.REFUSED]
        assert (sent.progress.state, sent.progress.steps) == (State.SUBMITTING, 1)
        assert (refused.progress.state, refused.progress.answer) == (State.REFUSED, REFUSE)
        assert desk.blotter.working("main") == [sent]

    async def test_what_is_going_to_be_sent_takes_its_room_before_the_commit(
        self, desk: Desk
    ) -> None:
        commit, order, refused = desk.hold("a-1"), managed(place()), managed(place("b"))
        task = desk.start(order, submit())
        desk.start(refused, REFUSE)
        await desk.asked("a-1", "b")
        assert desk.blotter.working("main") == [order]
        commit.set()
        assert await task == Admitted(order, True)

    @pytest.mark.parametrize("steps", [(), (REFUSE,)])
    async def test_the_same_name_again_is_the_first_command(
        self, desk: Desk, steps: tuple[Step, ...]
    ) -> None:
        first = managed(place())
        await desk.admit(first, submit())
        desk.blotter.step(first, accept())
        again = managed(place(), at=MONDAY + SECOND)
        other = managed(place(quantity=11), at=MONDAY + SECOND)
        for command in (again, other):
            assert await desk.admit(command, *steps) == Admitted(first, False)
        assert desk.blotter.get(first.identity) is first
        assert first.progress.state is State.ACCEPTED

    async def test_of_a_name_that_only_the_journal_knows_it_takes_the_record(
        self, desk: Desk
    ) -> None:
        # The blotter has dropped it: its day is over.
        old = managed(place(), at=MONDAY - 86_400 * SECOND)
        await desk.admit(replace(old, expires_at=MONDAY + MINUTE), submit())
        desk.blotter.withdraw(next(iter(desk.blotter)))
        again = managed(place())
        found = await desk.admit(again, submit())
        assert isinstance(found, Admitted)
        assert (found.new, found.managed is again) == (False, False)
        assert found.managed.received_at == old.received_at
        assert found.managed.progress.state is State.SUBMITTING
        assert desk.blotter.get(again.identity) is found.managed
        assert desk.blotter.working("main") == [found.managed]


class TestAgainAndAgain:
    @pytest.mark.parametrize("steps", [(), (submit(),), (REFUSE,)])
    async def test_it_tries_until_it_is_written(self, desk: Desk, steps: tuple[Step, ...]) -> None:
        desk.journal.fails = ["lost", "lost"]
        command = managed(place())
        assert await desk.admit(command, *steps) == Admitted(command, True)
        assert desk.journal.asked == ["a-1"] * 3
        assert command.progress.steps == len(steps)

    async def test_an_attempt_that_failed_and_wrote_it_all_the_same_was_this_one(
        self, desk: Desk
    ) -> None:
        desk.journal.fails = ["written"]
        command = managed(place())
        assert await desk.admit(command, submit()) == Admitted(command, True)
        assert (command.id, command.progress.steps) == (1, 1)
        assert desk.journal.led_to == [State.SUBMITTING]

    async def test_what_expires_before_it_is_written_is_nowhere(self, desk: Desk) -> None:
        desk.journal.fails = ["lost"]
        commit, command = desk.hold("a-1"), managed(place())
        task = desk.start(command, submit())
        await desk.asked("a-1")
        desk.now = command.expires_at
        commit.set()
        assert said(await task) == "expired"
        assert desk.journal.records == {}
        assert list(desk.blotter) == desk.blotter.working("main") == []

    async def test_what_expires_after_an_attempt_that_wrote_it_is_in_the_journal(
        self, desk: Desk
    ) -> None:
        desk.journal.fails = ["written"]
        commit, command = desk.hold("a-1"), managed(place())
        task = desk.start(command, submit())
        await desk.asked("a-1")
        desk.now = command.expires_at
        commit.set()
        assert await task == Admitted(command, True)
        assert (command.id, desk.blotter.working("main")) == (1, [command])

    async def test_a_second_delivery_is_not_written_before_the_first_one(self, desk: Desk) -> None:
        """Written as ``received``, a restart would send what the first delivery has sent."""
        desk.journal.fails = ["lost"]
        commit = desk.hold("a-1")
        first, second = managed(place()), managed(place())
        sending = desk.start(first, submit())
        again = desk.start(second)
        await settled()
        assert desk.journal.asked == ["a-1"]
        commit.set()
        assert await sending == Admitted(first, True)
        assert await again == Admitted(first, False)
        assert desk.journal.records[first.identity].steps == (submit(),)
        assert desk.journal.led_to == [State.SUBMITTING]

    async def test_of_two_deliveries_at_once_the_second_takes_over_when_the_first_expired(
        self, desk: Desk
    ) -> None:
        desk.journal.fails = ["lost"]
        commit, first = desk.hold("a-1"), managed(place())
        second = replace(managed(place()), expires_at=first.expires_at + MINUTE)
        expired, taken = desk.start(first, submit()), desk.start(second)
        await desk.asked("a-1")
        desk.now = first.expires_at
        commit.set()
        assert said(await expired) == "expired"
        assert await taken == Admitted(second, True)
        assert list(desk.blotter) == [second]


class TestWithoutAJournal:
    """The disk is full."""

    @pytest.mark.parametrize("steps", [(), (submit(),)])
    async def test_a_cancellation_of_the_whole_goes_all_the_same(
        self, desk: Desk, steps: tuple[Step, ...]
    ) -> None:
        desk.journal.fails = ["full"]
        command = managed(cancel())
        assert await desk.admit(command, *steps) == Admitted(command, True)
        assert (command.id, desk.kept) == (-1, [command.identity])
        assert desk.blotter.get(command.identity) is command

    async def test_it_is_not_sent_again_when_it_is_delivered_again(self, desk: Desk) -> None:
        desk.journal.fails = ["full", "full"]
        command = managed(cancel())
        await desk.admit(command, submit())
        assert await desk.admit(managed(cancel())) == Admitted(command, False)
        assert desk.kept == [command.identity]

    @pytest.mark.parametrize("steps", [(), (submit(),)])
    async def test_what_adds_or_could_be_done_twice_is_refused_after_a_moment(
        self, desk: Desk, steps: tuple[Step, ...]
    ) -> None:
        since = asyncio.get_running_loop().time() - 1
        for command in (managed(place()), managed(cancel("b", quantity=3))):
            desk.journal.standing.failing_since = since
            desk.journal.fails = ["full"]
            assert said(await desk.admit(command, *steps)) == "journal_unavailable"
            assert desk.journal.records == {}

    async def test_a_failure_that_is_over_at_once_refuses_nothing(self, desk: Desk) -> None:
        desk.journal.standing.failing_since = asyncio.get_running_loop().time()
        desk.journal.fails = ["full"]
        command = managed(place())
        assert await desk.admit(command, submit()) == Admitted(command, True)

    async def test_what_may_turn_up_in_the_journal_is_not_refused(self, desk: Desk) -> None:
        desk.journal.standing.failing_since = asyncio.get_running_loop().time() - 1
        desk.journal.fails = ["lost", "full", "full"]
        command = managed(place())
        assert await desk.admit(command, submit()) == Admitted(command, True)
        assert len(desk.journal.asked) == 4


class TestCancelAll:
    async def test_it_waits_for_what_its_client_asked_before_it(self, desk: Desk) -> None:
        commit = desk.hold("a-1")
        before, everything, after = managed(place()), managed(cancel_all()), managed(place("z"))
        tasks = [desk.start(one) for one in (before, everything, after)]
        await desk.asked("a-1", "z")
        await settled()
        assert desk.journal.asked == ["a-1", "z"]
        commit.set()
        await asyncio.gather(*tasks)
        assert desk.journal.asked == ["a-1", "z", "all"]

    @pytest.mark.parametrize("other", [{"client": "bob"}, {"account": "other"}])
    async def test_of_nobody_else(self, desk: Desk, other: dict[str, Any]) -> None:
        commit = desk.hold("a-1")
        foreign = desk.start(managed(place(), **other))
        assert await desk.admit(managed(cancel_all()))
        commit.set()
        await foreign

    async def test_nothing_of_its_client_is_sent_while_it_is_on_its_way(self, desk: Desk) -> None:
        order, foreign = managed(place()), managed(place(), client="bob")
        await desk.admit(order, submit())
        commit = desk.hold("all")
        everything = desk.start(managed(cancel_all()))
        await desk.asked("a-1", "all")
        sending = asyncio.create_task(desk.admission.hold(order))
        await desk.admission.hold(foreign)
        await settled()
        assert not sending.done()
        commit.set()
        await asyncio.gather(sending, everything)
        await desk.admission.hold(order)

    async def test_a_cancel_on_its_way_holds_nothing(self, desk: Desk) -> None:
        order = managed(place())
        await desk.admit(order)
        commit = desk.hold("b")
        cancelling = desk.start(managed(cancel("b")))
        await desk.asked("a-1", "b")
        await desk.admission.hold(order)
        commit.set()
        await cancelling


class TestArrival:
    def test_no_two_come_at_once_and_none_before_another(self, desk: Desk) -> None:
        names = [managed(place(name)).identity for name in "abcd"]
        times = (MONDAY, MONDAY, MONDAY - MINUTE, MONDAY + SECOND)
        found = [desk.admission.arrival(*one) for one in zip(names, times, strict=True)]
        assert found == [MONDAY, MONDAY + 1, MONDAY + 2, MONDAY + SECOND]

    async def test_until_it_is_written_a_second_delivery_came_when_the_first_did(
        self, desk: Desk
    ) -> None:
        command = managed(place())
        first = desk.admission.arrival(command.identity, MONDAY)
        assert desk.admission.arrival(command.identity, MONDAY + SECOND) == first == MONDAY
        await desk.admit(command)
        assert desk.admission.arrival(command.identity, MONDAY + SECOND) == MONDAY + SECOND

    def test_after_a_restart_nothing_comes_before_what_was_found(self, desk: Desk) -> None:
        desk.admission.resume(MONDAY + SECOND)
        desk.admission.resume(MONDAY)
        came = desk.admission.arrival(managed(place()).identity, MONDAY)
        assert came == MONDAY + SECOND + 1
