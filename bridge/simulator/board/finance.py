"""Financial statements of every firm, invented and consistent (pure, seeded).

In millions of won. Assets are debts and equity; equity grows by what was earned and not paid out;
every ratio is computed from the statements. A dividend of a year is paid out of its profit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import count
from random import Random

from bridge.simulator.exchange import listings, securities
from bridge.simulator.exchange.market import Listing

__all__ = ["Finance", "FinancialStatement", "face_value"]

_FIRST_YEAR = 2020
_REPORTED_AFTER = 45
"""Days until a quarter's statement is published."""
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class FinancialStatement:
    """Books at the end of a period and what was earned in it: since January, as KIS adds up."""

    year: int
    quarter: int
    current_assets: int
    fixed_assets: int
    inventories: int
    receivables: int
    current_debts: int
    fixed_debts: int
    borrowings: int
    """Of the debts, those with interest."""
    capital: int
    capital_surplus: int
    earned_surplus: int
    sales: int
    cost: int
    overhead: int
    depreciation: int
    other_income: int
    other_expense: int
    interest: int
    """Of the other expense, what the borrowings cost."""
    tax: int
    dividend: int
    """Of the whole year, in its last quarter."""

    @property
    def period(self) -> str:
        return f"{self.year}{self.quarter * 3:02d}"

    @property
    def assets(self) -> int:
        return self.current_assets + self.fixed_assets

    @property
    def debts(self) -> int:
        return self.current_debts + self.fixed_debts

    @property
    def equity(self) -> int:
        return self.capital + self.capital_surplus + self.earned_surplus

    @property
    def gross_profit(self) -> int:
        return self.sales - self.cost

    @property
    def operating_profit(self) -> int:
        return self.gross_profit - self.overhead

    @property
    def ordinary_profit(self) -> int:
        return self.operating_profit + self.other_income - self.other_expense

    @property
    def net_income(self) -> int:
        return self.ordinary_profit - self.tax

    @property
    def ebitda(self) -> int:
        return self.operating_profit + self.depreciation

    @property
    def eva(self) -> int:
        """What was earned beyond 8 % a year on the equity."""
        return self.net_income - self.equity * 8 * self.quarter // 400


class Finance:
    """The statements of all firms, drawn when they are asked for."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._firms = lru_cache(maxsize=512)(self._firm_of)

    def quarters(self, symbol: str, today: date) -> Sequence[FinancialStatement]:
        """Return the published quarters, the latest first; a preferred share has its firm's."""
        written, drawn = self._firms(_firm(symbol))
        while not written or written[-1].year < today.year:
            written.extend(next(drawn))
        return [one for one in reversed(written) if _published(one, today)]

    def years(self, symbol: str, today: date) -> Sequence[FinancialStatement]:
        """Return the published years, the latest first."""
        return [one for one in self.quarters(symbol, today) if one.quarter == 4]

    def shares(self, symbol: str) -> int:
        """Return how many shares share the profit: the firm's common ones."""
        return listings.listing(_firm(symbol), self._seed).shares

    def dividend(self, symbol: str, year: FinancialStatement) -> int:
        """Return what a share was paid of a year, in won."""
        return year.dividend * _MILLION // self.shares(symbol)

    def face_value(self, symbol: str) -> int:
        """Return the face value of a share in won."""
        return face_value(listings.listing(_firm(symbol), self._seed))

    def _firm_of(
        self, symbol: str
    ) -> tuple[list[FinancialStatement], Iterator[list[FinancialStatement]]]:
        """Return what is written of a firm, the oldest first, and what writes its next years."""
        return [], self._draw(symbol)

    def _draw(self, symbol: str) -> Iterator[list[FinancialStatement]]:
        listing = listings.listing(symbol, self._seed)
        draw = Random(f"finance {self._seed} {symbol}")  # noqa: S311 - invented, no secret
        worth = max(2_000, listing.base * listing.shares // _MILLION)
        equity = int(worth / draw.uniform(0.6, 2.4))
        capital = max(1, face_value(listing) * listing.shares // _MILLION)
        capital = min(capital, equity // 3)
        surplus = equity // draw.randrange(5, 9)
        earned = equity - capital - surplus
        leverage, turnover = draw.uniform(0.3, 1.8), draw.uniform(0.5, 1.4)
        margin, payout = draw.gauss(0.08, 0.05), draw.choice((0.0, 0.15, 0.25, 0.35))
        sales = int(equity * (1 + leverage) * turnover / 4)
        for year in count(_FIRST_YEAR):
            statements: list[FinancialStatement] = []
            total = dict.fromkeys(_FLOWS, 0)
            for quarter in (1, 2, 3, 4):
                sales = max(100, int(sales * draw.uniform(0.95, 1.075)))
                debts = int((capital + surplus + earned) * leverage * draw.uniform(0.95, 1.05))
                borrowings = debts * 45 // 100
                flows = _quarter(draw, sales, margin, borrowings)
                total = {name: total[name] + flows[name] for name in _FLOWS}
                profit = _net(flows)
                earned += profit
                dividend = 0
                if quarter == 4:
                    dividend = max(0, int(_net(total) * payout))
                    earned -= dividend
                assets = capital + surplus + earned + debts
                current = assets * 42 // 100
                statements.append(
                    FinancialStatement(
                        year=year,
                        quarter=quarter,
                        current_assets=current,
                        fixed_assets=assets - current,
                        inventories=current * 28 // 100,
                        receivables=current * 24 // 100,
                        current_debts=debts * 6 // 10,
                        fixed_debts=debts - debts * 6 // 10,
                        borrowings=borrowings,
                        capital=capital,
                        capital_surplus=surplus,
                        earned_surplus=earned,
                        dividend=dividend,
                        **total,
                    )
                )
            yield statements


_FLOWS = (
    *("sales", "cost", "overhead", "depreciation"),
    *("other_income", "other_expense", "interest", "tax"),
)


def face_value(listing: Listing) -> int:
    """Return the face value of a share in won; that of Samsung's is 100."""
    return 100 if listing.shares > 10**9 else 500 if listing.base < 100_000 else 5_000


def _firm(symbol: str) -> str:
    found = securities.find(symbol)
    return found.common or symbol if found else symbol


def _published(one: FinancialStatement, today: date) -> bool:
    end = date(one.year, 12, 31) if one.quarter == 4 else date(one.year, one.quarter * 3 + 1, 1)
    return (today - end).days >= _REPORTED_AFTER


def _quarter(draw: Random, sales: int, margin: float, borrowings: int) -> dict[str, int]:
    """Return what one quarter earned and cost."""
    operating = int(sales * (margin + draw.gauss(0, 0.015)))
    overhead = sales * 14 // 100
    interest = borrowings * 45 // 4_000
    expense = interest + sales // 200
    income = int(sales * draw.uniform(0.004, 0.014))
    ordinary = operating + income - expense
    return {
        "sales": sales,
        "cost": sales - operating - overhead,
        "overhead": overhead,
        "depreciation": sales * 4 // 100,
        "other_income": income,
        "other_expense": expense,
        "interest": interest,
        "tax": max(0, ordinary * 22 // 100),
    }


def _net(flows: dict[str, int]) -> int:
    operating = flows["sales"] - flows["cost"] - flows["overhead"]
    return operating + flows["other_income"] - flows["other_expense"] - flows["tax"]
