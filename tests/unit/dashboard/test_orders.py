"""What the dashboard sees of orders."""

from __future__ import annotations

import json

from bridge.dashboard.orders import OrdersSeen
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics


class Out:
    def __init__(self) -> None:
        self.topics: list[str] = []

    async def publish(self, publication: Publication) -> None:
        self.topics.append(publication.topic)


def state(name: str, state: str, symbol: str = "005930") -> bytes:
    order = {"client_order_id": name, "market": "domestic_stock", "venue": "krx", "state": state}
    return json.dumps(order | {"symbol": symbol, "price": 71900.5}).encode()


async def test_states_are_kept_and_everything_is_passed_on() -> None:
    out, topics = Out(), Topics()
    seen = OrdersSeen(out, topics)
    first = topics.order_state("main", "alice", "a-1")
    await seen.publish(Publication(first, state("a-1", "accepted"), retain=True))
    await seen.publish(Publication(topics.order_ack("main", "alice", "a-1"), b"{}"))
    await seen.publish(Publication(topics.order_event("main", "alice", "state"), b"{}"))
    await seen.publish(
        Publication(
            topics.order_state("main", "bob", "b-1"), state("b-1", "filled", "000660"), retain=True
        )
    )
    assert out.topics[0] == first
    assert len(out.topics) == 4
    assert seen.latest[first]["client"] == "alice"
    assert seen.latest[first]["price"] == "71900.5", "a decimal stays as it was written"
    before = seen.version
    await seen.publish(Publication(first, b"", retain=True))
    assert seen.version > before
    assert len(seen.latest) == 1


async def test_there_is_an_end_to_it_and_closed_ones_go_first() -> None:
    seen, topics = OrdersSeen(Out(), Topics()), Topics()
    await seen.publish(Publication(topics.order_state("m", "c", "open"), state("open", "accepted")))
    for number in range(600):
        name = f"o-{number}"
        await seen.publish(Publication(topics.order_state("m", "c", name), state(name, "filled")))
    assert len(seen.latest) == 500
    assert topics.order_state("m", "c", "open") in seen.latest
