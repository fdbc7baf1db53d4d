"""Calls about who trades a stock or a market: investors, members, programs, lenders (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise

from bridge.simulator.board.flows import Flow
from bridge.simulator.board.quotes import Day
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.flow_rankings import flow_values
from bridge.simulator.rest.board.stocks import Stock, day_values, stock_of
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import MEMBER_SHARES, MEMBERS, rate

__all__ = ["traders"]

_DAYS = 30
"""Rows of a list of days."""


def traders(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    name = "domestic_stock/"
    return {
        f"{name}inquire_investor": partial(_investors, desk),
        f"{name}investor_trade_by_stock_daily": partial(_investors_by_day, desk),
        f"{name}investor_trend_estimate": partial(_estimates, desk),
        f"{name}inquire_member": partial(_members, desk),
        f"{name}inquire_member_daily": partial(_member_by_day, desk),
        f"{name}frgnmem_pchs_trend": partial(_foreign_firms_by_time, desk),
        f"{name}frgnmem_trade_trend": partial(_foreign_firms_by_tick, desk),
        f"{name}program_trade_by_stock": partial(_programs_by_time, desk),
        f"{name}program_trade_by_stock_daily": partial(_programs_by_day, desk),
        f"{name}daily_short_sale": partial(_short_sales, desk),
        f"{name}daily_credit_balance": partial(_credit_by_day, desk),
        f"{name}daily_loan_trans": partial(_loans_by_day, desk),
        f"{name}inquire_daily_trade_volume": partial(_sides_by_day, desk),
        f"{name}pbar_tratio": partial(_by_price, desk),
        f"{name}tradprt_byamt": partial(_by_amount, desk),
    }


def _asked(desk: BoardDesk, params: Params, now: datetime) -> Stock:
    return stock_of(desk, params.get("FID_INPUT_ISCD", ""), now)


def _dated(
    one: Stock, params: Params, last_name: str, first_name: str = "", most: int = _DAYS
) -> list[tuple[Day, Row]]:
    """Return the asked days of a stock with what each is told with, the latest first."""
    today = one.now.date()
    last = min(date_of(params, last_name, today), today) if last_name else today
    first = date_of(params, first_name, date.min) if first_name else date.min
    days = one.days_until(last, most + 1)
    return [
        (day, day_values(day, before))
        for day, before in pairwise(days)
        if first <= day.date <= last
    ]


# -- investors


def _investors(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    rows = []
    for day, told in _dated(one, {}, ""):
        found = desk.flows.investors(one.quote.listing, day)
        for name in ("prsn", "frgn", "orgn"):
            told |= flow_values(found[name], name)
        rows.append(told)
    return {"output": rows}


def _investors_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    rows = []
    for day, told in _dated(one, params, "FID_INPUT_DATE_1"):
        for name, flow in desk.flows.investors(one.quote.listing, day).items():
            told |= flow_values(flow, name)
        rows.append({**told, "bold_yn": "N"})
    return {"output1": one.price(), "output2": rows}


_ESTIMATED = (("1", 93_000), ("2", 100_000), ("3", 112_000), ("4", 132_000), ("5", 143_000))
"""The times of a day, HHMMSS, at which the exchange's members guess."""


