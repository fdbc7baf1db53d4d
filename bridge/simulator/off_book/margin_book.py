"""The days of an account of futures and options: settled each evening, told at any time (pure).

The money of the account is what its executions left, of futures only what closing them brought.
The exchange pays gains and losses of each day, so that a deposit has those of all days before, and
today's are told beside it: of what was traded today, and of what was carried over from yesterday.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.accounts import OffBookAccount
from bridge.simulator.off_book.holdings import Execution, Position
from bridge.simulator.off_book.terms import TradingTerms
from bridge.simulator.off_book.tickets import OffBookMarket

__all__ = ["Basis", "MarginBook", "MarginDay", "MarginRow", "maintenance"]

Basis = Literal["settled", "bought"]
"""Profits against the price of the last settlement, or against what was paid."""

_ZERO = Decimal(0)
_DAYS = 400
"""That are remembered."""
_MARKET: OffBookMarket = "domestic_derivative"
_ANY_DAY = date(2026, 1, 2)
"""Product and strike of a symbol are the same on each."""


@dataclass(frozen=True, slots=True)
class _Carried:
    """What was held over the last settlement."""

    quantity: int
    price: Decimal
    cost: Decimal
    """At that price of a future; of an option what it was opened for."""


@dataclass(frozen=True, slots=True)
class MarginRow:
    """A contract on a day; what is short has a negative quantity."""

    symbol: str
    option: bool
    terms: TradingTerms
    carried: int
    settled: Decimal
    """The price of the last settlement; 0 when nothing was carried over it."""
    opened: int
    closed: int
    quantity: int
    cost: Decimal
    realized: Decimal
    """What closing brought on that day, before fees."""
    price: Decimal
    waiting: int
    """In orders that would close it."""

    @property
    def worth(self) -> Decimal:
        return self.terms.amount(abs(self.quantity), self.price)

    @property
    def profit(self) -> Decimal:
        gained = self.worth - self.cost
        return gained if self.quantity > 0 else -gained

    @property
    def average(self) -> Decimal:
        held = abs(self.quantity) * self.terms.point
        return self.cost / held if held else _ZERO

    @property
    def closable(self) -> int:
        return max(0, abs(self.quantity) - self.waiting)


@dataclass(frozen=True, slots=True)
class MarginDay:
    """What an account is told of a day; all money in won, losses below 0."""

    rows: tuple[MarginRow, ...]
    deposit: Decimal
    """After the last settlement."""
    traded: Decimal
    """What today's trades of futures have gained since."""
    renewed: Decimal
    """What the futures carried over the last settlement have gained since."""
    premium: Decimal
    """Received for options sold today, less what was paid for those bought."""
    premium_sold: Decimal
    premium_bought: Decimal
    amount: Decimal
    """Of all trades."""
    fees: Decimal
    margin: Decimal
    maintenance: Decimal
    promised: Decimal
    """What waiting orders could need."""

    @property
    def next_deposit(self) -> Decimal:
        return self.deposit + self.traded + self.renewed + self.premium - self.fees

    @property
    def options(self) -> Decimal:
        """What closing all options would bring."""
        return sum(
            (one.worth if one.quantity > 0 else -one.worth for one in self.rows if one.option),
            _ZERO,
        )

    @property
    def assets(self) -> Decimal:
        return self.next_deposit + self.options

    @property
    def free(self) -> Decimal:
        """What a new order can use."""
        return self.next_deposit - self.margin - self.promised

    @property
    def called(self) -> Decimal:
        """What must be paid in, since the assets are below the margin that is to be kept."""
        return self.margin - self.next_deposit if self.next_deposit < self.maintenance else _ZERO

    def realized(self, *, option: bool) -> Decimal:
        return sum((one.realized for one in self.rows if one.option is option), _ZERO)

    def profit(self, *, option: bool) -> Decimal:
        return sum((one.profit for one in self.rows if one.option is option), _ZERO)


