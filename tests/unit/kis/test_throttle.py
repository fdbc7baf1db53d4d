from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kis.replies import KisNotSentError
from bridge.kis.throttle import Priority, Throttle


class Time:
    """A clock that tests move, with the timers that hang on it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[asyncio.TimerHandle] = []

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), asyncio.get_running_loop())
        self.timers.append(handle)
        return handle

    async def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while True:
            self.timers = [timer for timer in self.timers if not timer.cancelled()]
            due = min((timer.when() for timer in self.timers), default=end + 1)
            if due > end:
                break
            self.now = max(self.now, due)
            for timer in [timer for timer in self.timers if timer.when() <= self.now]:
                self.timers.remove(timer)
                timer._run()
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def throttle(rate: float) -> tuple[Throttle, Time]:
    time = Time()
    return Throttle(rate, clock=lambda: time.now, call_at=time.call_at), time


class Calls:
    """Calls in the order in which the throttle let them through, with the time of each."""

    def __init__(self, gate: Throttle, time: Time, group: asyncio.TaskGroup) -> None:
        self.gate, self.time, self.group = gate, time, group
        self.done: list[tuple[str, float]] = []
        self.failed: list[str] = []

    def add(
        self, name: str, priority: Priority = Priority.QUERY, deadline: float | None = None
    ) -> asyncio.Task[None]:
        return self.group.create_task(self._call(name, priority, deadline))

    async def _call(self, name: str, priority: Priority, deadline: float | None) -> None:
        try:
            await self.gate.acquire(priority, deadline)
        except KisNotSentError:
            self.failed.append(name)
        else:
            self.done.append((name, self.time.now))

    @property
    def names(self) -> str:
        return "".join(name for name, _ in self.done)


async def test_a_burst_starts_at_once_and_the_rest_a_second_later() -> None:
    gate, time = throttle(3)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        for name in "abcdefg":
            calls.add(name)
        await settle()
        assert calls.names == "abc"
        await time.pass_by(1)
        assert calls.names == "abc"
        await time.pass_by(0.05)
        assert calls.names == "abcdef"
        assert gate.waiting == 1
        await time.pass_by(1.1)
    assert calls.names == "abcdefg"


async def test_the_more_urgent_goes_first_then_the_first_come() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("0")
        await settle()
        for name, priority in zip(
            "qrocQC",
            [
                Priority.QUERY,
                Priority.RECONCILE,
                Priority.ORDER,
                Priority.CANCEL,
                Priority.QUERY,
                Priority.CANCEL,
            ],
            strict=True,
        ):
            calls.add(name, priority)
        await time.pass_by(10)
    assert calls.names == "0cCorqQ"


async def test_nobody_waits_behind_all_that_somebody_else_has_sent() -> None:
    gate, time = throttle(1)
    served: list[str] = []

    async def call(client: str, number: int) -> None:
        await gate.acquire(Priority.ORDER, client=client)
        served.append(f"{client}{number}")

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(call("bob", number))
        await time.pass_by(10.5)
        for number in range(3):
            group.create_task(call("alice", number))
        group.create_task(call("carol", 0))
        await time.pass_by(60)
    seen = " ".join(served)
    assert "bob10 alice0 carol0 bob11 alice1 bob12 alice2 bob13 bob14" in seen
    assert [name for name in served if "bob" in name] == [f"bob{number}" for number in range(50)]


async def test_steady_orders_do_not_keep_a_reconciliation_waiting() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("o", Priority.ORDER)
        await settle()
        calls.add("r", Priority.RECONCILE)
        calls.add("q", Priority.QUERY)
        for name in "oooooooo":
            calls.add(name, Priority.ORDER)
            calls.add("c", Priority.CANCEL)
            await time.pass_by(2.04)
        await time.pass_by(10)
    assert "r" in calls.names[:9]
    assert calls.names.endswith("q")
    taken = dict(calls.done)["r"] - 100
    assert taken >= 5


async def test_what_is_called_off_takes_no_token() -> None:
    gate, time = throttle(1)
    wanted = True
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("a")
        await settle()

        async def order() -> None:
            with pytest.raises(KisNotSentError, match="called off"):
                await gate.acquire(Priority.ORDER, None, lambda: wanted)
            calls.add("c", Priority.CANCEL)

        for _ in range(20):
            group.create_task(order())
        await settle()
        wanted = False
        await time.pass_by(1.1)
        assert calls.names == "ac"
        await time.pass_by(30)


async def test_the_deadline_passes_before_the_turn_comes() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("a")
        calls.add("late", deadline=time.now + 0.5)
        calls.add("b", deadline=time.now + 5)
        calls.add("over", Priority.CANCEL, deadline=time.now)
        await settle()
        assert calls.failed == ["over"]
        await time.pass_by(0.6)
        assert calls.failed == ["over", "late"]
        await time.pass_by(0.5)
    assert calls.names == "ab"


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("a")
        gone = calls.add("x", Priority.CANCEL)
        calls.add("b")
        await settle()
        gone.cancel()
        await settle()
        assert gate.waiting == 1
        await time.pass_by(1.1)
    assert calls.names == "ab"


async def test_a_token_granted_to_a_waiter_being_cancelled_goes_to_the_next() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("a")
        gone = calls.add("x")
        calls.add("b")
        await settle()
        time.now += 1.1
        (timer,) = [timer for timer in time.timers if not timer.cancelled()]
        timer._run()  # grants x …
        gone.cancel()  # … which goes away before it runs
        await settle()
    assert calls.names == "ab"


async def test_a_waiter_cancelled_before_it_noticed_gets_no_token() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("a")
        gone = calls.add("x")
        late = calls.add("late", deadline=time.now + 1)
        calls.add("b")
        await settle()
        time.now += 1.1
        gone.cancel()
        (timer,) = [timer for timer in time.timers if not timer.cancelled()]
        timer._run()  # grants b and fails late …
        late.cancel()  # … which goes away with its failure unread
        await settle()
    assert calls.names == "ab"
    assert calls.failed == []


async def test_a_refusal_halves_the_rate_and_it_comes_back() -> None:
    gate, time = throttle(16)
    gate.slow_down()
    gate.slow_down()  # the same burst
    assert gate.rate == 8
    time.now += 5
    assert gate.rate == pytest.approx(12)
    time.now += 100
    assert gate.rate == 16
    for _ in range(20):
        gate.slow_down()
        time.now += 1
    assert gate.rate == pytest.approx(2.8)


async def test_a_slow_rate_spaces_its_calls() -> None:
    gate, time = throttle(0.5)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("a")
        calls.add("b")
        await time.pass_by(2)
        assert calls.names == "a"
        await time.pass_by(0.1)
    assert calls.names == "ab"


async def test_the_loop_gives_the_timers_when_nobody_else_does() -> None:
    gate = Throttle(1)
    await gate.acquire()
    with pytest.raises(KisNotSentError, match="call rate"):
        await gate.acquire(deadline=monotonic() + 0.005)
    assert gate.waiting == 0


def test_a_rate_is_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Throttle(0)


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from(Priority)), max_size=40))
def test_no_second_ever_sees_more_than_the_rate(arrivals: list[tuple[float, Priority]]) -> None:
    async def play() -> list[float]:
        gate, time = throttle(5)
        async with asyncio.TaskGroup() as group:
            calls = Calls(gate, time, group)
            for pause, priority in arrivals:
                await time.pass_by(pause)
                calls.add("x", priority)
            await time.pass_by(60)
        return [at for _, at in calls.done]

    times = asyncio.run(play())
    assert len(times) == len(arrivals)
    assert all(later - earlier > 1 for earlier, later in zip(times, times[5:], strict=False))


async def test_a_server_that_says_its_rate_lowers_it_but_never_above_what_is_configured() -> None:
    gate, time = throttle(5)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        gate.said(2)
        for name in "abcd":
            calls.add(name)
        await settle()
        assert calls.names == "ab"
        gate.said(1_000)
        await settle()
        assert (gate.rate, calls.names) == (5, "abcd")


async def test_a_poll_goes_only_when_nobody_else_waits() -> None:
    gate, time = throttle(1)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        calls.add("p", Priority.POLL)
        await settle()
        calls.add("q", Priority.POLL)
        calls.add("query", Priority.QUERY)
        calls.add("order", Priority.ORDER)
        await time.pass_by(10)
    assert [name for name, _ in calls.done] == ["p", "order", "query", "q"]


async def test_an_order_waits_for_one_poll_at_most_where_there_is_one_call_a_second() -> None:
    gate, time = throttle(1)
    waits = []
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        for number in range(50):  # as many polls as there may ever be
            calls.add(f"poll {number}", Priority.POLL)
        for number in range(20):
            await time.pass_by(1.37)
            asked = time.now
            calls.add(f"order {number}", Priority.ORDER)
            await time.pass_by(1.03)
            waits.append(dict(calls.done)[f"order {number}"] - asked)
        await time.pass_by(60)
    assert max(waits) <= 1.021


async def test_where_there_are_more_calls_an_order_never_waits_for_polls() -> None:
    gate, time = throttle(18)
    async with asyncio.TaskGroup() as group:
        calls = Calls(gate, time, group)
        for number in range(200):
            calls.add(f"poll {number}", Priority.POLL)
        for number in range(100):
            await time.pass_by(0.113)
            asked = time.now
            calls.add(f"order {number}", Priority.ORDER)
            await settle()
            assert calls.done[-1] == (f"order {number}", asked)
        await time.pass_by(60)
    polls = [at for name, at in calls.done if name.startswith("poll")]
    assert len(polls) == 200
    assert max(sum(at <= one < at + 1 for one in polls) for at in polls) == 9
