"""The background traders that keep a market alive (pure, seeded).

Market makers fill the levels around a fair value that wanders at random; noise traders take from
them, more often in the direction of the fair value. Both trade in the same book as the users.
"""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Order, Side

__all__ = ["act", "at_close", "populate"]

_LEVELS = 12
_LEVEL_VALUE = 30_000_000
_TRADE_VALUE = 2_000_000
_MAX_RESTING = 200


def populate(market: Market, now: datetime) -> None:
    """Fill an empty book."""
    _quote(market, now)


def act(market: Market, now: datetime) -> None:
    """Let the traders act once: nearly always a trade, and quotes that follow the fair value."""
    _wander(market)
    _withdraw(market)
    _quote(market, now)
    _take(market, now)
    if market.random.random() < 0.1:
        _middle(market, now)


def _wander(market: Market) -> None:
    draw = market.random
    pull = (market.listing.base - market.fair) * 2e-5
    fair = market.fair * (1 + draw.gauss(0.0, 0.00025)) + pull
    market.fair = min(max(fair, market.lower * 1.01), market.upper * 0.99)


def _around(market: Market) -> tuple[int, int]:
    """Return the ask and the bid that enclose the fair value."""
    bid = max(ticks.down(int(market.fair)), market.lower)
    return min(ticks.step(bid, 1), market.upper), bid


def _quote(market: Market, now: datetime) -> None:
    ask, bid = _around(market)
    draw = market.random
    target = max(4, _LEVEL_VALUE // market.listing.base)
    for side, price, direction in ((Side.SELL, ask, 1), (Side.BUY, bid, -1)):
        for _ in range(_LEVELS):
            if not market.lower <= price <= market.upper:
                break
            if market.book.size(side, price) < target // 3:
                quantity = max(1, int(target * draw.uniform(0.3, 1.6)))
                _rest(market, Order(side, price, quantity), now)
            price = ticks.step(price, direction)


def _rest(market: Market, order: Order, now: datetime) -> None:
    market.enter(order, now, rest=True)
    if order.remaining:
        market.traders.append(order)


def _withdraw(market: Market) -> None:
    """Take back a few orders, first those on the wrong side of the fair value."""
    if len(market.traders) > _MAX_RESTING:
        market.traders = [order for order in market.traders if order.remaining]
    ask, bid = _around(market)
    kept = []
    stale = len(market.traders) - _MAX_RESTING
    for order in market.traders:
        if not order.remaining:
            continue
        wrong = order.price < bid if order.side is Side.SELL else order.price > ask
        if wrong or stale > 0:
            stale -= 1
            market.book.take(order, order.remaining)
        else:
            kept.append(order)
    market.traders = kept
    if kept and market.random.random() < 0.3:
        order = market.random.choice(kept)
        market.book.take(order, max(1, order.remaining // 2))


def _take(market: Market, now: datetime) -> None:
    draw = market.random
    middle = market.middle
    if not middle:
        return
    lean = (market.fair - middle) / (4 * ticks.tick(middle))
    side = Side.BUY if draw.random() < 0.5 + min(max(lean, -0.4), 0.4) else Side.SELL
    best = market.book.best(side.other)
    quantity = max(1, int(_TRADE_VALUE / middle * draw.lognormvariate(0.0, 1.1)))
    limit = ticks.step(best, 1 if side is Side.BUY else -1)
    limit = min(max(limit, market.lower), market.upper)
    market.enter(Order(side, limit, quantity), now, rest=False)


def _middle(market: Market, now: datetime) -> None:
    draw = market.random
    side = draw.choice((Side.BUY, Side.SELL))
    limit = market.upper if side is Side.BUY else market.lower
    quantity = max(1, int(_TRADE_VALUE / market.last * draw.lognormvariate(0.0, 1.0)))
    market.enter_middle(Order(side, limit, quantity), now, rest=len(market.pegged) < 4)


def at_close(market: Market, order: Order, now: datetime) -> None:
    """Let somebody come, now and then, who trades with an order at a close."""
    draw = market.random
    if draw.random() < 0.3:
        quantity = max(1, int(_TRADE_VALUE / order.price * draw.lognormvariate(0.0, 1.1)))
        market.enter_fixed(Order(order.side.other, order.price, quantity), now, rest=False)
