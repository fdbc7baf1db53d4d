"""Calls about a whole market: its investors, programs, funds, rates and hours (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random

from bridge.simulator.board.flows import GROUPS, Flow, total
from bridge.simulator.board.quotes import Day, trading_days
from bridge.simulator.exchange.market import Listing
from bridge.simulator.exchange.securities import securities
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.choice import in_market
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.flow_rankings import flow_values
from bridge.simulator.rest.board.stocks import Stock
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import rate, sign

__all__ = ["markets"]

_DAYS = 30
_INDEX = {"K": "0001", "Q": "1001", "KSP": "0001", "KSQ": "1001", "1": "0001", "4": "1001"}
"""What KIS calls a market → its index."""


def markets(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    name = "domestic_stock/"
    return {
        f"{name}inquire_investor_time_by_market": partial(_investors_now, desk),
        f"{name}inquire_investor_daily_by_market": partial(_investors_by_day, desk),
        f"{name}comp_program_trade_today": partial(_programs_now, desk),
        f"{name}comp_program_trade_daily": partial(_programs_by_day, desk),
        f"{name}investor_program_trade_today": partial(_programs_by_investor, desk),
        f"{name}mktfunds": partial(_funds, desk),
        f"{name}comp_interest": partial(_rates, desk),
    }


def _members(desk: BoardDesk, code: str, now: datetime) -> list[Stock]:
    return [
        Stock(desk, one, now)
        for one in securities().values()
        if one.kind == "stock" and in_market(one, code)
    ]


def _investors_of(stocks: Iterable[Stock]) -> dict[str, Flow]:
    every = [one.investors for one in stocks]
    names = (*GROUPS, "frgn", "orgn", "etc")
    return {name: total(found[name] for found in every) for name in names}


def _programs_of(stocks: Iterable[Stock]) -> dict[str, Flow]:
    every = [one.desk.flows.programs(one.today, one.quote.bought, one.quote.sold) for one in stocks]
    return {name: total(found[name] for found in every) for name in every[0]} if every else {}


def _past(desk: BoardDesk, code: str, now: datetime, last: date, number: int) -> list[Day]:
    """Return the days of an index, as if it were one stock, the latest first."""
    if last < now.date():
        return list(desk.past.index_days(code, last + timedelta(days=1), number))
    tape = desk.tapes.tape("domestic_index", code).read(now)
    opening, high, low, close = (
        int(price * 100) for price in (tape.open, tape.high, tape.low, tape.last)
    )
    today = Day(now.date(), opening, high, low, close, tape.volume, int(tape.value))
    return [today, *desk.past.index_days(code, now.date(), number - 1)]


def _listing(code: str) -> Listing:
    return Listing(code, code, 1, 1, 1)


# -- investors


def _investors_now(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return today's sums: of the stocks of a market, or drawn for what no stocks are of."""
    market, part = params.get("FID_INPUT_ISCD", ""), params.get("FID_INPUT_ISCD_2", "")
    if market in ("KSP", "KSQ"):
        found = _investors_of(_members(desk, part or _INDEX[market], now))
    else:
        code = f"{market}{part}"
        draw = Random(f"market {desk.settings.seed} {code} {now.date()}")  # noqa: S311
        passed = (now.hour * 60 + now.minute) / 1440
        volume = int(draw.randrange(50_000, 900_000) * passed)
        day = Day(now.date(), 0, 0, 0, 0, volume, volume * draw.randrange(2_000, 90_000))
        found = desk.flows.investors(_listing(code), day)
    row: Row = {}
    for name, flow in found.items():
        row |= flow_values(flow, name)
    return {"output": [row]}


def _index_values(day: Day, before: Day) -> Row:
    """Return an index's day; its figures are in hundredths."""
    change = day.close - before.close
    return {
        "stck_bsop_date": f"{day.date:%Y%m%d}",
        "bsop_date": f"{day.date:%Y%m%d}",
        "bstp_nmix_prpr": f"{day.close / 100:.2f}",
        "bstp_nmix_prdy_vrss": f"{change / 100:.2f}",
        "prdy_vrss_sign": sign(day.close, before.close),
        "bstp_nmix_prdy_ctrt": rate(change, before.close),
        "prdy_ctrt": rate(change, before.close),
        "bstp_nmix_oprc": f"{day.open / 100:.2f}",
        "bstp_nmix_hgpr": f"{day.high / 100:.2f}",
        "bstp_nmix_lwpr": f"{day.low / 100:.2f}",
        "stck_prdy_clpr": f"{before.close / 100:.2f}",
    }


