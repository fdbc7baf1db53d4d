from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from bridge.simulator.derivatives.contracts import contract, expiries, future, listed, option
from bridge.simulator.derivatives.products import PRODUCTS

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("symbol", "name", "expiry", "strike"),
    [
        ("A01612", "KOSPI200 202612", date(2026, 12, 10), "0"),
        ("101612", "KOSPI200 202612", date(2026, 12, 10), "0"),
        ("A05612", "미니 KOSPI200 202612", date(2026, 12, 10), "0"),
        ("B01612530", "KOSPI200 C 202612 530.0", date(2026, 12, 10), "530"),
        ("C01612532", "KOSPI200 P 202612 532.5", date(2026, 12, 10), "532.5"),
        ("B06701290", "KOSDAQ150 C 202701 1450.0", date(2027, 1, 14), "1450"),
        ("A65612", "3년국채 F 202612", date(2026, 12, 15), "0"),
        # Expired ones are the next of their code.
        ("A01603", "KOSPI200 203603", date(2036, 3, 13), "0"),
        ("101S12", "KOSPI200 205212", date(2052, 12, 12), "0"),
    ],
)
def test_a_symbol_says_product_expiry_and_strike(
    symbol: str, name: str, expiry: date, strike: str
) -> None:
    found = contract(symbol, TODAY)
    assert found is not None
    assert (found.name, found.expiry, found.strike) == (name, expiry, Decimal(strike))


@pytest.mark.parametrize(
    "symbol", ["", "AAPL", "A99612", "A01613", "A0161", "B65612100", "B01612", "A01I12", "A09612"]
)
def test_what_can_be_no_contract_is_none(symbol: str) -> None:
    assert contract(symbol, TODAY) is None


def test_what_is_listed_is_found_under_its_symbol() -> None:
    for product in PRODUCTS.values():
        futures = [] if product.weekly is not None else expiries(product, TODAY, options=False)
        for expiry in futures:
            found = contract(future(product, expiry), TODAY)
            assert found is not None
            assert (found.product, found.expiry) == (product, expiry)
        for expiry in expiries(product, TODAY, options=True) if product.option_ticks else ():
            for one in listed(product, "put", expiry, product.underlying.about, 3):
                assert contract(one.symbol, TODAY) == one
                assert (one.expiry, one.symbol) == (
                    expiry,
                    option(product, "put", one.expiry, one.strike),
                )


def test_months_expire_on_second_thursdays_or_the_trading_day_before() -> None:
    kospi = PRODUCTS["01"]
    assert expiries(kospi, TODAY, options=False)[:2] == [date(2026, 12, 10), date(2027, 3, 11)]
    assert expiries(kospi, date(2026, 12, 10), options=False)[0] == date(2026, 12, 10)
    assert expiries(kospi, date(2026, 12, 11), options=False)[0] == date(2027, 3, 11)
    # In October 2025 the second Thursday was in the holidays of Chuseok.
    assert expiries(kospi, date(2025, 9, 12), options=True)[0] < date(2025, 10, 9)


def test_there_is_no_weekly_option_where_a_monthly_one_expires() -> None:
    thursdays = expiries(PRODUCTS["09"], date(2026, 12, 7), options=True)
    assert thursdays == [date(2026, 12, 17), date(2026, 12, 24)]
    assert expiries(PRODUCTS["AF"], date(2026, 12, 7), options=True)[0] == date(2026, 12, 7)


@pytest.mark.parametrize(
    ("symbol", "price", "tick"),
    [
        ("A01612", "530", "0.05"),
        ("A05612", "530", "0.02"),
        ("B01612530", "9.99", "0.01"),
        ("B01612530", "10", "0.05"),
        ("B05612530", "3", "0.02"),
        ("A11612", "97500", "100"),
    ],
)
def test_ticks_are_those_of_the_exchange(symbol: str, price: str, tick: str) -> None:
    found = contract(symbol, TODAY)
    assert found is not None
    assert found.tick(Decimal(price)) == Decimal(tick)
