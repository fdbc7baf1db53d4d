"""The market-data lane: encoded records on their way to the broker.

Records of one turn of the event loop leave in one write. While the broker takes no more they wait
in the backlog; while it is away only the last value of each topic does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.feed.backlog import Backlog
from bridge.kis.decode import Route

__all__ = ["KindPolicy", "Lane", "Writer"]

_JOIN = 128 * 1024
"""Bytes that are written without waiting for the end of the turn."""
_DRAIN = 256 * 1024


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """How the records of one kind are published."""

    qos: int = 0
    retain: bool = True
    expire_s: int | None = 86_400
    conflate: bool = False


class Writer(Protocol):
    """Where the lane ends."""

    @property
    def ready(self) -> bool: ...
    @property
    def connected(self) -> bool: ...
    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> bytes: ...
    def write(self, packets: list[bytes]) -> None: ...


class Lane:
    """Takes records from the pump and never waits."""

    def __init__(self, policies: Mapping[str, KindPolicy], *, budget: int = 64 << 20) -> None:
        self._policies = dict(policies)
        self._default = KindPolicy()
        self.backlog = Backlog(budget)
        self._writer: Writer | None = None
        self._joined: list[tuple[Route, bytes]] = []
        self._joined_size = 0
        self._oldest = 0
        self._flushing = False
        self.published = 0
        self.lags: deque[int] = deque(maxlen=4096)
        """µs from the arrival of a turn's first record to its write."""

    def attach(self, writer: Writer) -> None:
        """Say where the records go."""
        self._writer = writer

    def put(self, route: Route, payload: bytes) -> None:
        """Send a record, or keep it as the policy of its kind says."""
        route.last = payload
        writer = self._writer
        if writer is not None and writer.ready and not len(self.backlog):
            self._joined.append((route, payload))
            self._joined_size += len(payload)
            if self._joined_size > _JOIN:
                self.flush()
            elif not self._flushing:
                self._flushing = True
                asyncio.get_running_loop().call_soon(self.flush)
            return
        policy = self._policies.get(route.kind, self._default)
        if writer is None or not writer.connected:
            self.backlog.park(route, payload, conflate=policy.conflate)
        else:
            self.backlog.add(route, payload, conflate=policy.conflate)

    def arrived(self, received_at: int) -> None:
        """Say when (µs since the epoch) the frame came whose records follow."""
        if not self._oldest:
            self._oldest = received_at

    def on_ready(self) -> None:
        """Send what waits, as far as the broker takes it."""
        writer = self._writer
        while writer is not None and writer.ready and len(self.backlog):
            self._joined += self.backlog.take(_DRAIN)
            self.flush()

    def on_lost(self) -> None:
        """Keep only the last value of each topic until the broker is back."""
        self.backlog.park_all()
        joined, self._joined = self._joined, []
        for route, payload in joined:
            policy = self._policies.get(route.kind, self._default)
            self.backlog.park(route, payload, conflate=policy.conflate)

    def flush(self) -> None:
        """Write what was joined."""
        self._flushing = False
        self._joined_size = 0
        writer, joined = self._writer, self._joined
        if writer is None or not joined:
            return
        self._joined = []
        packets = []
        for route, payload in joined:
            policy = self._policies.get(route.kind, self._default)
            if policy.qos and not writer.ready:  # the broker's receive maximum is reached
                self.backlog.add(route, payload, conflate=policy.conflate)
                continue
            packets.append(
                writer.packet(route.topic, payload, policy.qos, policy.retain, policy.expire_s)
            )
        writer.write(packets)
        self.published += len(packets)
        if self._oldest:
            self.lags.append(time.time_ns() // 1000 - self._oldest)
            self._oldest = 0
