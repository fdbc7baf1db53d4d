"""What foreign money is worth in won (pure, seeded)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache
from random import Random

__all__ = ["won_rate"]

_ABOUT = {
    "USD": Decimal("1465.00"),
    "HKD": Decimal("188.50"),
    "CNY": Decimal("206.30"),
    "JPY": Decimal("9.4100"),
    "VND": Decimal("0.0556"),
    "EUR": Decimal("1698.00"),
    "KRW": Decimal(1),
}
"""Plausible, not the market's."""


@lru_cache(maxsize=256)
def won_rate(seed: int, currency: str, day: date) -> Decimal:
    """Return the won that 1 of a currency costs on a day; `KeyError` for one that is not dealt in.

    It moves by half a percent at most from one day to another.
    """
    about = _ABOUT[currency]
    if currency == "KRW":
        return about
    draw = Random(f"rate {seed} {currency} {day:%Y%m%d}")  # noqa: S311 - a market, no secret
    return (about * Decimal(f"{1 + draw.uniform(-0.0025, 0.0025):.5f}")).quantize(Decimal("0.0001"))
