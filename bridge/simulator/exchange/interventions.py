"""What somebody from outside does to a domestic market (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.exchange import ticks, traders
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Fill, Order, Side
from bridge.simulator.exchange.tickets import OrderRefused, Ticket

__all__ = ["fill", "interrupt", "move"]


def move(exchange: Exchange, symbol: str, price: int, now: datetime) -> None:
    """Move a symbol to a price: all that waits for it trades on the way, and somebody there.

    The traders follow: they quote around the new price and go on from it.
    """
    market = _trading(exchange, symbol, now)
    if not ticks.on_grid(price):
        raise OrderRefused("tick")
    if not market.lower <= price <= market.upper:
        raise OrderRefused("limit")
    for order in market.traders:
        if order.remaining:
            market.book.take(order, order.remaining)
    market.traders.clear()
    market.fair = float(price)
    book = market.book
    while (bid := book.best(Side.BUY)) >= price:
        market.enter(Order(Side.SELL, bid, book.size(Side.BUY, bid)), now, rest=False)
    while 0 < (ask := book.best(Side.SELL)) <= price:
        market.enter(Order(Side.BUY, ask, book.size(Side.SELL, ask)), now, rest=False)
    market.enter(Order(Side.SELL, price, 1), now, rest=True)
    market.enter(Order(Side.BUY, price, 1), now, rest=False)
    exchange.floor.trigger(market, now)
    traders.populate(market, now)


def fill(exchange: Exchange, ticket: Ticket, quantity: int, now: datetime) -> int:
    """Let so many shares of an open order trade, whoever stands before it; return the price."""
    order = ticket.order
    market = _trading(exchange, ticket.request.symbol, now)
    if order is None:
        raise OrderRefused("order")
    price = market.last if order.any_price else order.price
    market.withdraw(order, quantity)
    # The other side is somebody who came for this order alone.
    market.record(Order(order.side.other, price, 0), [Fill(order, price, quantity)], now)
    exchange.floor.trigger(market, now)
    return price


def interrupt(exchange: Exchange, symbol: str, until: datetime, now: datetime) -> None:
    """Trigger a volatility interruption: until then orders wait for a call auction."""
    _trading(exchange, symbol, now)
    exchange.halts.auctions[symbol] = until


def _trading(exchange: Exchange, symbol: str, now: datetime) -> Market:
    market = exchange.market(symbol, now)
    if symbol in exchange.halts.halted:
        raise OrderRefused("halted")
    return market
