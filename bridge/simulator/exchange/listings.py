"""What the simulated exchange lists: known names first, anything plausible on demand (pure)."""

from __future__ import annotations

import math
import re
from random import Random

from bridge.simulator.derivatives import pricing
from bridge.simulator.exchange import securities, ticks
from bridge.simulator.exchange.market import Listing
from bridge.simulator.exchange.warrants import Warrant, find_warrant

__all__ = ["KNOWN", "listing", "plausible", "standard_symbol"]

KNOWN: dict[str, tuple[str, int, int]] = {
    "005930": ("삼성전자", 274_000, 5_919_637_922),
    "000660": ("SK하이닉스", 1_180_000, 728_002_365),
    "373220": ("LG에너지솔루션", 410_000, 234_000_000),
    "207940": ("삼성바이오로직스", 1_720_000, 46_290_951),
    "005380": ("현대차", 512_000, 204_757_766),
    "000270": ("기아", 158_000, 390_333_863),
    "068270": ("셀트리온", 198_000, 230_000_000),
    "035420": ("NAVER", 243_000, 156_800_000),
    "105560": ("KB금융", 146_000, 381_000_000),
    "055550": ("신한지주", 92_500, 485_000_000),
}
"""Symbol → Korean name, yesterday's close in won (plausible, not the market's), listed shares."""

_AGE = 60 / 365
"""Years that a warrant still has when its price begins."""
_VOLATILITY = 0.285
"""A year's, of a price that moves by 1.8 % in a usual day."""
_SYMBOL = re.compile(r"[0-9][0-9A-Z]{5}|Q[0-9]{6}|[FJ][0-9A-Z]{8}")


def plausible(symbol: str) -> bool:
    """Tell whether KIS could have such a domestic stock symbol."""
    return _SYMBOL.fullmatch(symbol) is not None


def standard_symbol(symbol: str) -> str:
    """Return the ISIN of a symbol, with its check digit."""
    body = f"KR7{symbol[-6:]}00"
    digits = "".join(str(int(letter, 36)) for letter in body)
    doubled = [int(one) * (2 if place % 2 == 0 else 1) for place, one in enumerate(digits[::-1])]
    return f"{body}{-sum(sum(divmod(one, 10)) for one in doubled) % 10}"


def listing(symbol: str, seed: int) -> Listing:
    """Return the listing of a symbol, the same for the same seed."""
    draw = Random(f"listing {seed} {symbol}")  # noqa: S311 - a market, not a secret
    security = securities.find(symbol)
    warrant = find_warrant(symbol)
    if warrant is not None:
        name, base, shares = _warrant(warrant, seed)
    elif symbol in KNOWN:
        name, base, shares = KNOWN[symbol]
    elif security is not None and security.common:
        # A preferred share follows its common one at a discount.
        common = listing(security.common, seed)
        name, base = security.name, ticks.down(int(common.base * draw.uniform(0.6, 0.9)))
        shares = common.shares // 10
    else:
        name = security.name if security else f"모의{symbol}"
        base = ticks.down(int(math.exp(draw.uniform(math.log(1_500), math.log(300_000)))))
        shares = draw.randrange(5_000_000, 200_000_000)
    return Listing(symbol, name, base, shares, max(1_000, int(shares * draw.uniform(0.001, 0.01))))


def _warrant(warrant: Warrant, seed: int) -> tuple[str, int, int]:
    """Return name, base and number of a warrant: worth what it was at its usual age."""
    stock = listing(warrant.underlying, seed)
    worth = pricing.value(warrant.right(stock.base), stock.base, _AGE, _VOLATILITY)
    base = max(5, int(worth * warrant.ratio(stock.base)))
    side = "콜" if warrant.call else "풋"
    return f"모의{warrant.symbol}{stock.name}{side}", base, 10_000_000
