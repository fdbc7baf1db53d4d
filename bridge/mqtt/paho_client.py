"""What paho does not do by itself: odd messages, sockets, and its reasons in words."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.liveness import TICK_S, Liveness, Sign, unacknowledged
from bridge.mqtt.options import Options
from bridge.mqtt.packets import PacketReader, Skipped

__all__ = [
    "CONNECT_S",
    "NO_ANSWER",
    "PahoClient",
    "TidySocket",
    "as_published",
    "connect",
    "described",
    "keep",
    "matches",
    "prepared",
    "why",
    "words",
]

CONNECT_S = 5.0
"""For each of: TCP and TLS, CONNACK, SUBACK."""


NO_ANSWER = "no answer to a ping"
_PUBACK = b"\x40\x02"
_READ = 64 * 1024
"""Bytes that are read at once."""
_SKIPPED_AT_ONCE = 16
"""Packets that are skipped before others have their turn in the event loop."""


_JSON_TYPE = "application/json"


class _Json(Properties):
    """Those of an ack, written out once: paho takes longer for that than for the rest of it."""

    def pack(self) -> bytes:
        return _JSON_PACKED


def _packed_json() -> bytes:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = _JSON_TYPE
    return bytes(properties.pack())  # type: ignore[no-untyped-call]


_JSON_PACKED = _packed_json()
_JSON = _Json(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]


class TidySocket(ssl.SSLSocket):
    """paho would leave the socket of a failed handshake to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class PahoClient(paho.Client):
    """Passes over a message that paho cannot read, instead of hanging up.

    MQTT allows U+FEFF in the texts of properties and brokers pass it on; paho refuses it. The
    broker would deliver the message again after each reconnect, so that one client could keep
    this one off for good.

    It counts pings, too: a broker answers them in the order of everything else that it sends.
    """

    on_unreadable: Callable[[Skipped], None]
    reader: PacketReader
    """Stands between the socket and paho."""
    _packet: bytes = b""
    _at = 0
    _decoded = False
    _payload: bytes | None = None
    pings = 0
    """Sent on this connection."""
    pongs = 0
    """Answered."""
    sent = 0
    """Bytes written to the socket."""
    heard = False
    """Anything came; whoever looks takes it back."""

    def ping(self) -> int:
        """Send a PINGREQ; return the number of its answer."""
        self._send_pingreq()
        return self.pings

    def _send_pingreq(self) -> Any:
        self.pings += 1
        return super()._send_pingreq()

    def _handle_pingresp(self) -> Any:
        self.pongs += 1
        return super()._handle_pingresp()

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Send a PUBACK for each, in one write."""
        packets = b"".join(_PUBACK + mid.to_bytes(2, "big") for mid in mids)
        self._packet_queue(paho.PUBACK, packets, 0, 0)

    def hang_up(self) -> bool:
        """Cut the connection, so that the next read finds it closed; False: there is none."""
        self.reader.clear()  # nothing of it is to be handled any more
        self._packet = b""
        sock = self.socket()
        if sock is None:
            return False
        # The plain socket below TLS and WebSocket, so that one way fits all three. ``detach``
        # leaves the descriptor to its owner.
        plain = socket.socket(fileno=sock.fileno())
        try:
            plain.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is gone already
        finally:
            plain.detach()
        return True

    def _sock_recv(self, bufsize: int) -> bytes:
        packet = self._packet
        if self._at >= len(packet):
            found = self.reader.next(_SKIPPED_AT_ONCE)
            if found is None and not self.reader.waiting:
                data = super()._sock_recv(_READ)
                if not data:
                    return data
                self.heard = True
                self.reader.feed(data)
                found = self.reader.next(_SKIPPED_AT_ONCE)
            if found is None:
                raise BlockingIOError
            packet, self._packet, self._at = found, found, 0
        data = packet[self._at : self._at + bufsize]
        self._at += len(data)
        return data

    def _sock_send(self, buf: bytes | bytearray) -> int:
        count = int(super()._sock_send(buf))
        self.sent += count
        return count

    def _handle_publish(self) -> Any:
        self._decoded = False
        head, body = self.reader.head, self._in_packet["packet"]
        self._payload = None
        if head:  # paho copies what follows each property
            self._payload = bytes(body[head:])
            self._in_packet["packet"] = body[:head]
        try:
            return super()._handle_publish()
        except (MQTTException, ValueError, LookupError, struct.error):
            if self._decoded:
                raise  # it is not about the packet
            packet = body
            start = 2 + int.from_bytes(packet[:2], "big")
            qos = self._in_packet["command"] >> 1 & 3
            mid = int.from_bytes(packet[start : start + 2], "big") if qos else 0
            reason = "MQTT properties that cannot be read"
            self.on_unreadable(Skipped(bytes(packet[2:start]), mid, len(packet), reason))
            return paho.MQTT_ERR_SUCCESS

    def _handle_on_message(self, message: paho.MQTTMessage) -> None:
        self._decoded = True
        if self._payload is not None:
            message.payload = self._payload
        super()._handle_on_message(message)


async def keep(
    client: PahoClient, lost: asyncio.Future[str], guarded: Callable[[Callable[[], Any]], None]
) -> str:
    """Do what has to be done from time to time until ``lost``; return why it ended.

    ``guarded`` calls a function and turns what it raises into the end.
    """
    loop = asyncio.get_running_loop()
    alive, number = Liveness(loop.time()), client.pongs
    while not lost.done():
        guarded(client.loop_misc)
        await asyncio.wait([lost], timeout=TICK_S)
        sock = client.socket()
        if lost.done() or sock is None:
            continue
        heard, client.heard = client.heard, False
        sign = alive.tick(
            loop.time(),
            heard=heard,
            answered=client.pongs >= number,
            written=client.sent,
            delivered=client.sent - unacknowledged(sock.fileno()),
            flushed=not client.want_write(),
        )
        if sign is Sign.ASK:
            number = client.ping()
            alive.asked()
        elif sign is Sign.GIVE_UP:
            lost.set_result(NO_ANSWER)
    return lost.result()


def prepared(
    endpoint: Endpoint, options: Options, context: ssl.SSLContext | None, *, v5: bool
) -> PahoClient:
    """Return a client for one connection, without its callbacks."""
    client = PahoClient(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        clean_session=None if v5 else options.clean,
        protocol=paho.MQTTv5 if v5 else paho.MQTTv311,
        transport="websockets" if endpoint.transport == "ws" else "tcp",
        reconnect_on_failure=False,  # a reconnect makes a new connection, see ControlClient
        manual_ack=True,  # a command is acknowledged when the journal has it, not when it comes
    )
    client.connect_timeout = CONNECT_S
    client.max_inflight_messages_set(0xFFFF)  # the window is kept by the owner
    if endpoint.transport == "ws":
        client.ws_set_options(path=endpoint.path)
    if context is not None:
        context.sslsocket_class = TidySocket
        client.tls_set_context(context)
    if endpoint.username:
        client.username_pw_set(endpoint.username, endpoint.secret() or None)
    if options.will is not None:
        will = options.will
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    client.on_socket_open = _no_delay
    return client


def connect(client: PahoClient, endpoint: Endpoint, options: Options, *, v5: bool) -> None:
    """Connect and send CONNECT; this blocks, and raises OSError or ValueError."""
    where = endpoint.host, endpoint.port, options.keep_alive_s
    if not v5:
        client.connect(*where)
        return
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = options.receive_maximum
    if options.packets is not None and options.packets.bounds.packet:
        properties.MaximumPacketSize = options.packets.bounds.packet
    if not options.clean:
        properties.SessionExpiryInterval = options.session_expiry_s
    client.connect(*where, clean_start=options.clean, properties=properties)


def described(
    payload: bytes, expiry_s: int | None, correlation: bytes, response_topic: str
) -> Properties:
    """Return the properties of a PUBLISH."""
    if payload and expiry_s is None and not correlation and not response_topic:
        return _JSON
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if payload:
        properties.ContentType = _JSON_TYPE
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if correlation:
        properties.CorrelationData = correlation
    if response_topic:
        properties.ResponseTopic = response_topic
    return properties


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether ``topic`` is under an MQTT filter with ``+`` and ``#``."""
    return bool(paho.topic_matches_sub(topic_filter, topic))


