from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bridge.simulator.bonds.issues import FACE, KNOWN, issue, plausible
from bridge.simulator.bonds.yields import fair_price, price_at, yield_at

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize("symbol", [*KNOWN, "KR6ANYTHING1"])
def test_a_bond_is_the_same_every_time_and_pays_until_its_end(symbol: str) -> None:
    assert plausible(symbol)
    one = issue(symbol, 1)
    assert one is issue(symbol, 1)
    days = one.payments()
    assert days == sorted(set(days))
    assert (days[0] > one.issued, days[-1]) == (True, one.matures)
    assert len(days) * one.payment == FACE * one.coupon / 100 * len(days) * one.months / 12
    assert one.issued < TODAY < one.matures


def test_interest_grows_until_it_is_paid() -> None:
    one = issue(KNOWN[0], 1)
    last, following = one.period(TODAY)
    assert last <= TODAY < following
    assert one.accrued(last) == 0
    assert 0 < one.accrued(last + timedelta(1)) < one.accrued(following - timedelta(1))
    assert one.accrued(following - timedelta(1)) < one.payment
    assert one.accrued(following) == 0


@pytest.mark.parametrize("symbol", KNOWN)
def test_price_and_yield_are_two_words_for_one_thing(symbol: str) -> None:
    one = issue(symbol, 1)
    price = fair_price(one, TODAY)
    percent = yield_at(one, price, TODAY)
    assert abs(Decimal(price_at(one, float(percent), TODAY)) - price) < 1
    assert yield_at(one, price + 50, TODAY) < percent < yield_at(one, price - 50, TODAY)


def test_a_bond_with_its_coupon_as_yield_is_worth_its_face_value() -> None:
    one = issue(KNOWN[0], 1)
    last, _ = one.period(TODAY)
    assert abs(price_at(one, float(one.coupon), last) - FACE) < 0.01
    assert price_at(one, 3.0, one.matures) == FACE


@pytest.mark.parametrize("symbol", ["", "005930", "KR9000000000", "US0378331005", "KR6095572D8"])
def test_what_has_no_bond_s_form_is_none(symbol: str) -> None:
    assert not plausible(symbol)
