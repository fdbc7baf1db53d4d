"""What a bond is worth at a yield, and what it yields at a price (pure).

Prices are dirty, as on the exchange: won for 10,000 won of face value, interest included.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bridge.simulator.bonds.issues import FACE, BondIssue

__all__ = ["curve", "fair_price", "price_at", "yield_at"]

_STEPS = 60
_LOWEST, _HIGHEST = -20.0, 200.0


def curve(years: float) -> float:
    """Return what the simulated state pays, in percent a year, for so many years."""
    return 2.55 + 0.75 * years / (years + 4)


def price_at(issue: BondIssue, percent: float, day: date) -> float:
    """Return the price at a yield to maturity, compounded at each coupon."""
    left = [one for one in issue.payments() if one > day]
    if not left:
        return float(FACE)
    last, following = issue.period(day)
    part = (following - day).days / (following - last).days
    rate = percent / 100 * issue.months / 12
    coupon = float(issue.payment)
    # The broken first period earns simple interest, the usage of the Korean market.
    value = sum(coupon / (1 + rate) ** n for n in range(len(left)))
    value += FACE / (1 + rate) ** (len(left) - 1)
    return value / (1 + rate * part)


def yield_at(issue: BondIssue, price: Decimal, day: date) -> Decimal:
    """Return the yield to maturity at a price, in percent a year; 0 after the end."""
    if day >= issue.matures or price <= 0:
        return Decimal("0.000")
    low, high, wanted = _LOWEST, _HIGHEST, float(price)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if price_at(issue, middle, day) > wanted:
            low = middle
        else:
            high = middle
    return Decimal(f"{(low + high) / 2:.3f}")


def fair_price(issue: BondIssue, day: date) -> Decimal:
    """Return the price at which a bond yields what the curve and its spread say, in whole won."""
    years = max(0.0, (issue.matures - day).days / 365)
    percent = curve(years) + float(issue.spread)
    return Decimal(round(price_at(issue, percent, day)))
