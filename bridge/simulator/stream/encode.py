"""Values to wire text, in the layout KIS uses today (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from bridge.catalog.model import Channel, FieldType, Layout
from bridge.kis.crypto import encrypt

__all__ = ["Encoder", "Value", "Values", "frame", "sealed"]

Value = str | int | Decimal | None
Values = dict[str, Value]
"""A record by KIS's names."""

_BLANK: dict[FieldType, str] = {
    "int": "0",
    "decimal": "0.00",
    "sign": "3",
    "time": "000000",
    "date": "",
    "code": "",
    "string": "",
}


class Encoder:
    """Writes the records of one channel.

    ``width`` picks an older layout; 0 is the one to expect today. Values are given by KIS name or
    by English path; names the layout does not have are ignored, values not given are what KIS sends
    when it has nothing to say.
    """

    def __init__(self, channel: Channel, width: int = 0) -> None:
        found = channel.layout(width) if width else channel.layouts[0]
        if found is None:
            known = ", ".join(str(layout.width) for layout in channel.layouts)
            raise ValueError(f"{channel.tr_id} has no layout of {width} values (it has {known})")
        self.layout: Layout = found
        self._blank = [_BLANK[field.type] for field in found.fields]
        self._blank += [""] * (found.width - len(found.fields))
        self._places: dict[str, int] = {}
        for place, field in enumerate(found.fields):
            self._places[field.path] = place
        for place, field in enumerate(found.fields):
            self._places[field.name] = place

    def place(self, name: str) -> int | None:
        """Return where a value stands in the record."""
        return self._places.get(name)

    def cells(self, values: Mapping[str, Value]) -> list[str]:
        """Return the values of a record in the order of the wire."""
        cells = self._blank.copy()
        places = self._places
        for name, value in values.items():
            place = places.get(name)
            if place is not None:
                cells[place] = value if type(value) is str else _text(value)
        return cells

    def record(self, values: Mapping[str, Value]) -> str:
        return "^".join(self.cells(values))


def frame(tr_id: str, records: Sequence[str]) -> str:
    """Return a plain data frame of one or more records."""
    return f"0|{tr_id}|{len(records):03d}|{'^'.join(records)}"


def sealed(tr_id: str, record: str, key: str, iv: str) -> str:
    """Return the encrypted frame of one notice."""
    return f"1|{tr_id}|001|{encrypt(record, key, iv)}"


def _text(value: Value) -> str:
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)
