"""Domestic indices: quotation, charts and what they are compared with (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import islice

from bridge.simulator.exchange.securities import SECTORS
from bridge.simulator.history.figures import Figure, changes, percent
from bridge.simulator.history.instruments import Family
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.charts.chart_reply import (
    Block,
    ChartReply,
    bar_figures,
    count_of,
    day_of,
    grouped,
    minute_figures,
    period_of,
    previous,
    year,
)
from bridge.simulator.rest.params import InputError, Params

__all__ = ["IndexCharts"]

_INDEX: Family = "domestic_index"
_PERIODS = 100
_MINUTES = 102
_TICKS = 100
_LONGEST = 86_400
_NAMES = {"0001": "종합", "1001": "KOSDAQ", "2001": "KOSPI200", "3003": "KOSDAQ150"}
_COUNTS: Mapping[str, Figure] = {
    "advancing_count": 480,
    "upper_limit_count": 1,
    "unchanged_count": 70,
    "declining_count": 390,
    "lower_limit_count": 0,
}
"""How many stocks rise and fall, as the records of an index tell it."""
_SHARES = ("cumulative_volume", "previous_volume", "quantity")
_MONEY = ("cumulative_value", "previous_value", "value")


class IndexCharts(ChartReply):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_stock/inquire_index_price": self._price,
            "domestic_stock/inquire_index_daily_price": self._days,
            "domestic_stock/inquire_index_tickprice": self._ticks,
            "domestic_stock/inquire_index_timeprice": self._times,
            "domestic_stock/inquire_index_category_price": self._categories,
            "domestic_stock/inquire_daily_indexchartprice": self._periods,
            "domestic_stock/inquire_time_indexchartprice": self._minutes,
        }

    def _price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        head = self._head(_symbol(params), now)
        return self.reply("domestic_stock/inquire_index_price", {"output": head})

    def _days(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, until = _symbol(params), day_of(params, "FID_INPUT_DATE_1", now.date())
        head = self._head(symbol, now)
        rows = self._charts.rows(_INDEX, symbol, period_of(params), now, until=until, most=_PERIODS)
        blocks: dict[str, Block] = {
            "output1": head,
            "output2": [_scaled(bar_figures(row)) for row in rows],
        }
        return self.reply("domestic_stock/inquire_index_daily_price", blocks)

    def _periods(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, interval = _symbol(params), period_of(params)
        since, until = day_of(params, "FID_INPUT_DATE_1"), day_of(params, "FID_INPUT_DATE_2")
        head = self._head(symbol, now)
        rows = self._charts.rows(
            _INDEX, symbol, interval, now, since=since, until=until, most=_PERIODS
        )
        told = [_scaled(bar_figures(row)) | {"changed": "N"} for row in rows]
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        return self.reply("domestic_stock/inquire_daily_indexchartprice", blocks)

    def _minutes(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = _symbol(params)
        head = self._head(symbol, now)
        since = date.min if params.get("FID_PW_DATA_INCU_YN") == "Y" else now.date()
        rows = self._stretches(symbol, params, since, now)
        blocks: dict[str, Block] = {"output1": head, "output2": rows}
        return self.reply("domestic_stock/inquire_time_indexchartprice", blocks)

    def _times(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = _symbol(params)
        self._quotations.tape(_INDEX, symbol, now)
        rows = self._stretches(symbol, params, now.date(), now)
        return self.reply("domestic_stock/inquire_index_timeprice", {"output": rows})

    def _ticks(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        tape = self._quotations.tape(_INDEX, _symbol(params), now)
        rows = [
            _scaled(
                {
                    "time": f"{one.at:%H%M%S}",
                    "price": one.price,
                    "quantity": one.quantity,
                    "cumulative_volume": one.volume,
                    "cumulative_value": one.value,
                    **changes(one.price, tape.base),
                }
            )
            for one in list(tape.prints)[::-1][:_TICKS]
        ]
        return self.reply("domestic_stock/inquire_index_tickprice", {"output": rows})

    def _categories(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = _symbol(params)
        head = self._head(symbol, now)
        told = []
        for code, name in _listed(params.get("FID_MRKT_CLS_CODE", "K")):
            one = self._quotations.figures(_INDEX, code, now)
            told.append(_scaled(dict(one)) | {"name": name})
        whole = {path: sum(Decimal(one[path]) for one in told) for path in (_SHARES[0], _MONEY[0])}
        for one in told:
            for path, total in whole.items():
                one[f"{path}_share"] = percent(Decimal(one[path]), total)
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        return self.reply("domestic_stock/inquire_index_category_price", blocks)

    def _stretches(
        self, symbol: str, params: Params, since: date, now: datetime
    ) -> list[dict[str, Figure]]:
        """Return the rows of so many seconds each that a call asks for."""
        seconds = count_of(params, "FID_INPUT_HOUR_1", 60, _LONGEST)
        found = self._charts.minutes(_INDEX, symbol, now, now, since=since)
        stretches = grouped(found, max(1, seconds // 60))
        return [_scaled(minute_figures(one)) for one in islice(stretches, _MINUTES)]

    def _head(self, symbol: str, now: datetime) -> dict[str, Figure]:
        known = dict(self._quotations.figures(_INDEX, symbol, now))
        january = date(now.year, 1, 1)
        days = self._charts.rows(_INDEX, symbol, "day", now, since=january, most=262)
        price, base = Decimal(known["price"]), Decimal(known["previous_close"])
        known |= {**previous(days), **year(days, price), **_COUNTS}
        known |= {"name": _NAMES.get(symbol, f"업종{symbol}"), "previous_index": base}
        for point in ("open", "high", "low"):
            at = Decimal(known[point])
            known |= {
                f"{point}_from_previous": at - base,
                f"{point}_from_previous_rate": percent(at - base, base),
                f"{point}_change_sign": changes(at, base)["change_sign"],
            }
        return _scaled(known)


def _symbol(params: Params) -> str:
    symbol = params.get("FID_INPUT_ISCD", "")
    if not (len(symbol) == 4 and symbol.isdecimal() and symbol.isascii()):
        raise InputError("FID_INPUT_ISCD")
    return symbol


def _scaled(figures: dict[str, Figure]) -> dict[str, Figure]:
    """Return them with thousands of shares and millions of won, as KIS has them of an index."""
    for path in _SHARES:
        if path in figures:
            figures[path] = int(figures[path]) // 1_000
    for path in _MONEY:
        if path in figures:
            figures[path] = int(figures[path]) // 1_000_000
    return figures


def _listed(market: str) -> list[tuple[str, str]]:
    """Return the indices of a market: it as a whole, then its sectors."""
    if market == "Q":
        return [("1001", "KOSDAQ"), *((one.kosdaq, one.name) for one in SECTORS)]
    if market == "K2":
        return [("2001", "KOSPI200")]
    return [("0001", "종합"), *((one.kospi, one.name) for one in SECTORS)]
