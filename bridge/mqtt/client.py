"""The control connection: requests, commands, acks and states.

A reconnect makes a new `Connection`, so that nothing of the old one (packet ids, half-read
packets, late PUBACKs) can reach it. What has to survive is kept here: publishes without PUBACK,
subscriptions, messages that wait for a handler. Sockets are driven by the event loop's readers
and writers; there is no network thread (on Windows that needs asyncio's selector loop).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from bridge.errors import BrokerError
from bridge.mqtt.connection import Connection
from bridge.mqtt.dialer import Dialer
from bridge.mqtt.dispatch import Dispatcher
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Handler, Message, Publication, Will
from bridge.mqtt.options import Options
from bridge.mqtt.outgoing import LEFT, Outgoing, QueuedPublish
from bridge.mqtt.packets import PacketFilter
from bridge.mqtt.topics import is_topic
from bridge.mqtt.waiters import Waiters
from bridge.runtime.backoff import Backoff
from bridge.runtime.clock import now_us
from bridge.runtime.pulse import Pulse

__all__ = ["ControlClient", "Message", "Will"]

log = structlog.get_logger()

_RETRY = Backoff(0.25, 2.0, jitter=(0.5, 1.0))
"""However long the broker was away: a try costs little, and orders wait for the next one."""
_STABLE_S = 10.0
"""A connection that lived this long starts the back-off anew."""


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
        backoff: Backoff = _RETRY,
        leave_s: float = 3.0,
        clock: Callable[[], int] = now_us,
        pulse: Pulse | None = None,
        packets: PacketFilter | None = None,
    ) -> None:
        """Prepare; nothing is connected before `run`.

        :param clean: leave no session behind; for a client that comes once.
        :param window: publishes of QoS 1 that may be on the way to the broker at once.
        :param queue_limit: publishes of QoS 1 that may wait; more make `publish` wait.
        :param backoff: the pauses between tries.
        :param leave_s: the longest that the last publishes may take when `run` ends.
        :param clock: µs since the epoch, for when messages came.
        :param pulse: tells whether this process stood still; without one it never did.
        :param packets: what is let in; without it whatever can be decoded.
        :raises ConfigError: a certificate or key cannot be read.
        """
        if not endpoints:
            raise ValueError("at least one endpoint")
        self._dialer = Dialer(endpoints, self._made, self._filters)
        self._options = Options(
            client_id, will, clean, session_expiry_s, receive_maximum, keep_alive_s, packets
        )
        self._own_options = self._options
        self._backoff = backoff
        self._leave_s = leave_s
        self._clock, self._pulse = clock, pulse
        self._dispatcher = Dispatcher()
        self._outgoing = Outgoing(window, queue_limit)
        self._greeters: list[Callable[[], Awaitable[None]]] = []
        self._rivals: list[Callable[[], None]] = []
        self._gate: Callable[[], Awaitable[None]] | None = None
        self._connection: Connection | None = None
        self._left = False
        self._gone = asyncio.Event()
        self._waiters = Waiters()
        self._unsent = 0
        self.connects = 0

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
    def session_present(self) -> bool:
        """Whether the broker had a session of this client when it connected last."""
        return self._connection is not None and self._connection.session_present

    @property
    def maximum_packet(self) -> int:
        """Bytes of the largest packet that the broker takes, as far as it says."""
        return 0xFFFFFFF if self._connection is None else self._connection.maximum_packet

    @property
    def client_id(self) -> str:
        """Its own, whether it uses it now or not."""
        return self._own_options.client_id

    @property
    def endpoints(self) -> list[Endpoint]:
        """The brokers it tries."""
        return self._dialer.endpoints

    @property
    def backlog(self) -> int:
        """Publishes of QoS 1 that the broker has not acknowledged yet."""
        return self._outgoing.backlog

    @property
    def dropped(self) -> int:
        """QoS 0 messages lost: published while not connected, or faster than their handler."""
        return self._unsent + self._dispatcher.dropped

    def subscribe(
        self,
        topic_filter: str,
        qos: int,
        handler: Handler,
        *,
        ordered_by: Callable[[Message], str] | None = None,
        at_once: Callable[[Message], bool] | None = None,
    ) -> None:
        """Give messages under ``topic_filter`` to ``handler``; call before `run`.

        A message goes to the first subscription that it matches; to ``at_once`` first, when none
        before it waits, which tells whether it has taken it. An exception of either is a bug and
        ends `run`.
        """
        if self._dispatcher.group is not None:
            raise RuntimeError("subscribe before run()")
        self._dispatcher.subscribe(topic_filter, qos, handler, ordered_by, at_once)

    def on_connected(self, greeter: Callable[[], Awaitable[None]]) -> None:
        """Call ``greeter`` after each connect: the place to publish retained topics again."""
        self._greeters.append(greeter)

    def on_taken_over(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` whenever another client came under this client id (MQTT 5 says so)."""
        self._rivals.append(tell)

    def wait_for(self, gate: Callable[[], Awaitable[None]]) -> None:
        """Await ``gate`` before each reconnect: the session is not to be taken from others."""
        self._gate = gate

    @property
    def guest(self) -> bool:
        """Whether it only publishes, under another client id; see `stand_by`."""
        return self._options is not self._own_options

    async def stand_by(self, client_id: str) -> None:
        """Only publish, under this client id, so that the session and its messages are others'.

        There is no will then, no birth, and no subscription, until `come_forward`.
        """
        self._options = replace(self._own_options, client_id=client_id, will=None, clean=True)
        await self._reconnect()

    async def come_forward(self) -> None:
        """Be who one is again: with session, will and subscriptions."""
        self._options = self._own_options
        await self._reconnect()

    async def _reconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def publish(self, publication: Publication, *, wait: bool = False) -> None:
        """Publish; returns at once, with ``wait`` when the broker has acknowledged.

        QoS 1 is kept and sent again until acknowledged, across reconnects, unless it expires
        first; QoS 0 is dropped while not connected. Waits while ``queue_limit`` is reached.

        :raises BrokerError: with ``wait`` only: refused, expired, or the client has left.
        :raises ValueError: no broker takes this topic.
        """
        topic = publication.topic
        if publication.qos not in (0, 1):
            raise ValueError("QoS 0 or 1")
        if not is_topic(topic.removeprefix("$CONTROL/")):  # which asks the broker itself
            raise ValueError(f"{topic[:80]!r} is not a topic to publish on")
        if publication.qos == 0 and self._connection is None:
            self._unsent += 1
            return
        loop = asyncio.get_running_loop()
        expiry_s = publication.expiry_s
        expires_at = None if expiry_s is None else loop.time() + expiry_s
        item = QueuedPublish(publication, expires_at, loop.create_future())
        if publication.qos == 0:
            self._outgoing.send(item)
            return
        await self._outgoing.put(item)
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
            if fail_fast and self._dialer.refused:
                raise self._dialer.subscriptions_refused()
            return
        try:
            await self._waiters.wait(fail_fast=fail_fast, deadline_s=deadline_s)
        except TimeoutError:
            raise self._dialer.unreachable(f"not connected within {deadline_s} s") from None

    async def close(self, deadline_s: float = 5.0) -> None:
        """Leave in good order: running handlers finish, waiting messages are left to the broker.

        `run` then publishes the will, disconnects and returns.
        """
        # Nothing new is taken first, so that there is an end to what has to be finished.
        self._dispatcher.closing = True
        try:
            async with asyncio.timeout(deadline_s):
                await self._dispatcher.idle.wait()
        except TimeoutError:
            running = self._dispatcher.running
            log.warning("handlers left behind", running=running, waited_s=deadline_s)
        self._gone.set()

    async def run(self) -> None:
        """Connect, stay connected and run the handlers, until cancelled or closed."""
        try:
            async with asyncio.TaskGroup() as group:
                self._dispatcher.group = group
                connecting = group.create_task(self._stay_connected())
                try:
                    await self._gone.wait()
                finally:
                    self._dispatcher.closing = True
                    await self._leave()
                    connecting.cancel()
        finally:
            self._forsake()

    # connecting

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            connection = await self._dialer.dial()
            if connection is None:
                self._tell(self._dialer.unreachable())
            else:
                since = loop.time()
                self._established(connection)
                reason = await connection.serve()
                if self._left:
                    return
                self._lost(connection, reason)
                if loop.time() - since >= _STABLE_S:
                    failures = 0
            failures += 1
            await asyncio.sleep(self._backoff.pause(failures))
            if self._gate is not None:
                await self._gate()

    def _made(self, endpoint: Endpoint, version: int, context: ssl.SSLContext | None) -> Connection:
        return Connection(
            endpoint,
            version,
            self._options,
            context,
            on_message=self._dispatcher.arrived,
            on_puback=self._outgoing.acknowledged,
            clock=self._clock,
            pulse=self._pulse,
        )

    def _filters(self) -> list[tuple[str, int]]:
        return [] if self.guest else self._dispatcher.filters

    def _established(self, connection: Connection) -> None:
        self.connects += 1
        self._connection = connection
        log.info(
            "broker connected",
            broker=str(connection.endpoint),
            version=self.version,
            session="kept" if connection.session_present else "new",
        )
        for refused in self._dialer.refused:
            log.error("subscription refused", broker=str(connection.endpoint), filter=refused)
        will = self._options.will
        birth = [self._state(will, will.birth)] if will is not None and will.birth else []
        self._outgoing.attach(connection, *birth)
        self._tell(None)
        if not self._dispatcher.closing:
            for greeter in self._greeters:
                self._dispatcher.start(greeter())

    def _lost(self, connection: Connection, reason: str) -> None:
        log.warning("broker lost", broker=str(connection.endpoint), reason=reason)
        self._connection = None
        self._outgoing.detach()
        if connection.taken_over:
            for tell in self._rivals:
                tell()

    def _tell(self, failure: BrokerError | None) -> None:
        """Wake `wait_connected`: all on success, the impatient on failure."""
        if failure is None and self._dialer.refused:
            failure = self._dialer.subscriptions_refused()
        self._waiters.tell(failure, connected=self.connected)

    def _state(self, will: Will, payload: bytes) -> QueuedPublish:
        done = asyncio.get_running_loop().create_future()
        publication = Publication(will.topic, payload, retain=will.retain)
        return QueuedPublish(publication, None, done, counted=False)

    async def _leave(self) -> None:
        self._left = True
        connection = self._connection
        if connection is None:
            return  # the broker has published the will
        will = self._options.will
        last = None if will is None else self._state(will, will.payload)
        await self._outgoing.drain(last, self._leave_s)
        await connection.close()

    def _forsake(self) -> None:
        self._dispatcher.group = None
        self._connection = None
        self._outgoing.give_up()
        self._waiters.give_up(self._dialer.unreachable(LEFT))
