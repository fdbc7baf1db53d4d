"""What the market line relies on of the package ``mqtt5``, which may change before its 1.0."""

from __future__ import annotations

import mqtt5
import pytest

CONNACK = b"\x20\x06\x00\x00\x03\x21\x00\x14"


def test_a_record_is_these_bytes() -> None:
    packet = mqtt5.PublishPacket("a/b", b"x", retain=True, message_expiry_interval=60)
    assert packet.write() == b"\x31\x0c\x00\x03a/b\x05\x02\x00\x00\x00\x3cx"
    assert mqtt5.PublishPacket("a/b", b"x").write() == b"\x30\x07\x00\x03a/b\x00x"


def test_a_record_of_qos_1_carries_its_number() -> None:
    packet = mqtt5.PublishPacket("a/b", b"x", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=7)
    assert packet.write() == b"\x32\x09\x00\x03a/b\x00\x07\x00x"


def test_the_other_packets_that_are_written_are_these_bytes() -> None:
    hello = mqtt5.ConnectPacket(
        "me", username="u", password=b"p", clean_start=True, keep_alive=30
    ).write()
    assert hello == b"\x10\x15\x00\x04MQTT\x05\xc2\x00\x1e\x00\x00\x02me\x00\x01u\x00\x01p"
    assert mqtt5.PingReqPacket().write() == b"\xc0\x00"
    assert mqtt5.DisconnectPacket().write() == b"\xe0\x00"


def test_a_packet_is_read_with_its_length_and_what_follows_stays() -> None:
    packet, size = mqtt5.read(memoryview(CONNACK + b"\xd0\x00"))
    assert isinstance(packet, mqtt5.ConnAckPacket)
    assert packet.reason_code is mqtt5.ConnAckReasonCode.SUCCESS
    assert packet.receive_max == 20
    assert size == len(CONNACK)
    assert mqtt5.read(memoryview(b"\xd0\x00")) == (mqtt5.PingRespPacket(), 2)


def test_a_buffer_that_was_read_can_be_cut() -> None:
    buffer = bytearray(CONNACK)
    with memoryview(buffer) as view:
        _, size = mqtt5.read(view)
    del buffer[:size]
    assert not buffer


@pytest.mark.parametrize("length", range(len(CONNACK)))
def test_half_a_packet_is_an_index_error(length: int) -> None:
    with pytest.raises(IndexError):
        mqtt5.read(memoryview(CONNACK[:length]))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",
        b"\x40\xff\xff\xff\xff\xff",
        b"\x20\x02\xff\xff",
    ],
)
def test_what_is_no_mqtt_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        mqtt5.read(memoryview(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x40\x02\x00\x07", mqtt5.PubAckReasonCode.SUCCESS),
        (b"\x40\x03\x00\x07\x10", mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS),
        (b"\x40\x03\x00\x07\x87", mqtt5.PubAckReasonCode.NOT_AUTHORIZED),
    ],
)
def test_an_acknowledgement_says_which_and_why(data: bytes, reason: mqtt5.PubAckReasonCode) -> None:
    packet, _ = mqtt5.read(memoryview(data))
    assert isinstance(packet, mqtt5.PubAckPacket)
    assert (packet.packet_id, packet.reason_code) == (7, reason)


def test_a_refusal_and_a_farewell_say_why() -> None:
    refused, _ = mqtt5.read(memoryview(b"\x20\x03\x00\x87\x00"))
    assert isinstance(refused, mqtt5.ConnAckPacket)
    assert refused.reason_code.name == "NOT_AUTHORIZED"
    ended, _ = mqtt5.read(memoryview(b"\xe0\x01\x8e"))
    assert isinstance(ended, mqtt5.DisconnectPacket)
    assert ended.reason_code.name == "SESSION_TAKEN_OVER"


@pytest.mark.parametrize("topic", ["a" * 65_536, "a/#"])
def test_a_topic_that_mqtt_does_not_have_is_not_written(topic: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid topic|String must be"):
        mqtt5.PublishPacket(topic, b"").write()
