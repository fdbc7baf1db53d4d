"""``kis-bridge demo``: broker, simulated KIS and bridge on this machine; no account needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.live import Live

from bridge.app import Bridge
from bridge.catalog.compile import load
from bridge.cli.demo_market import DemoSymbol, shown, subscriptions
from bridge.cli.demo_table import DemoTable
from bridge.cli.process import free_port, print_ready, run_until_stopped
from bridge.cli.run import MQTT_PORT, MQTT_WS_PORT
from bridge.cli.running_demo import RunningDemo, announced
from bridge.config.kis import SIMULATOR_REST_PORT, SIMULATOR_WS_PORT
from bridge.config.models import Config
from bridge.dashboard.listen import Listen
from bridge.embedded.broker import EmbeddedBroker
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.runtime import logs
from bridge.runtime.clock import now_us, seoul_day
from bridge.runtime.own_process import close_to_others
from bridge.runtime.process import settle
from bridge.simulator.server import Simulator, SimulatorSettings

__all__ = ["demo", "serve_demo"]

ACCOUNT, FUTURES = "main", "futures"
HTTP_PORT = 8780


def demo(
    for_: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after so many seconds.")
    ] = None,
    mqtt_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port for MQTT. 0 takes a free one.")
    ] = None,
    mqtt_ws_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port for MQTT over WebSocket.")
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the web page.")
    ] = None,
    kis_rest_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="REST port of the simulated KIS.")
    ] = None,
    kis_ws_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="WebSocket port of the simulated KIS.")
    ] = None,
    environment: Annotated[
        Literal["paper", "real"],
        typer.Option(
            help="Whose markets to simulate: domestic stocks, as paper trading has them; or with"
            " real all of them: indices, NXT, stocks overseas, futures, options and bonds."
        ),
    ] = "paper",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready, and no table.")
    ] = False,
) -> None:
    """Run a broker, a simulated KIS and the bridge on this machine.

    A port that is busy is replaced by a free one, unless it was asked for.
    """
    close_to_others()
    logs.configure("error")
    broker = EmbeddedBroker(
        _port("MQTT", mqtt_port, MQTT_PORT), _port("MQTT WebSocket", mqtt_ws_port, MQTT_WS_PORT)
    )
    settings = SimulatorSettings(
        rest_port=_port("KIS REST", kis_rest_port, SIMULATOR_REST_PORT),
        ws_port=_port("KIS WebSocket", kis_ws_port, SIMULATOR_WS_PORT),
        rest_per_second=0,
        environment=environment,
    )
    listen = Listen("127.0.0.1", _port("web page", http_port, HTTP_PORT), or_free=True)
    run_until_stopped(
        lambda stop: serve_demo(broker, settings, listen, stop, for_, as_json=as_json)
    )


def _port(name: str, wanted: int | None, default: int) -> int:
    port = free_port(wanted, default)
    if wanted is None and port != default:
        print(f"port {default} ({name}) is busy: taking another", file=sys.stderr)
    return port


async def serve_demo(
    broker: EmbeddedBroker,
    settings: SimulatorSettings,
    listen: Listen,
    stop: asyncio.Event,
    for_s: float | None,
    *,
    as_json: bool,
) -> None:
    """Run broker, simulator and bridge until ``stop`` is set, or for so many seconds."""
    catalog = load()
    async with contextlib.AsyncExitStack() as stack:
        state_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kis-bridge-")))
        await asyncio.to_thread(stack.enter_context, broker)
        simulator = await stack.enter_async_context(Simulator(catalog, settings))
        symbols = shown(settings.environment, seoul_day(now_us()))
        config = _config(simulator, broker, state_dir, symbols)
        bridge = Bridge(config, catalog, [Endpoint.parse(broker.url)], listen=listen)
        here = RunningDemo(config.journal_url.get_secret_value(), broker.url)
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(bridge.run(stop, ready.set))
            becoming = tasks.create_task(ready.wait())
            await asyncio.wait([serving, becoming], return_when=asyncio.FIRST_COMPLETED)
            if not ready.is_set():  # stopped before, and `serving` is done
                becoming.cancel()
                return
            settle()
            stack.enter_context(announced(here))
            if as_json:
                print_ready(**_where(broker, bridge, simulator))
            else:
                _greet(broker, bridge, simulator)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(for_s), _board(broker, symbols, as_json=as_json):
                    await stop.wait()
            stop.set()


def _config(
    simulator: Simulator,
    broker: EmbeddedBroker,
    state_dir: Path,
    symbols: Sequence[DemoSymbol],
) -> Config:
    environment = simulator.settings.environment
    accounts = [{"alias": ACCOUNT, "app": "app1", "number": simulator.account}]
    orders = {}
    if environment == "real":
        number = next(one for one in simulator.settings.accounts if one.endswith("-03"))
        accounts.append({"alias": FUTURES, "app": "app1", "number": number})
        orders = {"markets": ["domestic_stock", "overseas_stock", "domestic_bond"]}
    return Config.model_validate(
        {
            "kis": {
                "environment": "simulator",
                "simulates": environment,
                "rest_url": simulator.rest_url,
                "ws_url": simulator.ws_url,
                "state_dir": state_dir,
                "apps": [
                    {
                        "alias": "app1",
                        "app_key": simulator.app_key,
                        "app_secret": simulator.app_secret,
                        "hts_id": simulator.hts_id,
                    }
                ],
                "accounts": accounts,
            },
            "mqtt": {"url": broker.url},
            "market": {"subscriptions": subscriptions(symbols)},
            "orders": orders,
        }
    )


def _where(broker: EmbeddedBroker, bridge: Bridge, simulator: Simulator) -> dict[str, Any]:
    return {
        "mqtt": {"host": broker.host, "port": broker.port, "ws_port": broker.ws_port},
        "dashboard": bridge.dashboard_url,
        "kis": {
            "rest": simulator.rest_url,
            "ws": simulator.ws_url,
            "app_key": simulator.app_key,
            "app_secret": simulator.app_secret,
            "account": simulator.account,
            "hts_id": simulator.hts_id,
        },
    }


def _greet(broker: EmbeddedBroker, bridge: Bridge, simulator: Simulator) -> None:
    """Say where everything is, and the two lines to type in another terminal."""
    program = Path(sys.argv[0])
    command = shlex.quote(str(program) if program.parent.name else program.name)
    url = "" if broker.port == MQTT_PORT else f" --url {broker.url}"
    print(
        f"Web page    {bridge.dashboard_url}\n"
        f"MQTT        {broker.url}   {broker.ws_url}\n"
        f"KIS         {simulator.rest_url}   {simulator.ws_url}\n"
        "All market data here is simulated; no order leaves this machine.\n\n"
        "In another terminal, see what is published and place an order:\n"
        f"  {command} watch{url} 'kis/market/+/+/trade/#'\n"
        f"  {command} order place{url} 005930 buy 10 --client me\n\n"
        "The same with Mosquitto's clients:\n"
        f"  mosquitto_sub -p {broker.port} -v -t 'kis/#'\n"
        f"  mosquitto_pub -p {broker.port} -V 5 -q 1 -D publish message-expiry-interval 10"
        f" -t kis/orders/{ACCOUNT}/me/command/place -m '"
        + json.dumps(
            {
                "client_order_id": "my-1",
                "market": "domestic_stock",
                "venue": "krx",
                "symbol": "005930",
                "side": "buy",
                "order_type": "market",
                "quantity": 10,
            }
        )
        + "'\n",
        flush=True,
    )


@contextlib.asynccontextmanager
async def _board(
    broker: EmbeddedBroker, symbols: Sequence[DemoSymbol], *, as_json: bool
) -> AsyncIterator[None]:
    """Show a live table of quotes and orders on a terminal, read over MQTT as anyone would."""
    console = Console()
    if as_json or not console.is_terminal:
        yield
        return
    board = DemoTable(symbols)
    client = ControlClient([Endpoint.parse(broker.url)], client_id="kis-bridge-demo", clean=True)
    client.subscribe("kis/market/#", 0, board.market)
    client.subscribe("kis/orders/+/+/state/+", 0, board.order)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(client.run())
        with Live(board, console=console, refresh_per_second=5):
            try:
                yield
            finally:
                await client.close()
                reading.cancel()
