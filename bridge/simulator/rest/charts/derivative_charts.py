"""Charts of domestic futures and options, and of bonds (pure)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from random import Random

from bridge.simulator.derivatives.contracts import contract, open_interest
from bridge.simulator.derivatives.pricing import fair_price, greeks
from bridge.simulator.history.figures import Figure, changes, percent
from bridge.simulator.history.instruments import Family
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.charts.chart_reply import (
    Block,
    ChartReply,
    bar_figures,
    clock_of,
    count_of,
    day_of,
    grouped,
    minute_figures,
    period_of,
    previous,
)
from bridge.simulator.rest.derivatives.orders import price_limits
from bridge.simulator.rest.params import InputError, Params, text_of
from bridge.simulator.stream.feed import KEY

__all__ = ["BondCharts", "DerivativeCharts"]

_DERIVATIVE: Family = "domestic_derivative"
_BOND: Family = "domestic_bond"
_PERIODS = 100
_MINUTES = 102
_DAYS = 30
_TRADES = 30
_OPENS = time(8, 45)


class DerivativeCharts(ChartReply):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_futureoption/inquire_daily_fuopchartprice": self._periods,
            "domestic_futureoption/inquire_time_fuopchartprice": self._minutes,
            "domestic_futureoption/exp_price_trend": self._expected,
        }

    def _periods(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, interval = _symbol(params), period_of(params)
        since, until = day_of(params, "FID_INPUT_DATE_1"), day_of(params, "FID_INPUT_DATE_2")
        head = self._head(symbol, now)
        rows = self._charts.rows(
            _DERIVATIVE, symbol, interval, now, since=since, until=until, most=_PERIODS
        )
        told = [bar_figures(row) | {"changed": "N"} for row in rows]
        blocks: dict[str, Block] = {"output1": head, "output2": told}
        return self.reply("domestic_futureoption/inquire_daily_fuopchartprice", blocks)

    def _minutes(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, day = _symbol(params), day_of(params, "FID_INPUT_DATE_1", now.date())
        asked = clock_of(params, "FID_INPUT_HOUR_1", time(23, 59, 59))
        seconds = count_of(params, "FID_HOUR_CLS_CODE", 60, 86_400)
        until = min(now, datetime.combine(day, asked, now.tzinfo))
        since = date.min if params.get("FID_PW_DATA_INCU_YN") == "Y" else day
        head = self._head(symbol, now)
        found = self._charts.minutes(_DERIVATIVE, symbol, now, until, since=since)
        stretches = islice(grouped(found, max(1, seconds // 60)), _MINUTES)
        rows = [minute_figures(one) for one in stretches]
        blocks: dict[str, Block] = {"output1": head, "output2": rows}
        return self.reply("domestic_futureoption/inquire_time_fuopchartprice", blocks)

    def _expected(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = _symbol(params)
        tape = self._quotations.tape(_DERIVATIVE, symbol, now)
        unit = tape.instrument.unit
        draw = Random(f"expected {symbol} {now.date()}")  # noqa: S311 - a market, not a secret
        opens = datetime.combine(now.date(), _OPENS, now.tzinfo)
        rows: list[dict[str, Figure]] = []
        for back in range(_TRADES):
            steps = draw.randrange(-back, back + 1) if back else 0
            price = max(unit, tape.open + steps * unit)
            at = opens - timedelta(minutes=back)
            rows.append(
                {
                    "time": f"{at:%H%M%S}",
                    "expected_price": price,
                    **changes(price, tape.base, "expected_"),
                }
            )
        head = rows[0] | {"base_price": tape.base, "name": symbol}
        blocks: dict[str, Block] = {"output1": head, "output2": rows}
        return self.reply("domestic_futureoption/exp_price_trend", blocks)

    def _head(self, symbol: str, now: datetime) -> dict[str, Figure]:
        known = dict(self._quotations.figures(_DERIVATIVE, symbol, now))
        known |= previous(self._charts.rows(_DERIVATIVE, symbol, "day", now, most=2))
        index = self._quotations.tape("domestic_index", "2001", now)
        price = Decimal(known["price"])
        draw = Random(f"open interest {symbol}")  # noqa: S311 - a market, not a secret
        known |= {
            "name": symbol,
            "kospi200_index": index.last,
            **changes(index.last, index.base, "kospi200_"),
            "previous_index": index.base,
            "basis": price - index.last,
            "open_interest": draw.randrange(1_000, 400_000),
            "open_interest_change": draw.randrange(-2_000, 2_000),
        }
        one = contract(symbol, now.date())
        if one is None:
            return known
        days = one.days(now.date())
        lower, upper = price_limits(one, Decimal(known["previous_close"]))
        known |= {
            "upper_limit": upper,
            "lower_limit": lower,
            "last_trade_date": f"{one.expiry:%Y%m%d}",
            "remaining_days": int(days),
            "strike_price": one.strike,
            "name": one.name,
            "open_interest": (interest := open_interest(one)),
            "open_interest_change": interest // 50,
        }
        if one.product.underlying.symbol == "2001":
            fair, wide = fair_price(one, index.last, days), one.product.underlying.volatility
            answers = greeks(one, float(index.last), days / 365, wide)
            known |= {"theoretical_price": fair, "disparity_rate": percent(price - fair, fair)}
            known |= {
                path: Decimal(f"{getattr(answers, path):.4f}")
                for path in ("delta", "gamma", "theta", "vega", "rho")
            }
        return known


class BondCharts(ChartReply):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_bond/inquire_ccnl": self._trades,
            "domestic_bond/inquire_daily_price": self._days,
            "domestic_bond/inquire_daily_itemchartprice": self._chart,
        }

    def _trades(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        tape = self._quotations.tape(_BOND, _symbol(params), now)
        rows: list[dict[str, Figure]] = [
            {
                "time": f"{one.at:%H%M%S}",
                "price": one.price,
                "quantity": one.quantity,
                "cumulative_volume": one.volume,
                **changes(one.price, tape.base),
            }
            for one in list(tape.prints)[::-1][:_TRADES]
        ]
        return self.reply("domestic_bond/inquire_ccnl", {"output": rows})

    def _days(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._bars("domestic_bond/inquire_daily_price", params, _DAYS, now)

    def _chart(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._bars("domestic_bond/inquire_daily_itemchartprice", params, _PERIODS, now)

    def _bars(self, name: str, params: Params, most: int, now: datetime) -> Answer:
        symbol = _symbol(params)
        self._quotations.tape(_BOND, symbol, now)
        rows = self._charts.rows(_BOND, symbol, "day", now, most=most)
        return self.reply(name, {"output": [bar_figures(row) for row in rows]})


def _symbol(params: Params) -> str:
    symbol = text_of(params, "FID_INPUT_ISCD")
    if not KEY.fullmatch(symbol):
        raise InputError("FID_INPUT_ISCD")
    return symbol
