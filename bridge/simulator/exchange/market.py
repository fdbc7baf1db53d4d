"""One symbol's trading day: its book, its prints and its statistics (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.auction import clearing_price
from bridge.simulator.exchange.minutes import MinuteChart
from bridge.simulator.exchange.order_book import Fill, Order, OrderBook, Side

__all__ = ["Listing", "Market", "Print"]

_KEPT_PRINTS = 2_000
_RECENT = 120


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a symbol before the day starts; prices in won."""

    symbol: str
    name: str
    base: int
    """Yesterday's close."""
    shares: int
    """Listed shares."""
    previous_volume: int


@dataclass(frozen=True, slots=True)
class Print:
    """One trade, with the day's statistics as they were right after it."""

    at: datetime
    price: int
    quantity: int
    taker: Side
    volume: int
    value: int
    buys: int
    sells: int
    bought: int
    sold: int
    high: int
    high_at: datetime
    low: int
    low_at: datetime
    ask: int
    bid: int
    ask_size: int
    bid_size: int
    total_asks: int
    total_bids: int


@dataclass(slots=True, eq=False)
class Market:
    """The continuous market of one symbol.

    ``on_fill(order, price, quantity, now)`` is called for both sides of every trade.
    """

    listing: Listing
    opened_at: datetime
    random: Random
    on_fill: Callable[[Order, int, int, datetime], None]
    book: OrderBook = field(default_factory=OrderBook)
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=_KEPT_PRINTS))
    """Trades that nobody has collected yet, oldest first."""
    recent: deque[Print] = field(default_factory=lambda: deque(maxlen=_RECENT))
    """The latest ones, for whoever asks."""
    traders: list[Order] = field(default_factory=list)
    """Resting orders of the background traders; those that have traded away may linger."""
    pegged: list[Order] = field(default_factory=list)
    """Resting mid-price orders, in order of arrival; ``price`` is their limit."""
    called: list[Order] = field(default_factory=list)
    """Orders for the next auction, in order of arrival; ``price`` is their limit."""
    fixed: list[Order] = field(default_factory=list)
    """Orders at a close, in order of arrival; ``price`` is that close."""
    lower: int = 0
    upper: int = 0
    fair: float = 0.0
    open: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    close: int = 0
    """Of today's regular session; 0 until it has ended."""
    high_at: datetime = field(init=False)
    low_at: datetime = field(init=False)
    volume: int = 0
    value: int = 0
    buys: int = 0
    sells: int = 0
    bought: int = 0
    sold: int = 0
    latest: Print | None = None
    chart: MinuteChart = field(default_factory=MinuteChart)

    def __post_init__(self) -> None:
        self.lower, self.upper = ticks.limits(self.listing.base)
        self.fair = float(self.listing.base)
        self.last = self.listing.base
        self.high_at = self.low_at = self.opened_at

    @property
    def symbol(self) -> str:
        return self.listing.symbol

    @property
    def middle(self) -> int:
        """The middle of the spread, in whole won; 0 while a side is empty."""
        ask, bid = self.book.best(Side.SELL), self.book.best(Side.BUY)
        return (ask + bid) // 2 if ask and bid else 0

    def enter(self, order: Order, now: datetime, *, rest: bool) -> None:
        """Trade an order against the book; what is left rests when it may."""
        fills = self.book.match(order)
        if rest and order.remaining:
            self.book.add(order)
        self.record(order, fills, now)

    def enter_middle(self, order: Order, now: datetime, *, rest: bool) -> None:
        """Trade a mid-price order with those of the other side, at the middle of the spread."""
        fills = []
        price = self.middle
        for maker in list(self.pegged) if price else []:
            if not order.remaining:
                break
            buyer, seller = (order, maker) if order.side is Side.BUY else (maker, order)
            if maker.side is order.side or not seller.price <= price <= buyer.price:
                continue
            quantity = min(order.remaining, maker.remaining)
            order.remaining -= quantity
            maker.remaining -= quantity
            fills.append(Fill(maker, price, quantity))
        self.pegged = [maker for maker in self.pegged if maker.remaining]
        if rest and order.remaining:
            self.pegged.append(order)
        self.record(order, fills, now)

    def enter_fixed(self, order: Order, now: datetime, *, rest: bool) -> None:
        """Trade an order at its own price and no other; what is left waits when it may."""
        fills = []
        for maker in self.fixed:
            if maker.side is order.side or maker.price != order.price:
                continue
            quantity = min(order.remaining, maker.remaining)
            order.remaining -= quantity
            maker.remaining -= quantity
            fills.append(Fill(maker, order.price, quantity))
            if not order.remaining:
                break
        self.fixed = [maker for maker in self.fixed if maker.remaining]
        if rest and order.remaining:
            self.fixed.append(order)
        self.record(order, fills, now)

    def uncross(self, now: datetime, at: int = 0) -> None:
        """Trade what waits for the auction, with the book, at one price; ``at``: a given one.

        What is left of it rests in the book.
        """
        called, self.called = self.called, []
        sizes: dict[Side, dict[int, int]] = {}
        for side in Side:
            levels = dict(self.book.depth(side, self.book.levels(side)))
            for order in called:
                if order.side is side:
                    levels[order.price] = levels.get(order.price, 0) + order.remaining
            sizes[side] = levels
        price = at or clearing_price(sizes[Side.BUY], sizes[Side.SELL], self.last)
        if price:
            self._cross(called, price, now)
        for order in called:
            if order.remaining:
                # Whoever wanted any price waits at the one that the auction has found.
                if price and order.any_price:
                    order.price = price
                self.enter(order, now, rest=True)

    def _cross(self, called: list[Order], price: int, now: datetime) -> None:
        """Trade all that reaches a price, best price first, then oldest first."""
        waiting = set(called)
        buyers, sellers = (
            deque(one for one in self._by_priority(called, side) if one.reaches(price))
            for side in (Side.BUY, Side.SELL)
        )
        while buyers and sellers:
            buyer, seller = buyers[0], sellers[0]
            quantity = min(buyer.remaining, seller.remaining)
            for order in (buyer, seller):
                if order in waiting:
                    order.remaining -= quantity
                else:
                    self.book.take(order, quantity)
            # Whoever came for the auction is its taker; the makers' statistics do not differ.
            taker, maker = (buyer, seller) if buyer in waiting else (seller, buyer)
            self.record(taker, [Fill(maker, price, quantity)], now)
            if not buyer.remaining:
                buyers.popleft()
            if not seller.remaining:
                sellers.popleft()

    def _by_priority(self, called: list[Order], side: Side) -> list[Order]:
        found = [one for price in self.book.prices(side) for one in self.book.queue(side, price)]
        found += [one for one in called if one.side is side]
        return sorted(found, key=lambda one: -one.price if side is Side.BUY else one.price)

    def middle_size(self, order: Order) -> int:
        """Return how much a mid-price order would trade at once."""
        price = self.middle
        return sum(
            maker.remaining
            for maker in self.pegged
            if price
            and maker.side is not order.side
            and (maker.price <= price if order.side is Side.BUY else maker.price >= price)
            and (order.price >= price if order.side is Side.BUY else order.price <= price)
        )

    def withdraw(self, order: Order, quantity: int) -> None:
        """Take ``quantity`` off a resting order, wherever it rests."""
        for waiting in (self.pegged, self.called, self.fixed):
            if order in waiting:
                order.remaining -= quantity
                if not order.remaining:
                    waiting.remove(order)
                return
        self.book.take(order, quantity)

    def record(self, taker: Order, fills: list[Fill], now: datetime) -> None:
        """Enter trades into the day's statistics and tell both sides."""
        book = self.book
        for maker, price, quantity in fills:
            self._count(taker.side, price, quantity, now)
            ask, bid = book.best(Side.SELL), book.best(Side.BUY)
            self.latest = Print(
                at=now,
                price=price,
                quantity=quantity,
                taker=taker.side,
                volume=self.volume,
                value=self.value,
                buys=self.buys,
                sells=self.sells,
                bought=self.bought,
                sold=self.sold,
                high=self.high,
                high_at=self.high_at,
                low=self.low,
                low_at=self.low_at,
                ask=ask,
                bid=bid,
                ask_size=book.size(Side.SELL, ask),
                bid_size=book.size(Side.BUY, bid),
                total_asks=book.total(Side.SELL),
                total_bids=book.total(Side.BUY),
            )
            self.prints.append(self.latest)
            self.recent.append(self.latest)
            self.on_fill(maker, price, quantity, now)
            self.on_fill(taker, price, quantity, now)

    def collect(self) -> list[Print]:
        """Return the trades since the last call."""
        taken = list(self.prints)
        self.prints.clear()
        return taken

    def _count(self, taker: Side, price: int, quantity: int, now: datetime) -> None:
        if not self.volume:
            self.open = self.high = self.low = price
            self.opened_at = self.high_at = self.low_at = now
        if price > self.high:
            self.high, self.high_at = price, now
        elif price < self.low:
            self.low, self.low_at = price, now
        self.last = price
        self.volume += quantity
        self.value += price * quantity
        self.chart.count(price, quantity, self.value, now)
        if taker is Side.BUY:
            self.buys += 1
            self.bought += quantity
        else:
            self.sells += 1
            self.sold += quantity
