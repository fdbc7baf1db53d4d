"""What counts as signed, and what of it may come again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bridge.mqtt.seals import AHEAD_US, Seals
from bridge.mqtt.signatures import Seal, SealedPayload, SignatureError, seal

KEY = SecretStr("0123456789abcdef0123456789abcdef")
TOPIC = "kis/orders/main/alice/command/cancel_all"
PAYLOAD = b'{"client_order_id":"c-1"}'
NONCE, UNTIL = "b7f1c6a09d3e42f8", "2026-11-22T09:00:05+09:00"
AT = 1_795_305_605_000_000
MOST = 1_000


def sealed(payload: bytes = PAYLOAD, **other: Any) -> bytes:
    said: dict[str, Any] = {"key": KEY, "topic": TOPIC, "nonce": NONCE, "expires_at": UNTIL} | other
    return seal(said.pop("key"), said.pop("topic"), payload, **said)


def seals(now: int = AT - 10_000_000) -> Seals:
    return Seals({"alice": KEY}, lambda: now)


def refusal(opener: Seals, envelope: bytes, topic: str = TOPIC) -> str:
    with pytest.raises(SignatureError) as caught:
        opener.open("alice", topic, envelope, MOST)
    return str(caught.value)


def test_the_vector_of_the_documentation() -> None:
    signed = json.loads(sealed())["signed"]
    assert signed["signature"] == (
        "74bb79817b1646137f40d436ada3d19ef91551dd18b5179334eb24a93efc9300"
    )
    assert signed["payload"].encode() == PAYLOAD


def test_what_was_signed_is_opened_byte_by_byte() -> None:
    for payload in (PAYLOAD, '{ "a" :\n"한글 \\" \\u0041"}'.encode(), b""):
        opened, found = seals().open("alice", TOPIC, sealed(payload), MOST)
        assert opened == payload
        assert found is not None
        assert (found.nonce, found.expires_at) == (NONCE, AT)


def test_a_client_without_a_key_is_not_asked_for_a_signature() -> None:
    assert seals().open("bob", TOPIC, b"anything", MOST) == (b"anything", None)


def test_whatever_is_altered_is_refused() -> None:
    said = "the signature is not that of this topic and payload by its key"
    assert refusal(seals(), sealed(), TOPIC.replace("alice", "bob")) == said
    assert refusal(seals(), sealed(), TOPIC.replace("cancel_all", "place")) == said
    assert refusal(seals(), sealed(key=SecretStr("f" * 32))) == said
    for member, other in (
        ("payload", '{"client_order_id":"c-2"}'),
        ("nonce", NONCE[::-1]),
        ("expires_at", UNTIL.replace("05+", "06+")),
        ("signature", "0" * 64),
    ):
        content = json.loads(sealed())
        content["signed"][member] = other
        assert refusal(seals(), json.dumps(content).encode()) == said


@pytest.mark.parametrize(
    ("envelope", "says"),
    [
        (PAYLOAD, "it is not signed"),
        (b'{"signed":{},"and":1}', "it is not signed"),
        (b'{"signed":"x"}', "it is not signed"),
        (b"not JSON", "the payload is not JSON"),
        (b"", "the payload is not JSON"),
        (b'{"signed":{"payload":"{}"}}', "signed needs the texts expires_at, nonce, payload"),
        (sealed(nonce="short"), "nonce: 16 to 64"),
        (sealed(nonce="line\nend" * 3), "nonce: 16 to 64"),
        (sealed(expires_at="tomorrow"), "expires_at: a time such as"),
        (sealed(expires_at="2026-11-22T09:00:05"), "expires_at: a time such as"),
        (sealed(expires_at="2026-13-22T09:00:05Z"), "expires_at: there is no such time"),
        (sealed(b"x" * (MOST + 1)), "its payload has 1001 bytes, at most 1000 are read"),
        (b'{"signed":"' + b"x" * 9_000, "at most 6512 are read"),
    ],
)
def test_what_is_no_envelope_says_what_is_missing(envelope: bytes, says: str) -> None:
    assert says in refusal(seals(), envelope)


def test_the_largest_payload_fits_however_json_writes_it() -> None:
    payload = b"\x01" * MOST
    text = json.dumps(json.loads(sealed(payload)))
    assert "\\u0001" in text
    assert seals().open("alice", TOPIC, text.encode(), MOST)[0] == payload


def test_a_signature_is_good_for_five_minutes_and_no_more() -> None:
    late = seals(AT - AHEAD_US - 6_000_000)
    assert refusal(late, sealed()) == "expires_at: at most 300 s ahead of KIS's clock"
    seals(AT - AHEAD_US).open("alice", TOPIC, sealed(), MOST)


def test_the_same_may_come_again_and_nothing_else_under_its_nonce() -> None:
    opener = seals()
    first = opener.open("alice", TOPIC, sealed(), MOST)
    assert opener.open("alice", TOPIC, sealed(), MOST) == first
    other = sealed(b'{"client_order_id":"c-2"}')
    assert "it was used for something else" in refusal(opener, other)
    elsewhere = TOPIC.replace("main", "second")
    assert "something else" in refusal(opener, sealed(topic=elsewhere), elsewhere)
    opener.open("alice", TOPIC, sealed(b"{}", nonce="another-nonce-01"), MOST)


def test_what_came_before_a_restart_is_known_after_it() -> None:
    _, used = seals().open("alice", TOPIC, sealed(), MOST)
    assert isinstance(used, Seal)
    again = seals()
    again.resume([("alice", used)])
    again.open("alice", TOPIC, sealed(), MOST)
    assert "something else" in refusal(again, sealed(b"{}"))


def test_only_so_many_are_remembered_and_only_as_long_as_they_are_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.mqtt.seals._MOST", 3)
    now = AT - 10_000_000
    opener = Seals({"alice": KEY}, lambda: now)
    for number in range(3):
        opener.open("alice", TOPIC, sealed(nonce=f"number-{number:09}"), MOST)
    assert refusal(opener, sealed()) == "more than 3 signed in 300 s"
    opener.open("alice", TOPIC, sealed(nonce="number-000000001"), MOST)
    now = AT + 120_000_000
    opener.open("alice", TOPIC, sealed(), MOST)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.dictionaries(
            st.sampled_from(["payload", "nonce", "expires_at", "signature", "x"]),
            st.text(max_size=70) | st.integers() | st.none() | st.sampled_from([NONCE, UNTIL]),
        ).map(lambda signed: json.dumps({"signed": signed}).encode()),
    )
)
def test_whatever_comes_is_refused_with_an_error_of_ours(envelope: bytes) -> None:
    with pytest.raises(SignatureError):
        SealedPayload.read(envelope, MOST).verify(KEY, TOPIC)
