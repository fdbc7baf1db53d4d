from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RequestError
from bridge.kis.markets import OrderType, OrderTypes
from bridge.orders.model.command import Cancel, CommandError, Modify, Place
from bridge.orders.model.command_parser import MAX_PAYLOAD, parse

TYPES: OrderTypes = {
    ("domestic_stock", "krx"): {
        "limit": OrderType("limit", "00", True, False),
        "market": OrderType("market", "01", False, False),
        "stop_limit": OrderType("stop_limit", "22", True, True),
    }
}
PLACE: dict[str, Any] = {
    "client_order_id": "a1-0001",
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "limit",
    "quantity": 10,
    "price": 71900,
    "expires_at": "2026-11-22T09:00:05+09:00",
}


LOANED = {"loan_date": "20261123"}
APPLE = {"market": "overseas_stock", "venue": "nas", "symbol": "AAPL"}


def place(raw: str | None = None, /, **fields: object) -> Place:
    text = raw or json.dumps(PLACE | fields)
    command = parse("place", text.encode(), TYPES)
    assert isinstance(command, Place)
    return command


def test_the_contracts_example() -> None:
    command = place()
    assert (command.quantity, str(command.price)) == (10, "71900")
    assert command.deadline(0, None) == 1_795_305_605_000_000
    assert command.name() == ""


def test_the_text_of_a_command_is_the_one_that_journals_hold() -> None:
    """Another one would make a duplicate of yesterday's bridge a second order."""
    assert place().canonical() == (
        '{"client_order_id":"a1-0001","expires_at":"2026-11-22T00:00:05+00:00",'
        '"market":"domestic_stock","order_type":"limit","price":"71900","quantity":10,'
        '"side":"buy","symbol":"005930","venue":"krx"}'
    )
    digest = "597a467fea72ff6bed63cd1c3244a38a51bfa0e292471fe81e6a5ae7f1277bbc"
    assert place().digest() == digest