@dataclass(slots=True)
class MarginBook:
    """Tells the day of an account, and ends it."""

    account: OffBookAccount
    deposit: Decimal = _ZERO
    carried: dict[str, _Carried] = field(default_factory=dict)
    since: int = 0
    """Executions before the last settlement."""
    closed: deque[tuple[date, dict[Basis, MarginDay]]] = field(
        default_factory=lambda: deque(maxlen=_DAYS)
    )

    def __post_init__(self) -> None:
        self.deposit, self.since = self.account.funds("KRW"), self.account.executed

    def today(self) -> Iterator[Execution]:
        """Yield the executions since the last settlement, the newest first."""
        for one in reversed(self.account.executions):
            if int(one.number) <= self.since:
                return
            yield one

    def day(self, basis: Basis) -> MarginDay:
        """Return the day as it stands."""
        done: dict[str, list[Execution]] = {}
        for one in self.today():
            done.setdefault(one.ticket.symbol, []).insert(0, one)
        positions = {one.symbol: one for one in self.account.positions(_MARKET)}
        rows, traded, renewed, sold, bought = [], _ZERO, _ZERO, _ZERO, _ZERO
        for symbol, position in positions.items():
            own, carried = done.get(symbol, []), self.carried.get(symbol)
            if not (own or carried or position.quantity):
                continue
            rows.append(_row(position, carried, own, basis))
            if position.terms.paid:
                sold += sum((one.amount for one in own if one.ticket.side is Side.SELL), _ZERO)
                bought += sum((one.amount for one in own if one.ticket.side is Side.BUY), _ZERO)
                continue
            traded += sum((_gained(one, position.price) for one in own), _ZERO)
            if carried is not None:
                renewed += _worth(position, carried.quantity) - carried.cost * _sign(carried)
        all_done = [one for parts in done.values() for one in parts]
        return MarginDay(
            *(tuple(rows), self.deposit, traded, renewed, sold - bought, sold, bought),
            amount=sum((one.amount for one in all_done), _ZERO),
            fees=sum((one.fee for one in all_done), _ZERO),
            margin=sum((one.margin for one in positions.values()), _ZERO),
            maintenance=sum((maintenance(one) for one in positions.values()), _ZERO),
            promised=self.account.promised("KRW"),
        )

    def settle(self, day: date) -> None:
        """End a day: its gains and losses go into the deposit."""
        told: dict[Basis, MarginDay] = {one: self.day(one) for one in ("settled", "bought")}
        self.closed.append((day, told))
        self.deposit, self.since = told["settled"].next_deposit, self.account.executed
        self.carried = {
            one.symbol: _Carried(one.quantity, one.price, one.cost if one.terms.paid else one.worth)
            for one in self.account.positions(_MARKET)
            if one.quantity
        }


def maintenance(held: Position) -> Decimal:
    """Return the margin that a position must keep."""
    one = contract(held.symbol, _ANY_DAY)
    if one is None or (one.option and held.quantity > 0):
        return _ZERO
    if not one.option:
        return held.terms.rounded(held.worth * one.product.maintenance)
    each = one.strike * one.product.multiplier * one.product.maintenance
    return held.worth + abs(held.quantity) * each.quantize(Decimal(1))


def _row(
    position: Position, carried: _Carried | None, done: list[Execution], basis: Basis
) -> MarginRow:
    terms = position.terms
    closed = sum(one.closed for one in done)
    cost, realized = position.cost, sum((one.gross for one in done), _ZERO)
    if basis == "settled" and not terms.paid:
        cost, realized = _resettled(terms, carried, done)
    closes_by_sale = position.quantity > 0
    return MarginRow(
        *(position.symbol, terms.paid, terms),
        *((carried.quantity, carried.price) if carried else (0, _ZERO)),
        *(sum(one.quantity for one in done) - closed, closed, position.quantity),
        *(cost, realized, position.price),
        position.reserved if closes_by_sale else position.reserved_buys,
    )


def _resettled(
    terms: TradingTerms, carried: _Carried | None, done: list[Execution]
) -> tuple[Decimal, Decimal]:
    """Return cost and realized profit as if what was carried had been opened at settlement."""
    quantity, cost = (carried.quantity, carried.cost) if carried else (0, _ZERO)
    realized = _ZERO
    for one in done:
        released = terms.part(cost, one.closed, abs(quantity)) if one.closed else _ZERO
        gained = terms.amount(one.closed, one.price) - released
        realized += gained if one.ticket.side is Side.SELL else -gained
        cost += terms.amount(one.quantity - one.closed, one.price) - released
        quantity += one.quantity if one.ticket.side is Side.BUY else -one.quantity
    return cost, realized


def _gained(one: Execution, price: Decimal) -> Decimal:
    gained = one.terms.amount(one.quantity, price) - one.amount
    return gained if one.ticket.side is Side.BUY else -gained


def _worth(position: Position, quantity: int) -> Decimal:
    return position.terms.amount(quantity, position.price)


def _sign(carried: _Carried) -> int:
    return 1 if carried.quantity > 0 else -1