def as_published(filters: Sequence[tuple[str, int]]) -> list[tuple[str, SubscribeOptions]]:
    """Return what (filter, QoS) are subscribed to with in MQTT 5: retained messages say so.

    Those come when the subscription of a filter is new, not again at each reconnect. A single topic
    is subscribed for the value that it has, also by a process that takes up the session of an
    earlier one.
    """
    return [
        (name, SubscribeOptions(qos, retainAsPublished=True, retainHandling=_retained(name)))
        for name, qos in filters
    ]


def _retained(topic_filter: str) -> int:
    return 1 if "+" in topic_filter or "#" in topic_filter else 0


def _no_delay(_client: paho.Client, _data: Any, sock: Any) -> None:
    """Send small packets at once: Nagle's algorithm would hold them for milliseconds."""
    plain = socket.socket(fileno=sock.fileno())
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    finally:
        plain.detach()


def words(reason: ReasonCode) -> str:
    """Return a reason of the broker as it stands in a log."""
    return str(reason).lower().replace("authorized", "authorised")


def why(error: OSError | ValueError) -> str:
    """Return what went wrong with a connection, in the words of a log."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"TLS: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
        case paho.WebsocketConnectionError():
            return "no MQTT over WebSocket there (the handshake was refused)"
        case TimeoutError():
            return f"no answer within {CONNECT_S:.0f} s"
        case socket.gaierror():
            return "no such host"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
        case _:
            return str(error)
