from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.embedded.v311 import ProtocolError, Translator


def packet(head: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((head, len(body))) + body


def field(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def connect(level: int, flags: int, keep_alive: int, rest: bytes, name: bytes = b"MQTT") -> bytes:
    head = field(name) + bytes((level, flags)) + keep_alive.to_bytes(2, "big")
    return packet(0x10, head + rest)


CLEAN_311 = connect(4, 0x02, 30, field(b"me"))


def old_client() -> Translator:
    translator = Translator()
    translator.to_broker(CLEAN_311)
    assert translator.introduced
    return translator


def test_connect_becomes_mqtt_5() -> None:
    assert Translator().to_broker(CLEAN_311) == connect(5, 0x02, 30, b"\x00" + field(b"me"))


def test_a_kept_session_never_expires() -> None:
    wanted = connect(5, 0x00, 30, b"\x05\x11\xff\xff\xff\xff" + field(b"me"))
    assert Translator().to_broker(connect(4, 0x00, 30, field(b"me"))) == wanted


def test_a_will_gets_its_properties() -> None:
    rest = field(b"t") + field(b"gone") + field(b"user") + field(b"pw")
    said = Translator().to_broker(connect(4, 0xE6, 30, field(b"me") + rest))
    assert said == connect(5, 0xE6, 30, b"\x00" + field(b"me") + b"\x00" + rest)


def test_mqtt_3_1_has_another_name() -> None:
    said = Translator().to_broker(connect(3, 0x02, 30, field(b"me"), name=b"MQIsdp"))
    assert said == connect(5, 0x02, 30, b"\x00" + field(b"me"))


def test_no_keep_alive_becomes_the_longest() -> None:
    assert b"\x02\xff\xff" in Translator().to_broker(connect(4, 0x02, 0, field(b"me")))
    assert b"\x02\xff\xff" in Translator().to_broker(connect(5, 0x02, 0, b"\x00" + field(b"me")))


def test_mqtt_5_is_passed_on_as_it_is() -> None:
    translator = Translator()
    hello = connect(5, 0x02, 30, b"\x00" + field(b"me"))
    publish = packet(0x30, field(b"t") + b"\x00x")
    assert translator.to_broker(hello + publish[:3]) == hello + publish[:3]
    assert translator.to_broker(publish[3:]) == publish[3:]
    assert translator.to_client(b"\x20\x03\x00\x00\x00") == b"\x20\x03\x00\x00\x00"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (packet(0x30, field(b"t") + b"x"), packet(0x30, field(b"t") + b"\x00x")),
        (packet(0x3B, field(b"t") + b"\x00\x07x"), packet(0x3B, field(b"t") + b"\x00\x07\x00x")),
        (
            packet(0x82, b"\x00\x01" + field(b"#") + b"\x01"),
            packet(0x82, b"\x00\x01\x00" + field(b"#") + b"\x01"),
        ),
        (packet(0xA2, b"\x00\x01" + field(b"#")), packet(0xA2, b"\x00\x01\x00" + field(b"#"))),
        (packet(0x40, b"\x00\x07"), packet(0x40, b"\x00\x07")),
        (packet(0xC0, b""), packet(0xC0, b"")),
        (packet(0xE0, b""), packet(0xE0, b"")),
    ],
)
def test_what_an_old_client_says(old: bytes, new: bytes) -> None:
    assert old_client().to_broker(old) == new


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (packet(0x20, b"\x01\x00\x03\x21\x00\x64"), packet(0x20, b"\x01\x00")),
        (packet(0x20, b"\x00\x86\x00"), packet(0x20, b"\x00\x04")),
        (packet(0x20, b"\x00\x97\x00"), packet(0x20, b"\x00\x03")),
        (
            packet(0x31, field(b"t") + b"\x05\x02\x00\x00\x00\x3cx"),
            packet(0x31, field(b"t") + b"x"),
        ),
        (packet(0x32, field(b"t") + b"\x00\x07\x00x"), packet(0x32, field(b"t") + b"\x00\x07x")),
        (packet(0x40, b"\x00\x07\x10\x00"), packet(0x40, b"\x00\x07")),
        (packet(0x90, b"\x00\x01\x00\x01\x87"), packet(0x90, b"\x00\x01\x01\x80")),
        (packet(0xB0, b"\x00\x01\x00\x00"), packet(0xB0, b"\x00\x01")),
        (packet(0xD0, b""), packet(0xD0, b"")),
        (packet(0xE0, b"\x8e\x00"), b""),
    ],
)
def test_what_an_old_client_hears(new: bytes, old: bytes) -> None:
    assert old_client().to_client(new) == old


def test_long_packets_get_a_longer_length() -> None:
    said = old_client().to_broker(b"\x30\xff\x7f" + field(b"t") + b"x" * 16_380)
    assert said == b"\x30\x80\x80\x01" + field(b"t") + b"\x00" + b"x" * 16_380


@given(st.lists(st.integers(1, 9), max_size=30))
def test_cuts_between_reads_do_not_matter(cuts: list[int]) -> None:
    stream = CLEAN_311 + packet(0x32, field(b"topic") + b"\x00\x07payload") * 3
    whole = Translator().to_broker(stream)
    translator, said, at = Translator(), b"", 0
    for cut in cuts:
        said += translator.to_broker(stream[at : at + cut])
        at += cut
    assert said + translator.to_broker(stream[at:]) == whole


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        packet(0x30, field(b"t")),
        connect(6, 0, 0, b""),
        packet(0x10, b"\x00\x09MQTT"),
        b"\x10\xff\xff\xff\xff\x7f",
        b"\x10\xff\xff\xff\x7f" + bytes(200_000),
    ],
)
def test_what_is_no_mqtt(nonsense: bytes) -> None:
    with pytest.raises(ProtocolError):
        Translator().to_broker(nonsense)


def test_a_publish_that_ends_too_early() -> None:
    with pytest.raises(ProtocolError):
        old_client().to_broker(packet(0x32, field(b"t") + b"\x00"))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_raise_nothing_else(up: bytes, down: bytes) -> None:
    translator = old_client()
    for way, data in ((translator.to_broker, up), (translator.to_client, down)):
        with contextlib.suppress(ProtocolError):
            way(data)
