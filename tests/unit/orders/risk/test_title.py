"""The permission to send: granted for a while, looked up on a clock that nobody sets."""

from __future__ import annotations

import asyncio

from bridge.orders.risk.title import Title


class Steady:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_nothing_is_sent_before_it_is_granted() -> None:
    title = Title(Steady())
    assert not title.held
    assert "away from the broker" in title.problem()


def test_it_ends_by_itself_while_nobody_looks() -> None:
    clock = Steady()
    title = Title(clock)
    title.grant(10)
    assert title.problem() == ""
    clock.now = 10
    assert "stood still" in title.problem()


def test_another_bridge_is_named() -> None:
    title = Title(Steady())
    title.grant(10)
    title.deny("another bridge (elsewhere, since then)")
    assert title.problem() == "another bridge (elsewhere, since then) sends for this account"


def test_what_does_no_harm_twice_goes_while_no_other_bridge_is_known() -> None:
    title = Title(Steady())
    assert title.problem(harmless=True) == ""
    title.deny("another bridge")
    assert title.problem(harmless=True) == "another bridge sends for this account"


def test_who_is_alone_may_always_send() -> None:
    assert Title.alone().held


async def test_who_waits_for_it_goes_on_when_it_is_granted_or_denied() -> None:
    title = Title(Steady())
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(5):
        gained, settled = (
            tasks.create_task(title.gained()),
            tasks.create_task(title.settled()),
        )
        title.deny("another bridge")
        await settled
        assert not gained.done()
        title.grant(10)
        await gained
