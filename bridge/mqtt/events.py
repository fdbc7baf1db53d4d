"""Events of the bridge: any part can tell one without waiting, and they are published in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from bridge.mqtt import payloads
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.message import Publication, Sink
from bridge.mqtt.payloads import EventKind
from bridge.mqtt.topics import Topics

__all__ = ["Events"]

log = structlog.get_logger()

_WAITING = 1000
"""Events that may wait for the broker; more are dropped and counted. An event must never hold up
the part that tells it."""
_SAME_S = 1.0
_FORGET_S = 60.0
_OTHERS = "(others)"
_MOST_TOLD = 1_024
"""Things that were told of lately. Beyond them floods are counted together: what an event is about
can come from outside, and each name would be remembered."""


class Events:
    """Publishes ``bridge/event/{kind}``, QoS 1.

    A flood about one thing (``kind`` and ``about``) becomes one event a second, whose
    ``suppressed`` counts those that were left out before it; :meth:`settle` tells the last ones.
    """

    def __init__(self, publisher: Sink, topics: Topics, *, most_waiting: int = _WAITING) -> None:
        self._publisher = publisher
        self._topics = topics
        self._queue: asyncio.Queue[tuple[EventKind, bytes]] = asyncio.Queue(most_waiting)
        self._told: dict[tuple[EventKind, str], tuple[float, int]] = {}
        self._latest: dict[tuple[EventKind, str], BridgeEvent] = {}
        """The last event that was left out."""
        self._listeners: list[Callable[[BridgeEvent], None]] = []
        self.dropped = 0

    def listen(self, listener: Callable[[BridgeEvent], None]) -> None:
        """Have every event told to ``listener`` as well, those of a flood included."""
        self._listeners.append(listener)

    @property
    def remembered(self) -> int:
        """How many things were told of lately, by which floods are counted."""
        return len(self._told)

    def tell(self, event: BridgeEvent, about: str = "") -> None:
        """Have an event published; ``about`` names what floods are counted by."""
        for listener in self._listeners:
            listener(event)
        now, kind = asyncio.get_running_loop().time(), event["kind"]
        if len(self._told) >= _MOST_TOLD and (kind, about) not in self._told:
            about = _OTHERS
        last, suppressed = self._told.get((kind, about), (-_SAME_S, 0))
        if about and now - last < _SAME_S:
            self._told[kind, about] = (last, suppressed + 1)
            self._latest[kind, about] = event
            return
        if about:
            self._told[kind, about] = (now, 0)
            self._latest.pop((kind, about), None)
        self._put(event, suppressed or None)

    def settle(self) -> None:
        """Tell what was left out at the end of a flood; call about once a second."""
        now = asyncio.get_running_loop().time()
        for name, (last, suppressed) in list(self._told.items()):
            if suppressed and now - last >= _SAME_S:
                self._told[name] = (now, 0)
                self._put(self._latest.pop(name), suppressed - 1)
            elif now - last >= _FORGET_S:
                del self._told[name]

    def _put(self, event: BridgeEvent, suppressed: int | None) -> None:
        kind = event["kind"]
        details = {k: _short(v) for k, v in event.items() if k not in ("kind", "raw")}
        log.info(kind, **details, **({} if suppressed is None else {"suppressed": suppressed}))
        try:
            payload = payloads.event(event, datetime.now(UTC), suppressed)
            self._queue.put_nowait((kind, payload))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Publish what is told, until cancelled."""
        while True:
            kind, payload = await self._queue.get()
            await self._publisher.publish(Publication(self._topics.event(kind), payload, qos=1))


def _short(value: object) -> object:
    """Return how many there are of what would fill the log."""
    return len(value) if isinstance(value, list | dict) else value
