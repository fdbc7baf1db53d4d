"""Rows and totals of what is held of overseas stocks, futures and options, as KIS words them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bridge.simulator.off_book.holdings import Position
from bridge.simulator.rest.answers import Row

__all__ = ["future_row", "future_totals", "stock_row", "stock_totals"]

_ZERO = Decimal(0)


def stock_row(held: Position) -> Row:
    return {
        "ovrs_pdno": held.symbol,
        "ovrs_item_name": held.symbol,
        "frcr_evlu_pfls_amt": f"{held.profit:.6f}",
        "evlu_pfls_rt": _percent(held.profit, held.cost),
        "pchs_avg_pric": f"{held.average:.4f}",
        "ovrs_cblc_qty": str(held.quantity),
        "ord_psbl_qty": str(held.sellable),
        "frcr_pchs_amt1": f"{held.cost:.5f}",
        "ovrs_stck_evlu_amt": f"{held.worth:.6f}",
        "now_pric2": f"{held.price:.6f}",
        "tr_crcy_cd": held.terms.currency,
        "ovrs_excg_cd": held.exchange,
    }


def stock_totals(held: Sequence[Position]) -> Row:
    """Add up the positions."""
    cost = sum((one.cost for one in held), _ZERO)
    profit = sum((one.profit for one in held), _ZERO)
    realized = sum((one.realized for one in held), _ZERO)
    closed = sum((one.released for one in held), _ZERO)
    bought = sum((one.bought for one in held), _ZERO)
    return {
        "frcr_pchs_amt1": f"{cost:.5f}",
        "ovrs_rlzt_pfls_amt": f"{realized:.5f}",
        "ovrs_rlzt_pfls_amt2": f"{realized:.5f}",
        "ovrs_tot_pfls": f"{realized + profit:.5f}",
        "rlzt_erng_rt": _percent(realized, closed),
        "tot_evlu_pfls_amt": f"{profit:.8f}",
        "tot_pftrt": _percent(profit, cost),
        "frcr_buy_amt_smtl1": f"{bought:.6f}",
        "frcr_buy_amt_smtl2": f"{bought:.6f}",
    }


def future_row(held: Position) -> Row:
    return {
        "pdno": f"KR4{held.symbol:0<9}",
        "shtn_pdno": held.symbol,
        "prdt_name": held.symbol,
        "sll_buy_dvsn_name": "매수" if held.quantity > 0 else "매도",
        "cblc_qty": str(abs(held.quantity)),
        "ccld_avg_unpr1": f"{held.average:.9f}",
        "idx_clpr": f"{held.price:.2f}",
        "pchs_amt": _won(held.cost),
        "evlu_amt": _won(held.worth),
        "evlu_pfls_amt": _won(held.profit),
        "trad_pfls_amt": _won(held.realized),
        "lqd_psbl_qty": str(abs(held.quantity)),
    }


def future_totals(held: Sequence[Position], cash: Decimal, available: Decimal) -> Row:
    """Add up the positions of an account that has so much money, and so much of it free."""
    cost = sum((one.cost for one in held), _ZERO)
    worth = sum((one.worth for one in held), _ZERO)
    profit = sum((one.profit for one in held), _ZERO)
    realized = sum((one.realized for one in held), _ZERO)
    own, margin = _won(cash), _won(sum((one.margin for one in held), _ZERO))
    free, whole = _won(available), _won(cash + profit)
    return {
        **dict.fromkeys(("dnca_cash", "tot_dncl_amt", "nxdy_dnca", "nxdy_dncl_amt"), own),
        **dict.fromkeys(("cash_mgna", "mgna_tota"), margin),
        **dict.fromkeys(("prsm_dpast", "prsm_dpast_amt"), whole),
        **dict.fromkeys(("pprt_ord_psbl_cash", "ord_psbl_cash", "ord_psbl_tota"), free),
        "wdrw_psbl_tot_amt": free,
        **dict.fromkeys(("futr_trad_pfls_amt", "trad_pfls_amt_smtl"), _won(realized)),
        **dict.fromkeys(("futr_evlu_pfls_amt", "evlu_pfls_amt_smtl"), _won(profit)),
        "pchs_amt_smtl": _won(cost),
        "evlu_amt_smtl": _won(worth),
    }


def _won(amount: Decimal) -> str:
    return str(int(amount))


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole * 100:.8f}" if whole else "0.00000000"
