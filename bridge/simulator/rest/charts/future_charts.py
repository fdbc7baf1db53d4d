"""Charts of overseas futures and options (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time
from functools import partial
from itertools import islice

from bridge.simulator.history.bars import Interval
from bridge.simulator.history.figures import Figure, changes
from bridge.simulator.history.instruments import Family
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.charts.chart_reply import (
    Block,
    ChartReply,
    bar_figures,
    count_of,
    grouped,
    minute_figures,
)
from bridge.simulator.rest.params import InputError, Params, text_of
from bridge.simulator.stream.feed import KEY

__all__ = ["FutureCharts"]

_FUTURE: Family = "overseas_derivative"
_MINUTES = 120
_ROWS = 40
_INTERVALS: tuple[tuple[str, Interval], ...] = (
    ("daily_ccnl", "day"),
    ("weekly_ccnl", "week"),
    ("monthly_ccnl", "month"),
)
_MOMENT = re.compile(r"([0-9]{8}) *([0-9]{6})?")
"""A day, and maybe a time, as KIS writes them in dates and in its keys."""


class FutureCharts(ChartReply):
    """Answers these calls; :meth:`handlers` says which.

    A page tells in ``index_key`` from where the next one goes back.
    """

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        found: dict[str, Handler] = {}
        for prefix, chart in (
            ("", "inquire_time_futurechartprice"),
            ("opt_", "inquire_time_optchartprice"),
        ):
            found[f"overseas_futureoption/{chart}"] = partial(self._minutes, chart)
            found[f"overseas_futureoption/{prefix}tick_ccnl"] = partial(
                self._ticks, f"{prefix}tick_ccnl"
            )
            for name, interval in _INTERVALS:
                found[f"overseas_futureoption/{prefix}{name}"] = partial(
                    self._days, f"{prefix}{name}", interval
                )
        return found

    def _days(
        self, name: str, interval: Interval, variant: str, params: Params, c: str, now: datetime
    ) -> Answer:
        symbol, count = _symbol(params), count_of(params, "QRY_CNT", _ROWS, _ROWS)
        tape = self._quotations.tape(_FUTURE, symbol, now)
        until = _until(params, now.astimezone(tape.instrument.zone)).date()
        rows = self._charts.rows(_FUTURE, symbol, interval, now, until=until, most=count + 1)
        told = [bar_figures(row) | {"time": "000000"} for row in rows[:count]]
        key = f"{rows[count].bar.last:%Y%m%d}" if len(rows) > count else ""
        return self._page(name, told, key)

    def _minutes(self, name: str, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, count = _symbol(params), count_of(params, "QRY_CNT", _MINUTES, _MINUTES)
        length = count_of(params, "QRY_GAP", 1, 1_440)
        tape = self._quotations.tape(_FUTURE, symbol, now)
        until = _until(params, now.astimezone(tape.instrument.zone))
        found = self._charts.minutes(_FUTURE, symbol, now, until)
        rows = list(islice(grouped(found, length), count + 1))
        told = [minute_figures(one) for one in rows[:count]]
        key = f"{rows[count].bar.start:%Y%m%d   %H%M%S}" if len(rows) > count else ""
        return self._page(name, told, key)

    def _ticks(self, name: str, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, count = _symbol(params), count_of(params, "QRY_CNT", _ROWS, _ROWS)
        tape = self._quotations.tape(_FUTURE, symbol, now)
        zone = tape.instrument.zone
        rows: Iterator[dict[str, Figure]] = (
            {
                "date": f"{one.at.astimezone(zone):%Y%m%d}",
                "time": f"{one.at.astimezone(zone):%H%M%S}",
                "open": one.price,
                "high": one.price,
                "low": one.price,
                "price": one.price,
                "quantity": one.quantity,
                "cumulative_volume": one.volume,
                **changes(one.price, tape.base),
            }
            for one in reversed(tape.prints)
        )
        return self._page(name, list(islice(rows, count)), "")

    def _page(self, name: str, rows: list[dict[str, Figure]], key: str) -> Answer:
        call = f"overseas_futureoption/{name}"
        head: dict[str, Figure] = {
            "record_count": len(rows),
            "last_tick_count": 0,
            "continuation_key": key,
        }
        blocks: dict[str, Block] = {}
        for output in self._catalog.apis[call].outputs:
            blocks[output.name] = rows if output.array else head
        return self.reply(call, blocks)


def _symbol(params: Params) -> str:
    symbol = text_of(params, "SRS_CD")
    if not KEY.fullmatch(symbol):
        raise InputError("SRS_CD")
    return symbol


def _until(params: Params, now: datetime) -> datetime:
    """Return the moment from which a page goes back: that of its key, or what was asked for."""
    follows = params.get("QRY_TP") == "P" and params.get("INDEX_KEY", "")
    name = "INDEX_KEY" if follows else "CLOSE_DATE_TIME"
    text = params.get(name, "")
    if not text:
        return now
    match = _MOMENT.fullmatch(text)
    try:
        day = datetime.strptime(match[1] if match else "", "%Y%m%d").date()  # noqa: DTZ007 - a day
        clock = time.fromisoformat(match[2]) if match and match[2] else time(23, 59, 59)
    except ValueError as error:
        raise InputError(name) from error
    return min(now, datetime.combine(day, clock, now.tzinfo))
