"""Packets of a broker before anything decodes them."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mqtt.packets import Bounds, PacketReader, Ruling, Skipped

BOUNDS = Bounds(packet=1000, properties=200)
USER_PROPERTY = b"\x26\x00\x00\x00\x00"
AT_ONCE = 1000


def number(value: int) -> bytes:
    """Return a variable byte integer."""
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def publish(
    topic: bytes = b"t", payload: bytes = b"{}", mid: int = 1, properties: bytes | None = b""
) -> bytes:
    """Return a PUBLISH; ``mid`` 0: QoS 0; ``properties`` None: MQTT 3.1.1."""
    rest = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if mid else b"")
    if properties is not None:
        rest += number(len(properties)) + properties
    rest += payload
    return bytes([0x32 if mid else 0x30]) + number(len(rest)) + rest


class Reader:
    """What a packet reader makes of some bytes, fed in pieces."""

    def __init__(
        self,
        judge: Callable[[bytes], Ruling] | None = None,
        bounds: Bounds = BOUNDS,
        *,
        v5: bool = True,
    ) -> None:
        self.passed: list[bytes] = []
        self.skipped: list[Skipped] = []
        self.surplus: list[bool] = []
        self.reader = PacketReader(bounds, judge, self.skipped.append, v5=v5)

    def feed(self, data: bytes, piece: int = 1 << 30) -> None:
        for at in range(0, len(data), piece):
            self.reader.feed(data[at : at + piece])
            while self.reader.waiting:
                found = self.reader.next(AT_ONCE)
                if found:
                    self.passed.append(found)
                    self.surplus.append(self.reader.surplus)


@pytest.mark.parametrize("piece", [1, 2, 7, 100_000])
@pytest.mark.parametrize("v5", [True, False])
def test_what_is_within_the_bounds_is_passed_on_as_it_is(piece: int, v5: bool) -> None:
    properties = USER_PROPERTY * 30 if v5 else None
    packets = [
        b"\x20\x03\x00\x00\x00",
        publish(properties=properties),
        b"\xd0\x00",
        publish(b"kis/x", b"x" * 700, 0, properties),
        publish(b"", b"", 7, properties),
        b"\x40\x02\x00\x01",
    ]
    reader = Reader(v5=v5)
    reader.feed(b"".join(packets), piece)
    assert reader.passed == packets
    assert not reader.skipped


@pytest.mark.parametrize("piece", [1, 999, 100_000])
def test_a_packet_that_is_too_large_is_read_past_and_reported_with_its_id(piece: int) -> None:
    after = publish(b"after")
    large = publish(b"large", b"x" * 5000, 513)
    reader = Reader()
    reader.feed(large + after + publish(b"l", b"x" * 5000, 0) + after, piece)
    assert reader.passed == [after, after]
    assert reader.skipped == [
        Skipped(b"large", 513, len(large), "too large"),
        Skipped(b"l", 0, len(publish(b"l", b"x" * 5000, 0)), "too large"),
    ]


def test_a_hundred_megabytes_are_never_in_memory() -> None:
    reader = Reader(v5=False)
    head = publish(b"large", b"", 5, None)[2:]
    piece = bytes(65_536)
    tracemalloc.start()
    reader.feed(b"\x32" + number(len(head) + 1600 * len(piece)) + head)
    for _ in range(1600):
        reader.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.feed(publish())
    assert peak < 1_000_000
    assert (reader.skipped[0].mid, reader.passed) == (5, [publish()])


def test_a_bomb_of_properties_is_skipped_undecoded() -> None:
    bomb = publish(b"bomb", properties=USER_PROPERTY * 41, mid=9)
    reader = Reader()
    reader.feed(bomb + publish())
    assert reader.skipped == [Skipped(b"bomb", 9, len(bomb), "too many MQTT properties")]
    assert reader.passed == [publish()]


def test_the_payload_behind_long_properties_is_found() -> None:
    packet = publish(b"topic", b"payload", 3, USER_PROPERTY * 30)
    reader = Reader()
    reader.feed(packet)
    assert packet[3:][reader.reader.head :] == b"payload"
    reader.feed(publish())
    assert not reader.reader.head


def test_what_is_one_too_many_is_skipped_or_marked_by_its_topic() -> None:
    verdicts = {b"a": Ruling.TAKE, b"b": Ruling.ANSWER, b"c": Ruling.SKIP}
    reader = Reader(verdicts.__getitem__)
    a, b, c = publish(b"a"), publish(b"b"), publish(b"c", mid=77)
    reader.feed(b + a + c + b)
    assert reader.passed == [b, a, b]
    assert reader.surplus == [True, False, True]
    assert reader.skipped == [Skipped(b"c", 77, len(c), "")]


def test_it_gives_others_a_turn_when_it_has_skipped_many() -> None:
    skipped: list[Skipped] = []
    reader = PacketReader(BOUNDS, lambda _: Ruling.SKIP, skipped.append, v5=True)
    reader.feed(publish() * 100)
    assert reader.next(10) is None
    assert (len(skipped), reader.waiting) == (10, True)


def test_what_was_not_looked_at_can_be_forgotten() -> None:
    reader = Reader()
    reader.reader.feed(publish() + publish(b"x", b"x" * 5000)[:1500])
    reader.reader.clear()
    assert not reader.reader.waiting
    reader.feed(publish(b"new"))
    assert reader.passed == [publish(b"new")]


@given(data=st.binary(max_size=3000), piece=st.integers(1, 500), v5=st.booleans())
def test_any_bytes_are_passed_on_or_skipped_and_never_fail(
    data: bytes, piece: int, v5: bool
) -> None:
    reader = Reader(lambda topic: Ruling.SKIP if b"\x01" in topic else Ruling.TAKE, v5=v5)
    reader.feed(data, piece)
    assert sum(map(len, reader.passed)) <= len(data)


@given(
    data=st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=1500)), max_size=20),
    piece=st.integers(1, 4000),
)
def test_however_it_is_cut_each_packet_is_found(
    data: list[tuple[bytes, bytes]], piece: int
) -> None:
    packets = [publish(topic, payload) for topic, payload in data]
    reader = Reader()
    reader.feed(b"".join(packets), piece)
    assert reader.passed == [packet for packet in packets if len(packet) <= 1000]
    assert [one.topic for one in reader.skipped] == [
        topic for (topic, _), packet in zip(data, packets, strict=True) if len(packet) > 1000
    ]


def test_a_packet_costs_microseconds() -> None:
    reader = Reader(lambda _: Ruling.TAKE)
    began = time.perf_counter()
    reader.feed(publish(b"kis/orders/main/alice/command/place") * 10_000)
    assert (time.perf_counter() - began) / 10_000 < 100e-6, "about 5 on an idle machine"
