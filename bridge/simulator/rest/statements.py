"""Rows of REST answers: market, orders and account as KIS words them (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.kinds import KINDS
from bridge.simulator.exchange.ledger import Holding, StockAccount
from bridge.simulator.exchange.listings import standard_symbol
from bridge.simulator.exchange.market import Listing, Market
from bridge.simulator.exchange.minutes import Minute
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import Ticket
from bridge.simulator.rest.answers import Row
from bridge.simulator.stream.records import rate, sign

__all__ = [
    "balance",
    "changeable",
    "daily",
    "daily_totals",
    "holding",
    "info",
    "minute",
    "orderable",
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


def minute(one: Minute) -> Row:
    return {
        "stck_bsop_date": f"{one.start:%Y%m%d}",
        "stck_cntg_hour": f"{one.start:%H%M%S}",
        "stck_prpr": str(one.close),
        "stck_oprc": str(one.open),
        "stck_hgpr": str(one.high),
        "stck_lwpr": str(one.low),
        "cntg_vol": str(one.quantity),
        "acml_tr_pbmn": str(one.value),
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


def _common(ticket: Ticket) -> Row:
    request = ticket.request
    return {
        "ord_gno_brno": "00950",
        "odno": ticket.number,
        "orgn_odno": ticket.original,
        "ord_dvsn_name": KINDS[request.kind].name,
        "ord_dvsn_cd": request.kind,
        "pdno": request.symbol,
        "ord_qty": request.quantity,
        "ord_unpr": request.price,
        "ord_tmd": ticket.at.strftime("%H%M%S"),
        "tot_ccld_qty": ticket.filled,
        "tot_ccld_amt": ticket.value,
        "sll_buy_dvsn_cd": request.side.value,
        "excg_dvsn_cd": "02",
        "excg_id_dvsn_cd": request.venue,
        "stpm_cndt_pric": request.trigger,
    }


def _side_name(ticket: Ticket) -> str:
    side = "매수" if ticket.request.side is Side.BUY else "매도"
    return side + {"place": "", "modify": "정정*", "cancel": "취소*"}[ticket.action]


def daily(ticket: Ticket) -> Row:
    whole = ticket.cancelled == ticket.request.quantity - ticket.filled - ticket.moved
    return _common(ticket) | {
        "ord_dt": ticket.at.strftime("%Y%m%d"),
        "sll_buy_dvsn_cd_name": _side_name(ticket),
        "prdt_name": ticket.name,
        "avg_prvs": f"{ticket.value / ticket.filled:.4f}" if ticket.filled else "0",
        "cncl_yn": "Y" if ticket.cancelled and whole else "N",
        "cnc_cfrm_qty": ticket.cancelled,
        "cncl_cfrm_qty": ticket.cancelled,
        "rmn_qty": ticket.remaining,
        "rjct_qty": ticket.refused,
        "ccld_cndt_name": _condition(ticket.request.kind),
        "prdt_type_cd": "300",
        "ordr_empno": ticket.request.channel,
        "ord_orgno": "00000",
        "cpbc_ordp_mtrl_dvsn_cd": "11",
    }


def daily_totals(tickets: Iterable[Ticket]) -> Row:
    placed = [ticket for ticket in tickets if ticket.action != "cancel"]
    filled = sum(ticket.filled for ticket in placed)
    value = sum(ticket.value for ticket in placed)
    return {
        "tot_ord_qty": str(sum(ticket.request.quantity for ticket in placed)),
        "tot_ccld_qty": str(filled),
        "tot_ccld_amt": str(value),
        "prsm_tlex_smtl": "0",
        "pchs_avg_pric": f"{value / filled:.4f}" if filled else "0.0000",
    }


def changeable(ticket: Ticket) -> Row:
    return _common(ticket) | {
        "prdt_name": ticket.name,
        "rvse_cncl_dvsn_name": "" if ticket.action == "place" else _side_name(ticket),
        "psbl_qty": ticket.remaining,
        "excg_id_dvsn_name": ticket.request.venue,
        "stpm_efct_occr_yn": "Y" if ticket.triggered_at else "N",
    }


def holding(market: Market, held: Holding) -> Row:
    value = held.quantity * market.last
    profit = value - held.cost
    average = held.cost / held.quantity if held.quantity else 0.0
    return {
        "pdno": market.symbol,
        "prdt_name": market.listing.name,
        "trad_dvsn_name": "현금",
        "bfdy_buy_qty": 0,
        "bfdy_sll_qty": 0,
        "thdt_buyqty": held.bought_today,
        "thdt_sll_qty": held.sold_today,
        "hldg_qty": held.quantity,
        "ord_psbl_qty": held.quantity - held.reserved,
        "pchs_avg_pric": f"{average:.4f}",
        "pchs_amt": held.cost,
        "prpr": market.last,
        "evlu_amt": value,
        "evlu_pfls_amt": profit,
        "evlu_pfls_rt": rate(profit, held.cost),
        "evlu_erng_rt": f"{profit / held.cost * 100:.8f}" if held.cost else "0.00000000",
        "fltt_rt": f"{(market.last - market.listing.base) / market.listing.base * 100:.8f}",
        "bfdy_cprs_icdc": market.last - market.listing.base,
        "item_mgna_rt_name": "20%",
        "sbst_pric": market.last * 8 // 10,
        "stck_loan_unpr": "0.0000",
    }


def balance(account: StockAccount, value: int, cost: int) -> Row:
    return {
        "dnca_tot_amt": account.cash,
        "nxdy_excc_amt": account.cash,
        "prvs_rcdl_excc_amt": account.cash,
        "scts_evlu_amt": value,
        "tot_evlu_amt": account.cash + value,
        "nass_amt": account.cash + value,
        "pchs_amt_smtl_amt": cost,
        "evlu_amt_smtl_amt": value,
        "evlu_pfls_smtl_amt": value - cost,
        "bfdy_tot_asst_evlu_amt": account.cash + value,
        "asst_icdc_amt": 0,
        "asst_icdc_erng_rt": "0.00000000",
    }


def orderable(cash: int, price: int) -> Row:
    quantity = cash // price if price else 0
    return {
        "ord_psbl_cash": cash,
        "ord_psbl_sbst": 0,
        "ruse_psbl_amt": 0,
        "psbl_qty_calc_unpr": price,
        "nrcvb_buy_amt": cash,
        "nrcvb_buy_qty": quantity,
        "max_buy_amt": cash,
        "max_buy_qty": quantity,
        "ovrs_re_use_amt_wcrc": 0,
        "ord_psbl_frcr_amt_wcrc": 0,
    }


def _condition(kind: str) -> str:
    if kind in ("11", "13", "15", "23"):
        return "IOC"
    return "FOK" if kind in ("12", "14", "16", "24") else "없음"
