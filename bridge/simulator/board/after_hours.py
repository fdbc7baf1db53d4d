"""A symbol's trading outside the day session, invented beside the day's (pure, seeded)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from random import Random

from bridge.simulator.board.quotes import Quote
from bridge.simulator.exchange import ticks

__all__ = ["AfterHours", "after_hours"]


@dataclass(frozen=True, slots=True)
class AfterHours:
    """Single-price trading after the close, and what waits at the close before and after it."""

    price: int
    volume: int
    asks: int
    bids: int
    at_close_asks: int
    at_close_bids: int
    before_volume: int
    after_volume: int

    @property
    def value(self) -> int:
        return self.price * self.volume


def after_hours(quote: Quote, day: date, seed: int) -> AfterHours:
    """Return what a symbol does after hours: within a tenth of its last price, a little volume."""
    draw = Random(f"after hours {seed} {quote.symbol} {day}")  # noqa: S311 - no secret
    change = min(max(draw.gauss(0.0, 0.012), -0.099), 0.099)
    price = min(max(ticks.down(int(quote.last * (1 + change))), quote.lower), quote.upper)
    volume = max(1, int(quote.volume * draw.uniform(0.002, 0.02)))
    asks, bids, at_asks, at_bids = (max(1, int(volume * draw.uniform(0.2, 3.0))) for _ in range(4))
    before, after = (int(quote.volume * draw.uniform(0.0, 0.004)) for _ in range(2))
    return AfterHours(price, volume, asks, bids, at_asks, at_bids, before, after)
