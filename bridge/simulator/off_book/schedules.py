"""When an order is worked that does not wait for its price alone (pure).

An order for the opening or the close trades at that moment; one that is split over time (TWAP,
VWAP) in parts. What is left of either when its schedule is over lapses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bridge.simulator.off_book.overseas_hours import OffBookHours
from bridge.simulator.off_book.tickets import Part

__all__ = ["AUCTIONS", "SPLIT", "at_auction", "split"]

AUCTIONS = {"31": "MOO", "32": "LOO", "33": "MOC", "34": "LOC"}
SPLIT = {"35": "TWAP", "36": "VWAP"}
"""KIS's ``ORD_DVSN``."""
_PARTS = 10
_WEIGHTS = (16, 11, 9, 8, 7, 7, 8, 9, 11, 14)
"""How much of a usual day is traded in each tenth of it."""


def at_auction(
    kind: str, exchange: str, quantity: int, now: datetime, hours: OffBookHours
) -> list[Part]:
    """Return when an order for an auction trades; in a market that never closes at once."""
    if hours.always or kind not in AUCTIONS:
        return []
    moment: Callable[[str, datetime], datetime]
    moment = hours.opening if kind in ("31", "32") else hours.closing
    at = moment(exchange, now)
    return [Part(at, at, quantity)]


def split(kind: str, quantity: int, begins: datetime, ends: datetime) -> list[Part]:
    """Return the parts of an order that is worked from one moment to another."""
    number = min(_PARTS, quantity)
    weights = _WEIGHTS[:number] if kind == "36" else (1,) * number
    step = max(timedelta(seconds=1), (ends - begins) / number)
    parts, done = [], 0
    for place in range(number):
        done += weights[place]
        target = quantity if place == number - 1 else quantity * done // sum(weights)
        parts.append(Part(begins + step * place, begins + step * (place + 1), target))
    return parts
