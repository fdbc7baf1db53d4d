"""Counts what comes out of the broker and how long each record took; as cheap as it can be."""

from __future__ import annotations

import json
import socket
import sys

import mqtt5

from bridge.benchmark.feeder import STAMP
from bridge.runtime.clock import now_us
from bridge.status.health import percentile

__all__ = ["receive"]

_JSON_STAMP = b'"cumulative_value":'


def receive(host: str, port: int, topic: str, expected: int, quiet_s: float) -> dict[str, object]:
    """Return how many records came and their latencies (µs); stops when it is quiet."""
    latencies: list[int] = []
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            mqtt5.ConnectPacket("bench-subscriber", clean_start=True, keep_alive=600).write()
            + mqtt5.SubscribePacket(
                1, [mqtt5.TopicFilter(topic, retain_handling=mqtt5.RetainHandling.SEND_NEVER)]
            ).write()
        )
        buffer = bytearray()
        print(json.dumps({"subscribed": topic}), flush=True)
        while len(latencies) < expected:
            try:
                chunk = connection.recv(1 << 18)
            except TimeoutError:
                break
            if not chunk:
                break
            now = now_us()
            buffer += chunk
            _read(buffer, now, latencies)
            if latencies:
                connection.settimeout(quiet_s)
    latencies.sort()
    return {"received": len(latencies)} | _percentiles(latencies)


def _read(buffer: bytearray, now: int, latencies: list[int]) -> None:
    view, position = memoryview(bytes(buffer)), 0
    while True:
        try:
            packet, size = mqtt5.read(view[position:])
        except IndexError:
            break
        position += size
        if isinstance(packet, mqtt5.PublishPacket):
            latencies.append(now - _stamp(packet.payload))
    del buffer[:position]


def _stamp(payload: bytes) -> int:
    if payload.startswith(b"{"):
        at = payload.index(_JSON_STAMP) + len(_JSON_STAMP)
        return int(payload[at : payload.index(b",", at)])
    return int(payload.split(b"^", STAMP + 1)[STAMP])


def _percentiles(ordered: list[int]) -> dict[str, object]:
    return {
        "p50_us": percentile(ordered, 0.50),
        "p99_us": percentile(ordered, 0.99),
        "max_us": ordered[-1] if ordered else None,
    }


if __name__ == "__main__":
    host, port, topic, expected, quiet_s = sys.argv[1:]
    print(json.dumps(receive(host, int(port), topic, int(expected), float(quiet_s))), flush=True)
