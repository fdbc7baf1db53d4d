"""Futures and options of the exchange: multipliers, ticks, limits, margins and fees (pure data).

Multipliers and ticks are KRX's; rates of margins and fees, and first prices, are plausible ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

__all__ = ["PRODUCTS", "Board", "Product", "Underlying", "step"]

Board = Literal["index", "stock", "commodity"]
"""What KIS files a product under: F and O, JF and JO, CF."""

Ticks = Sequence[tuple[Decimal | None, Decimal]]
"""Below that price, that tick; None: from there on."""


@dataclass(frozen=True, slots=True)
class Underlying:
    """What a product is about."""

    symbol: str
    """Of the index or stock that the simulator has a price of; of anything else KIS's own word."""
    name: str
    english: str
    about: Decimal
    """A plausible price."""
    volatility: float


@dataclass(frozen=True, slots=True)
class Product:
    """Contracts that differ in nothing but expiry and strike."""

    code: str
    """Second and third character of a symbol."""
    name: str
    underlying: Underlying
    board: Board
    multiplier: Decimal
    """Won a point."""
    ticks: Ticks
    option_ticks: Ticks = ()
    """Empty: there are no options of it."""
    strike_step: Decimal = Decimal(0)
    strike_scale: Decimal = Decimal(1)
    """What the three digits of a strike are counted in."""
    limit: Decimal = Decimal("0.08")
    """How far a price may go from the day's base, as a part of the underlying for an option."""
    margin: Decimal = Decimal("0.105")
    """Initial margin of a future as a part of its worth."""
    maintenance: Decimal = Decimal("0.07")
    fee: Decimal = Decimal("0.00003")
    """Part of the amount of a trade."""
    option_fee: Decimal = Decimal("0.0015")
    months: tuple[int, ...] = (3, 6, 9, 12)
    """In which futures expire; options expire in each."""
    night: bool = False
    market_class: str = ""
    """KIS's name on its boards."""
    weekly: int | None = None
    """Weekday of an option that expires each week."""
    most: int = 2_000
    """Contracts of an order."""


def step(ticks: Ticks, price: Decimal) -> Decimal:
    """Return the tick at a price."""
    return next(tick for below, tick in ticks if below is None or price < below)


def _one(tick: str) -> Ticks:
    return ((None, Decimal(tick)),)


_KOSPI200 = Underlying("2001", "KOSPI200", "KOSPI 200", Decimal("530.00"), 0.19)
_KOSDAQ150 = Underlying("3003", "KOSDAQ150", "KOSDAQ 150", Decimal("1450.00"), 0.26)
_OPTION = ((Decimal(10), Decimal("0.01")), (None, Decimal("0.05")))
_MINI_OPTION = (
    (Decimal(3), Decimal("0.01")),
    (Decimal(10), Decimal("0.02")),
    (None, Decimal("0.05")),
)
_KOSDAQ_OPTION = ((Decimal(50), Decimal("0.1")), (None, Decimal("0.5")))
_STOCK = (
    (Decimal(10_000), Decimal(10)),
    (Decimal(50_000), Decimal(50)),
    (Decimal(100_000), Decimal(100)),
    (Decimal(500_000), Decimal(500)),
    (None, Decimal(1_000)),
)
_ALL = tuple(range(1, 13))
_2_5, _POINT = Decimal("2.5"), Decimal(250_000)


def _share(code: str, symbol: str, name: str, english: str, about: int) -> Product:
    return Product(
        *(code, f"{name} F", Underlying(symbol, name, english, Decimal(about), 0.3), "stock"),
        *(Decimal(10), _STOCK),
        limit=Decimal("0.1"),
        margin=Decimal("0.18"),
        maintenance=Decimal("0.12"),
        months=_ALL,
    )


def _other(
    code: str, name: str, word: str, about: str, multiplier: int, tick: str, margin: str
) -> Product:
    return Product(
        *(code, f"{name} F", Underlying(word, name, word, Decimal(about), 0.08), "commodity"),
        *(Decimal(multiplier), _one(tick)),
        limit=Decimal("0.045"),
        margin=Decimal(margin),
        maintenance=Decimal(margin) * 2 / 3,
        months=(3, 6, 9, 12) if word.startswith("B") else _ALL,
        night=True,
    )


PRODUCTS = {
    product.code: product
    for product in (
        Product(
            *("01", "KOSPI200", _KOSPI200, "index", _POINT, _one("0.05"), _OPTION, _2_5),
            night=True,
        ),
        Product(
            *("05", "미니 KOSPI200", _KOSPI200, "index", Decimal(50_000), _one("0.02")),
            *(_MINI_OPTION, _2_5),
            months=_ALL,
            night=True,
            market_class="MKI",
        ),
        Product(
            *("06", "KOSDAQ150", _KOSDAQ150, "index", Decimal(10_000), _one("0.1")),
            *(_KOSDAQ_OPTION, Decimal(25), Decimal(5)),
            margin=Decimal("0.135"),
            maintenance=Decimal("0.09"),
            night=True,
            market_class="KQI",
        ),
        Product(
            *("09", "KOSPI200 위클리(목)", _KOSPI200, "index", _POINT, _one("0.05"), _OPTION),
            _2_5,
            months=(),
            market_class="WKI",
            weekly=3,
            night=True,
        ),
        Product(
            *("AF", "KOSPI200 위클리(월)", _KOSPI200, "index", _POINT, _one("0.05"), _OPTION),
            _2_5,
            months=(),
            market_class="WKM",
            weekly=0,
            night=True,
        ),
        _share("11", "005930", "삼성전자", "Samsung Electronics", 97_500),
        _share("16", "005380", "현대차", "Hyundai Motor", 250_000),
        _share("50", "000660", "SK하이닉스", "SK hynix", 560_000),
        _other("65", "3년국채", "B03", "105.50", 1_000_000, "0.01", "0.009"),
        _other("66", "5년국채", "B05", "107.20", 1_000_000, "0.01", "0.015"),
        _other("67", "10년국채", "B10", "112.80", 1_000_000, "0.01", "0.03"),
        _other("75", "미국달러", "USD", "1465.0", 10_000, "0.1", "0.054"),
        _other("76", "엔", "JPY", "941.0", 10_000, "0.1", "0.063"),
        _other("77", "유로", "EUR", "1698.0", 10_000, "0.1", "0.06"),
        _other("88", "금", "GLD", "193000", 100, "10", "0.09"),
    )
}
"""By code. Rates and currencies have the codes of their real contracts."""
