"""Publishes on their way to the broker: kept until acknowledged, whatever the connection does.

Order: publishes of one topic reach the broker in the order in which they came, those that are to
go later behind all others.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import structlog

from bridge.mqtt.connection import Connection
from bridge.mqtt.message import Publication

__all__ = ["LEFT", "Outgoing", "QueuedPublish"]

log = structlog.get_logger()

LEFT = "the client has left"
_EXPIRED = "expired before it could be sent"
_AROUND = 64
"""Bytes of a PUBLISH beside its texts and payload, at most."""


@dataclass(eq=False, slots=True)
class QueuedPublish:
    """A publish on its way to the broker; ``expires_at`` in seconds of the event loop."""

    publication: Publication
    expires_at: float | None
    done: asyncio.Future[str]
    """Blank, or why it did not reach the broker."""
    counted: bool = True
    """Takes a place in the queue; birth and will do not."""


class Outgoing:
    """The queue of one client.

    ``window``: publishes of QoS 1 that may be on the way at once; ``limit``: that may wait.
    """

    def __init__(self, window: int, limit: int) -> None:
        self._window = window
        self._waiting: deque[QueuedPublish] = deque()
        self._later: deque[QueuedPublish] = deque()
        self._inflight: dict[int, QueuedPublish] = {}
        self._room = asyncio.Semaphore(limit)
        self._connection: Connection | None = None
        self._over = False
        self._drained: asyncio.Future[None] | None = None

    @property
    def backlog(self) -> int:
        """Publishes of QoS 1 that the broker has not acknowledged yet."""
        return len(self._waiting) + len(self._later) + len(self._inflight)

    async def put(self, item: QueuedPublish) -> None:
        """Send it in its turn; waits while the queue is full."""
        # Whoever publishes faster than the broker takes has to slow down: memory has an end, and
        # nothing of QoS 1 may be dropped.
        await self._room.acquire()
        if self._over:
            self.finish(item, LEFT)
        else:
            (self._later if item.publication.later else self._waiting).append(item)
            self.pump()

    def attach(self, connection: Connection, *first: QueuedPublish) -> None:
        """Send over a connection from now on, ``first`` before everything that waits."""
        self._connection = connection
        self._waiting.extendleft(reversed(first))
        self.pump()

    def detach(self) -> None:
        """Keep everything: what was on the way goes first, before what was never sent."""
        self._connection = None
        # A birth is made anew for the next connection: the old one would say it twice.
        again = [item for item in self._inflight.values() if item.counted]
        self._waiting.extendleft(reversed(again))
        self._inflight.clear()

    async def drain(self, last: QueuedPublish | None, wait_s: float) -> None:
        """Send ``last`` behind everything else; return when all is acknowledged, lost or late."""
        self._waiting.extend(self._later)
        self._later.clear()
        if last is not None:
            self._waiting.append(last)
        if self.backlog and self._connection is not None:
            self._drained = asyncio.get_running_loop().create_future()
            self.pump()
            either: list[asyncio.Future[Any]] = [self._drained, self._connection.lost]
            await asyncio.wait(either, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        if self.backlog:
            log.warning("left with publishes unsent", count=self.backlog)

    def give_up(self) -> None:
        """Send nothing any more, and say so to whoever waits."""
        self._over = True
        self._connection = None
        for item in (*self._inflight.values(), *self._waiting, *self._later):
            self.finish(item, LEFT)
        for those in (self._inflight, self._waiting, self._later):
            those.clear()

    def pump(self) -> None:
        """Send what waits, as far as the window of unacknowledged publishes allows."""
        while (connection := self._connection) is not None:
            most, under_way = min(self._window, connection.receive_maximum), len(self._inflight)
            if self._waiting and under_way < most:
                item = self._waiting.popleft()
            elif self._later and under_way <= (most - 1) // 2:  # the rest is for what must not wait
                item = self._later.popleft()
            else:
                break
            sent = self.send(item)
            if isinstance(sent, int):
                self._inflight[sent] = item
            else:
                self.finish(item, sent)

    def send(self, item: QueuedPublish) -> int | str:
        """Return the packet id, or why the publish cannot be sent."""
        assert self._connection is not None  # noqa: S101
        said = item.publication
        texts = len(said.correlation) + len((said.topic + said.response_topic).encode())
        if _AROUND + texts + len(said.payload) > self._connection.maximum_packet:
            # The broker would hang up, and be sent it again after each reconnect.
            size = f"{len(said.payload)} bytes are more than the broker takes"
            log.warning("publish dropped", topic=said.topic, reason=size)
            return size
        expiry_s = None
        if item.expires_at is not None:
            expiry_s = math.ceil(item.expires_at - asyncio.get_running_loop().time())
            if expiry_s <= 0:
                return _EXPIRED
        return self._connection.publish(
            said.topic,
            said.payload,
            qos=said.qos,
            retain=said.retain,
            expiry_s=expiry_s,
            correlation=said.correlation,
            response_topic=said.response_topic,
        )

    def acknowledged(self, mid: int, refused: str) -> None:
        """Take a PUBACK; ``refused`` is blank or the broker's reason."""
        item = self._inflight.pop(mid, None)
        if item is None:
            return  # QoS 0: paho reports those, too
        if refused:
            log.warning("publish refused", topic=item.publication.topic, reason=refused)
        self.finish(item, refused)
        self.pump()

    def finish(self, item: QueuedPublish, why: str) -> None:
        """Tell whoever waits for a publish that it is there, or why it is not."""
        if item.counted:
            self._room.release()
        if not item.done.done():
            item.done.set_result(why)
        if self._drained is not None and not self.backlog and not self._drained.done():
            self._drained.set_result(None)
