"""Values of a row by the type and the English path of each field (pure, seeded)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from bridge.catalog.model import Code, Field
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.facts import Facts
from bridge.simulator.rest.params import Params

__all__ = ["RowSubject", "row"]

_LEVEL = re.compile(r"(asks|bids)\[(\d+)\]\.(price|quantity)")
_ECHOED = frozenset(
    ("symbol", "exchange", "currency", "market", "account_no", "account_product", "product_type")
)
"""What an answer repeats of the request."""


@dataclass(frozen=True, slots=True)
class RowSubject:
    """What a row is about."""

    now: datetime
    facts: Facts | None
    rank: int = 0
    """Its place in the list."""
    back: int = 0
    """How many days or minutes before now."""
    order_no: str = ""


def row(
    fields: Sequence[Field],
    codes: Mapping[str, tuple[Code, ...]],
    params: Params,
    subject: RowSubject,
    draw: Random,
) -> Row:
    """Return a row of text values, as KIS writes them."""
    return {field.name: _value(field, codes, params, subject, draw) for field in fields}


def _value(
    field: Field,
    codes: Mapping[str, tuple[Code, ...]],
    params: Params,
    subject: RowSubject,
    draw: Random,
) -> str:
    known = subject.facts
    if known is not None and (told := _told(field, known)):
        return told
    if (asked := params.get(field.name.upper(), "")) and field.path in _ECHOED:
        return asked
    if subject.order_no and field.path in ("order_no", "original_order_no"):
        return subject.order_no
    match field.type:
        case "sign":
            return known.sign if known else "3"
        case "date":
            return f"{subject.now - timedelta(days=subject.back):%Y%m%d}"
        case "time":
            return f"{subject.now - timedelta(minutes=subject.back):%H%M%S}"
        case "code":
            listed = codes.get(field.codes)
            return draw.choice(listed).code if listed else ""
        case "string":
            return ""
        case "int" | "decimal":
            if field.path == "rank":
                return str(subject.rank + 1)
            number = Decimal(draw.randrange(100, 100_000)) / 100
            return _number(field, number)


def _told(field: Field, known: Facts) -> str:
    """Return a value that is known; blank where none is."""
    level = _LEVEL.fullmatch(field.path)
    if level:
        side = known.asks if level[1] == "asks" else known.bids
        place = int(level[2])
        if place < len(side):
            price, size = side[place]
            return _number(field, price if level[3] == "price" else size, known.decimals)
        return ""
    values: dict[str, Decimal | int | str | None] = {
        "symbol": known.symbol,
        "name": known.name,
        "price": known.price,
        "close": known.price,
        "open": known.open,
        "high": known.high,
        "low": known.low,
        "change": known.change,
        "change_sign": known.sign,
        "cumulative_volume": known.volume,
        "cumulative_value": known.value,
        "previous_close": known.base,
        "base_price": known.base,
        "previous_volume": known.previous_volume,
        "upper_limit": known.upper,
        "lower_limit": known.lower,
        "listed_shares": known.shares,
        "decimals": known.decimals,
    }
    if field.path == "change_rate":
        return _number(field, known.rate)
    value = values.get(field.path)
    if value is None:
        return ""
    return value if isinstance(value, str) else _number(field, value, known.decimals)


def _number(field: Field, number: Decimal | int, decimals: int = 2) -> str:
    number = number * 10**field.scale
    return str(int(number)) if field.type == "int" else f"{Decimal(number):.{decimals or 2}f}"
