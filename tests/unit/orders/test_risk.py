from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.orders.risk import Context, Ledger, Limits, Request, Scope, added, check

D = Decimal
_PRICE = D(1000)
OPEN = Context(True, True, True, False, D(1000))
BUY = Request("place", "005930", 10, D(1000))


def reason(request: Request, context: Context) -> str | None:
    refusal = check(request, context)
    return None if refusal is None else refusal.reason


def under(
    limits: Limits, *, day: int = 0, minute: int = 0, price: Decimal | None = _PRICE
) -> Context:
    scope = Scope("account main", limits, D(day), minute)
    return replace(OPEN, reference_price=price, scopes=(scope,))


def test_without_limits_everything_passes() -> None:
    assert check(BUY, OPEN) is None
    assert check(BUY, under(Limits())) is None


@pytest.mark.parametrize(
    ("context", "expected", "cancels"),
    [
        (replace(OPEN, account_known=False), "unknown_account", False),
        (replace(OPEN, permitted=False), "not_permitted", False),
        (replace(OPEN, orders_allowed=False), "real_orders_disabled", False),
        (replace(OPEN, halted=True), "halted", True),
        (under(Limits(quantity=1)), "risk_quantity", True),
    ],
)
def test_locks(context: Context, expected: str, cancels: bool) -> None:
    assert reason(BUY, context) == expected
    assert reason(replace(BUY, verb="cancel"), context) == (None if cancels else expected)


@pytest.mark.parametrize(
    ("at", "past", "expected"),
    [
        (under(Limits(quantity=10)), under(Limits(quantity=9)), "risk_quantity"),
        (under(Limits(notional=D(10000))), under(Limits(notional=D(9999))), "risk_notional"),
        (
            under(Limits(daily_notional=D(15000)), day=5000),
            under(Limits(daily_notional=D(15000)), day=5001),
            "risk_daily",
        ),
        (under(Limits(per_minute=3), minute=2), under(Limits(per_minute=3), minute=3), "risk_rate"),
        (
            under(Limits(price_band=D("0.25")), price=D(800)),
            under(Limits(price_band=D("0.25")), price=D(799)),
            "risk_price_band",
        ),
    ],
)
def test_a_limit_passes_at_it_and_refuses_past_it(
    at: Context, past: Context, expected: str
) -> None:
    assert reason(BUY, at) is None
    assert reason(BUY, past) == expected


def test_without_a_price_what_needs_one_is_refused() -> None:
    market = replace(BUY, price=None)
    band = under(Limits(price_band=D("0.1")), price=None)
    refusal = check(BUY, band)
    assert refusal is not None
    assert refusal.reason == "risk_price_band"
    assert "no reference price for 005930 yet" in refusal.message
    assert check(market, band) is None
    assert reason(market, under(Limits(notional=D(1)), price=None)) == "risk_notional"
    assert reason(market, under(Limits(daily_notional=D(1)), price=None)) == "risk_daily"
    assert reason(market, under(Limits(notional=D(9999)))) == "risk_notional"


def test_a_modification_counts_with_what_it_adds() -> None:
    change = Request("modify", "005930", 10, D(1100), already=D(10000))
    assert added(change, None) == D(1000)
    assert added(replace(change, price=D(900)), None) == 0
    assert reason(change, under(Limits(daily_notional=D(11000)), day=10000)) is None
    assert reason(change, under(Limits(daily_notional=D(10999)), day=10000)) == "risk_daily"


def test_the_ledger_forgets_minutes_and_days() -> None:
    ledger = Ledger()
    ledger.add(0, "mon", D(5))
    ledger.add(30_000_000, "mon", D(7))
    assert ledger.scope("x", Limits(), 59_999_999, "mon").minute == 2
    scope = ledger.scope("x", Limits(), 60_000_000, "mon")
    assert (scope.minute, scope.day) == (1, D(12))
    ledger.release("mon", D(7))
    assert ledger.scope("x", Limits(), 60_000_000, "mon").day == D(5)
    ledger.release("sun", D(5))
    assert ledger.scope("x", Limits(), 60_000_000, "mon").day == D(5)
    assert ledger.scope("x", Limits(), 60_000_001, "tue").day == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 2000)), max_size=40))
def test_nothing_gets_past_the_daily_limit(orders: list[tuple[int, int]]) -> None:
    limits, ledger, sent = Limits(daily_notional=D(100_000)), Ledger(), D(0)
    for at, (quantity, price) in enumerate(orders):
        request = Request("place", "005930", quantity, D(price))
        scope = ledger.scope("account main", limits, at, 1)
        if check(request, replace(OPEN, scopes=(scope,))) is None:
            ledger.add(at, 1, added(request, None))
            sent += quantity * price
    assert sent <= 100_000
