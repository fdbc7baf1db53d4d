"""Rankings and searches of stocks abroad (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from random import Random

from bridge.simulator.history.abroad import ForeignFirm, listed_abroad
from bridge.simulator.history.bars import Bar
from bridge.simulator.history.tapes import Tape
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, limits_of
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.stream.records import rate, sign

__all__ = ["ForeignStock", "abroad"]

_VOLUMES = {"1": 100, "2": 1_000, "3": 10_000, "4": 100_000, "5": 1_000_000, "6": 10_000_000}
"""Codes of the least volume."""
_DAYS = {"1": 2, "2": 3, "3": 5, "4": 10, "5": 20, "6": 30, "7": 60, "8": 120, "9": 250}
"""Codes of how many days; 0 is today alone."""
_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120)
"""By the number that MINX gives."""


@dataclass(eq=False)
class ForeignStock:
    """A stock abroad at a moment."""

    desk: BoardDesk
    firm: ForeignFirm
    now: datetime

    @cached_property
    def tape(self) -> Tape:
        """Its price and its day, which the records tell too."""
        one = self.desk.tapes.tape("overseas_stock", self.firm.symbol, self.firm.exchange.lower())
        return one.read(self.now)

    @property
    def today(self) -> date:
        """The day at the exchange."""
        return self.now.astimezone(self.tape.instrument.zone).date()

    @property
    def percent(self) -> float:
        return float(self.tape.last / self.tape.base - 1) * 100

    @cached_property
    def shares(self) -> int:
        draw = Random(f"abroad {self.desk.settings.seed} {self.firm.symbol}")  # noqa: S311
        return self.tape.instrument.volume * draw.randrange(60, 400)

    @cached_property
    def earnings(self) -> Decimal:
        """Of a share in a year."""
        draw = Random(f"earnings {self.desk.settings.seed} {self.firm.symbol}")  # noqa: S311
        return (self.tape.instrument.base / draw.randrange(8, 45)).quantize(Decimal("0.01"))

    @property
    def market_cap(self) -> Decimal:
        return self.tape.last * self.shares

    def before(self, number: int) -> list[Bar]:
        """Return days before today, the latest first."""
        until = self.today - timedelta(days=1)
        return self.desk.past.abroad(self.firm.symbol, self.firm.exchange.lower(), until, number)

    def base(self, days: int) -> Decimal:
        """Return the close so many days ago; 0 and 1: yesterday's."""
        found = self.before(days) if days > 1 else []
        return found[-1].close if found else self.tape.base

    def average_volume(self, days: int) -> float:
        """Return the usual volume of a day, today being one of them."""
        volumes = [self.tape.volume, *(bar.volume for bar in self.before(days - 1))] if days else []
        return sum(volumes) / len(volumes) if volumes else self.tape.volume

    def average_value(self, days: int) -> float:
        values = [self.tape.value, *(bar.value for bar in self.before(days - 1))] if days else []
        return float(sum(values) / len(values)) if values else float(self.tape.value)

    def price(self) -> Row:
        """Return what nearly every row has."""
        tape, firm = self.tape, self.firm
        change, unit = tape.last - tape.base, tape.instrument.unit
        draw = Random(f"sizes {self.desk.settings.seed} {firm.symbol} {tape.volume}")  # noqa: S311
        return {
            "rsym": f"D{firm.exchange}{firm.symbol}",
            "excd": firm.exchange,
            "symb": firm.symbol,
            "name": firm.name,
            "knam": firm.name,
            "ename": firm.english,
            "enam": firm.english,
            "last": _price(tape.last),
            "sign": sign(float(tape.last), float(tape.base)),
            "diff": _price(abs(change)),
            "rate": f"{change / tape.base * 100:+.2f}" if change else " 0.00",
            "tvol": tape.volume,
            "tamt": int(tape.value),
            "avol": int(tape.value),
            "popen": _price(tape.open),
            "phigh": _price(tape.high),
            "plow": _price(tape.low),
            "pask": _price(tape.last + unit),
            "pbid": _price(tape.last - unit),
            "vask": draw.randrange(1, 900),
            "vbid": draw.randrange(1, 900),
            "shar": self.shares,
            "tomv": int(self.market_cap),
            "valx": int(self.market_cap / 1_000),
            "eps": _price(self.earnings),
            "per": f"{tape.last / self.earnings:.2f}" if self.earnings else "0.00",
            "tpow": f"{tape.strength:.2f}",
            "powx": f"{tape.strength:.2f}",
            "e_ordyn": "○",
        }


