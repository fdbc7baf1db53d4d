"""``kis-bridge demo`` on a bad day: stopped too early, no such port, a stranger's message."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli.demo import _run
from bridge.cli.demo_table import DemoTable
from bridge.dashboard.listen import Listen
from bridge.embedded.broker import EmbeddedBroker
from bridge.mqtt.message import Message
from bridge.simulator.server import SimulatorSettings


async def test_stopped_while_it_starts_it_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    stop = asyncio.Event()
    stop.set()
    settings = SimulatorSettings(rest_port=0, ws_port=0)
    listen = Listen("127.0.0.1", 0)
    async with asyncio.timeout(20):
        await _run(EmbeddedBroker(), settings, listen, stop, None, as_json=True)
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
    board = DemoTable({"005930": "Samsung"})
    for topic in ("kis/market/a/b/trade/c", "kis/market/a/b/quote/c", "kis/market/x"):
        await board.market(Message(topic, payload, 0, False, "", b"", None, 0, lambda: None))
    topic = "kis/orders/main/[/me]/state/1"
    await board.order(Message(topic, payload, 0, False, "", b"", None, 0, lambda: None))
    screen = io.StringIO()
    Console(file=screen, width=120).print(board)
    assert "Samsung" in screen.getvalue()