@pytest.mark.parametrize(
    ("market", "venue", "said"),
    [
        ("domestic_bond", "krx", "of real stock accounts only, with it in orders.markets"),
        ("overseas_derivative", "all", "of real accounts of product 08 only"),
        ("overseas_stock", "baq", "of real stock accounts only, with it in orders.markets"),
    ],
)
def test_what_kis_takes_of_other_accounts_only_is_said(market: str, venue: str, said: str) -> None:
    symbol = {"domestic_bond": "KR6095572D81", "overseas_stock": "AAPL"}.get(market, "CLF27")
    with pytest.raises(CommandError, match=said) as caught:
        place(market=market, venue=venue, symbol=symbol)
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize(
    ("market", "symbol", "good"),
    [
        ("domestic_bond", "KR6095572D81", True),
        ("domestic_bond", "KR6095572D8", False),
        ("domestic_bond", "005930", False),
        ("overseas_derivative", "CLF27", True),
        ("overseas_derivative", "OESH23 C3900", True),
        ("overseas_derivative", "OESH23 X3900", False),
        ("overseas_derivative", "CL F27", False),
    ],
)
def test_symbols_look_like_those_of_their_market(market: str, symbol: str, *, good: bool) -> None:
    text = json.dumps(PLACE | {"market": market, "symbol": symbol})
    if good:
        assert parse("place", text.encode())
    else:
        with pytest.raises(CommandError, match="symbol: of"):
            parse("place", text.encode())


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"credit_type": "own_margin_loan_new"}, "missing key 'loan_date'"),
        ({"loan_date": "20261123"}, "say which credit_type"),
        ({"credit_type": "own_margin_loan_repaid"} | LOANED, "is an order to sell"),
        (
            {"credit_type": "market_stock_loan_repaid", "side": "sell"} | LOANED,
            "is an order to buy",
        ),
        ({"credit_type": "mine"} | LOANED, "credit_type"),
        ({"credit_type": "own_margin_loan_new", "loan_date": "2026-11-23"}, "loan_date"),
        (LOANED | {"credit_type": "own_margin_loan_new", "reserved": True}, "^reserved: "),
        ({"reserved": False}, "reserved"),
        ({"venue": "krx_reserved"}, "say reserved: true"),
        (LOANED | {"credit_type": "own_margin_loan_new"} | APPLE, "of domestic_stock alone"),
    ],
)
def test_a_credit_order_says_what_is_borrowed_and_when(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        place(**terms)


def test_a_credit_order_is_another_content_and_reads_back() -> None:
    command = place(credit_type="own_margin_loan_new", loan_date="20261123")
    assert command.digest() != place().digest()
    assert parse("place", command.canonical().encode()) == command


def test_a_reservation_goes_to_a_place_of_its_own() -> None:
    text = json.dumps(PLACE | {"reserved": True}).encode()
    command = parse("place", text)
    assert isinstance(command, Place)
    assert (command.venue, command.place) == ("krx", ("domestic_stock", "krx_reserved"))
    assert command.digest() != place().digest()
    assert parse("place", command.canonical().encode()) == command
    with pytest.raises(CommandError, match="of real stock accounts only") as caught:
        place(reserved=True)
    assert caught.value.client_order_id == "a1-0001"


@pytest.mark.parametrize("price", ["71900", '"71900"', "71900.0", '"71900.00"', "7.19e4"])
def test_the_same_price_is_the_same_content(price: str) -> None:
    text = json.dumps(PLACE).replace('"price": 71900', f'"price": {price}')
    assert place(text).digest() == place().digest()


def test_the_order_of_keys_does_not_matter_and_everything_else_does() -> None:
    turned = json.dumps(dict(reversed(PLACE.items())))
    assert place(turned).digest() == place().digest()
    utc = place(expires_at="2026-11-22T00:00:05Z")
    assert utc.digest() == place().digest()
    others: list[dict[str, Any]] = [
        {"quantity": 11},
        {"price": 71800},
        {"side": "sell"},
        {"symbol": "000660"},
    ]
    digests = {place(**fields).digest() for fields in [{}, *others]}
    assert len(digests) == len(others) + 1


def test_a_new_deadline_is_the_same_content_and_another_change() -> None:
    later = "2026-11-22T09:00:06+09:00"
    assert place(expires_at=later).digest() == place().digest()
    assert place(expires_at=later).dated_digest() != place().dated_digest()
    first, second = (
        parse("modify", json.dumps({"client_order_id": "a", "price": 1, "expires_at": at}).encode())
        for at in (PLACE["expires_at"], later)
    )
    assert first.digest() == second.digest()
    assert first.name() != second.name()


def test_the_journals_text_reads_back() -> None:
    command = place()
    again = parse("place", command.canonical().encode())
    assert again == command
    assert again.digest() == command.digest()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"client_order_id": "a/b"}, "client_order_id"),
        ({"client_order_id": "x" * 65}, "client_order_id"),
        ({"market": "overseas_stock"}, "overseas_stock krx takes no orders here"),
        ({"venue": "nas"}, "one of krx"),
        ({"symbol": "AAPL"}, "of domestic_stock they are"),
        ({"venue": "nxt"}, "one of krx"),
        ({"symbol": "5930"}, "symbol"),
        ({"symbol": "005930 "}, "symbol"),
        ({"market": "overseas_stock", "symbol": "AAPL "}, "symbol"),
        ({"market": "overseas_stock", "symbol": "BRK/"}, "symbol"),
        ({"side": "hold"}, "'buy' or 'sell'"),
        ({"order_type": "stop"}, "one of limit, market, stop_limit"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": "ten"}, "quantity"),
        ({"price": None}, "price"),
        ({"price": 0}, "price"),
        ({"price": -5}, "price"),
        ({"price": 71900.5}, "whole won"),
        ({"price": True}, "price"),
        ({"price": "1e5"}, "price"),
        ({"price": [1]}, "price"),
        ({"order_type": "market"}, "takes none"),
        ({"order_type": "stop_limit"}, "'condition_price'"),
        ({"condition_price": 5}, "condition_price"),
        ({"expires_at": "2026-11-22T09:00:05"}, "offset"),
        ({"expires_at": "soon"}, "ISO 8601"),
        ({"expires_at": 5}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+23:59"}, "year"),
        ({"qantity": 5}, "did you mean 'quantity'"),
        ({"zzz": 5}, "leave it out"),
        ({"symbol": "AAPL"}, "^symbol: of domestic_stock they are"),
        ({"symbol": "samsung"}, "symbol: must be a symbol, e.g. 005930"),
        ({"client_order_id": "no good"}, "client_order_id: must be 1 to 64 of A-Z"),
        ({"venue": "KRX 1"}, "venue: must be 1 to 16 of a-z _, e.g. krx"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(CommandError, match=text) as caught:
        place(**fields)
    assert caught.value.code == "invalid_payload"
    known = "" if "client_order_id" in fields else "a1-0001"
    assert caught.value.client_order_id == known


@pytest.mark.parametrize("key", [key for key in PLACE if key != "expires_at"])
def test_a_missing_key_is_named(key: str) -> None:
    content = {k: v for k, v in PLACE.items() if k != key}
    with pytest.raises(CommandError, match=f"missing key '{key}'"):
        parse("place", json.dumps(content).encode(), TYPES)


def test_a_market_order_may_say_zero() -> None:
    command = place(order_type="market", price=0)
    assert command.price is None
    assert command.digest() == parse("place", command.canonical().encode()).digest()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        b'{"a":1,"a":2}',
        b'{"price":NaN}',
        b'{"price":-Infinity}',
        b'{"price":1e99999999999999999999}',
        b'{"price":' + b"9" * 5000 + b"}",
        b'{"price":1e400}',
        b"[" * 8000,
        b'{"x":"' + b"x" * MAX_PAYLOAD + b'"}',
        b'{"client_order_id":"\\ud800"}',
        b"{} {}",
    ],
)
def test_what_is_no_object(payload: bytes) -> None:
    with pytest.raises(CommandError):
        parse("place", payload, TYPES)


def test_huge_exponents_are_refused_before_they_are_written_out() -> None:
    for number in ("1e999999", "1e-999999", "0.000000001", "999999999999999"):
        text = json.dumps(PLACE).replace('"price": 71900', f'"price": {number}')
        with pytest.raises(CommandError, match=r"price|exponent"):
            place(text)


def test_the_earlier_expiry_counts() -> None:
    at = place().deadline(0, None)
    assert at is not None
    assert place().deadline(at - 10_000_000, 5) == at - 5_000_000
    assert place().deadline(at - 1_000_000, 5) == at
    without = parse("cancel", b'{"client_order_id":"a"}', TYPES)
    assert without.deadline(7, None) is None
    assert without.deadline(7, 1) == 1_000_007


def test_changes_are_told_apart_by_name_or_content() -> None:
    def named(verb: str, text: str) -> str:
        return parse(verb, text.encode(), TYPES).name()

    one = named("cancel", '{"client_order_id":"a","quantity":1}')
    assert one == named("cancel", '{"quantity":"1","client_order_id":"a"}')
    assert one != named("cancel", '{"client_order_id":"a","quantity":2}')
    assert named("cancel", '{"client_order_id":"a","command_id":"c7"}') == "c7"
    cancel = parse("cancel", b'{"client_order_id":"a"}', TYPES)
    modify = parse("modify", b'{"client_order_id":"a","price":5}', TYPES)
    assert isinstance(cancel, Cancel)
    assert isinstance(modify, Modify)
    assert len(cancel.name()) <= 64
    with pytest.raises(CommandError, match="price"):
        parse("modify", b'{"client_order_id":"a"}', TYPES)
    with pytest.raises(CommandError, match="one of place"):
        parse("buy", b"{}", TYPES)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from(["place", "modify", "cancel", "cancel_all", "x"]), st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(verb: str, payload: bytes) -> None:
    try:
        parse(verb, payload, TYPES)
    except RequestError as error:
        assert error.code == "invalid_payload"


@given(st.dictionaries(st.sampled_from([*PLACE, "condition_price", "x"]), _JSON))
def test_random_values_raise_nothing_else(fields: dict[str, object]) -> None:
    try:
        command = place(**fields)
    except CommandError:
        return
    again = parse("place", command.canonical().encode())
    assert again.digest() == command.digest()
