from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge.simulator.off_book.off_book import OffBook

NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Asia/Seoul"))
FUTURE, CALL, PUT = "A01612", "B01612530", "C01612530"


def book() -> OffBook:
    """Return a market whose index has just traded, so that nothing moves it but a test."""
    own = OffBook(1, ())
    own.tapes.tape("domestic_index", "2001").print(Decimal(530), 1, NOW)
    return own


def test_contracts_go_where_their_index_goes() -> None:
    own = book()
    before = {symbol: own.price(symbol) for symbol in (FUTURE, CALL, PUT)}
    own.tapes.tape("domestic_index", "2001").print(Decimal(532), 1, NOW)
    for symbol in before:
        own.turn(symbol, NOW)
    gained = {symbol: own.price(symbol) - price for symbol, price in before.items()}
    assert gained[FUTURE] == pytest.approx(2, abs=0.051)
    assert gained[CALL] == pytest.approx(1, abs=0.2)
    assert gained[CALL] - gained[PUT] == pytest.approx(2, abs=0.03)


def test_what_is_listed_later_begins_where_the_index_is() -> None:
    own = book()
    own.tapes.tape("domestic_index", "2001").print(Decimal(540), 1, NOW)
    assert abs(own.price(FUTURE) - 540) < 1
    assert own.price(CALL) > 10 > own.price(PUT)
    assert abs(own.base(FUTURE) - 530) < 1


def test_a_price_that_somebody_set_comes_back_little_by_little() -> None:
    own = book()
    fair = own.price(FUTURE)
    own.move(FUTURE, fair + 10, NOW)
    own.turn(FUTURE, NOW)
    assert own.price(FUTURE) == fair + 10
    away = []
    for _ in range(400):
        own.turn(FUTURE, NOW)
        away.append(own.price(FUTURE) - fair)
    assert away[:50] == sorted(away[:50], reverse=True)
    assert 0 < away[40] < 6
    assert abs(away[-1]) < Decimal("0.1")


def test_a_contract_moves_an_index_that_nobody_watches() -> None:
    own = book()
    for second in range(1, 200):
        own.turn(FUTURE, NOW + timedelta(seconds=second))
    assert own.tapes.tape("domestic_index", "2001").last != 530
    assert own.price(FUTURE) % Decimal("0.05") == 0
