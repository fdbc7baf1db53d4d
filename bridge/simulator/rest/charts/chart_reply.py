"""Rows and answers that all charts have in common (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from bridge.catalog.model import Catalog
from bridge.simulator.history.bars import Bar, Interval, joined
from bridge.simulator.history.charts import ChartMinute, ChartRow, Charts
from bridge.simulator.history.figures import Figure, changes, of_bar
from bridge.simulator.rest.answers import Answer, Row, padded
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.rest.quotations import Quotations, told

__all__ = [
    "Block",
    "ChartReply",
    "bar_figures",
    "clock_of",
    "count_of",
    "day_of",
    "grouped",
    "minute_figures",
    "period_of",
    "previous",
    "year",
]

_PERIODS: Mapping[str, Interval] = {"D": "day", "W": "week", "M": "month", "Y": "year"}

Block = Mapping[str, Figure] | Sequence[Mapping[str, Figure]]


def period_of(params: Params, name: str = "FID_PERIOD_DIV_CODE") -> Interval:
    """Return the length of a bar that a call asks for."""
    found = _PERIODS.get(params.get(name, ""))
    if found is None:
        raise InputError(name)
    return found


def day_of(params: Params, name: str, blank: date | None = None) -> date:
    """Return a day, ``blank`` where none is given."""
    text = params.get(name, "")
    if not text and blank is not None:
        return blank
    if text == "00000101":
        # A client in use asks so for all there is; KIS takes it, and Python has no such year.
        return date.min
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day
    except ValueError as error:
        raise InputError(name) from error


def clock_of(params: Params, name: str, blank: time | None = None) -> time:
    """Return a time of day, ``blank`` where none is given."""
    text = params.get(name, "")
    if not text and blank is not None:
        return blank
    try:
        return datetime.strptime(text, "%H%M%S").time()  # noqa: DTZ007 - a time of day
    except ValueError as error:
        raise InputError(name) from error


def count_of(params: Params, name: str, blank: int, most: int) -> int:
    """Return a number that is at least 1, and at most what KIS gives."""
    text = params.get(name, "")
    if not text:
        return blank
    if not (text.isdecimal() and text.isascii() and len(text) <= 6):
        raise InputError(name)
    return min(max(1, int(text)), most)


def bar_figures(row: ChartRow) -> dict[str, Figure]:
    """Return what a chart tells of a day or a longer stretch."""
    return of_bar(row.bar, row.before)


def minute_figures(minute: ChartMinute) -> dict[str, Figure]:
    """Return what a chart tells of a minute: its own trades, and those of the day until its end."""
    return of_bar(minute.bar, minute.before) | {
        "cumulative_volume": minute.volume,
        "cumulative_value": minute.value,
    }


def grouped(minutes: Iterable[ChartMinute], length: int) -> Iterator[ChartMinute]:
    """Join minutes, the newest first, to stretches of so many minutes of the day."""
    parts: list[ChartMinute] = []
    for one in minutes:
        if parts and _stretch(one.bar, length) != _stretch(parts[0].bar, length):
            yield _joined(parts, length)
            parts = []
        parts.append(one)
    if parts:
        yield _joined(parts, length)


def _stretch(bar: Bar, length: int) -> tuple[date, int]:
    return bar.day, (bar.start.hour * 60 + bar.start.minute) // length


def _joined(parts: list[ChartMinute], length: int) -> ChartMinute:
    bar = joined(one.bar for one in reversed(parts))
    minute = (bar.start.hour * 60 + bar.start.minute) // length * length
    start = bar.start.replace(hour=minute // 60, minute=minute % 60)
    newest = parts[0]
    named = Bar(start, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.value, bar.last)
    return ChartMinute(named, newest.volume, newest.value, newest.before)


class ChartReply:
    """What every handler of charts has."""

    def __init__(self, catalog: Catalog, charts: Charts, quotations: Quotations) -> None:
        self._catalog, self._charts, self._quotations = catalog, charts, quotations

    def reply(
        self,
        name: str,
        blocks: Mapping[str, Block],
        *,
        decimals: int | None = None,
        tr_cont: str = "",
        beside: Row | None = None,
    ) -> Answer:
        """Answer a call with its blocks by name; one that is not given stays out."""
        outputs: Row = dict(beside or {})
        for output in self._catalog.apis[name].outputs:
            figures = blocks.get(output.name)
            if figures is None:
                continue
            if isinstance(figures, Mapping):
                row = told(output.fields, figures, decimals)
                outputs[output.name] = [row] if output.array else row
            else:
                outputs[output.name] = [told(output.fields, one, decimals) for one in figures]
        text = padded("정상처리 되었습니다.", 80)
        return Answer("0", "MCA00000", text, outputs, tr_cont)


def previous(rows: Sequence[ChartRow]) -> dict[str, Figure]:
    """Return the figures of the day before the newest of some."""
    if len(rows) < 2:
        return {}
    bar = rows[1].bar
    return {
        "previous_open": bar.open,
        "previous_high": bar.high,
        "previous_low": bar.low,
        "previous_value": bar.value,
    }


def year(rows: Iterable[ChartRow], price: Decimal) -> dict[str, Figure]:
    """Return the highest and the lowest price of days of this year, and how far the price is."""
    bars = [row.bar for row in rows]
    if not bars:
        return {}
    top, bottom = max(bars, key=lambda bar: bar.high), min(bars, key=lambda bar: bar.low)
    return {
        "year_high": top.high,
        "year_high_date": f"{top.day:%Y%m%d}",
        "high_year_rate": changes(price, top.high)["change_rate"],
        "year_low": bottom.low,
        "year_low_date": f"{bottom.day:%Y%m%d}",
        "low_year_rate": changes(price, bottom.low)["change_rate"],
    }
