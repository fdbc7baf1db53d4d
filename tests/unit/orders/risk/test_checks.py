from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.orders.risk.checks import added, check, needs_reference
from bridge.orders.risk.ledger import Ledger
from bridge.orders.risk.limits import Context, Limits, Reference, RiskRequest, Scope

D = Decimal
_PRICE = D(1000)
REFERENCE = Reference(D(1000), D(700), D(1300), D(1))
OPEN = Context(reference=REFERENCE)
BUY = RiskRequest("place", "005930", 10, D(1000), side="buy")


def reason(request: RiskRequest, context: Context) -> str | None:
    refusal = check(request, context)
    return None if refusal is None else refusal.reason


def under(
    limits: Limits,
    *,
    day: int = 0,
    minute: int = 0,
    working: int = 0,
    price: Decimal | None = _PRICE,
    **known: Any,
) -> Context:
    scope = Scope("account main", limits, D(day), minute, working)
    reference = replace(REFERENCE, last=price) if price else Reference()
    return replace(replace(OPEN, reference=reference, scopes=(scope,)), **known)


def test_without_limits_everything_passes() -> None:
    assert check(BUY, OPEN) is None
    assert check(BUY, under(Limits())) is None


@pytest.mark.parametrize(
    ("context", "expected", "cancels"),
    [
        (replace(OPEN, account_known=False), "unknown_account", False),
        (replace(OPEN, permitted=False), "not_permitted", False),
        (replace(OPEN, orders_allowed=False), "real_orders_disabled", False),
        (replace(OPEN, halt="halted", halted_by="all are"), "halted", True),
        (replace(OPEN, halt="reduce_only", reducible=9), "halted", True),
        (replace(OPEN, credit="client"), "not_permitted", True),
        (replace(OPEN, credit="paper"), "unsupported", True),
        (replace(OPEN, halt="reduce_only", reducible=None), "halted", True),
        (replace(OPEN, fenced="a-1"), "symbol_fenced", True),
        (replace(OPEN, closed="krx does not trade on Sunday"), "market_closed", True),
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
        (
            under(Limits(open_orders=3), working=2),
            under(Limits(open_orders=3), working=3),
            "risk_open_orders",
        ),
        (
            under(Limits(symbols=("000660", "005930"))),
            under(Limits(symbols=("000660",))),
            "risk_symbol",
        ),
        (
            under(Limits(denied_symbols=("000660",))),
            under(Limits(denied_symbols=("000660", "005930"))),
            "risk_symbol",
        ),
        (
            under(Limits(price_limits=True), reference=Reference(upper=D(1000), lower=D(1000))),
            under(Limits(price_limits=True), reference=Reference(upper=D(999), lower=D(1))),
            "risk_price_band",
        ),
        (
            under(Limits(price_limits=True)),
            under(Limits(price_limits=True), reference=Reference(upper=D(2000), lower=D(1001))),
            "risk_price_band",
        ),
        (
            under(Limits(tick_size=True), reference=Reference(tick=D(50))),
            under(Limits(tick_size=True), reference=Reference(tick=D(30))),
            "risk_tick",
        ),
        (
            under(Limits(check_funds=True), orderable=10),
            under(Limits(check_funds=True), orderable=9),
            "risk_funds",
        ),
    ],
)
def test_a_limit_passes_at_it_and_refuses_past_it(
    at: Context, past: Context, expected: str
) -> None:
    assert reason(BUY, at) is None
    assert reason(BUY, past) == expected


def test_a_refusal_says_what_it_would_come_to() -> None:
    refusal = check(BUY, under(Limits(daily_notional=D(15_000)), day=5_001))
    assert refusal is not None
    assert refusal.message == "account main: 15001 is above 15000"


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
    # What has no price of its own may cost the day's highest.
    assert check(market, under(Limits(notional=D(13_000)))) is None
    assert reason(market, under(Limits(notional=D(12_999)))) == "risk_notional"
    assert Reference(D(1000)).worst == D(1300)
    for limits, expected in (
        (Limits(price_limits=True), "risk_price_band"),
        (Limits(tick_size=True), "risk_tick"),
        (Limits(check_funds=True), "risk_funds"),
    ):
        assert reason(BUY, under(limits, price=None)) == expected


def test_what_reduces_passes_while_only_that_may() -> None:
    reduce_only = replace(OPEN, halt="reduce_only", halted_by="client bob is", reducible=10)
    assert check(BUY, reduce_only) is None
    assert reason(replace(BUY, quantity=11), reduce_only) == "halted"


def test_a_currency_without_a_rate_is_refused_where_money_is_limited() -> None:
    foreign = replace(BUY, unit=None)
    assert check(foreign, under(Limits(quantity=10))) is None
    refusal = check(foreign, under(Limits(notional=D(10**9))))
    assert refusal is not None
    assert (refusal.reason, "orders.rates" in refusal.message) == ("risk_notional", True)
    dollars = replace(BUY, unit=D(1400))
    assert reason(dollars, under(Limits(daily_notional=D(13_999_999)))) == "risk_daily"
    assert check(dollars, under(Limits(daily_notional=D(14_000_000)))) is None


