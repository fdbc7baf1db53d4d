"""The money of accounts without an order book."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator.exchange.ledger import StockAccount
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book import accounts, off_book
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.rates import won_rate
from bridge.simulator.off_book.terms import terms
from bridge.simulator.off_book.tickets import NIGHT, OffBookMarket, OffBookTicket

NOW = datetime(2026, 11, 23, 23, 30, tzinfo=ZoneInfo("Asia/Seoul"))
STOCKS, FUTURES, ABROAD = "12345678-01", "12345678-03", "12345678-08"
OWNERS: dict[OffBookMarket, str] = {
    "overseas_stock": STOCKS,
    "domestic_bond": STOCKS,
    "domestic_derivative": FUTURES,
    "overseas_derivative": ABROAD,
}


def book() -> OffBook:
    return OffBook(1, (STOCKS, FUTURES, ABROAD))


def order(
    book: OffBook,
    side: Side,
    quantity: int,
    price: Decimal | int,
    *,
    market: OffBookMarket = "overseas_stock",
    symbol: str = "AAPL",
    exchange: str = "NASD",
) -> OffBookTicket:
    at = (OWNERS[market], symbol, side, quantity, Decimal(price))
    return book.place(market, *at, kind="00", exchange=exchange, now=NOW)


def test_a_purchase_takes_its_fee_and_a_sale_its_tax_too() -> None:
    own = book()
    money, last = own.money(STOCKS), own.price("00700")
    order(own, Side.BUY, 1, last, symbol="00700", exchange="SEHK")
    order(own, Side.SELL, 1, last, symbol="00700", exchange="SEHK")
    fee = (last * Decimal("0.0025")).quantize(Decimal("0.01"))
    tax = (last * Decimal("0.001")).quantize(Decimal("0.01"))
    assert money.funds("HKD") == 2_000_000 - 2 * fee - tax
    assert money.position("overseas_stock", "00700").realized == -fee - tax


def test_what_waits_cannot_be_promised_twice() -> None:
    own = book()
    money = own.money(STOCKS)
    order(own, Side.BUY, 1_000, 200)
    assert money.free("USD") == 300_000 - 200_500
    with pytest.raises(OrderRefused, match="cash"):
        order(own, Side.BUY, 500, 200)
    sale = order(own, Side.SELL, 60, 9_999)
    with pytest.raises(OrderRefused, match="holdings"):
        order(own, Side.SELL, 41, 9_999)
    own.change(sale, "cancel", 1, Decimal(0), NOW)
    order(own, Side.SELL, 41, 9_999)


def test_a_dearer_modification_wants_more_money() -> None:
    own = book()
    old = order(own, Side.BUY, 1_000, 200)
    with pytest.raises(OrderRefused, match="cash"):
        own.change(old, "modify", None, Decimal(300), NOW)
    assert old.remaining == 1_000
    own.change(old, "modify", None, Decimal(201), NOW)
    assert own.money(STOCKS).free("USD") == 300_000 - 201_000 - Decimal("502.50")


def test_an_average_price_stays_when_a_part_is_sold() -> None:
    own = book()
    base = own.price("AAPL")
    own.move("AAPL", base + 20, NOW)
    order(own, Side.BUY, 100, base + 20)
    held = own.held("overseas_stock", STOCKS, "AAPL")
    assert (held.quantity, held.average) == (200, base + 10)
    order(own, Side.SELL, 150, base)
    held = own.held("overseas_stock", STOCKS, "AAPL")
    assert (held.quantity, held.average) == (50, base + 10)
    assert held.realized + sum(one.costs for one in own.money(STOCKS).executions) == 150 * 10


def test_futures_pay_what_closing_brings_and_tie_up_a_margin() -> None:
    own = book()
    money, last = own.money(FUTURES), own.price("A01603")
    future = partial(order, own, market="domestic_derivative", symbol="A01603", exchange="")
    future(Side.SELL, 3, last)
    fee = sum(one.fee for one in money.executions)
    margin = (3 * last * 250_000 * Decimal("0.105")).quantize(Decimal(1), ROUND_HALF_UP)
    assert money.margin("KRW") == margin
    assert money.free("KRW") == 500_000_000 - fee - margin
    own.move("A01603", last - 2, NOW)
    future(Side.BUY, 5, last - 2)
    held = money.position("domestic_derivative", "A01603")
    assert (held.quantity, held.average) == (2, last - 2)
    fees = sum(one.fee for one in money.executions)
    assert held.realized == 6 * 250_000 - sum(one.costs for one in money.executions)
    assert money.funds("KRW") == 500_000_000 + 6 * 250_000 - fees
    with pytest.raises(OrderRefused, match="cash"):
        future(Side.BUY, 10_000, last)


def test_won_are_those_of_the_domestic_account() -> None:
    domestic = StockAccount(STOCKS, 1_000_000, reserved=400_000)
    own = OffBook(1, (STOCKS,), {STOCKS: domestic})
    money, last = own.money(STOCKS), own.price("KR103501GA34")
    order(own, Side.BUY, 100, last, market="domestic_bond", symbol="KR103501GA34", exchange="")
    half = (5 * last).quantize(Decimal(1), ROUND_HALF_UP)  # an order that crosses fills in two
    assert domestic.cash == money.funds("KRW") == 1_000_000 - 2 * half
    assert money.free("KRW") == domestic.free_cash


@pytest.mark.parametrize(
    ("market", "exchange", "hour", "date"),
    [
        ("overseas_stock", "NASD", 6, "2026-11-26"),
        ("overseas_stock", "TKSE", 6, "2026-11-27"),
        ("domestic_derivative", "", 6, "2026-11-27"),
        ("domestic_derivative", NIGHT, 5, "2026-11-27"),
        ("domestic_derivative", NIGHT, 19, "2026-11-30"),
        ("overseas_derivative", "CME", 6, "2026-11-26"),
        ("overseas_derivative", "CME", 9, "2026-11-27"),
    ],
)
def test_a_business_date_is_the_exchange_s(
    market: OffBookMarket, exchange: str, hour: int, date: str
) -> None:
    friday = datetime(2026, 11, 27, hour, tzinfo=ZoneInfo("Asia/Seoul"))
    assert business_date(market, exchange, friday).isoformat() == date


def test_rates_follow_from_seed_and_day() -> None:
    day = NOW.date()
    rate = won_rate(1, "USD", day)
    assert rate == won_rate(1, "USD", day) != won_rate(1, "USD", day + timedelta(days=1))
    assert abs(rate / won_rate(1, "USD", day + timedelta(days=1)) - 1) < Decimal("0.006")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off_book, "_MOST_TICKETS", 5)
    monkeypatch.setattr(accounts, "_WAITING", 3)
    monkeypatch.setattr(accounts, "_SYMBOLS", 20)
    own = book()
    first = order(own, Side.BUY, 1, 1)
    for symbol in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        own.change(
            order(own, Side.BUY, 1, Decimal("0.01"), symbol=symbol), "cancel", None, Decimal(0), NOW
        )
    assert len(own.tickets) == 5
    assert len(own.money(STOCKS).lots) == 20
    assert own.tickets[first.number] is first
    for _ in range(2):
        order(own, Side.BUY, 1, 1)
    with pytest.raises(OrderRefused, match="quantity"):
        order(own, Side.BUY, 1, 1)


@dataclass
class Books:
    """What executions alone say of an account: the other side of the comparison."""

    quantity: int = 0
    cost: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)


SYMBOLS: list[tuple[OffBookMarket, str, str]] = [
    ("overseas_stock", "AAPL", "NASD"),
    ("overseas_stock", "7203", "TKSE"),
    ("domestic_derivative", "A01603", ""),
    ("overseas_derivative", "ESZ26", "CME"),
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS),
        st.sampled_from(["buy", "sell", "move", "modify", "cancel"]),
        st.integers(1, 150),
        st.integers(-40, 40),
    ),
    max_size=25,
)


@given(STEPS)
def test_money_and_positions_follow_from_the_executions_alone(
    steps: list[tuple[tuple[OffBookMarket, str, str], str, int, int]],
) -> None:
    own = book()
    firsts = {number: dict(own.money(number).cash) for number in OWNERS.values()}
    owned = {
        (at, one.symbol): (one.quantity, one.cost)
        for at in set(OWNERS.values())
        for one in own.money(at).positions()
    }
    for (market, symbol, exchange), what, quantity, shift in steps:
        price = max(Decimal(1), own.price(symbol) + shift)
        waiting = [one for one in own.money(OWNERS[market]).waiting if one.symbol == symbol]
        try:
            match what:
                case "buy" | "sell":
                    side = Side.BUY if what == "buy" else Side.SELL
                    named = {"market": market, "symbol": symbol, "exchange": exchange}
                    order(own, side, quantity, price, **named)  # type: ignore[arg-type]
                case "move":
                    own.move(symbol, price, NOW)
                case "modify" if waiting:
                    left = min(quantity, waiting[0].remaining)
                    own.change(waiting[0], "modify", left, price, NOW)
                case "cancel" if waiting:
                    left = min(quantity, waiting[0].remaining)
                    own.change(waiting[0], "cancel", left, price, NOW)
        except OrderRefused:
            pass
        for number in set(OWNERS.values()):
            agree(own, number, dict(firsts[number]), owned)


def agree(
    own: OffBook,
    number: str,
    cash: dict[str, Decimal],
    owned: dict[tuple[str, str], tuple[int, Decimal]],
) -> None:
    """Add the executions up again, and compare."""
    money, books = own.money(number), dict[str, Books]()
    for done in money.executions:
        ticket = done.ticket
        found = terms(ticket.market, ticket.exchange, ticket.symbol)
        assert found is not None
        kept = books.setdefault(ticket.symbol, Books(*owned.get((number, ticket.symbol), (0, 0))))
        sign = 1 if ticket.side is Side.BUY else -1
        costs = done.fee + done.tax
        closing = min(done.quantity, abs(kept.quantity)) if kept.quantity * sign < 0 else 0
        given = kept.cost * closing / abs(kept.quantity) if closing else Decimal(0)
        worth = done.price * found.point
        gain = (given - closing * worth) * sign
        kept.cost += (done.quantity - closing) * worth - given
        kept.quantity += sign * done.quantity
        kept.realized += gain - costs * closing / done.quantity
        cash[found.currency] += (-sign * done.quantity * worth if found.paid else gain) - costs
    for currency, amount in cash.items():
        assert abs(money.funds(currency) - amount) < Decimal("0.001")
        assert money.promised(currency) >= 0
        if currency in ("USD", "JPY") and number == STOCKS:
            assert money.free(currency) >= 0
    for symbol, kept in books.items():
        market = next(market for market, name, _ in SYMBOLS if name == symbol)
        held = money.position(market, symbol)
        assert held.quantity == kept.quantity
        assert abs(held.cost - kept.cost) < Decimal("0.001")
        assert abs(held.realized - kept.realized) < Decimal("0.001")
        assert held.quantity >= held.reserved or held.terms.shorts
    for ticket in own.tickets.values():
        filled = sum(one.quantity for one in money.executions if one.ticket is ticket)
        if ticket.account == number:
            assert ticket.filled == filled
            assert (ticket in money.waiting) == bool(ticket.remaining)
