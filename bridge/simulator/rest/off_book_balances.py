"""Rows and totals of what is held of overseas stocks, futures and options, as KIS words them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bridge.simulator.off_book.holdings import Position
from bridge.simulator.rest.answers import Row

__all__ = ["stock_row", "stock_totals"]

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


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole * 100:.8f}" if whole else "0.00000000"
