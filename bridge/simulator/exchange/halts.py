"""Symbols that stand still because somebody has said so (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["SymbolHalts"]


@dataclass(slots=True)
class SymbolHalts:
    """Which symbols of a market do not trade by themselves now."""

    halted: set[str] = field(default_factory=set)
    """No trades, no orders but cancellations."""
    held: set[str] = field(default_factory=set)
    """Nobody but users acts: the price stays where it was put."""
    auctions: dict[str, datetime] = field(default_factory=dict)
    """Symbol → when the call auction of its volatility interruption ends."""

    def still(self, symbol: str) -> bool:
        return symbol in self.halted or symbol in self.held or symbol in self.auctions

    @property
    def count(self) -> int:
        return len(self.halted) + len(self.held) + len(self.auctions)
