"""What is told of floods and of what cannot be decoded."""

from __future__ import annotations

from typing import Any

from bridge.mqtt.packets import Skipped
from bridge.mqtt.rate_limiter import Arrivals
from bridge.status.arrivals import ArrivalReports

SECOND = 1_000_000


class World:
    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND
        self.arrivals = Arrivals()
        self.told: list[Any] = []
        self.reports = ArrivalReports(self.arrivals, self.told.append, lambda: self.now)

    def later(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += SECOND
            self.reports.tick()

    def flood(self, client: str, count: int, *, answered: int = 0) -> None:
        for number in range(count):
            self.arrivals.count("commands", client.encode(), answered=number < answered)


def test_a_flood_is_told_of_at_once_and_then_once_a_minute() -> None:
    world = World()
    world.later(100)
    assert world.told == []
    world.flood("bob", 100, answered=10)
    world.later(1)
    (event,) = world.told
    assert event["kind"] == "rate_limited"
    assert (event["requests"], event["commands"], event["unanswered"]) == (0, 100, 90)
    assert event["clients"] == [
        {"client": "bob", "what": "commands", "refused": 100, "unanswered": 90}
    ]
    assert event["message"] == (
        "100 messages were refused as too many, most of them commands of bob; "
        "90 of them have no answer"
    )
    for _ in range(59):
        world.flood("bob", 1)
        world.later(1)
    assert len(world.told) == 1
    world.later(1)
    assert world.told[1]["commands"] == 59
    assert world.told[1]["since"] == event["since"] + 101 * SECOND
    world.later(200)
    assert len(world.told) == 2


def test_of_many_clients_those_that_sent_most_are_named() -> None:
    world = World()
    for number in range(500):
        world.flood(f"c{number}", number % 50)
    world.later(1)
    assert len(world.told[0]["clients"]) == 20
    assert world.told[0]["clients"][0]["refused"] == 49
    assert len(world.reports.numbers()["by_client"]) == 20


def test_what_cannot_be_decoded_is_told_of_with_the_last_of_it() -> None:
    world = World()
    for size in (10, 300_000):
        world.arrivals.dropped["too large"] += 1
        world.arrivals.latest = Skipped(b"kis/" + b"x" * 1000, 1, size, "too large")
    world.later(1)
    (event,) = world.told
    assert (event["kind"], event["reasons"]) == ("message_dropped", {"too large": 2})
    assert (event["bytes"], len(event["topic"])) == (300_000, 200)
    world.later(100)
    assert len(world.told) == 1


def test_the_numbers_are_those_since_the_start() -> None:
    world = World()
    world.flood("bob", 3)
    world.arrivals.count("requests", b"", answered=True)
    world.arrivals.dropped["too large"] = 2
    world.later(100)
    assert world.reports.numbers() == {
        "rate_limited": {"requests": 1, "commands": 3},
        "unanswered": 3,
        "by_client": {"bob": 3, "": 1},
        "dropped": {"too large": 2},
    }
