"""What is told of clocks that differ and of a process that stood still: once, and its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from bridge.kis.clock import KisClock
from bridge.kis.stream import Stream, StreamCounts
from bridge.mqtt.event_payloads import ClockSkewEvent, FrozenEvent
from bridge.runtime.pulse import Pulse
from bridge.status.clocks import Clocks

SECOND = 1_000_000
START = 1_795_395_600 * SECOND


class Watch:
    """Clocks that a test turns, and what is told of them."""

    def __init__(self) -> None:
        self.passed = self.askew = 0
        kis = KisClock(lambda: START + self.passed + self.askew, lambda: self.passed)
        self.clocks = Clocks(kis, Pulse([lambda: self.passed]))
        self.told: list[ClockSkewEvent | FrozenEvent] = []

    def tick(self, askew_s: float | None = None, seconds: float = 0.5) -> None:
        if askew_s is not None:
            self.askew = int(askew_s * SECOND)
        self.passed += int(seconds * SECOND)
        self.clocks.tick(self.told.append)

    def ask(self) -> None:
        at = datetime.fromtimestamp((START + self.passed) // SECOND, UTC)
        self.clocks.kis.heard({"date": format_datetime(at, usegmt=True)}, self.passed)

    def skews(self) -> list[tuple[bool, bool]]:
        return [
            (one["skewed"], one["orders_stopped"])
            for one in self.told
            if one["kind"] == "clock_skew"
        ]


def test_a_skew_is_told_when_it_begins_grows_shrinks_and_ends() -> None:
    watch = Watch()
    watch.ask()
    for askew in (0, 1, 4, 4, 5, 900, 901, 5, 4, 0, 0):
        for _ in range(5):
            watch.tick(askew)
    assert watch.skews() == [(True, False), (True, True), (True, False), (False, False)]
    first = watch.told[0]
    assert first["kind"] == "clock_skew"
    assert -4.6 <= first["offset_s"] <= -3.4
    assert "ahead of KIS's" in first["message"]


def test_one_around_the_limit_is_not_told_all_the_time() -> None:
    watch = Watch()
    watch.ask()
    for _ in range(50):
        watch.tick(3.2)
        watch.tick(2.9)
    assert len(watch.skews()) <= 1


def test_nothing_is_told_of_what_is_not_known() -> None:
    watch = Watch()
    watch.tick(900)
    assert watch.told == []


def test_a_stop_is_told_once_with_its_length() -> None:
    watch = Watch()
    watch.tick()
    watch.tick(seconds=30)
    watch.tick()
    assert [one["kind"] for one in watch.told] == ["frozen"]
    told = watch.told[0]
    assert told["kind"] == "frozen"
    assert told["seconds"] == 30


@pytest.mark.parametrize(
    ("wall_s", "silent_s", "heard_s"),
    [
        pytest.param(-7, 7, -7, id="both clocks agree"),
        pytest.param(900, 7, -7, id="the wall clock was ahead then"),
        pytest.param(-3_600, 7, -3_600, id="the loop's clock stood still with the machine"),
    ],
)
async def test_a_session_was_heard_no_later_than_either_clock_says(
    wall_s: int, silent_s: int, heard_s: int
) -> None:
    watch = Watch()
    watch.ask()
    stream = SimpleNamespace(
        counts=StreamCounts(last_message_at=START + wall_s * SECOND),
        session=SimpleNamespace(last_message_at=asyncio.get_running_loop().time() - silent_s),
    )
    heard = watch.clocks.heard(cast("Stream", stream))
    assert abs(heard - START - heard_s * SECOND) < SECOND


async def test_kis_is_asked_for_its_time_before_anything_else() -> None:
    watch = Watch()
    date = format_datetime(datetime.fromtimestamp(START // SECOND + 900, UTC), usegmt=True)

    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return httpx.Response(404, headers={"date": date})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await watch.clocks.ask(http, "http://kis")
    offset = watch.clocks.kis.offset
    assert offset is not None
    assert abs(offset - 900 * SECOND) <= SECOND


async def test_a_kis_that_cannot_be_reached_keeps_nobody_from_starting() -> None:
    watch = Watch()

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as http:
        await watch.clocks.ask(http, "http://kis")
    assert watch.clocks.kis.offset is None
