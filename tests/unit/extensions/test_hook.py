"""Extensions are started in order, stopped in reverse, and a bug in one is loud."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.extensions.context import ExtensionContext
from bridge.extensions.hook import Extension, Extensions

HAPPENED: list[str] = []


class Quiet:
    """An extension that only notes what is done with it."""

    def __init__(self, context: ExtensionContext) -> None:
        self.context = context

    def start(self, tasks: asyncio.TaskGroup) -> None:
        HAPPENED.append(f"start {type(self).__name__}")
        tasks.create_task(self.work())

    async def work(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        HAPPENED.append(f"stop {type(self).__name__}")


class Second(Quiet):
    pass


class Faulty(Quiet):
    async def work(self) -> None:
        raise ZeroDivisionError


def extensions(*kinds: type[Extension]) -> Extensions:
    HAPPENED.clear()
    nothing: Any = None
    return Extensions(kinds, ExtensionContext(*[nothing] * 9))


async def test_they_start_in_order_and_stop_in_reverse() -> None:
    hooked = extensions(Quiet, Second)
    running = asyncio.ensure_future(hooked.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await hooked.stop()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert HAPPENED == ["start Quiet", "start Second", "stop Second", "stop Quiet"]


async def test_a_bug_in_one_ends_all_of_them_loudly() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await extensions(Quiet, Faulty).run()
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


async def test_without_any_there_is_nothing_to_run() -> None:
    await extensions().run()
    assert HAPPENED == []
