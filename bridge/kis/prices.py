"""What prices are made of: their steps, and what one of something is worth in won; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from bridge.kis.markets import Place, venue

__all__ = ["grid", "won_per_point"]

_TICKS_KRX = (
    (2_000, "1"),
    (5_000, "5"),
    (20_000, "10"),
    (50_000, "50"),
    (200_000, "100"),
    (500_000, "500"),
    (None, "1000"),
)
"""KRX and NXT stocks since 2023-01-25: below that price, that tick."""
_TICKS_FUND = ((2_000, "1"), (None, "5"))
_TICKS_HK = (
    ("0.25", "0.001"),
    ("0.50", "0.005"),
    ("10", "0.01"),
    ("20", "0.02"),
    ("100", "0.05"),
    ("200", "0.1"),
    ("500", "0.2"),
    ("1000", "0.5"),
    ("2000", "1"),
    ("5000", "2"),
    (None, "5"),
)
_TICKS_HOSE = ((10_000, "10"), (50_000, "50"), (None, "100"))
_TICKS_OPTION = ((10, "0.01"), (None, "0.05"))


def grid(
    place: Place, symbol: str, price: Decimal, told: tuple[Decimal, Decimal] | None
) -> Decimal | None:
    """Return the tick at ``price``, or None where it is not known.

    ``told`` is what KIS says: the price and the tick there. Of domestic stock, that tells the grid
    of funds from the one of stocks; where both agree, the finer one is taken.
    """
    market, where = place
    if market == "overseas_derivative":
        return None if told is None else told[1]
    if market == "domestic_bond":
        return None
    if market == "domestic_stock":
        if told is None:
            return None
        last, tick = told
        stock = last >= 5_000 and tick == _step(_TICKS_KRX, last)
        return _step(_TICKS_KRX if stock else _TICKS_FUND, price)
    if market == "domestic_derivative":
        return _derivative_tick(symbol, price)
    match venue(place).currency, where:
        case "USD", _:
            return Decimal("0.01") if price >= 1 else Decimal("0.0001")
        case "CNY", _:
            return Decimal("0.01")
        case "HKD", _:
            return _step(_TICKS_HK, price)
        case _, "hsx":
            return _step(_TICKS_HOSE, price)
        case _, "hnx":
            return Decimal(100)
    return None  # Tokyo: depends on the index that a stock is in


def _derivative_tick(symbol: str, price: Decimal) -> Decimal | None:
    match symbol[:1], symbol[1:3]:
        case (("1" | "A"), ("01" | "05")):
            return Decimal("0.05") if symbol[1:3] == "01" else Decimal("0.02")
        case (("2" | "3" | "B" | "C"), "01"):
            return _step(_TICKS_OPTION, price)
    return None


_BOND_UNIT = Decimal("0.1")
"""Bonds are counted in 1,000 won of face value, and their prices are for 10,000 won of it."""


def won_per_point(place: Place, symbol: str, rates: Mapping[str, Decimal]) -> Decimal | None:
    """Return what one of it at a price of 1 is worth in won; None where that is not known.

    What a contract overseas is worth only KIS can tell. ``rates`` are won for one unit of a
    currency.
    """
    if place[0] == "domestic_derivative":
        if symbol[:1] not in tuple("123ABC"):
            return None
        return {"01": Decimal(250_000), "05": Decimal(50_000), "06": Decimal(10_000)}.get(
            symbol[1:3]
        )
    if place[0] == "domestic_bond":
        return _BOND_UNIT
    currency = venue(place).currency
    return Decimal(1) if currency == "KRW" else rates.get(currency)


def _step(table: tuple[tuple[object, str], ...], price: Decimal) -> Decimal:
    return next(
        Decimal(tick) for below, tick in table if below is None or price < Decimal(str(below))
    )
