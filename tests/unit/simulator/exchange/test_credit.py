from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest, Ticket
from tests.unit.simulator.exchange.quiet_market import (
    ACCOUNT,
    CASH,
    NOW,
    QUIET,
    clear,
    quiet,
    rest,
)

TODAY = "20260922"
FEE, TAX = 140_527 / 10**9, 0.002


def place(
    made: Exchange,
    side: Side,
    quantity: int,
    price: int,
    credit: str,
    lent_on: str = TODAY,
    now: datetime = NOW,
) -> Ticket:
    request = OrderRequest(ACCOUNT, QUIET, side, quantity, price, credit=credit, lent_on=lent_on)
    return made.place(request, now)


def tomorrow(made: Exchange, base: int = 10_000, days: int = 1) -> tuple[datetime, Market]:
    """Let days pass, and send the new crowd home too."""
    now = NOW + timedelta(days=days)
    market = made.market(QUIET, now)
    clear(market, base)
    return now, market


class TestLoans:
    def test_a_loan_pays_what_the_guarantee_does_not(self) -> None:
        made, market = quiet(shares=0)
        rest(market, Side.SELL, 10_000, 100)
        place(made, Side.BUY, 100, 10_000, "21")
        account = made.accounts[ACCOUNT]
        held = account.positions[QUIET, "21", TODAY]
        assert (held.quantity, held.cost, held.debt) == (100, 1_000_000, 550_000)
        assert account.cash == CASH - 450_000 - int(1_000_000 * FEE)
        # The shares of the loan are none that were paid for.
        with pytest.raises(OrderRefused, match="holdings"):
            made.place(OrderRequest(ACCOUNT, QUIET, Side.SELL, 1, 10_000), NOW)

    def test_loans_of_two_kinds_and_days_are_told_apart(self) -> None:
        made, market = quiet(shares=0)
        rest(market, Side.SELL, 10_000, 20)
        place(made, Side.BUY, 10, 10_000, "21")
        place(made, Side.BUY, 10, 10_000, "23")
        now, market = tomorrow(made)
        rest(market, Side.SELL, 10_000, 10)
        place(made, Side.BUY, 10, 10_000, "21", "20260923", now)
        assert [
            (loan, lent_on, held.quantity)
            for (_, loan, lent_on), held in made.accounts[ACCOUNT].positions.items()
        ] == [("21", TODAY, 10), ("23", TODAY, 10), ("21", "20260923", 10)]

    def test_repaying_takes_the_loan_and_its_interest_off_the_proceeds(self) -> None:
        made, market = quiet(shares=0)
        rest(market, Side.SELL, 10_000, 100)
        place(made, Side.BUY, 100, 10_000, "21")
        before = made.accounts[ACCOUNT].cash
        now, market = tomorrow(made, 11_000, days=10)
        rest(market, Side.BUY, 11_000, 40)
        place(made, Side.SELL, 40, 11_000, "25", now=now)
        account = made.accounts[ACCOUNT]
        held = account.positions[QUIET, "21", TODAY]
        assert (held.quantity, held.cost, held.debt) == (60, 600_000, 330_000)
        interest = int(220_000 * 0.09 * 10 / 365)
        charges = int(440_000 * FEE) + int(440_000 * TAX)
        assert account.cash == before + 440_000 - 220_000 - interest - charges
        (row,) = account.days[now.date()].values()
        assert (row.realised, row.interest) == (40_000 - interest - charges, interest)

    def test_more_than_the_limit_is_not_lent(self) -> None:
        made, _ = quiet(shares=0)
        made.accounts[ACCOUNT].cash = 10**10
        first = place(made, Side.BUY, 180_000, 10_000, "21")
        with pytest.raises(OrderRefused, match="credit"):
            place(made, Side.BUY, 2_000, 10_000, "23")
        made.cancel(ACCOUNT, first.number, quantity=None, now=NOW)
        assert place(made, Side.BUY, 2_000, 10_000, "23").remaining == 2_000

    def test_without_the_guarantee_there_is_no_loan(self) -> None:
        made, _ = quiet(shares=0)
        made.accounts[ACCOUNT].cash = 45_000
        with pytest.raises(OrderRefused, match="cash"):
            place(made, Side.BUY, 10, 10_000, "21")  # the fee is missing