def test_what_is_asked_for_only_when_a_limit_needs_it() -> None:
    market = replace(BUY, price=None)
    assert not needs_reference(BUY, Limits(quantity=1, daily_notional=D(5)))
    assert needs_reference(market, Limits(daily_notional=D(5)))
    assert needs_reference(BUY, Limits(tick_size=True))
    assert not needs_reference(market, Limits(tick_size=True, price_band=D(1)))
    assert needs_reference(BUY, Limits(price_band=D(1)))
    assert needs_reference(BUY, Limits(price_limits=True))


def test_a_modification_counts_with_what_it_adds() -> None:
    change = RiskRequest("modify", "005930", 10, D(1100), replaces=D(1000))
    assert added(change, REFERENCE) == D(1000)
    assert added(replace(change, price=D(900)), REFERENCE) == 0
    assert reason(change, under(Limits(daily_notional=D(11000)), day=10000)) is None
    assert reason(change, under(Limits(daily_notional=D(10999)), day=10000)) == "risk_daily"


def test_a_purchase_below_the_market_counts_at_its_own_price() -> None:
    low = replace(BUY, price=D(800))
    assert check(low, under(Limits(notional=D(8_000)))) is None
    assert reason(low, under(Limits(notional=D(7_999)))) == "risk_notional"


@pytest.mark.parametrize("known", [{"lower": D(700)}, {"upper": D(1_300)}])
def test_of_price_limits_both_have_to_be_known(known: dict[str, Decimal]) -> None:
    context = under(Limits(price_limits=True), reference=Reference(last=D(1_000), **known))
    assert reason(BUY, context) == "risk_price_band"


def test_a_sale_below_the_market_counts_at_the_market() -> None:
    sale = replace(BUY, side="sell", price=D(800))
    assert reason(sale, under(Limits(notional=D(9_999)))) == "risk_notional"
    assert check(sale, under(Limits(notional=D(10_000)))) is None
    assert check(sale, under(Limits(notional=D(8_000)), price=None)) is None
    change = replace(sale, verb="modify", replaces=D(800), price=D(801))
    assert added(change, REFERENCE) == 0
    assert added(replace(change, price=D(1_200)), REFERENCE) == 2_000


def test_what_becomes_a_market_order_counts_as_one() -> None:
    later = replace(BUY, price=D(700), becomes_market=True)
    assert needs_reference(later, Limits(notional=D(5)))
    assert reason(later, under(Limits(notional=D(12_999)))) == "risk_notional"
    assert check(later, under(Limits(notional=D(13_000)))) is None
    assert reason(later, under(Limits(notional=D(10**9)), price=None)) == "risk_notional"


def test_a_contract_counts_with_what_kis_says_it_is_worth() -> None:
    oil = RiskRequest("place", "CLF27", 2, D("68.50"), side="buy", unit=None, contract=True)
    assert needs_reference(oil, Limits(notional=D(5)))
    assert not needs_reference(oil, Limits(quantity=1))
    known = Reference(D("68.80"), unit=D(1_400_000))
    # At what it trades for now: a limit below that owes no less of the contract.
    worth = D("68.80") * 2 * 1_400_000
    assert added(oil, known) == worth
    scope = Scope("account main", Limits(notional=worth - 1))
    assert reason(oil, Context(reference=known, scopes=(scope,))) == "risk_notional"
    assert reason(oil, Context(reference=replace(known, unit=None), scopes=(scope,)))
    scope = Scope("account main", Limits(notional=worth))
    assert check(oil, Context(reference=known, scopes=(scope,))) is None
    change = replace(oil, verb="modify", replaces=D("68.50"), price=D("68.60"))
    assert added(change, known) == 0


def test_a_modification_needs_funds_for_what_it_adds() -> None:
    limits = Limits(check_funds=True)
    change = replace(BUY, verb="modify", replaces=D(1_000), price=D(1_200))
    assert check(change, under(limits, orderable=2)) is None  # 2,000 more, and 2,400 are left
    assert reason(change, under(limits, orderable=1)) == "risk_funds"
    exact = replace(change, price=D(1_250))  # 2,500 more, and 2,500 are left
    assert check(exact, under(limits, orderable=2)) is None
    assert check(replace(change, price=D(900)), under(limits, orderable=0)) is None
    assert check(replace(change, side="sell"), under(limits, orderable=0)) is None
    assert reason(replace(change, side="sell", verb="place"), under(limits, orderable=9))
    assert reason(replace(change, price=None), under(limits, orderable=0)) == "risk_funds"
    assert reason(replace(change, side="sell"), under(limits)) == "risk_funds"  # nobody said


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


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 2000)), max_size=40))
def test_nothing_gets_past_the_daily_limit(orders: list[tuple[int, int]]) -> None:
    limits, ledger, sent = Limits(daily_notional=D(100_000)), Ledger(), D(0)
    for at, (quantity, price) in enumerate(orders):
        request = RiskRequest("place", "005930", quantity, D(price))
        scope = ledger.scope("account main", limits, at, 1)
        if check(request, replace(OPEN, scopes=(scope,))) is None:
            ledger.add(at, 1, added(request, REFERENCE))
            sent += quantity * price
    assert sent <= 100_000
