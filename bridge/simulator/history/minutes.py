"""The minutes of a day that is over: they add up to its bar exactly (pure, seeded)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from random import Random

from bridge.simulator.history.bars import Bar
from bridge.simulator.history.instruments import Instrument

__all__ = ["minutes_of"]


def minutes_of(
    bar: Bar, begins: Sequence[datetime], instrument: Instrument, seed: int
) -> tuple[Bar, ...]:
    """Return a bar for each of the given minutes, the oldest first."""
    one, number = instrument, len(begins)
    name = f"minutes {seed} {one.family} {one.symbol} {bar.day.isoformat()}"
    draw = Random(name)  # noqa: S311 - a market, not a secret
    open_, high, low, close = (
        one.units(price) for price in (bar.open, bar.high, bar.low, bar.close)
    )
    prices, top, bottom = _path(draw, one, number, (open_, high, low, close))
    volumes = _volumes(draw, number, bar.volume)
    rows = []
    for place in range(number):
        first, last = prices[place], prices[place + 1]
        above, below = max(first, last), min(first, last)
        wide = (high - low) * 0.03
        most = high if place == top else max(above, one.down(above + draw.random() * wide))
        least = low if place == bottom else min(below, one.down(below - draw.random() * wide))
        rows.append((first, min(most, high), max(least, low), last))
    money = one.unit * one.multiplier
    values = _values(rows, volumes, int(bar.value / money))
    return tuple(
        Bar(
            begins[place],
            first * one.unit,
            most * one.unit,
            least * one.unit,
            last * one.unit,
            volumes[place],
            values[place] * money,
            begins[place].date(),
        )
        for place, (first, most, least, last) in enumerate(rows)
    )


def _path(
    draw: Random, one: Instrument, number: int, ends: tuple[int, int, int, int]
) -> tuple[list[int], int, int]:
    """Return the prices at the edges of the minutes, and which minutes saw the high and the low."""
    open_, high, low, close = ends
    top = number - 1 if close == high else 0 if open_ == high else draw.randrange(number)
    bottom = number - 1 if close == low else 0 if open_ == low else draw.randrange(number)
    points = {0: open_, number: close}
    for place, price in ((top, high), (bottom, low)):
        points.setdefault(place, price)
    stops = sorted(points.items())
    prices = [open_]
    wide = max(1.0, (high - low) / math.sqrt(number))
    for (left, first), (right, last) in pairwise(stops):
        wandered = 0.0
        for place in range(left + 1, right):
            remaining = right - place
            # A bridge: whatever it has wandered off is taken back by its end.
            wandered = wandered * remaining / (remaining + 1) + draw.gauss(0.0, wide)
            straight = first + (last - first) * (place - left) / (right - left)
            prices.append(min(max(one.down(straight + wandered), low), high))
        prices.append(last)
    return prices, top, bottom


def _volumes(draw: Random, number: int, volume: int) -> list[int]:
    """Share out the day's volume: much at both ends, at least one a minute."""
    weights = []
    for place in range(number):
        from_middle = (2 * place - number + 1) / number
        weights.append((0.5 + 1.5 * from_middle**4) * draw.lognormvariate(0.0, 0.6))
    whole, spare = sum(weights), volume - number
    shares, passed, given = [], 0.0, 0
    for weight in weights:
        passed += weight
        until = min(spare, int(spare * (passed / whole)))
        shares.append(1 + until - given)
        given = until
    shares[-1] += spare - given
    return shares


def _values(rows: list[tuple[int, int, int, int]], volumes: list[int], value: int) -> list[int]:
    """Share out the day's value; each minute's is between its low and its high times its volume.

    Volume moves to other minutes where those of the draw cannot have the value.
    """
    least = sum(row[2] * volume for row, volume in zip(rows, volumes, strict=True))
    most = sum(row[1] * volume for row, volume in zip(rows, volumes, strict=True))
    if value > most:
        target = max(range(len(rows)), key=lambda place: rows[place][1])
        _shift(rows, volumes, target, 1, value - most)
    elif value < least:
        target = min(range(len(rows)), key=lambda place: rows[place][2])
        _shift(rows, volumes, target, 2, value - least)
    values = [row[2] * volume for row, volume in zip(rows, volumes, strict=True)]
    room = [(row[1] - row[2]) * volume for row, volume in zip(rows, volumes, strict=True)]
    need, whole = value - sum(values), sum(room)
    passed = given = 0
    for place, one in enumerate(room):
        passed += one
        until = need * passed // whole if whole else 0
        values[place] += until - given
        given = until
    return values


def _shift(
    rows: list[tuple[int, int, int, int]], volumes: list[int], target: int, side: int, missing: int
) -> None:
    """Move volume to one minute until the day's highest (or lowest) value has changed enough."""
    for place, row in enumerate(rows):
        each = abs(rows[target][side] - row[side])
        if place == target or not each or not missing:
            continue
        moved = min(volumes[place] - 1, -(-abs(missing) // each))
        volumes[place] -= moved
        volumes[target] += moved
        missing = max(0, abs(missing) - moved * each)