def _dated(
    desk: BoardDesk, code: str, params: Params, now: datetime, last: str, first: str = ""
) -> list[tuple[Day, Row]]:
    until = min(date_of(params, last, now.date()), now.date())
    since = date_of(params, first, date.min) if first else date.min
    days = _past(desk, code, now, until, _DAYS + 1)
    return [
        (day, _index_values(day, before)) for day, before in pairwise(days) if since <= day.date
    ]


def _investors_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    code = _INDEX.get(params.get("FID_INPUT_ISCD_1", ""), "0001")
    # The second date, where it is given, is the latest day.
    last = "FID_INPUT_DATE_2" if params.get("FID_INPUT_DATE_2") else "FID_INPUT_DATE_1"
    rows = []
    for day, told in _dated(desk, code, params, now, last):
        today = day.date == now.date()
        found = (
            _investors_of(_members(desk, code, now))
            if today
            else desk.flows.investors(_listing(code), day)
        )
        for name, flow in found.items():
            told |= flow_values(flow, name)
        rows.append(told)
    return {"output": rows}


# -- programs

_PROGRAM = re.compile(
    r"(arbt|nabt|whol)_(?:(smt[nm]|entm|onsl)_)?(seln|shnu|shun|ntby)_(vol|qty|tr_pbmn)(_rate)?"
)


def _program_values(found: Mapping[str, Flow], day: Day, names: Iterable[str]) -> Row:
    """Return the values of program trading that fields ask for by their composed names."""
    row: Row = {}
    for name in names:
        match = _PROGRAM.fullmatch(name)
        if match is None or not found:
            continue
        kind, who, side, what, part = match.groups()
        flow = found[f"{kind}_{(who or 'smtn').replace('smtm', 'smtn')}"]
        by_value = what == "tr_pbmn"
        amount = {
            "seln": flow.sold_value if by_value else flow.sold,
            "ntby": flow.net_value if by_value else flow.net,
        }.get(side, flow.bought_value if by_value else flow.bought)
        row[name] = rate(amount, day.value if by_value else day.volume) if part else amount
    return row


def _fields(desk: BoardDesk, name: str, block: str) -> list[str]:
    api = desk.catalog.apis[f"domestic_stock/{name}"]
    return [one.name for output in api.outputs if output.name == block for one in output.fields]


