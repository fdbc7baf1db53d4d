"""Calls about one firm or all of them: statements, basics, calendars, opinions (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from random import Random

from bridge.simulator.board import ratios
from bridge.simulator.board.finance import FinancialStatement
from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.listings import standard_symbol
from bridge.simulator.exchange.securities import Board, securities
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.stocks import Stock, stock_of
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.stream.records import MEMBERS, rate

__all__ = ["firms"]

_MOST = 30
"""Periods of a statement, and lines of opinions, in one answer."""
_LINES = 100
"""Of a calendar in one answer."""

Told = Callable[[Stock, FinancialStatement, FinancialStatement | None], Mapping[str, str]]


def _financial(one: Stock, books: FinancialStatement, before: FinancialStatement | None) -> Row:
    shares = one.desk.finance.shares(one.symbol)
    every = ratios.ratio_values(books, before)
    return {**every, **ratios.per_share_values(books, shares)}


def _others(one: Stock, books: FinancialStatement, before: FinancialStatement | None) -> Row:
    return ratios.other_values(books, one.quote.last, one.desk.finance.shares(one.symbol))


_STATEMENTS: Mapping[str, Told] = {
    "balance_sheet": lambda one, books, before: ratios.statement_values(books),
    "income_statement": lambda one, books, before: ratios.income_values(books),
    "financial_ratio": _financial,
    "profit_ratio": lambda one, books, before: ratios.profit_values(books),
    "stability_ratio": lambda one, books, before: ratios.stability_values(books),
    "growth_ratio": lambda one, books, before: ratios.growth_values(books, before),
    "other_major_ratios": _others,
}
_CALENDARS: Mapping[str, str] = {
    "paidin_capin": "output",
    **dict.fromkeys(
        (
            *("bonus_issue", "dividend", "purreq", "merger_split", "rev_split", "cap_dcrs"),
            *("list_info", "pub_offer", "forfeit", "mand_deposit", "sharehld_meet"),
        ),
        "output1",
    ),
}
"""Each calendar and the block that it comes in."""


def firms(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    name = "domestic_stock/"
    return {
        **{
            f"{name}finance_{call}": partial(_statement, desk, told)
            for call, told in _STATEMENTS.items()
        },
        **{
            f"{name}ksdinfo_{call}": partial(_calendar, desk, call, block)
            for call, block in _CALENDARS.items()
        },
        f"{name}search_stock_info": partial(_basics, desk),
        f"{name}estimate_perform": partial(_estimate, desk),
        f"{name}invest_opinion": partial(_opinions, desk),
        f"{name}invest_opbysec": partial(_opinions_of_member, desk),
    }


def _statement(desk: BoardDesk, told: Told, params: Params, now: datetime) -> Blocks:
    one = stock_of(desk, params.get("FID_INPUT_ISCD", ""), now)
    quarters = desk.finance.quarters(one.symbol, now.date())
    if one.security.kind != "stock":
        return {"output": []}
    yearly = params.get("FID_DIV_CLS_CODE") != "1"
    rows = []
    for place, books in enumerate(quarters):
        if books.quarter == 4 or not yearly:
            before = quarters[place + 4] if place + 4 < len(quarters) else None
            rows.append(told(one, books, before))
    return {"output": rows[:_MOST]}


def _calendar(desk: BoardDesk, calendar: str, block: str, params: Params, now: datetime) -> Blocks:
    today = now.date()
    first = date_of(params, "F_DT", today - timedelta(days=365))
    last = date_of(params, "T_DT", today)
    symbol = params.get("SHT_CD", "")
    found = desk.rights.entries(calendar, first, last, today, symbol)
    board: Board | None = None
    if calendar == "rev_split" and (asked := params.get("MARKET_GB", "0")) != "0":
        board = "kospi" if asked == "1" else "kosdaq"
    if calendar == "dividend" and params.get("GB1") == "2":
        found = []  # nobody pays in between
    rows = [one.values for one in found if board is None or securities()[one.symbol].board == board]
    if calendar == "dividend" and params.get("HIGH_GB", "") not in ("", "0"):
        rows = [row for row in rows if row["high_divi_gb"]]
    return {block: rows[:_LINES]}


def _basics(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    symbol = params.get("PDNO", "").removeprefix("A")
    one = stock_of(desk, symbol, now)
    security, quote, listing = one.security, one.quote, one.quote.listing
    face = desk.finance.face_value(symbol)
    kospi, fund = security.board == "kospi", security.kind != "stock"
    listed_on = "20000104"
    return {
        "output": {
            "pdno": f"00000A{symbol}",
            "prdt_type_cd": "300",
            "mket_id_cd": "STK" if kospi else "KSQ",
            "scty_grp_id_cd": {"stock": "ST", "etf": "EF", "etn": "EN"}[security.kind],
            "excg_dvsn_cd": "02" if kospi else "03",
            "setl_mmdd": "1231",
            "lstg_stqt": listing.shares,
            "lstg_cptl_amt": 0 if fund else listing.shares * face,
            "cpta": 0 if fund else listing.shares * face,
            "papr": 0 if fund else face,
            "issu_pric": 0,
            "kospi200_item_yn": "Y" if "2001" in security.groups else "N",
            "scts_mket_lstg_dt": listed_on if kospi else "",
            "kosdaq_mket_lstg_dt": "" if kospi else listed_on,
            "etf_dvsn_cd": "1" if security.kind == "etf" else "",
            "etf_cu_qty": 50_000 if security.kind == "etf" else 0,
            "etf_chas_erng_rt_dbnb": f"{security.leverage:.2f}" if fund else "0.00",
            "oilf_fund_yn": "N",
            "idx_bztp_lcls_cd": security.sector_code,
            "idx_bztp_mcls_cd": security.sector_code,
            "idx_bztp_lcls_cd_name": "시가총액규모대",
            "idx_bztp_mcls_cd_name": security.sector.name,
            "std_idst_clsf_cd_name": security.sector.name,
            "stck_kind_cd": "201" if security.common else "101",
            "prdt_name": listing.name,
            "prdt_name120": listing.name,
            "prdt_abrv_name": listing.name,
            "prdt_eng_name": security.english,
            "prdt_eng_name120": security.english,
            "prdt_eng_abrv_name": security.english,
            "std_pdno": standard_symbol(symbol),
            "sbst_pric": quote.base * 8 // 10,
            "thco_sbst_pric": quote.base * 8 // 10,
            "tr_stop_yn": "N",
            "admn_item_yn": "N",
            "thdt_clpr": quote.last,
            "bfdy_clpr": quote.base,
            "clpr_chng_dt": f"{now:%Y%m%d}",
            "dpsi_aptm_erlm_yn": "Y",
            "elec_scty_yn": "Y",
            "crfd_item_yn": "N",
            "etf_etn_ivst_heed_item_yn": "N",
            "frnr_psnl_lmt_rt": "100.00",
            "issu_istt_cd": symbol[:5],
            "cptt_trad_tr_psbl_yn": "N" if fund else "Y",
            "nxt_tr_stop_yn": "N",
        }
    }


def _estimate(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the last three years, and two that somebody guesses: each 5 % better than before."""
    one = stock_of(desk, params.get("SHT_CD", "").removeprefix("A"), now)
    years = list(desk.finance.years(one.symbol, now.date()))[:3][::-1]
    if one.security.kind != "stock" or not years:
        return {}
    shares, last = desk.finance.shares(one.symbol), years[-1]

    def line(read: Callable[[FinancialStatement], float], growth: float = 1.05) -> list[float]:
        told = [read(books) for books in years]
        return [*told, told[-1] * growth, told[-1] * growth**2]

    eps = line(lambda books: books.net_income * 1_000_000 / shares)
    first = {
        "매출액": line(lambda books: books.sales / 100),
        "영업이익": line(lambda books: books.operating_profit / 100),
        "순이익": line(lambda books: books.net_income / 100),
    }
    second = {
        "EBITDA": line(lambda books: books.ebitda / 100),
        "EPS": eps,
        "PER": [one.quote.last / value if value else 0.0 for value in eps],
        "ROE": line(lambda books: books.net_income / books.equity * 100, 1.0),
    }
    return {
        "output1": {
            "sht_cd": one.symbol,
            "item_kor_nm": one.quote.listing.name,
            "name1": "모의",
            "name2": MEMBERS[0][0],
            "estdate": f"{now:%Y%m%d}",
            "rcmd_name": "중립",
            "capital": ratios.amount(last.capital),
            "forn_item_lmtrt": "100.00",
        },
        "output2": [_five(values) for values in first.values()],
        "output3": [_five(values) for values in second.values()],
        "output4": [
            *({"dt": f"{books.year}.12"} for books in years),
            *({"dt": f"{last.year + ahead}.12E"} for ahead in (1, 2)),
        ],
    }


