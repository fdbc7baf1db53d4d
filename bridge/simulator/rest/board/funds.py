"""Funds: what they hold and what that is worth (pure)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from itertools import pairwise

from bridge.simulator.exchange.securities import Security, securities
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.board.desk import Blocks, BoardDesk, Telling, date_of
from bridge.simulator.rest.board.overview import overview_values
from bridge.simulator.rest.board.stocks import Stock, day_values, stock_of
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.records import MEMBERS, NAV_PREMIUM, rate, sign

__all__ = ["funds"]

_DAYS = 30
_HELD = 20
"""Stocks that a fund holds at most: the largest of its index or line of business."""
_UNIT = 50_000
"""Shares of a fund that are made at once."""


def funds(desk: BoardDesk) -> dict[str, Telling]:
    """Return what answers these calls."""
    return {
        "etfetn/inquire_price": partial(_price, desk),
        "etfetn/inquire_component_stock_price": partial(_components, desk),
        "etfetn/nav_comparison_trend": partial(_now, desk),
        "etfetn/nav_comparison_daily_trend": partial(_by_day, desk),
        "etfetn/nav_comparison_time_trend": partial(_by_minute, desk),
    }


def nav(price: float) -> float:
    """Return what a fund's share is worth by what it holds; as its record tells it."""
    return price * NAV_PREMIUM


def _nav_values(price: float, base: float) -> Row:
    value, before = nav(price), nav(base)
    return {
        "nav": f"{value:.2f}",
        "nav_prdy_vrss_sign": sign(round(value, 2), round(before, 2)),
        "nav_prdy_vrss": f"{value - before:.2f}",
        "nav_prdy_ctrt": rate(value - before, before),
        "prdy_clpr_nav": f"{before:.2f}",
        "prdy_last_nav": f"{before:.2f}",
    }


def _today(one: Stock) -> Row:
    quote = one.quote
    return {
        **_nav_values(quote.fair, quote.base),
        "oprc_nav": f"{nav(quote.open):.2f}",
        "hprc_nav": f"{nav(quote.high):.2f}",
        "lprc_nav": f"{nav(quote.low):.2f}",
        "dprt": rate(quote.last - nav(quote.fair), nav(quote.fair)),
        "nav_vrss_prpr": f"{quote.last - nav(quote.fair):.2f}",
    }


def _held(one: Stock) -> list[Stock]:
    """Return what a fund holds, the largest first."""

    def counts(security: Security) -> bool:
        if security.kind != "stock" or security.common:
            return False
        index = one.security.sector.kospi
        return index in security.groups or security.sector.kospi == index

    found = [Stock(one.desk, each, one.now) for each in securities().values() if counts(each)]
    return sorted(found, key=lambda each: -each.quote.market_cap)[:_HELD]


def _asked(desk: BoardDesk, params: Params, now: datetime) -> Stock:
    return stock_of(desk, params.get("FID_INPUT_ISCD", ""), now)


def _whole(one: Stock) -> int:
    """Return what a fund's holdings are worth, in won."""
    return int(nav(one.quote.fair) * one.quote.listing.shares)


def _price(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    quote, security = one.quote, one.security
    over = overview_values(one)
    worth = _whole(one) // 100_000_000
    return {
        "output": {
            **one.price(),
            **over,
            **_today(one),
            "prdy_clpr_vrss_oprc_rate": rate(quote.open - quote.base, quote.base),
            "prdy_clpr_vrss_hgpr_rate": rate(quote.high - quote.base, quote.base),
            "prdy_clpr_vrss_lwpr_rate": rate(quote.low - quote.base, quote.base),
            "trc_errt": "0.10",
            "stck_sspr": quote.base * 8 // 10,
            "etf_crcl_stcn": quote.listing.shares,
            "etf_ntas_ttam": worth,
            "etf_crcl_ntas_ttam": worth,
            "frgn_limt_rate": "100.00",
            "etf_cu_unit_scrt_cnt": _UNIT,
            "etf_cnfg_issu_cnt": len(_held(one)),
            "crcd": "KRW",
            "lp_oder_able_cls_code": "1",
            "vi_cls_code": "N",
            "frgn_hldn_qty_rate": over["hts_frgn_ehrt"],
            "etf_trc_ert_mltp": f"{security.leverage:.2f}",
            "mbcr_name": MEMBERS[0][0],
            "stck_lstn_date": "20000104",
            "lp_hldn_rate": "10.00",
            "lp_hldn_vol": quote.listing.shares // 10,
            "etf_trgt_nmix_bstp_code": security.sector.kospi,
            "etf_div_name": "모의",
            "etf_rprs_bstp_kor_isnm": security.sector.name,
        }
    }


def _components(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    """Return what a unit of a fund holds: it is worth the unit's shares, not a won more or less."""
    one = _asked(desk, params, now)
    held = _held(one)
    whole, unit = sum(each.quote.market_cap for each in held), int(nav(one.quote.fair) * _UNIT)
    parts = [unit * each.quote.market_cap // whole for each in held]
    if parts:
        parts[0] += unit - sum(parts)
    rows = [
        {
            **each.price(),
            "tday_rsfl_rate": rate(each.quote.change, each.quote.base),
            "etf_cnfg_issu_avls": each.quote.market_cap // 100_000_000,
            "etf_cnfg_issu_rlim": rate(part, unit),
            "etf_vltn_amt": part,
        }
        for each, part in zip(held, parts, strict=True)
    ]
    first = {
        **one.price(),
        **_today(one),
        "etf_cnfg_issu_avls": whole // 100_000_000,
        "etf_ntas_ttam": _whole(one) // 100_000_000,
        "etf_cu_unit_scrt_cnt": _UNIT,
        "etf_cnfg_issu_cnt": len(rows),
    }
    return {"output1": first, "output2": rows}


def _now(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one = _asked(desk, params, now)
    return {"output1": one.price(), "output2": _today(one)}


def _by_day(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one, today = _asked(desk, params, now), now.date()
    last = min(date_of(params, "FID_INPUT_DATE_2", today), today)
    first = date_of(params, "FID_INPUT_DATE_1", today.replace(year=today.year - 1, day=1))
    rows = []
    for day, before in pairwise(one.days_until(last, _DAYS + 1)):
        if day.date >= first:
            price = one.quote.fair if day.date == today else day.close
            rows.append(
                {
                    **day_values(day, before),
                    **_nav_values(price, before.close),
                    "cntg_vol": day.volume,
                    "dprt": rate(day.close - nav(price), nav(price)),
                    "nav_vrss_prpr": f"{day.close - nav(price):.2f}",
                }
            )
    return {"output": rows}


def _by_minute(desk: BoardDesk, params: Params, now: datetime) -> Blocks:
    one, rows = _asked(desk, params, now), []
    for place, minute in enumerate(desk.quotes.minutes(one.symbol, now, _DAYS)):
        price = minute.close if place else one.quote.fair
        rows.append(
            {
                "bsop_hour": f"{minute.start:%H%M%S}",
                **one.change_at(minute.close),
                **_nav_values(price, one.quote.base),
                "acml_vol": minute.volume,
                "cntg_vol": minute.quantity,
                "dprt": rate(minute.close - nav(price), nav(price)),
                "nav_vrss_prpr": f"{minute.close - nav(price):.2f}",
            }
        )
    return {"output": rows}
