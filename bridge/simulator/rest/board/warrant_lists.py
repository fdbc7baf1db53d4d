"""Rankings, searches and lists of warrants (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from bridge.simulator.exchange.warrants import UNDERLYINGS, warrants_on
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of, limits_of
from bridge.simulator.rest.board.rankings import MOST, SORT
from bridge.simulator.rest.board.stocks import stock_of
from bridge.simulator.rest.board.warrants import ListedWarrant, price_row, warrant_of
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.stream.records import MEMBERS, rate, sign

__all__ = ["warrant_lists"]

Key = Callable[[ListedWarrant], float]
_ALL = ("", "0", "00000", "000000", "0000")
_MONTHS = {
    "1": (0, 30),
    "2": (31, 60),
    "3": (61, 90),
    "4": (91, 180),
    "5": (181, 270),
    "6": (271, 365),
    "7": (366, 9_999),
}
"""Codes of how many days a warrant still has."""


def _told(name: str) -> Key:
    return lambda one: float(one.values[name])


def _from_open(one: ListedWarrant) -> float:
    return one.quote.last / one.quote.open if one.quote.open else 0.0


_SENSITIVITY: Mapping[str, Key] = {
    "0": lambda one: one.theory,
    "1": lambda one: one.greeks.delta,
    "2": lambda one: one.greeks.gamma,
    "3": lambda one: one.greeks.theta * one.ratio,
    "4": lambda one: one.greeks.vega * one.ratio,
    "5": lambda one: one.greeks.rho * one.ratio,
    "6": lambda one: one.implied,
    "7": lambda one: one.volatility,
}
_VOLUME: Mapping[str, Key] = {
    "0": lambda one: one.quote.volume,
    "1": lambda one: one.quote.volume / one.quote.listing.previous_volume,
    "2": lambda one: one.quote.volume / one.quote.listing.shares,
    "3": lambda one: one.quote.value,
    "4": lambda one: one.quote.total_bids - one.quote.total_asks,
    "5": lambda one: one.quote.total_asks - one.quote.total_bids,
}
_INDICATOR: Mapping[str, Key] = {
    "0": lambda one: one.ratio,
    "1": _told("lvrg_val"),
    "2": lambda one: one.strike,
    "3": lambda one: one.inner,
    "4": lambda one: one.price - one.inner,
}
_CHANGE: Mapping[str, Key] = {
    "0": lambda one: one.quote.percent,
    "1": lambda one: -one.quote.percent,
    "2": _from_open,
    "3": lambda one: -_from_open(one),
    "4": lambda one: (one.quote.high - one.quote.low) / one.quote.base,
}
_QUICK: Mapping[str, Key] = {
    "1": lambda one: one.quote.percent,
    "2": lambda one: -one.quote.percent,
    "3": lambda one: one.quote.volume - one.quote.listing.previous_volume,
    "4": lambda one: one.quote.total_bids,
    "5": lambda one: one.quote.total_asks,
}


def warrant_lists(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    return {
        "elw/sensitivity": partial(_ranked, desk, "output", _SENSITIVITY),
        "elw/volume_rank": partial(_ranked, desk, "output", _VOLUME),
        "elw/indicator": partial(_ranked, desk, "output1", _INDICATOR),
        "elw/updown_rate": partial(_ranked, desk, "output", _CHANGE),
        "elw/quick_change": partial(_ranked, desk, "output", _QUICK),
        "elw/cond_search": partial(_searched, desk),
        "elw/udrl_asset_list": partial(_underlyings, desk),
        "elw/udrl_asset_price": partial(_of_underlying, desk),
        "elw/newly_listed": partial(_new, desk),
        "elw/expiration_stocks": partial(_expiring, desk),
        "elw/compare_stocks": partial(_comparable, desk),
    }


def _chosen(
    desk: BoardDesk, params: Params, now: datetime, *, rights: Mapping[str, bool] | None = None
) -> list[ListedWarrant]:
    """Return the warrants that a request asks for; ``rights``: codes of calls and of puts."""
    found = [warrant_of(desk, one, now) for one in warrants_on(now.date())]
    stock = params.get("FID_UNAS_INPUT_ISCD", "")
    if stock not in _ALL:
        found = [one for one in found if one.warrant.underlying == stock]
    issuer = params.get("FID_INPUT_ISCD", "")
    if issuer not in _ALL:
        codes = [code for _, code in MEMBERS]
        found = [one for one in found if codes[int(one.symbol[-3:]) % len(codes)] == issuer]
    for name, codes_of in (
        ("FID_DIV_CLS_CODE", rights or {"1": True, "2": False}),
        ("FID_MRKT_CLS_CODE", {"C": True, "CO": True, "P": False, "PO": False}),
    ):
        call = codes_of.get(params.get(name, ""))
        if call is not None:
            found = [one for one in found if one.warrant.call is call]
    if params.get("FID_BLNG_CLS_CODE") == "2":
        return []  # none ends before its day
    for names, read in _RANGES:
        least, most = limits_of(params, *names)
        found = [
            one
            for one in found
            if (least is None or read(one) >= least) and (most is None or read(one) <= most)
        ]
    return found


_RANGES: tuple[tuple[tuple[str, str], Key], ...] = (
    (("FID_INPUT_PRICE_1", "FID_INPUT_PRICE_2"), lambda one: one.quote.last),
    (("FID_INPUT_VOL_1", "FID_INPUT_VOL_2"), lambda one: one.quote.volume),
    (("FID_VOL_CNT", ""), lambda one: one.quote.volume),
    (("FID_PRPR_CNT1", "FID_PRPR_CNT2"), lambda one: one.quote.last),
    (("FID_RSFL_RATE1", "FID_RSFL_RATE2"), lambda one: one.quote.percent),
    (("FID_VOL1", "FID_VOL2"), lambda one: one.quote.volume),
    (("FID_LVRG_VAL1", "FID_LVRG_VAL2"), _told("lvrg_val")),
    (("FID_DELTA1", "FID_DELTA2"), _told("delta_val")),
    (("FID_ACPR1", "FID_ACPR2"), lambda one: one.strike),
    (("FID_INTS_VLTL1", "FID_INTS_VLTL2"), lambda one: one.implied * 100),
)


def _rows(found: list[ListedWarrant]) -> list[Row]:
    return [{"data_rank": place, **one.row()} for place, one in enumerate(found[:MOST], 1)]


def _ranked(
    desk: BoardDesk, block: str, keys: Mapping[str, Key], params: Params, now: datetime
) -> Blocks:
    code = params.get(SORT, "") or next(iter(keys))
    if code not in keys:
        raise InputError(SORT)
    key = keys[code]
    found = _chosen(desk, params, now)
    left = params.get("FID_INPUT_RMNN_DYNU_1", "")
    if left in _MONTHS:
        least, most = _MONTHS[left]
        found = [one for one in found if least <= one.days_left <= most]
    found.sort(key=lambda one: (-key(one), one.symbol))
    return {block: _rows(found)}


_SEARCH: Mapping[str, Key] = {
    "2": lambda one: one.quote.last,
    "3": lambda one: one.quote.percent,
    "4": lambda one: one.quote.volume,
    "5": lambda one: one.strike,
    "6": lambda one: one.ratio,
    "7": lambda one: one.warrant.listed_on(one.on).toordinal(),
    "8": lambda one: one.days_left,
    "9": lambda one: one.days_left,
    "10": _told("lvrg_val"),
}


def _searched(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return what fits, sorted by up to three columns; the first one counts most."""
    found = _chosen(desk, params, now, rights={})
    found.sort(key=lambda one: one.symbol)
    for suffix, number in (("_3", "3"), ("_2", "2"), ("", "1")):
        key = _SEARCH.get(params.get(SORT + suffix, ""))
        if key is not None:
            highest = params.get(f"FID_INPUT_CNT_{number}") != "2"
            found.sort(key=key, reverse=highest)
    return {"output1": [one.row() for one in found[:100]]}


