"""The connection that market data is written to: many PUBLISH packets in one write.

MQTT 5 over TCP or TLS, with the packets of a codec library. WebSockets and MQTT 3.1.1 are for
:mod:`bridge.mqtt.lane_messages`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

import mqtt5
import structlog

from bridge.errors import BrokerError
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.liveness import TICK_S, Liveness, Sign, unacknowledged
from bridge.mqtt.packet_sizes import PacketSizes
from bridge.mqtt.paho_client import NO_ANSWER, why
from bridge.runtime.backoff import Backoff

__all__ = ["LaneWriter"]

log = structlog.get_logger()

KEEP_ALIVE_S = 30
_CONNECT_S = 5.0
"""For the handshakes and the CONNACK together: a port that takes connections and says nothing must
not keep this from trying the next broker."""
RETRY = Backoff(0.25, 2.0, jitter=(0.5, 1.0))
_TAKEN = (mqtt5.PubAckReasonCode.SUCCESS, mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS)
_TOO_LARGE = mqtt5.DisconnectReasonCode.PACKET_TOO_LARGE
_STABLE_S = 10.0
"""A connection that lived this long starts the pauses anew."""
_HIGH_WATER = 256 * 1024
"""Bytes that may wait in the socket before records wait in the lane, where they are counted."""


class LaneWriter:
    """An MQTT connection that only publishes; reconnects for ever.

    Call :meth:`write` only while :attr:`ready`. ``on_ready`` is called when it becomes so,
    ``on_lost`` when the connection is gone. Brokers read a connection in order, so an answered
    ping means that everything written before it has arrived: ``on_ping`` is called when one is
    sent (twice a second while there is traffic), ``on_pong`` when it is answered.
    ``on_too_large(topic, payload, limit)`` is told what the broker would hang up for.
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
        self._endpoints = [
            (endpoint, endpoint.ssl_context() if endpoint.tls else None) for endpoint in endpoints
        ]
        self._sizes = PacketSizes()
        self._client_id = client_id
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._on_ping, self._on_pong = on_ping, on_pong
        self._on_too_large = on_too_large
        self._connection: _Connection | None = None
        self._unacknowledged: dict[int, mqtt5.PublishPacket] = {}
        self._again: deque[int] = deque()
        """Those of an earlier connection that this one has no room for yet."""
        self._next_id = 0
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
            and connection.writable
            and not self._again
            and len(self._unacknowledged) < connection.receive_maximum
        )

    def write(self, packets: Sequence[bytes]) -> None:
        """Send what :meth:`packet` made, in one write."""
        if self._connection is not None:
            self._connection.write(b"".join(packets))

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> bytes | None:
        """Return a PUBLISH; with QoS 1 it is sent again after a reconnect until acknowledged.

        None: it is larger than what the broker takes.
        """
        if not qos:
            made = mqtt5.PublishPacket(
                topic, payload, retain=retain, message_expiry_interval=expire_s
            ).write()
            large = len(made) > self._sizes.sure
            return None if large and not self._takes(len(made), topic, payload) else made
        self._next_id = self._next_id % 0xFFFF + 1
        while self._next_id in self._unacknowledged:
            self._next_id = self._next_id % 0xFFFF + 1
        packet = mqtt5.PublishPacket(
            topic,
            payload,
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            packet_id=self._next_id,
            retain=retain,
            message_expiry_interval=expire_s,
        )
        made = packet.write()
        if not self._takes(len(made), topic, payload):
            return None
        self._unacknowledged[self._next_id] = packet
        return made

    def _takes(self, size: int, topic: str, payload: bytes) -> bool:
        now = asyncio.get_running_loop().time()
        if self._sizes.takes(size, now):
            return True
        self._on_too_large(topic, payload, self._sizes.limit(now) or 0)
        return False

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
            except (OSError, BrokerError) as error:
                reason = str(error) if isinstance(error, BrokerError) else why(error)
                if told.get(str(endpoint)) != reason:
                    log.warning("lane not connected", broker=str(endpoint), reason=reason)
                told[str(endpoint)] = reason
            else:
                told.clear()
                try:
                    reason = await self._serve(connection, endpoint)
                    if connection.lost.done():
                        self._sizes.ended(loop.time(), too_large=connection.too_large)
                finally:
                    self.forget(connection)
                    connection.close()
                log.warning("lane lost", broker=str(endpoint), reason=reason)
                if loop.time() - began >= _STABLE_S:
                    failures = 0
            failures += 1
            await asyncio.sleep(RETRY.pause(failures))

    async def _connect(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> _Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_S):
            _, connection = await loop.create_connection(
                lambda: _Connection(self),
                endpoint.host,
                endpoint.port,
                ssl=context,
            )
            try:
                connection.transport.write(
                    mqtt5.ConnectPacket(
                        self._client_id,
                        username=endpoint.username or None,
                        password=endpoint.secret().encode() or None,
                        clean_start=True,  # it subscribes to nothing, and keeps its QoS 1 itself
                        keep_alive=KEEP_ALIVE_S,
                    ).write()
                )
                await connection.accepted
            except BaseException:
                connection.close()
                raise
        return connection

    async def _serve(self, connection: _Connection, endpoint: Endpoint) -> str:
        """Keep the connection alive; return why it ended."""
        self._connection = connection
        self.connects += 1
        self._sizes.connected(connection.maximum_packet)
        log.info("lane connected", broker=str(endpoint))
        # The old ones before anything new: no topic is overtaken by its own past.
        self._again = deque(self._unacknowledged)
        self._send_again(connection)
        self._on_ready()
        loop = asyncio.get_running_loop()
        alive, again = Liveness(loop.time()), False
        while True:
            # While there is traffic, the broker is asked each time whether it has arrived. That
            # bounds what has to be reported as possibly lost when the connection breaks.
            await asyncio.wait([connection.lost], timeout=TICK_S)
            if connection.lost.done():
                return connection.lost.result()
            sign = connection.look(alive, loop.time())
            if sign is Sign.GIVE_UP:
                connection.transport.abort()  # a polite close would wait for what is not read
                return NO_ANSWER
            if not connection.silent and (connection.written or again or sign is Sign.ASK):
                # Once more after the last record: the first answer only says that it has arrived,
                # the second that it was passed on (see Lane.on_pong).
                again = connection.written
                connection.ping()
                alive.asked()
                self._sizes.pinged()
                self._on_ping()

    def forget(self, connection: _Connection) -> None:
        """Write no more to this connection; at once, so that nothing is written into the void."""
        if self._connection is connection:  # told from several places, and once is enough
            self._connection = None
            self._on_lost()

    def _send_again(self, connection: _Connection) -> None:
        while self._again and (
            len(self._unacknowledged) - len(self._again) < connection.receive_maximum
        ):
            packet_id = self._again.popleft()
            packet = self._unacknowledged[packet_id]
            made = packet.write()
            if self._takes(len(made), packet.topic, packet.payload or b""):
                connection.write(made)
            else:
                del self._unacknowledged[packet_id]

    def answered(self) -> None:
        self._sizes.answered()
        self._on_pong()

    def acknowledged(self, packet_id: int) -> None:
        was_ready = self.ready
        self._unacknowledged.pop(packet_id, None)
        if self._again and self._connection is not None:
            self._send_again(self._connection)
        if not was_ready and self.ready:
            self._on_ready()

    def writable_again(self) -> None:
        if self.ready:
            self._on_ready()


