"""Rankings by who trades: investors, members, short sellers, lenders; and after hours (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from bridge.simulator.board.after_hours import after_hours
from bridge.simulator.board.flows import Flow, total
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.choice import chosen
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, count_of
from bridge.simulator.rest.board.rankings import SORT, Key, Ranking, rank, tellings
from bridge.simulator.rest.board.stocks import Stock
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import MEMBER_SHARES, rate, sign

__all__ = ["after_hours_values", "flow_rankings", "flow_values"]

_OURS = MEMBER_SHARES[0]
"""Percent of a symbol's trading that goes over the first member, which stands for KIS here."""
_ABROAD = MEMBER_SHARES[-1]
"""That of the last one, which is a foreign firm."""


def flow_values(flow: Flow, name: str) -> Row:
    """Return what a group of investors did, by KIS's many names of it."""
    return {
        f"{name}_shnu_vol": flow.bought,
        f"{name}_seln_vol": flow.sold,
        f"{name}_ntby_qty": flow.net,
        f"{name}_ntby_vol": flow.net,
        f"{name}_shnu_tr_pbmn": flow.bought_value,
        f"{name}_seln_tr_pbmn": flow.sold_value,
        f"{name}_ntby_tr_pbmn": flow.net_value,
        f"{name}_bidp_qty": flow.bought,
        f"{name}_askp_qty": flow.sold,
        f"{name}_bidp_pbmn": flow.bought_value,
        f"{name}_askp_pbmn": flow.sold_value,
        f"{name}_ntby_pbmn": flow.net_value,
    }


# -- credit and short sales


def _loans(one: Stock) -> float:
    return one.lending.loans


def _lent(one: Stock) -> float:
    return one.lending.lent


def _loan_growth(one: Stock) -> float:
    return (one.lending.loans_new - one.lending.loans_repaid) / max(1, one.lending.loans)


def _lent_growth(one: Stock) -> float:
    return (one.lending.lent_new - one.lending.lent_repaid) / max(1, one.lending.lent)


def _credit(one: Stock) -> Row:
    lending, quote = one.lending, one.quote
    return {
        "whol_loan_rmnd_stcn": lending.loans,
        "whol_loan_rmnd_amt": lending.loans * quote.last,
        "whol_loan_rmnd_rate": rate(lending.loans, quote.listing.shares),
        "whol_stln_rmnd_stcn": lending.lent,
        "whol_stln_rmnd_amt": lending.lent * quote.last,
        "whol_stln_rmnd_rate": rate(lending.lent, quote.listing.shares),
        "nday_vrss_loan_rmnd_inrt": f"{_loan_growth(one) * 100:.2f}",
        "nday_vrss_stln_rmnd_inrt": f"{_lent_growth(one) * 100:.2f}",
    }


_CREDIT_KEYS: Mapping[str, Key] = {
    "0": lambda one: one.lending.loans / one.quote.listing.shares,
    "1": _loans,
    "2": lambda one: one.lending.loans * one.quote.last,
    "3": _loan_growth,
    "-4": _loan_growth,
    "5": lambda one: one.lending.lent / one.quote.listing.shares,
    "6": _lent,
    "7": lambda one: one.lending.lent * one.quote.last,
    "8": _lent_growth,
    "-9": _lent_growth,
}