def _estimates(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = stock_of(desk, params.get("MKSC_SHRN_ISCD", ""), now)
    time = int(f"{now:%H%M%S}")
    passed = [code for code, at in _ESTIMATED if at <= time]
    rows = []
    for code in reversed(passed):
        part = int(code) / max(1, len(passed))
        foreign = int(one.investors["frgn"].net * part)
        firms = int(one.investors["orgn"].net * part)
        rows.append(
            {
                "bsop_hour_gb": code,
                "frgn_fake_ntby_qty": foreign,
                "orgn_fake_ntby_qty": firms,
                "sum_fake_ntby_qty": foreign + firms,
            }
        )
    return {"output2": rows}


# -- members


def _members(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the five busiest members of each side, as the record of a symbol's members does."""
    quote = _asked(desk, params, now).quote
    row: Row = {}
    for rank, ((name, code), share) in enumerate(zip(MEMBERS, MEMBER_SHARES, strict=True), 1):
        for side, whole in (("seln", quote.sold), ("shnu", quote.bought)):
            row |= {
                f"{side}_mbcr_no{rank}": code,
                f"{side}_mbcr_name{rank}": name,
                f"total_{side}_qty{rank}": whole * share // 100,
                f"{side}_mbcr_rlim{rank}": f"{share:.2f}",
                f"{side}_qty_icdc{rank}": share,
                f"{side}_mbcr_glob_yn_{rank}": "Y" if rank == len(MEMBERS) else "N",
            }
    sold, bought = (whole * MEMBER_SHARES[-1] // 100 for whole in (quote.sold, quote.bought))
    return {
        "output": {
            **row,
            "glob_total_seln_qty": sold,
            "glob_total_shnu_qty": bought,
            "glob_ntby_qty": bought - sold,
            "glob_seln_rlim": f"{MEMBER_SHARES[-1]:.2f}",
            "glob_shnu_rlim": f"{MEMBER_SHARES[-1]:.2f}",
            "glob_total_seln_qty_icdc": MEMBER_SHARES[-1],
            "glob_total_shnu_qty_icdc": MEMBER_SHARES[-1],
        }
    }


def _member_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one, member = _asked(desk, params, now), params.get("FID_INPUT_ISCD_2", "")
    codes = [code for _, code in MEMBERS]
    share = MEMBER_SHARES[codes.index(member)] if member in codes else 0
    rows = []
    for day, told in _dated(one, params, "FID_INPUT_DATE_2", "FID_INPUT_DATE_1"):
        bought, sold = (whole * share // 100 for whole in one.sides(day))
        rows.append(
            {
                **told,
                "total_seln_qty": sold,
                "total_shnu_qty": bought,
                "ntby_qty": bought - sold,
            }
        )
    return {"output": rows}


def _by_time(one: Stock) -> list[tuple[Row, int, int]]:
    """Return the minutes of today, the latest first: price and volume, bought and sold so far."""
    quote = one.quote
    rows = []
    for minute in one.desk.quotes.minutes(one.symbol, one.now, _DAYS):
        bought = quote.bought * minute.volume // quote.volume if quote.volume else 0
        told = {
            "bsop_hour": f"{minute.start:%H%M%S}",
            **one.change_at(minute.close),
            "acml_vol": minute.volume,
            "cntg_vol": minute.quantity,
        }
        rows.append((told, bought, minute.volume - bought))
    return rows


def _of_foreign_firms(one: Stock) -> list[Row]:
    rows = []
    before = 0
    for told, bought, sold in reversed(_by_time(one)):
        flow = Flow(bought * MEMBER_SHARES[-1] // 100, sold * MEMBER_SHARES[-1] // 100)
        rows.append(
            {
                **told,
                "frgn_seln_vol": flow.sold,
                "frgn_shnu_vol": flow.bought,
                "glob_ntby_qty": flow.net,
                "acml_ntby_qty": flow.net,
                "frgn_ntby_qty_icdc": flow.net - before,
                "total_seln_qty": flow.sold,
                "total_shnu_qty": flow.bought,
                "mbcr_name": MEMBERS[-1][0],
                "hts_kor_isnm": one.quote.listing.name,
            }
        )
        before = flow.net
    return rows[::-1]


def _foreign_firms_by_time(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    return {"output": _of_foreign_firms(_asked(desk, params, now))}


def _foreign_firms_by_tick(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    rows = _of_foreign_firms(_asked(desk, params, now))
    return {"output1": rows[:1], "output2": rows}


# -- programs


def _programs_by_time(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one, rows = _asked(desk, params, now), []
    before = Flow()
    for told, bought, sold in reversed(_by_time(one)):
        flow = desk.flows.programs(one.today, bought, sold)["whol_smtn"]
        rows.append(
            {
                **told,
                **flow_values(flow, "whol_smtn"),
                "whol_ntby_vol_icdc": flow.net - before.net,
                "whol_ntby_tr_pbmn_icdc": flow.net_value - before.net_value,
            }
        )
        before = flow
    return {"output": rows[::-1]}


def _programs_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    found = [
        (told, desk.flows.programs(day, *one.sides(day))["whol_smtn"])
        for day, told in _dated(one, params, "FID_INPUT_DATE_1")
    ]
    rows = []
    for place, (told, flow) in enumerate(found):
        before = found[place + 1][1] if place + 1 < len(found) else Flow()
        rows.append(
            {
                **told,
                **flow_values(flow, "whol_smtn"),
                "whol_ntby_vol_icdc": flow.net - before.net,
                "whol_ntby_tr_pbmn_icdc2": flow.net_value - before.net_value,
            }
        )
    return {"output": rows}


# -- short sales, credit and loans


def _short_sales(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one, rows = _asked(desk, params, now), []
    sums = dict.fromkeys(("short", "volume", "short_value", "value"), 0)
    days = _dated(one, params, "FID_INPUT_DATE_2", "FID_INPUT_DATE_1")
    for day, told in reversed(days):
        short = desk.flows.lending(one.quote.listing, day).short
        value = short * (day.value // day.volume) if day.volume else 0
        for name, amount in (
            ("short", short),
            ("volume", day.volume),
            ("short_value", value),
            ("value", day.value),
        ):
            sums[name] += amount
        rows.append(
            {
                **told,
                "stnd_vol_smtn": sums["volume"],
                "ssts_cntg_qty": short,
                "ssts_vol_rlim": rate(short, day.volume),
                "acml_ssts_cntg_qty": sums["short"],
                "acml_ssts_cntg_qty_rlim": rate(sums["short"], sums["volume"]),
                "stnd_tr_pbmn_smtn": sums["value"],
                "ssts_tr_pbmn": value,
                "ssts_tr_pbmn_rlim": rate(value, day.value),
                "acml_ssts_tr_pbmn": sums["short_value"],
                "acml_ssts_tr_pbmn_rlim": rate(sums["short_value"], sums["value"]),
                "avrg_prc": f"{day.value / day.volume:.2f}" if day.volume else "0.00",
            }
        )
    return {"output1": one.price(), "output2": rows[::-1]}


def _credit_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    rows = []
    for day, told in _dated(one, params, "FID_INPUT_DATE_1"):
        lending, shares = desk.flows.lending(one.quote.listing, day), one.quote.listing.shares
        for name, new, repaid, left in (
            ("loan", lending.loans_new, lending.loans_repaid, lending.loans),
            ("stln", lending.lent_new, lending.lent_repaid, lending.lent),
        ):
            for kind, number in (("new", new), ("rdmp", repaid), ("rmnd", left)):
                told[f"whol_{name}_{kind}_stcn"] = number
                told[f"whol_{name}_{kind}_amt"] = number * day.close // 10_000
            told[f"whol_{name}_rmnd_rate"] = rate(left, shares)
            told[f"whol_{name}_gvrt"] = rate(new, day.volume)
        settled = day.date + timedelta(days=2 if day.date.weekday() < 3 else 4)
        rows.append({**told, "deal_date": f"{day.date:%Y%m%d}", "stlm_date": f"{settled:%Y%m%d}"})
    return {"output": rows}


def _loans_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return the lending of a stock; that of a market is its busiest firm's."""
    symbol = params.get("MKSC_SHRN_ISCD", "")
    if params.get("MRKT_DIV_CLS_CODE") != "3":
        symbol = "247540" if params.get("MRKT_DIV_CLS_CODE") == "2" else "005930"
    one = stock_of(desk, symbol, now)
    rows = []
    for day, told in _dated(one, params, "END_DATE", "START_DATE"):
        lending = desk.flows.lending(one.quote.listing, day)
        rows.append(
            {
                **told,
                "bsop_date": f"{day.date:%Y%m%d}",
                "new_stcn": lending.lent_new,
                "rdmp_stcn": lending.lent_repaid,
                "prdy_rmnd_vrss": lending.lent_new - lending.lent_repaid,
                "rmnd_stcn": lending.lent,
                "rmnd_amt": lending.lent * day.close // 1_000_000,
            }
        )
    return {"output1": rows}


# -- how it was traded


def _sides_by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one, rows = _asked(desk, params, now), []
    for day, told in _dated(one, params, "FID_INPUT_DATE_2", "FID_INPUT_DATE_1"):
        bought, sold = one.sides(day)
        rows.append({**told, "total_shnu_qty": bought, "total_seln_qty": sold})
    totals = {
        "shnu_cnqn_smtn": sum(row["total_shnu_qty"] for row in rows),
        "seln_cnqn_smtn": sum(row["total_seln_qty"] for row in rows),
    }
    return {"output1": totals, "output2": rows}


def _by_price(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return today's volume by price: each minute's at the price that it ended with."""
    one, levels = _asked(desk, params, now), dict[int, int]()
    for minute in desk.quotes.minutes(one.symbol, now, 24 * 60):
        levels[minute.close] = levels.get(minute.close, 0) + minute.quantity
    ordered = sorted(levels.items(), key=lambda level: (-level[1], level[0]))
    rows = [
        {
            "data_rank": place,
            "stck_prpr": price,
            "cntg_vol": volume,
            "acml_vol_rlim": rate(volume, one.quote.volume),
        }
        for place, (price, volume) in enumerate(ordered[:_DAYS], 1)
    ]
    return {"output1": one.price(), "output2": rows}


_AMOUNTS = (
    ("1천만원 미만", 0.55),
    ("1천만원 이상", 0.2),
    ("3천만원 이상", 0.12),
    ("5천만원 이상", 0.08),
    ("1억원 이상", 0.05),
)


def _by_amount(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return today's trades by what each was worth; all of them add up to the volume."""
    one, rows = _asked(desk, params, now), []
    quote = one.quote
    left = {"bought": quote.bought, "sold": quote.sold, "buys": quote.buys, "sells": quote.sells}
    whole = dict(left)
    for place, (name, part) in enumerate(reversed(_AMOUNTS)):
        final = place == len(_AMOUNTS) - 1
        each = {key: left[key] if final else int(whole[key] * part) for key in left}
        left = {key: left[key] - each[key] for key in left}
        volume = each["bought"] + each["sold"]
        rows.append(
            {
                "prpr_name": name,
                "smtn_avrg_prpr": f"{one.average:.2f}",
                "acml_vol": volume,
                "whol_ntby_qty_rate": rate(each["bought"] - each["sold"], quote.volume),
                "ntby_cntg_csnu": each["buys"] - each["sells"],
                "seln_cnqn_smtn": each["sold"],
                "whol_seln_vol_rate": rate(each["sold"], quote.volume),
                "seln_cntg_csnu": each["sells"],
                "shnu_cnqn_smtn": each["bought"],
                "whol_shun_vol_rate": rate(each["bought"], quote.volume),
                "shnu_cntg_csnu": each["buys"],
            }
        )
    return {"output": rows[::-1]}