class TestShortSales:
    def test_proceeds_stay_where_they_are_and_a_guarantee_is_locked(self) -> None:
        made, market = quiet(shares=0)
        rest(market, Side.BUY, 10_000, 100)
        place(made, Side.SELL, 100, 10_000, "22")
        account = made.accounts[ACCOUNT]
        held = account.positions[QUIET, "22", TODAY]
        assert (held.quantity, held.cost, held.guarantee) == (100, 1_000_000, 450_000)
        spent = int(1_000_000 * FEE) + int(1_000_000 * TAX)
        assert account.cash == CASH - spent
        assert account.free_cash == CASH - spent - 450_000

    @pytest.mark.parametrize(("price", "gain"), [(9_000, 100_000), (12_000, -200_000)])
    def test_giving_the_shares_back_brings_the_difference(self, price: int, gain: int) -> None:
        made, market = quiet(shares=0)
        rest(market, Side.BUY, 10_000, 100)
        place(made, Side.SELL, 100, 10_000, "24")
        before = made.accounts[ACCOUNT].cash
        rest(market, Side.SELL, price, 100)
        place(made, Side.BUY, 100, price, "28")
        account = made.accounts[ACCOUNT]
        assert account.cash == before + gain - int(100 * price * FEE)
        assert (account.guarantees, account.reserved) == (0, 0)
        assert account.positions[QUIET, "24", TODAY].quantity == 0

    def test_no_more_is_given_back_than_was_borrowed(self) -> None:
        made, market = quiet(shares=0)
        rest(market, Side.BUY, 10_000, 10)
        place(made, Side.SELL, 10, 10_000, "22")
        place(made, Side.BUY, 6, 9_000, "26")
        with pytest.raises(OrderRefused, match="holdings"):
            place(made, Side.BUY, 5, 9_000, "26")


@pytest.mark.parametrize(
    ("side", "credit", "lent_on", "reason"),
    [
        (Side.SELL, "21", TODAY, "credit_kind"),
        (Side.BUY, "25", TODAY, "credit_kind"),
        (Side.BUY, "10", TODAY, "credit_kind"),
        (Side.BUY, "21", "20260921", "loan_date"),
        (Side.SELL, "25", "20260921", "holdings"),
        (Side.BUY, "26", TODAY, "holdings"),
    ],
)
def test_what_is_no_credit_order(side: Side, credit: str, lent_on: str, reason: str) -> None:
    made, _ = quiet()
    with pytest.raises(OrderRefused, match=reason):
        place(made, side, 1, 10_000, credit, lent_on)
    assert made.events == []


def test_a_credit_order_that_is_modified_stays_one() -> None:
    made, market = quiet(shares=0)
    old = place(made, Side.BUY, 10, 9_000, "21")
    new = made.modify(ACCOUNT, old.number, quantity=None, price=10_000, kind="00", now=NOW)
    market.enter(Order(Side.SELL, 10_000, 10), NOW, rest=False)
    assert new.filled == 10
    account = made.accounts[ACCOUNT]
    assert account.positions[QUIET, "21", TODAY].debt == 55_000
    assert (account.lending, account.reserved) == (0, 0)


@pytest.mark.parametrize(
    ("symbol", "credit", "taken"),
    [("069500", "", True), ("069500", "21", False), ("005930", "", False), ("990020", "", False)],
)
def test_a_pension_holds_funds_without_leverage_and_no_loans(
    symbol: str, credit: str, taken: bool
) -> None:
    made, _ = quiet()
    pension = made.accounts["12345678-29"] = type(made.accounts[ACCOUNT])("12345678-29", CASH)
    price = made.market(symbol, NOW).book.best(Side.BUY)
    request = OrderRequest(
        pension.number, symbol, Side.BUY, 1, price, credit=credit, lent_on=TODAY if credit else ""
    )
    if taken:
        assert made.place(request, NOW).remaining == 1
    else:
        with pytest.raises(OrderRefused, match="pension"):
            made.place(request, NOW)
