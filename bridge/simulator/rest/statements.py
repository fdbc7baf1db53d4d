"""Rows of REST answers: market, orders and account as KIS words them (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.listings import standard_symbol
from bridge.simulator.exchange.market import Listing, Market
from bridge.simulator.rest.answers import Row
from bridge.simulator.stream.records import rate, sign

__all__ = [
    "info",
    "price",
    "standing",
]


def info(listing: Listing) -> Row:
    return {
        "pdno": f"00000A{listing.symbol}",
        "prdt_type_cd": "300",
        "prdt_name": listing.name,
        "prdt_name120": listing.name,
        "prdt_abrv_name": listing.name,
        "prdt_eng_name": listing.symbol,
        "prdt_eng_name120": listing.symbol,
        "prdt_eng_abrv_name": listing.symbol,
        "std_pdno": standard_symbol(listing.symbol),
        "shtn_pdno": listing.symbol,
        "prdt_sale_stat_cd": "",
        "prdt_risk_grad_cd": "",
        "prdt_clsf_cd": "101101",
        "prdt_clsf_name": "주식",
        "sale_strt_dt": "",
        "sale_end_dt": "",
        "wrap_asst_type_cd": "06",
        "ivst_prdt_type_cd": "0601",
        "ivst_prdt_type_cd_name": "주식",
        "frst_erlm_dt": "",
    }


def standing(symbol: str, halts: SymbolHalts) -> Row:
    """Return what a quotation says of a symbol that is halted or interrupted."""
    row: Row = {"vi_cls_code": "Y"} if symbol in halts.auctions else {}
    if symbol in halts.halted:
        row |= {"temp_stop_yn": "Y", "iscd_stat_cls_code": "58"}
    return row


def price(market: Market, now: datetime) -> Row:
    listing, last = market.listing, market.last
    change = last - listing.base
    highest, lowest = max(market.high, listing.base), min(market.low, listing.base)
    today = now.strftime("%Y%m%d")
    return {
        "iscd_stat_cls_code": "55",
        "marg_rate": "20.00",
        "rprs_mrkt_kor_name": "KOSPI200",
        "bstp_kor_isnm": "모의업종",
        "temp_stop_yn": "N",
        "oprc_rang_cont_yn": "N",
        "clpr_rang_cont_yn": "N",
        "crdt_able_yn": "Y",
        "grmn_rate_cls_code": "40",
        "elw_pblc_yn": "N",
        "stck_prpr": last,
        "prdy_vrss": change,
        "prdy_vrss_sign": sign(last, listing.base, market.lower, market.upper),
        "prdy_ctrt": rate(change, listing.base),
        "acml_tr_pbmn": market.value,
        "acml_vol": market.volume,
        "prdy_vrss_vol_rate": rate(market.volume, listing.previous_volume),
        "stck_oprc": market.open,
        "stck_hgpr": market.high,
        "stck_lwpr": market.low,
        "stck_mxpr": market.upper,
        "stck_llam": market.lower,
        "stck_sdpr": listing.base,
        "wghn_avrg_stck_prc": f"{market.value / market.volume:.2f}" if market.volume else "0.00",
        "aspr_unit": ticks.tick(last),
        "hts_deal_qty_unit_val": 1,
        "lstn_stcn": listing.shares,
        "hts_avls": last * listing.shares // 100_000_000,
        "per": "12.30",
        "pbr": "1.20",
        "eps": f"{last / 12.3:.2f}",
        "bps": f"{last / 1.2:.2f}",
        "stac_month": "12",
        "vol_tnrt": rate(market.volume, listing.shares),
        "w52_hgpr": highest,
        "w52_hgpr_date": today,
        "w52_hgpr_vrss_prpr_ctrt": rate(last - highest, highest),
        "w52_lwpr": lowest,
        "w52_lwpr_date": today,
        "w52_lwpr_vrss_prpr_ctrt": rate(last - lowest, lowest),
        "d250_hgpr": highest,
        "d250_hgpr_date": today,
        "d250_lwpr": lowest,
        "d250_lwpr_date": today,
        "stck_dryy_hgpr": highest,
        "dryy_hgpr_date": today,
        "stck_dryy_lwpr": lowest,
        "dryy_lwpr_date": today,
        "stck_shrn_iscd": listing.symbol,
        "stck_fcam": "100",
        "ssts_yn": "Y",
        "vi_cls_code": "N",
        "ovtm_vi_cls_code": "N",
        "invt_caful_yn": "N",
        "mrkt_warn_cls_code": "00",
        "short_over_yn": "N",
        "sltr_yn": "N",
        "mang_issu_cls_code": "N",
    }
