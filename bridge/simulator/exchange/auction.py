"""The price of a call auction (pure): where most is traded."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["clearing_price"]


def clearing_price(bids: Mapping[int, int], asks: Mapping[int, int], reference: int) -> int:
    """Return the price at which most trades; 0 when nothing does. Sizes are by price.

    Of several prices that leave least over, it is the one nearest to ``reference``.
    """
    best, chosen = (0, 0, 0), 0
    demand = 0
    supply = sum(asks.values())
    offered = sorted(asks)
    for price in sorted({*bids, *asks}, reverse=True):
        demand += bids.get(price, 0)
        while offered and offered[-1] > price:
            supply -= asks[offered.pop()]
        traded = min(demand, supply)
        rank = (traded, -abs(demand - supply), -abs(price - reference))
        if traded and (not chosen or rank > best):
            best, chosen = rank, price
    return chosen
