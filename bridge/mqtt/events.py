"""Events of the bridge: told from anywhere without waiting, published in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

import structlog

from bridge.mqtt import payloads
from bridge.mqtt.payloads import EventKind
from bridge.mqtt.topics import Topics

__all__ = ["Events"]

log = structlog.get_logger()

_WAITING = 1000
_SAME_S = 1.0


class _Publisher(Protocol):
    async def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> None: ...


class Events:
    """Publishes ``bridge/event/{kind}``, QoS 1.

    A flood about one thing (``kind`` and ``about``) becomes one event a second, whose
    ``suppressed`` counts those that were left out before it.
    """

    def __init__(self, publisher: _Publisher, topics: Topics) -> None:
        self._publisher = publisher
        self._topics = topics
        self._queue: asyncio.Queue[tuple[EventKind, bytes]] = asyncio.Queue(_WAITING)
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self.dropped = 0

    def tell(self, kind: EventKind, about: str = "", **details: object) -> None:
        """Have an event published; ``about`` names what floods are counted by."""
        now = asyncio.get_running_loop().time()
        last, suppressed = self._told.get((kind, about), (-_SAME_S, 0))
        if about and now - last < _SAME_S:
            self._told[kind, about] = (last, suppressed + 1)
            return
        if about:
            self._told[kind, about] = (now, 0)
        if suppressed:
            details["suppressed"] = suppressed
        log.info("event", kind=kind, **{k: v for k, v in details.items() if k != "raw"})
        try:
            self._queue.put_nowait((kind, payloads.event(kind, datetime.now(UTC), **details)))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Publish what is told, until cancelled."""
        while True:
            kind, payload = await self._queue.get()
            await self._publisher.publish(self._topics.event(kind), payload, qos=1)