def _five(values: list[float]) -> Row:
    return {f"data{place}": f"{value:.2f}" for place, value in enumerate(values, 1)}


# -- opinions

_OPINIONS = (("매수", "2"), ("중립", "3"), ("매도", "4"))


def _written(one: Stock, month: date) -> list[tuple[date, Row]]:
    """Return what the firms of analysts, which there are not, thought of a stock in a month."""
    place = f"opinions {one.desk.settings.seed} {one.symbol} {month:%Y%m}"
    draw = Random(place)  # noqa: S311 - invented, no secret
    found = []
    for _ in range(draw.choice((0, 0, 1, 1, 2))):
        on = month + timedelta(days=draw.randrange(28))
        opinion, code = draw.choices(_OPINIONS, (6, 3, 1))[0]
        before, before_code = draw.choices(_OPINIONS, (6, 3, 1))[0]
        aimed = {"2": draw.uniform(1.1, 1.5), "3": draw.uniform(0.95, 1.1)}
        goal = ticks.down(int(one.quote.base * aimed.get(code, draw.uniform(0.7, 0.95))))
        found.append(
            (
                on,
                {
                    "stck_bsop_date": f"{on:%Y%m%d}",
                    "invt_opnn": opinion,
                    "invt_opnn_cls_code": code,
                    "rgbf_invt_opnn": before,
                    "rgbf_invt_opnn_cls_code": before_code,
                    "mbcr_name": draw.choice(MEMBERS)[0],
                    "hts_goal_prc": goal,
                    "dprt": rate(one.quote.last - goal, goal),
                    "stft_esdg": one.quote.last - goal,
                    "nday_dprt": rate(one.quote.last - goal, goal),
                    "stck_nday_esdg": one.quote.last - goal,
                },
            )
        )
    return found


