"""Who traded a symbol on a day: investors, programs, short sellers, lenders (pure, seeded).

Shares of each group are drawn once for a symbol and a day; quantities follow the day's volume, so
that they only grow, and they add up: what all groups bought is what was traded, and so is what all
sold. Programs are the three tenths that the record of a symbol's program trading tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random

from bridge.simulator.board.quotes import Day
from bridge.simulator.exchange.market import Listing

__all__ = ["GROUPS", "INSTITUTIONS", "Flow", "Flows", "Lending", "total"]

GROUPS: Mapping[str, tuple[float, str]] = {
    "frgn_reg": (0.26, "외국인"),
    "frgn_nreg": (0.01, "기타외국인"),
    "prsn": (0.5, "개인"),
    "scrt": (0.05, "금융투자"),
    "insu": (0.01, "보험"),
    "ivtr": (0.04, "투신"),
    "pe_fund": (0.03, "사모"),
    "bank": (0.01, "은행"),
    "mrbn": (0.005, "기타금융"),
    "fund": (0.06, "연기금등"),
    "etc_corp": (0.02, "기타법인"),
    "etc_orgt": (0.005, "기타단체"),
}
"""Investor → about which part of all trading is its, and its Korean name."""
INSTITUTIONS = ("scrt", "insu", "ivtr", "pe_fund", "bank", "mrbn", "fund")
SUMS: Mapping[str, tuple[str, ...]] = {
    "frgn": ("frgn_reg", "frgn_nreg"),
    "orgn": INSTITUTIONS,
    "etc": ("etc_corp", "etc_orgt"),
}
"""What KIS adds up of them."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What somebody bought and sold: shares and won."""

    bought: int = 0
    sold: int = 0
    bought_value: int = 0
    sold_value: int = 0

    @property
    def net(self) -> int:
        return self.bought - self.sold

    @property
    def net_value(self) -> int:
        return self.bought_value - self.sold_value


def total(flows: Iterable[Flow]) -> Flow:
    """Return what several did together."""
    every = [(one.bought, one.sold, one.bought_value, one.sold_value) for one in flows]
    return Flow(*map(sum, zip(*every, strict=True))) if every else Flow()


@dataclass(frozen=True, slots=True)
class Lending:
    """Credit and short selling of a symbol on a day, in shares; ``rate`` is of all shares."""

    loans: int
    """Shares that were bought with KIS's credit; ``new`` and ``repaid`` are the day's change."""
    loans_new: int
    loans_repaid: int
    lent: int
    """Shares that were borrowed to be sold; so on."""
    lent_new: int
    lent_repaid: int
    short: int
    """Shares that were sold short on the day, at most a part of the volume."""


class Flows:
    """Draws all of this for any symbol and day."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._parts = lru_cache(maxsize=8_192)(self._draw)

    def investors(self, listing: Listing, day: Day) -> dict[str, Flow]:
        """Return what each group of investors did, and KIS's sums of them."""
        flows = self.shared(
            listing.symbol, day.date, Flow(day.volume, day.volume, day.value, day.value)
        )
        sums = {name: total(flows[part] for part in parts) for name, parts in SUMS.items()}
        return flows | sums

    def sides(self, listing: Listing, day: Day) -> tuple[int, int]:
        """Return what buyers and what sellers set off of a past day's volume."""
        part = self._random("sides", listing.symbol, day.date).uniform(0.4, 0.6)
        bought = int(day.volume * part)
        return bought, day.volume - bought

    def shared(self, what: str, day: date, whole: Flow) -> dict[str, Flow]:
        """Return how all groups share a flow."""
        bought, sold = self._parts(what, day)
        split = (
            _split(whole.bought, bought),
            _split(whole.sold, sold),
            _split(whole.bought_value, bought),
            _split(whole.sold_value, sold),
        )
        return dict(zip(GROUPS, map(Flow, *split), strict=True))

    def programs(self, day: Day, bought: int, sold: int) -> dict[str, Flow]:
        """Return program trading: arbitrage and the rest, for clients and the firms themselves.

        ``bought`` and ``sold`` are the sides of the day's volume.
        """
        average = day.value // day.volume if day.volume else day.close
        buys, sells = bought * 3 // 10, sold * 3 // 10
        flows = {}
        left = [buys, sells]
        for name, tenths in (("arbt_onsl", 1), ("arbt_entm", 1), ("nabt_onsl", 2)):
            part = (buys * tenths // 10, sells * tenths // 10)
            flows[name] = _valued(part[0], part[1], average)
            left = [left[0] - part[0], left[1] - part[1]]
        flows["nabt_entm"] = _valued(left[0], left[1], average)
        for kind in ("arbt", "nabt"):
            flows[f"{kind}_smtn"] = total((flows[f"{kind}_onsl"], flows[f"{kind}_entm"]))
        for who in ("onsl", "entm", "smtn"):
            flows[f"whol_{who}"] = total((flows[f"arbt_{who}"], flows[f"nabt_{who}"]))
        return flows

    def lending(self, listing: Listing, day: Day) -> Lending:
        """Return credit and short selling."""
        draw = self._random("lending", listing.symbol)
        loans, lent = (int(listing.shares * draw.uniform(0.002, most)) for most in (0.03, 0.01))
        today = self._random("lending", listing.symbol, day.date)
        change = listing.previous_volume // 50
        level = 1 + today.uniform(-0.05, 0.05)
        return Lending(
            loans=int(loans * level),
            loans_new=int(change * today.uniform(0.2, 1)),
            loans_repaid=int(change * today.uniform(0.2, 1)),
            lent=int(lent * level),
            lent_new=int(change * today.uniform(0.05, 0.3)),
            lent_repaid=int(change * today.uniform(0.05, 0.3)),
            short=int(day.volume * today.uniform(0.0, 0.15)),
        )

    def foreign_holding(self, listing: Listing) -> int:
        """Return how many shares foreigners hold."""
        return int(listing.shares * self._random("foreign", listing.symbol).uniform(0.02, 0.55))

    def _draw(self, symbol: str, day: date) -> tuple[tuple[float, ...], tuple[float, ...]]:
        draw = self._random("investors", symbol, day)
        sides = []
        for _ in range(2):
            weights = [part * draw.lognormvariate(0, 0.5) for part, _ in GROUPS.values()]
            whole = sum(weights)
            sides.append(tuple(weight / whole for weight in weights))
        return sides[0], sides[1]

    def _random(self, what: str, symbol: str, day: date | None = None) -> Random:
        return Random(f"{what} {self._seed} {symbol} {day or ''}")  # noqa: S311 - no secret


def _split(whole: int, parts: tuple[float, ...]) -> list[int]:
    """Return the parts of a whole, in whole numbers that add up; persons take what is left."""
    split = [int(whole * part) for part in parts]
    split[2] += whole - sum(split)
    return split


def _valued(bought: int, sold: int, price: int) -> Flow:
    return Flow(bought, sold, bought * price, sold * price)
