"""Events are told without waiting, published in order, and floods become one a second."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bridge.mqtt.events import Events
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics


class Publisher:
    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    async def publish(self, publication: Publication) -> None:
        topic, payload = publication.topic, publication.payload
        self.said.append((topic, json.loads(payload)))


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def tell(events: Events, kind: str, reason: str, about: str = "") -> None:
    """Tell an event of which only the reason matters here."""
    event: Any = {"kind": kind, "reason": reason}
    events.tell(event, about)


async def drain(events: Events, publisher: Publisher, count: int) -> list[dict[str, Any]]:
    running = asyncio.ensure_future(events.run())
    async with asyncio.timeout(2):
        while len(publisher.said) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)
    running.cancel()
    return [payload for _, payload in publisher.said]


async def test_events_are_published_in_order(publisher: Publisher) -> None:
    events = Events(publisher, Topics("home/kis"))
    tell(events, "halted", "a")
    tell(events, "resumed", "b")
    said = await drain(events, publisher, 2)
    assert [topic for topic, _ in publisher.said] == [
        "home/kis/bridge/event/halted",
        "home/kis/bridge/event/resumed",
    ]
    assert [event["reason"] for event in said] == ["a", "b"]


async def test_a_flood_about_one_thing_is_counted(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events(publisher, Topics())
    loop = asyncio.get_running_loop()
    now = [100.0]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: now[0], raising=False)
        for _ in range(500):
            tell(events, "quarantined", "x", "H0STCNT0")
        tell(events, "quarantined", "y", "H0STASP0")  # about another thing
        for _ in range(3):
            tell(events, "halted", "z")  # about nothing: never suppressed
        now[0] += 1.0
        tell(events, "quarantined", "x", "H0STCNT0")
        now[0] += 1.0
        tell(events, "quarantined", "x", "H0STCNT0")
    said = await drain(events, publisher, 7)
    flood = [event for event in said if event.get("reason") == "x"]
    assert [event.get("suppressed") for event in flood] == [None, 499, None]
    assert len(said) == 7


async def test_what_does_not_fit_is_counted(publisher: Publisher) -> None:
    events = Events(publisher, Topics(), most_waiting=3)
    for number in range(5):
        tell(events, "halted", str(number))
    assert events.dropped == 2
    said = await drain(events, publisher, 3)
    assert [event["reason"] for event in said] == ["0", "1", "2"]


async def test_the_end_of_a_flood_is_told_too(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events(publisher, Topics())
    loop = asyncio.get_running_loop()
    now = [100.0]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: now[0], raising=False)
        for number in range(5):
            tell(events, "quarantined", str(number), "H0STCNT0")
        events.settle()  # too early
        assert events.remembered == 1
        now[0] += 1
        events.settle()
        now[0] += 1
        events.settle()
        now[0] += 100
        events.settle()
        assert events.remembered == 0
    said = await drain(events, publisher, 2)
    assert [(event["reason"], event.get("suppressed", 0)) for event in said] == [("0", 0), ("4", 3)]
    assert sum(1 + event.get("suppressed", 0) for event in said) == 5


async def test_a_listener_hears_also_what_a_flood_leaves_out(publisher: Publisher) -> None:
    events = Events(publisher, Topics())
    heard: list[Any] = []
    events.listen(heard.append)
    for number in range(3):
        tell(events, "quarantined", str(number), about="H0STCNT0")
    assert [one["reason"] for one in heard] == ["0", "1", "2"]
    assert len(await drain(events, publisher, 1)) == 1


async def test_floods_about_ever_new_things_are_counted_together(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events(publisher, Topics(), most_waiting=5_000)
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 100.0, raising=False)
    for number in range(3_000):
        tell(events, "quarantined", str(number), f"thing {number}")
    assert events.remembered <= 1_025
    tell(events, "quarantined", "again", "thing 7")
    said = await drain(events, publisher, 1_025)
    assert [event["reason"] for event in said] == [str(number) for number in range(1_025)]