def _underlyings(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    stocks = [stock_of(desk, symbol, now) for symbol in UNDERLYINGS]
    code = params.get(SORT, "0")
    # There are as many calls on each as puts.
    by_name = code in ("0", "1", "2")
    stocks.sort(
        key=lambda one: (
            one.security.name
            if by_name
            else {
                "3": -one.quote.percent,
                "4": one.quote.percent,
                "5": -one.quote.last,
            }.get(code, int(one.symbol))
        )
    )
    return {
        "output": [
            {
                "unas_shrn_iscd": one.symbol,
                "unas_isnm": one.quote.listing.name,
                "unas_prpr": f"{one.quote.last:.2f}",
                "unas_prdy_vrss": f"{one.quote.change:.2f}",
                "unas_prdy_vrss_sign": sign(one.quote.last, one.quote.base),
                "unas_prdy_ctrt": rate(one.quote.change, one.quote.base),
            }
            for one in stocks
        ]
    }


def _of_underlying(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    found = _chosen(desk, params, now, rights={})
    wanted = {"1": "ATM", "2": "ITM", "3": "OTM"}.get(params.get("FID_OPTION", ""))
    if wanted is not None:
        found = [one for one in found if one.values["atm_cls_name"] == wanted]
    return {"output": [one.row() for one in found[:100]]}


def _new(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return those that were listed since a day, the latest first."""
    since = date_of(params, "FID_INPUT_DATE_1", now.date() - timedelta(days=365))
    asked = {**params, "FID_INPUT_ISCD": params.get("FID_INPUT_ISCD_2", "")}
    codes = [code for _, code in MEMBERS]
    if asked["FID_INPUT_ISCD"] not in codes:
        asked["FID_INPUT_ISCD"] = ""
    found = _chosen(desk, asked, now, rights={"00": True, "01": False})
    found = [one for one in found if one.warrant.listed_on(one.on) >= since]
    found.sort(key=lambda one: (-one.warrant.listed_on(one.on).toordinal(), one.symbol))
    return {"output": [one.row() for one in found[:100]]}


def _expiring(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    first = date_of(params, "FID_INPUT_DATE_1", now.date())
    last = date_of(params, "FID_INPUT_DATE_2", first + timedelta(days=365))
    found = _chosen(desk, params, now, rights={"0": True, "1": False})
    found = [one for one in found if first <= one.expires <= last]
    found.sort(key=lambda one: (one.expires, one.symbol))
    return {"output1": [one.row() for one in found[:100]]}


def _comparable(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the warrants on a stock."""
    asked = {"FID_UNAS_INPUT_ISCD": params.get("FID_INPUT_ISCD", "")}
    return {"output": [price_row(one.quote) for one in _chosen(desk, asked, now)]}
