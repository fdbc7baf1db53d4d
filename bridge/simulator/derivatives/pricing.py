"""Black and Scholes: what an option is worth, its greeks, its implied volatility (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, Protocol

from bridge.simulator.derivatives.contracts import Contract

__all__ = [
    "RATE",
    "Greeks",
    "PricedRight",
    "fair_price",
    "greeks",
    "implied",
    "listing_price",
    "on_tick",
    "value",
]

RATE = 0.025
"""A year, of the simulated money market; nothing pays dividends."""

_DAY = 1 / 365
_LOWEST, _HIGHEST, _STEPS = 0.001, 5.0, 32


class PricedRight(Protocol):
    """A contract as far as its price depends on it."""

    @property
    def kind(self) -> Literal["future", "call", "put"]: ...
    @property
    def strike(self) -> Decimal: ...
    def intrinsic(self, spot: Decimal) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Greeks:
    """How a price answers: to a point, to a point's delta, to a day, to 1 % of volatility and
    of interest."""

    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def value(contract: PricedRight, spot: float, years: float, volatility: float) -> float:
    """Return the theoretical price."""
    if contract.kind == "future":
        return spot * math.exp(RATE * years)
    strike = float(contract.strike)
    if years <= 0:
        return float(contract.intrinsic(Decimal(str(spot))))
    first, second = _distances(spot, strike, years, volatility)
    discounted = strike * math.exp(-RATE * years)
    if contract.kind == "call":
        return spot * _below(first) - discounted * _below(second)
    return discounted * _below(-second) - spot * _below(-first)


def greeks(contract: PricedRight, spot: float, years: float, volatility: float) -> Greeks:
    """Return the greeks; at the end of its life an option has none but its delta."""
    if contract.kind == "future":
        return Greeks(1.0, 0.0, 0.0, 0.0, 0.0)
    strike, call = float(contract.strike), contract.kind == "call"
    if years <= 0:
        inside = contract.intrinsic(Decimal(str(spot))) > 0
        return Greeks((1.0 if call else -1.0) if inside else 0.0, 0.0, 0.0, 0.0, 0.0)
    first, second = _distances(spot, strike, years, volatility)
    root, density = math.sqrt(years), _density(first)
    discounted = strike * math.exp(-RATE * years)
    side = 1 if call else -1
    carried = side * RATE * discounted * _below(side * second)
    return Greeks(
        delta=_below(first) - (0 if call else 1),
        gamma=density / (spot * volatility * root),
        theta=(-spot * density * volatility / (2 * root) - carried) * _DAY,
        vega=spot * density * root / 100,
        rho=side * discounted * years * _below(side * second) / 100,
    )


def implied(contract: PricedRight, price: float, spot: float, years: float) -> float:
    """Return the volatility at which a price is the theoretical one; 0 where none is."""
    low, high = _LOWEST, _HIGHEST
    if years <= 0 or not value(contract, spot, years, low) < price < value(
        contract, spot, years, high
    ):
        return 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if value(contract, spot, years, middle) < price:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def fair_price(contract: Contract, spot: Decimal, days: float) -> Decimal:
    """Return the theoretical price on the grid of its ticks, one tick at least."""
    volatility = contract.product.underlying.volatility
    return on_tick(contract, value(contract, float(spot), days * _DAY, volatility))


def on_tick(contract: Contract, price: float) -> Decimal:
    """Return the price that the exchange has for an amount."""
    exact = Decimal(str(round(price, 6)))
    tick = contract.tick(max(Decimal(0), exact))
    return max(tick, (exact / tick).quantize(Decimal(1), ROUND_HALF_UP) * tick)


def listing_price(contract: Contract, day: date) -> Decimal:
    """Return the price at which a contract is listed on a day."""
    return fair_price(contract, contract.product.underlying.about, contract.days(day))


def _below(x: float) -> float:
    """Return how much of a normal distribution is below ``x``."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _distances(spot: float, strike: float, years: float, volatility: float) -> tuple[float, float]:
    spread = volatility * math.sqrt(years)
    first = (math.log(spot / strike) + (RATE + volatility * volatility / 2) * years) / spread
    return first, first - spread
