"""Lists: news, stocks that KIS lends for, groups of interest, saved searches, limits (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from functools import partial

from bridge.simulator.board.news import titles
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.securities import securities
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.choice import chosen
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.rankings import TABLE, rank
from bridge.simulator.rest.board.stocks import Stock, stock_of
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.stream.records import rate, sign

__all__ = ["lists", "news_rows"]

_TITLES = 40
"""Of news in one answer."""


def lists(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    name = "domestic_stock/"
    return {
        f"{name}news_title": partial(_news, desk),
        f"{name}credit_by_company": partial(_credit, desk),
        f"{name}lendable_by_company": partial(_lendable, desk),
        f"{name}inquire_vi_status": partial(_interruptions, desk),
        f"{name}intstock_grouplist": partial(_groups, desk),
        f"{name}intstock_stocklist_by_group": partial(_group, desk),
        f"{name}intstock_multprice": partial(_several, desk),
        f"{name}psearch_title": partial(_searches, desk),
        f"{name}psearch_result": partial(_search, desk),
    }


# -- news


def _news(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    firms = [(one.symbol, one.name) for one in securities().values() if one.kind == "stock"]
    return {"output": news_rows("domestic", firms, params, now, desk.settings.seed)}


def news_rows(
    source: str, firms: list[tuple[str, str]], params: Params, now: datetime, seed: int
) -> list[Row]:
    """Return titles of a day: until an hour, about a symbol, with a word, before another one."""
    day = date_of(params, "FID_INPUT_DATE_1", now.date())
    if day > now.date():
        return []
    until = now if day == now.date() else datetime.combine(day, time(23, 59, 59), now.tzinfo)
    hour = params.get("FID_INPUT_HOUR_1", "")[-6:]
    if hour.strip("0"):
        try:
            asked = datetime.strptime(hour.zfill(6), "%H%M%S").time()  # noqa: DTZ007 - a time of day
        except ValueError as error:
            raise InputError("FID_INPUT_HOUR_1") from error
        until = min(until, datetime.combine(day, asked, now.tzinfo))
    symbol, word = params.get("FID_INPUT_ISCD", ""), params.get("FID_TITL_CNTT", "")
    before = params.get("FID_INPUT_SRNO", "")
    return [
        {
            "cntt_usiq_srno": one.number,
            "news_ofer_entp_code": "9",
            "data_dt": f"{one.at:%Y%m%d}",
            "data_tm": f"{one.at:%H%M%S}",
            "hts_pbnt_titl_cntt": one.text,
            "news_lrdv_code": "01",
            "dorg": "모의뉴스",
            "iscd1": one.symbol,
            "kor_isnm1": one.name,
        }
        for one in titles(source, firms, until, seed)
        if symbol in ("", one.symbol) and word in one.text and (not before or one.number < before)
    ][:_TITLES]


# -- what KIS gives credit for


def _has_credit(one: Stock) -> bool:
    """Tell whether KIS, which is not asked, gives credit for a stock: not for notes."""
    return one.security.kind != "etn" and not one.security.common


def _credit(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    wanted = params.get("FID_SLCT_YN", "0") != "1"
    found = [one for one in chosen(desk, params, now) if _has_credit(one) is wanted]
    by_name = params.get("FID_RANK_SORT_CLS_CODE") == "1"
    found.sort(key=lambda one: one.security.name if by_name else one.symbol)
    rate_of = "45.00" if wanted else "100.00"
    return {"output": [{**one.price(), "crdt_rate": rate_of} for one in found]}


def _lendable(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    symbol = params.get("PDNO", "")
    board = {"02": "kospi", "03": "kosdaq"}.get(params.get("EXCG_DVSN_CD", ""), "")
    wanted = params.get("THCO_STLN_PSBL_YN", "Y") != "N"
    rows, limit = [], 0
    for one in chosen(desk, {}, now):
        if board not in ("", one.security.board) or symbol not in ("", one.symbol):
            continue
        # What may be lent are the stocks of the large indices.
        if bool(one.security.groups) is not wanted:
            continue
        most = one.quote.listing.shares // 10_000 if wanted else 0
        used = min(most, one.lending.lent // 1_000)
        limit += most
        rows.append(
            {
                "pdno": one.symbol,
                "prdt_name": one.quote.listing.name,
                "papr": desk.finance.face_value(one.symbol),
                "bfdy_clpr": one.quote.base,
                "sbst_prvs": one.quote.base * 8 // 10,
                "tr_stop_dvsn_name": "정상",
                "psbl_yn_name": "가능" if wanted else "불가",
                "lmt_qty1": most,
                "use_qty1": used,
                "trad_psbl_qty2": most - used,
                "bass_dt": f"{now:%Y%m%d}",
                "psbl_yn": "Y" if wanted else "N",
            }
        )
    rows.sort(key=lambda row: str(row["pdno"]))
    left = sum(int(str(row["trad_psbl_qty2"])) for row in rows)
    totals = {"tot_stup_lmt_qty": limit, "brch_lmt_qty": 0, "rqst_psbl_qty": left}
    return {"output1": rows, "output2": totals}


# -- volatility interruptions

_STATIC = 10
"""Percent from the opening price at which trading is interrupted."""


def _interruptions(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the stocks that went far enough from their base to be interrupted today."""
    up_or_down = params.get("FID_DIV_CLS_CODE", "0")
    board = {"K": "kospi", "Q": "kosdaq"}.get(params.get("FID_MRKT_CLS_CODE", ""), "")
    symbol = params.get("FID_INPUT_ISCD", "")
    day = date_of(params, "FID_INPUT_DATE_1", now.date())
    rows = []
    if day == now.date() and params.get("FID_RANK_SORT_CLS_CODE", "0") != "2":
        for one in chosen(desk, {}, now):
            quote = one.quote
            rises = quote.high >= quote.base * (100 + _STATIC) / 100
            falls = 0 < quote.low <= quote.base * (100 - _STATIC) / 100
            if not ((rises and up_or_down != "2") or (falls and up_or_down != "1")):
                continue
            if board not in ("", one.security.board) or symbol not in ("", one.symbol):
                continue
            at, price = (quote.high_at, quote.high) if rises else (quote.low_at, quote.low)
            rows.append(
                {
                    **one.price(),
                    "vi_cls_code": "N",
                    "bsop_date": f"{day:%Y%m%d}",
                    "cntg_vi_hour": f"{at:%H%M%S}",
                    "vi_cncl_hour": f"{at + timedelta(minutes=2):%H%M%S}",
                    "vi_kind_code": "1",
                    "vi_prc": price,
                    "vi_stnd_prc": quote.base,
                    "vi_dprt": rate(price - quote.base, quote.base),
                    "vi_dmc_stnd_prc": 0,
                    "vi_dmc_dprt": "0.00",
                    "vi_count": 1,
                }
            )
    return {"output": rows}


