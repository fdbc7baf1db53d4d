"""What a bond is worth at a yield, and what it yields at a price (pure).

Prices are dirty, as on the exchange: won for 10,000 won of face value, interest included.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bridge.simulator.bonds.issues import FACE, BondIssue

__all__ = ["curve", "fair_price", "price_at", "yield_at"]

_STEPS = 40
_NONE = 1e-9
"""A rate below which coupons are not discounted at all."""
_LOWEST, _HIGHEST = -20.0, 200.0


def curve(years: float) -> float:
    """Return what the simulated state pays, in percent a year, for so many years."""
    return 2.55 + 0.75 * years / (years + 4)


def price_at(issue: BondIssue, percent: float, day: date) -> float:
    """Return the price at a yield to maturity, compounded at each coupon."""
    return _price(issue, *_left(issue, day), percent)


def yield_at(issue: BondIssue, price: Decimal, day: date) -> Decimal:
    """Return the yield to maturity at a price, in percent a year; 0 after the end."""
    if day >= issue.matures or price <= 0:
        return Decimal("0.000")
    low, high, wanted = _LOWEST, _HIGHEST, float(price)
    number, part = _left(issue, day)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _price(issue, number, part, middle) > wanted:
            low = middle
        else:
            high = middle
    return Decimal(f"{(low + high) / 2:.3f}")


def _left(issue: BondIssue, day: date) -> tuple[int, float]:
    """Return how many coupons are left, and the part of its period until the next one."""
    number = sum(one > day for one in issue.payments())
    last, following = issue.period(day)
    return number, (following - day).days / max(1, (following - last).days)


def _price(issue: BondIssue, number: int, part: float, percent: float) -> float:
    if not number:
        return float(FACE)
    rate = percent / 100 * issue.months / 12
    discount, coupon = 1 / (1 + rate), float(issue.payment)
    last = discount ** (number - 1)
    coupons = number if abs(rate) < _NONE else (1 - last * discount) / (1 - discount)
    # The broken first period earns simple interest, the usage of the Korean market.
    return (coupon * coupons + FACE * last) / (1 + rate * part)


def fair_price(issue: BondIssue, day: date) -> Decimal:
    """Return the price at which a bond yields what the curve and its spread say, in whole won."""
    years = max(0.0, (issue.matures - day).days / 365)
    percent = curve(years) + float(issue.spread)
    return Decimal(round(price_at(issue, percent, day)))
