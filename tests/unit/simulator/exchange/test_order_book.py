from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator.exchange.order_book import Order, OrderBook, Side


@dataclass
class Resting:
    arrival: int
    side: Side
    price: int
    left: int


class Naive:
    """Price-time priority in the plainest words: sort, then trade."""

    def __init__(self) -> None:
        self.resting: list[Resting] = []
        self.arrivals = 0

    def enter(self, side: Side, price: int, quantity: int) -> list[tuple[int, int, int]]:
        fills = []
        sign = 1 if side is Side.BUY else -1
        others = [r for r in self.resting if r.side is not side and sign * r.price <= sign * price]
        for other in sorted(others, key=lambda r: (sign * r.price, r.arrival)):
            traded = min(quantity, other.left)
            if traded:
                fills.append((other.arrival, other.price, traded))
                other.left -= traded
                quantity -= traded
        self.resting = [r for r in self.resting if r.left]
        if quantity:
            self.resting.append(Resting(self.arrivals, side, price, quantity))
        self.arrivals += 1
        return fills


orders = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(95, 105), st.integers(1, 20)), max_size=40
)


@given(orders)
def test_fills_follow_price_then_time(given_orders: list[tuple[Side, int, int]]) -> None:
    book, naive = OrderBook(), Naive()
    arrival: dict[Order, int] = {}
    for number, (side, price, quantity) in enumerate(given_orders):
        order = Order(side, price, quantity)
        arrival[order] = number
        fills = book.match(order)
        if order.remaining:
            book.add(order)
        assert [(arrival[f.maker], f.price, f.quantity) for f in fills] == naive.enter(
            side, price, quantity
        )
        assert quantity == order.remaining + sum(f.quantity for f in fills)
    for side in Side:
        levels: dict[int, int] = {}
        for resting in naive.resting:
            if resting.side is side:
                levels[resting.price] = levels.get(resting.price, 0) + resting.left
        best_first = sorted(levels.items(), reverse=side is Side.BUY)
        assert book.depth(side, 100) == best_first
        assert book.total(side) == sum(levels.values())
        assert book.prices(side) == [price for price, _ in best_first]
        assert book.best(side) == (best_first[0][0] if best_first else 0)


def test_taking_a_part_keeps_the_place() -> None:
    book = OrderBook()
    first, second = Order(Side.BUY, 100, 10), Order(Side.BUY, 100, 10)
    book.add(first)
    book.add(second)
    book.take(first, 4)
    assert book.queue(Side.BUY, 100) == [first, second]
    assert book.size(Side.BUY, 100) == 16
    book.take(second, 10)
    book.take(first, 6)
    assert book.depth(Side.BUY) == []
    assert book.best(Side.BUY) == 0


def test_available_counts_what_a_limit_reaches() -> None:
    book = OrderBook()
    for price in (100, 101, 102):
        book.add(Order(Side.SELL, price, 5))
    book.add(Order(Side.BUY, 98, 7))
    assert book.available(Side.BUY, 101) == 10
    assert book.available(Side.SELL, 98) == 7
    assert book.available(Side.SELL, 99) == 0
    assert Side.SELL.other is Side.BUY
