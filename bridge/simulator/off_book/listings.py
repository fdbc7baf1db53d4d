"""What accounts own of overseas stocks when they begin, and the money they have (pure data)."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["FIRST_MARGIN", "FIRST_MONEY", "LISTED", "SHARES"]

SHARES = 100
"""Of each stock that is listed by name, in every account of stocks, at the start."""

_LISTED = {
    "NASD": ("AAPL", "MSFT", "NVDA", "TSLA", "AMZN", "GOOGL", "META"),
    "NYSE": ("IBM", "BRK/B"),
    "AMEX": ("SPY",),
    "SEHK": ("00700",),
    "SHAA": ("600519",),
    "SZAA": ("000858",),
    "TKSE": ("7203",),
    "HASE": ("SHS",),
    "VNSE": ("VNM",),
}
LISTED = {symbol: exchange for exchange, symbols in _LISTED.items() for symbol in symbols}
"""Symbol → where it is listed."""

FIRST_MONEY = {
    "USD": Decimal("300000.00"),
    "HKD": Decimal("2000000.00"),
    "CNY": Decimal("2000000.00"),
    "JPY": Decimal(40_000_000),
    "VND": Decimal(7_000_000_000),
}
"""Of an account of stocks."""

FIRST_MARGIN = {
    "USD": Decimal("300000.00"),
    "EUR": Decimal("50000.00"),
    "HKD": Decimal("500000.00"),
}
"""Of an account of overseas futures."""
