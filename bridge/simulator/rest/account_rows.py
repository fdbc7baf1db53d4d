"""Rows about an account of domestic stocks as KIS words them (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bridge.simulator.exchange import charges
from bridge.simulator.exchange.kinds import KINDS
from bridge.simulator.exchange.ledger import DayTrades
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import Position, Ticket
from bridge.simulator.exchange.valuation import AccountValue, ValuedPosition
from bridge.simulator.rest.answers import Row

__all__ = [
    "LOANS",
    "account",
    "changeable",
    "daily",
    "daily_totals",
    "day_profit",
    "position",
    "profit_totals",
    "ratio",
    "realised",
    "trade_profit",
]

LOANS = {"": "현금", "21": "자기융자", "22": "유통대주", "23": "유통융자", "24": "자기대주"}
"""What KIS calls the ways to hold a position."""
_EXCHANGES = {"KRX": "02", "NXT": "04", "SOR": "03"}


def ratio(part: int, whole: int, digits: int = 2) -> str:
    """Return a part in percent; 0 of nothing."""
    return f"{part / whole * 100 if whole else 0:.{digits}f}"


# positions and the account


def position(one: ValuedPosition, *, by_day: bool = True) -> Row:
    """Return a row of the balance; ``by_day`` tells loans apart by the day they were taken."""
    held, mark = one.held, one.mark
    return {
        "pdno": one.symbol,
        "prdt_name": mark.name,
        "trad_dvsn_name": LOANS[one.loan],
        "bfdy_buy_qty": one.before.bought,
        "bfdy_sll_qty": one.before.sold,
        "thdt_buyqty": one.today.bought,
        "thdt_sll_qty": one.today.sold,
        "hldg_qty": held.quantity,
        "ord_psbl_qty": one.free,
        "pchs_avg_pric": f"{one.average:.4f}",
        "pchs_amt": held.cost,
        "prpr": mark.price,
        "evlu_amt": one.value,
        "evlu_pfls_amt": one.profit,
        "evlu_pfls_rt": ratio(one.profit, held.cost),
        "evlu_erng_rt": ratio(one.profit, held.cost, 8),
        "loan_dt": one.lent_on if by_day else "",
        "loan_amt": held.debt,
        "stln_slng_chgs": held.cost if one.short else 0,
        "expd_dt": charges.expiry(one.lent_on) if one.lent_on and by_day else "",
        "fltt_rt": ratio(mark.price - mark.base, mark.base, 8),
        "bfdy_cprs_icdc": mark.price - mark.base,
        "item_mgna_rt_name": "20%",
        "grta_rt_name": f"{charges.GUARANTEE_PERCENT}%" if one.loan else "",
        "sbst_pric": mark.price * 8 // 10,
        "stck_loan_unpr": f"{held.debt / held.quantity if held.quantity else 0:.4f}",
    }


def account(valued: AccountValue) -> Row:
    """Return the totals of the balance."""
    today, before = valued.today, valued.before
    gained = valued.total - valued.opening
    return {
        "dnca_tot_amt": valued.deposit,
        "nxdy_excc_amt": valued.next_day,
        "prvs_rcdl_excc_amt": valued.settled,
        "bfdy_buy_amt": before.buy_value,
        "thdt_buy_amt": today.buy_value,
        "bfdy_sll_amt": before.sell_value,
        "thdt_sll_amt": today.sell_value,
        "bfdy_tlex_amt": before.buy_fee + before.sell_fee + before.tax,
        "thdt_tlex_amt": today.buy_fee + today.sell_fee + today.tax,
        "tot_loan_amt": valued.debt,
        "scts_evlu_amt": valued.stocks,
        "tot_evlu_amt": valued.total,
        "nass_amt": valued.net,
        "fncg_gld_auto_rdpt_yn": "N",
        "pchs_amt_smtl_amt": valued.cost,
        "evlu_amt_smtl_amt": valued.value,
        "evlu_pfls_smtl_amt": valued.profit,
        "tot_stln_slng_chgs": valued.proceeds,
        "bfdy_tot_asst_evlu_amt": valued.opening,
        "asst_icdc_amt": gained,
        "asst_icdc_erng_rt": ratio(gained, valued.opening, 8),
    }


def realised(valued: AccountValue) -> Row:
    """Return what was gained today: by what was closed, and with what is still held."""
    today = valued.today
    both = today.realised + valued.profit
    return {
        "rlzt_pfls": today.realised,
        "rlzt_erng_rt": ratio(today.realised, today.cost, 8),
        "real_evlu_pfls": both,
        "real_evlu_pfls_erng_rt": ratio(both, today.cost + valued.cost, 8),
    }


# orders


def _order(ticket: Ticket, branch: str) -> Row:
    request = ticket.request
    return {
        "ord_gno_brno": branch,
        "odno": ticket.number,
        "orgn_odno": ticket.original,
        "ord_dvsn_name": KINDS[request.kind].name,
        "ord_dvsn_cd": request.kind,
        "pdno": request.symbol,
        "prdt_name": ticket.name,
        "ord_qty": request.quantity,
        "ord_unpr": request.price,
        "ord_tmd": ticket.at.strftime("%H%M%S"),
        "tot_ccld_qty": ticket.filled,
        "tot_ccld_amt": ticket.value,
        "sll_buy_dvsn_cd": request.side.value,
        "excg_dvsn_cd": _EXCHANGES[request.venue],
        "excg_id_dvsn_cd": request.venue,
        "stpm_cndt_pric": request.trigger,
        "stpm_efct_occr_dtmd": f"{ticket.triggered_at:%H%M%S}" if ticket.triggered_at else "",
    }


def _side_name(ticket: Ticket) -> str:
    request = ticket.request
    side = "매수" if request.side is Side.BUY else "매도"
    if request.credit:
        side = LOANS[request.loan] + ("" if request.opens else "상환") + side
    return side + {"place": "", "modify": "정정*", "cancel": "취소*"}[ticket.action]


def daily(ticket: Ticket, branch: str) -> Row:
    """Return a row of the list of orders."""
    whole = ticket.cancelled == ticket.request.quantity - ticket.filled - ticket.moved
    return _order(ticket, branch) | {
        "ord_dt": ticket.at.strftime("%Y%m%d"),
        "sll_buy_dvsn_cd_name": _side_name(ticket),
        "avg_prvs": f"{ticket.value / ticket.filled:.4f}" if ticket.filled else "0",
        "cncl_yn": "Y" if ticket.cancelled and whole else "N",
        "cnc_cfrm_qty": ticket.cancelled,
        "cncl_cfrm_qty": ticket.cancelled,
        "rmn_qty": ticket.remaining,
        "rjct_qty": ticket.refused,
        "loan_dt": ticket.request.lent_on,
        "ccld_cndt_name": _condition(ticket.request.kind),
        "prdt_type_cd": "300",
        "ordr_empno": ticket.request.channel,
        "ord_orgno": "00000",
        "cpbc_ordp_mtrl_dvsn_cd": "11",
        "rsvn_ord_end_dt": ticket.reservation,
    }


def daily_totals(tickets: Iterable[Ticket]) -> Row:
    """Return the sums over a list of orders, with what they have cost."""
    placed = [ticket for ticket in tickets if ticket.action != "cancel"]
    filled = sum(ticket.filled for ticket in placed)
    traded = sum(ticket.value for ticket in placed)
    return {
        "tot_ord_qty": sum(ticket.request.quantity for ticket in placed),
        "tot_ccld_qty": filled,
        "tot_ccld_amt": traded,
        "prsm_tlex_smtl": sum(_charged(ticket) for ticket in placed),
        "pchs_avg_pric": f"{traded / filled:.4f}" if filled else "0.0000",
    }


def _charged(ticket: Ticket) -> int:
    symbol, traded = ticket.request.symbol, ticket.value
    buys = ticket.request.side is Side.BUY
    tax = 0 if buys else charges.tax(traded, symbol, ticket.at.date())
    return charges.fee(traded, symbol) + tax


def changeable(ticket: Ticket, branch: str) -> Row:
    """Return a row of the orders that can still be changed."""
    return _order(ticket, branch) | {
        "rvse_cncl_dvsn_name": "" if ticket.action == "place" else _side_name(ticket),
        "psbl_qty": ticket.remaining,
        "excg_id_dvsn_name": ticket.request.venue,
        "stpm_efct_occr_yn": "Y" if ticket.triggered_at else "N",
    }


def _condition(kind: str) -> str:
    lasts = KINDS[kind].lasts
    return "없음" if lasts == "day" else lasts.upper()


# profit


def day_profit(day: date, row: DayTrades) -> Row:
    """Return what one day has brought."""
    return {
        "trad_dt": f"{day:%Y%m%d}",
        "buy_amt": row.buy_value,
        "sll_amt": row.sell_value,
        "rlzt_pfls": row.realised,
        "fee": row.buy_fee + row.sell_fee,
        "loan_int": row.interest,
        "tl_tax": row.tax,
        "pfls_rt": ratio(row.realised, row.cost),
        "sll_qty1": row.sold,
        "buy_qty1": row.bought,
    }


def trade_profit(day: date, which: Position, name: str, row: DayTrades) -> Row:
    """Return what one position has brought on one day."""
    closed = row.bought if which[1] in ("22", "24") else row.sold
    return {
        "trad_dt": f"{day:%Y%m%d}",
        "pdno": which[0],
        "prdt_name": name,
        "trad_dvsn_name": LOANS[which[1]],
        "loan_dt": which[2],
        "hldg_qty": row.left,
        "pchs_unpr": row.cost // closed if closed else 0,
        "buy_qty": row.bought,
        "buy_amt": row.buy_value,
        "sll_pric": row.sell_value // row.sold if row.sold else 0,
        "sll_qty": row.sold,
        "sll_amt": row.sell_value,
        "rlzt_pfls": row.realised,
        "pfls_rt": ratio(row.realised, row.cost),
        "fee": row.buy_fee + row.sell_fee,
        "tl_tax": row.tax,
        "loan_int": row.interest,
    }


def profit_totals(row: DayTrades, *, by_trade: bool) -> Row:
    """Return the sums of either list of profits, which name two of them differently."""
    sold_for = row.sell_value - row.sell_fee - row.tax
    paid = row.buy_value + row.buy_fee
    bought = "buyqty_smtl" if by_trade else "buy_qty_smtl"
    sums: Row = {
        "sll_qty_smtl": row.sold,
        "sll_tr_amt_smtl": row.sell_value,
        "sll_fee_smtl": row.sell_fee,
        "sll_tltx_smtl": row.tax,
        "sll_excc_amt_smtl": sold_for,
        bought: row.bought,
        "buy_tr_amt_smtl": row.buy_value,
        "buy_fee_smtl": row.buy_fee,
        "buy_tax_smtl": 0,
        "buy_excc_amt_smtl": paid,
        "tot_qty": row.bought + row.sold,
        "tot_tr_amt": row.buy_value + row.sell_value,
        "tot_fee": row.buy_fee + row.sell_fee,
        "tot_tltx": row.tax,
        "tot_excc_amt": sold_for - paid,
        "tot_rlzt_pfls": row.realised,
        "loan_int": row.interest,
    }
    return sums | ({"tot_pftrt": ratio(row.realised, row.cost)} if by_trade else {})
