"""How values are written for people."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.cli.output import lines, plain


def test_an_answer_for_people() -> None:
    answer = {
        "output1": [{"symbol": "005930", "rate": Decimal("0.50")}, {"symbol": "000660"}],
        "output2": {"cash": 100, "note": None},
        "none": [],
        "pages": 1,
    }
    assert list(lines(answer)) == [
        "output1 1/2",
        "  symbol  005930",
        "  rate    0.50",
        "output1 2/2",
        "  symbol  000660",
        "output2",
        "  cash  100",
        "  note",
        "none",
        "pages    1",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.00000000"), "0"),
        (Decimal("0E-8"), "0"),
        (Decimal("0.00000012"), "0.00000012"),
        (Decimal("1E+3"), "1000"),
        (False, "no"),
        (True, "yes"),
        (None, ""),
        (["krx", "nxt"], "krx, nxt"),
        ("모의투자", "모의투자"),
    ],
)
def test_a_value_for_people(value: object, text: str) -> None:
    assert plain(value) == text
