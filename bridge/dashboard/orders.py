"""What the gateway says about orders, seen on its way to the broker."""

from __future__ import annotations

import json
from typing import Any

from bridge.mqtt.message import Publication, Sink
from bridge.mqtt.topics import Topics

__all__ = ["OrdersSeen"]

_MOST = 500
_OPEN = frozenset({"accepted", "partially_filled", "submitting", "unknown"})


class OrdersSeen:
    """Publishes for the gateway and keeps the newest state of each of today's orders."""

    def __init__(self, sink: Sink, topics: Topics) -> None:
        self._sink = sink
        self._prefix = f"{topics.base}/orders/"
        self.latest: dict[str, dict[str, Any]] = {}
        """By topic, the newest last."""
        self.version = 0
        """Counts up with every change."""

    async def publish(self, publication: Publication) -> None:
        """Publish, and remember what is a state of an order."""
        topic = publication.topic
        if topic.startswith(self._prefix) and topic.split("/")[-2] == "state":
            self._see(topic, publication.payload)
        await self._sink.publish(publication)

    def _see(self, topic: str, payload: bytes) -> None:
        self.version += 1
        self.latest.pop(topic, None)
        if not payload:
            return
        account, client = topic.removeprefix(self._prefix).split("/")[:2]
        self.latest[topic] = json.loads(payload, parse_float=str) | {
            "account": account,
            "client": client,
        }
        if len(self.latest) > _MOST:
            closed = (t for t, o in self.latest.items() if o.get("state") not in _OPEN)
            self.latest.pop(next(closed, next(iter(self.latest))))
