"""The configuration of candles: ``[[candles]]``, which symbols have candles of which intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from bridge.config.explained_errors import at
from bridge.config.values import Flag, Key, Level, Section

__all__ = ["DAY", "INTERVALS", "MOST_CANDLES", "CandlesConfig", "Interval", "too_many"]

Interval: TypeAlias = Literal[
    "1s", "5s", "10s", "15s", "30s", "1m", "3m", "5m", "10m", "15m", "30m", "1h", "1d"
]
DAY: Final[Interval] = "1d"
INTERVALS: Final[Mapping[Interval, int]] = MappingProxyType(
    {
        "1s": 1,
        "5s": 5,
        "10s": 10,
        "15s": 15,
        "30s": 30,
        "1m": 60,
        "3m": 180,
        "5m": 300,
        "10m": 600,
        "15m": 900,
        "30m": 1_800,
        "1h": 3_600,
        "1d": 86_400,
    }
)
"""Seconds of each; a day is a trading day, and never counted in seconds."""

MOST_CANDLES: Final = 10_000
"""Symbols times intervals: each is a topic that is published once a second while it trades."""


class CandlesConfig(Section):
    """Candles of the trades that are subscribed.

    What is left out does not narrow the choice. Naming a symbol here does not subscribe it.
    """

    market: Level | None = None
    """Market: `domestic_stock`, `overseas_stock` … By default every one."""
    venue: Level | None = None
    """Venue: `krx`, `nxt`, `nas` … By default every one."""
    symbols: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    """Symbols. By default every one whose trades are subscribed."""
    intervals: Annotated[tuple[Interval, ...], Field(min_length=1)]
    """`1s` `5s` `10s` `15s` `30s` `1m` `3m` `5m` `10m` `15m` `30m` `1h` `1d`."""
    mend: Flag = True
    """Take from KIS's minute chart what a gap or a late start left out, where KIS has one."""

    @model_validator(mode="after")
    def _fits(self) -> CandlesConfig:
        if len(set(self.intervals)) < len(self.intervals):
            raise at("names an interval twice", "intervals")
        return self

    def matches(self, market: str, venue: str, symbol: str) -> bool:
        """Tell whether this entry is about a symbol."""
        return (
            self.market in (None, market)
            and self.venue in (None, venue)
            and (self.symbols is None or symbol in self.symbols)
        )


def too_many(entries: Sequence[CandlesConfig]) -> bool:
    """Tell whether the symbols that are named make more candles than there may be."""
    named = sum(len(entry.symbols or ()) * len(entry.intervals) for entry in entries)
    return named > MOST_CANDLES
