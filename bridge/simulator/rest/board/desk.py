"""What all market-wide answers are made with (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from bridge.catalog.model import Api, Catalog, FieldType
from bridge.simulator.board.finance import Finance
from bridge.simulator.board.flows import Flows
from bridge.simulator.board.past import HistoryDays
from bridge.simulator.board.quotes import Quotes
from bridge.simulator.board.rights import RightsCalendar
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.rest.answers import Answer, Row, blank, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.settings import SimulatorSettings

__all__ = ["Blocks", "BoardDesk", "Telling", "count_of", "date_of", "limits_of"]

_PAGE = 100
"""Rows of a page, where a call has pages."""

Blocks = Mapping[str, Mapping[str, object] | Sequence[Mapping[str, object]]]
"""Values by block and name; what a block does not name stays blank."""
Telling = Callable[[Params, datetime], Blocks]
"""Answers a call: parameters, now."""


@dataclass(frozen=True, slots=True)
class BoardDesk:
    """The sources, and how their values become an answer."""

    catalog: Catalog
    settings: SimulatorSettings
    quotes: Quotes
    past: HistoryDays
    finance: Finance
    flows: Flows
    rights: RightsCalendar
    tapes: Tapes
    """Prices of what has no order book."""

    def handlers(self, tellings: Mapping[str, Telling]) -> dict[str, Handler]:
        """Return what answers each call that the workbook has."""
        return {
            name: self._handler(self.catalog.apis[name], telling)
            for name, telling in tellings.items()
            if name in self.catalog.apis
        }

    def _handler(self, api: Api, telling: Telling) -> Handler:
        def handle(variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
            outputs, mark = paged(api, telling(params, now), params, tr_cont)
            return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs, mark)

        return handle


def paged(api: Api, blocks: Blocks, params: Params, tr_cont: str) -> tuple[Row, str]:
    """Return the page of the longest block that is asked for, and ``tr_cont``.

    The key of the next page is the number of the row that begins it.
    """
    names = [one.name.upper() for one in api.params if one.path.startswith("continuation")]
    if not names or api.pages not in ("key", "tr_cont+ctx_area"):
        return _filled(api, blocks), ""
    key = next((name for name in names if "FK" not in name), names[0])
    start = 0
    if api.pages == "key" or tr_cont == "N":
        start = count_of({key: params.get(key, "").strip()}, key, 100_000)
    block = next((one.name for one in api.outputs if one.array and one.name in blocks), "")
    rows = blocks.get(block, [])
    more = not isinstance(rows, Mapping) and len(rows) > start + _PAGE
    page = rows if isinstance(rows, Mapping) else rows[start : start + _PAGE]
    filled = _filled(api, {**blocks, block: page})
    for name in names:
        # KIS pads these keys to the width that their names say.
        width = int(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") or 0)
        filled[name.lower()] = (str(start + _PAGE) if more and name == key else "").ljust(width)
    if api.pages == "key":
        return filled, ""
    return filled, ("M" if start else "F") if more else ("E" if start else "D")


def _filled(api: Api, blocks: Blocks) -> Row:
    """Return the blocks of an answer with every field that the workbook names, as text."""
    outputs: Row = {}
    for output in api.outputs:
        empty = blank(api, output.name)
        given = blocks.get(output.name, [] if output.array else {})
        rows = [given] if isinstance(given, Mapping) else given
        types = {one.name: one.type for one in output.fields}
        told = [
            empty | {name: _text(row[name], types[name]) for name in empty.keys() & row.keys()}
            for row in rows
        ]
        outputs[output.name] = told if output.array else next(iter(told), empty)
    return outputs


def _text(value: object, kind: FieldType) -> str:
    """Return a value as KIS writes it: days with strokes where they are no dates by their type."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"{value:%Y%m%d}" if kind == "date" else f"{value:%Y/%m/%d}"
    return str(value)


def limits_of(params: Params, *names: str) -> tuple[Decimal | None, Decimal | None]:
    """Return the least and the most that two parameters ask for; blank and 0 ask for nothing."""
    least, most = (_number(params, name) for name in names)
    return least or None, most or None


def count_of(params: Params, name: str, most: int = 250) -> int:
    """Return a number of days or rows; blank is 0."""
    text = params.get(name, "") or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > 12 or int(text) > most:
        raise InputError(name)
    return int(text)


def date_of(params: Params, name: str, otherwise: date) -> date:
    """Return a date of the request; blank is another one."""
    text = params.get(name, "")
    if not text.strip("0"):
        return otherwise
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date
    except ValueError as error:
        raise InputError(name) from error


def _number(params: Params, name: str) -> Decimal | None:
    text = params.get(name, "")
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise InputError(name) from error
    if not number.is_finite():
        raise InputError(name)
    return number