class _Connection(asyncio.Protocol):
    """One TCP connection to a broker."""

    transport: asyncio.Transport

    def __init__(self, lane: LaneWriter) -> None:
        loop = asyncio.get_running_loop()
        self._lane = lane
        self._buffer = bytearray()
        self._pinged = self._refused = self._heard = False
        self._sent = 0
        self.written = False
        """Something was written since the last ping."""
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.writable = True
        self.receive_maximum = 0xFFFF
        self.maximum_packet: int | None = None
        self.too_large = False
        """The broker ended it because of a packet's size, and said so."""

    @property
    def silent(self) -> bool:
        """Whether the last ping was not answered."""
        return self._pinged

    def look(self, alive: Liveness, now: float) -> Sign:
        """Say what to do about a silent broker."""
        heard, self._heard = self._heard, False
        kept = self.transport.get_write_buffer_size() + unacknowledged(self._descriptor)
        return alive.tick(
            now,
            heard=heard,
            answered=not self._pinged,
            written=self._sent,
            delivered=self._sent - kept,
        )

    def write(self, data: bytes) -> None:
        self.written = True
        self._sent += len(data)
        self.transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(
            "asyncio.Transport", transport
        )  # uvloop has its own class
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        # Records are joined already. Nagle's algorithm would hold a small write back until the one
        # before is acknowledged, which the other side may put off for 40 ms.
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._descriptor: int = sock.fileno()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._buffer += data
        while self._buffer:
            try:
                # Released before the buffer is cut: one that is looked at cannot be resized.
                with memoryview(self._buffer) as view:
                    packet, size = mqtt5.read(view)
            except IndexError:
                return  # the rest has not come yet
            except ValueError as error:
                self._end(f"the broker sent no MQTT 5: {error}")
                self.close()
                return
            del self._buffer[:size]
            self._received(packet)

    def _received(self, packet: mqtt5.Packet) -> None:
        match packet:
            case mqtt5.ConnAckPacket() if packet.reason_code is mqtt5.ConnAckReasonCode.SUCCESS:
                self.receive_maximum = packet.receive_max
                self.maximum_packet = packet.max_packet_size
                if not self.accepted.done():
                    self.accepted.set_result(None)
            case mqtt5.ConnAckPacket():
                self._end(f"refused: {packet.reason_code.name.lower().replace('_', ' ')}")
            case mqtt5.PubAckPacket():
                if packet.reason_code not in _TAKEN and not self._refused:
                    self._refused = True
                    reason = packet.reason_code.name.lower().replace("_", " ")
                    log.warning("lane publish refused, more may follow", reason=reason)
                self._lane.acknowledged(packet.packet_id)
            case mqtt5.PingRespPacket():
                self._pinged = False
                self._lane.answered()
            case mqtt5.DisconnectPacket():
                self.too_large = packet.reason_code is _TOO_LARGE
                self._end(f"the broker said {packet.reason_code.name.lower().replace('_', ' ')}")

    def ping(self) -> None:
        self.write(mqtt5.PingReqPacket().write())
        self._pinged, self.written = True, False

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._lane.writable_again()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not isinstance(exc, OSError) and not self.lost.done():
            self.lost.set_exception(exc)  # a bug of ours, and no fault of the network
        self._end(why(exc) if isinstance(exc, OSError) else "closed by the broker")

    def _end(self, reason: str) -> None:
        self._lane.forget(self)
        if not self.accepted.done():
            self.accepted.set_exception(BrokerError(reason))
        if not self.lost.done():
            self.lost.set_result(reason)

    def close(self) -> None:
        if not self.writable:
            self.transport.abort()  # a polite close would wait for a broker that no longer reads
        elif not self.transport.is_closing():
            self.write(mqtt5.DisconnectPacket().write())
            self.transport.close()
