"""Rankings of firms by their statements, and what their shares cost measured by them (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache, partial

from bridge.simulator.board import ratios
from bridge.simulator.board.finance import FinancialStatement
from bridge.simulator.exchange.securities import security_of
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.choice import chosen, in_market
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.rankings import MOST, SORT, Ranking, rank
from bridge.simulator.rest.board.stocks import Stock
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.stream.records import rate

__all__ = ["firm_rankings"]

Books = Callable[[FinancialStatement], float]
_PROFIT_AND_ASSETS: Mapping[str, Books] = {
    "0": lambda one: one.gross_profit,
    "1": lambda one: one.operating_profit,
    "2": lambda one: one.ordinary_profit,
    "3": lambda one: one.net_income,
    "4": lambda one: one.assets,
    "5": lambda one: one.debts,
    "6": lambda one: one.equity,
}
_QUARTERS = {"0": "03", "1": "06", "2": "09", "3": "12"}
_MARKS = {"7": "cptl_op_prfi", "11": "bis", "15": "grs", "20": "cptl_tnrt"}
"""What stands for each group of ratios."""
_VALUES = {
    "23": "per",
    "24": "pbr",
    "25": "pcr",
    "26": "psr",
    "27": "eps",
    "28": "eva",
    "29": "ebitda",
    "30": "pv_div_ebitda",
    "31": "ebitda_div_fnnc_expn",
}


def firm_rankings(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    return {
        "domestic_stock/profit_asset_index": partial(_profit_asset_index, desk),
        "domestic_stock/finance_ratio": partial(_finance_ratio, desk),
        "domestic_stock/market_value": partial(_market_value, desk),
        "domestic_stock/dividend_rate": partial(_dividend_rate, desk),
        "domestic_stock/prefer_disparate_ratio": partial(_preferred, desk),
    }


def _period(params: Params) -> str:
    """Return the asked year and its quarter's last month; blank without a year."""
    year = params.get("FID_INPUT_OPTION_1", "")
    if not year:
        return ""
    if not (len(year) == 4 and year.isascii() and year.isdecimal()):
        raise InputError("FID_INPUT_OPTION_1")
    quarter = params.get("FID_INPUT_OPTION_2", "") or "3"
    if quarter not in _QUARTERS:
        raise InputError("FID_INPUT_OPTION_2")
    return year + _QUARTERS[quarter]


def _books(one: Stock, period: str) -> tuple[FinancialStatement, FinancialStatement | None] | None:
    """Return a statement and that of a year before; without a period the last published year's."""
    if one.security.kind != "stock":
        return None
    quarters = one.desk.finance.quarters(one.symbol, one.now.date())
    for place, found in enumerate(quarters):
        if found.period == period or (not period and found.quarter == 4):
            before = quarters[place + 4] if place + 4 < len(quarters) else None
            return found, before
    return None


def _ranked(
    desk: BoardDesk,
    params: Params,
    now: datetime,
    key: Callable[[Stock], float],
    more: Callable[[Stock], Row],
) -> Blocks:
    period = _period(params)

    def keep(one: Stock, params: Params) -> bool:
        return _books(one, period) is not None

    ranking = Ranking({"": key}, by="", more=more, keep=keep, classes="67")
    rows = rank(ranking, desk, params, now)
    return {"output": [{**row, "iqry_csnu": len(rows)} for row in rows]}


def _code(params: Params, known: Mapping[str, object]) -> str:
    code = params.get(SORT, "") or next(iter(known))
    if code not in known:
        raise InputError(SORT)
    return code


def _profit_asset_index(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    read, period = _PROFIT_AND_ASSETS[_code(params, _PROFIT_AND_ASSETS)], _period(params)

    def key(one: Stock) -> float:
        found = _books(one, period)
        return read(found[0]) if found else 0.0

    def more(one: Stock) -> Row:
        found = _books(one, period)
        return ratios.statement_values(found[0]) | _month() if found else {}

    return _ranked(desk, params, now, key, more)


def _finance_ratio(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    mark, period = _MARKS[_code(params, _MARKS)], _period(params)

    @cache
    def more(one: Stock) -> Row:
        found = _books(one, period)
        return ratios.ratio_values(*found) | _month() if found else {}

    return _ranked(desk, params, now, lambda one: float(more(one)[mark]), more)


def _market_value(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    name, period = _VALUES[_code(params, _VALUES)], _period(params)

    @cache
    def more(one: Stock) -> Row:
        found = _books(one, period)
        shares = desk.finance.shares(one.symbol)
        return ratios.price_values(found[0], one.quote.last, shares) | _month() if found else {}

    return _ranked(desk, params, now, lambda one: float(more(one)[name]), more)


def _month() -> Row:
    return {"stac_month": "12", "stac_month_cls_code": "1"}


def _dividend_rate(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Rank the dividends of a record date in the range, in percent of the face value."""
    first = date_of(params, "F_DT", date(now.year - 1, 1, 1))
    last = date_of(params, "T_DT", now.date())
    board = {"1": "0001", "2": "2001", "3": "1001"}.get(params.get("GB1", ""), "0000")
    preferred = {"6": False, "7": True}.get(params.get("GB2", ""))
    rows: list[Row] = []
    # Nobody here pays in shares, or in between.
    if params.get("GB3") != "1" and params.get("GB4") != "2":
        for paid in desk.rights.entries("dividend", first, last, now.date()):
            security = security_of(paid.symbol)
            of_class = preferred is None or preferred is bool(security.common)
            if of_class and in_market(security, board):
                rows.append({**paid.values, "divi_kind": "결산"})
    rows.sort(key=lambda row: (-float(row["divi_rate"]), row["sht_cd"], row["record_date"]))
    return {"output1": [{"rank": place, **row} for place, row in enumerate(rows[:MOST], 1)]}


def _preferred(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Rank preferred shares by how much cheaper they are than the common ones."""
    found = {one.symbol: one for one in chosen(desk, params, now)}
    pairs = [
        (found[one.security.common], one) for one in found.values() if one.security.common in found
    ]

    def gap(pair: tuple[Stock, Stock]) -> float:
        return 1 - pair[1].quote.last / pair[0].quote.last

    rows = []
    for place, (common, one) in enumerate(sorted(pairs, key=gap, reverse=True)[:MOST], 1):
        difference = common.quote.last - one.quote.last
        told = {f"prst_{name.removeprefix('stck_')}": value for name, value in one.price().items()}
        rows.append(
            {
                "data_rank": place,
                **common.price(),
                **told,
                "prst_iscd": one.symbol,
                "prst_kor_isnm": one.quote.listing.name,
                "diff_prpr": difference,
                "dprt": rate(difference, common.quote.last),
            }
        )
    return {"output": rows}
