"""What an account holds of a symbol without an order book, and what was done in it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.terms import TradingTerms
from bridge.simulator.off_book.tickets import OffBookMarket, OffBookTicket

__all__ = ["Execution", "Position"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Execution:
    """A trade of an account; amounts are in the currency of its ``terms``."""

    number: str
    ticket: OffBookTicket
    terms: TradingTerms
    at: datetime
    date: date
    """The exchange's."""
    quantity: int
    price: Decimal
    fee: Decimal
    tax: Decimal
    closed: int
    """How many it closed of what was held before."""
    released: Decimal
    """What these had been opened for."""

    @property
    def amount(self) -> Decimal:
        return self.terms.amount(self.quantity, self.price)

    @property
    def cash(self) -> Decimal:
        """What it added to the account's money."""
        costs = self.fee + self.tax
        if not self.terms.paid:
            return self.gross - costs
        return (self.amount if self.ticket.side is Side.SELL else -self.amount) - costs

    @property
    def gross(self) -> Decimal:
        """What closing brought, before fees and taxes."""
        gained = self.terms.amount(self.closed, self.price) - self.released
        return gained if self.ticket.side is Side.SELL else -gained

    @property
    def costs(self) -> Decimal:
        """Fees and taxes of what it closed."""
        return (self.fee + self.tax) * self.closed / self.quantity

    @property
    def realized(self) -> Decimal:
        """What closing brought; opening costs nothing but its fee, which is not in here."""
        return self.gross - self.costs


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of one symbol, and what it is worth at ``price``."""

    market: OffBookMarket
    symbol: str
    exchange: str
    terms: TradingTerms
    price: Decimal
    quantity: int = 0
    """Negative for a short position."""
    cost: Decimal = _ZERO
    """What it was bought, or sold short, for; without fees."""
    reserved: int = 0
    """In orders to sell that still wait."""
    reserved_buys: int = 0
    realized: Decimal = _ZERO
    """What was earned by closing parts of it, after the fees and taxes of that."""
    released: Decimal = _ZERO
    """What these parts had been opened for."""
    bought: Decimal = _ZERO
    """Everything that was paid for it since the start."""
    sold: Decimal = _ZERO

    @property
    def average(self) -> Decimal:
        """The price at which what is held was bought, or sold short."""
        held = abs(self.quantity) * self.terms.point
        return self.cost / held if held else _ZERO

    @property
    def worth(self) -> Decimal:
        return self.terms.amount(abs(self.quantity), self.price)

    @property
    def profit(self) -> Decimal:
        """What closing it now would bring, before fees and taxes."""
        return self.worth - self.cost if self.quantity > 0 else self.cost - self.worth

    @property
    def margin(self) -> Decimal:
        """The money that it ties up."""
        free = self.terms.paid and self.quantity > 0
        return _ZERO if free else self.terms.tied(abs(self.quantity), self.price)

    @property
    def sellable(self) -> int:
        """How many can be sold without going short."""
        return max(0, self.quantity) - self.reserved
