"""Decoding beside that of `kis-trader`, another KIS client; only where that package is installed.

Both get the captured frames of ``captured.txt``, those that both decode: here each record becomes
JSON with all its values, there an object with some of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata, resources
from typing import Any

from bridge.catalog.compile import load
from bridge.catalog.model import Channel
from bridge.errors import ConfigError
from bridge.kis.decode import ChannelDecoder, Route
from bridge.kis.frames import DataFrame, parse
from bridge.kis.values import Zone

__all__ = ["PeerFigures", "compare"]

_AT = 1_771_820_109_123_456


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """CPU of one captured frame, in µs a record."""

    channel: str
    values: int
    """Of a record."""
    bridge_us: float
    """To JSON."""
    peer_us: float
    """To objects."""

    @property
    def ratio(self) -> float:
        return self.peer_us / self.bridge_us


def compare(seconds: float = 0.05, rounds: int = 7) -> tuple[str, list[PeerFigures]]:
    """Return the peer's name and version, and what each frame takes, in turns.

    Raises :class:`ConfigError` when the package is not installed.
    """
    peer, name = _peer()
    text = resources.files(__package__).joinpath("captured.txt").read_text("utf-8")
    figures = []
    for line in text.splitlines():
        frame = parse(line)
        assert isinstance(frame, DataFrame)  # noqa: S101 - they are data
        ours = _ours(frame.tr_id)
        pairs = [(_cost(ours, line, seconds), _cost(peer, line, seconds)) for _ in range(rounds)]
        figures.append(
            PeerFigures(
                channel=frame.tr_id,
                values=(frame.body.count("^") + 1) // frame.count,
                bridge_us=statistics.median(ours for ours, _ in pairs) / frame.count,
                peer_us=statistics.median(theirs for _, theirs in pairs) / frame.count,
            )
        )
    return name, figures


def _peer() -> tuple[Callable[[str], object], str]:
    try:
        import_module("kis_trader.realtime.parsers")
        protocol: Any = import_module("kis_trader.realtime._protocol")
        registry: Any = import_module("kis_trader.realtime._registry")
    except ImportError as error:
        raise ConfigError(
            f"--peer: kis-trader is not installed ({error}): pip install kis-trader"
        ) from None

    def decode(text: str) -> object:
        frame = protocol.parse_frame(text)
        spec = registry.lookup(frame.tr_id)
        return [spec.parser(record) for record in frame.records(spec.field_count)]

    return decode, f"kis-trader {metadata.version('kis-trader')}"


def _ours(tr_id: str) -> Callable[[str], object]:
    routes: dict[str, Route] = {}

    def route_of(channel: Channel, venue: str, symbol: str, zone: Zone) -> Route:
        return routes.setdefault(symbol, Route(channel, venue, symbol, symbol, zone))

    decoder = ChannelDecoder(load().channels[tr_id], route_of)

    def decode(text: str) -> object:
        out: list[bytes] = []
        frame = parse(text)
        if isinstance(frame, DataFrame):
            decoder.decode(frame.body, frame.count, _AT, lambda route, json: out.append(json))
        return out

    return decode


def _cost(decode: Callable[[str], object], text: str, seconds: float) -> float:
    """Return the CPU µs of one frame."""
    done, start = 0, time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        for _ in range(200):
            decode(text)
        done += 200
    return elapsed / done * 1e6
