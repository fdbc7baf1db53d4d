"""How a symbol's market begins (pure, seeded).

Whoever asks for a symbol finds a market that has just opened. Invented firms open with an auction
that may be far from yesterday's close, so that a ranking of them has something to rank; the ones
that people know open at yesterday's close and have traded a little.
"""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.exchange import securities, ticks, traders
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Fill, Order, Side
from bridge.simulator.exchange.warrants import find_warrant

__all__ = ["begin"]

_TURNS = 8
"""Of the traders, without an auction."""
_WIDEST = 0.25
"""How far from yesterday's close an auction ends, inside the limits of a day."""


def begin(market: Market, now: datetime) -> None:
    """Let the traders in; afterwards there is a book, and there have been trades."""
    security = securities.find(market.symbol)
    invented = find_warrant(market.symbol) if security is None else not security.real
    if not invented:
        traders.populate(market, now)
        for _ in range(_TURNS):
            traders.act(market, now)
    else:
        _auction(market, now)
        traders.populate(market, now)
    market.collect()


def _auction(market: Market, now: datetime) -> None:
    draw, listing = market.random, market.listing
    # Most firms hardly move over night, a few have news.
    wide = 0.06 if draw.random() < 0.06 else 0.012
    gap = min(max(draw.gauss(0.0, wide), -_WIDEST), _WIDEST)
    price = min(max(ticks.down(int(listing.base * (1 + gap))), market.lower), market.upper)
    market.fair = float(price)
    quantity = max(2, int(listing.previous_volume * draw.uniform(0.02, 0.3)))
    bought = int(quantity * draw.uniform(0.3, 0.7))
    for side, shares in ((Side.BUY, bought), (Side.SELL, quantity - bought)):
        if shares:
            taker, maker = Order(side, price, 0), Order(side.other, price, 0)
            market.record(taker, [Fill(maker, price, shares)], now)
