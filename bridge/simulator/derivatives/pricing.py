"""Black and Scholes: what an option is worth, its greeks, its implied volatility (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from statistics import NormalDist

from bridge.simulator.derivatives.contracts import Contract

__all__ = ["RATE", "Greeks", "fair_price", "greeks", "implied", "on_tick", "value"]

RATE = 0.025
"""A year, of the simulated money market; nothing pays dividends."""

_DAY = 1 / 365
_NORMAL = NormalDist()
_LOWEST, _HIGHEST, _STEPS = 0.001, 5.0, 50


@dataclass(frozen=True, slots=True)
class Greeks:
    """How a price answers: to a point, to a point's delta, to a day, to 1 % of volatility and
    of interest."""

    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def value(contract: Contract, spot: float, years: float, volatility: float) -> float:
    """Return the theoretical price."""
    if contract.kind == "future":
        return spot * math.exp(RATE * years)
    strike = float(contract.strike)
    if years <= 0:
        return float(contract.intrinsic(Decimal(str(spot))))
    first, second = _distances(spot, strike, years, volatility)
    discounted = strike * math.exp(-RATE * years)
    if contract.kind == "call":
        return spot * _NORMAL.cdf(first) - discounted * _NORMAL.cdf(second)
    return discounted * _NORMAL.cdf(-second) - spot * _NORMAL.cdf(-first)


def greeks(contract: Contract, spot: float, years: float, volatility: float) -> Greeks:
    """Return the greeks; at the end of its life an option has none but its delta."""
    if contract.kind == "future":
        return Greeks(1.0, 0.0, 0.0, 0.0, 0.0)
    strike, call = float(contract.strike), contract.kind == "call"
    if years <= 0:
        inside = contract.intrinsic(Decimal(str(spot))) > 0
        return Greeks((1.0 if call else -1.0) if inside else 0.0, 0.0, 0.0, 0.0, 0.0)
    first, second = _distances(spot, strike, years, volatility)
    root, density = math.sqrt(years), _NORMAL.pdf(first)
    discounted = strike * math.exp(-RATE * years)
    side = 1 if call else -1
    carried = side * RATE * discounted * _NORMAL.cdf(side * second)
    return Greeks(
        delta=_NORMAL.cdf(first) - (0 if call else 1),
        gamma=density / (spot * volatility * root),
        theta=(-spot * density * volatility / (2 * root) - carried) * _DAY,
        vega=spot * density * root / 100,
        rho=side * discounted * years * _NORMAL.cdf(side * second) / 100,
    )


def implied(contract: Contract, price: float, spot: float, years: float) -> float:
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


def _distances(spot: float, strike: float, years: float, volatility: float) -> tuple[float, float]:
    spread = volatility * math.sqrt(years)
    first = (math.log(spot / strike) + (RATE + volatility * volatility / 2) * years) / spread
    return first, first - spread
