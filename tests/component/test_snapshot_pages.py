"""The request ``snapshot`` of very many topics, against Mosquitto with its shipped limit."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from bridge.catalog.compile import load
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.topics import Topics
from bridge.requests.models import SnapshotRequest
from bridge.requests.newest import newest
from bridge.requests.server import RequestServer
from tests.brokers import Mosquitto

SHIPPED = "allow_anonymous true\nmax_packet_size 1048576\n"
COUNT = 2500


def filled() -> Pump:
    """Return a pump that has had a record of 1.1 kB of each topic."""
    pump = Pump(
        load(), Topics("kis"), Lane({}), lambda problem: None, subscribed=lambda tr_id, key: True
    )
    for number in range(COUNT):
        route = pump.destination("H0STCNT0", f"{number:06}", f"{number:06}")
        assert route is not None
        record = {"symbol": f"{number:06}", "channel": "H0STCNT0", "seq": number, "x": "x" * 1100}
        route.last = json.dumps(record).encode()
    return pump


async def test_every_page_reaches_who_asked(tmp_path: Path) -> None:
    pump = filled()
    with Mosquitto.running(tmp_path, SHIPPED) as broker:
        bridge = ControlClient([Endpoint.parse(broker.url)], client_id="bridge")
        server = RequestServer(bridge, Topics("kis"))

        async def serve(payload: dict[str, Any], _: Message) -> Any:
            return newest(pump, SnapshotRequest(**payload), bridge.maximum_packet)

        server.register("snapshot", serve)
        answers: asyncio.Queue[Message] = asyncio.Queue()

        async def hear(message: Message) -> None:
            message.ack()
            answers.put_nowait(message)

        asking = ControlClient([Endpoint.parse(broker.url)], client_id="asking", clean=True)
        asking.subscribe("kis/bridge/response/#", 1, hear)
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            running = [group.create_task(client.run()) for client in (bridge, asking)]
            await bridge.wait_connected()
            await asking.wait_connected()
            assert bridge.maximum_packet == 1048576
            topics: list[str] = []
            after: str | None = ""
            while after is not None:
                question = json.dumps({"after": after}).encode()
                await asking.publish(Publication("kis/bridge/request/snapshot", question, qos=1))
                answer = json.loads((await answers.get()).payload)
                topics += answer["data"]
                after = answer.get("next")
            for task in running:
                task.cancel()
    assert topics == [f"kis/market/domestic_stock/krx/trade/{n:06}" for n in range(COUNT)]
