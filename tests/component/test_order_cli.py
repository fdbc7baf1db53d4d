"""``kis-bridge order`` against a real broker, a real gateway and its journal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from bridge.orders.journal.journal import Journal
from tests.brokers import Mosquitto
from tests.component.gateway_fixture import NUMBER, Kis


@dataclass
class Command:
    """Runs ``kis-bridge order``."""

    url: str
    journal: str

    async def __call__(self, *args: str) -> tuple[int, str, str]:
        where = ["--journal", self.journal] if args[0] in ("list", "show") else ["--url", self.url]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from bridge.cli import main; main()", "order"),
            *(*args, *where),
            env={**os.environ, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def bridge(mosquitto: Mosquitto, path: Path) -> AsyncIterator[Command]:
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    journal = Journal(f"sqlite:///{path}/orders.db")
    topics = Topics("kis")
    control = ControlClient([Endpoint.parse(url)], client_id="bridge")
    gateway = Gateway(
        catalog=load(),
        journal=journal,
        sink=control,
        topics=topics,
        accounts={"main": TradingAccount(SecretStr(NUMBER), Kis())},
        rules=Rules(paper=True),
    )
    control.subscribe(topics.command_filter(), 1, gateway.command)
    await journal.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(control.run())
            tasks.create_task(gateway.run())
            await control.wait_connected(deadline_s=10)
            yield Command(url, f"sqlite:///{path}/orders.db")
            await gateway.stop()
            await control.close()
    finally:
        await journal.close()


async def test_an_order_from_the_command_line(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with bridge(mosquitto, tmp_path) as order:
        placed = await order("place", "005930", "buy", "10", "--price", "71900", "--id", "a-1")
        assert placed[0] == 0, placed
        assert placed[1].startswith("a-1  accepted  order_no 0000000001")
        code, out, _ = await order("modify", "a-1", "--price", "72000", "--json")
        assert (code, json.loads(out)["order_no"]) == (0, "0000000002")
        code, out, _ = await order("cancel", "a-1", "--json")
        assert (code, json.loads(out)["verb"]) == (0, "cancel")

        # Whoever had no answer asks again, and the command line writes a new deadline.
        again = await order("place", "005930", "buy", "10", "--price", "71900", "--id", "a-1")
        assert again[0] == 0, again
        assert again[1].startswith("a-1  accepted  order_no 0000000001")
        code, out, err = await order("place", "005930", "buy", "11", "--price", "1", "--id", "a-1")
        assert (code, err) == (1, "")
        assert "refused  duplicate_conflict" in out
        code, out, _ = await order("place", "005930", "hold", "10")
        assert code == 1
        assert "side" in out

        # What the bridge cannot read is answered as well, at once.
        code, out, _ = await order("modify", "a-1", "--price", "dear")
        assert (code, out.split()[:3]) == (1, ["a-1", "refused", "invalid_payload"])
        code, out, err = await order("cancel", "no such id")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "client_order_id" in err

        placed = await order("place", "000660", "buy", "1", "--price", "900000", "--id", "a-2")
        assert placed[0] == 0, placed
        code, out, _ = await order("cancel-all", "--symbol", "000660", "--json")
        assert (code, json.loads(out)["message"]) == (0, "1 of 1 orders")
        apple = ("--market", "overseas_stock", "--venue", "nas", "--price", "178.5")
        code, out, _ = await order("place", "AAPL", "buy", "1", *apple)
        assert code == 1
        assert "takes no orders here" in out

        code, out, _ = await order("list", "--json")
        out = out.splitlines()[0]
        state = json.loads(out)
        assert (code, state["account"], state["client"]) == (0, "main", "cli")
        assert (state["client_order_id"], state["price"]) == ("a-1", 72000)
        code, out, _ = await order("list")
        assert "72000" in out
        code, out, _ = await order("show", "a-1")
        assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == [
            "place",
            "modify",
            "cancel",
        ]
        code, _, err = await order("show", "nobody")
        assert (code, err) == (1, "kis-bridge: the journal has no order 'nobody'\n")


async def test_without_a_bridge_there_is_one_line(mosquitto: Mosquitto, tmp_path: Path) -> None:
    command = Command(f"mqtt://127.0.0.1:{mosquitto.port}", "")
    code, out, err = await command("place", "005930", "buy", "1", "--wait", "0.1")
    assert (code, out) == (1, "")
    assert "no ack within 0.1 s" in err
    assert err.count("\n") == 1
    code, _, err = await command("place", "005930", "buy", "1", "--base", "a/+")
    assert code == 2
    assert err.count("\n") == 1
