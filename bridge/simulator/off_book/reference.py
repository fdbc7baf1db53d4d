"""Prices of bonds, futures and options: where they open, and the grid they move on (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from bridge.simulator.bonds.issues import plausible
from bridge.simulator.derivatives import pricing
from bridge.simulator.derivatives.contracts import Contract, contract, expiries, future
from bridge.simulator.derivatives.products import PRODUCTS, Product

__all__ = ["nearest", "on_grid", "opening_price", "spot"]

Prices = Callable[[str], Decimal]
"""The last price of a symbol, which lists it when it is new."""

_CENT = Decimal("0.01")


def opening_price(symbol: str, day: date, prices: Prices, bases: Prices) -> Decimal:
    """Return what a symbol costs when it is first asked for: its base price at first.

    When the nearest future has moved since, others on the same underlying have as well.
    """
    one, base = contract(symbol, day), bases(symbol)
    if one is None or symbol == (near := nearest(one.product, day)):
        return base
    if prices(near) == bases(near):
        return base
    return pricing.fair_price(one, spot(one.product, day, prices), one.days(day))


def nearest(product: Product, day: date) -> str:
    """Return the symbol of the future on the same underlying that expires first."""
    if product.weekly is not None or product.code == "05":
        product = PRODUCTS["01"]
    return future(product, expiries(product, day, options=False)[0])


def spot(product: Product, day: date, prices: Prices) -> Decimal:
    """Return the price of an underlying, as the nearest future on it implies."""
    symbol = nearest(product, day)
    one = contract(symbol, day)
    days = one.days(day) if one else 0
    exact = float(prices(symbol)) / math.exp(pricing.RATE * days / 365)
    return Decimal(f"{exact:.2f}")


def on_grid(symbol: str, price: Decimal, day: date) -> Decimal:
    """Return the price that the exchange of a symbol has for an amount; more than nothing."""
    if plausible(symbol):
        return max(Decimal(1), price.quantize(Decimal(1), ROUND_HALF_UP))
    one: Contract | None = contract(symbol, day)
    if one is not None:
        return pricing.on_tick(one, float(price))
    return max(_CENT, price.quantize(_CENT))
