"""``kis-bridge demo``: other terminals beside it; and on a bad day: stopped too early, no port."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli.demo import serve_demo
from bridge.cli.demo_market import DemoSymbol, shown, subscriptions
from bridge.cli.demo_table import DemoTable
from bridge.dashboard.listen import Listen
from bridge.embedded.broker import EmbeddedBroker
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.runtime.clock import SEOUL
from bridge.simulator.server import SimulatorSettings

KIS_BRIDGE = (sys.executable, "-c", "from bridge.cli import main; main()")
PORTS = [f"--{name}-port=0" for name in ("mqtt", "mqtt-ws", "http", "kis-rest", "kis-ws")]
DEADLINE_S = 40.0


async def program(home: Path, *args: str) -> asyncio.subprocess.Process:
    """Start a command as a user whose home this is, in a folder without a configuration."""
    environ = {name: text for name, text in os.environ.items() if "KIS_BRIDGE" not in name}
    return await asyncio.create_subprocess_exec(
        *(*KIS_BRIDGE, *args),
        env={**environ, "HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(Path.cwd())},
        cwd=home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def output(home: Path, *args: str) -> tuple[int | None, str, str]:
    async with asyncio.timeout(DEADLINE_S):
        process = await program(home, *args)
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@contextlib.asynccontextmanager
async def demo(home: Path, *options: str) -> AsyncIterator[str]:
    """Run a demo; gives its broker's URL."""
    process = await program(home, "demo", "--json", *PORTS, *options)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            ready = json.loads(await process.stdout.readline())
        yield f"mqtt://127.0.0.1:{ready['mqtt']['port']}"
    finally:
        process.terminate()
        await process.communicate()


async def test_its_orders_are_shown_in_another_terminal(tmp_path: Path) -> None:
    async with demo(tmp_path) as url:
        placed = await output(
            tmp_path, *("order", "place", "005930", "buy", "10", "--url", url, "--id", "a-1")
        )
        assert placed[0] == 0, placed
        for words in (("orders",), ("order", "list"), ("order", "show", "a-1")):
            code, out, err = await output(tmp_path, *words)
            assert (code, err) == (0, "The journal of the running demo:\n"), words
            assert "a-1" in out
            assert "0000" in out
            assert "\\u" not in out  # KIS's Korean message is readable
        note, *others = (tmp_path / ".local/state/kis-bridge").iterdir()
        assert not others
        assert note.stat().st_mode & 0o077 == 0
        assert note.parent.stat().st_mode & 0o077 == 0
    assert not note.exists()
    code, out, err = await output(tmp_path, "orders")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no demo is running" in err
    assert "-c FILE" in err


async def test_two_demos_are_told_apart(tmp_path: Path) -> None:
    async with demo(tmp_path), demo(tmp_path):
        code, out, err = await output(tmp_path, "orders")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "2 demos are running" in err
    assert err.count("--journal sqlite:///") == 2


async def test_stopped_while_it_starts_it_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    stop = asyncio.Event()
    stop.set()
    settings = SimulatorSettings(rest_port=0, ws_port=0)
    listen = Listen("127.0.0.1", 0)
    async with asyncio.timeout(20):
        await serve_demo(EmbeddedBroker(), settings, listen, stop, None, as_json=True)
    assert '"mqtt"' not in capsys.readouterr().out  # it never was ready


@pytest.mark.parametrize("option", ["--mqtt-port", "--mqtt-ws-port", "--http-port"])
@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_that_is_none_is_wrong_usage(option: str, port: str) -> None:
    done = CliRunner().invoke(app, ["demo", option, port, "--for", "0", "--json"])
    assert done.exit_code == 2
    assert option in done.output


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"hello", b"\xff", b"[]", b"1", b"{}", b"[" * 100_000),
        *(b'{"symbol":7}', b'{"symbol":"005930","change":"x","change_rate":[],"bids":[1]}'),
        b'{"symbol":"005930","asks":[{}],"bids":[{"price":"[/]"}],"change_rate":"[/]"}',
        b'{"symbol":[],"client_order_id":"[/x]","side":{},"state":"[/]"}',
    ],
)
async def test_the_table_takes_whatever_strangers_publish(payload: bytes) -> None:
    board = DemoTable([DemoSymbol("a", "b", "c", "Samsung")])
    for topic in ("kis/market/a/b/trade/c", "kis/market/a/b/quote/c", "kis/market/x"):
        await board.market(Message(topic, payload, 0, False, "", b"", None, 0, lambda: None))
    topic = "kis/orders/main/[/me]/state/1"
    await board.order(Message(topic, payload, 0, False, "", b"", None, 0, lambda: None))
    screen = io.StringIO()
    Console(file=screen, width=120).print(board)
    assert "Samsung" in screen.getvalue()


async def test_all_markets_of_the_real_servers_move_at_once(tmp_path: Path) -> None:
    awaited = {
        f"kis/market/{one.market}/{one.venue}/{kind}/{one.symbol}"
        for one in shown("real", datetime.now(SEOUL).date())
        for kind in one.kinds
    }
    assert len({topic.split("/")[2] for topic in awaited}) == 6
    complete = asyncio.Event()

    async def heard(message: Message) -> None:
        awaited.discard(message.topic)
        if not awaited:
            complete.set()

    async with demo(tmp_path, "--environment", "real") as url, asyncio.TaskGroup() as tasks:
        ear = ControlClient([Endpoint.parse(url)], client_id="ear", clean=True)
        ear.subscribe("kis/market/#", 0, heard)
        hearing = tasks.create_task(ear.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_S / 2):
                await complete.wait()
        await ear.close()
        hearing.cancel()
    assert awaited == set()


def test_what_the_demo_wants_leaves_slots_for_its_orders() -> None:
    day = datetime(2026, 12, 31, tzinfo=SEOUL).date()
    for symbols, most in ((shown("paper", day), 20), (shown("real", day), 34)):
        wanted = subscriptions(symbols)
        assert (
            sum(len(one.get("kinds", "1")) * len(one.get("symbols", "1")) for one in wanted) <= most
        )
        assert all(one.name for one in symbols)


async def test_a_zero_with_decimals_is_no_power_of_ten() -> None:
    board = DemoTable([DemoSymbol("a", "b", "AAPL", "Apple")])
    payload = b'{"symbol":"AAPL","price":0.00000000,"change":1234.50000000}'
    await board.market(
        Message("kis/market/a/b/trade/AAPL", payload, 0, False, "", b"", None, 0, lambda: None)
    )
    screen = io.StringIO()
    Console(file=screen, width=120).print(board)
    assert "0E-8" not in screen.getvalue()
    assert "1,234.50000000" in screen.getvalue()
