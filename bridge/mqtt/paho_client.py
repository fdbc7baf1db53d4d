"""What paho does not do by itself: odd messages, sockets, and its reasons in words."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt import client as paho
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

__all__ = [
    "CONNECT_S",
    "PahoClient",
    "TidySocket",
    "as_published",
    "matches",
    "no_delay",
    "why",
    "words",
]

CONNECT_S = 5.0
"""For each of: TCP and TLS, CONNACK, SUBACK."""


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

    on_unreadable: Callable[[int], None]
    pings = 0
    """Sent on this connection."""
    pongs = 0
    """Answered."""

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

    def _handle_publish(self) -> Any:
        try:
            return super()._handle_publish()
        except MQTTException:
            packet = self._in_packet["packet"]
            start = 2 + int.from_bytes(packet[:2], "big")
            qos = self._in_packet["command"] >> 1 & 3
            self.on_unreadable(int.from_bytes(packet[start : start + 2], "big") if qos else 0)
            return paho.MQTT_ERR_SUCCESS


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


def no_delay(_client: paho.Client, _data: Any, sock: Any) -> None:
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
