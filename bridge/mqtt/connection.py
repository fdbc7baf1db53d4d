"""One network connection to a broker: a paho client on the event loop, used once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from paho.mqtt import client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.options import Options, RefusedError
from bridge.mqtt.packets import Bounds, PacketReader, Skipped
from bridge.mqtt.paho_client import (
    CONNECT_S,
    PahoClient,
    as_published,
    connect,
    described,
    keep,
    prepared,
    why,
    words,
)
from bridge.mqtt.pubacks import PubAcks
from bridge.runtime.clock import now_us
from bridge.runtime.pulse import Pulse

__all__ = ["Connection"]

log = structlog.get_logger()

_UNSUPPORTED_VERSION = 132
_SESSION_TAKEN_OVER = 142
_GOODBYE_S = 1.0
_PACKETS = 8
"""Packets that are handled before others have their turn in the event loop."""
_FLOOD, _FLOOD_S = 64, 0.05
"""After so many skipped messages in one turn, how long nothing more is read: a flood takes no more
than a small part of the processor, and waits at the broker."""
_SHOWN = 200
"""Bytes of a topic in the log."""


class Connection:
    """Use in this order: `open`, `subscribe`, `publish` …, `serve` until it returns, `close`."""

    def __init__(
        self,
        endpoint: Endpoint,
        version: int,
        options: Options,
        context: ssl.SSLContext | None,
        *,
        on_message: Callable[[Message], None],
        on_puback: Callable[[int, str], None],
        on_drained: Callable[[], None] | None = None,
        clock: Callable[[], int] = now_us,
        pulse: Pulse | None = None,
    ) -> None:
        """Prepare; ``clock`` is µs since the epoch, ``pulse`` tells whether the process ran."""
        self.endpoint = endpoint
        self.v5 = version == 5
        self.receive_maximum = 0xFFFF
        """Publishes of QoS 1 that the broker takes at once."""
        self.maximum_packet = 0xFFFFFFF
        """Bytes of the largest packet that the broker takes, if it says."""
        self.session_present = False
        self.taken_over = False
        """The broker ended it because another client came under the same client id (MQTT 5)."""
        self._options = options
        self._on_message = on_message
        self._on_puback = on_puback
        self._on_drained = on_drained
        self.unsent = 0
        """Bytes of payload published since the socket last had taken everything."""
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[str]] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        """Why the connection ended, once it has."""
        self._attached = False
        self._clock, self._pulse = clock, pulse
        self._stops = 0 if pulse is None else pulse.feel()
        self._pong_wanted = 0
        """What comes before this answer to a ping may have lain anywhere for any time."""
        self._pubacks = PubAcks(self._send_pubacks)
        self._skips = 0
        """Messages that were skipped in this turn."""
        self._reading_on: asyncio.Handle | None = None
        self._paho = self._client(context)

    def _client(self, context: ssl.SSLContext | None) -> PahoClient:
        options = self._options
        client = prepared(self.endpoint, options, context, v5=self.v5)
        client.on_socket_close = self._socket_closed
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._no_write
        client.on_connect = self._connack
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._suback
        client.on_publish = self._puback
        client.on_message = self._publish
        client.on_unreadable = self._skipped
        packets = options.packets
        bounds, judge = (Bounds(), None) if packets is None else (packets.bounds, packets.judge)
        client.reader = PacketReader(bounds, judge, self._skipped, v5=self.v5)
        return client

    async def open(self) -> None:
        """Connect and wait for the broker's yes.

        :raises RefusedError: it did not come.
        """
        # A thread cannot be cancelled. It may still come back with a socket when nobody wants one
        # any more: hence the shield, and whoever gives up has it closed then.
        connecting = asyncio.ensure_future(asyncio.to_thread(self._connect))
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._abandon)
            raise
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            raise RefusedError(why(error)) from None
        self._attach()
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.shield(self._connected)
        except TimeoutError:
            self.abort()
            raise RefusedError(f"no MQTT answer within {CONNECT_S:.0f} s") from None
        except BaseException:
            self.abort()
            raise

    def _connect(self) -> None:
        """Run in a thread: name look-up, TCP, TLS and the WebSocket handshake block."""
        connect(self._paho, self.endpoint, self._options, v5=self.v5)

    def _abandon(self, connecting: asyncio.Future[None]) -> None:
        if not connecting.cancelled() and connecting.exception() is None:
            self._attach()
            self.abort()

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> list[str]:
        """Subscribe to (filter, QoS) and return those refused, as ``filter: reason``.

        :raises RefusedError: no answer came.
        """
        if not filters:
            return []
        if self.v5:
            self._paho.subscribe(as_published(filters))
        else:
            self._paho.subscribe(list(filters))
        either: list[asyncio.Future[Any]] = [self._subscribed, self.lost]
        await asyncio.wait(either, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._subscribed.done():
            lost = self.lost.result() if self.lost.done() else "no answer to the subscription"
            self.abort()
            raise RefusedError(lost)
        answers = self._subscribed.result()
        return [f"{name}: {why}" for (name, _), why in zip(filters, answers, strict=False) if why]

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        expiry_s: int | None = None,
        correlation: bytes = b"",
        response_topic: str = "",
    ) -> int:
        """Send a PUBLISH and return its packet id; the properties are left out in 3.1.1."""
        properties: Properties | None = None
        if self.v5:
            properties = described(payload, expiry_s, correlation, response_topic)
        self.unsent += len(payload)
        return self._paho.publish(topic, payload, qos, retain, properties).mid

    def ping(self) -> int:
        """Ask for a sign of life; return how many :attr:`pongs` there are when it has come."""
        return self._paho.ping()

    @property
    def pongs(self) -> int:
        """Answers to pings."""
        return self._paho.pongs

    async def serve(self) -> str:
        """Keep the connection alive; return why it ended."""
        self.lost.add_done_callback(lambda _: self.abort())  # a dead line has its socket still
        return await keep(self._paho, self.lost, self._guarded)

    async def close(self) -> None:
        """Say good-bye and wait until the connection is gone; the will is not published."""
        if not self.lost.done():
            self._paho.disconnect()
            await asyncio.wait([self.lost], timeout=_GOODBYE_S)
        self.abort()

    def abort(self) -> None:
        """Drop the connection without a good-bye: the broker publishes the will."""
        self._connected.cancel()  # nobody waits for it any more
        if self._paho.hang_up():
            self._guarded(self._paho.loop_read)
        if not self.lost.done():
            self.lost.set_result("closed")

    # the event loop's side

    def _attach(self) -> None:
        sock = self._paho.socket()
        if sock is None:
            return
        self._attached = True
        self._loop.add_reader(sock.fileno(), self._readable)
        if self._paho.want_write():
            self._loop.add_writer(sock.fileno(), self._guarded, self._paho.loop_write)

    def _readable(self) -> None:
        if self._reading_on is not None:
            return  # in a moment
        self._guarded(self._doubt_after_stop)
        self._skips = 0
        with self._pubacks.together():
            for _ in range(_PACKETS):
                self._guarded(self._paho.loop_read)
                if more := self._more():
                    continue
                break
        if self._skips >= _FLOOD and self._attached and (sock := self._paho.socket()):
            # Whoever floods this connection waits, and with him who shares it with him: all other
            # work of the bridge goes on meanwhile.
            self._loop.remove_reader(sock.fileno())
            self._reading_on = self._loop.call_later(_FLOOD_S, self._read_on)
        elif more:
            # What has been read already makes no socket readable, and others get their turn first.
            self._reading_on = self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._reading_on = None
        sock = self._paho.socket()
        if self._attached and sock is not None and not self.lost.done():
            self._loop.add_reader(sock.fileno(), self._readable)
            self._readable()

    def _more(self) -> bool:
        sock = self._paho.socket()
        if sock is None or self.lost.done():
            return False
        return self._paho.reader.waiting or (self.endpoint.tls and sock.pending() > 0)  # type: ignore[attr-defined]

    def _doubt_after_stop(self) -> None:
        """After a stop of the process, take nothing for fresh that was sent before it.

        It lay in our socket, on the way, or in what the broker had written already, and nothing in
        it says for how long. All that comes before the answer to a ping of now.
        """
        if self._pulse is not None and (stops := self._pulse.feel()) != self._stops:
            self._stops = stops
            self._pong_wanted = self._paho.ping()

    def _guarded(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except Exception as error:  # a bug ends `serve` instead of a line in the loop's log
            if self.lost.done():
                raise
            self.lost.set_exception(error)

    def _want_write(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        if self._attached:
            self._loop.add_writer(sock.fileno(), self._guarded, self._paho.loop_write)

    def _no_write(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        self.unsent = 0
        if self._attached:
            self._loop.remove_writer(sock.fileno())
            if self._on_drained is not None:
                self._loop.call_soon(self._on_drained)  # paho is not to be called from here

    def _socket_closed(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        if self._attached:
            self._attached = False
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())

    # paho's callbacks, all called by the steps above

    def _connack(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._connected.done():
            return
        if reason.is_failure:
            old = reason.value == _UNSUPPORTED_VERSION
            self._connected.set_exception(RefusedError(words(reason), version=old))
            return
        self.receive_maximum = getattr(properties, "ReceiveMaximum", 0xFFFF)
        self.maximum_packet = getattr(properties, "MaximumPacketSize", 0xFFFFFFF)
        self.session_present = flags.session_present
        self._connected.set_result(None)

    def _disconnected(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        said = flags.is_disconnect_packet_from_server
        self.taken_over |= said and reason.value == _SESSION_TAKEN_OVER
        why = words(reason) if said else "connection lost"
        if not self._connected.done():
            self._connected.set_exception(
                RefusedError("closed the connection unanswered", unanswered=True)
            )
        if not self.lost.done():
            self.lost.set_result(why)

    def _suback(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Any
    ) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result([words(r) if r.is_failure else "" for r in reasons])

    def _puback(
        self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _props: Any
    ) -> None:
        self._on_puback(mid, words(reason) if reason.is_failure else "")

    def _publish(self, _client: paho.Client, _data: Any, arrived: paho.MQTTMessage) -> None:
        self._doubt_after_stop()  # the stop may have come after the bytes were read
        received_at = self._clock()
        properties = arrived.properties
        ack: Callable[[], None] = _nothing
        passed: Callable[[], None] = _nothing
        if arrived.qos:
            entry = self._pubacks.hold(arrived.mid)
            ack = partial(self._pubacks.acknowledge, entry)
            passed = partial(self._pubacks.let_by, entry)
        try:
            topic = arrived.topic
        except UnicodeDecodeError:
            log.warning("message dropped", reason="its topic is not UTF-8")
            ack()
            return
        self._on_message(
            Message(
                topic=topic,
                payload=bytes(arrived.payload),
                qos=arrived.qos,
                retain=bool(arrived.retain),
                response_topic=getattr(properties, "ResponseTopic", ""),
                correlation=bytes(getattr(properties, "CorrelationData", b"")),
                expiry_s=getattr(properties, "MessageExpiryInterval", None),
                received_at=received_at,
                fresh=self._paho.pongs >= self._pong_wanted,
                again=bool(arrived.dup),
                surplus=self._paho.reader.surplus,
                ack=ack,
                passed=passed,
            )
        )

    def _skipped(self, what: Skipped) -> None:
        """Have the broker forget what is not decoded: it would come again after each reconnect."""
        self._skips += 1
        if what.mid:
            self._pubacks.acknowledge(self._pubacks.hold(what.mid))
        if what.reason:
            topic = what.topic[:_SHOWN].decode(errors="replace")
            log.warning("message dropped", reason=what.reason, topic=topic, bytes=what.size)
            if self._options.packets is not None:
                self._options.packets.skipped(what)

    def _send_pubacks(self, mids: Sequence[int]) -> None:
        if not self.lost.done():
            self._paho.acknowledge(mids)


def _nothing() -> None:
    """A QoS 0 message needs no PUBACK."""
