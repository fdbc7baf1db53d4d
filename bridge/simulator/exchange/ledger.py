"""Money and shares of one account (pure): the one truth that every statement is made from.

``cash`` is what the account has once all of today's trades are settled, two trading days later.
An order puts aside what it can cost until it is filled or over; a fill books what it did cost.
Fees and taxes are those of an order's whole value, so that its fills add up to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from bridge.simulator.exchange import charges
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest, Position, Reason, Ticket

__all__ = ["DayTrades", "Holding", "Opening", "StockAccount", "own"]


@dataclass(slots=True)
class Holding:
    """A position: shares owned, or owed when they were borrowed; amounts in won."""

    quantity: int = 0
    cost: int = 0
    """What they were bought for; of borrowed shares, what they were sold for."""
    reserved: int = 0
    """Shares that resting orders have spoken for."""
    debt: int = 0
    """Lent for them."""
    guarantee: int = 0
    """Locked for borrowed shares."""
    bought_today: int = 0
    sold_today: int = 0


@dataclass(slots=True)
class DayTrades:
    """What was traded of one position on one day; amounts in won."""

    bought: int = 0
    sold: int = 0
    buy_value: int = 0
    sell_value: int = 0
    buy_fee: int = 0
    sell_fee: int = 0
    tax: int = 0
    interest: int = 0
    cost: int = 0
    """What the shares that were given away had cost, or borrowed ones had brought."""
    realised: int = 0
    """Profit on what was closed, after that trade's fee, tax and interest."""
    left: int = 0
    """Shares of the position at the end."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An account as the day found it."""

    cash: int
    positions: tuple[tuple[Position, int, int], ...]
    """Position, shares (owed ones negative), won that belong to it beside its shares."""


