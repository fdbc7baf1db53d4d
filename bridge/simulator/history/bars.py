"""A bar of a chart, and longer ones made of shorter ones (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Literal

__all__ = ["Bar", "Interval", "begin_of", "joined", "longer"]

Interval = Literal["minute", "day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What was traded in a stretch of time; ``start`` is local to the exchange.

    A bar of a day or longer begins at midnight of its first trading day, ``last`` is its last one.
    """

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    value: Decimal
    last: date

    @property
    def day(self) -> date:
        """The day on which it began."""
        return self.start.date()


def joined(bars: Iterable[Bar]) -> Bar:
    """Return one bar of at least one, oldest first."""
    parts = list(bars)
    first, final = parts[0], parts[-1]
    return Bar(
        start=first.start,
        open=first.open,
        high=max(bar.high for bar in parts),
        low=min(bar.low for bar in parts),
        close=final.close,
        volume=sum(bar.volume for bar in parts),
        value=sum((bar.value for bar in parts), Decimal(0)),
        last=final.last,
    )


def longer(days: Iterable[Bar], interval: Interval) -> list[Bar]:
    """Return the weeks, months or years of days that are in order, in their order."""
    return [joined(group) for _, group in groupby(days, lambda bar: begin_of(bar.day, interval))]


def begin_of(day: date, interval: Interval) -> date:
    """Return the first day of the week, month or year of a day."""
    begins: dict[Interval, Callable[[date], date]] = {
        "week": lambda one: one - timedelta(days=one.weekday()),
        "month": lambda one: one.replace(day=1),
        "year": lambda one: one.replace(month=1, day=1),
    }
    return begins[interval](day) if interval in begins else day
