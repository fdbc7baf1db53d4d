"""What the bridge adds to an order: from the command to httpx, from the answer to the ack.

Gateway, journal (SQLite on this disk), REST client, throttle and both MQTT connections are the
bridge's own; KIS is answered for inside httpx's transport, at once. With a WebSocket URL the same
process carries market data meanwhile, as the bridge does. Run as a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from pydantic import SecretStr

from bridge.benchmark.subject import Subject
from bridge.catalog.compile import load
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Throttle
from bridge.kis.transport import StraightClient
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from bridge.orders.journal.journal import Journal
from bridge.runtime import logs
from bridge.runtime.clock import now_us
from bridge.runtime.process import new_event_loop, settle
from bridge.status.health import percentile

__all__ = ["measure"]

_TAKEN = {"rt_cd": "0", "msg_cd": "APBK0013", "msg1": "benchmark"}
_LIST = {**_TAKEN, "output1": [], "output2": {}}


class _Kis(httpx.AsyncBaseTransport):
    """Takes every order; notes when a request arrived and when its answer left."""

    def __init__(self) -> None:
        self.arrived: dict[str, int] = {}
        self.left: dict[str, int] = {}
        self._number = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = now_us()
        if request.method == "GET":
            return httpx.Response(200, json=_LIST)
        self._number += 1
        order_no = f"{self._number:010}"
        self.arrived[order_no] = now
        output = {"KRX_FWDG_ORD_ORGNO": "1", "ODNO": order_no, "ORD_TMD": "090000"}
        response = httpx.Response(200, json={**_TAKEN, "output": output})
        self.left[order_no] = now_us()
        return response


class _Publisher:
    """The control connection; notes when acks are handed to it."""

    def __init__(self, control: ControlClient, count: int) -> None:
        self._control = control
        self._count = count
        self.acks: dict[str, tuple[int, int]] = {}
        self.done = asyncio.Event()

    async def publish(self, publication: Publication) -> None:
        await self._control.publish(publication)
        if "/ack/" in publication.topic:
            ack = json.loads(publication.payload)
            self.acks[ack["order_no"]] = (ack["received_at"], now_us())
            if len(self.acks) == self._count:
                self.done.set()


class _Token:
    async def token(
        self, *, refresh_of: SecretStr | None = None, deadline: float | None = None
    ) -> SecretStr:
        return SecretStr("benchmark")


async def measure(ws_url: str, broker: str, count: int) -> dict[str, object]:
    """Return the overhead of ``count`` orders, which somebody else sends."""
    catalog, topics = load(), Topics()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        journal = Journal(f"sqlite:///{Path(folder)}/orders.db")
        await journal.open()
        await journal.take("benchmark", ["main"], {})  # each commit that sends looks at the claim
        stack.push_async_callback(journal.close)
        kis = _Kis()
        http = await stack.enter_async_context(StraightClient(kis))
        key = SecretStr("benchmark")
        rest = RestClient(
            catalog, http, "http://kis", key, key, _Token(), Throttle(10_000), paper=False
        )
        control = ControlClient([Endpoint.parse(broker)], client_id="bench-orders")
        sink = _Publisher(control, count)
        gateway = Gateway(
            catalog=catalog,
            journal=journal,
            sink=sink,
            topics=topics,
            accounts={"main": TradingAccount(SecretStr("12345678-01"), rest)},
            rules=Rules(paper=False),
        )
        control.subscribe(topics.command_filter(), 1, gateway.command, at_once=gateway.take)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(control.run()), tasks.create_task(gateway.run())]
            await control.wait_connected()
            await gateway.ready()
            if ws_url:
                running.append(tasks.create_task(_carry(ws_url, broker)))
            settle()
            print(json.dumps({"ready": True}), flush=True)
            await sink.done.wait()
            await gateway.stop()
            await control.close()
            for task in running:
                task.cancel()
    before = sorted(kis.arrived[no] - received for no, (received, _) in sink.acks.items())
    after = sorted(acked - kis.left[no] for no, (_, acked) in sink.acks.items())
    both = sorted(
        kis.arrived[no] - received + acked - kis.left[no]
        for no, (received, acked) in sink.acks.items()
    )
    return {
        "orders": len(both),
        **{f"{name}_us": percentile(both, share) for name, share in _SHARES},
        **{f"before_{name}_us": percentile(before, share) for name, share in _SHARES},
        **{f"after_{name}_us": percentile(after, share) for name, share in _SHARES},
    }


_SHARES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


async def _carry(ws_url: str, broker: str) -> None:
    await Subject("bridge", ws_url, broker).run()


if __name__ == "__main__":
    logs.configure("error")

    async def _main() -> None:
        said = await measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        print(json.dumps(said), flush=True)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_main())
