"""MQTT 3.1.1 for a broker that speaks only MQTT 5; pure, bytes in and bytes out.

The two differ in the properties of most packets, in reason codes, and in few other things. What
an MQTT 5 client says is passed on as it is, except that keep-alive 0 (no limit), which rumqttd
refuses, becomes the longest there is.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["ProtocolError", "Translator"]

_CONNECT = 0x10
"""The whole first byte; below, the packet types in its upper half."""
_CONNACK, _PUBLISH, _PUBACK, _PUBCOMP = 2, 3, 4, 7
_SUBSCRIBE, _SUBACK, _UNSUBSCRIBE, _UNSUBACK, _PINGRESP, _DISCONNECT = 8, 9, 10, 11, 13, 14

_CLEAN, _WILL = 0x02, 0x04
_NO_PROPERTIES = b"\x00"
_SESSION_FOR_EVER = b"\x05\x11\xff\xff\xff\xff"
"""A session expiry without end: in 3.1.1 a session that is not clean never ends."""
# MQTT 5 reason codes of a CONNACK, as the return codes of 3.1.1 that mean the same.
_RETURN_CODES = {0: 0, 0x84: 1, 0x85: 2, 0x88: 3, 0x86: 4, 0x87: 5}
_UNAVAILABLE = 3
_LARGEST_CONNECT = 128 * 1024


class ProtocolError(ValueError):
    """One side does not speak MQTT; the connection cannot go on."""


class Translator:
    """Stands between one client and the broker."""

    def __init__(self) -> None:
        self._level = 0
        self._from_client = bytearray()
        self._from_broker = bytearray()

    @property
    def introduced(self) -> bool:
        """Whether the client has sent its CONNECT."""
        return self._level != 0

    def to_broker(self, data: bytes) -> bytes:
        """Return what the broker is to read; incomplete packets wait here for their rest."""
        if self._level >= 5:
            return data
        self._from_client += data
        if self._level == 0 and self._from_client[:1] not in (b"", bytes((_CONNECT,))):
            raise ProtocolError("the first packet is no CONNECT")
        out = bytearray()
        for head, body in _packets(self._from_client):
            if self._level == 0:
                out += self._introduce(body)
                if self._level >= 5:
                    out += self._from_client
                    self._from_client.clear()
                    break
            else:
                out += _raise(head, body)
        if self._level == 0 and len(self._from_client) > _LARGEST_CONNECT:
            raise ProtocolError("no CONNECT in the first bytes")
        return bytes(out)

    def to_client(self, data: bytes) -> bytes:
        """Return what the client is to read."""
        if self._level >= 5:
            return data
        self._from_broker += data
        return b"".join(_lower(head, body) for head, body in _packets(self._from_broker))

    def _introduce(self, body: bytes) -> bytes:
        name, rest = _field(body)
        if len(rest) < 4 or (bytes(name), rest[0]) not in (
            (b"MQTT", 5),
            (b"MQTT", 4),
            (b"MQIsdp", 3),
        ):
            raise ProtocolError("neither MQTT 5 nor 3.1.1 nor 3.1")
        self._level, flags = rest[0], rest[1]
        keep_alive = bytes(rest[2:4]) if any(rest[2:4]) else b"\xff\xff"
        start = b"\x00\x04MQTT\x05" + bytes((flags,)) + keep_alive
        if self._level == 5:
            return _packet(_CONNECT, start + rest[4:])
        client_id, after = _field(rest[4:])
        return _packet(
            _CONNECT,
            start
            + (_NO_PROPERTIES if flags & _CLEAN else _SESSION_FOR_EVER)
            + len(client_id).to_bytes(2, "big")
            + client_id
            + (_NO_PROPERTIES if flags & _WILL else b"")
            + after,
        )


def _raise(head: int, body: bytes) -> bytes:
    """Return a client's 3.1.1 packet as MQTT 5."""
    match head >> 4:
        case kind if kind in (_SUBSCRIBE, _UNSUBSCRIBE):
            body = body[:2] + _NO_PROPERTIES + body[2:]
        case kind if kind == _PUBLISH:
            end = _after_topic(head, body)
            body = body[:end] + _NO_PROPERTIES + body[end:]
    return _packet(head, body)


def _lower(head: int, body: bytes) -> bytes:
    """Return the broker's MQTT 5 packet as 3.1.1; blank when that has no such packet."""
    kind = head >> 4
    if kind not in (_PINGRESP, _DISCONNECT) and len(body) < 2:
        raise ProtocolError("a packet shorter than its fields")
    if kind == _CONNACK:
        body = bytes((body[0], _RETURN_CODES.get(body[1], _UNAVAILABLE)))
    elif kind == _PUBLISH:
        end = _after_topic(head, body)
        body = body[:end] + _without_properties(body[end:])
    elif _PUBACK <= kind <= _PUBCOMP or kind == _UNSUBACK:
        body = body[:2]
    elif kind == _SUBACK:
        codes = _without_properties(body[2:])
        body = body[:2] + bytes(min(code, 0x80) for code in codes)
    elif kind == _DISCONNECT:
        return b""  # 3.1.1 just closes
    return _packet(head, body)


def _packets(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the complete packets off the front: first byte and what follows the length."""
    while len(buffer) >= 2:
        length, start = _varint(buffer, 1)
        if start == 0 or len(buffer) < start + length:
            return
        head, body = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        yield head, body


def _packet(head: int, body: bytes) -> bytes:
    length = len(body)
    out = bytearray((head,))
    while True:
        length, low = divmod(length, 128)
        out.append(low | (0x80 if length else 0))
        if not length:
            return bytes(out + body)


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the value and where it ends, which is 0 when its bytes have not all come."""
    value = 0
    for i in range(4):
        if at + i >= len(data):
            return 0, 0
        value |= (data[at + i] & 0x7F) << (7 * i)
        if data[at + i] < 0x80:
            return value, at + i + 1
    raise ProtocolError("a length of more than four bytes")


def _field(data: bytes) -> tuple[bytes, bytes]:
    """Split off a field that begins with its length in two bytes."""
    end = 2 + int.from_bytes(data[:2], "big")
    if len(data) < end:
        raise ProtocolError("a packet shorter than its fields")
    return data[2:end], data[end:]


def _after_topic(head: int, body: bytes) -> int:
    topic, _ = _field(body)
    end = 2 + len(topic) + (2 if head & 0x06 else 0)
    if len(body) < end:
        raise ProtocolError("a packet shorter than its fields")
    return end


def _without_properties(data: bytes) -> bytes:
    length, start = _varint(data, 0)
    return data[start + length :]
