"""Symbols of futures and options, and which of them are listed on a day (pure).

A symbol names its year by one character. A code that has expired is read as the next contract of
the same code, whose year's digit comes again after ten, so that old examples find a market.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Literal

from bridge.calendar.holidays import holidays_of
from bridge.simulator.derivatives.products import PRODUCTS, Product, step

__all__ = [
    "Contract",
    "ContractKind",
    "contract",
    "expiries",
    "future",
    "listed",
    "open_interest",
    "option",
]

ContractKind = Literal["future", "call", "put"]

_LETTERS = "ABCDEFGHJKLMNPQRSTVW"
"""Of the years from 2006 to 2025; those after have digits, and after 2035 letters again."""
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_YEAR = f"[0-9{_LETTERS}]"
_FUTURE = re.compile(rf"[1A]([0-9A-Z]{{2}})({_YEAR})(0[1-9]|1[0-2])")
_OPTION = re.compile(rf"([23BC])([0-9A-Z]{{2}})({_YEAR})(0[1-9]|1[0-2])([0-9]{{3}})")
_WEEKLY = re.compile(r"([23BC])(09|AF)([0-9A-Z]{2})W([0-9]{3})")
_KINDS: dict[str, ContractKind] = {"2": "call", "B": "call", "3": "put", "C": "put"}
_FIRST_WEEK = date(2025, 12, 29)
_WEEKS = len(_DIGITS) ** 2
_MONTHS = 7
"""Expiries of a product that are listed."""
_CACHED = 8_192
_OPEN_INTEREST = (5_000, 250_000)


@dataclass(frozen=True, slots=True)
class Contract:
    """One future or option."""

    symbol: str
    product: Product
    kind: ContractKind
    expiry: date
    month: str
    """``202612``, or ``2612W2`` of a weekly option."""
    strike: Decimal = Decimal(0)

    @property
    def name(self) -> str:
        if self.kind == "future":
            return f"{self.product.name} {self.month}"
        letter = "C" if self.kind == "call" else "P"
        return f"{self.product.name} {letter} {self.month} {self.strike:.1f}"

    @property
    def option(self) -> bool:
        return self.kind != "future"

    def tick(self, price: Decimal) -> Decimal:
        return step(self.product.option_ticks if self.option else self.product.ticks, price)

    def days(self, day: date) -> int:
        """Return how many days are left."""
        return max(0, (self.expiry - day).days)

    def intrinsic(self, underlying: Decimal) -> Decimal:
        """Return what it is worth when it expires at that price of its underlying."""
        if self.kind == "future":
            return underlying
        gain = underlying - self.strike
        return max(Decimal(0), gain if self.kind == "call" else -gain)


@lru_cache(maxsize=_CACHED)
def contract(symbol: str, day: date) -> Contract | None:
    """Return what a symbol stands for on a day; None when it can be no contract."""
    if match := _WEEKLY.fullmatch(symbol):
        letter, code, week, digits = match.groups()
        return _weekly(symbol, _KINDS[letter], PRODUCTS[code], week, digits, day)
    if match := _OPTION.fullmatch(symbol):
        letter, code, year, month, digits = match.groups()
        kind = _KINDS[letter]
    elif match := _FUTURE.fullmatch(symbol):
        (code, year, month), kind, digits = match.groups(), "future", ""
    else:
        return None
    product = PRODUCTS.get(code)
    if product is None or product.weekly is not None or (digits and not product.option_ticks):
        return None
    expiry = _next(product, year, int(month), day)
    strike = _strike(product, digits) if digits else Decimal(0)
    return Contract(symbol, product, kind, expiry, f"{expiry.year}{month}", strike)


def _weekly(
    symbol: str, kind: ContractKind, product: Product, week: str, digits: str, day: date
) -> Contract:
    number = _DIGITS.index(week[0]) * len(_DIGITS) + _DIGITS.index(week[1])
    now = (day - _FIRST_WEEK).days // 7
    number += max(0, -((number - now) // _WEEKS)) * _WEEKS
    expiry = _expiry_of_week(product, number)
    if expiry < day:
        expiry = _expiry_of_week(product, number + _WEEKS)
    return Contract(symbol, product, kind, expiry, _week_name(expiry), _strike(product, digits))


def expiries(product: Product, day: date, *, options: bool) -> list[date]:
    """Return the next expiries that are listed on a day, nearest first."""
    if product.weekly is not None:
        first = (day - _FIRST_WEEK).days // 7
        weeks = (_expiry_of_week(product, first + n) for n in range(4))
        # Where a monthly option expires there is no weekly one.
        return [one for one in weeks if one >= day and one != _of_month(one.year, one.month)][:2]
    months = tuple(range(1, 13)) if options else product.months
    found: list[date] = []
    at = day.year * 12 + day.month - 1
    while len(found) < _MONTHS:
        year, month = at // 12, at % 12 + 1
        if month in months and (one := _of_month(year, month, product.board)) >= day:
            found.append(one)
        at += 1
    return found


def future(product: Product, expiry: date) -> str:
    """Return the symbol of a future."""
    return f"A{product.code}{_year(expiry.year)}{expiry.month:02d}"


def option(product: Product, kind: ContractKind, expiry: date, strike: Decimal) -> str:
    """Return the symbol of an option."""
    head = f"{'B' if kind == 'call' else 'C'}{product.code}"
    digits = f"{int(strike / product.strike_scale):03d}"[-3:]
    if product.weekly is not None:
        number = (expiry - _FIRST_WEEK).days // 7 % _WEEKS
        week = _DIGITS[number // len(_DIGITS)] + _DIGITS[number % len(_DIGITS)]
        return f"{head}{week}W{digits}"
    return f"{head}{_year(expiry.year)}{expiry.month:02d}{digits}"


def listed(
    product: Product, kind: ContractKind, expiry: date, about: Decimal, count: int
) -> Iterator[Contract]:
    """Yield the options of an expiry: ``count`` strikes above and below the one nearest to a price.

    Strikes rise.
    """
    middle = round(about / product.strike_step)
    for number in range(max(1, middle - count), middle + count + 1):
        strike = number * product.strike_step
        found = contract(option(product, kind, expiry, strike), expiry)
        if found is not None:
            yield found


def open_interest(one: Contract) -> int:
    """Return how many contracts are open; fewer of an option that is far from the money."""
    draw = Random(f"open interest {one.symbol}")  # noqa: S311 - a market, no secret
    distance = abs(math.log(one.strike / one.product.underlying.about)) if one.strike else 0.0
    return int(draw.randrange(*_OPEN_INTEREST) * math.exp(-10 * distance))


def _strike(product: Product, digits: str) -> Decimal:
    """Return a strike by its three digits: of 352.5 they are 352."""
    strike = int(digits) * product.strike_scale
    return strike + Decimal("0.5") if strike % product.strike_step == 2 else strike


def _year(year: int) -> str:
    place = (year - 2006) % 30
    return _LETTERS[place] if place < len(_LETTERS) else str((place + 6) % 10)


def _next(product: Product, code: str, month: int, day: date) -> date:
    every = 10 if code.isdigit() else 30
    start = int(code) + 2020 if code.isdigit() else 2006 + _LETTERS.index(code)
    year = start + max(0, -((start - day.year) // every)) * every
    expiry = _of_month(year, month, product.board)
    return expiry if expiry >= day else _of_month(year + every, month, product.board)


def _of_month(year: int, month: int, board: str = "index") -> date:
    """Return when a month's contracts expire: the second Thursday, of rates the third Tuesday."""
    weekday, week = (1, 2) if board == "commodity" else (3, 1)
    first = date(year, month, 1)
    day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * week)
    return _trading(day)


def _expiry_of_week(product: Product, number: int) -> date:
    return _trading(_FIRST_WEEK + timedelta(weeks=number, days=product.weekly or 0))


def _trading(day: date) -> date:
    """Return that day, or the last one before it on which the exchange trades."""
    while day.weekday() > 4 or day in holidays_of("KRX", day.year):
        day -= timedelta(days=1)
    return day


def _week_name(expiry: date) -> str:
    return f"{expiry:%y%m}W{(expiry.day - 1) // 7 + 1}"
