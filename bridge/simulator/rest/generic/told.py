"""Which fields of a row are known, by their English path, and what they are (pure)."""

from __future__ import annotations

import re
from decimal import Decimal

from bridge.catalog.model import Field
from bridge.simulator.rest.facts import Facts

__all__ = ["Number", "Told", "number"]

Number = Decimal | int
_LEVEL = re.compile(r"(asks|bids)\[(\d+)\]\.(price|quantity)")
_SAME = re.compile(r"(?:after_hours_|expected_|after_hours_expected_)(?=\w)")
"""Of these prices nothing else is known: they are those of the day."""
_AGAINST = re.compile(r"(open|high|low)_(change|change_sign|change_rate)")
_CENT = Decimal("0.01")
_EOK = 10**8
"""The unit in which KIS writes market capitalisations: a hundred million won."""


class Told:
    """What is known of a symbol, by field."""

    def __init__(self, known: Facts) -> None:
        self._known = known
        self._day = _day(known)

    def value(self, field: Field) -> str | None:
        """Return the value of a field; None where it is not known."""
        known = self._known
        value: Number | str | None
        if level := _LEVEL.fullmatch(field.path):
            side = known.asks if level[1] == "asks" else known.bids
            place = int(level[2])
            price, size = side[place] if place < len(side) else (None, None)
            value = price if level[3] == "price" else size
        else:
            value = self._of(field, _SAME.sub("", field.path))
        if value is None or (field.type == "sign" and not isinstance(value, str)):
            return None
        if isinstance(value, str):
            return value
        return number(field, value, 2 if field.path.endswith("rate") else known.decimals)

    def _of(self, field: Field, path: str) -> Number | str | None:
        known = self._known
        if against := _AGAINST.fullmatch(path):
            price = {"open": known.open, "high": known.high, "low": known.low}[against[1]]
            return _change(against[2], price, known.base)
        if path == "market_cap" and known.shares:
            worth = known.price * known.shares
            return worth // _EOK if field.name.lower().endswith("avls") else worth
        return self._day.get(path)


def number(field: Field, value: Number, decimals: int = 2) -> str:
    """Write a number as KIS does: without a sign where a sign code beside it has that."""
    exact = Decimal(value) * 10**field.scale
    if field.signed_by:
        exact = abs(exact)
    return str(int(exact)) if field.type == "int" else f"{exact:.{decimals or 2}f}"


def _day(known: Facts) -> dict[str, Number | str | None]:
    step = _CENT if known.decimals else Decimal(1)
    ask = known.asks[0] if known.asks else (known.price + step, None)
    bid = known.bids[0] if known.bids else (known.price - step, None)
    return {
        "symbol": known.symbol,
        "short_symbol": known.symbol,
        "name": known.name,
        "short_name": known.name,
        "english_name": known.name,
        "price": known.price,
        "close": known.price,
        "open": known.open,
        "high": known.high,
        "low": known.low,
        "ask": ask[0],
        "bid": bid[0],
        "ask_quantity": ask[1],
        "bid_quantity": bid[1],
        "change": known.change,
        "change_sign": known.sign,
        "change_rate": known.rate,
        "cumulative_volume": known.volume,
        "volume": known.volume,
        "cumulative_value": known.value,
        "previous_close": known.base,
        "base_price": known.base,
        "previous_volume": known.previous_volume,
        "upper_limit": known.upper,
        "lower_limit": known.lower,
        "listed_shares": known.shares,
        "decimals": known.decimals,
    }


def _change(what: str, price: Decimal, base: Decimal) -> Number | str:
    difference = price - base
    if what == "change":
        return difference
    if what == "change_rate":
        return difference / base * 100 if base else Decimal(0)
    return "3" if not difference else "2" if difference > 0 else "5"
