"""Futures and options of exchanges abroad: what a contract is, and what it is worth (pure data).

Contracts, ticks and exchanges are real; margins and price levels are plausible ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

__all__ = ["OVERSEAS", "OverseasContract", "OverseasProduct", "overseas_contract"]


@dataclass(frozen=True, slots=True)
class OverseasProduct:
    """Contracts that differ in nothing but their month."""

    root: str
    name: str
    exchange: str
    currency: str
    tick: Decimal
    point: Decimal
    """What 1 of the price is worth."""
    about: Decimal
    margin: Decimal
    """Initial margin of a contract, as a part of its worth."""
    group: str
    """KIS's class: currency 001, interest 002, index 003, farming 004, metal 006, energy 007."""

    @property
    def decimals(self) -> int:
        return max(0, -int(self.tick.normalize().as_tuple().exponent))


def _row(text: str) -> OverseasProduct:
    root, exchange, currency, tick, point, about, margin, group, name = text.split(maxsplit=8)
    numbers = (Decimal(tick), Decimal(point), Decimal(about), Decimal(margin))
    return OverseasProduct(root, name, exchange, currency, *numbers, group)


OVERSEAS = {
    one.root: one
    for one in map(
        _row,
        (
            "ES CME USD 0.25 50 6720 0.065 003 E-mini S&P 500",
            "MES CME USD 0.25 5 6720 0.065 003 Micro E-mini S&P 500",
            "NQ CME USD 0.25 20 24650 0.08 003 E-mini NASDAQ 100",
            "MNQ CME USD 0.25 2 24650 0.08 003 Micro E-mini NASDAQ 100",
            "RTY CME USD 0.1 50 2430 0.07 003 E-mini Russell 2000",
            "YM CBOT USD 1 5 46300 0.06 003 E-mini Dow",
            "6E CME USD 0.00005 125000 1.162 0.025 001 Euro FX",
            "6B CME USD 0.0001 62500 1.318 0.03 001 British Pound",
            "6A CME USD 0.00005 100000 0.652 0.03 001 Australian Dollar",
            "ZN CBOT USD 0.015625 1000 113.25 0.018 002 10-Year T-Note",
            "ZB CBOT USD 0.03125 1000 117.5 0.035 002 U.S. Treasury Bond",
            "GC COMEX USD 0.1 100 4110 0.055 006 Gold",
            "MGC COMEX USD 0.1 10 4110 0.055 006 Micro Gold",
            "SI COMEX USD 0.005 5000 51.2 0.08 006 Silver",
            "HG COMEX USD 0.0005 25000 5.05 0.07 006 Copper",
            "CL NYMEX USD 0.01 1000 59.4 0.1 007 Crude Oil",
            "MCL NYMEX USD 0.01 100 59.4 0.1 007 Micro Crude Oil",
            "NG NYMEX USD 0.001 10000 4.35 0.13 007 Natural Gas",
            "ZC CBOT USD 0.25 50 436 0.06 004 Corn",
            "ZS CBOT USD 0.25 50 1130 0.05 004 Soybean",
            "HSI HKEX HKD 1 50 26100 0.075 003 Hang Seng Index",
            "FDAX EUREX EUR 1 25 23900 0.08 003 DAX",
        ),
    )
}
"""By the beginning of a symbol."""

_MONTHS = "FGHJKMNQUVXZ"
_SYMBOL = re.compile(
    r"(O?)([0-9A-Z]{2,4})([FGHJKMNQUVXZ])([0-9]{2})(?: ([CP])([0-9]{1,6}(?:\.[0-9]+)?))?"
)


@dataclass(frozen=True, slots=True)
class OverseasContract:
    """One symbol, such as ``ESZ26`` or ``OESZ26 C6700``."""

    symbol: str
    product: OverseasProduct
    expires: date
    right: str = ""
    """``C`` or ``P``; blank for a future."""
    strike: Decimal = Decimal(0)

    @property
    def option(self) -> bool:
        return bool(self.right)

    @property
    def first_price(self) -> Decimal:
        """Where the simulated market of it begins."""
        product = self.product
        if not self.option:
            return product.about
        gained = product.about - self.strike
        inner = max(Decimal(0), gained if self.right == "C" else -gained)
        worth = inner + product.about * Decimal("0.012")
        return max(product.tick, worth // product.tick * product.tick)

    @property
    def name(self) -> str:
        month = f"{self.product.name} ({self.expires:%y%m})"
        return f"{month} {self.right}{self.strike}" if self.option else month


@lru_cache(maxsize=2_048)
def overseas_contract(symbol: str) -> OverseasContract | None:
    """Return what a symbol stands for; None: it is no contract that is listed here."""
    read = _SYMBOL.fullmatch(symbol)
    if read is None:
        return None
    option, root, month, year, right, strike = read.groups()
    product = OVERSEAS.get(root)
    if product is None or bool(option) is not bool(right):
        return None
    first = date(2000 + int(year), _MONTHS.index(month) + 1, 1)
    third_friday = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
    return OverseasContract(symbol, product, third_friday, right or "", Decimal(strike or 0))
