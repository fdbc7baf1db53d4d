"""Cash and shares of one account (pure). Fees and taxes are nil; trades settle at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.simulator.exchange.order_book import Side

__all__ = ["CashAccount", "Holding"]


@dataclass(slots=True)
class Holding:
    """Shares of one symbol; ``cost`` is what they were bought for, in won."""

    quantity: int = 0
    cost: int = 0
    reserved: int = 0
    """Shares that resting sell orders have spoken for."""
    bought_today: int = 0
    sold_today: int = 0


@dataclass(slots=True)
class CashAccount:
    """What an account owns; ``number`` is ``12345678-01``."""

    number: str
    cash: int
    holdings: dict[str, Holding] = field(default_factory=dict)
    reserved: int = 0
    """Won that resting buy orders have spoken for."""
    bought_today: int = 0
    sold_today: int = 0

    @property
    def free_cash(self) -> int:
        return self.cash - self.reserved

    def holding(self, symbol: str) -> Holding:
        return self.holdings.setdefault(symbol, Holding())

    def free_shares(self, symbol: str) -> int:
        held = self.holdings.get(symbol)
        return held.quantity - held.reserved if held else 0

    def reserve(self, side: Side, symbol: str, quantity: int, price: int) -> bool:
        """Put aside what an order can cost; False, and nothing done, when there is too little."""
        if side is Side.BUY:
            if quantity * price > self.free_cash:
                return False
            self.reserved += quantity * price
        else:
            if quantity > self.free_shares(symbol):
                return False
            self.holding(symbol).reserved += quantity
        return True

    def release(self, side: Side, symbol: str, quantity: int, price: int) -> None:
        """Give back what :meth:`reserve` put aside for ``quantity`` shares."""
        if side is Side.BUY:
            self.reserved -= quantity * price
        else:
            self.holding(symbol).reserved -= quantity

    def settle(self, side: Side, symbol: str, quantity: int, price: int) -> None:
        """Book a fill whose reservation has been released."""
        amount = quantity * price
        held = self.holding(symbol)
        if side is Side.BUY:
            self.cash -= amount
            self.bought_today += amount
            held.quantity += quantity
            held.cost += amount
            held.bought_today += quantity
        else:
            self.cash += amount
            self.sold_today += amount
            held.cost -= held.cost * quantity // held.quantity
            held.quantity -= quantity
            held.sold_today += quantity

    def new_day(self) -> None:
        self.bought_today = self.sold_today = 0
        for held in self.holdings.values():
            held.bought_today = held.sold_today = 0
