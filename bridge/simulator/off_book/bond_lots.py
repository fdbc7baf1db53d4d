"""Which purchases of a bond are still held: each by its day and its price (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.holdings import Execution
from bridge.simulator.off_book.terms import TradingTerms
from bridge.simulator.off_book.tickets import OffBookTicket

__all__ = ["BondLot", "LotChoice", "bond_lots", "check_lots"]


@dataclass(frozen=True, slots=True)
class LotChoice:
    """What a sale takes: the oldest lots, those of a day, or one lot of that day."""

    division: str = "01"
    day: str = ""
    number: int = 0

    @classmethod
    def read(cls, kind: str) -> LotChoice:
        """Return the choice that an order's kind holds."""
        division, day, number = (*kind.split(), "", "")[:3]
        return cls(division, day, int(number or 0))

    @property
    def kind(self) -> str:
        """The choice as the kind of an order."""
        number = str(self.number) if self.number else ""
        return " ".join(part for part in (self.division, self.day, number) if part)

    def takes(self, lot: BondLot) -> bool:
        return self.day in ("", f"{lot.day:%Y%m%d}") and self.number in (0, lot.number)


@dataclass(slots=True)
class BondLot:
    """What was bought of a bond on one day at one price."""

    symbol: str
    day: date
    number: int
    """Among those of its day."""
    price: Decimal
    at: datetime
    terms: TradingTerms
    quantity: int = 0
    reserved: int = 0
    """In orders to sell that wait."""

    @property
    def amount(self) -> Decimal:
        """What it was bought for, in won."""
        return self.terms.amount(self.quantity, self.price)

    @property
    def free(self) -> int:
        return self.quantity - self.reserved


def bond_lots(
    executions: Iterable[Execution], waiting: Iterable[OffBookTicket], symbol: str = ""
) -> list[BondLot]:
    """Return the lots of a bond, or of all, oldest first, less what was sold of them."""
    lots: list[BondLot] = []
    for one in executions:
        ticket = one.ticket
        if ticket.market != "domestic_bond" or symbol not in ("", ticket.symbol):
            continue
        if ticket.side is Side.BUY:
            _bought(lots, one)
        else:
            for lot, part in _taken(lots, ticket, one.quantity):
                lot.quantity -= part
    for ticket in waiting:
        if ticket.market == "domestic_bond" and ticket.side is Side.SELL:
            for lot, part in _taken(lots, ticket, ticket.remaining):
                lot.reserved += part
    return [lot for lot in lots if lot.quantity]


def check_lots(lots: Iterable[BondLot], choice: LotChoice, quantity: int) -> None:
    """Raise :class:`OrderRefused` when the lots of a choice do not have so much."""
    if quantity > sum(lot.free for lot in lots if choice.takes(lot)):
        raise OrderRefused("holdings")


def _bought(lots: list[BondLot], one: Execution) -> None:
    same = [lot for lot in lots if (lot.symbol, lot.day) == (one.ticket.symbol, one.date)]
    lot = next((lot for lot in same if lot.price == one.price), None)
    if lot is None:
        lot = BondLot(one.ticket.symbol, one.date, len(same) + 1, one.price, one.at, one.terms)
        lots.append(lot)
    lot.quantity += one.quantity


def _taken(
    lots: list[BondLot], ticket: OffBookTicket, quantity: int
) -> Iterator[tuple[BondLot, int]]:
    """Yield what an order takes of each lot: of those it named first, then of the oldest."""
    choice = LotChoice.read(ticket.kind)
    own = [lot for lot in lots if lot.symbol == ticket.symbol]
    for lot in sorted(own, key=lambda lot: not choice.takes(lot)):
        part = min(quantity, lot.free)
        quantity -= part
        if part:
            yield lot, part
