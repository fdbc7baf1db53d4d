"""KRX price grid and daily price limits (pure).

Source: the KRX tick table in force since 2023-01-25, the same for every board, and the ±30 % limit
whose width is cut to the tick of the base price.
"""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["down", "limits", "on_grid", "step", "tick", "up"]

_BELOW = (2_000, 5_000, 20_000, 50_000, 200_000, 500_000)
_TICKS = (1, 5, 10, 50, 100, 500, 1_000)
"""Below each of those prices, and from the last of them on."""


def tick(price: int) -> int:
    """Return the tick in won at this price."""
    return _TICKS[bisect_right(_BELOW, price)]


def on_grid(price: int) -> bool:
    return price > 0 and price % tick(price) == 0


def down(price: int) -> int:
    """Return the highest price of the grid that is not above ``price``."""
    return max(1, price - price % tick(price))


def up(price: int) -> int:
    """Return the lowest price of the grid that is not below ``price``."""
    low = down(price)
    return low if low == price else low + tick(low)


def step(price: int, ticks: int) -> int:
    """Return the price so many ticks above (below, when negative) a price of the grid."""
    for _ in range(abs(ticks)):
        price = price + tick(price) if ticks > 0 else down(max(1, price - 1))
    return price


def limits(base: int) -> tuple[int, int]:
    """Return the lowest and the highest price of a day that starts at ``base``."""
    width = base * 3 // 10
    width -= width % tick(base)
    return up(max(1, base - width)), down(base + width)
