"""``kis-bridge simulate``: a KIS on this machine, for whatever client wants one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bridge.catalog.model import Catalog
from bridge.cli.process import print_ready
from bridge.cli.workbook import OwnSpec, catalog_of
from bridge.config.kis import SIMULATOR_REST_PORT, SIMULATOR_WS_PORT
from bridge.errors import ConfigError
from bridge.runtime import logs
from bridge.runtime.process import new_event_loop
from bridge.simulator.faults.plan import FaultPlan
from bridge.simulator.faults.plan import read as read_faults
from bridge.simulator.server import Simulator
from bridge.simulator.settings import KIS_RATES, MOST_CLIENTS, SimulatorSettings

__all__ = ["description", "simulate"]


def simulate(
    rest_port: Annotated[
        int, typer.Option(help="REST port. 0 takes a free one.")
    ] = SIMULATOR_REST_PORT,
    ws_port: Annotated[
        int, typer.Option(help="WebSocket port. 0 takes a free one.")
    ] = SIMULATOR_WS_PORT,
    control_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the control interface for tests, on this machine alone. 0 takes a free"
            " one; not given, there is none. See the simulator's README.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same market and the same keys.")
    ] = 1,
    environment: Annotated[
        Literal["paper", "real"] | None,
        typer.Option(
            help="Whose TR ids, rules and call rate to follow: 1 REST call a second as paper"
            " trading, 18 as real trading. Not given: paper trading at 18 calls a second."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Market-data records a second over all subscriptions.", min=0.1),
    ] = None,
    rest_per_second: Annotated[
        float | None,
        typer.Option(
            "--rest-per-second",
            "--rest-rate",
            help="REST calls a second that each app key may make; 0: no limit.",
            min=0,
        ),
    ] = None,
    play: Annotated[
        Path | None, typer.Option(help="Send the captured frames of this file again, in a loop.")
    ] = None,
    hours: Annotated[
        Literal["always", "krx"], typer.Option(help="When the simulated exchange is open.")
    ] = "always",
    clock_offset: Annotated[
        float, typer.Option(help="Seconds that its clock is ahead of this machine's.")
    ] = 0.0,
    width: Annotated[
        list[str] | None,
        typer.Option(
            help="TR_ID=N sends a channel in its older layout of N values. Repeat it for several."
        ),
    ] = None,
    any_key: Annotated[
        bool, typer.Option("--any-key", help="Accept any well-formed app key and secret.")
    ] = False,
    clients: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_CLIENTS,
            help="How many customers there are: each with app key, HTS id and accounts of its own.",
        ),
    ] = 1,
    faults: Annotated[
        Path | None,
        typer.Option(help="TOML file that says what is to go wrong. See the simulator's README."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    spec: OwnSpec = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready, and nothing else.")
    ] = False,
) -> None:
    """Run the KIS simulator alone. All its data is invented."""
    catalog = catalog_of(spec)
    settings = SimulatorSettings(
        host=host,
        rest_port=rest_port,
        ws_port=ws_port,
        control_port=control_port,
        seed=seed,
        environment=environment or "paper",
        hours=hours,
        clock_offset_s=clock_offset,
        rate=rate,
        rest_per_second=_rate(environment, rest_per_second),
        play=play,
        any_key=any_key,
        clients=clients,
        faults=read_faults(faults) if faults else FaultPlan(),
        widths=_widths(width or [], catalog),
    )
    logs.configure("warning")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        code = runner.run(_run(catalog, settings, as_json=as_json))
    raise typer.Exit(code)


def _rate(environment: str | None, given: float | None) -> float | None:
    """Return the REST calls a second; None: those of the environment that was asked for.

    Paper trading's one a second is for those who ask for it. Without a word it would only be in the
    way: fifty orders would take a minute.
    """
    return KIS_RATES["real"] if environment is None and given is None else given


@dataclass(slots=True)
class _Ended:
    """Which signal ended the program; 0 while none has."""

    by: int = 0


async def _run(catalog: Catalog, settings: SimulatorSettings, *, as_json: bool) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    ended = _Ended()

    def end(number: int) -> None:
        ended.by = number
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no loop signals
            loop.add_signal_handler(number, end, number)
    async with Simulator(catalog, settings) as simulator:
        kis = description(simulator)
        if as_json:
            control = {"control": url} if (url := simulator.control_url) else {}
            print_ready(kis=kis, **control)
        else:
            _show(kis, settings, simulator.control_url)
        await stop.wait()
    return 130 if ended.by == signal.SIGINT else 0


def description(simulator: Simulator) -> dict[str, Any]:
    """Return the ``kis`` object of the ready line: the first customer's, then everybody's."""
    return {
        "rest": simulator.rest_url,
        "ws": simulator.ws_url,
        "app_key": simulator.app_key,
        "app_secret": simulator.app_secret,
        "account": simulator.account,
        "hts_id": simulator.hts_id,
        "clients": [
            {
                "app_key": client.app_key,
                "app_secret": client.app_secret,
                "account": client.accounts[0],
                "accounts": client.accounts,
                "hts_id": client.hts_id,
            }
            for client in simulator.clients
        ],
    }


def _show(kis: dict[str, Any], settings: SimulatorSettings, control: str | None) -> None:
    lines = [
        f"KIS simulator ({settings.environment} TR ids). Everything it says is simulated.",
        f"  REST        {kis['rest']}",
        f"  WebSocket   {kis['ws']}/tryitout",
        f"  app key     {kis['app_key']}",
        f"  app secret  {kis['app_secret']}",
        f"  account     {kis['account']}",
        f"  HTS id      {kis['hts_id']}",
        f"  REST calls  {_calls(settings.rest_limit)}",
        *([f"  control     {control} (this machine only)"] if control else ()),
        *(
            f"Client {number}: account {' '.join(client['accounts'])}, HTS id {client['hts_id']}\n"
            f"  app key     {client['app_key']}\n"
            f"  app secret  {client['app_secret']}"
            for number, client in enumerate(kis["clients"], 1)
            if number > 1
        ),
        "Ctrl-C ends it.",
    ]
    print("\n".join(lines), flush=True)


def _calls(limit: float) -> str:
    return f"{limit:g} a second for each app key" if limit else "as many as come"


def _widths(given: list[str], catalog: Catalog) -> dict[str, int]:
    widths: dict[str, int] = {}
    for item in given:
        tr_id, _, number = item.partition("=")
        channel = catalog.channel(tr_id)
        if channel is None or not number.isdigit() or channel.layout(int(number)) is None:
            known = ", ".join(str(layout.width) for layout in channel.layouts) if channel else ""
            raise ConfigError(
                f"--width {item}: "
                + (f"{tr_id} has layouts of {known} values" if channel else f"no channel {tr_id!r}")
            )
        widths[tr_id] = int(number)
    return widths
