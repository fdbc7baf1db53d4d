"""What the gateway says about orders, seen on its way to the broker."""

from __future__ import annotations

import json
from typing import Any, Protocol

from bridge.mqtt.topics import Topics

__all__ = ["OrdersSeen"]

_MOST = 500
_OPEN = frozenset({"accepted", "partially_filled", "submitting", "unknown"})


class _Publisher(Protocol):
    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes = b"",
    ) -> None: ...


class OrdersSeen:
    """Publishes for the gateway and keeps the newest state of each of today's orders."""

    def __init__(self, publisher: _Publisher, topics: Topics) -> None:
        self._publisher = publisher
        self._prefix = f"{topics.base}/orders/"
        self.latest: dict[str, dict[str, Any]] = {}
        """By topic, the newest last."""
        self.version = 0
        """Counts up with every change."""

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes = b"",
    ) -> None:
        """Publish, and remember what is a state of an order."""
        if topic.startswith(self._prefix) and topic.split("/")[-2] == "state":
            self._see(topic, payload)
        await self._publisher.publish(
            topic, payload, qos=qos, retain=retain, expiry_s=expiry_s, correlation=correlation
        )

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
