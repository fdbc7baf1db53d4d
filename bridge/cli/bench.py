"""``kis-bridge bench``: speed, CPU, latency and loss of the market-data line."""

from __future__ import annotations

import contextlib
import json
import platform
import signal
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bridge.benchmark.broker import mosquitto
from bridge.benchmark.measure import LineFigures, decode_rate, line, orders, ratio
from bridge.errors import ConfigError
from bridge.mqtt.endpoint import Endpoint

__all__ = ["bench"]

LATENCY_RATE = 5_000
"""Records a second at which latencies are compared."""
ORDERS_PER_S, ORDERS_UNDER = 20.0, (0, 10_000)
"""As many as KIS takes from one app key, and the records a second beside them."""
LIMITS: Mapping[int, Mapping[str, int]] = {0: {"p50": 6, "p99": 15}, 10_000: {"p99": 30}}
"""In plain commits to the same disk, what the bridge may add to an order under so many records."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Runs of floor and bridge in turn, at one rate."""

    rate: int
    floor: list[LineFigures]
    bridge: list[LineFigures]

    def summary(self) -> dict[str, object]:
        cpu = ratio(self.bridge, self.floor, lambda run: run.cpu_us)
        p99 = ratio(self.bridge, self.floor, lambda run: run.p99_us)
        return {
            "records_per_s": self.rate,
            "cpu_ratio": round(cpu, 3),
            "p99_ratio": round(p99, 3),
            "lost": sum(run.lost for run in self.bridge),
            "floor": [asdict(run) for run in self.floor],
            "bridge": [asdict(run) for run in self.bridge],
        }


def bench(
    rate: Annotated[int, typer.Option(min=1, help="Records a second of the load.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each run.")] = 4.0,
    pairs: Annotated[
        int, typer.Option(min=1, help="How many runs of the floor and of the bridge, in turn.")
    ] = 5,
    batch: Annotated[int, typer.Option(min=1, max=999, help="Records in a frame.")] = 1,
    order_count: Annotated[
        int, typer.Option("--orders", min=0, help="Orders in each run. 0 leaves them out.")
    ] = 400,
    broker: Annotated[
        str | None,
        typer.Option(
            help="URL of a broker on this machine.", show_default="a Mosquitto of its own"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure simulated trades from the KIS socket to an MQTT subscriber, and orders the other way.

    The floor receives the same frames and forwards their bytes without decoding. Compare ratios:
    they come from runs made one after the other on the same machine.
    """
    # Python would die of it at once and leave the broker and the other processes running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    progress = Console(stderr=True)
    with progress.status("decoding") if progress.is_terminal else contextlib.nullcontext():
        decoded = decode_rate()
    measured = []
    with _broker(broker) as url:
        for each in dict.fromkeys((LATENCY_RATE, rate)):
            floor, carried = [], []
            for number in range(pairs):
                text = f"{each} records/s, pair {number + 1} of {pairs}"
                with progress.status(text) if progress.is_terminal else contextlib.nullcontext():
                    floor.append(line("floor", url, each, seconds, batch))
                    carried.append(line("bridge", url, each, seconds, batch))
            measured.append(_Pair(each, floor, carried))
        added = []
        for each in ORDERS_UNDER if order_count else ():
            text = f"{order_count} orders under {each} records/s"
            with progress.status(text) if progress.is_terminal else contextlib.nullcontext():
                run = orders(url, each, order_count, ORDERS_PER_S)
                limits = {f"{name}_limit": most for name, most in LIMITS[each].items()}
                added.append({**run, **limits})
    if as_json:
        print(
            json.dumps(
                {
                    "python": platform.python_version(),
                    "records_per_frame": batch,
                    "decode_records_per_s": [round(value) for value in decoded],
                    "line": [pair.summary() for pair in measured],
                    "orders": added,
                }
            )
        )
    else:
        _show(decoded, measured, batch)
        _show_orders(added)


@contextlib.contextmanager
def _broker(url: str | None) -> Iterator[str]:
    if url is None:
        with mosquitto() as started:
            yield started
        return
    if Endpoint.parse(url).host not in _LOOPBACK:
        raise ConfigError(f"--broker {url}: a load is only put on a broker on this machine")
    yield url


def _show(decoded: list[float], measured: list[_Pair], batch: int) -> None:
    console = Console()
    console.print(
        f"decode + JSON alone: {statistics.median(decoded):,.0f} trade records/s a core"
        f" (47 fields; {len(decoded)} rounds, {min(decoded):,.0f} to {max(decoded):,.0f})"
    )
    for pair in measured:
        title = f"{pair.rate:,} records/s, {batch} a frame, medians of {len(pair.floor)} runs"
        table = Table("", "CPU µs/record", "p50 µs", "p99 µs", "max µs", "lost", title=title)
        for name, runs in (("floor", pair.floor), ("bridge", pair.bridge)):
            table.add_row(
                name,
                f"{statistics.median(run.cpu_us for run in runs):.1f}",
                *(
                    f"{statistics.median(getattr(run, value) or 0 for run in runs):,.0f}"
                    for value in ("p50_us", "p99_us", "max_us")
                ),
                str(sum(run.lost for run in runs)),
            )
        cpu = ratio(pair.bridge, pair.floor, lambda run: run.cpu_us)
        p99 = ratio(pair.bridge, pair.floor, lambda run: run.p99_us)
        table.add_row("ratio (pairwise)", f"{cpu:.2f}", "", f"{p99:.2f}", "", "")
        console.print(table)


def _show_orders(added: Sequence[Mapping[str, int | float]]) -> None:
    if not added:
        return
    title = f"what the bridge adds to an order, µs ({ORDERS_PER_S:g} a second, SQLite)"
    names = ("records/s", "orders", "p50", "p99", "max", "p99 to httpx", "p99 to the ack")
    told = ("commit", "p50 in commits", "p99 in commits")
    table = Table(*names, *told, title=title)
    keys = (
        "records_per_s",
        "orders",
        "p50_us",
        "p99_us",
        "max_us",
        "before_p99_us",
        "after_p99_us",
        "commit_p50_us",
    )
    for run in added:
        table.add_row(*(f"{run[key]:,}" for key in keys), _held(run, "p50"), _held(run, "p99"))
    console = Console()
    console.print(table)
    console.print("commit: p50 of one row to SQLite with synchronous=FULL, between the orders")


def _held(run: Mapping[str, int | float], name: str) -> str:
    """Return a ratio, beside the limit where there is one."""
    ratio, limit = run[f"{name}_ratio"], run.get(f"{name}_limit")
    if limit is None:
        return f"{ratio:.1f}"
    return f"{ratio:.1f} {'≤' if ratio <= limit else '>'} {limit}"
