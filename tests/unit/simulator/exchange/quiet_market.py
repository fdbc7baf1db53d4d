"""An exchange whose one market has no crowd: its book is what a test puts there."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bridge.calendar.hours import Calendar
from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Order, Side

NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
"""A Tuesday; Thursday and Friday of that week are holidays."""
ACCOUNT = "12345678-01"
CASH = 100_000_000
QUIET = "100000"


def quiet(
    base: int = 10_000, *, at: datetime = NOW, calendar: Calendar | None = None, shares: int = 1_000
) -> tuple[Exchange, Market]:
    """Return the exchange and its market; the account has ``shares`` that cost 10,000 won each."""
    account = with_holdings(ACCOUNT, CASH, [(QUIET, shares, 10_000)] if shares else [])
    made = Exchange(seed=1, calendar=calendar, accounts=[account])
    market = made.market(QUIET, at)
    clear(market, base)
    return made, market


def clear(market: Market, base: int) -> None:
    """Send the crowd home."""
    for side in Side:
        for price in market.book.prices(side):
            for order in market.book.queue(side, price):
                market.book.take(order, order.remaining)
    market.traders.clear()
    market.pegged.clear()
    market.collect()
    market.lower, market.upper = ticks.limits(base)
    market.last = base


def rest(market: Market, side: Side, price: int, quantity: int) -> Order:
    order = Order(side, price, quantity)
    market.book.add(order)
    return order
