"""Lists of firms abroad: news, rights, loans, industries (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from random import Random

from bridge.simulator.history.abroad import (
    EXCHANGES,
    INDUSTRIES,
    ForeignFirm,
    find_abroad,
    listed_abroad,
)
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.lists import news_rows
from bridge.simulator.rest.params import Params

__all__ = ["lists_abroad"]


def _industries(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    rows = [{"icod": code, "name": name} for code, name, _ in INDUSTRIES]
    return {"output1": {"nrec": len(rows)}, "output2": rows}


def _firms() -> list[ForeignFirm]:
    return [firm for firms in listed_abroad().values() for firm in firms]


def _news(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    country = params.get("NATION_CD", "")
    firms = [
        (one.symbol, one.name)
        for one in _firms()
        if country in ("", EXCHANGES[one.exchange].country)
    ]
    asked = {
        "FID_INPUT_DATE_1": params.get("DATA_DT", ""),
        "FID_INPUT_HOUR_1": params.get("DATA_TM", ""),
        "FID_INPUT_ISCD": params.get("SYMB", ""),
    }
    if not firms:
        return {}
    rows = []
    for row in news_rows("abroad", firms, asked, now, desk.settings.seed):
        firm = find_abroad(str(row["iscd1"]))
        exchange = EXCHANGES[firm.exchange] if firm else None
        rows.append(
            {
                **row,
                "info_gb": "i",
                "news_key": row["cntt_usiq_srno"],
                "class_cd": "01",
                "class_name": "모의",
                "source": "모의뉴스",
                "nation_cd": exchange.country if exchange else "",
                "exchange_cd": exchange.code if exchange else "",
                "symb": row["iscd1"],
                "symb_name": row["kor_isnm1"],
                "title": row["hts_pbnt_titl_cntt"],
            }
        )
    return {"outblock1": rows}


def _breaking(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    firms = [(one.symbol, one.name) for one in _firms()]
    return {"output": news_rows("breaking", firms, params, now, desk.settings.seed)}


def _loans(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    symbol, country = params.get("PDNO", ""), params.get("NATN_CD", "")
    rows = []
    for firm in _firms():
        exchange = EXCHANGES[firm.exchange]
        if symbol not in ("", firm.symbol) or country not in ("", exchange.country_code):
            continue
        rows.append(
            {
                "pdno": firm.symbol,
                "ovrs_item_name": firm.name,
                "loan_rt": "50.00",
                "mgge_mntn_rt": "140.00",
                "mgge_ensu_rt": "200.00",
                "loan_exec_psbl_yn": "Y",
                "stff_name": "모의",
                "erlm_dt": "20240102",
                "tr_mket_name": exchange.name,
                "crcy_cd": exchange.currency,
                "natn_kor_name": exchange.country_name,
                "ovrs_excg_cd": exchange.order_code,
            }
        )
    by_name = params.get("INQR_SQN_DVSN") == "01"
    rows.sort(key=lambda row: row["ovrs_item_name" if by_name else "pdno"])
    return {"output1": rows, "output2": {"loan_psbl_item_num": len(rows)}}


def _dividends(firm: ForeignFirm, seed: int, first: date, last: date) -> list[tuple[date, str]]:
    """Return the quarterly record days of a firm, and what a share is paid."""
    draw = Random(f"dividend abroad {seed} {firm.symbol}")  # noqa: S311 - invented, no secret
    pays, day, each = draw.random() < 0.6, draw.randrange(3, 26), draw.randrange(5, 120)
    if not pays:
        return []
    found = []
    for year in range(max(first.year, last.year - 3), last.year + 1):
        for month in (2, 5, 8, 11):
            on = date(year, month, day)
            if first <= on <= last:
                found.append((on, f"{each / 100:.5f}"))
    return found


def _rights(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the dividends between two days; nothing else happens to these firms."""
    last = date_of(params, "INQR_END_DT", now.date())
    first = date_of(params, "INQR_STRT_DT", last - timedelta(days=90))
    kind, symbol = params.get("RGHT_TYPE_CD", ""), params.get("PDNO", "")
    rows = []
    for firm in _firms() if kind in ("", "%%", "03") else []:
        if symbol not in ("", firm.symbol):
            continue
        exchange = EXCHANGES[firm.exchange]
        for on, each in _dividends(firm, desk.settings.seed, first, last):
            rows.append(
                {
                    "bass_dt": on,
                    "rght_type_cd": "03",
                    "pdno": firm.symbol,
                    "prdt_name": firm.name,
                    "prdt_type_cd": exchange.product,
                    "std_pdno": "",
                    "acpl_bass_dt": on,
                    "cash_alct_rt": each,
                    "crcy_cd": exchange.currency,
                    "alct_frcr_unpr": each,
                    "dfnt_yn": "Y" if on <= now.date() else "N",
                }
            )
    rows.sort(key=lambda row: (row["bass_dt"], row["pdno"]))
    return {"output": rows}


def _rights_by_ice(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    firm = find_abroad(params.get("SYMB", ""))
    last = date_of(params, "ED_YMD", now.date())
    first = date_of(params, "ST_YMD", last - timedelta(days=90))
    if firm is None:
        return {}
    return {
        "output1": [
            {
                "anno_dt": on - timedelta(days=20),
                "ca_title": "모의 현금배당",
                "div_lock_dt": on,
                "pay_dt": on + timedelta(days=14),
                "record_dt": on,
                "lock_dt": on,
            }
            for on, _ in _dividends(firm, desk.settings.seed, first, last)
        ]
    }


def lists_abroad(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    name = "overseas_stock/"
    return {
        f"{name}industry_price": partial(_industries, desk),
        f"{name}news_title": partial(_news, desk),
        f"{name}brknews_title": partial(_breaking, desk),
        f"{name}colable_by_company": partial(_loans, desk),
        f"{name}period_rights": partial(_rights, desk),
        f"{name}rights_by_ice": partial(_rights_by_ice, desk),
    }
