"""What the market of a symbol overseas looks like at a moment (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from random import Random

from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.off_book import OffBook

__all__ = ["OverseasQuote", "quote"]

_LEVELS = 5
_LONGEST = 20
"""Characters of a symbol."""


@dataclass(frozen=True, slots=True)
class OverseasQuote:
    """Prices of a day and the best orders: price and size, the best first."""

    price: Decimal
    base: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    volume: int
    previous_volume: int
    value: int
    asks: tuple[tuple[Decimal, int], ...]
    bids: tuple[tuple[Decimal, int], ...]

    @property
    def sign(self) -> str:
        return "3" if self.price == self.base else "2" if self.price > self.base else "5"

    @property
    def rate(self) -> Decimal:
        """The change in percent."""
        return (self.price - self.base) / self.base * 100


def quote(off_book: OffBook, symbol: str, tick: Decimal, now: datetime) -> OverseasQuote:
    """Return the quote of a symbol; sizes change from second to second."""
    if not symbol or len(symbol) > _LONGEST:
        raise OrderRefused("symbol")
    tape = off_book.tape(symbol).read(now)
    price = tape.last
    sizes = Random(f"sizes {off_book.seed} {symbol} {now:%H%M%S}")  # noqa: S311
    levels = range(1, _LEVELS + 1)
    return OverseasQuote(
        *(price, tape.base, tape.open, tape.high, tape.low),
        *(tape.volume, tape.instrument.volume, int(tape.value)),
        asks=tuple((price + tick * level, sizes.randrange(1, 300)) for level in levels),
        bids=tuple((max(tick, price - tick * level), sizes.randrange(1, 300)) for level in levels),
    )
