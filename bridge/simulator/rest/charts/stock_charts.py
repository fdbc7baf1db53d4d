"""Charts, trades and after-hours prices of domestic stocks (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from random import Random

from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.market import Market, Print
from bridge.simulator.history.charts import ChartRow
from bridge.simulator.history.figures import Figure, changes, percent
from bridge.simulator.history.instruments import Family
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.charts.chart_reply import (
    Block,
    ChartReply,
    bar_figures,
    clock_of,
    day_of,
    minute_figures,
    period_of,
    previous,
)
from bridge.simulator.rest.params import InputError, Params, text_of

__all__ = ["StockCharts"]

_STOCK: Family = "domestic_stock"
_DAYS = 30
_PERIODS = 100
_TODAY = 30
_PAST = 120
_TRADES = 30
_AUCTION = timedelta(minutes=10)
"""After hours all orders of ten minutes trade at one price."""


class StockCharts(ChartReply):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            f"{_STOCK}/inquire_daily_price": self._days,
            f"{_STOCK}/inquire_daily_itemchartprice": self._periods,
            f"{_STOCK}/inquire_time_itemchartprice": self._today,
            f"{_STOCK}/inquire_time_dailychartprice": self._past,
            f"{_STOCK}/inquire_ccnl": self._trades,
            f"{_STOCK}/inquire_time_itemconclusion": self._trades_until,
            f"{_STOCK}/inquire_daily_overtimeprice": self._after_hours_days,
            f"{_STOCK}/inquire_time_overtimeconclusion": self._after_hours,
            f"{_STOCK}/exp_price_trend": self._expected,
        }

    # bars

    def _days(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = self._quotations.market(_symbol(params), now).symbol
        rows = self._charts.rows(_STOCK, symbol, period_of(params), now, most=_DAYS + 1)
        return self.reply(f"{_STOCK}/inquire_daily_price", {"output": _with_volumes(rows)[:_DAYS]})

    def _periods(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, interval = _symbol(params), period_of(params)
        since, until = day_of(params, "FID_INPUT_DATE_1"), day_of(params, "FID_INPUT_DATE_2")
        head = self._head(symbol, now)
        rows = self._charts.rows(
            _STOCK, symbol, interval, now, since=since, until=until, most=_PERIODS
        )
        blocks: dict[str, Block] = {
            "output1": head,
            "output2": [bar_figures(row) | {"ex_class": "00", "changed": "N"} for row in rows],
        }
        return self.reply(f"{_STOCK}/inquire_daily_itemchartprice", blocks)

    def _today(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, asked = _symbol(params), clock_of(params, "FID_INPUT_HOUR_1")
        until = min(now, datetime.combine(now.date(), asked, now.tzinfo))
        since = date.min if params.get("FID_PW_DATA_INCU_YN") == "Y" else now.date()
        newest = next(self._charts.minutes(_STOCK, symbol, now, until, since=since), None)
        if newest is not None and newest.bar.day < now.date():
            # The time is that of the day which is told, or whoever pages would never get on.
            until = datetime.combine(newest.bar.day, asked, now.tzinfo)
        return self._minutes("inquire_time_itemchartprice", symbol, until, since, _TODAY, now)

    def _past(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, day = _symbol(params), day_of(params, "FID_INPUT_DATE_1", now.date())
        asked = clock_of(params, "FID_INPUT_HOUR_1", time(23, 59, 59))
        until = min(now, datetime.combine(day, asked, now.tzinfo))
        since = date.min if params.get("FID_PW_DATA_INCU_YN") == "Y" else day
        return self._minutes("inquire_time_dailychartprice", symbol, until, since, _PAST, now)

    def _minutes(
        self, name: str, symbol: str, until: datetime, since: date, most: int, now: datetime
    ) -> Answer:
        head = self._head(symbol, now)
        found = self._charts.minutes(_STOCK, symbol, now, until, since=since)
        rows = [minute_figures(one) for one in islice(found, most)]
        return self.reply(f"{_STOCK}/{name}", {"output1": head, "output2": rows})

    def _head(self, symbol: str, now: datetime) -> dict[str, Figure]:
        known = dict(self._quotations.figures(_STOCK, symbol, now))
        return known | previous(self._charts.rows(_STOCK, symbol, "day", now, most=2))

    # trades

    def _trades(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        market = self._quotations.market(_symbol(params), now)
        rows = _told_trades(market, list(market.recent)[::-1][:_TRADES])
        return self.reply(f"{_STOCK}/inquire_ccnl", {"output": rows})

    def _trades_until(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, asked = _symbol(params), clock_of(params, "FID_INPUT_HOUR_1")
        market = self._quotations.market(symbol, now)
        found = [row for row in reversed(market.recent) if row.at.time() <= asked]
        head = dict(self._quotations.figures(_STOCK, symbol, now))
        blocks: dict[str, Block] = {
            "output1": head,
            "output2": _told_trades(market, found[:_TRADES]),
        }
        return self.reply(f"{_STOCK}/inquire_time_itemconclusion", blocks)

    # after hours and before the opening

    def _after_hours_days(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = self._evenings(_symbol(params), now, _DAYS)
        blocks: dict[str, Block] = {"output1": rows[0] if rows else {}, "output2": rows}
        return self.reply(f"{_STOCK}/inquire_daily_overtimeprice", blocks)

    def _after_hours(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        evenings = self._evenings(_symbol(params), now, 1)
        if not evenings:
            return self.reply(
                f"{_STOCK}/inquire_time_overtimeconclusion", {"output1": {}, "output2": []}
            )
        evening = evenings[0]
        rows: list[dict[str, Figure]] = []
        close, last = Decimal(evening["close"]), Decimal(evening["after_hours_price"])
        volume, passed = int(evening["after_hours_volume"]), 0
        for place in range(12):
            price = Decimal(ticks.down(int(close + (last - close) * (place + 1) / 12)))
            until = volume * (place + 1) // 12
            at = datetime.combine(now.date(), time(16), now.tzinfo) + _AUCTION * (place + 1)
            rows.append(
                {
                    "time": f"{at:%H%M%S}",
                    "price": last if place == 11 else price,
                    "ask": price + ticks.tick(int(price)),
                    "bid": price,
                    "cumulative_volume": until,
                    "quantity": until - passed,
                    **changes(price, close),
                }
            )
            passed = until
        blocks: dict[str, Block] = {"output1": evening, "output2": rows[::-1]}
        return self.reply(f"{_STOCK}/inquire_time_overtimeconclusion", blocks)

    def _evenings(self, symbol: str, now: datetime, most: int) -> list[dict[str, Figure]]:
        """Return what single prices after the close came to, for days that are over."""
        yesterday = now.date() - timedelta(days=1)
        rows = self._charts.rows(_STOCK, symbol, "day", now, until=yesterday, most=most)
        return [bar_figures(row) | _evening(symbol, row) for row in rows]

    def _expected(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = _symbol(params)
        market = self._quotations.market(symbol, now)
        opened = market.open or market.last
        base = Decimal(market.listing.base)
        draw = Random(f"expected {symbol} {now.date()}")  # noqa: S311 - a market, not a secret
        opens = datetime.combine(now.date(), time(9), now.tzinfo)
        rows: list[dict[str, Figure]] = []
        for back in range(_TRADES):
            price = ticks.step(opened, draw.randrange(-back, back + 1)) if back else opened
            price = min(max(price, market.lower), market.upper)
            volume = market.listing.previous_volume * (_TRADES - back) // (_TRADES * 50)
            at = opens - timedelta(minutes=back)
            rows.append(
                {
                    "date": f"{at:%Y%m%d}",
                    "time": f"{at:%H%M%S}",
                    "price": Decimal(price),
                    "cumulative_volume": volume,
                    **changes(Decimal(price), base),
                }
            )
        expected = Decimal(opened)
        head: dict[str, Figure] = {
            "expected_price": expected,
            "expected_volume": int(rows[0]["cumulative_volume"]),
            "expected_value": expected * int(rows[0]["cumulative_volume"]),
            **changes(expected, base, "expected_"),
        }
        return self.reply(f"{_STOCK}/exp_price_trend", {"output1": head, "output2": rows})


def _symbol(params: Params) -> str:
    if params.get("FID_COND_MRKT_DIV_CODE") not in ("J", "NX", "UN"):
        raise InputError("FID_COND_MRKT_DIV_CODE")
    return text_of(params, "FID_INPUT_ISCD")


def _with_volumes(rows: Sequence[ChartRow]) -> list[dict[str, Figure]]:
    """Return the figures of bars with how their volume differs from the one before."""
    told = []
    for place, row in enumerate(rows):
        before = rows[place + 1].bar.volume if place + 1 < len(rows) else row.bar.volume
        figures = bar_figures(row) | {"ex_class": "00"}
        told.append(figures | {"volume_rate": percent(row.bar.volume - before, before)})
    return told


def _told_trades(market: Market, rows: Sequence[Print]) -> list[dict[str, Figure]]:
    base = Decimal(market.listing.base)
    return [
        {
            "time": f"{row.at:%H%M%S}",
            "price": Decimal(row.price),
            "quantity": row.quantity,
            "cumulative_volume": row.volume,
            "ask": row.ask,
            "bid": row.bid,
            "trade_strength": percent(row.bought, row.sold),
            **changes(Decimal(row.price), base),
        }
        for row in rows
    ]


def _evening(symbol: str, row: ChartRow) -> dict[str, Figure]:
    """Return the single prices after a close: within a tenth of it, and thinly traded."""
    close = int(row.bar.close)
    draw = Random(f"evening {symbol} {row.bar.day}")  # noqa: S311 - a market, not a secret
    lower, upper = ticks.up(close - close // 10), ticks.down(close + close // 10)
    moved = [int(close * (1 + draw.gauss(0.0, 0.004))) for _ in range(3)]
    opened, middle, last = (min(max(ticks.down(one), lower), upper) for one in moved)
    volume = max(1, row.bar.volume // draw.randrange(100, 400))
    prefix = "after_hours_"
    figures: dict[str, Figure] = {
        "price": last,
        "open": opened,
        "high": max(opened, middle, last),
        "low": min(opened, middle, last),
        "volume": volume,
        "value": volume * last,
        "upper_limit": upper,
        "lower_limit": lower,
    }
    return {prefix + path: figure for path, figure in figures.items()} | changes(
        Decimal(last), row.bar.close, prefix
    )
