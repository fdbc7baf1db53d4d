"""Domestic-stock records: the state of a market as KIS's values (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.market import Market, Print
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.stream.encode import Values

__all__ = [
    "MEMBERS",
    "MEMBER_SHARES",
    "NAV_PREMIUM",
    "member",
    "nav",
    "program",
    "quote",
    "rate",
    "sign",
    "status",
    "trade",
]

_LEVELS = 10


def sign(price: float, base: float, lower: float = 0, upper: float = 0) -> str:
    """Return KIS's sign code: 1 upper limit, 2 up, 3 flat, 4 lower limit, 5 down."""
    if price == base:
        return "3"
    if price > base:
        return "1" if price == upper else "2"
    return "4" if price == lower else "5"


def rate(part: float, whole: float) -> str:
    """Return a percentage with two decimals; 0.00 of nothing."""
    return f"{part / whole * 100:.2f}" if whole else "0.00"


def trade(market: Market, row: Print) -> Values:
    """Return the values of a trade (``H0STCNT0`` and its NXT, unified and expected kin)."""
    base, opening = market.listing.base, market.open
    change = row.price - base
    elapsed = max(1, row.at.hour * 3600 + row.at.minute * 60 + row.at.second)
    same_time = market.listing.previous_volume * elapsed // 86_400
    side = "1" if row.taker is Side.BUY else "5"
    return {
        "MKSC_SHRN_ISCD": market.symbol,
        "STCK_CNTG_HOUR": row.at.strftime("%H%M%S"),
        "STCK_PRPR": row.price,
        "PRDY_VRSS_SIGN": sign(row.price, base, market.lower, market.upper),
        "PRDY_VRSS": change,
        "PRDY_CTRT": rate(change, base),
        "WGHN_AVRG_STCK_PRC": f"{row.value / row.volume:.2f}" if row.volume else "0.00",
        "STCK_OPRC": opening,
        "STCK_HGPR": row.high,
        "STCK_LWPR": row.low,
        "ASKP1": row.ask,
        "BIDP1": row.bid,
        "CNTG_VOL": row.quantity,
        "ACML_VOL": row.volume,
        "ACML_TR_PBMN": row.value,
        "SELN_CNTG_CSNU": row.sells,
        "SHNU_CNTG_CSNU": row.buys,
        "NTBY_CNTG_CSNU": row.buys - row.sells,
        "CTTR": rate(row.bought, row.sold),
        "SELN_CNTG_SMTN": row.sold,
        "SHNU_CNTG_SMTN": row.bought,
        "CCLD_DVSN": side,
        "CNTG_CLS_CODE": side,
        "SHNU_RATE": f"{row.bought / row.volume:.2f}" if row.volume else "0.00",
        "PRDY_VOL_VRSS_ACML_VOL_RATE": rate(row.volume, market.listing.previous_volume),
        "OPRC_HOUR": market.opened_at.strftime("%H%M%S"),
        "OPRC_VRSS_PRPR_SIGN": sign(row.price, opening),
        "OPRC_VRSS_PRPR": row.price - opening,
        "HGPR_HOUR": row.high_at.strftime("%H%M%S"),
        "HGPR_VRSS_PRPR_SIGN": sign(row.price, row.high),
        "HGPR_VRSS_PRPR": row.price - row.high,
        "LWPR_HOUR": row.low_at.strftime("%H%M%S"),
        "LWPR_VRSS_PRPR_SIGN": sign(row.price, row.low),
        "LWPR_VRSS_PRPR": row.price - row.low,
        "BSOP_DATE": row.at.strftime("%Y%m%d"),
        "NEW_MKOP_CLS_CODE": "20",
        "TRHT_YN": "N",
        "ASKP_RSQN1": row.ask_size,
        "BIDP_RSQN1": row.bid_size,
        "TOTAL_ASKP_RSQN": row.total_asks,
        "TOTAL_BIDP_RSQN": row.total_bids,
        "VOL_TNRT": rate(row.volume, market.listing.shares),
        "PRDY_SMNS_HOUR_ACML_VOL": same_time,
        "PRDY_SMNS_HOUR_ACML_VOL_RATE": rate(row.volume, same_time),
        "HOUR_CLS_CODE": "0",
        "MRKT_TRTM_CLS_CODE": "",
        "VI_STND_PRC": opening,
        "MARKET_CLS_CODE": "2",
    }


