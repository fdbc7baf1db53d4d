from __future__ import annotations

import contextlib
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mqtt.strict_json import JsonError, decode_object, encode


def test_json_is_compact_and_hangul_stays_readable() -> None:
    assert encode({"name": "삼성", "n": [1, None]}) == '{"name":"삼성","n":[1,null]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), Decimal("-Infinity")])
def test_nan_has_no_json_form(value: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"x": value})


def test_a_decimal_keeps_its_digits() -> None:
    value = {"a": [Decimal("354.4200"), {"b": (Decimal("0.00"), Decimal(-7))}], "c": Decimal("1E3")}
    assert encode(value) == b'{"a":[354.4200,{"b":[0.00,-7]}],"c":1000}'


def test_what_has_no_json_form() -> None:
    with pytest.raises(TypeError):
        encode({"x": object()})


def test_numbers_with_a_point_stay_decimal() -> None:
    assert decode_object(b'{"price":71900.10}', 100) == {"price": Decimal("71900.10")}


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a":NaN}', "NaN is not a number"),
        (b"\xff", "not UTF-8"),
        (b'{"a":' * 20_000, "nested too deeply"),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"a":' + b"9" * 5000 + b"}", "more than 64 digits"),
        (b'{"a":1e99999}', "exponent"),
        (b'{"a":0.' + b"1" * 200 + b"}", "more than 64 digits"),
        (b'{"a":1,"a":2}', "key 'a' occurs twice"),
    ],
)
def test_what_is_no_request(payload: bytes, says: str) -> None:
    with pytest.raises(JsonError, match=says) as caught:
        decode_object(payload, limit=200_000)
    assert not caught.value.too_large


def test_the_size_limit() -> None:
    with pytest.raises(JsonError, match="65537 bytes") as caught:
        decode_object(b" " * 65_537, 65_536)
    assert caught.value.too_large


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_raise_nothing_else(payload: bytes) -> None:
    with contextlib.suppress(JsonError):
        assert isinstance(decode_object(payload, 200), dict)


@pytest.mark.parametrize("text", [r'{"a":"\ud800"}', r'{"\udc00":1}', r'{"a":[{"b":"x\uD83Dy"}]}'])
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(JsonError, match="surrogate"):
        decode_object(text.encode(), 100)
    assert decode_object(rb'{"a":"\ud83d\ude00\uac00"}', 100) == {"a": "😀가"}


def test_brackets_and_digits_in_texts_are_no_depth_and_no_numbers() -> None:
    text = "[{" * 50 + "9" * 500 + '"'
    assert decode_object(encode({"a": text}), 10_000) == {"a": text}


def test_what_is_refused_costs_no_more_than_its_length() -> None:
    bombs = (b'{"a":' + b"[" * 60_000, b'{"a":' + b"9" * 60_000, b'{"a":"' + b"\\" * 60_000)
    began = time.process_time()
    for bomb in bombs:
        with pytest.raises(JsonError):
            decode_object(bomb, 200_000)
    assert time.process_time() - began < 0.5