# -- groups of interest and saved searches

_GROUPS: Mapping[str, tuple[str, Callable[[Stock], bool]]] = {
    "001": ("모의 대형주", lambda one: one.security.real),
    "002": ("모의 코스닥", lambda one: "3003" in one.security.groups),
    "003": ("모의 ETF", lambda one: one.security.kind == "etf"),
}
"""What every user has on their lists."""


def _groups(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    return {
        "output2": [
            {
                "date": f"{now:%Y%m%d}",
                "trnm_hour": "000000",
                "data_rank": place,
                "inter_grp_code": code,
                "inter_grp_name": name,
                "ask_cnt": sum(map(holds, chosen(desk, {}, now))),
            }
            for place, (code, (name, holds)) in enumerate(_GROUPS.items())
        ]
    }


def _group(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    name, holds = _GROUPS.get(params.get("INTER_GRP_CODE", ""), ("", lambda one: False))
    rows = [
        {
            "fid_mrkt_cls_code": "J",
            "data_rank": place,
            "exch_code": "1" if one.security.board == "kospi" else "2",
            "jong_code": one.symbol,
            "hts_kor_isnm": one.quote.listing.name,
            "fxdt_ntby_qty": 0,
            "cntg_unpr": "0.00",
        }
        for place, one in enumerate(filter(holds, chosen(desk, {}, now)))
    ]
    return {"output1": {"data_rank": 0, "inter_grp_name": name}, "output2": rows}


def _several(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return up to thirty symbols at once; a blank one ends nothing."""
    rows = []
    for place in range(1, 31):
        symbol = params.get(f"FID_INPUT_ISCD_{place}", "")
        if listings.plausible(symbol):
            rows.append(_one_of_several(stock_of(desk, symbol, now)))
    return {"output": rows}


def _one_of_several(one: Stock) -> Row:
    quote = one.quote
    again = {
        "prpr": quote.last,
        "prdy_vrss": quote.change,
        "oprc": quote.open,
        "hgpr": quote.high,
        "lwpr": quote.low,
        "llam": quote.lower,
        "mxpr": quote.upper,
        "askp": quote.ask,
        "bidp": quote.bid,
        "prdy_clpr": quote.base,
        "sdpr": quote.base,
    }
    return {
        **one.price(),
        **{f"inter2_{name}": value for name, value in again.items()},
        "kospi_kosdaq_cls_name": one.security.board.upper(),
        "mrkt_trtm_cls_name": "정상",
        "hour_cls_code": "0",
        "inter_shrn_iscd": one.symbol,
        "inter_kor_isnm": quote.listing.name,
        "oprc_vrss_hgpr_rate": rate(quote.high - quote.open, quote.open),
        "intr_antc_cntg_vrss": -quote.base,
        "intr_antc_cntg_vrss_sign": "5",
        "intr_antc_cntg_prdy_ctrt": "-100.00",
        "intr_antc_vol": quote.volume // 25,
    }


_SEARCHES: Mapping[str, tuple[str, str]] = {
    "0": ("모의 거래량 상위", "domestic_stock/volume_rank"),
    "1": ("모의 체결강도 상위", "domestic_stock/volume_power"),
}
"""Number → name and the ranking that stands for what a user has saved."""


def _searches(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    user = params.get("USER_ID", "")
    return {
        "output2": [
            {"user_id": user, "seq": number, "grp_nm": "모의", "condition_nm": name}
            for number, (name, _) in _SEARCHES.items()
        ]
    }


def _search(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    found = _SEARCHES.get(params.get("SEQ", ""))
    if found is None:
        return {}
    rows = rank(TABLE[found[1]], desk, {}, now)
    return {"output2": [_searched(stock_of(desk, str(row["mksc_shrn_iscd"]), now)) for row in rows]}


def _searched(one: Stock) -> Row:
    quote = one.quote
    (high, _), (low, _) = one.highest, one.lowest
    values: dict[str, float] = {
        "price": quote.last,
        "chgrate": quote.percent,
        "acml_vol": quote.volume,
        "trade_amt": quote.value,
        "change": quote.change,
        "cttr": quote.bought / quote.sold * 100 if quote.sold else 0.0,
        "open": quote.open,
        "high": quote.high,
        "low": quote.low,
        "high52": high,
        "low52": low,
        "expprice": 0,
        "expchange": 0,
        "expchggrate": 0,
        "expcvol": 0,
        "chgrate2": quote.volume / quote.listing.previous_volume * 100,
        "recprice": quote.base,
        "uplmtprice": quote.upper,
        "dnlmtprice": quote.lower,
        "stotprice": quote.market_cap // 100_000_000,
    }
    return {
        "code": one.symbol,
        "name": quote.listing.name,
        "daebi": sign(quote.last, quote.base, quote.lower, quote.upper),
        "expdaebi": "3",
        **{name: f"{value:.4f}" for name, value in values.items()},
    }
