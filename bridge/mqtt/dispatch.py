"""Messages on their way to the handlers: one after another for each subscription or group."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from bridge.mqtt.message import Handler, Message
from bridge.mqtt.paho_client import matches

__all__ = ["Dispatcher"]

log = structlog.get_logger()

_WAITING = 10_000
"""QoS 0 messages that may wait for one handler; more are dropped and counted. QoS 1 needs no bound
here: the broker sends no more than the receive maximum before PUBACKs come."""
_LONGEST_TOPIC = 4096
"""Bytes. Of a longer one, encoded again, no topic for an answer could be made."""


@dataclass(eq=False, slots=True)
class _Subscription:
    topic_filter: str
    qos: int
    handler: Handler
    ordered_by: Callable[[Message], str] | None
    at_once: Callable[[Message], bool] | None
    lanes: dict[str, deque[Message]] = field(default_factory=dict)
    waiting: int = 0


class Dispatcher:
    """Runs handlers in the task group that it is given; their exceptions are bugs and end it."""

    def __init__(self) -> None:
        self.closing = False
        """Nothing is taken any more; what comes is left to the broker."""
        self.dropped = 0
        """QoS 0 messages that came faster than their handler took them."""
        self.running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.group: asyncio.TaskGroup | None = None
        self._subscriptions: list[_Subscription] = []

    @property
    def filters(self) -> list[tuple[str, int]]:
        """What the broker is asked for: topic filter and QoS."""
        return [(each.topic_filter, each.qos) for each in self._subscriptions]

    def subscribe(
        self,
        topic_filter: str,
        qos: int,
        handler: Handler,
        ordered_by: Callable[[Message], str] | None = None,
        at_once: Callable[[Message], bool] | None = None,
    ) -> None:
        """Give messages under a filter to a handler, the first whose filter they match."""
        self._subscriptions.append(_Subscription(topic_filter, qos, handler, ordered_by, at_once))

    def arrived(self, message: Message) -> None:
        """Take a message from the connection."""
        if self.closing:
            return  # without PUBACK: the broker keeps it for the next session
        if len(message.topic.encode()) > _LONGEST_TOPIC:
            log.warning("message dropped", reason="its topic is too long", topic=message.topic[:80])
            message.ack()
            return
        for subscription in self._subscriptions:
            if matches(subscription.topic_filter, message.topic):
                break
        else:
            # Of an older version's session; unacknowledged it would take a place for ever.
            log.warning("message for nobody", topic=message.topic)
            message.ack()
            return
        if message.qos == 0 and subscription.waiting >= _WAITING:
            if not self.dropped:
                log.warning("messages dropped", filter=subscription.topic_filter)
            self.dropped += 1
            return
        order = subscription.ordered_by
        key = "" if order is None else order(message)
        lane = subscription.lanes.get(key)
        # A turn of the event loop earlier than a task of its own would begin.
        if lane is None and subscription.at_once is not None and subscription.at_once(message):
            message.passed()
            return
        subscription.waiting += 1
        if lane is not None:
            lane.append(message)
            return
        lane = subscription.lanes[key] = deque([message])
        self.start(self._handle(subscription, key, lane))

    async def _handle(self, subscription: _Subscription, key: str, lane: deque[Message]) -> None:
        """Work off one lane; it is gone when empty, so there are as many as there is work for."""
        while lane and not self.closing:
            message = lane.popleft()
            subscription.waiting -= 1
            await subscription.handler(message)
            # PUBACKs leave in the order of arrival. One that is kept back when the handler returns,
            # until the journal has the command, must not hold up those of all later messages.
            message.passed()
            if lane:  # a handler that waits for nothing would keep everybody else waiting
                await asyncio.sleep(0)
        del subscription.lanes[key]

    def start(self, work: Awaitable[None]) -> None:
        """Run what belongs to the client while it is connected."""
        assert self.group is not None  # noqa: S101
        self.running += 1
        self.idle.clear()
        self.group.create_task(self._owned(work))

    async def _owned(self, work: Awaitable[None]) -> None:
        try:
            await work
        except BaseException:
            self.closing = True  # the group takes no more tasks
            raise
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()
