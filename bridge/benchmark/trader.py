"""Places simulated orders over MQTT at a steady rate, as many clients do; a process of its own.

Between every two orders it commits one row to a SQLite database of its own: what the bridge adds to
an order is told in such commits, because disks differ more than anything else.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bridge.benchmark.commits import PlainCommits, plain_commits
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.runtime import logs
from bridge.status.health import percentile

__all__ = ["trade"]

CLIENTS = 10
_SHARES = (("p50", 0.5), ("p99", 0.99))


async def trade(broker: str, count: int, per_s: float) -> None:
    """Publish ``count`` commands ``place``, one client after the other."""
    topics = Topics()
    control = ControlClient([Endpoint.parse(broker)], client_id="bench-trader", clean=True)
    with plain_commits() as plain:
        await _trade(control, topics, plain, count, per_s)
    commits = sorted(plain.taken_us)
    shares = {f"commit_{name}_us": percentile(commits, share) for name, share in _SHARES}
    print(json.dumps({"sent": count, **shares}), flush=True)


async def _trade(
    control: ControlClient, topics: Topics, plain: PlainCommits, count: int, per_s: float
) -> None:
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
            # Halfway to the next order, when the bridge has most likely answered this one.
            await asyncio.sleep(max(0.0, start + (number + 0.5) / per_s - loop.time()))
            plain.commit()
        await control.close()
        running.cancel()


if __name__ == "__main__":
    logs.configure("error")
    asyncio.run(trade(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
