"""The control connection: requests, commands, acks and states.

A reconnect makes a new `Connection`, so that nothing of the old one (packet ids, half-read
packets, late PUBACKs) can reach it. What has to survive is kept here: publishes without PUBACK,
subscriptions, messages that wait for a handler. Sockets are driven by the event loop's readers
and writers; there is no network thread (on Windows that needs asyncio's selector loop).
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from bridge.errors import BrokerError
from bridge.mqtt.connection import Connection, Options, RefusedError, matches
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Handler, Message, Will
from bridge.mqtt.topics import is_topic

__all__ = ["ControlClient", "Message", "Will"]

log = structlog.get_logger()

_STABLE_S = 10.0
"""A connection that lived this long starts the back-off anew."""
_WAITING = 10_000
"""QoS 0 messages that may wait for one handler; more are dropped and counted."""
_LONGEST_TOPIC = 4096
"""Bytes. Of a longer one, encoded again, no topic for an answer could be made."""
_LEFT = "the client has left"
_EXPIRED = "expired before it could be sent"
_AROUND = 64
"""Bytes of a PUBLISH beside its texts and payload, at most."""


@dataclass(eq=False, slots=True)
class _Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    expires_at: float | None
    correlation: bytes
    response_topic: str
    done: asyncio.Future[str]
    """Blank, or why it did not reach the broker."""
    counted: bool = True
    """Takes a place in the queue; birth and will do not."""


@dataclass(eq=False, slots=True)
class _Subscription:
    topic_filter: str
    qos: int
    handler: Handler
    ordered_by: Callable[[Message], str] | None
    lanes: dict[str, deque[Message]] = field(default_factory=dict)
    waiting: int = 0


class ControlClient:
    """An MQTT client that keeps itself connected while `run` runs.

    Endpoints are tried in turn; MQTT 5 first, 3.1.1 where the broker refuses it.

    Order: publishes of one topic reach the broker in the order of the calls. Messages of one
    subscription are handled one after another, or so within each group that ``ordered_by`` names.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        client_id: str,
        will: Will | None = None,
        clean: bool = False,
        session_expiry_s: int = 3600,
        receive_maximum: int = 100,
        window: int = 100,
        queue_limit: int = 10_000,
        keep_alive_s: int = 30,
        backoff: tuple[float, float] = (0.5, 30.0),
        leave_s: float = 3.0,
    ) -> None:
        """Prepare; nothing is connected before `run`.

        :param clean: leave no session behind; for a client that comes once.
        :param window: publishes of QoS 1 that may be on the way to the broker at once.
        :param queue_limit: publishes of QoS 1 that may wait; more make `publish` wait.
        :param backoff: seconds before the first and the longest pause between tries.
        :param leave_s: the longest that the last publishes may take when `run` ends.
        :raises ConfigError: a certificate or key cannot be read.
        """
        if not endpoints:
            raise ValueError("at least one endpoint")
        self._endpoints: list[tuple[Endpoint, ssl.SSLContext | None]] = [
            (endpoint, endpoint.ssl_context() if endpoint.tls else None) for endpoint in endpoints
        ]
        self._versions = [endpoint.version for endpoint in endpoints]
        self._options = Options(
            client_id, will, clean, session_expiry_s, receive_maximum, keep_alive_s
        )
        self._will = will
        self._window = window
        self._backoff = backoff
        self._leave_s = leave_s
        self._subscriptions: list[_Subscription] = []
        self._greeters: list[Callable[[], Awaitable[None]]] = []
        self._outbox: deque[_Publish] = deque()
        self._inflight: dict[int, _Publish] = {}
        self._room = asyncio.Semaphore(queue_limit)
        self._connection: Connection | None = None
        self._group: asyncio.TaskGroup | None = None
        self._closing = self._left = self._over = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._gone = asyncio.Event()
        self._drained: asyncio.Future[None] | None = None
        self._waiters: list[tuple[asyncio.Future[None], bool]] = []
        self._reasons: dict[str, str] = {}
        self._refused: list[str] = []
        self.connects = 0
        self.dropped = 0
        """QoS 0 messages lost: published while not connected, or faster than their handler."""

    # for the application

    @property
    def connected(self) -> bool:
        """Whether the broker has taken connection and subscriptions."""
        return self._connection is not None

    @property
    def version(self) -> str:
        """``5`` or ``3.1.1`` while connected, else blank."""
        return "" if self._connection is None else "5" if self._connection.v5 else "3.1.1"

    @property
    def backlog(self) -> int:
        """Publishes of QoS 1 that the broker has not acknowledged yet."""
        return len(self._outbox) + len(self._inflight)

    def subscribe(
        self,
        topic_filter: str,
        qos: int,
        handler: Handler,
        *,
        ordered_by: Callable[[Message], str] | None = None,
    ) -> None:
        """Give messages under ``topic_filter`` to ``handler``; call before `run`.

        A message goes to the first subscription that it matches. An exception of the handler is
        a bug and ends `run`.
        """
        if self._group is not None:
            raise RuntimeError("subscribe before run()")
        self._subscriptions.append(_Subscription(topic_filter, qos, handler, ordered_by))

    def on_connected(self, greeter: Callable[[], Awaitable[None]]) -> None:
        """Call ``greeter`` after each connect: the place to publish retained topics again."""
        self._greeters.append(greeter)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: float | None = None,
        correlation: bytes = b"",
        response_topic: str = "",
        wait: bool = False,
    ) -> None:
        """Publish; returns at once, with ``wait`` when the broker has acknowledged.

        QoS 1 is kept and sent again until acknowledged, across reconnects, unless it expires
        first; QoS 0 is dropped while not connected. Waits while ``queue_limit`` is reached.

        :raises BrokerError: with ``wait`` only: refused, expired, or the client has left.
        :raises ValueError: no broker takes this topic.
        """
        if qos not in (0, 1):
            raise ValueError("QoS 0 or 1")
        if not is_topic(topic):
            raise ValueError(f"{topic[:80]!r} is not a topic to publish on")
        if qos == 0 and self._connection is None:
            self.dropped += 1
            return
        loop = asyncio.get_running_loop()
        item = _Publish(
            topic,
            payload,
            qos,
            retain,
            None if expiry_s is None else loop.time() + expiry_s,
            correlation,
            response_topic,
            loop.create_future(),
        )
        if qos == 0:
            self._send(item)
            return
        await self._room.acquire()
        if self._over:
            self._finish(item, _LEFT)
        else:
            self._outbox.append(item)
            self._pump()
        if wait and (why := await asyncio.shield(item.done)):
            raise BrokerError(f"publish on {topic}: {why}")

    async def wait_connected(
        self, *, fail_fast: bool = False, deadline_s: float | None = None
    ) -> None:
        """Wait until connected and subscribed.

        :param fail_fast: give up when every endpoint was tried once, or the broker refuses a
            subscription, instead of trying on.
        :raises BrokerError: one line with host, port and reason of each endpoint.
        """
        if self.connected:
            if fail_fast and self._refused:
                raise self._subscriptions_refused()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((waiter, fail_fast))
        try:
            async with asyncio.timeout(deadline_s):
                await waiter
        except TimeoutError:
            raise self._unreachable(f"not connected within {deadline_s} s") from None

    async def close(self, deadline_s: float = 5.0) -> None:
        """Leave in good order: running handlers finish, waiting messages are left to the broker.

        `run` then publishes the will, disconnects and returns.
        """
        self._closing = True
        try:
            async with asyncio.timeout(deadline_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("handlers left behind", running=self._running, waited_s=deadline_s)
        self._gone.set()

    async def run(self) -> None:
        """Connect, stay connected and run the handlers, until cancelled or closed."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                connecting = group.create_task(self._stay_connected())
                try:
                    await self._gone.wait()
                finally:
                    self._closing = True
                    await self._leave()
                    connecting.cancel()
        finally:
            self._forsake()

    # connecting

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = index = 0
        while True:
            for _ in self._endpoints:
                connection = await self._connect(index)
                if connection is not None:
                    break
                index = (index + 1) % len(self._endpoints)
            else:
                self._tell(self._unreachable())
            if connection is not None:
                since = loop.time()
                self._established(connection)
                reason = await connection.serve()
                if self._left:
                    return
                self._lost(connection, reason)
                if loop.time() - since >= _STABLE_S:
                    attempt = 0
            first, longest = self._backoff
            pause = min(longest, first * 2 ** min(attempt, 16))
            attempt += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def _connect(self, index: int) -> Connection | None:
        endpoint, context = self._endpoints[index]
        try:
            try:
                connection = await self._open(endpoint, context, self._versions[index])
            except RefusedError as error:
                if self._versions[index] == 4 or not (error.version or error.unanswered):
                    raise
                connection = await self._open(endpoint, context, 4)
                if error.version:  # certain; a connection closed unanswered may be chance
                    self._versions[index] = 4
        except RefusedError as error:
            if self._reasons.get(str(endpoint)) != str(error):
                log.warning("broker not connected", broker=str(endpoint), reason=str(error))
            self._reasons[str(endpoint)] = str(error)
            return None
        self._reasons.clear()
        return connection

    async def _open(
        self, endpoint: Endpoint, context: ssl.SSLContext | None, version: int
    ) -> Connection:
        connection = Connection(
            endpoint,
            version,
            self._options,
            context,
            on_message=self._arrived,
            on_puback=self._acknowledged,
        )
        await connection.open()
        try:
            self._refused = await connection.subscribe(
                [(s.topic_filter, s.qos) for s in self._subscriptions]
            )
        except BaseException:
            connection.abort()
            raise
        return connection

    def _established(self, connection: Connection) -> None:
        self.connects += 1
        self._connection = connection
        log.info(
            "broker connected",
            broker=str(connection.endpoint),
            version=self.version,
            session="kept" if connection.session_present else "new",
        )
        for refused in self._refused:
            log.error("subscription refused", broker=str(connection.endpoint), filter=refused)
        if self._will is not None and self._will.birth:
            self._outbox.appendleft(self._state(self._will, self._will.birth))
        self._pump()
        self._tell(None)
        if not self._closing:
            for greeter in self._greeters:
                self._start(greeter())

    def _lost(self, connection: Connection, reason: str) -> None:
        log.warning("broker lost", broker=str(connection.endpoint), reason=reason)
        self._connection = None
        # In the order of the calls, before what was never sent; a birth is made anew.
        again = [item for item in self._inflight.values() if item.counted]
        self._outbox.extendleft(reversed(again))
        self._inflight.clear()

    def _tell(self, failure: BrokerError | None) -> None:
        """Wake `wait_connected`: all on success, the impatient on failure."""
        if failure is None and self._refused:
            failure = self._subscriptions_refused()
        kept = []
        for waiter, fail_fast in self._waiters:
            if waiter.done():
                continue
            if failure is not None and fail_fast:
                waiter.set_exception(failure)
            elif self.connected:
                waiter.set_result(None)
            else:
                kept.append((waiter, fail_fast))
        self._waiters = kept

    def _unreachable(self, otherwise: str = "") -> BrokerError:
        reasons = [f"{broker}: {reason}" for broker, reason in self._reasons.items()]
        if not reasons:
            reasons = [f"{self._endpoints_shown()}: {otherwise}"]
        return BrokerError(f"MQTT broker {'; '.join(reasons)}")

    def _subscriptions_refused(self) -> BrokerError:
        return BrokerError(
            f"MQTT broker {self._endpoints_shown()}: subscription to {'; '.join(self._refused)}"
        )

    def _endpoints_shown(self) -> str:
        return ", ".join(str(endpoint) for endpoint, _ in self._endpoints)

    # out

    def _pump(self) -> None:
        """Send what waits, as far as the window of unacknowledged publishes allows."""
        while (
            self._outbox
            and (connection := self._connection) is not None
            and len(self._inflight) < min(self._window, connection.receive_maximum)
        ):
            item = self._outbox.popleft()
            sent = self._send(item)
            if isinstance(sent, int):
                self._inflight[sent] = item
            else:
                self._finish(item, sent)

    def _send(self, item: _Publish) -> int | str:
        """Return the packet id, or why the publish cannot be sent."""
        assert self._connection is not None  # noqa: S101
        texts = len(item.correlation) + len((item.topic + item.response_topic).encode())
        if _AROUND + texts + len(item.payload) > self._connection.maximum_packet:
            # The broker would hang up, and be sent it again after each reconnect.
            size = f"{len(item.payload)} bytes are more than the broker takes"
            log.warning("publish dropped", topic=item.topic, reason=size)
            return size
        expiry_s = None
        if item.expires_at is not None:
            expiry_s = math.ceil(item.expires_at - asyncio.get_running_loop().time())
            if expiry_s <= 0:
                return _EXPIRED
        return self._connection.publish(
            item.topic,
            item.payload,
            qos=item.qos,
            retain=item.retain,
            expiry_s=expiry_s,
            correlation=item.correlation,
            response_topic=item.response_topic,
        )

    def _acknowledged(self, mid: int, refused: str) -> None:
        item = self._inflight.pop(mid, None)
        if item is None:
            return  # QoS 0: paho reports those, too
        if refused:
            log.warning("publish refused", topic=item.topic, reason=refused)
        self._finish(item, refused)
        self._pump()

    def _finish(self, item: _Publish, why: str) -> None:
        if item.counted:
            self._room.release()
        if not item.done.done():
            item.done.set_result(why)
        if self._drained is not None and not self.backlog and not self._drained.done():
            self._drained.set_result(None)

    def _state(self, will: Will, payload: bytes) -> _Publish:
        done = asyncio.get_running_loop().create_future()
        return _Publish(will.topic, payload, 1, will.retain, None, b"", "", done, counted=False)

    async def _leave(self) -> None:
        self._left = True
        connection = self._connection
        if connection is None:
            return  # the broker has published the will
        if self._will is not None:
            self._outbox.append(self._state(self._will, self._will.payload))
        if self.backlog:
            self._drained = asyncio.get_running_loop().create_future()
            self._pump()
            either: list[asyncio.Future[Any]] = [self._drained, connection.lost]
            await asyncio.wait(either, timeout=self._leave_s, return_when=asyncio.FIRST_COMPLETED)
        if self.backlog:
            log.warning("left with publishes unsent", count=self.backlog)
        await connection.close()

    def _forsake(self) -> None:
        self._over = True
        self._group = None
        self._connection = None
        for item in (*self._inflight.values(), *self._outbox):
            self._finish(item, _LEFT)
        self._inflight.clear()
        self._outbox.clear()
        for waiter, _ in self._waiters:
            if not waiter.done():
                waiter.set_exception(self._unreachable(_LEFT))
        self._waiters.clear()

    # in

    def _arrived(self, message: Message) -> None:
        if self._closing:
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
        subscription.waiting += 1
        lane = subscription.lanes.get(key)
        if lane is not None:
            lane.append(message)
            return
        lane = subscription.lanes[key] = deque([message])
        self._start(self._handle(subscription, key, lane))

    async def _handle(self, subscription: _Subscription, key: str, lane: deque[Message]) -> None:
        """Work off one lane; it is gone when empty, so there are as many as there is work for."""
        while lane and not self._closing:
            message = lane.popleft()
            subscription.waiting -= 1
            await subscription.handler(message)
            message.passed()
        del subscription.lanes[key]

    def _start(self, work: Awaitable[None]) -> None:
        assert self._group is not None  # noqa: S101
        self._running += 1
        self._idle.clear()
        self._group.create_task(self._owned(work))

    async def _owned(self, work: Awaitable[None]) -> None:
        try:
            await work
        except BaseException:
            self._closing = True  # the group takes no more tasks
            raise
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
