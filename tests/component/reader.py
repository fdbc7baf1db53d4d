"""A reader of market data in a process of its own: as cheap as can be, and it counts by topic.

``python -m tests.component.reader PORT FILTER``: prints a line when it reads. Told on its standard
input, as a JSON object, which ``seq`` is the last of each topic, it reads until it has them all, or
until the input closes; then it prints: topic → [records with a new ``seq``, last ``seq``].
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

import mqtt5

_SEQ = b'"seq":'


def _connect(port: int, topic_filter: str) -> socket.socket | None:
    try:
        link = socket.create_connection(("127.0.0.1", port), timeout=1)
    except OSError:
        return None
    link.sendall(
        mqtt5.ConnectPacket(
            "reader", clean_start=False, session_expiry_interval=300, keep_alive=600
        ).write()
        + mqtt5.SubscribePacket(
            1, [mqtt5.TopicFilter(topic_filter, retain_handling=mqtt5.RetainHandling.SEND_NEVER)]
        ).write()
    )
    return link


def _read(buffer: bytearray, seen: dict[str, list[int]]) -> None:
    position = 0
    with memoryview(buffer) as view:
        while True:
            try:
                packet, size = mqtt5.read(view[position:])
            except IndexError:
                break
            position += size
            if isinstance(packet, mqtt5.PublishPacket):
                payload = bytes(packet.payload)
                start = payload.index(_SEQ) + len(_SEQ)
                seq = int(payload[start : payload.index(b",", start)])
                row = seen.setdefault(packet.topic, [0, 0])
                if seq > row[1]:
                    row[0], row[1] = row[0] + 1, seq
    del buffer[:position]


def main(port: int, topic_filter: str) -> None:
    """Read until told to stop; connect again for ever."""
    seen: dict[str, list[int]] = {}
    link: socket.socket | None = None
    buffer = bytearray()
    last: dict[str, int] | None = None
    said = False
    while last is None or any(seen.get(topic, [0, 0])[1] < seq for topic, seq in last.items()):
        if link is None:
            buffer.clear()
            link = _connect(port, topic_filter)
            if link is None:
                time.sleep(0.005)
                continue
        ready, _, _ = select.select([sys.stdin, link], [], [])
        if sys.stdin in ready:
            text = sys.stdin.readline()
            if not text:
                break
            last = json.loads(text)
            continue
        try:
            chunk = link.recv(1 << 18)
        except OSError:
            chunk = b""
        if not chunk:
            link.close()
            link = None
            continue
        buffer += chunk
        _read(buffer, seen)
        if not said:
            said = True
            print("{}", flush=True)
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