def _programs_now(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the sums of a market's stocks as they are now."""
    code = _INDEX.get(params.get("FID_MRKT_CLS_CODE", ""), "0001")
    stocks = _members(desk, code, now)
    whole = Day(
        now.date(),
        *(0, 0, 0, 0),
        volume=sum(one.quote.volume for one in stocks),
        value=sum(one.quote.value for one in stocks),
    )
    names = _fields(desk, "comp_program_trade_today", "output1")
    told = _program_values(_programs_of(stocks), whole, names)
    days = _past(desk, code, now, now.date(), 2)
    index = _index_values(days[0], days[1]) if len(days) > 1 else {}
    return {"output1": [{**index, **told, "bsop_hour": f"{now:%H%M%S}"}]}


def _programs_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    code = _INDEX.get(params.get("FID_MRKT_CLS_CODE", ""), "0001")
    names = _fields(desk, "comp_program_trade_daily", "output")
    rows = []
    for day, told in _dated(desk, code, params, now, "FID_INPUT_DATE_2", "FID_INPUT_DATE_1"):
        bought, sold = desk.flows.sides(_listing(code), day)
        programs = (
            _programs_of(_members(desk, code, now))
            if day.date == now.date()
            else desk.flows.programs(day, bought, sold)
        )
        rows.append({**told, **_program_values(programs, day, names)})
    return {"output": rows}


_PROGRAM_FIELDS = {"all": "whol_smtn", "arbt": "arbt_smtn", "nabt": "nabt_smtn"}


def _programs_by_investor(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return who stands behind today's programs; the parts add up to the market's programs."""
    code = _INDEX.get(params.get("MRKT_DIV_CLS_CODE", ""), "0001")
    programs = _programs_of(_members(desk, code, now))
    parts: dict[str, Mapping[str, Flow]] = {}
    for kind in ("arbt", "nabt"):
        flow = programs[f"{kind}_smtn"]
        parts[kind] = desk.flows.shared(f"{kind} {code}", now.date(), flow)
    parts["all"] = {
        name: total((parts["arbt"][name], parts["nabt"][name])) for name in parts["arbt"]
    }
    rows = []
    for place, (name, (_, korean)) in enumerate(GROUPS.items(), 1):
        row: Row = {"invr_cls_code": f"{place:02d}", "invr_cls_name": korean}
        for kind, found in parts.items():
            flow = found[name]
            row |= {
                f"{kind}_seln_qty": flow.sold,
                f"{kind}_shnu_qty": flow.bought,
                f"{kind}_ntby_qty": flow.net,
                f"{kind}_seln_amt": flow.sold_value,
                f"{kind}_shnu_amt": flow.bought_value,
                f"{kind}_ntby_amt": flow.net_value,
            }
        rows.append(row)
    return {"output1": rows}


# -- money

_FUNDS = {
    "cust_dpmn_amt": 600_000,
    "uncl_amt": 9_000,
    "crdt_loan_rmnd": 190_000,
    "futs_tfam_amt": 120_000,
    "sttp_amt": 1_100_000,
    "mxtp_amt": 230_000,
    "bntp_amt": 1_500_000,
    "mmf_amt": 1_900_000,
    "secu_lend_amt": 200_000,
}
"""Kind of money in the market → about how many hundreds of millions of won."""


def _funds(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    rows = []
    for day, told in _dated(desk, "0001", params, now, "FID_INPUT_DATE_1"):
        draw = Random(f"funds {desk.settings.seed} {day.date}")  # noqa: S311 - no secret
        amounts = {name: int(usual * draw.uniform(0.97, 1.03)) for name, usual in _FUNDS.items()}
        rows.append({**told, **amounts, "amt_tnrt": f"{draw.uniform(0.5, 1.5):.2f}"})
    for row, before in pairwise(rows):
        row["cust_dpmn_amt_prdy_vrss"] = row["cust_dpmn_amt"] - before["cust_dpmn_amt"]
    return {"output": rows}


_ABROAD = (("Y0202", "모의 미국 국채 10년", 4.1), ("Y0203", "모의 미국 국채 2년", 3.6))
_HERE = (
    ("Y0101", "모의 국고채 3년", 2.6),
    ("Y0106", "모의 회사채 3년", 3.1),
    ("Y0117", "모의 CD 91일", 2.5),
)


def _rates(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    today, yesterday = trading_days(now.date(), 2)

    def rows(known: Iterable[tuple[str, str, float]]) -> list[Row]:
        told = []
        for code, name, usual in known:
            last, before = (
                _rate(desk.settings.seed, code, usual, day) for day in (today, yesterday)
            )
            told.append(
                {
                    "bcdt_code": code,
                    "hts_kor_isnm": name,
                    "bond_mnrt_prpr": f"{last:.2f}",
                    "prdy_vrss_sign": sign(last, before),
                    "bond_mnrt_prdy_vrss": f"{last - before:.2f}",
                    "prdy_ctrt": rate(last - before, before),
                    "bstp_nmix_prdy_ctrt": rate(last - before, before),
                    "stck_bsop_date": f"{today:%Y%m%d}",
                }
            )
        return told

    return {"output1": rows(_ABROAD), "output2": rows(_HERE)}


def _rate(seed: int, code: str, usual: float, day: date) -> float:
    draw = Random(f"interest rate {seed} {code} {day}")  # noqa: S311 - no secret
    return round(usual + draw.gauss(0.0, 0.03), 2)
