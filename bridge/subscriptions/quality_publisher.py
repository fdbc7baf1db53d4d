"""Tells readers how good each value is: one message a change, and none that nothing changed for."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import Annotated

import structlog
from pydantic import Field
from typing_extensions import TypedDict

from bridge.errors import BrokerError
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Publication
from bridge.mqtt.shapes import Microseconds
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import Topics, is_topic
from bridge.runtime.clock import now_us
from bridge.subscriptions.quality import Graded, Quality
from bridge.subscriptions.quality_board import QualityBoard
from bridge.subscriptions.store import SubscriptionStore

__all__ = ["QualityPublisher", "QualityReport"]

log = structlog.get_logger()

_TURN_S = 1.0
_SLICE = 50
"""Messages that may be under way: the acks of orders leave on the same connection."""
_MOST_A_TURN = 1000
"""Topics that are told of after one sweep. Whoever wants and drops thousands of them all the time
must not keep the connection busy; meanwhile only the newest of each waits."""
_TOPICS = "quality-topics.txt"
_MOST_TOPICS = 200_000
_STOPPED = "the bridge has stopped"
_HOPEFUL = frozenset({Quality.LIVE, Quality.ROTATING, Quality.BACKUP})


class QualityReport(TypedDict):
    """How good the newest value of a topic is."""

    quality: Quality
    since: Annotated[Microseconds, Field(description="Since when it has this quality, µs")]
    last_at: Annotated[
        int | None, Field(description="When its newest value arrived, µs; null: none has yet")
    ]
    reason: Annotated[str | None, Field(description="Why, for people; null: all is well")]
    source: Annotated[
        str | None, Field(description="session:ALIAS or rest; null: it comes from nowhere")
    ]


class QualityPublisher:
    """Sweeps the board once a second and publishes what has changed.

    ``store`` keeps the topics that something is retained of, so that a later run takes back what
    nobody wants then.
    """

    def __init__(
        self, board: QualityBoard, control: ControlClient, topics: Topics, store: SubscriptionStore
    ) -> None:
        self.board = board
        self._control, self._topics, self._store = control, topics, store
        self._told: set[str] = set()
        """Topics of which a quality may be retained."""
        self._swept = asyncio.Event()
        self._refused = False
        control.on_connected(self._greet)

    async def run(self) -> None:
        """Do so until cancelled."""
        self._told = await asyncio.to_thread(self._recall)
        async with asyncio.TaskGroup() as tasks:
            # Apart, because the broker may be away and the sweeps go on.
            tasks.create_task(self._tell())
            while True:
                for _ in self.board.sweep(now_us(), time.monotonic()):
                    await asyncio.sleep(0)
                self._swept.set()
                await asyncio.sleep(_TURN_S)

    async def _tell(self) -> None:
        """Publish after each sweep what is new."""
        left_over: set[str] | None = set(self._told)
        while True:
            await self._swept.wait()
            self._swept.clear()
            # A guest has no will that would take back what it said, and its owner says the same.
            if not self._control.connected or self._control.guest:
                continue
            if left_over is not None:
                for topic in left_over.difference(topic for topic, _ in self.board.items()):
                    self.board.end(topic)
                left_over = None
            await self._publish()

    async def close(self) -> None:
        """Take back what will not be true any more when the bridge has left."""
        if self._control.connected and not self._control.guest:
            for topic, graded in self.board.items():
                if topic in self._told and graded.quality in _HOPEFUL:
                    left = Graded(Quality.STALE, now_us(), graded.last_at, _STOPPED, "")
                    await self._control.publish(self._publication(topic, left))

    async def _greet(self) -> None:
        """Tell everything again: a broker that starts anew has none of what was retained."""
        self.board.changed.update(dict.fromkeys(topic for topic, _ in self.board.items()))

    async def _publish(self) -> None:
        changed = self.board.changed
        if new := [topic for topic in changed if topic not in self._told and self.board.of(topic)]:
            # Before the first of them is told: whoever dies in between leaves nothing unknown.
            self._told.update(new)
            await asyncio.to_thread(self._store.write, _TOPICS, "\n".join(self._told))
        for _ in range(_MOST_A_TURN // _SLICE):
            some = list(islice(changed, _SLICE))
            for topic in some:
                del changed[topic]
            unwritten = self.board.withdrawals.unwritten
            cleared, unwritten[:] = unwritten[:_SLICE], unwritten[_SLICE:]
            told = [each for topic in some for each in self._news(topic)]
            told += [Publication(topic, b"", retain=True) for topic in cleared]
            if not told:
                return
            await self._send(told)

    async def _send(self, publications: list[Publication]) -> None:
        try:
            for each in publications:
                # Waiting for the last one keeps them few, whatever the broker does.
                await self._control.publish(each, wait=each is publications[-1])
        except BrokerError as error:
            if not self._refused:
                log.warning("quality not published, more may follow", reason=str(error))
            self._refused = True

    def _news(self, topic: str) -> list[Publication]:
        """Return what is published of a topic that has changed."""
        graded = self.board.of(topic)
        if graded is not None:
            return [self._publication(topic, graded)]
        self._told.discard(topic)
        off = Graded(Quality.OFF, now_us(), None, "nobody wants it any more", "")
        last = self._publication(topic, off)
        return [last, Publication(last.topic, b"", retain=True)]

    def _publication(self, topic: str, graded: Graded) -> Publication:
        report: QualityReport = {
            "quality": graded.quality,
            "since": graded.since,
            "last_at": graded.last_at,
            "reason": graded.reason or None,
            "source": graded.source or None,
        }
        return Publication(self._topics.quality(topic), encode(report), retain=True)

    def _recall(self) -> set[str]:
        """Return the topics of the run before."""
        ours = f"{self._topics.base}/market/"
        topics = self._store.read(_TOPICS).split("\n")[:_MOST_TOPICS]
        return {topic for topic in topics if topic.startswith(ours) and is_topic(topic)}
