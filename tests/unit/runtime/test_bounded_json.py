from __future__ import annotations

import contextlib
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.bounded_json import (
    JsonError,
    decode,
    decode_lenient,
    decode_object,
    within_bounds,
)


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
        (b'{"a":1e99999999999999999999}', "exponent above 999"),
        (b'{"a":1e999999999}', "exponent above 999"),
        (b'{"a":-1E-0001000}', "exponent above 999"),
        (json.dumps(dict.fromkeys(map(str, range(257)))).encode(), "more than 256 names"),
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
    assert decode_object(json.dumps({"a": text}).encode(), 10_000) == {"a": text}


def test_what_is_refused_costs_no_more_than_its_length() -> None:
    bombs = (b'{"a":' + b"[" * 60_000, b'{"a":' + b"9" * 60_000, b'{"a":"' + b"\\" * 60_000)
    began = time.process_time()
    for bomb in bombs:
        with pytest.raises(JsonError):
            decode_object(bomb, 200_000)
    assert time.process_time() - began < 0.5


def test_names_that_occur_twice_are_found_without_comparing_each_with_each() -> None:
    names = [f'"{i}":0' for i in range(10_000)]
    payload = ("{" + ",".join([*names, names[-1]]) + "}").encode()
    began = time.process_time()
    with pytest.raises(JsonError, match="'9999' occurs twice"):
        decode(payload, 200_000, names=20_000)
    assert time.process_time() - began < 0.5


def test_numbers_as_text_keep_every_letter() -> None:
    assert decode(b"[1.50,-7,1e5]", 100, numbers_as_text=True) == ["1.50", "-7", "1e5"]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b'{"a":NaN,"b":-Infinity}', {"a": None, "b": None}),
        (rb'{"a":["x\ud800y"],"\udc00":1}', {"a": ["x?y"], "?": 1}),
        (rb'{"a":"\ud83d\ude00"}', {"a": "😀"}),
        (b'{"a":"\xff"}', {"a": "�"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":1.50}', {"a": Decimal("1.50")}),
        (b'\xef\xbb\xbf{"a":"x\ty"}', {"a": "x\ty"}),
    ],
)
def test_an_answer_of_kis_is_read_in_spite_of_its_faults(answer: bytes, value: Any) -> None:
    assert decode_lenient(answer, 100) == value
    json.dumps(decode_lenient(answer, 100), default=str, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b'{"a":1e1000}', b'{"a":' + b"9" * 65 + b"}", b"[" * 17, b" " * 501],
)
def test_an_answer_of_kis_has_the_same_bounds(answer: bytes) -> None:
    with pytest.raises(JsonError):
        decode_lenient(answer, 500)


@pytest.mark.parametrize("number", [Decimal("1e64"), Decimal("1e-65"), Decimal("NaN"), 10**65])
def test_a_number_that_would_be_long(number: Decimal | int) -> None:
    assert not within_bounds(number)
    assert within_bounds(Decimal("71900.25"))
    assert within_bounds(10**30)