@dataclass(slots=True)
class StockAccount:
    """What an account owns and owes; ``number`` is ``12345678-01``."""

    number: str
    cash: int
    positions: dict[Position, Holding] = field(default_factory=dict)
    reserved: int = 0
    """Won that open orders have spoken for."""
    lending: int = 0
    """Won that KIS would lend if all open orders were filled."""
    days: dict[date, dict[Position, DayTrades]] = field(default_factory=dict)
    """What was traded, by day."""
    moved: dict[date, int] = field(default_factory=dict)
    """What each day's trades have changed of the cash."""
    opening: Opening | None = None

    @property
    def pension(self) -> bool:
        return self.number.endswith("-29")

    @property
    def free_cash(self) -> int:
        return self.cash - self.reserved - self.guarantees

    @property
    def guarantees(self) -> int:
        return sum(held.guarantee for held in self.positions.values())

    @property
    def debt(self) -> int:
        return sum(held.debt for held in self.positions.values())

    @property
    def free_credit(self) -> int:
        """Won that KIS would still lend."""
        return max(0, charges.CREDIT_LIMIT - self.debt - self.lending)

    def holding(self, symbol: str, loan: str = "", lent_on: str = "") -> Holding:
        return self.positions.setdefault((symbol, loan, lent_on), Holding())

    def free_shares(self, position: Position) -> int:
        """Return what of a position no order has spoken for."""
        held = self.positions.get(position)
        return held.quantity - held.reserved if held else 0

    # -- orders

    def cover(self, ticket: Ticket) -> None:
        """Note what the sale of borrowed shares pays of the order that returns them."""
        request = ticket.request
        held = self.positions.get(request.position)
        if request.short and not request.opens and held and held.quantity:
            ticket.covered = held.cost // held.quantity

    def shortage(self, ticket: Ticket, day: date, old: Ticket | None = None) -> Reason | None:
        """Return what is missing for an order; ``old``: one whose shares it takes over."""
        request, cash = ticket.request, self.free_cash
        quantity, left = request.quantity, old.remaining - request.quantity if old else 0
        if old is not None:
            cash += old.held - self._need(old, left, day)
        if self._need(ticket, quantity, day) > cash:
            return "cash"
        if lends := self._lends(ticket, quantity):
            given_back = old.lending - self._lends(old, left) if old else 0
            if lends > self.free_credit + given_back:
                return "credit"
        if old is None and not request.opens and quantity > self.free_shares(request.position):
            return "holdings"
        return None

    def keep(self, ticket: Ticket, day: date, shares: int) -> None:
        """Put aside what the rest of an order can cost, and let go of what it no longer can.

        ``shares`` are those that it newly speaks for, or no longer does when negative.
        """
        need = self._need(ticket, ticket.remaining, day)
        self.reserved += need - ticket.held
        ticket.held = need
        lends = self._lends(ticket, ticket.remaining)
        self.lending += lends - ticket.lending
        ticket.lending = lends
        if not ticket.request.opens:
            self.positions[ticket.request.position].reserved += shares

    def book(self, ticket: Ticket, quantity: int, price: int, day: date) -> None:
        """Book a fill that is not yet counted in its ticket."""
        request = ticket.request
        before, amount = ticket.value, quantity * price
        after = before + amount
        symbol = request.symbol
        fee = charges.fee(after, symbol) - charges.fee(before, symbol)
        held = self.holding(*request.position)
        row = self.days.setdefault(day, {}).setdefault(request.position, DayTrades())
        buys = request.side is Side.BUY
        tax = 0
        if not buys:
            tax = charges.tax(after, symbol, day) - charges.tax(before, symbol, day)
        change = -fee - tax
        if request.opens:
            held.quantity += quantity
            held.cost += amount
            if request.short:
                held.guarantee += charges.guarantee(after) - charges.guarantee(before)
            else:
                lent = charges.loan(after) - charges.loan(before) if request.credit else 0
                held.debt += lent
                change += lent - amount
        else:
            cost = held.cost * quantity // held.quantity
            debt = held.debt * quantity // held.quantity
            base = cost if request.short else debt
            owed = (
                charges.interest(base, request.lent_on, day, shares=request.short)
                if request.credit
                else 0
            )
            change -= owed
            change += cost - amount if request.short else amount - debt
            held.guarantee -= held.guarantee * quantity // held.quantity
            held.quantity -= quantity
            held.cost -= cost
            held.debt -= debt
            gain = cost - amount if request.short else amount - cost
            row.realised += gain - fee - tax - owed
            row.cost += cost
            row.interest += owed
        self.cash += change
        self.moved[day] = self.moved.get(day, 0) + change
        row.tax += tax
        row.left = held.quantity
        if buys:
            held.bought_today += quantity
            row.bought += quantity
            row.buy_value += amount
            row.buy_fee += fee
        else:
            held.sold_today += quantity
            row.sold += quantity
            row.sell_value += amount
            row.sell_fee += fee

    def new_day(self, settled: Callable[[date], bool]) -> None:
        """Begin a day: what is over and empty is forgotten, and so is what has been settled."""
        self.moved = {day: change for day, change in self.moved.items() if not settled(day)}
        for position, held in list(self.positions.items()):
            held.bought_today = held.sold_today = 0
            if not held.quantity and not held.reserved:
                del self.positions[position]
        self.opening = Opening(
            self.cash,
            tuple(
                (position, held.quantity * _sign(position), own(position, held))
                for position, held in self.positions.items()
            ),
        )

    # -- inside

    def _need(self, ticket: Ticket, quantity: int, day: date) -> int:
        request, more = ticket.request, quantity * ticket.limit
        if not quantity or not (request.opens or request.short):
            return 0
        spent = 0
        if ticket.filled:
            spent = _cost(request, ticket.value, ticket.filled * ticket.covered, day)
        covered = (ticket.filled + quantity) * ticket.covered
        return _cost(request, ticket.value + more, covered, day) - spent

    def _lends(self, ticket: Ticket, quantity: int) -> int:
        request = ticket.request
        if not quantity or not request.opens or request.loan not in ("21", "23"):
            return 0
        return charges.loan(ticket.value + quantity * ticket.limit) - charges.loan(ticket.value)


def _cost(request: OrderRequest, value: int, covered: int, day: date) -> int:
    """Return the free cash that an order takes by the time it has traded a value."""
    if not request.opens and not request.short:
        return 0
    cost = charges.fee(value, request.symbol)
    if not request.opens:
        return cost + max(0, value - covered)
    if request.short:
        return cost + charges.guarantee(value) + charges.tax(value, request.symbol, day)
    return cost + value - (charges.loan(value) if request.credit else 0)


def _sign(position: Position) -> int:
    return -1 if position[1] in ("22", "24") else 1


def own(position: Position, held: Holding) -> int:
    """Return the won beside a position's shares: what they were sold for, or less what is owed."""
    return held.cost if position[1] in ("22", "24") else -held.debt
