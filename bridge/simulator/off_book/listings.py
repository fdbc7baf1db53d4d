"""What accounts own of overseas stocks when they begin, and the money they have (pure data)."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["FIRST_MONEY", "FIRST_PRICES", "LISTED", "SHARES"]

SHARES = 100
"""Of each stock that is listed by name, in every account of stocks, at the start."""

_LISTED = {
    "NASD": {
        "AAPL": "258.00",
        "MSFT": "512.00",
        "NVDA": "186.00",
        "TSLA": "431.00",
        "AMZN": "226.00",
        "GOOGL": "252.00",
        "META": "713.00",
    },
    "NYSE": {"IBM": "306.00", "BRK/B": "492.00"},
    "AMEX": {"SPY": "671.00"},
    "SEHK": {"00700": "612.00"},
    "SHAA": {"600519": "1452.00"},
    "SZAA": {"000858": "118.00"},
    "TKSE": {"7203": "2950.00"},
    "HASE": {"SHS": "23500.00"},
    "VNSE": {"VNM": "61500.00"},
}
LISTED = {symbol: exchange for exchange, symbols in _LISTED.items() for symbol in symbols}
"""Symbol → where it is listed."""
FIRST_PRICES = {
    symbol: Decimal(price) for symbols in _LISTED.values() for symbol, price in symbols.items()
}
"""Plausible, not the market's."""

FIRST_MONEY = {
    "USD": Decimal("300000.00"),
    "HKD": Decimal("2000000.00"),
    "CNY": Decimal("2000000.00"),
    "JPY": Decimal(40_000_000),
    "VND": Decimal(7_000_000_000),
}
"""Of an account of stocks; one of overseas futures has the dollars."""
