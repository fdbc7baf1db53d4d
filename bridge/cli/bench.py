"""``kis-bridge bench``: speed, CPU, latency and loss of the market-data line."""

from __future__ import annotations

import contextlib
import json
import platform
import signal
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bridge.benchmark.broker import mosquitto
from bridge.benchmark.measure import LineFigures, decode_rate, line, orders, ratio
from bridge.benchmark.peer import PeerFigures, compare
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


WAYS = ("plain", "floor", "bridge")


@dataclass(frozen=True, slots=True)
class _Turns:
    """Runs of all three ways in turn, at one rate."""

    rate: int
    runs: Mapping[str, list[LineFigures]]

    def ratio(self, to: str, value: Callable[[LineFigures], float | None]) -> float:
        """Return how the bridge stands to another way."""
        return ratio(self.runs["bridge"], self.runs[to], value)

    def summary(self) -> dict[str, object]:
        return {
            "records_per_s": self.rate,
            "cpu_ratio_to_plain": round(self.ratio("plain", _cpu), 3),
            "cpu_ratio_to_floor": round(self.ratio("floor", _cpu), 3),
            "p99_ratio_to_plain": round(self.ratio("plain", _p99), 3),
            "p99_ratio_to_floor": round(self.ratio("floor", _p99), 3),
            "lost": sum(run.lost for run in self.runs["bridge"]),
            **{way: [asdict(run) for run in runs] for way, runs in self.runs.items()},
        }


def _cpu(run: LineFigures) -> float:
    return run.cpu_us


def _p99(run: LineFigures) -> float | None:
    return run.p99_us


def bench(
    rate: Annotated[int, typer.Option(min=1, help="Records a second of the load.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each run.")] = 4.0,
    pairs: Annotated[int, typer.Option(min=1, help="How many runs of each way, in turn.")] = 5,
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
    peer: Annotated[
        bool,
        typer.Option(
            "--peer", help="Only decode captured frames, beside kis-trader, where it is installed."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure simulated trades from the KIS socket to an MQTT subscriber, and orders the other way.

    Beside the bridge run two ways that forward the bytes of the same frames without decoding them:
    plain, with the client of websockets, and the floor, on what the bridge receives with itself.
    Compare ratios: they come from runs made one after the other on the same machine.
    """
    if peer:
        _show_peer(*compare(), as_json=as_json)
        return
    # Python would die of it at once and leave the broker and the other processes running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    progress = Console(stderr=True)
    with progress.status("decoding") if progress.is_terminal else contextlib.nullcontext():
        decoded = decode_rate()
    measured = []
    with _broker(broker) as url:
        for each in dict.fromkeys((LATENCY_RATE, rate)):
            runs: dict[str, list[LineFigures]] = {way: [] for way in WAYS}
            for number in range(pairs):
                text = f"{each} records/s, turn {number + 1} of {pairs}"
                with progress.status(text) if progress.is_terminal else contextlib.nullcontext():
                    for way in WAYS:
                        runs[way].append(line(way, url, each, seconds, batch))
            measured.append(_Turns(each, runs))
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


def _show(decoded: list[float], measured: list[_Turns], batch: int) -> None:
    console = Console()
    console.print(
        f"decode + JSON alone: {statistics.median(decoded):,.0f} trade records/s a core"
        f" (47 fields; {len(decoded)} rounds, {min(decoded):,.0f} to {max(decoded):,.0f})"
    )
    for turns in measured:
        count = len(turns.runs["bridge"])
        title = f"{turns.rate:,} records/s, {batch} a frame, medians of {count} runs"
        table = Table("", "CPU µs/record", "p50 µs", "p99 µs", "max µs", "lost", title=title)
        for way, runs in turns.runs.items():
            table.add_row(
                way,
                f"{statistics.median(run.cpu_us for run in runs):.1f}",
                *(
                    f"{statistics.median(getattr(run, value) or 0 for run in runs):,.0f}"
                    for value in ("p50_us", "p99_us", "max_us")
                ),
                str(sum(run.lost for run in runs)),
            )
        for way in WAYS[:-1]:
            cpu, p99 = turns.ratio(way, _cpu), turns.ratio(way, _p99)
            table.add_row(f"bridge : {way} (pairwise)", f"{cpu:.2f}", "", f"{p99:.2f}", "", "")
        console.print(table)


def _show_peer(name: str, figures: Sequence[PeerFigures], *, as_json: bool) -> None:
    ratio = sum(each.peer_us for each in figures) / sum(each.bridge_us for each in figures)
    if as_json:
        frames = [{**asdict(each), "ratio": round(each.ratio, 2)} for each in figures]
        print(json.dumps({"peer": name, "ratio": round(ratio, 2), "frames": frames}))
        return
    title = f"CPU µs/record of captured frames: decode + JSON here, decode alone in {name}"
    table = Table("channel", "values", "bridge", name, "ratio", title=title)
    for each in figures:
        costs = (f"{each.bridge_us:.1f}", f"{each.peer_us:.1f}", f"{each.ratio:.2f}")
        table.add_row(each.channel, str(each.values), *costs)
    table.add_row("one of each", "", "", "", f"{ratio:.2f}")
    Console().print(table)


def _show_orders(added: Sequence[Mapping[str, int | float]]) -> None:
    if not added:
        return
    title = f"what the bridge adds to an order, µs ({ORDERS_PER_S:g} a second, SQLite)"
    names = ("records/s", "orders", "p50", "p99", "max", "p99 to httpx", "p99 to the ack")
    told = ("commit p50", "commit p99", "p50 in commits", "p99 in commits")
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
        "commit_p99_us",
    )
    for run in added:
        table.add_row(*(f"{run[key]:,}" for key in keys), _held(run, "p50"), _held(run, "p99"))
    console = Console()
    console.print(table)
    console.print(
        "commit: one row to SQLite with synchronous=FULL, between the orders; where its p99 is many"
        " times its p50, others keep the disk or the processor busy"
    )


def _held(run: Mapping[str, int | float], name: str) -> str:
    """Return a ratio, beside the limit where there is one."""
    ratio, limit = run[f"{name}_ratio"], run.get(f"{name}_limit")
    if limit is None:
        return f"{ratio:.1f}"
    return f"{ratio:.1f} {'≤' if ratio <= limit else '>'} {limit}"
