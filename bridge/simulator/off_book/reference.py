"""Prices of bonds, futures and options: where they open, and the grid they move on (pure)."""

from __future__ import annotations

import math
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from bridge.simulator.bonds.issues import plausible
from bridge.simulator.derivatives import pricing
from bridge.simulator.derivatives.contracts import Contract, contract, expiries, future
from bridge.simulator.derivatives.overseas import overseas_contract
from bridge.simulator.derivatives.products import PRODUCTS, Product
from bridge.simulator.history.tapes import Tape, Tapes

__all__ = ["PricedMarket", "index_of", "nearest", "on_grid", "opening_price", "spot"]


class PricedMarket(Protocol):
    """Where prices are looked up; asking lists a symbol that is new."""

    tapes: Tapes

    def price(self, symbol: str) -> Decimal: ...
    def base(self, symbol: str) -> Decimal: ...


_CENT = Decimal("0.01")


def opening_price(symbol: str, day: date, market: PricedMarket) -> Decimal:
    """Return what a symbol costs when it is first asked for: its base price at first.

    When its underlying has moved since, it has as well.
    """
    one, base = contract(symbol, day), market.base(symbol)
    if one is None:
        return base
    if one.product.board == "index":
        index = index_of(one.product, market)
        moved = index.last != index.base
    else:
        near = nearest(one.product, day)
        moved = symbol != near and market.price(near) != market.base(near)
    if not moved:
        return base
    return pricing.fair_price(one, spot(one.product, day, market), one.days(day))


def index_of(product: Product, market: PricedMarket) -> Tape:
    """Return the index that a product is about."""
    return market.tapes.tape("domestic_index", product.underlying.symbol)


def nearest(product: Product, day: date) -> str:
    """Return the symbol of the future on the same underlying that expires first."""
    if product.weekly is not None or product.code == "05":
        product = PRODUCTS["01"]
    return future(product, expiries(product, day, options=False)[0])


def spot(product: Product, day: date, market: PricedMarket) -> Decimal:
    """Return the price of an underlying; of what is no index, as the nearest future implies."""
    if product.board == "index":
        return index_of(product, market).last
    symbol = nearest(product, day)
    one = contract(symbol, day)
    days = one.days(day) if one else 0
    exact = float(market.price(symbol)) / math.exp(pricing.RATE * days / 365)
    return Decimal(f"{exact:.2f}")


def on_grid(symbol: str, price: Decimal, day: date) -> Decimal:
    """Return the price that the exchange of a symbol has for an amount; more than nothing."""
    if plausible(symbol):
        return max(Decimal(1), price.quantize(Decimal(1), ROUND_HALF_UP))
    one: Contract | None = contract(symbol, day)
    if one is not None:
        return pricing.on_tick(one, float(price))
    abroad = overseas_contract(symbol)
    if abroad is not None:
        tick = abroad.product.tick
        return max(tick, (price / tick).quantize(Decimal(1)) * tick)
    return max(_CENT, price.quantize(_CENT))
