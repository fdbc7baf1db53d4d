"""What an account is worth (pure): one definition of each figure that its statements tell.

Amounts in won. What is borrowed counts with what it was sold for, which KIS keeps, less what it
would cost to give back; a loan counts as a debt. ``net`` is then what would be left of it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date, timedelta

from bridge.simulator.exchange.ledger import DayTrades, Holding, StockAccount
from bridge.simulator.exchange.sessions import Timing
from bridge.simulator.exchange.tickets import Position

__all__ = ["AccountValue", "MarkPrice", "Prices", "ValuedPosition", "orderable", "totals", "value"]

_LONGEST_UNSETTLED = timedelta(days=20)
"""No run of holidays is longer; older days need not be looked at."""
_SUMMED = tuple(field.name for field in fields(DayTrades) if field.name != "left")


@dataclass(frozen=True, slots=True)
class MarkPrice:
    """A symbol's name, what a share of it is valued at, and yesterday's close."""

    name: str
    price: int
    base: int


Prices = Callable[[str], MarkPrice]


@dataclass(frozen=True, slots=True)
class ValuedPosition:
    """A position and its value; ``before`` is what was traded of it on the trading day before."""

    position: Position
    mark: MarkPrice
    held: Holding
    today: DayTrades
    before: DayTrades

    @property
    def symbol(self) -> str:
        return self.position[0]

    @property
    def loan(self) -> str:
        return self.position[1]

    @property
    def lent_on(self) -> str:
        return self.position[2]

    @property
    def short(self) -> bool:
        return self.loan in ("22", "24")

    @property
    def free(self) -> int:
        return self.held.quantity - self.held.reserved

    @property
    def value(self) -> int:
        return self.held.quantity * self.mark.price

    @property
    def profit(self) -> int:
        gain = self.value - self.held.cost
        return -gain if self.short else gain

    @property
    def average(self) -> float:
        return self.held.cost / self.held.quantity if self.held.quantity else 0.0


@dataclass(frozen=True, slots=True)
class AccountValue:
    """An account at a moment."""

    positions: tuple[ValuedPosition, ...]
    deposit: int
    """Cash whose trades are settled today."""
    next_day: int
    settled: int
    """Cash once all trades of today are settled, two trading days from now."""
    today: DayTrades
    before: DayTrades
    debt: int
    opening: int
    """``total`` as the day found it, at yesterday's closes."""

    @property
    def stocks(self) -> int:
        """Value of the shares that are owned."""
        return sum(one.value for one in self.positions if not one.short)

    @property
    def proceeds(self) -> int:
        """What borrowed shares were sold for."""
        return sum(one.held.cost for one in self.positions if one.short)

    @property
    def owed(self) -> int:
        """What it would cost to give borrowed shares back."""
        return sum(one.value for one in self.positions if one.short)

    @property
    def total(self) -> int:
        return self.settled + self.stocks + self.proceeds

    @property
    def net(self) -> int:
        return self.total - self.debt - self.owed

    @property
    def cost(self) -> int:
        return sum(one.held.cost for one in self.positions)

    @property
    def value(self) -> int:
        return sum(one.value for one in self.positions)

    @property
    def profit(self) -> int:
        return sum(one.profit for one in self.positions)


def value(
    account: StockAccount, prices: Prices, timing: Timing, today: date, *, sold_out: bool = False
) -> AccountValue:
    """Value an account; ``sold_out``: with what was given away on the trading day before."""
    before = account.days.get(timing.previous_day(today), {})
    now = account.days.get(today, {})
    wanted = dict.fromkeys([*account.positions, *(before if sold_out else ())])
    positions = tuple(
        ValuedPosition(
            position,
            prices(position[0]),
            account.positions.get(position, Holding()),
            now.get(position, DayTrades()),
            before.get(position, DayTrades()),
        )
        for position in wanted
        if sold_out or account.positions[position].quantity or position in now
    )
    unsettled = {day: timing.settlement(day) for day in account.moved}
    tomorrow = timing.business_day(today, 1)
    opening = account.opening
    return AccountValue(
        positions,
        deposit=account.cash - sum(account.moved[d] for d, due in unsettled.items() if due > today),
        next_day=account.cash
        - sum(account.moved[d] for d, due in unsettled.items() if due > tomorrow),
        settled=account.cash,
        today=totals(now.values()),
        before=totals(before.values()),
        debt=account.debt,
        opening=0
        if opening is None
        else opening.cash
        + sum(
            prices(position[0]).base * shares if shares > 0 else max(own, 0)
            for position, shares, own in opening.positions
        ),
    )


def totals(rows: Iterable[DayTrades]) -> DayTrades:
    """Return the sums of what was traded."""
    total = DayTrades()
    for row in rows:
        for name in _SUMMED:
            setattr(total, name, getattr(total, name) + getattr(row, name))
    return total


def orderable(account: StockAccount, timing: Timing, today: date) -> tuple[int, int]:
    """Return what of the free cash is in the deposit, and what sales bring that are not settled."""
    proceeds = sum(
        row.sell_value - row.sell_fee - row.tax
        for day, rows in account.days.items()
        if day > today - _LONGEST_UNSETTLED and timing.settlement(day) > today
        for position, row in rows.items()
        if not position[1]
    )
    free = max(0, account.free_cash)
    again = min(free, proceeds)
    return free - again, again
