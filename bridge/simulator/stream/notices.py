"""Execution notices: what happened to an order, as KIS's values (pure)."""

from __future__ import annotations

from bridge.simulator.exchange.tickets import ExchangeEvent
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.terms import terms
from bridge.simulator.off_book.tickets import NIGHT, OffBookEvent
from bridge.simulator.stream.encode import Values

__all__ = ["off_book_notice", "stock_notice"]

_ACTION = {"place": "0", "modify": "1", "cancel": "2"}
_VENUE = {"KRX": "1", "NXT": "2", "SOR": "3"}


def stock_notice(event: ExchangeEvent, *, hts_id: str, name: str) -> Values:
    """Return the values of a domestic stock's notice (``H0STCNI0``, ``H0STCNI9``), zero-padded."""
    ticket, request = event.ticket, event.ticket.request
    filled = event.kind == "filled"
    accepted = {"taken": "1", "refused": "1", "lapsed": "3"}.get(event.kind, "2")
    return {
        "CUST_ID": hts_id,
        "ACNT_NO": request.account.replace("-", ""),
        "ODER_NO": ticket.number,
        "OODER_NO": ticket.original,
        "SELN_BYOV_CLS": request.side.value,
        "RCTF_CLS": _ACTION[ticket.action],
        "ODER_KIND": request.kind,
        "ODER_COND": "0",
        "STCK_SHRN_ISCD": request.symbol,
        "CNTG_QTY": f"{event.quantity:010d}",
        "CNTG_UNPR": f"{event.price:09d}",
        "STCK_CNTG_HOUR": event.at.strftime("%H%M%S"),
        "RFUS_YN": "1" if event.kind == "refused" else "0",
        "CNTG_YN": "2" if filled else "1",
        "ACPT_YN": accepted,
        "BRNC_NO": "00950",
        "ODER_QTY": f"{request.quantity:09d}",
        "ACNT_NAME": "모의계좌",
        "ORD_COND_PRC": f"{request.trigger:09d}",
        "ORD_EXG_GB": _VENUE[request.venue],
        "POPUP_YN": "Y",
        "FILLER": "",
        "CRDT_CLS": request.credit or "10",
        "CRDT_LOAN_DATE": request.lent_on,
        "CNTG_ISNM40": name,
        "CNTG_ISNM": name,
        "ODER_PRC": f"{request.price:09d}",
    }


_CLASSES = {
    **dict.fromkeys(("NASD", "NYSE", "AMEX"), ("6", 4)),
    "SEHK": ("4", 3),
    "SHAA": ("A", 3),
    "SZAA": ("A", 3),
    "TKSE": ("D", 1),
    "HASE": ("E", 0),
    "VNSE": ("F", 0),
}
"""Class and implied decimals of a price in a notice, by exchange."""
_KINDS = {"31": "A", "32": "B", "33": "C", "34": "D", "50": "7"}
"""Of an order overseas that is no plain limit order."""
_OPTIONS = tuple("23BC")
"""First letters of the symbols of options."""


