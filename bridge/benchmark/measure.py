"""The measurements: decoding alone; the whole line against its floor, in turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bridge.benchmark.feeder import TRADE
from bridge.catalog.compile import load
from bridge.errors import BridgeError
from bridge.kis.decode import ChannelDecoder, Route
from bridge.mqtt.endpoint import Endpoint

__all__ = ["LineFigures", "decode_rate", "line", "orders", "ratio"]

_START_S = 20.0
_QUIET_S = 2.0


def decode_rate(seconds: float = 1.0, rounds: int = 5) -> list[float]:
    """Return trade records (47 fields) a second and core, frame body to JSON, of each round."""
    channel = load().channels["H0STCNT0"]
    decoder = ChannelDecoder(channel, lambda c, v, s, z: Route(c, v, s, "bench", z))
    bodies = [TRADE.format(clock="093354", stamp=10**15 + i) for i in range(1000)]
    out: list[bytes] = []
    rates = []
    for _ in range(rounds):
        done = 0
        start = time.process_time()
        while (elapsed := time.process_time() - start) < seconds:
            for body in bodies:
                decoder.decode(body, 1, 1_771_820_109_123_456, lambda _, json: out.append(json))
            done += len(out)
            out.clear()
        rates.append(done / elapsed)
    return rates


@dataclass(frozen=True, slots=True)
class LineFigures:
    """One run of the line; latencies in µs from the feeder's write to the subscriber's read."""

    mode: str
    rate: int
    sent: int
    received: int
    cpu_us: float
    """CPU of the measured process, for a record."""
    p50_us: int | None
    p99_us: int | None
    max_us: int | None
    fed_per_s: float
    """What the feeder could keep up."""

    @property
    def lost(self) -> int:
        return self.sent - self.received


def line(mode: str, broker: str, rate: int, seconds: float, batch: int) -> LineFigures:
    """Feed, carry and receive once; ``mode`` is ``bridge``, ``floor`` or ``plain``.

    ``batch`` is the records in a frame. The bridge sends one message a record, the others one a
    frame. Raises :class:`BridgeError` when a part of it fails.
    """
    endpoint = Endpoint.parse(broker)
    messages = int(rate * seconds)
    messages = -(-messages // batch) * (batch if mode == "bridge" else 1)
    with (
        _role("feeder", str(rate), str(seconds), str(batch)) as feeder,
        _role(
            *("subscriber", endpoint.host, str(endpoint.port), "kis/market/#"),
            *(str(messages), str(_QUIET_S)),
        ) as subscriber,
    ):
        port = feeder()["port"]
        subscriber()
        with _role("subject", mode, f"ws://127.0.0.1:{port}/tryitout", broker) as subject:
            carried, fed, received = subject(), feeder(), subscriber()
    records = fed["sent"]
    return LineFigures(
        mode=mode,
        rate=rate,
        sent=messages,
        received=received["received"],
        cpu_us=carried["cpu_s"] / records * 1e6,
        p50_us=received["p50_us"],
        p99_us=received["p99_us"],
        max_us=received["max_us"],
        fed_per_s=records / fed["seconds"],
    )


def orders(broker: str, rate: int, count: int, per_s: float) -> dict[str, int | float]:
    """Return what the bridge adds to an order (µs), under ``rate`` records a second of market data.

    ``commit_p50_us`` is one plain commit to SQLite, made between the orders on the same disk; the
    ratios are told in it. Raises :class:`BridgeError` when a part of it fails.
    """
    with ExitStack() as stack:
        ws_url = ""
        if rate:
            seconds = count / per_s + 2
            feeder = stack.enter_context(_role("feeder", str(rate), str(seconds), "1"))
            ws_url = f"ws://127.0.0.1:{feeder()['port']}/tryitout"
        with _role("orders", ws_url, broker, str(count)) as subject:
            subject()
            with _role("trader", broker, str(count), str(per_s)) as trader:
                told = trader()
                commit = max(1, told["commit_p50_us"])
            found = subject()
    ratios = {f"{name}_ratio": round(found[f"{name}_us"] / commit, 2) for name in ("p50", "p99")}
    return {
        "records_per_s": rate,
        "orders_per_s": per_s,
        **found,
        "commit_p50_us": commit,
        "commit_p99_us": told["commit_p99_us"],
        **ratios,
    }


def ratio(
    bridge: list[LineFigures],
    floor: list[LineFigures],
    value: Callable[[LineFigures], float | None],
) -> float:
    """Return the median of the ratios of runs made one after the other."""
    pairs = zip(bridge, floor, strict=True)
    return statistics.median((value(b) or 0.0) / (value(f) or 1.0) for b, f in pairs)


@contextmanager
def _role(name: str, *arguments: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Start a process of the benchmark; yield what reads the next line of its output."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", f"bridge.benchmark.{name}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )

    def read() -> dict[str, Any]:
        assert process.stdout is not None  # noqa: S101
        text = process.stdout.readline()
        if not text:
            raise BridgeError(f"the benchmark's {name} ended with code {process.wait()}")
        said: dict[str, Any] = json.loads(text)
        return said

    try:
        yield read
        process.wait(_START_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