def quote(market: Market, now: datetime) -> Values:
    """Return the values of an order book (``H0STASP0`` and its kin)."""
    base, book = market.listing.base, market.book
    values: Values = {
        "MKSC_SHRN_ISCD": market.symbol,
        "BSOP_HOUR": now.strftime("%H%M%S"),
        "HOUR_CLS_CODE": "0",
        "TOTAL_ASKP_RSQN": book.total(Side.SELL),
        "TOTAL_BIDP_RSQN": book.total(Side.BUY),
        # Outside the auctions KIS reports the expected price 0 and its change against yesterday.
        "ANTC_CNPR": 0,
        "ANTC_VOL": market.volume // 25,
        "ANTC_CNTG_VRSS": -base,
        "ANTC_CNTG_VRSS_SIGN": "5",
        "ANTC_CNTG_PRDY_CTRT": "-100.00",
        "ACML_VOL": market.volume,
        "STCK_DEAL_CLS_CODE": "0",
        "MARKET_CLS_CODE": "2",
    }
    for side, price_name, size_name in (
        (Side.SELL, "ASKP", "ASKP_RSQN"),
        (Side.BUY, "BIDP", "BIDP_RSQN"),
    ):
        levels = book.depth(side, _LEVELS)
        levels += [(0, 0)] * (_LEVELS - len(levels))
        for level, (price, size) in enumerate(levels, 1):
            values[f"{price_name}{level}"] = price
            values[f"{size_name}{level}"] = size
    waiting = market.pegged
    middle_side = ("1" if waiting[0].side is Side.SELL else "2") if waiting else "0"
    for venue in ("", "K", "N"):
        values[f"{venue}MID_PRC"] = market.middle
        values[f"{venue}MID_TOTAL_RSQN"] = sum(order.remaining for order in waiting)
        values[f"{venue}MID_CLS_CODE"] = middle_side
    values["MIDP_TOTAL_RSQN"] = values["MID_TOTAL_RSQN"]
    values["MIDP_CLS_CODE"] = middle_side
    return values


def program(market: Market, now: datetime) -> Values:
    """Return the day's program trading: a fixed share of all trading."""
    sold, bought = market.sold * 3 // 10, market.bought * 3 // 10
    price = market.value // market.volume if market.volume else market.last
    asks, bids = market.book.total(Side.SELL) // 20, market.book.total(Side.BUY) // 20
    return {
        "MKSC_SHRN_ISCD": market.symbol,
        "STCK_CNTG_HOUR": now.strftime("%H%M%S"),
        "SELN_CNQN": sold,
        "SELN_TR_PBMN": sold * price,
        "SHNU_CNQN": bought,
        "SHNU_TR_PBMN": bought * price,
        "NTBY_CNQN": bought - sold,
        "NTBY_TR_PBMN": (bought - sold) * price,
        "SELN_RSQN": asks,
        "SHNU_RSQN": bids,
        "WHOL_NTBY_QTY": bids - asks,
    }


MEMBERS = (
    ("모의증권", "90001"),
    ("가상증권", "90002"),
    ("연습투자증권", "90003"),
    ("시험증권", "90004"),
    ("견본증권", "90005"),
)
"""The last one is a foreign firm."""
MEMBER_SHARES = (24, 18, 12, 9, 6)


def member(market: Market) -> Values:
    """Return the five busiest members of each side; the members are invented."""
    values: Values = {"MKSC_SHRN_ISCD": market.symbol}
    for rank, ((name, code), share) in enumerate(zip(MEMBERS, MEMBER_SHARES, strict=True), 1):
        for side, total, names in (
            ("SELN", market.sold, "SELN2_MBCR_NAME"),
            ("SHNU", market.bought, "BYOV_MBCR_NAME"),
        ):
            values[f"{names}{rank}"] = name
            values[f"TOTAL_{side}_QTY{rank}"] = total * share // 100
            values[f"{side}_MBCR_GLOB_YN_{rank}"] = "Y" if rank == len(MEMBERS) else "N"
            values[f"{side}_MBCR_NO{rank}"] = code
            values[f"{side}_MBCR_RLIM{rank}"] = f"{share:.2f}"
            values[f"{side}_QTY_ICDC{rank}"] = share
    return values


def status(market: Market, halts: SymbolHalts) -> Values:
    """Return the market status of a symbol."""
    halted, interrupted = market.symbol in halts.halted, market.symbol in halts.auctions
    return {
        "MKSC_SHRN_ISCD": market.symbol,
        "TRHT_YN": "Y" if halted else "N",
        "TR_SUSP_REAS_CNTT": "모의 거래정지" if halted else "(null)",
        "MKOP_CLS_CODE": "112",
        "ANTC_MKOP_CLS_CODE": "112",
        "ISCD_STAT_CLS_CODE": "58" if halted else "55",
        "VI_CLS_CODE": "Y" if interrupted else "N",
        "OVTM_VI_CLS_CODE": "N",
        "EXCH_CLS_CODE": "1",
    }


NAV_PREMIUM = 1.0004
"""What a fund's holdings are worth against its price."""


def nav(market: Market) -> Values:
    """Return an ETF's net asset value: a little off its price."""
    base = market.listing.base * NAV_PREMIUM
    value, opening = market.fair * NAV_PREMIUM, (market.open or market.last) * NAV_PREMIUM
    return {
        "MKSC_SHRN_ISCD": market.symbol,
        "NAV": f"{value:.2f}",
        "NAV_PRDY_VRSS_SIGN": sign(round(value, 2), round(base, 2)),
        "NAV_PRDY_VRSS": f"{value - base:.2f}",
        "NAV_PRDY_CTRT": rate(value - base, base),
        "OPRC_NAV": f"{opening:.2f}",
        "HPRC_NAV": f"{max(value, (market.high or market.last) * 1.0004):.2f}",
        "LPRC_NAV": f"{min(value, (market.low or market.last) * 1.0004):.2f}",
    }
