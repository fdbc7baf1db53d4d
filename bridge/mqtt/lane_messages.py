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
from bridge.mqtt.packet_sizes import PacketSizes
from bridge.runtime.backoff import Backoff

__all__ = ["MessageWriter"]

log = structlog.get_logger()

_KEEP_ALIVE_S = 30
RETRY = Backoff(0.25, 2.0, jitter=(0.5, 1.0))
_STABLE_S = 10.0
"""A connection that lived this long starts the pauses anew."""
_CONFIRM_S = 0.5
"""While there is traffic, how often the broker is asked whether it has arrived."""
_HIGH_WATER = 256 * 1024
"""Bytes that may wait in the library, which would take any number and count none of them."""
_WINDOW = 100
"""Publishes of QoS 1 on the way at once; MQTT 3.1.1 brokers do not say how many they take."""
_AROUND = 34
"""Bytes of a PUBLISH beside its topic and payload, at most."""


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
        on_ping: Callable[[], None] = lambda: None,
        on_pong: Callable[[], None] = lambda: None,
        on_too_large: Callable[[str, bytes, int], None] = lambda topic, payload, limit: None,
    ) -> None:
        self._endpoints: list[tuple[Endpoint, ssl.SSLContext | None]] = [
            (endpoint, endpoint.ssl_context() if endpoint.tls else None) for endpoint in endpoints
        ]
        self._options = Options(client_id, None, True, 0, _WINDOW, _KEEP_ALIVE_S)
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._on_ping, self._on_pong = on_ping, on_pong
        self._on_too_large = on_too_large
        self._sizes = PacketSizes()
        self._written = False
        """Something was written since the last ping."""
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
    ) -> _Publish | None:
        """Return what :meth:`write` takes; None: it is larger than what the broker takes."""
        packet = _Publish(topic, payload, qos, retain, expire_s)
        if not self._takes(packet):
            return None
        self._made += qos
        return packet

    def _takes(self, packet: _Publish) -> bool:
        size = _AROUND + len(packet.topic.encode()) + len(packet.payload)
        if size <= self._sizes.sure:
            return True
        now = asyncio.get_running_loop().time()
        if self._sizes.takes(size, now):
            return True
        self._on_too_large(packet.topic, packet.payload, self._sizes.limit(now) or 0)
        return False

    def write(self, packets: Sequence[_Publish]) -> None:
        """Send; QoS 1 again after a reconnect until acknowledged."""
        self._made = 0
        self._written = True
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
        self._sizes.connected(connection.maximum_packet)
        # In front, in their order: they were on the way before those that never had room.
        self._again.extendleft(reversed(self._inflight.values()))
        self._inflight.clear()
        self._send_again(connection)
        self._on_ready()
        # Not only when ``serve`` returns, which is later: what is written in between would be gone.
        connection.lost.add_done_callback(lambda _: self._forget(connection))
        try:
            reason, _ = await asyncio.gather(connection.serve(), self._confirm(connection))
            log.warning("lane lost", broker=str(connection.endpoint), reason=reason)
            self._sizes.ended(asyncio.get_running_loop().time())
        finally:
            self._forget(connection)
            await connection.close()

    async def _confirm(self, connection: Connection) -> None:
        """Ask what has arrived: brokers read a connection in order, and answer in it."""
        number, again = 0, False
        while not connection.lost.done():
            await asyncio.wait([connection.lost], timeout=_CONFIRM_S)
            if connection.pongs < number:
                continue
            if number:
                number = 0
                self._sizes.answered()
                self._on_pong()
            if self._written or again:
                # Once more after the last record, see Lane.on_pong.
                again, self._written = self._written, False
                number = connection.ping()
                self._sizes.pinged()
                self._on_ping()

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
            packet = self._again.popleft()
            if self._takes(packet):
                self._send(connection, packet)

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
