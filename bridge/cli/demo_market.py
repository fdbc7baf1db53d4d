"""What the demo shows: symbols of every market of the simulator, with their names (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from bridge.simulator.derivatives.contracts import contract, expiries, future, option
from bridge.simulator.derivatives.products import PRODUCTS
from bridge.simulator.exchange.listings import KNOWN

__all__ = ["DemoSymbol", "shown", "subscriptions"]

_QUARTERS = {3: "H", 6: "M", 9: "U", 12: "Z"}
_TRADES = ("trade", "quote")


@dataclass(frozen=True, slots=True)
class DemoSymbol:
    """A row of the demo's table: what its topics name, and what people call it."""

    market: str
    venue: str
    symbol: str
    name: str
    kinds: tuple[str, ...] = _TRADES
    channels: tuple[str, ...] = ()
    """TR ids, where several channels carry the same kinds of a market."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.market, self.venue, self.symbol


def shown(environment: Literal["paper", "real"], day: date) -> tuple[DemoSymbol, ...]:
    """Return what is shown on a day; paper trading has domestic stocks alone."""
    stocks = [
        DemoSymbol("domestic_stock", "krx", symbol, name) for symbol, (name, _, _) in KNOWN.items()
    ]
    return tuple(stocks if environment == "paper" else _of_all_markets(stocks[:3], day))


def _of_all_markets(stocks: list[DemoSymbol], day: date) -> Iterator[DemoSymbol]:
    for symbol, name in (("0001", "KOSPI"), ("1001", "KOSDAQ"), ("2001", "KOSPI200")):
        yield DemoSymbol("domestic_index", "krx", symbol, name, ("index",))
    yield from stocks
    yield DemoSymbol("domestic_stock", "nxt", stocks[0].symbol, stocks[0].name)
    for venue, symbol, name in (
        ("nas", "AAPL", "Apple"),
        ("nas", "NVDA", "NVIDIA"),
        ("nys", "IBM", "IBM"),
    ):
        yield DemoSymbol("overseas_stock", venue, symbol, name)
    delayed = ("trade", "delayed_quote")
    yield DemoSymbol("overseas_stock", "hks", "00700", "Tencent", delayed)
    yield from _derivatives(day)
    for symbol, name in (("KR103502GC97", "국채"), ("KR6001234E51", "회사채")):
        yield DemoSymbol("domestic_bond", "krx", symbol, f"모의 {name}")


def _derivatives(day: date) -> Iterator[DemoSymbol]:
    """Yield the nearest future of KOSPI 200, by day and by night, two options and one overseas."""
    product = PRODUCTS["01"]
    symbol = future(product, expiries(product, day, options=False)[0])
    name, market = _name(symbol, day), "domestic_derivative"
    yield DemoSymbol(market, "krx", symbol, name, channels=("H0IFCNT0", "H0IFASP0"))
    yield DemoSymbol(market, "krx_night", symbol, name, ("trade",), ("H0MFCNT0",))
    expiry, strike = expiries(product, day, options=True)[0], Decimal(530)
    for kind in ("call", "put"):
        symbol = option(product, kind, expiry, strike)
        name = _name(symbol, day)
        yield DemoSymbol(market, "krx", symbol, name, channels=("H0IOCNT0", "H0IOASP0"))
    month = (day.month + 2) // 3 * 3
    symbol = f"ES{_QUARTERS[month]}{day.year % 100:02d}"
    yield DemoSymbol("overseas_derivative", "all", symbol, "E-mini S&P 500")


def _name(symbol: str, day: date) -> str:
    found = contract(symbol, day)
    return found.name if found else symbol


def subscriptions(symbols: Iterable[DemoSymbol]) -> list[dict[str, Any]]:
    """Return the subscriptions of a configuration for these symbols."""
    found: list[dict[str, Any]] = []
    for one in symbols:
        if one.channels:
            found += ({"channel": tr_id, "keys": [one.symbol]} for tr_id in one.channels)
        else:
            kinds, symbol = list(one.kinds), [one.symbol]
            where = {"market": one.market, "venue": one.venue}
            found.append(where | {"kinds": kinds, "symbols": symbol})
    return found
