"""What is on its way to the broker, and in which order."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridge.mqtt.connection import Connection
from bridge.mqtt.message import Publication
from bridge.mqtt.outgoing import Outgoing, QueuedPublish


class Broker:
    """A connection that writes down what is published, and acknowledges when it is told to."""

    def __init__(self, receive_maximum: int) -> None:
        self.receive_maximum = receive_maximum
        self.maximum_packet = 0xFFFFFFF
        self.sent: list[str] = []

    def publish(self, topic: str, payload: bytes, **_: Any) -> int:
        self.sent.append(topic)
        return len(self.sent)


async def put(outgoing: Outgoing, topic: str, *, later: bool = False) -> None:
    done = asyncio.get_running_loop().create_future()
    await outgoing.put(QueuedPublish(Publication(topic, b"", later=later), None, done))


@pytest.mark.parametrize("window", [1, 2, 10, 100])
async def test_what_is_to_go_later_never_holds_up_what_is_not(window: int) -> None:
    broker, outgoing = Broker(window), Outgoing(100, 10_000)
    outgoing.attach(cast("Connection", broker))
    for number in range(200):
        await put(outgoing, f"refusal/{number}", later=True)
    under_way = len(broker.sent)
    assert under_way == (window + 1) // 2
    for number in range(20):
        await put(outgoing, f"ack/{number}")
    mid = 0
    while mid < len(broker.sent):
        mid += 1
        outgoing.acknowledged(mid, "")
    acks = [topic for topic in broker.sent if topic.startswith("ack/")]
    assert acks == [f"ack/{number}" for number in range(20)]
    assert broker.sent.index("ack/19") <= under_way + 20
    refusals = [topic for topic in broker.sent if topic.startswith("refusal/")]
    assert refusals == [f"refusal/{number}" for number in range(200)]
    assert outgoing.backlog == 0
