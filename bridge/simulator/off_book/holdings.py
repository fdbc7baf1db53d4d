"""What an account holds of overseas stocks, futures and options (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.tickets import OffBookTicket

__all__ = ["Position", "position"]

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """What was bought and sold of one symbol, and what it is worth at ``price``."""

    symbol: str
    price: Decimal
    bought: int
    bought_value: Decimal
    """Shares owned from the start count as bought at their first price."""
    sold: int
    sold_value: Decimal
    reserved: int
    """In orders to sell that still wait."""

    @property
    def quantity(self) -> int:
        """What is held; negative for a short position."""
        return self.bought - self.sold

    @property
    def average(self) -> Decimal:
        """The price at which what is held was bought, or sold short."""
        if self.quantity < 0:
            return self.sold_value / self.sold
        return self.bought_value / self.bought if self.bought else _ZERO

    @property
    def cost(self) -> Decimal:
        return self.average * abs(self.quantity)

    @property
    def worth(self) -> Decimal:
        return self.price * abs(self.quantity)

    @property
    def profit(self) -> Decimal:
        """What closing it now would bring."""
        return (self.price - self.average) * self.quantity

    @property
    def realized(self) -> Decimal:
        """What was earned by closing parts of it."""
        return self.sold_value - self.bought_value + self.average * self.quantity


def position(
    symbol: str,
    tickets: Iterable[OffBookTicket],
    price: Decimal,
    shares: int = 0,
    base: Decimal = _ZERO,
) -> Position:
    """Add up the orders for one symbol of one account, who owned ``shares`` at ``base`` before."""
    own = [ticket for ticket in tickets if ticket.symbol == symbol]
    buys = [ticket for ticket in own if ticket.side is Side.BUY]
    sells = [ticket for ticket in own if ticket.side is Side.SELL]
    return Position(
        symbol,
        price,
        shares + sum(ticket.filled for ticket in buys),
        shares * base + sum((ticket.value for ticket in buys), _ZERO),
        sum(ticket.filled for ticket in sells),
        sum((ticket.value for ticket in sells), _ZERO),
        sum(ticket.remaining for ticket in sells),
    )
