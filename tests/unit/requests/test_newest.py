"""Pages of the request ``snapshot``: nothing twice, nothing left out, none too large."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.kis.decode import Route
from bridge.kis.values import Zone
from bridge.mqtt import payloads
from bridge.requests.models import SnapshotRequest
from bridge.requests.newest import newest
from tests.unit.subscriptions.channels import TRADE

MANY = 1 << 28


class Pump:
    """Topics with a record of 1.1 kB, the newest first."""

    def __init__(self, count: int) -> None:
        self.known = {}
        for number in reversed(range(count)):
            route = Route(TRADE, "krx", f"{number:06}", f"kis/trade/{number:06}", Zone("UTC"))
            filling = "x" * 1000
            route.last = b'{"symbol":"%06d","price":1.50,"x":"%s"}' % (number, filling.encode())
            self.known[route.topic] = route

    def routes(self) -> list[Route]:
        return list(self.known.values())

    def route(self, topic: str) -> Route | None:
        return self.known.get(topic)


def ask(pump: Any, broker_takes: int = MANY, **asked: Any) -> tuple[dict[str, Any], int]:
    """Return an answer and its length."""
    said = payloads.ok(newest(pump, SnapshotRequest(**asked), broker_takes), "t")
    return json.loads(said), len(said)


def follow(pump: Any, broker_takes: int = MANY, **asked: Any) -> tuple[list[str], list[int]]:
    """Return the topics of all pages and how long these are."""
    topics: list[str] = []
    lengths: list[int] = []
    after = ""
    while True:
        answer, length = ask(pump, broker_takes, after=after, **asked)
        topics += answer["data"]
        lengths.append(length)
        if "next" not in answer:
            return topics, lengths
        after = answer["next"]


def test_the_pages_have_every_topic_once_and_in_order() -> None:
    pump = Pump(2500)
    topics, lengths = follow(pump)
    assert topics == sorted(pump.known)
    assert max(lengths) < 260 * 1024
    assert len(lengths) == 11


def test_what_is_few_is_one_answer_as_ever() -> None:
    answer, _ = ask(Pump(2))
    assert answer == {
        "status": "ok",
        "transaction": "t",
        "data": {
            f"kis/trade/00000{number}": {"symbol": f"00000{number}", "price": 1.5, "x": "x" * 1000}
            for number in range(2)
        },
    }


def test_a_record_is_passed_on_digit_by_digit() -> None:
    said = payloads.ok(newest(Pump(1), SnapshotRequest(), MANY))  # type: ignore[arg-type]
    assert b'"price":1.50,' in said


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_small_client_gets_small_pages(limit: int) -> None:
    topics, lengths = follow(Pump(20), limit=limit)
    assert (len(topics), len(lengths)) == (20, -(-20 // limit))


def test_a_broker_that_takes_little_gets_little() -> None:
    topics, lengths = follow(Pump(100), 20_000)
    assert len(topics) == 100
    assert max(lengths) < 20_000


def test_one_record_at_least_is_in_a_page() -> None:
    assert len(follow(Pump(3), 10)[1]) == 3


def test_only_the_topics_that_are_asked_for() -> None:
    wanted = ["kis/trade/000003", "kis/trade/000001", "kis/trade/999999"]
    topics, _ = follow(Pump(10), topics=wanted, limit=1)
    assert topics == ["kis/trade/000001", "kis/trade/000003"]