def _of_stock(one: Stock, first: date, last: date) -> list[Row]:
    rows = []
    month = first.replace(day=1)
    while month <= last:
        rows += [(on, row) for on, row in _written(one, month) if first <= on <= last]
        month = (month + timedelta(days=32)).replace(day=1)
    return [{**one.price(), **row} for _, row in sorted(rows, key=lambda row: row[0])[::-1]]


def _range(params: Params, now: datetime, days: int) -> tuple[date, date]:
    """Return the asked days, at most so many, and none in the future."""
    last = min(date_of(params, "FID_INPUT_DATE_2", now.date()), now.date())
    first = date_of(params, "FID_INPUT_DATE_1", last - timedelta(days=days))
    return max(first, last - timedelta(days=days)), last


def _opinions(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = stock_of(desk, params.get("FID_INPUT_ISCD", ""), now)
    return {"output": _of_stock(one, *_range(params, now, 750))[:_LINES]}


def _opinions_of_member(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return what one firm thinks of all stocks; 999 stands for all firms."""
    member, wanted = params.get("FID_INPUT_ISCD", ""), params.get("FID_DIV_CLS_CODE", "0")
    names = {code[-3:]: name for name, code in MEMBERS}
    if member != "999" and member[-3:] not in names:
        raise InputError("FID_INPUT_ISCD")
    first, last = _range(params, now, 31)
    rows = []
    for security in securities().values():
        if security.kind == "stock":
            rows += _of_stock(Stock(desk, security, now), first, last)
    code = {"1": "2", "2": "3", "3": "4"}.get(wanted)
    rows = [
        row
        for row in rows
        if (member == "999" or row["mbcr_name"] == names[member[-3:]])
        and code in (None, row["invt_opnn_cls_code"])
    ]
    rows.sort(key=lambda row: str(row["stck_bsop_date"]), reverse=True)
    return {"output": rows[:_LINES]}
