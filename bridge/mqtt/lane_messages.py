"""The lane's end for MQTT 3.1.1 and WebSockets, which :mod:`bridge.mqtt.lane` does not speak.

It uses the library of the control connection, message by message: about twice the work a record.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from bridge.mqtt.connection import Connection
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.options import Options, RefusedError
from bridge.runtime.backoff import Backoff

__all__ = ["MessageWriter"]

log = structlog.get_logger()

_KEEP_ALIVE_S = 30
RETRY = Backoff(0.25, 15.0, jitter=(0.5, 1.0))
_STABLE_S = 10.0
"""A connection that lived this long starts the pauses anew."""
_HIGH_WATER = 256 * 1024
"""Bytes that may wait in the library, which would take any number and count none of them."""
_WINDOW = 100
"""Publishes of QoS 1 on the way at once; MQTT 3.1.1 brokers do not say how many they take."""


class _Publish(NamedTuple):
    topic: str
    payload: bytes
    qos: int
    retain: bool
    expire_s: int | None


class MessageWriter:
    """An MQTT connection that only publishes; reconnects for ever.

    The same for the lane as :class:`bridge.mqtt.lane.LaneWriter`. MQTT 3.1.1 has no expiry.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        client_id: str,
        *,
        on_ready: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._endpoints: list[tuple[Endpoint, ssl.SSLContext | None]] = [
            (endpoint, endpoint.ssl_context() if endpoint.tls else None) for endpoint in endpoints
        ]
        self._options = Options(client_id, None, True, 0, _WINDOW, _KEEP_ALIVE_S)
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._connection: Connection | None = None
        self._inflight: dict[int, _Publish] = {}
        self._made = 0
        """Packets of QoS 1 that are made and not written yet. They take places in the window, since
        the lane asks for :attr:`ready` between one packet and the next."""
        self._again: deque[_Publish] = deque()
        """QoS 1 that there is no room for yet, most of it of an earlier connection."""
        self.connects = 0

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def ready(self) -> bool:
        """Whether the broker takes more."""
        connection = self._connection
        return (
            connection is not None
            and connection.unsent < _HIGH_WATER
            and not self._again
            and self._room(connection)
        )

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> _Publish:
        """Return what :meth:`write` takes."""
        self._made += qos
        return _Publish(topic, payload, qos, retain, expire_s)

    def write(self, packets: Sequence[_Publish]) -> None:
        """Send; QoS 1 again after a reconnect until acknowledged."""
        self._made = 0
        connection = self._connection
        for packet in packets:
            if connection is not None:
                self._send(connection, packet)
            elif packet.qos:
                self._again.append(packet)

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        attempt = 0
        told: dict[str, str] = {}
        while True:
            endpoint, context = self._endpoints[attempt % len(self._endpoints)]
            attempt += 1
            began = loop.time()
            try:
                connection = await self._connect(endpoint, context)
            except RefusedError as error:
                if told.get(str(endpoint)) != str(error):
                    log.warning("lane not connected", broker=str(endpoint), reason=str(error))
                told[str(endpoint)] = str(error)
            else:
                told.clear()
                await self._serve(connection)
                if loop.time() - began >= _STABLE_S:
                    failures = 0
            failures += 1
            await asyncio.sleep(RETRY.pause(failures))

    async def _connect(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> Connection:
        try:
            return await self._open(endpoint, context, endpoint.version)
        except RefusedError as error:
            if endpoint.version == 4 or not (error.version or error.unanswered):
                raise
        return await self._open(endpoint, context, 4)

    async def _open(
        self, endpoint: Endpoint, context: ssl.SSLContext | None, version: int
    ) -> Connection:
        connection = Connection(
            endpoint,
            version,
            self._options,
            context,
            on_message=_nothing_is_subscribed,
            on_puback=self._acknowledged,
            on_drained=self._drained,
        )
        await connection.open()
        return connection

    async def _serve(self, connection: Connection) -> None:
        self._connection = connection
        self.connects += 1
        version = "5" if connection.v5 else "3.1.1"
        log.info("lane connected", broker=str(connection.endpoint), version=version)
        # In front, in their order: they were on the way before those that never had room.
        self._again.extendleft(reversed(self._inflight.values()))
        self._inflight.clear()
        self._send_again(connection)
        self._on_ready()
        # Not only when ``serve`` returns, which is later: what is written in between would be gone.
        connection.lost.add_done_callback(lambda _: self._forget(connection))
        try:
            reason = await connection.serve()
            log.warning("lane lost", broker=str(connection.endpoint), reason=reason)
        finally:
            self._forget(connection)
            await connection.close()

    def _forget(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            self._on_lost()

    def _room(self, connection: Connection) -> bool:
        return len(self._inflight) + self._made < min(_WINDOW, connection.receive_maximum)

    def _send(self, connection: Connection, packet: _Publish) -> None:
        mid = connection.publish(
            packet.topic,
            packet.payload,
            qos=packet.qos,
            retain=packet.retain,
            expiry_s=packet.expire_s,
        )
        if packet.qos:
            self._inflight[mid] = packet

    def _send_again(self, connection: Connection) -> None:
        while self._again and self._room(connection):
            self._send(connection, self._again.popleft())

    def _acknowledged(self, mid: int, refused: str) -> None:
        if self._inflight.pop(mid, None) is None or (connection := self._connection) is None:
            return  # QoS 0, which paho reports as well
        if refused:
            log.warning("lane publish refused", reason=refused)
        self._send_again(connection)
        if self.ready:
            self._on_ready()

    def _drained(self) -> None:
        if self.ready:
            self._on_ready()


def _nothing_is_subscribed(message: Message) -> None:
    message.ack()
