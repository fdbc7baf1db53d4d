"""The connection that market data is written to: many PUBLISH packets in one write.

MQTT 5 over TCP or TLS, with the packets of a codec library. WebSockets and MQTT 3.1.1 go through
the library of the control connection, message by message.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from typing import cast

import mqtt5
import structlog

from bridge.errors import BrokerError
from bridge.mqtt.endpoint import Endpoint

__all__ = ["LaneWriter"]

log = structlog.get_logger()

_KEEP_ALIVE_S = 30
_CONNECT_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 15.0
_HIGH_WATER = 256 * 1024
"""Bytes that may wait in the socket before records wait in the lane, where they are counted."""


class LaneWriter:
    """An MQTT connection that only publishes; reconnects for ever.

    Call :meth:`write` only while :attr:`ready`. ``on_ready`` is called when it becomes so,
    ``on_lost`` when the connection is gone.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        client_id: str,
        *,
        on_ready: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._endpoints = endpoints
        self._client_id = client_id
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._connection: _Connection | None = None
        self._unacknowledged: dict[int, mqtt5.PublishPacket] = {}
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
            and len(self._unacknowledged) < connection.receive_maximum
        )

    def write(self, packets: Sequence[bytes]) -> None:
        """Send what :meth:`packet` made, in one write."""
        if self._connection is not None:
            self._connection.transport.write(b"".join(packets))

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> bytes:
        """Return a PUBLISH; with QoS 1 it is sent again after a reconnect until acknowledged."""
        if not qos:
            return mqtt5.PublishPacket(
                topic, payload, retain=retain, message_expiry_interval=expire_s
            ).write()
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
        self._unacknowledged[self._next_id] = packet
        return packet.write()

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        pause = _FIRST_PAUSE_S
        attempt = 0
        while True:
            endpoint = self._endpoints[attempt % len(self._endpoints)]
            attempt += 1
            try:
                connection = await self._connect(endpoint)
            except (OSError, TimeoutError, BrokerError) as error:
                log.warning("lane not connected", broker=str(endpoint), reason=str(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            pause = _FIRST_PAUSE_S
            try:
                await self._serve(connection, endpoint)
            finally:
                self.forget(connection)
                connection.close()

    async def _connect(self, endpoint: Endpoint) -> _Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_S):
            _, connection = await loop.create_connection(
                lambda: _Connection(self),
                endpoint.host,
                endpoint.port,
                ssl=endpoint.ssl_context() if endpoint.tls else None,
            )
            try:
                connection.transport.write(
                    mqtt5.ConnectPacket(
                        self._client_id,
                        username=endpoint.username or None,
                        password=endpoint.secret().encode() or None,
                        clean_start=True,
                        keep_alive=_KEEP_ALIVE_S,
                    ).write()
                )
                await connection.accepted
            except BaseException:
                connection.close()
                raise
        return connection

    async def _serve(self, connection: _Connection, endpoint: Endpoint) -> None:
        self._connection = connection
        self.connects += 1
        log.info("lane connected", broker=str(endpoint))
        for packet in self._unacknowledged.values():
            connection.transport.write(packet.write())
        self._on_ready()
        while not connection.lost.done():
            await asyncio.wait([connection.lost], timeout=_KEEP_ALIVE_S / 2)
            if connection.silent:
                log.warning("lane lost", broker=str(endpoint), reason="no answer to a ping")
                return
            connection.ping()
        log.warning("lane lost", broker=str(endpoint), reason=connection.lost.result())

    def forget(self, connection: _Connection) -> None:
        """Write no more to this connection; at once, so that nothing is written into the void."""
        if self._connection is connection:
            self._connection = None
            self._on_lost()

    def acknowledged(self, packet_id: int) -> None:
        was_ready = self.ready
        self._unacknowledged.pop(packet_id, None)
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
        self._pinged = False
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.writable = True
        self.receive_maximum = 0xFFFF

    @property
    def silent(self) -> bool:
        """Whether the last ping was not answered."""
        return self._pinged

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(
            "asyncio.Transport", transport
        )  # uvloop has its own class
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            try:
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
                if not self.accepted.done():
                    self.accepted.set_result(None)
            case mqtt5.ConnAckPacket():
                self._end(f"refused: {packet.reason_code.name.lower().replace('_', ' ')}")
            case mqtt5.PubAckPacket():
                self._lane.acknowledged(packet.packet_id)
            case mqtt5.PingRespPacket():
                self._pinged = False
            case mqtt5.DisconnectPacket():
                self._end(f"the broker said {packet.reason_code.name.lower().replace('_', ' ')}")

    def ping(self) -> None:
        self._pinged = True
        self.transport.write(mqtt5.PingReqPacket().write())

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._lane.writable_again()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "closed by the broker")

    def _end(self, reason: str) -> None:
        self._lane.forget(self)
        if not self.accepted.done():
            self.accepted.set_exception(BrokerError(reason))
        if not self.lost.done():
            self.lost.set_result(reason)

    def close(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(mqtt5.DisconnectPacket().write())
            self.transport.close()
