"""Rankings of domestic stocks by price, volume and balances: each a row of a table (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from random import Random

from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.choice import Classes, chosen
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, count_of
from bridge.simulator.rest.board.stocks import Stock
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.stream.records import rate

__all__ = ["MOST", "Key", "Ranking", "rank", "rankings", "tellings"]

MOST = 30
"""Rows of a ranking, as at KIS; there is no second page."""
SORT = "FID_RANK_SORT_CLS_CODE"
Key = Callable[[Stock], float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a call ranks. ``keys`` are by the code of the parameter ``by``; ``-`` begins the codes
    of those that rank the lowest first."""

    keys: Mapping[str, Key]
    by: str = SORT
    more: Callable[[Stock], Row] = lambda stock: {}
    classes: Classes = ""
    block: str = "output"
    keep: Callable[[Stock, Params], bool] | None = None
    first: str = ""
    """Parameter that says with which rank to begin."""
    markets: Mapping[str, str] = field(default_factory=dict)


def rank(ranking: Ranking, desk: BoardDesk, params: Params, now: datetime) -> list[Row]:
    """Return the rows of a ranking."""
    code = params.get(ranking.by, "") or next(iter(ranking.keys)).lstrip("-")
    key, sense = ranking.keys.get(code), -1
    if key is None:
        key, sense = ranking.keys.get(f"-{code}"), 1
    if key is None:
        raise InputError(ranking.by)
    stocks = chosen(desk, params, now, ranking.classes, ranking.markets)
    if ranking.keep is not None:
        stocks = [one for one in stocks if ranking.keep(one, params)]
    # Of equals the one that is traded more comes first.
    ordered = sorted(stocks, key=lambda one: (sense * key(one), -one.quote.value, one.symbol))
    begin = max(1, count_of(params, ranking.first)) - 1 if ranking.first else 0
    return [
        {"data_rank": place, "rank": place, **one.price(), **ranking.more(one)}
        for place, one in enumerate(ordered[begin : begin + MOST], begin + 1)
    ]


def tellings(desk: BoardDesk, table: Mapping[str, Ranking]) -> dict[str, Telling]:
    """Return what answers each of the calls of a table."""

    def tell(ranking: Ranking, params: Params, now: datetime) -> Blocks:
        return {ranking.block: rank(ranking, desk, params, now)}

    return {name: partial(tell, ranking) for name, ranking in table.items()}


# -- what is compared


def _growth(one: Stock) -> float:
    return one.quote.volume / one.quote.listing.previous_volume


def _turnover(one: Stock) -> float:
    return one.quote.volume / one.quote.listing.shares


def _value_turnover(one: Stock) -> float:
    return one.quote.value / one.quote.market_cap


def _from_open(one: Stock) -> float:
    return one.quote.last / one.quote.open - 1 if one.quote.open else 0.0


def _width(one: Stock) -> float:
    return (one.quote.high - one.quote.low) / one.quote.base


def _power(one: Stock) -> float:
    return one.quote.bought / one.quote.sold if one.quote.sold else 0.0


def _net_bids(one: Stock) -> float:
    return one.quote.total_bids - one.quote.total_asks


def _bid_part(one: Stock) -> float:
    return one.quote.total_bids / one.quote.total_asks if one.quote.total_asks else 0.0


def _ask_part(one: Stock) -> float:
    return one.quote.total_asks / one.quote.total_bids if one.quote.total_bids else 0.0


def interest(one: Stock) -> int:
    """Return how many have a symbol on their list of interest."""
    draw = Random(f"interest {one.desk.settings.seed} {one.symbol}")  # noqa: S311 - no secret
    return int(draw.lognormvariate(6, 1.2)) + (50_000 if one.security.real else 0)


# -- what rows say besides the price


def _volumes(one: Stock) -> Row:
    quote = one.quote
    return {
        "avrg_vol": f"{quote.volume:.2f}",
        "avrg_tr_pbmn": f"{quote.value:.2f}",
        "n_befr_clpr_vrss_prpr_rate": rate(quote.change, quote.base),
        "vol_inrt": rate(
            quote.volume - quote.listing.previous_volume, quote.listing.previous_volume
        ),
        "nday_vol_tnrt": rate(quote.volume, quote.listing.shares),
        "nday_tr_pbmn_tnrt": rate(quote.value, quote.market_cap),
    }


def _changes(one: Stock) -> Row:
    quote, today = one.quote, f"{one.now:%Y%m%d}"
    run = _run(one)
    return {
        "hgpr_hour": f"{quote.high_at:%H%M%S}",
        "lwpr_hour": f"{quote.low_at:%H%M%S}",
        "acml_hgpr_date": today,
        "acml_lwpr_date": today,
        "dsgt_date_clpr_vrss_prpr_rate": rate(quote.change, quote.base),
        "cnnt_ascn_dynu": max(0, run),
        "cnnt_down_dynu": max(0, -run),
        "prd_rsfl": quote.change,
        "prd_rsfl_rate": rate(quote.change, quote.base),
    }


def _run(one: Stock) -> int:
    """Return for how many days a price has gone up; negative: down."""
    before = one.desk.past.closes(one.symbol, one.now.date(), 10)
    closes = [one.quote.last, *before]
    steps = [after - before for after, before in pairwise(closes)]
    run = 0
    for step in steps:
        if not step or run * step < 0:
            break
        run += 1 if step > 0 else -1
    return run


