"""What a symbol is like: its calendar, its grid of prices and how much of it is traded (pure)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

from bridge.simulator.bonds import issues, yields
from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.derivatives.overseas import overseas_contract
from bridge.simulator.derivatives.pricing import listing_price
from bridge.simulator.derivatives.products import Ticks, step
from bridge.simulator.exchange import listings, ticks

__all__ = ["INDICES", "Family", "Instrument", "family_of", "family_of_code", "instrument"]

Family = Literal[
    "domestic_stock",
    "domestic_index",
    "domestic_derivative",
    "domestic_bond",
    "overseas_stock",
    "overseas_index",
    "overseas_derivative",
]
"""Markets as far as prices differ; ETF, ETN and ELW trade as stocks do."""

INDICES = {"0001": 3_900.0, "1001": 880.0, "2001": 530.0, "3003": 1_450.0}
"""Yesterday's close of the great ones: plausible, not the market's."""
_STOCKS = {
    "AAPL": 258.0,
    "MSFT": 512.0,
    "NVDA": 186.0,
    "TSLA": 431.0,
    "AMZN": 226.0,
    "GOOGL": 252.0,
    "META": 713.0,
    "IBM": 306.0,
    "BRK/B": 492.0,
    "SPY": 671.0,
    "00700": 612.0,
    "600519": 1_452.0,
    "000858": 118.0,
    "7203": 2_950.0,
    "SHS": 23_500.0,
    "VNM": 61_500.0,
}
"""In the money of their exchange: plausible, not the market's."""
_ABROAD = {
    ".DJI": 46_000.0,
    "COMP": 22_800.0,
    "SPX": 6_700.0,
    "HSI": 26_000.0,
    "JP#NI225": 47_000.0,
    "FX@KRW": 1_420.0,
    "FX@JPY": 152.0,
    "FX@EUR": 1.16,
}
_CENT = Decimal("0.01")
_A_DAY = date(2026, 11, 23)
_WON = Decimal(1)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol; ``base`` is the close of the day before the simulator's first.

    ``unit`` is the smallest step in which prices are counted. A price moves by ``volatility`` in a
    usual day; ``volume`` is what a usual day trades; ``multiplier`` makes money of price times
    quantity.
    """

    family: Family
    symbol: str
    venue: str
    """Name of the timetable."""
    calendar: str
    zone: ZoneInfo
    base: Decimal
    unit: Decimal
    volatility: float
    volume: int
    multiplier: int = 1
    years: int = 10
    """How far back it was traded."""
    ticks: Ticks = ()
    """Where the grid of prices is not that of stocks, nor all units."""

    @property
    def place(self) -> tuple[str, str]:
        """Market and venue, as the timetable names them."""
        return ("overseas_stock" if self.family == "overseas_index" else self.family), self.venue

    def units(self, price: Decimal) -> int:
        return int(price / self.unit)

    def down(self, units: float) -> int:
        """Return the highest price of the grid that is not above a number of units."""
        whole = max(1, int(units))
        if self.ticks:
            size = int(step(self.ticks, whole * self.unit) / self.unit)
            return max(size, whole - whole % size)
        return ticks.down(whole) if self.family == "domestic_stock" else whole

    def limits(self, close: int) -> tuple[int, int]:
        """Return the lowest and the highest price, in units, of the day after a close."""
        if self.family == "domestic_stock":
            return ticks.limits(close)
        return max(1, close // 4), close * 4


@dataclass(frozen=True, slots=True)
class _Venue:
    calendar: str
    zone: str


_VENUES: Mapping[str, _Venue] = {
    "krx": _Venue("KRX", "Asia/Seoul"),
    "nas": _Venue("NYSE", "America/New_York"),
    "nys": _Venue("NYSE", "America/New_York"),
    "ams": _Venue("NYSE", "America/New_York"),
    "hks": _Venue("HKEX", "Asia/Hong_Kong"),
    "shs": _Venue("SSE", "Asia/Shanghai"),
    "szs": _Venue("SSE", "Asia/Shanghai"),
    "tse": _Venue("JPX", "Asia/Tokyo"),
    "hsx": _Venue("VN", "Asia/Ho_Chi_Minh"),
    "hnx": _Venue("VN", "Asia/Ho_Chi_Minh"),
    "all": _Venue("weekdays", "America/Chicago"),
}
_SAME = {"baq": "nas", "bay": "nys", "baa": "ams", "shi": "shs", "szi": "szs"}
"""Names under which KIS has an exchange a second time."""
_GUESSES = (
    (re.compile(r"[0-9]{5}"), "hks"),
    (re.compile(r"[0-9]{6}"), "shs"),
    (re.compile(r"[0-9]{4}|[0-9]{3}A"), "tse"),
    (re.compile(r"VNM"), "hsx"),
    (re.compile(r"SHS"), "hnx"),
)


_LOOKS: tuple[tuple[re.Pattern[str], Family], ...] = (
    (re.compile(r"[A-Z]{2}[0-9A-Z]{9}[0-9]"), "domestic_bond"),
    (re.compile(r"[23BC](09|AF)[0-9A-Z]{2}W[0-9]{3}"), "domestic_derivative"),
    (re.compile(r"[1-4A-D][0-9A-Z]{2}[0-9A-Z][0-9A-C][0-9]([0-9A-Z]{3})?"), "domestic_derivative"),
    (re.compile(r"[0-9A-Z]{1,4}[FGHJKMNQUVXZ][0-9]{2}( ?[CP][0-9.]+)?"), "overseas_derivative"),
)


def family_of(symbol: str) -> Family:
    """Guess the market of a symbol that has no order book by its look."""
    if symbol.isdecimal():
        return "overseas_stock"
    if overseas_contract(symbol) is not None:
        return "overseas_derivative"
    return next((family for look, family in _LOOKS if look.fullmatch(symbol)), "overseas_stock")


def family_of_code(code: str) -> Family:
    """Tell an overseas stock from an index, a currency or a rate."""
    return "overseas_stock" if code in _STOCKS or code.isdecimal() else "overseas_index"


@lru_cache(maxsize=2_048)
def instrument(
    family: Family, symbol: str, seed: int, venue: str = "", day: date = _A_DAY
) -> Instrument:
    """Return what is known of a symbol; ``venue`` is KIS's short name of an exchange abroad.

    ``day`` is the simulator's first: what futures, options and bonds are worth depends on it.

    The same seed gives the same answer. Without a venue the exchange of a stock abroad is guessed
    by the look of its symbol; its price does not depend on that.
    """
    venue = _venue(family, symbol, venue.lower())
    place = _VENUES[venue]
    base, unit, volatility, volume, multiplier, years = _look(family, symbol, seed, day)
    return Instrument(
        family,
        symbol,
        venue,
        place.calendar,
        ZoneInfo(place.zone),
        base,
        unit,
        volatility,
        volume,
        multiplier,
        years,
        _ticks(symbol, day) if family == "domestic_derivative" else (),
    )


def _venue(family: Family, symbol: str, venue: str) -> str:
    if family == "overseas_derivative":
        return "all"
    if not family.startswith("overseas"):
        return "krx"
    venue = _SAME.get(venue, venue)
    if venue in _VENUES:
        return venue
    return next((name for look, name in _GUESSES if look.fullmatch(symbol)), "nas")


def _look(
    family: Family, symbol: str, seed: int, day: date
) -> tuple[Decimal, Decimal, float, int, int, int]:
    """Return base, unit, volatility, volume, multiplier and years."""
    draw = Random(f"instrument {seed} {family} {symbol}")  # noqa: S311 - a market, not a secret
    match family:
        case "domestic_stock":
            stock = listings.listing(symbol, seed)
            return Decimal(stock.base), _WON, 0.018, stock.previous_volume, 1, 10
        case "domestic_index":
            index = INDICES.get(symbol) or round(
                Random(f"index base {symbol}").uniform(300, 3_000),  # noqa: S311
                2,
            )
            return _cents(index), _CENT, 0.009, draw.randrange(2 * 10**8, 9 * 10**8), 5, 10
        case "domestic_derivative":
            volume, one = draw.randrange(20_000, 400_000), contract(symbol, day)
            if one is None:
                return _derivative(symbol, seed), _CENT, 0.011, volume, 250_000, 2
            base, wide = listing_price(one, day), 0.12 if one.option else 0.011
            unit = min(size for _, size in _ticks(symbol, day))
            return base, unit, wide, volume, int(one.product.multiplier), 2
        case "domestic_bond":
            base = Decimal(draw.randrange(8_800, 10_600))
            if issues.plausible(symbol):
                base = yields.fair_price(issues.issue(symbol, seed), day)
            # KIS counts thousands of won of face value; a price is that of ten thousand.
            return base, _WON, 0.0015, draw.randrange(5_000, 4_000_000), 1, 3
        case "overseas_stock":
            drawn = Random(f"off book {seed} {symbol}").randrange(2_000, 60_000) / 100  # noqa: S311
            volume = draw.randrange(200_000, 60_000_000)
            return _cents(_STOCKS.get(symbol, drawn)), _CENT, 0.017, volume, 1, 10
        case "overseas_index":
            currency = symbol.startswith("FX@")
            unit = Decimal("0.0001") if currency else _CENT
            guess = math.exp(draw.uniform(math.log(500), math.log(20_000)))
            base = Decimal(f"{_ABROAD.get(symbol, guess):.2f}")
            return base, unit, 0.004 if currency else 0.009, draw.randrange(10**8, 10**9), 1, 10
        case "overseas_derivative" if (known := overseas_contract(symbol)) is not None:
            units, tick = known.first_price, known.product.tick
            swing = 0.12 if known.option else 0.012
            return units, tick, swing, draw.randrange(20_000, 900_000), 1, 2
        case "overseas_derivative":
            drawn = Random(f"off book {seed} {symbol}").randrange(2_000, 60_000) / 100  # noqa: S311
            return _cents(drawn), _CENT, 0.012, draw.randrange(20_000, 900_000), 1, 2


def _derivative(symbol: str, seed: int) -> Decimal:
    return _cents(Random(f"off book {seed} {symbol}").randrange(2_000, 60_000) / 100)  # noqa: S311


def _ticks(symbol: str, day: date) -> Ticks:
    """Return the ticks of a future or option; none of one that the exchange does not know."""
    one = contract(symbol, day)
    if one is None:
        return ()
    return one.product.option_ticks if one.option else one.product.ticks


def _cents(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")
