"""Places simulated orders over MQTT at a steady rate, as many clients do; a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys

from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.runtime import logs

__all__ = ["trade"]

CLIENTS = 10


async def trade(broker: str, count: int, per_s: float) -> None:
    """Publish ``count`` commands ``place``, one client after the other."""
    topics = Topics()
    control = ControlClient([Endpoint.parse(broker)], client_id="bench-trader", clean=True)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(control.run())
        await control.wait_connected()
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / per_s - loop.time()))
            order = {
                "client_order_id": f"bench-{number}",
                "market": "domestic_stock",
                "venue": "krx",
                "symbol": "005930",
                "side": "buy",
                "order_type": "limit",
                "quantity": 1,
                "price": 71900,
                "expires_at": "2999-01-01T00:00:00+09:00",
            }
            topic = topics.command("main", f"client-{number % CLIENTS}", "place")
            await control.publish(
                Publication(topic, json.dumps(order).encode()), wait=number == count - 1
            )
        await control.close()
        running.cancel()
    print(json.dumps({"sent": count}), flush=True)


if __name__ == "__main__":
    logs.configure("error")
    asyncio.run(trade(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