def _balances(one: Stock) -> Row:
    asks, bids = one.quote.total_asks, one.quote.total_bids
    return {
        "total_ntsl_bidp_rsqn": bids - asks,
        "shnu_rsqn_rate": rate(bids, asks),
        "seln_rsqn_rate": rate(asks, bids),
    }


def _expected(one: Stock) -> Row:
    """Return what an auction now would do: as in the order book, it is at the last price."""
    quote = one.quote
    volume = quote.volume // 25
    return {
        "cntg_vol": volume,
        "antc_tr_pbmn": volume * quote.last,
        "sdpr_vrss_prpr": quote.change,
        "sdpr_vrss_prpr_rate": rate(quote.change, quote.base),
    }


def _near_limit(one: Stock, params: Params) -> bool:
    """Tell whether a price is at its limit, or has gone so far towards it."""
    least = {"6": 8, "5": 10, "1": 15, "2": 20, "3": 25}.get(params.get("FID_DIV_CLS_CODE", ""))
    falls = params.get("FID_PRC_CLS_CODE") == "1"
    quote = one.quote
    if least is None:
        return quote.last == (quote.lower if falls else quote.upper)
    return quote.percent <= -least if falls else quote.percent >= least


def _at_close(one: Stock, params: Params) -> bool:
    limit = {"1": one.quote.upper, "2": one.quote.lower}.get(params.get(SORT, ""))
    return limit is None or one.quote.last == limit


def _flat(one: Stock, params: Params) -> bool:
    return params.get(SORT) != "2" or not one.quote.change


def _percent(one: Stock) -> float:
    return one.quote.percent


def _change(one: Stock) -> float:
    return one.quote.change


def _volume(one: Stock) -> float:
    return one.quote.volume


def _value(one: Stock) -> float:
    return one.quote.value


_UP_AND_DOWN: Mapping[str, Key] = {
    "0": _percent,
    "1": _change,
    "2": _volume,
    "-3": _percent,
    "-4": _change,
    "5": _volume,
    "6": _value,
}
TABLE: Mapping[str, Ranking] = {
    "domestic_stock/volume_rank": Ranking(
        {"0": _volume, "1": _growth, "2": _turnover, "3": _value, "4": _value_turnover},
        by="FID_BLNG_CLS_CODE",
        more=_volumes,
        classes="12",
    ),
    "domestic_stock/volume_power": Ranking({"": _power}, by="", classes="12"),
    "domestic_stock/quote_balance": Ranking(
        {"0": _net_bids, "-1": _net_bids, "2": _bid_part, "3": _ask_part}, more=_balances
    ),
    "domestic_stock/bulk_trans_num": Ranking(
        {"0": lambda one: one.quote.buys, "1": lambda one: one.quote.sells}
    ),
    "domestic_stock/top_interest_stock": Ranking(
        {"": interest},
        by="",
        more=lambda one: {
            "inter_issu_reg_csnu": interest(one),
            "mrkt_div_cls_name": one.board_name,
        },
        classes="67",
        first="FID_INPUT_CNT_1",
    ),
    "domestic_stock/exp_trans_updown": Ranking(
        _UP_AND_DOWN, more=_expected, classes="12", keep=_flat
    ),
    "domestic_stock/exp_closing_price": Ranking(
        {"0": _percent, "1": _percent, "-2": _percent, "3": _percent, "-4": _percent},
        more=_expected,
        block="output1",
        keep=_at_close,
    ),
    "domestic_stock/capture_uplowprice": Ranking(
        {"0": _percent, "-1": _percent}, by="FID_PRC_CLS_CODE", keep=_near_limit
    ),
}


def fluctuation(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Rank by change: against the day's low (high) or yesterday's close, or over some days."""
    days = count_of(params, "FID_INPUT_CNT_1")
    from_close = params.get("FID_PRC_CLS_CODE") == "1"

    def base(one: Stock) -> int:
        return one.close_before(days) if days else one.quote.base

    def up(one: Stock) -> float:
        return one.quote.last / (base(one) if from_close or days else one.quote.low or 1)

    def down(one: Stock) -> float:
        return one.quote.last / (base(one) if from_close or days else one.quote.high or 1)

    def more(one: Stock) -> Row:
        change = one.quote.last - base(one)
        period = {"prd_rsfl": change, "prd_rsfl_rate": rate(change, base(one))}
        return _changes(one) | period

    keys = {"0": up, "-1": down, "2": _from_open, "-3": _from_open, "4": _width}
    return {"output": rank(Ranking(keys, more=more), desk, params, now)}


def market_cap(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Rank by market capitalisation, and say which part of the whole each is."""
    whole = sum(one.quote.market_cap for one in chosen(desk, {}, now))

    def more(one: Stock) -> Row:
        return {"mrkt_whol_avls_rlim": rate(one.quote.market_cap, whole)}

    ranking = Ranking({"": lambda one: one.quote.market_cap}, by="", more=more, classes="12")
    return {"output": rank(ranking, desk, params, now)}


def top_view(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the twenty symbols that most people look at."""
    rows = rank(TABLE["domestic_stock/top_interest_stock"], desk, {}, now)[:20]
    return {"output1": [{"mrkt_div_cls_code": "J", **row} for row in rows]}


def rankings(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    return tellings(desk, TABLE) | {
        "domestic_stock/fluctuation": partial(fluctuation, desk),
        "domestic_stock/market_cap": partial(market_cap, desk),
        "domestic_stock/hts_top_view": partial(top_view, desk),
    }
