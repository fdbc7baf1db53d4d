"""Packets of a broker, looked at before anything decodes them: bounded in size, judged by topic.

A PUBLISH that is too large is read past and never in memory as a whole. One with too many
properties is not decoded, because that takes time that grows with the square of their number. Both
are reported with their packet id: whoever did not acknowledge them would get them again after each
reconnect, for ever.

Pure: bytes come in, whole packets go out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

__all__ = ["Bounds", "PacketFilter", "PacketReader", "Ruling", "Skipped"]

_PUBLISH = 3
_LARGEST = 0xFFFFFFF + 5


class Ruling(Enum):
    """What becomes of a PUBLISH."""

    TAKE = "take"
    ANSWER = "answer"
    """It is one too many; take it all the same, only to say so to its sender."""
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest PUBLISH that is decoded, in bytes."""

    packet: int = 0
    """The broker is asked not to send larger ones; 0: any size that MQTT has."""
    properties: int = 4096
    """A response topic and correlation data have room, and user properties that nobody reads."""


class Skipped(NamedTuple):
    """A PUBLISH that was not decoded."""

    topic: bytes
    mid: int
    """0: QoS 0."""
    size: int
    reason: str
    """For people; blank: it was one too many."""


class PacketFilter(Protocol):
    """What a client lets in."""

    @property
    def bounds(self) -> Bounds: ...

    def judge(self, topic: bytes) -> Ruling:
        """Decide on what came on a topic, which may be any bytes, before it is decoded."""

    def skipped(self, what: Skipped) -> None:
        """Take note of what was not decoded; not of what `judge` had skipped."""


class PacketReader:
    """Cuts what a broker sends into packets; ``skipped`` is told what is not passed on.

    ``judge`` sees each PUBLISH that is within the bounds, when everything before it was passed on.
    """

    def __init__(
        self,
        bounds: Bounds,
        judge: Callable[[bytes], Ruling] | None,
        skipped: Callable[[Skipped], None],
        *,
        v5: bool,
    ) -> None:
        self._most = bounds.packet or _LARGEST
        self._properties = bounds.properties
        self._judge = judge
        self._skipped = skipped
        self._v5 = v5
        self._buffer = bytearray()
        self._at = 0
        self._past = 0
        """Bytes still to come that are read past."""
        self._cut_off = True
        """What is left in the buffer is no whole packet."""
        self.surplus = False
        """Whether the packet that was passed on last is one too many."""
        self.head = 0
        """Where the payload of that packet begins behind its properties, if those are long."""

    @property
    def waiting(self) -> bool:
        """Whether there may be another packet without more bytes."""
        return not self._cut_off

    def clear(self) -> None:
        """Forget what has come."""
        self._buffer.clear()
        self._at = self._past = 0
        self._cut_off = True

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self._past:
            left = data[self._past :]
            self._past -= len(data) - len(left)
            data = left
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data
        self._cut_off = False

    def next(self, most: int) -> bytes | None:
        """Return the next packet that may be decoded; None: more bytes are needed, or time.

        It gives up, though packets are :attr:`waiting`, when it has skipped ``most``.
        """
        for _ in range(most):
            found = self._cut()
            if found is None:
                self._cut_off = True
                break
            if found:
                return found
        return None

    def _cut(self) -> bytes | None:
        """Return the next packet; empty: it is skipped; None: not all of it is there."""
        buffer, at = self._buffer, self._at
        size = len(buffer) - at
        if size < 2:
            return None
        length, width = buffer[at + 1], 1
        if length > 127:
            measured = _variable(buffer, at + 1, len(buffer))
            if measured is None:
                # Five bytes are none of MQTT: whoever decodes it finds that out.
                return None if size < 5 else self._pass(size)
            length, width = measured
        start, total = at + 1 + width, 1 + width + length
        command = buffer[at]
        if total > self._most:
            return self._read_past(command, start, total)
        if size < total:
            return None
        if command >> 4 != _PUBLISH:
            return self._pass(total)
        after = start + 2 + (buffer[start] << 8 | buffer[start + 1]) if length >= 2 else 0
        end = at + total
        with_id = after + 2 if command & 6 else after
        if not after or with_id > end:
            return self._pass(total)  # no PUBLISH, which whoever decodes it finds out
        mid = buffer[after] << 8 | buffer[after + 1] if command & 6 else 0
        head = 0
        if self._v5 and with_id < end and buffer[with_id] > 127:
            many = _variable(buffer, with_id, end)
            if many is not None:
                head = with_id + sum(many) - start
            if many is None or many[0] > self._properties:
                return self._skip(start, after, mid, total, "too many MQTT properties")
        verdict = Ruling.TAKE
        if self._judge is not None:
            verdict = self._judge(bytes(buffer[start + 2 : after]))
            if verdict is Ruling.SKIP:
                return self._skip(start, after, mid, total, "")
        return self._pass(total, surplus=verdict is Ruling.ANSWER, head=head)

    def _pass(self, total: int, *, surplus: bool = False, head: int = 0) -> bytes:
        packet = bytes(self._buffer[self._at : self._at + total])
        self._step(total)
        self.surplus, self.head = surplus, head
        return packet

    def _step(self, total: int) -> None:
        self._at += total
        self._cut_off = self._at >= len(self._buffer)

    def _skip(self, start: int, after: int, mid: int, total: int, reason: str) -> bytes:
        self._step(total)
        self._skipped(Skipped(bytes(self._buffer[start + 2 : after]), mid, total, reason))
        return b""

    def _read_past(self, command: int, start: int, total: int) -> bytes | None:
        """Report a packet as soon as its beginning is there, and have the rest of it dropped."""
        buffer, here = self._buffer, len(self._buffer) - start
        topic, mid = b"", 0
        if command >> 4 == _PUBLISH:
            if here < 2:
                return None
            after = start + 2 + (buffer[start] << 8 | buffer[start + 1])
            if after + 2 <= self._at + total:  # otherwise it has no packet id
                if len(buffer) < after + 2:
                    return None
                topic = bytes(buffer[start + 2 : after])
                mid = buffer[after] << 8 | buffer[after + 1] if command & 6 else 0
        there = len(buffer) - self._at
        self._past = max(0, total - there)
        self._step(min(total, there))
        self._skipped(Skipped(topic, mid, total, "too large"))
        return b""


def _variable(buffer: bytearray, at: int, end: int) -> tuple[int, int] | None:
    """Return a variable byte integer and its width; None: it is cut off or too wide."""
    value = shift = 0
    for width in range(1, 5):
        if at >= end:
            return None
        byte = buffer[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, width
        at, shift = at + 1, shift + 7
    return None
