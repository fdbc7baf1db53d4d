from __future__ import annotations

import json
import re

import pytest

from bridge.catalog.compile import load
from bridge.kis.markets import order_types
from bridge.orders.model.command import CommandError
from bridge.orders.model.command_parser import parse

TYPES = order_types(load(), paper=False)
PLACE = {
    "client_order_id": "a-1",
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "limit",
    "quantity": 10,
    "price": 71900,
    "expires_at": "2999-01-01T00:00:00+09:00",
}


def refusal(**fields: object) -> str:
    content = {name: value for name, value in (PLACE | fields).items() if value is not ...}
    with pytest.raises(CommandError) as caught:
        parse("place", json.dumps(content).encode(), TYPES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"client_order_id": "a b"}, "client_order_id: must be 1 to 64 of A-Z a-z 0-9 . _ -"),
        ({"client_order_id": 7}, "client_order_id: write a text"),
        ({"quantity": "ten"}, "quantity: write a whole number"),
        ({"quantity": 1.5}, "quantity: write a whole number"),
        ({"quantity": True}, "quantity: write a whole number"),
        ({"quantity": 0}, "quantity: must be above 0"),
        ({"quantity": 10**9}, "quantity: must be at most 999999999"),
        ({"side": "hold"}, "side: must be 'buy' or 'sell'"),
        ({"symbol": "삼성전자"}, "symbol: must be a symbol, e.g. 005930, AAPL or BRK/B"),
        ({"venue": "KRX"}, "venue: must be 1 to 16 of a-z _, e.g. krx"),
        ({"price": []}, "price: write a number, e.g. 71900"),
        ({"side": ...}, "missing key 'side'"),
        ({"prise": 1}, "unknown key 'prise': did you mean 'price'?"),
        ({"colour": 1}, "unknown key 'colour': leave it out"),
    ],
)
def test_a_refusal_names_the_key_and_the_mend(fields: dict[str, object], says: str) -> None:
    assert refusal(**fields) == says


@pytest.mark.parametrize("value", [None, 1, 1.5, True, "", "x" * 200, [], {}, "^", -1, 0])
def test_no_refusal_speaks_of_input_or_shows_an_expression(value: object) -> None:
    for name in PLACE:
        try:
            parse("place", json.dumps(PLACE | {name: value}).encode(), TYPES)
        except CommandError as error:
            text = str(error)
            assert not re.search(r"Input|pattern|\^\[|validation|instance", text), (name, text)
