from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import RequestError
from bridge.mqtt import payloads


def test_json_is_compact_and_hangul_stays_readable() -> None:
    assert (
        payloads.encode({"name": "삼성", "n": [1, None]}) == '{"name":"삼성","n":[1,null]}'.encode()
    )


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), Decimal("-Infinity")])
def test_nan_has_no_json_form(value: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        payloads.encode({"x": value})


def test_a_decimal_keeps_its_digits() -> None:
    value = {"a": [Decimal("354.4200"), {"b": (Decimal("0.00"), Decimal(-7))}], "c": Decimal("1E3")}
    assert payloads.encode(value) == b'{"a":[354.4200,{"b":[0.00,-7]}],"c":1000}'


def test_what_has_no_json_form() -> None:
    with pytest.raises(TypeError):
        payloads.encode({"x": object()})


def test_states() -> None:
    assert json.loads(payloads.ONLINE) == {"state": "online"}
    assert json.loads(payloads.OFFLINE) == {"state": "offline"}


def test_answers_echo_the_transaction() -> None:
    assert json.loads(payloads.ok([1], "t-1")) == {
        "status": "ok",
        "data": [1],
        "transaction": "t-1",
    }
    assert json.loads(payloads.ok(None)) == {"status": "ok", "data": None}
    assert json.loads(payloads.error("busy", "later", 0)) == {
        "status": "error",
        "code": "busy",
        "message": "later",
        "transaction": 0,
    }


def test_an_event() -> None:
    at = datetime(2026, 2, 23, 4, 15, tzinfo=UTC)
    assert json.loads(payloads.event("gap", at, channel="H0STCNT0")) == {
        "kind": "gap",
        "at": "2026-02-23T04:15:00+00:00",
        "channel": "H0STCNT0",
    }


def test_info() -> None:
    info = payloads.Info(
        version="0.1.0",
        environment="simulator",
        started_at=datetime(2026, 2, 23, tzinfo=UTC),
        workbook=payloads.WorkbookInfo(version="1", digest="ab"),
        accounts=("main",),
        limits={"slots": 41},
    )
    assert json.loads(info.encode()) == {
        "version": "0.1.0",
        "environment": "simulator",
        "started_at": "2026-02-23T00:00:00Z",
        "workbook": {"version": "1", "digest": "ab"},
        "accounts": ["main"],
        "limits": {"slots": 41},
    }


def test_numbers_with_a_point_stay_decimal() -> None:
    assert payloads.decode_object(b'{"price":71900.10}') == {"price": Decimal("71900.10")}


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "not JSON"),
        (b"[1]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a":' * 20_000, "nested too deeply|not JSON"),
        (b"[" * 60_000, "nested too deeply|not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_what_is_no_request(payload: bytes, says: str) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        payloads.decode_object(payload, limit=200_000)
    assert caught.value.code == "invalid_request"


def test_the_size_limit() -> None:
    with pytest.raises(RequestError, match="65537 bytes") as caught:
        payloads.decode_object(b" " * 65_537)
    assert caught.value.code == "too_large"


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_raise_nothing_else(payload: bytes) -> None:
    with contextlib.suppress(RequestError):
        assert isinstance(payloads.decode_object(payload), dict)


@pytest.mark.parametrize("text", [r'{"a":"\ud800"}', r'{"\udc00":1}', r'{"a":[{"b":"x\uD83Dy"}]}'])
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="surrogate"):
        payloads.decode_object(text.encode())
    assert payloads.decode_object(rb'{"a":"\ud83d\ude00\uac00"}') == {"a": "😀가"}