def _price(value: Decimal) -> str:
    return f"{value:.4f}"


# -- rankings

Key = Callable[[ForeignStock], float]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What a call ranks, highest first, and what its rows say besides the price."""

    key: Callable[[ForeignStock, Params], float]
    more: Callable[[ForeignStock, Params], Row] = lambda stock, params: {}
    keep: Callable[[ForeignStock, Params], bool] = lambda stock, params: True


def _days(params: Params) -> int:
    return _DAYS.get(params.get("NDAY", ""), 0)


def _sense(params: Params) -> int:
    """Return -1 where the lowest are asked for."""
    return -1 if params.get("GUBN") == "0" else 1


def _against(stock: ForeignStock, base: Decimal) -> Row:
    change = stock.tape.last - base
    return {
        "n_base": _price(base),
        "n_diff": _price(change),
        "n_rate": f"{change / base * 100:.2f}",
    }


def _moved(stock: ForeignStock, params: Params) -> float:
    return _sense(params) * float(stock.tape.last / stock.base(_days(params)) - 1)


def _extreme(stock: ForeignStock, params: Params) -> Decimal:
    """Return the highest (lowest) price of the days before."""
    bars = stock.before(_days(params) or 1)
    if not bars:
        return stock.tape.base
    if _sense(params) < 0:
        return min(bar.low for bar in bars)
    return max(bar.high for bar in bars)


def _broke(stock: ForeignStock, params: Params) -> bool:
    """Tell whether a price went beyond its extreme today, and is still there if that is asked."""
    low, edge = _sense(params) < 0, _extreme(stock, params)
    reached = stock.tape.low if low else stock.tape.high
    price = stock.tape.last if params.get("GUBN2") == "1" else reached
    return price <= edge if low else price >= edge


def _ago(stock: ForeignStock, params: Params) -> tuple[Decimal, int]:
    """Return price and volume some minutes ago; before its first trade a day has its base."""
    code = params.get("MINX", "") or "0"
    number = int(code) if code.isascii() and code.isdecimal() and len(code) < 3 else 0
    since = stock.now - timedelta(minutes=_MINUTES[min(number, len(_MINUTES) - 1)])
    price, volume = stock.tape.base, 0
    for minute in stock.tape.minutes:
        if minute.start + timedelta(minutes=1) <= since:
            price, volume = minute.close, volume + minute.volume
    return price, volume


def _surge(stock: ForeignStock, params: Params) -> Row:
    before = _ago(stock, params)[1]
    grown = stock.tape.volume - before
    return {"n_tvol": before, "n_diff": grown, "n_rate": rate(grown, before)}


def _grown(stock: ForeignStock, params: Params) -> float:
    bars = stock.before(_days(params) or 1)
    usual = sum(bar.volume for bar in bars) / len(bars) if bars else 0.0
    return stock.tape.volume / usual - 1 if usual else 0.0


def _growth(stock: ForeignStock, params: Params) -> Row:
    bars = stock.before(_days(params) or 1)
    usual = sum(bar.volume for bar in bars) / len(bars) if bars else 0.0
    return {"n_tvol": f"{usual:.0f}", "n_rate": f"{_grown(stock, params) * 100:.2f}"}


def _turnover(stock: ForeignStock, params: Params) -> Row:
    usual = stock.average_volume(_days(params))
    return {"n_tvol": f"{usual:.0f}", "tover": rate(usual, stock.shares)}


_TABLE: Mapping[str, _Ranked] = {
    "updown_rate": _Ranked(
        _moved, lambda stock, params: _against(stock, stock.base(_days(params)))
    ),
    "trade_vol": _Ranked(
        lambda stock, params: stock.average_volume(_days(params)),
        lambda stock, params: {"a_tvol": f"{stock.average_volume(_days(params)):.0f}"},
    ),
    "trade_pbmn": _Ranked(
        lambda stock, params: stock.average_value(_days(params)),
        lambda stock, params: {"a_tamt": f"{stock.average_value(_days(params)):.0f}"},
    ),
    "trade_growth": _Ranked(_grown, _growth),
    "trade_turnover": _Ranked(
        lambda stock, params: stock.average_volume(_days(params)) / stock.shares, _turnover
    ),
    "market_cap": _Ranked(lambda stock, params: float(stock.market_cap)),
    "volume_power": _Ranked(lambda stock, params: float(stock.tape.strength)),
    "volume_surge": _Ranked(
        lambda stock, params: float(stock.tape.volume - _ago(stock, params)[1]), _surge
    ),
    "price_fluct": _Ranked(
        lambda stock, params: _sense(params) * float(stock.tape.last / _ago(stock, params)[0] - 1),
        lambda stock, params: _against(stock, _ago(stock, params)[0]),
    ),
    "new_highlow": _Ranked(
        lambda stock, params: _sense(params) * float(stock.tape.last / _extreme(stock, params) - 1),
        lambda stock, params: _against(stock, _extreme(stock, params)),
        _broke,
    ),
}


def _chosen(desk: BoardDesk, params: Params, now: datetime) -> list[ForeignStock]:
    firms = listed_abroad().get(params.get("EXCD", ""))
    if firms is None:
        raise InputError("EXCD")
    found = [ForeignStock(desk, firm, now) for firm in firms]
    least = _VOLUMES.get(params.get("VOL_RANG", ""), 0)
    found = [one for one in found if one.tape.volume >= least]
    lowest, highest = limits_of(params, "PRC1", "PRC2")
    return [
        one
        for one in found
        if (lowest is None or one.tape.last >= lowest)
        and (highest is None or one.tape.last <= highest)
    ]


def _listed(stocks: list[ForeignStock], params: Params, ranked: _Ranked | None = None) -> Blocks:
    whole = sum(one.market_cap for one in stocks)
    rows = [
        {
            **one.price(),
            **(ranked.more(one, params) if ranked else {}),
            "rank": place,
            "seqn": place,
            "grav": f"{one.market_cap / whole * 100:.2f}" if whole else "0.00",
        }
        for place, one in enumerate(stocks, 1)
    ]
    number = len(rows)
    first = {"zdiv": "4", "stat": "", "crec": number, "trec": number, "nrec": number}
    return {"output1": first, "output2": rows}


def _rank(ranked: _Ranked, desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    stocks = [one for one in _chosen(desk, params, now) if ranked.keep(one, params)]
    stocks.sort(key=lambda one: (-ranked.key(one, params), one.firm.symbol))
    return _listed(stocks, params, ranked)


# -- searches and industries

_CONDITIONS: Mapping[str, Callable[[ForeignStock], float]] = {
    "PRICECUR": lambda one: float(one.tape.last),
    "RATE": lambda one: one.percent,
    "VALX": lambda one: float(one.market_cap / 1_000),
    "SHAR": lambda one: one.shares / 1_000,
    "VOLUME": lambda one: one.tape.volume,
    "AMT": lambda one: float(one.tape.value / 1_000),
    "EPS": lambda one: float(one.earnings),
    "PER": lambda one: float(one.tape.last / one.earnings) if one.earnings else 0.0,
}


def _search(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the stocks that fit all conditions that are switched on, the largest first."""
    stocks = _chosen(desk, params, now)
    for name, read in _CONDITIONS.items():
        if params.get(f"CO_YN_{name}") != "1":
            continue
        least, most = limits_of(params, f"CO_ST_{name}", f"CO_EN_{name}")
        stocks = [
            one
            for one in stocks
            if (least is None or read(one) >= least) and (most is None or read(one) <= most)
        ]
    stocks.sort(key=lambda one: (-one.market_cap, one.firm.symbol))
    return _listed(stocks, params)


def _industry(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    code = params.get("ICOD", "")
    stocks = [one for one in _chosen(desk, params, now) if code in ("", one.firm.industry)]
    stocks.sort(key=lambda one: (-one.market_cap, one.firm.symbol))
    return _listed(stocks, params)


def abroad(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    name = "overseas_stock/"
    return {
        **{f"{name}{call}": partial(_rank, ranked, desk) for call, ranked in _TABLE.items()},
        f"{name}inquire_search": partial(_search, desk),
        f"{name}industry_theme": partial(_industry, desk),
    }
