"""A WebSocket server that sends trade frames at a steady rate, each with its time of sending.

The time (µs since the epoch) takes the place of the accumulated value, which both the decoded and
the forwarded record carry. Simulated data; run as a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bridge.runtime.clock import now_us

__all__ = ["STAMP", "TRADE"]

TRADE = (
    "005930^{clock}^71900^5^-100^-0.14^72023.83^72100^72400^71700^71900^71800^1^3052507^{stamp}"
    "^5105^6937^1832^84.90^1366314^1159996^1^0.39^20.28^090020^5^-200^090820^5^-500^092619^2^200"
    "^20260914^20^N^65945^216924^1118750^2199206^0.05^2424142^125.92^0^^72100^2"
)
"""A trade of today's 47 fields, as KIS publishes one for its examples."""
STAMP = 14
"""Where the time of sending stands."""
_TICK_S = 0.001


async def feed(connection: ServerConnection, rate: int, seconds: float, batch: int) -> None:
    """Acknowledge the first subscription, then send; close when done."""
    request = json.loads(await connection.recv())
    asked = request["body"]["input"]
    acknowledgement = {
        "header": {"tr_id": asked["tr_id"], "tr_key": asked["tr_key"], "encrypt": "N"},
        "body": {"rt_cd": "0", "msg_cd": "OPSP0000", "msg1": "SUBSCRIBE SUCCESS"},
    }
    await connection.send(json.dumps(acknowledgement))
    before, after = TRADE.split("{stamp}")
    before = before.replace("{clock}", time.strftime("%H%M%S"))
    head, sent, total = f"0|H0STCNT0|{batch:03d}|", 0, int(rate * seconds)
    start = time.perf_counter()
    while sent < total:
        due = min(total, int((time.perf_counter() - start) * rate))
        while sent < due:
            record = f"{before}{now_us()}{after}"
            await connection.send(head + "^".join([record] * batch))
            sent += batch
        await asyncio.sleep(_TICK_S)
    print(json.dumps({"sent": sent, "seconds": time.perf_counter() - start}), flush=True)


async def main(rate: int, seconds: float, batch: int) -> None:
    """Serve one connection; print the port first, and what was sent at the end."""
    done = asyncio.Event()

    async def serve_one(connection: ServerConnection) -> None:
        try:
            await feed(connection, rate, seconds, batch)
            await connection.close()
        except ConnectionClosed:
            pass
        finally:
            done.set()

    async with serve(serve_one, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        await done.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
