from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.mqtt.strict_json import encode


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
