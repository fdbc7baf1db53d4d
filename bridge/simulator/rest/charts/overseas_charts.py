"""Charts of overseas stocks, indices, currencies and rates (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice

from bridge.runtime.clock import SEOUL
from bridge.simulator.history.charts import ChartMinute
from bridge.simulator.history.figures import Figure, changes, percent
from bridge.simulator.history.instruments import Family, family_of_code
from bridge.simulator.history.tapes import Tape, TapePrint
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
)
from bridge.simulator.rest.params import InputError, Params, text_of
from bridge.simulator.stream.feed import KEY

__all__ = ["OverseasCharts"]

_STOCK: Family = "overseas_stock"
_ROWS = 100
_MINUTES = 120
_INDEX_MINUTES = 102
_TRADES = 60
_PERIODS: Mapping[str, str] = {"0": "D", "1": "W", "2": "M"}
_EXCHANGES = frozenset(
    (
        *("NYS", "NAS", "AMS", "HKS", "SHS", "SZS", "HSX", "HNX", "TSE"),
        *("BAY", "BAQ", "BAA", "SHI", "SZI"),
    )
)
_UNITED_STATES = frozenset(("NYS", "NAS", "AMS", "BAY", "BAQ", "BAA"))
_HOURS = {"America/New_York": ("093000", "160000"), "Asia/Hong_Kong": ("093000", "160000")}
_USUAL_HOURS = ("090000", "150000")
_MARKETS = frozenset(("N", "X", "I", "S"))
"""Indices, currencies, government bonds, gold."""


class OverseasCharts(ChartReply):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/price": self._price,
            "overseas_stock/dailyprice": self._days,
            "overseas_stock/inquire_daily_chartprice": self._periods,
            "overseas_stock/inquire_time_itemchartprice": self._minutes,
            "overseas_stock/inquire_time_indexchartprice": self._index_minutes,
            "overseas_stock/quot_inquire_ccnl": self._trades,
        }

    # stocks

    def _price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, exchange = _stock(params)
        figures = _signed(dict(self._quotations.figures(_STOCK, symbol, now, exchange)))
        figures |= _key(symbol, exchange)
        decimals = int(figures["decimals"])
        return self.reply("overseas_stock/price", {"output": figures}, decimals=decimals)

    def _days(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, exchange = _stock(params)
        interval = period_of({"GUBN": _PERIODS.get(params.get("GUBN", ""), "")}, "GUBN")
        tape = self._quotations.tape(_STOCK, symbol, now, exchange)
        # Blank is today. A key of KIS's is the day with which the next page begins.
        until = day_of(params, "KEYB", day_of(params, "BYMD", tape.day or now.date()))
        rows = self._charts.rows(
            _STOCK, symbol, interval, now, until=until, most=_ROWS + 1, venue=exchange
        )
        told = [_signed(bar_figures(row)) | _spread(tape, row.bar.close) for row in rows[:_ROWS]]
        head = _key(symbol, exchange) | {"record_count": len(told)}
        beside = {"keyb": f"{rows[_ROWS].bar.last:%Y%m%d}" if len(rows) > _ROWS else ""}
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        return self.reply(
            "overseas_stock/dailyprice", blocks, decimals=int(head["decimals"]), beside=beside
        )

    def _minutes(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, exchange = _stock(params)
        length = count_of(params, "NMIN", 1, 1_440)
        count = count_of(params, "NREC", _MINUTES, _MINUTES)
        tape = self._quotations.tape(_STOCK, symbol, now, exchange)
        zone = tape.instrument.zone
        until = _moment(params, "KEYB", now.astimezone(zone))
        today = tape.day or now.date()
        since = date.min if params.get("PINC") == "1" else today
        found = self._charts.minutes(_STOCK, symbol, now, until, venue=exchange, since=since)
        rows = list(islice(grouped(found, length), count + 1))
        opens, closes = _HOURS.get(zone.key, _USUAL_HOURS)
        head = _key(symbol, exchange) | {
            "open_time": opens,
            "close_time": closes,
            "korea_open_time": _korean(opens, today, tape),
            "korea_close_time": _korean(closes, today, tape),
            "next_key": "1" if len(rows) > count else "",
            "more": "1" if len(rows) > count else "0",
            "record_count": min(count, len(rows)),
        }
        told = [_overseas_minute(one) for one in rows[:count]]
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        name = "overseas_stock/inquire_time_itemchartprice"
        return self.reply(name, blocks, decimals=int(head["decimals"]))

    def _trades(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, exchange = _stock(params)
        tape = self._quotations.tape(_STOCK, symbol, now, exchange)
        if params.get("TDAY", "1") == "1":
            rows = [_told(one, tape) for one in list(tape.prints)[::-1][:_TRADES]]
        else:
            rows = self._yesterday(symbol, exchange, tape, now)
        head = _key(symbol, exchange) | {"record_count": len(rows)}
        blocks: dict[str, Block] = {"output1": head, "output2": rows}
        return self.reply(
            *("overseas_stock/quot_inquire_ccnl", blocks),
            decimals=int(head["decimals"]),
            beside={"keyb": ""},
        )

    def _yesterday(
        self, symbol: str, exchange: str, tape: Tape, now: datetime
    ) -> list[dict[str, Figure]]:
        """Return the ends of the last minutes of the day before: each as one trade."""
        until = datetime.combine(tape.day or now.date(), time(0), tape.instrument.zone)
        found = self._charts.minutes(
            _STOCK, symbol, now, until - timedelta(seconds=1), venue=exchange
        )
        return [
            _signed(minute_figures(one))
            | {"korea_time": f"{one.bar.start.astimezone(SEOUL):%H%M%S}", "market_class": "1"}
            for one in islice(found, _TRADES)
        ]

    # indices and the like

    def _periods(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, family = self._index(params), self._family(params)
        interval = period_of(params)
        since, until = day_of(params, "FID_INPUT_DATE_1"), day_of(params, "FID_INPUT_DATE_2")
        head = dict(self._quotations.figures(family, symbol, now)) | {"name": symbol}
        rows = self._charts.rows(
            family, symbol, interval, now, since=since, until=until, most=_ROWS
        )
        told = [bar_figures(row) | {"changed": "N"} for row in rows]
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        return self.reply("overseas_stock/inquire_daily_chartprice", blocks)

    def _index_minutes(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, family = self._index(params), self._family(params)
        head = dict(self._quotations.figures(family, symbol, now)) | {"name": symbol}
        tape = self._quotations.tape(family, symbol, now)
        since = date.min if params.get("FID_PW_DATA_INCU_YN") == "Y" else tape.day or now.date()
        found = self._charts.minutes(family, symbol, now, now, since=since)
        told = [minute_figures(one) for one in islice(found, _INDEX_MINUTES)]
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        return self.reply("overseas_stock/inquire_time_indexchartprice", blocks)

    def _index(self, params: Params) -> str:
        if params.get("FID_COND_MRKT_DIV_CODE") not in _MARKETS:
            raise InputError("FID_COND_MRKT_DIV_CODE")
        return _checked(text_of(params, "FID_INPUT_ISCD"), "FID_INPUT_ISCD")

    def _family(self, params: Params) -> Family:
        """Return the market of a code: these calls are used for stocks as well."""
        return family_of_code(params.get("FID_INPUT_ISCD", ""))


def _stock(params: Params) -> tuple[str, str]:
    exchange = params.get("EXCD", "")
    if exchange not in _EXCHANGES:
        raise InputError("EXCD")
    return _checked(text_of(params, "SYMB"), "SYMB"), exchange


def _checked(symbol: str, name: str) -> str:
    if not KEY.fullmatch(symbol.replace("#", "").replace("@", "")):
        raise InputError(name)
    return symbol


def _moment(params: Params, name: str, blank: datetime) -> datetime:
    """Return a local moment, ``YYYYMMDDHHMMSS``."""
    text = params.get(name, "")
    if not text:
        return blank
    try:
        found = datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - local to the exchange
    except ValueError as error:
        raise InputError(name) from error
    return min(blank, found.replace(tzinfo=blank.tzinfo))


def _key(symbol: str, exchange: str) -> dict[str, Figure]:
    return {
        "key": f"D{exchange}{symbol}",
        "decimals": 4 if exchange in _UNITED_STATES else 3,
    }


def _korean(text: str, day: date, tape: Tape) -> str:
    local = datetime.combine(day, time.fromisoformat(text), tape.instrument.zone)
    return f"{local.astimezone(SEOUL):%H%M%S}"


def _signed(figures: dict[str, Figure]) -> dict[str, Figure]:
    """Return them with a change that has no sign, as KIS has them: a code of its own tells it."""
    return figures | {"change": abs(Decimal(figures["change"]))}


def _spread(tape: Tape, price: Decimal) -> dict[str, Figure]:
    unit = tape.instrument.unit
    return {
        "bid": max(unit, price - unit),
        "ask": price + unit,
        "bid_quantity": 100,
        "ask_quantity": 100,
    }


def _overseas_minute(minute: ChartMinute) -> dict[str, Figure]:
    there = minute.bar.start
    here = there.astimezone(SEOUL)
    day = f"{there:%Y%m%d}"
    return minute_figures(minute) | {
        "business_date": day,
        "local_date": day,
        "korea_date": f"{here:%Y%m%d}",
        "korea_time": f"{here:%H%M%S}",
    }


def _told(one: TapePrint, tape: Tape) -> dict[str, Figure]:
    return (
        _signed(changes(one.price, tape.base))
        | {
            "korea_time": f"{one.at.astimezone(SEOUL):%H%M%S}",
            "price": one.price,
            "quantity": one.quantity,
            "cumulative_volume": one.volume,
            "trade_strength": percent(one.strength, 100),
            "market_class": "1",
        }
        | _spread(tape, one.price)
    )
