"""One symbol's order book: price, then time (pure).

Quantities are shares, prices won. The book neither knows accounts nor checks an order: whoever
calls it does.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Fill", "Order", "OrderBook", "Side"]


class Side(StrEnum):
    """Who gives the shares away; the values are KIS's."""

    SELL = "01"
    BUY = "02"

    @property
    def other(self) -> Side:
        return Side.BUY if self is Side.SELL else Side.SELL


@dataclass(slots=True, eq=False)
class Order:
    """What rests in a book or hits it; ``remaining`` falls to zero."""

    side: Side
    price: int
    remaining: int
    any_price: bool = False
    """It names no price; ``price`` is the end of the day's range."""

    def reaches(self, price: int) -> bool:
        """Tell whether it would trade at a price."""
        return _reaches(self.side, self.price, price)


class Fill(NamedTuple):
    """``quantity`` shares changed hands at the maker's ``price``."""

    maker: Order
    price: int
    quantity: int


class _Half:
    """One side: levels by price, each a queue in order of arrival."""

    __slots__ = ("levels", "prices", "sizes", "total")

    def __init__(self) -> None:
        self.levels: dict[int, deque[Order]] = {}
        self.sizes: dict[int, int] = {}
        self.prices: list[int] = []
        self.total = 0

    def add(self, order: Order) -> None:
        price = order.price
        if price not in self.levels:
            self.levels[price] = deque()
            self.sizes[price] = 0
            insort(self.prices, price)
        self.levels[price].append(order)
        self.sizes[price] += order.remaining
        self.total += order.remaining

    def take(self, order: Order, quantity: int) -> None:
        """Lower a resting order; the empty order leaves, and so does the empty level."""
        price = order.price
        order.remaining -= quantity
        self.sizes[price] -= quantity
        self.total -= quantity
        if order.remaining:
            return
        level = self.levels[price]
        if level[0] is order:
            level.popleft()
        else:
            level.remove(order)
        if not level:
            del self.levels[price], self.sizes[price]
            del self.prices[bisect_left(self.prices, price)]


class OrderBook:
    """The resting orders of one symbol."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._asks = _Half()
        self._bids = _Half()

    def _half(self, side: Side) -> _Half:
        return self._asks if side is Side.SELL else self._bids

    def best(self, side: Side) -> int:
        """Return the best price of a side, 0 when nobody is there."""
        prices = self._half(side).prices
        if not prices:
            return 0
        return prices[0] if side is Side.SELL else prices[-1]

    def size(self, side: Side, price: int) -> int:
        return self._half(side).sizes.get(price, 0)

    def total(self, side: Side) -> int:
        return self._half(side).total

    def prices(self, side: Side) -> list[int]:
        """Return the prices of a side, best first."""
        prices = self._half(side).prices
        return prices[:] if side is Side.SELL else prices[::-1]

    def depth(self, side: Side, levels: int = 10) -> list[tuple[int, int]]:
        """Return (price, quantity) of the best levels, best first."""
        half = self._half(side)
        prices = half.prices[:levels] if side is Side.SELL else half.prices[: -levels - 1 : -1]
        return [(price, half.sizes[price]) for price in prices]

    def levels(self, side: Side) -> int:
        """Return how many prices a side has."""
        return len(self._half(side).prices)

    def queue(self, side: Side, price: int) -> list[Order]:
        """Return the orders of a level, oldest first."""
        return list(self._half(side).levels.get(price, ()))

    def add(self, order: Order) -> None:
        """Let an order rest, last in the queue of its price."""
        self._half(order.side).add(order)

    def take(self, order: Order, quantity: int) -> None:
        """Take ``quantity`` off a resting order; it keeps its place unless nothing is left."""
        self._half(order.side).take(order, quantity)

    def available(self, side: Side, limit: int) -> int:
        """Return how much an order of ``side`` could take up to ``limit``."""
        half = self._half(side.other)
        return sum(size for price, size in half.sizes.items() if _reaches(side, limit, price))

    def match(self, order: Order) -> list[Fill]:
        """Trade an incoming order up to its price; what is left stays in ``order.remaining``."""
        half = self._half(order.side.other)
        fills = []
        while order.remaining and half.prices:
            price = half.prices[0] if order.side is Side.BUY else half.prices[-1]
            if not _reaches(order.side, order.price, price):
                break
            maker = half.levels[price][0]
            quantity = min(order.remaining, maker.remaining)
            half.take(maker, quantity)
            order.remaining -= quantity
            fills.append(Fill(maker, price, quantity))
        return fills


def _reaches(side: Side, limit: int, price: int) -> bool:
    return price <= limit if side is Side.BUY else price >= limit
