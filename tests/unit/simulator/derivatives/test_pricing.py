from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from bridge.simulator.derivatives import pricing
from bridge.simulator.derivatives.contracts import Contract, contract

TODAY = date(2026, 11, 23)
YEARS, WIDE = 0.25, 0.2


def of(symbol: str) -> Contract:
    found = contract(symbol, TODAY)
    assert found is not None
    return found


CALL, PUT, FUTURE = of("B01612530"), of("C01612530"), of("A01612")


def test_calls_puts_and_futures_agree() -> None:
    call, put = (pricing.value(one, 541.0, YEARS, WIDE) for one in (CALL, PUT))
    future = pricing.value(FUTURE, 541.0, YEARS, WIDE)
    discount = 541.0 / future
    assert call - put == pytest.approx((future - 530) * discount)


def test_greeks_are_how_the_price_moves() -> None:
    for one in (CALL, PUT):
        said = pricing.greeks(one, 541.0, YEARS, WIDE)
        up, down = (pricing.value(one, 541.0 + h, YEARS, WIDE) for h in (0.01, -0.01))
        assert said.delta == pytest.approx((up - down) / 0.02, rel=1e-4)
        middle = pricing.value(one, 541.0, YEARS, WIDE)
        assert said.gamma == pytest.approx((up + down - 2 * middle) / 0.0001, rel=1e-2)
        later = pricing.value(one, 541.0, YEARS - 1 / 365, WIDE)
        assert said.theta == pytest.approx(later - middle, rel=2e-2)
        wider = pricing.value(one, 541.0, YEARS, WIDE + 0.01)
        assert said.vega == pytest.approx(wider - middle, rel=2e-2)
    assert pricing.greeks(FUTURE, 541.0, YEARS, WIDE).delta == 1


def test_a_price_tells_the_volatility_it_was_made_of() -> None:
    price = pricing.value(PUT, 541.0, YEARS, WIDE)
    assert pricing.implied(PUT, price, 541.0, YEARS) == pytest.approx(WIDE, abs=1e-6)
    assert pricing.implied(CALL, 0.5, 541.0, YEARS) == 0  # less than it is worth at once


def test_at_its_end_an_option_is_worth_what_it_is_inside() -> None:
    assert pricing.value(CALL, 541.0, 0, WIDE) == 11
    assert pricing.value(PUT, 541.0, 0, WIDE) == 0
    assert pricing.fair_price(PUT, Decimal(541), 0) == Decimal("0.01")  # no price is below a tick
    assert pricing.greeks(CALL, 541.0, 0, WIDE).delta == 1
    assert pricing.greeks(PUT, 541.0, 0, WIDE).delta == 0


def test_prices_are_on_the_grid() -> None:
    assert pricing.on_tick(FUTURE, 530.07) == Decimal("530.05")
    assert pricing.on_tick(CALL, 9.994) == Decimal("9.99")
    assert pricing.fair_price(FUTURE, Decimal(530), 365) % Decimal("0.05") == 0
