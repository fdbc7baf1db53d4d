"""Values of a row by the type and the English path of each field (pure, seeded)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from bridge.catalog.model import Code, Field
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.facts import Facts
from bridge.simulator.rest.generic import invented
from bridge.simulator.rest.generic.told import Told
from bridge.simulator.rest.params import Params

__all__ = ["ROW_COUNTS", "RowSubject", "row"]

_REPEATED = frozenset(
    ("symbol", "exchange", "currency", "market", "account_no", "account_product", "product_type")
)
"""What an answer says again of the request."""
ROW_COUNTS = frozenset(("record_count", "current_count", "total_count"))
"""Fields that say how many rows there are beside them."""
_USUAL = {
    "domestic_futureoption": {"currency": "KRW"},
    "overseas_stock": {"currency": "USD", "exchange": "NAS", "country": "840"},
    "overseas_futureoption": {"currency": "USD", "exchange": "CME"},
}
"""Codes of a market, where neither the request nor a list tells them."""


@dataclass(frozen=True, slots=True)
class RowSubject:
    """What a row is about."""

    category: str
    now: datetime
    facts: Facts | None
    rank: int = 0
    """Its place in the list."""
    back: int = 0
    """How many days or minutes before now."""
    rows: int = 0
    """How many there are beside it."""
    order_no: str = ""

    @property
    def day(self) -> datetime:
        """So many weekdays before today."""
        weeks, days = divmod(self.back, 5)
        at = self.now - timedelta(days=max(0, self.now.weekday() - 4))
        over = 2 if days > at.weekday() else 0
        return at - timedelta(weeks=weeks, days=days + over)


def row(
    fields: Sequence[Field],
    codes: Mapping[str, tuple[Code, ...]],
    params: Params,
    subject: RowSubject,
    draw: Random,
) -> Row:
    """Return a row of text values, as KIS writes them."""
    told = Told(subject.facts) if subject.facts else None
    return {field.name: _value(field, told, codes, params, subject, draw) for field in fields}


def _value(
    field: Field,
    told: Told | None,
    codes: Mapping[str, tuple[Code, ...]],
    params: Params,
    subject: RowSubject,
    draw: Random,
) -> str:
    known, path = subject.facts, field.path
    if told is not None and (value := told.value(field)) is not None:
        return value
    if path in _REPEATED and (asked := params.get(field.name.upper(), "")):
        return asked
    if path == "key" and known is not None:
        return f"D{params.get('EXCD', 'NAS')}{known.symbol}"
    if subject.order_no and path.endswith("order_no"):
        return subject.order_no
    match field.type:
        case "sign":
            return known.sign if known else "3"
        case "date":
            at = known.at if known else None
            return invented.day(field, at or subject.day, draw)
        case "time":
            return f"{subject.now - timedelta(minutes=subject.back):%H%M%S}"
        case "code":
            listed = codes.get(field.codes)
            if listed:
                return draw.choice(listed).code
            usual = _USUAL.get(subject.category, {}).get(path)
            return usual or invented.code(field, draw)
        case "string":
            return invented.text(field, subject.now, draw)
        case "int" | "decimal":
            if path == "rank":
                return str(subject.rank + 1)
            if path in ROW_COUNTS:
                return str(subject.rows)
            return invented.amount(field, known, draw)
