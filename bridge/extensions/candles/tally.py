"""What was traded in a span of time: first, highest, lowest and last price, and how much. Pure.

Sums are exact: nothing in here is a float, and a number that would have to be rounded is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation

__all__ = ["EXACT", "Tally"]

EXACT = Context(prec=400, Emin=-999, Emax=999, traps=[Inexact, InvalidOperation])
"""Decimals of a record have at most 64 digits on either side of the point (128 in a product): a sum
of as many as a day can have stays far below this."""


@dataclass(slots=True)
class Tally:
    """Grows with each trade; ``first`` and ``last`` are the seconds of the open and the close.

    KIS's times are whole seconds: of several trades in one the order of arrival counts.
    """

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    value: Decimal | None
    """Sum of price times quantity; None: a chart that does not tell it."""
    trades: int | None
    """None: a chart, which does not count them."""
    first: int
    last: int

    @classmethod
    def of(cls, price: Decimal, quantity: Decimal, second: int) -> Tally:
        """Return that of one trade."""
        value = EXACT.multiply(price, quantity)
        return cls(price, price, price, price, quantity, value, 1, second, second)

    def copy(self) -> Tally:
        """Return another one that grows by itself."""
        return Tally(
            *(self.open, self.high, self.low, self.close, self.volume, self.value, self.trades),
            *(self.first, self.last),
        )

    def merge(self, later: Tally) -> None:
        """Add what arrived later, whatever its time."""
        if later.first < self.first:
            self.open, self.first = later.open, later.first
        if later.last >= self.last:
            self.close, self.last = later.close, later.last
        if later.high > self.high:
            self.high = later.high
        if later.low < self.low:
            self.low = later.low
        self.volume = EXACT.add(self.volume, later.volume)
        both = self.value is not None and later.value is not None
        self.value = EXACT.add(self.value, later.value) if both else None  # type: ignore[arg-type]
        if self.trades is not None:
            self.trades = None if later.trades is None else self.trades + later.trades

    def figures(self) -> Sequence[Decimal]:
        """Return what a chart has of it as well."""
        return self.open, self.high, self.low, self.close, self.volume