def off_book_notice(event: OffBookEvent, *, hts_id: str) -> tuple[str, Values]:
    """Return the channel and the values of a notice for a stock overseas, a future or an option."""
    ticket = event.ticket
    if ticket.market == "overseas_derivative":
        return _future_notice(event, hts_id)
    overseas, decimals = _CLASSES.get(ticket.exchange, ("", 2))
    values: Values = {
        "CUST_ID": hts_id,
        "ACNT_NO": ticket.account.replace("-", ""),
        "ODER_NO": ticket.number,
        "OODER_NO": ticket.original,
        "SELN_BYOV_CLS": ticket.side.value,
        "RCTF_CLS": _ACTION[ticket.action],
        "ODER_KIND2": "0" if event.kind == "filled" else "L",
        "STCK_SHRN_ISCD": ticket.symbol,
        "CNTG_QTY": f"{event.quantity:010d}",
        "CNTG_UNPR": f"{int(event.price.scaleb(decimals)):09d}",
        "STCK_CNTG_HOUR": f"{event.at:%H%M%S}",
        "RFUS_YN": "1" if event.kind == "refused" else "0",
        "CNTG_YN": "2" if event.kind == "filled" else "1",
        "ACPT_YN": {"taken": "1", "refused": "1", "lapsed": "3"}.get(event.kind, "2"),
        "BRNC_NO": "00950",
        "ODER_QTY": f"{ticket.quantity:010d}",
        "ACNT_NAME": "모의계좌",
        "CNTG_ISNM": ticket.symbol,
        "ODER_COND": overseas,
        "DEBT_GB": "10",
        "CNTG_UNPR12": f"{int(event.price.scaleb(decimals)):012d}",
    }
    if ticket.schedule:
        values["START_TM"] = f"{ticket.schedule[0].begins:%H%M%S}"
        values["END_TM"] = f"{ticket.schedule[-1].ends:%H%M%S}"
        values["TM_DIV_TP"] = "00"
    if ticket.market == "overseas_stock":
        return "H0GSCNI0", values | {"ODER_KIND2": _KINDS.get(ticket.kind, "2")}
    if ticket.exchange != NIGHT:
        return "H0IFCNI0", values
    return "H0EUCNI0" if ticket.symbol.startswith(_OPTIONS) else "H0MFCNI0", values


def _future_notice(event: OffBookEvent, hts_id: str) -> tuple[str, Values]:
    """Return a notice for a future or an option overseas: of the order, or of an execution."""
    ticket, filled = event.ticket, event.kind == "filled"
    found = terms(ticket.market, ticket.exchange, ticket.symbol)
    received = "03" if event.kind == "lapsed" else "02"
    if event.kind == "taken" and ticket.action != "place":
        received = "01"
    day, moment = f"{ticket.date:%Y%m%d}", f"{event.at:%Y%m%d%H%M%S}000"
    values: Values = {
        "USER_ID": hts_id,
        "ACCT_NO": ticket.account.replace("-", ""),
        "ORD_DT": day,
        "ODNO": ticket.number,
        "ORGN_ORD_DT": day if ticket.original else "",
        "ORGN_ODNO": ticket.original,
        "SERIES": ticket.symbol,
        "RVSE_CNCL_DVSN_CD": f"0{_ACTION[ticket.action]}",
        "SLL_BUY_DVSN_CD": ticket.side.value,
        "CPLX_ORD_DVSN_CD": "0",
        "PRCE_TP": ticket.kind,
        "FM_EXCG_RCIT_DVSN_CD": received,
        "ORD_QTY": ticket.quantity,
        "FM_LMT_PRIC": f"{ticket.price:f}",
        "FM_STOP_ORD_PRIC": f"{ticket.trigger:f}",
        "TOT_CCLD_QTY": ticket.filled,
        "TOT_CCLD_UV": f"{ticket.value / ticket.filled if ticket.filled else 0:.8f}",
        "ORD_REMQ": ticket.remaining,
        "ORD_DTL_DTIME": f"{ticket.at:%Y%m%d%H%M%S}000",
        "OPRT_DTL_DTIME": moment,
        "WORK_EMPL": "OpnAPI",
        "CRCY_CD": found.currency if found else "",
        "FUOP_ITEM_DVSN_CD": "02" if " " in ticket.symbol else "01",
    }
    if not filled:
        return "HDFFF1C0", values | {"LQD_YN": "N", "TRD_COND": "6", "ECIS_RSVN_ORD_YN": "N"}
    return "HDFFF2C0", values | {
        "CCLD_DT": f"{business_date(ticket.market, ticket.exchange, event.at):%Y%m%d}",
        "CCNO": event.execution,
        "API_CCNO": event.execution,
        "CCLD_QTY": event.quantity,
        "FM_CCLD_PRIC": f"{event.price:f}",
        "TRST_FEE": f"{found.fees(event.quantity, event.price) if found else 0}",
        "ORD_MDIA_ONLINE_YN": "Y",
        "FM_CCLD_AMT": f"{found.amount(event.quantity, event.price) if found else 0:.2f}",
    }