def _credit_balance(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    today = f"{now:%Y%m%d}"
    market = {
        "bstp_cls_code": params.get("FID_INPUT_ISCD", "0000"),
        "hts_kor_isnm": "종합",
        "stnd_date1": today,
        "stnd_date2": today,
    }
    return {
        "output1": [market],
        "output2": rank(Ranking(_CREDIT_KEYS, more=_credit), desk, params, now),
    }


def _short(one: Stock) -> Row:
    quote, today = one.quote, f"{one.now:%Y%m%d}"
    value = int(one.lending.short * one.average)
    return {
        "ssts_cntg_qty": one.lending.short,
        "ssts_vol_rlim": rate(one.lending.short, quote.volume),
        "ssts_tr_pbmn": value,
        "ssts_tr_pbmn_rlim": rate(value, quote.value),
        "stnd_date1": today,
        "stnd_date2": today,
        "avrg_prc": f"{one.average:.2f}",
    }


# -- members and investors


def _traded_by_company(one: Stock) -> Row:
    sold, bought = one.quote.sold * _OURS // 100, one.quote.bought * _OURS // 100
    return {"seln_cnqn_smtn": sold, "shnu_cnqn_smtn": bought, "ntby_cnqn": bought - sold}


def _foreign_firms(one: Stock) -> Row:
    sold, bought = one.quote.sold * _ABROAD // 100, one.quote.bought * _ABROAD // 100
    return {
        "glob_total_seln_qty": sold,
        "glob_total_shnu_qty": bought,
        "glob_ntsl_qty": sold - bought,
    }


def _members(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    by_shares = params.get(SORT) == "1"
    sense = -1 if params.get("FID_RANK_SORT_CLS_CODE_2") == "1" else 1

    def key(one: Stock) -> float:
        net = -sense * int(_foreign_firms(one)["glob_ntsl_qty"])
        return net if by_shares else net * one.quote.last

    # This call names the markets otherwise than all the others.
    markets = {"1001": "0001", "2001": "1001"}
    ranking = Ranking({"": key}, by="", more=_foreign_firms, markets=markets)
    return {"output": rank(ranking, desk, params, now)}


_WHOSE = {"0": ("frgn", "orgn"), "1": ("frgn",), "2": ("orgn",), "3": ("etc",)}


def _foreigners_and_institutions(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    whose = _WHOSE.get(params.get("FID_ETC_CLS_CODE", ""), _WHOSE["0"])
    by_value = params.get("FID_DIV_CLS_CODE") == "1"
    sense = -1 if params.get(SORT) == "1" else 1

    def flow(one: Stock) -> Flow:
        return total(one.investors[name] for name in whose)

    def key(one: Stock) -> float:
        return sense * (flow(one).net_value if by_value else flow(one).net)

    def more(one: Stock) -> Row:
        row: Row = {"ntby_qty": flow(one).net}
        for name, found in one.investors.items():
            row |= flow_values(found, name)
        return row

    return {"output": rank(Ranking({"": key}, by="", more=more), desk, params, now)}


# -- after hours


def after_hours_values(one: Stock) -> Row:
    """Return a symbol's trading after hours."""
    found, quote = after_hours(one.quote, one.now.date(), one.desk.settings.seed), one.quote
    change = found.price - quote.last
    told: Row = {}
    for name in ("ovtm_untp_prdy", "ovtm_untp_antc_cntg"):
        told |= {
            f"{name}_vrss": change,
            f"{name}_vrss_sign": sign(found.price, quote.last),
            f"{name}_vrsssign": sign(found.price, quote.last),
            f"{name}_ctrt": rate(change, quote.last),
        }
    return told | {
        "ovtm_untp_prpr": found.price,
        "ovtm_untp_antc_cnpr": found.price,
        "ovtm_untp_vol": found.volume,
        "ovtm_untp_antc_cnqn": found.volume,
        "ovtm_untp_tr_pbmn": found.value,
        "ovtm_untp_seln_rsqn": found.asks,
        "ovtm_untp_shnu_rsqn": found.bids,
        "ovtm_untp_askp_rsqn1": found.asks,
        "ovtm_untp_bidp_rsqn1": found.bids,
        "ovtm_untp_askp1": found.price,
        "ovtm_untp_bidp1": found.price,
        "ovtm_vrss_acml_vol_rlim": rate(found.volume, quote.volume),
        "itmt_vol": quote.volume,
        "ovtm_total_askp_rsqn": found.at_close_asks,
        "ovtm_total_bidp_rsqn": found.at_close_bids,
        "mkob_otcp_vol": found.before_volume,
        "mkfa_otcp_vol": found.after_volume,
    }


def _told(name: str) -> Key:
    return lambda one: float(after_hours_values(one)[name])


_RISES: Mapping[str, Key] = {
    "0": _told("ovtm_untp_prdy_ctrt"),
    "1": _told("ovtm_untp_prdy_vrss"),
    "2": _told("ovtm_untp_vol"),
    "-3": _told("ovtm_untp_prdy_ctrt"),
    "-4": _told("ovtm_untp_prdy_vrss"),
}


def _unmoved(one: Stock, params: Params) -> bool:
    return params.get(SORT) != "2" or not after_hours_values(one)["ovtm_untp_prdy_vrss"]


def _of_move(one: Stock, params: Params) -> bool:
    """Tell whether a symbol is of the kind that a code asks for: 1, 4 at a limit, 3 unmoved."""
    price = int(after_hours_values(one)["ovtm_untp_prpr"])
    wanted = {"1": one.quote.upper, "3": one.quote.last, "4": one.quote.lower}
    return price == wanted.get(params.get("FID_DIV_CLS_CODE", ""), price)


def _after_hours_totals(desk: BoardDesk, now: datetime) -> Row:
    row: dict[str, int] = {}
    every = [(one, after_hours_values(one)) for one in chosen(desk, {}, now)]
    for name, board in (("exch", "kospi"), ("kosdaq", "kosdaq"), ("acml", "")):
        told = [values for one, values in every if board in ("", one.security.board)]
        row[f"ovtm_untp_{name}_vol"] = sum(values["ovtm_untp_vol"] for values in told)
        row[f"ovtm_untp_{name}_tr_pbmn"] = sum(values["ovtm_untp_tr_pbmn"] for values in told)
    signs = [values["ovtm_untp_prdy_vrss_sign"] for _, values in every]
    for name, code in (("ascn", "2"), ("stnr", "3"), ("down", "5")):
        row[f"ovtm_untp_{name}_issu_cnt"] = signs.count(code)
    return row


def _after_hours(ranking: Ranking, desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    return {
        "output1": _after_hours_totals(desk, now),
        "output2": rank(ranking, desk, params, now),
    }


_BY_VOLUME = Ranking(
    {
        "2": _told("ovtm_untp_vol"),
        "0": _told("ovtm_untp_shnu_rsqn"),
        "1": _told("ovtm_untp_seln_rsqn"),
    },
    more=after_hours_values,
)
_BY_CHANGE = Ranking(
    {
        "2": _told("ovtm_untp_prdy_ctrt"),
        "1": _told("ovtm_untp_prdy_ctrt"),
        "3": _told("ovtm_untp_vol"),
        "-4": _told("ovtm_untp_prdy_ctrt"),
        "-5": _told("ovtm_untp_prdy_ctrt"),
    },
    by="FID_DIV_CLS_CODE",
    more=after_hours_values,
    keep=_of_move,
)
_TABLE: Mapping[str, Ranking] = {
    "domestic_stock/short_sale": Ranking({"": lambda one: one.lending.short}, by="", more=_short),
    "domestic_stock/traded_by_company": Ranking(
        {
            "0": lambda one: _traded_by_company(one)["seln_cnqn_smtn"],
            "1": lambda one: _traded_by_company(one)["shnu_cnqn_smtn"],
        },
        more=_traded_by_company,
        classes="67",
    ),
    "domestic_stock/overtime_exp_trans_fluct": Ranking(
        _RISES, more=after_hours_values, classes="67", keep=_unmoved
    ),
    "domestic_stock/after_hour_balance": Ranking(
        {
            "1": _told("mkob_otcp_vol"),
            "2": _told("mkfa_otcp_vol"),
            "3": _told("ovtm_total_askp_rsqn"),
            "4": _told("ovtm_total_bidp_rsqn"),
        },
        more=after_hours_values,
    ),
}


# -- what needs the past

_AMONG = 40
"""So many of the most traded symbols are compared where that takes a year of each."""


def _past(ranking: Ranking, desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    found = sorted(chosen(desk, params, now, ranking.classes), key=lambda one: -one.quote.value)
    among = {one.symbol for one in found[:_AMONG]}
    kept = Ranking(
        ranking.keys,
        ranking.by,
        ranking.more,
        ranking.classes,
        keep=lambda one, asked: (
            one.symbol in among and (ranking.keep is None or ranking.keep(one, asked))
        ),
    )
    return {ranking.block: rank(kept, desk, params, now)}


_PERIODS = (5, 10, 20, 60, 120)


def _distance(one: Stock, number: int) -> float:
    """Return the price in percent of its average over some days."""
    return one.quote.last / one.year_past.average(one.quote.last, number) * 100


def _distances(one: Stock) -> Row:
    return {f"d{number}_dsrt": f"{_distance(one, number):.2f}" for number in _PERIODS}


def _disparity(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    number = count_of(params, "FID_HOUR_CLS_CODE") or 20
    keys: Mapping[str, Key] = {
        "0": lambda one: _distance(one, number),
        "-1": lambda one: _distance(one, number),
    }
    return _past(Ranking(keys, more=_distances, classes="67"), desk, params, now)


def _extremes(one: Stock) -> Row:
    high, low = one.highest[0], one.lowest[0]
    return {
        "new_hgpr": high,
        "new_lwpr": low,
        "hprc_near_rate": rate(one.quote.last, high),
        "lwpr_near_rate": rate(one.quote.last, low),
    }


_NEAR = Ranking(
    {
        "0": lambda one: one.quote.last / one.highest[0],
        "-1": lambda one: one.quote.last / one.lowest[0],
    },
    by="FID_PRC_CLS_CODE",
    more=_extremes,
)


def flow_rankings(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    return tellings(desk, _TABLE) | {
        "domestic_stock/credit_balance": partial(_credit_balance, desk),
        "domestic_stock/frgnmem_trade_estimate": partial(_members, desk),
        "domestic_stock/foreign_institution_total": partial(_foreigners_and_institutions, desk),
        "domestic_stock/overtime_volume": partial(_after_hours, _BY_VOLUME, desk),
        "domestic_stock/overtime_fluctuation": partial(_after_hours, _BY_CHANGE, desk),
        "domestic_stock/disparity": partial(_disparity, desk),
        "domestic_stock/near_new_highlow": partial(_past, _NEAR, desk),
    }
