"""A client that sends as fast as it can, as a process of its own: ``python -m tests.system.flood``.

It writes QoS 1 without waiting for anything, and ends when the broker has acknowledged all.
"""

from __future__ import annotations

import socket
import sys
import threading

__all__ = ["Attacker", "publish_packet"]

_JOIN_S = 60.0


def publish_packet(topic: str, payload: bytes, mid: int, properties: bytes = b"") -> bytes:
    """Return a PUBLISH of QoS 1, MQTT 5."""
    name = topic.encode()
    rest = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big")
    rest += _number(len(properties)) + properties + payload
    return b"\x32" + _number(len(rest)) + rest


def _number(value: int) -> bytes:
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


class Attacker:
    """A raw MQTT 5 connection: it writes what it is given, and reads PUBACKs to be rid of them."""

    def __init__(self, port: int, name: str = "bob") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        client_id = name.encode()
        head = b"\x00\x04MQTT\x05\x02\x00\x00\x00" + len(client_id).to_bytes(2, "big") + client_id
        self._socket.sendall(b"\x10" + _number(len(head)) + head)
        assert self._socket.recv(100)[:1] == b"\x20"
        self.acknowledged = 0
        self._enough: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        rest = b""
        try:
            while self._enough is None or self.acknowledged < self._enough:
                data = self._socket.recv(1 << 16)
                if not data:
                    return
                rest += data
                at = 0
                while len(rest) >= at + 2 and len(rest) >= at + 2 + rest[at + 1]:
                    at += 2 + rest[at + 1]
                    self.acknowledged += 1
                rest = rest[at:]
        except OSError:
            pass  # it was closed

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def finish(self, count: int) -> None:
        """Wait until the broker has so many."""
        self._enough = count
        self._reader.join(_JOIN_S)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(_JOIN_S)
        self._socket.close()


def _flood(port: int, count: int, topics: list[str]) -> None:
    attacker = Attacker(port, "bob-floods")
    packets = [
        publish_packet(topics[number % len(topics)], b"{}", number + 1) for number in range(1000)
    ]
    batch = b"".join(packets)
    for _ in range(count // 1000):
        attacker.send(batch)
    attacker.finish(count)
    attacker.close()
    print(attacker.acknowledged, flush=True)


if __name__ == "__main__":
    _flood(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
