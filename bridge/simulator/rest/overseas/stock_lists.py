"""The REST calls that list orders for overseas stocks, and how split ones were worked (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.holdings import Execution
from bridge.simulator.off_book.schedules import AUCTIONS, SPLIT
from bridge.simulator.off_book.terms import CURRENCIES
from bridge.simulator.off_book.tickets import OffBookTicket
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.names import EXCHANGES, wanted
from bridge.simulator.rest.overseas.pages import OverseasDesk
from bridge.simulator.rest.params import Params, account_of, text_of

__all__ = ["OverseasStockLists"]

_SIDES = {Side.SELL: "매도", Side.BUY: "매수"}
_ACTIONS = {"place": "", "modify": "정정", "cancel": "취소"}
_CODES = {"place": "00", "modify": "01", "cancel": "02"}


class OverseasStockLists(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/inquire_ccnl": self._orders,
            "overseas_stock/inquire_nccs": self._open,
            "overseas_stock/algo_ordno": self._split_orders,
            "overseas_stock/inquire_algo_ccnl": self._split_parts,
        }

    def _orders(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        state, side = params.get("CCLD_NCCS_DVSN", ""), params.get("SLL_BUY_DVSN", "")
        places = wanted(params.get("OVRS_EXCG_CD", ""))
        symbol, number = params.get("PDNO", ""), params.get("ODNO", "")
        first, last = params.get("ORD_STRT_DT", ""), params.get("ORD_END_DT", "")
        rows = [
            _row(ticket)
            for ticket in self._tickets(params)
            if first <= f"{ticket.date:%Y%m%d}" <= last
            and ticket.exchange in places
            and symbol in ("", "%", ticket.symbol)
            and side in ("", "00", ticket.side.value)
            and (state != "01" or ticket.filled)
            and (state != "02" or ticket.remaining)
            and (not number or number.zfill(10) == ticket.number)
        ]
        if params.get("SORT_SQN") == "AS":
            rows.reverse()
        return self.listed("overseas_stock/inquire_ccnl", "output", rows, params, cont)

    def _open(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        places = wanted(params.get("OVRS_EXCG_CD", ""))
        rows = [
            _row(ticket)
            for ticket in self._tickets(params)
            if ticket.remaining and ticket.exchange in places
        ]
        if params.get("SORT_SQN") != "DS":
            rows.reverse()
        return self.listed("overseas_stock/inquire_nccs", "output", rows, params, cont)

    def _split_orders(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        day = text_of(params, "TRAD_DT")
        rows = [
            _split_row(ticket)
            for ticket in self._tickets(params)
            if ticket.kind in SPLIT and ticket.action == "place" and f"{ticket.date:%Y%m%d}" == day
        ]
        return self.listed("overseas_stock/algo_ordno", "output", rows, params, cont)

    def _split_parts(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        name = "overseas_stock/inquire_algo_ccnl"
        if not params.get("ODNO", ""):
            return self.listed(name, "output", [], params, cont, {"output3": []})
        ticket = self.off_book.find(account_of(params), params["ODNO"].zfill(10))
        own = self.off_book.money(ticket.account).executions
        done = [one for one in own if one.ticket is ticket] if ticket.kind in SPLIT else []
        rows = [_part_row(place, one) for place, one in enumerate(done, 1)]
        total = _split_row(ticket) | {
            "ord_tmd": f"{ticket.at:%H%M%S}",
            "tr_crcy": CURRENCIES.get(ticket.exchange, ""),
            "ft_ccld_unpr3": _average(ticket),
            "ft_ccld_amt3": f"{ticket.value:.5f}",
            "ccld_cnt": str(len(done)),
        }
        totals: dict[str, list[Row]] = {"output3": [total] if ticket.kind in SPLIT else []}
        return self.listed(name, "output", rows, params, cont, totals)

    def _tickets(self, params: Params) -> Iterator[OffBookTicket]:
        return self.off_book.of("overseas_stock", self.account(params))


def _average(ticket: OffBookTicket) -> str:
    return f"{ticket.value / ticket.filled if ticket.filled else 0:.8f}"


def _state(ticket: OffBookTicket) -> str:
    if ticket.remaining:
        return "접수"
    return "완료"


def _row(ticket: OffBookTicket) -> Row:
    names = EXCHANGES[ticket.exchange]
    return {
        "ord_dt": f"{ticket.date:%Y%m%d}",
        "ord_gno_brno": "91252",
        "odno": ticket.number,
        "orgn_odno": ticket.original,
        "sll_buy_dvsn_cd": ticket.side.value,
        "sll_buy_dvsn_cd_name": f"{_SIDES[ticket.side]}{_ACTIONS[ticket.action]}",
        "rvse_cncl_dvsn": _CODES[ticket.action],
        "rvse_cncl_dvsn_name": _ACTIONS[ticket.action],
        "rvse_cncl_dvsn_cd": _CODES[ticket.action],
        "rvse_cncl_dvsn_cd_name": _ACTIONS[ticket.action],
        "pdno": ticket.symbol,
        "prdt_name": ticket.symbol,
        "ft_ord_qty": str(ticket.quantity),
        "ft_ord_unpr3": f"{ticket.price:.8f}",
        "ft_ccld_qty": str(ticket.filled),
        "ft_ccld_unpr3": _average(ticket),
        "ft_ccld_amt3": f"{ticket.value:.5f}",
        "nccs_qty": str(ticket.remaining),
        "prcs_stat_name": _state(ticket),
        "ord_tmd": f"{ticket.at:%H%M%S}",
        "tr_mket_name": names.name,
        "tr_natn": names.country,
        "tr_natn_name": names.country_name,
        "natn_cd": names.country,
        "natn_kor_name": names.country_name,
        "ovrs_excg_cd": ticket.exchange,
        "tr_crcy_cd": CURRENCIES[ticket.exchange],
        "dmst_ord_dt": f"{ticket.at:%Y%m%d}",
        "thco_ord_tmd": f"{ticket.at:%H%M%S}",
        "loan_type_cd": "10",
        "mdia_dvsn_name": "OpenAPI",
        "usa_amk_exts_rqst_yn": "N",
        "splt_buy_attr_name": SPLIT.get(ticket.kind, AUCTIONS.get(ticket.kind, "")),
    }


def _split_row(ticket: OffBookTicket) -> Row:
    return {
        "odno": ticket.number,
        "trad_dvsn_name": _SIDES[ticket.side],
        "pdno": ticket.symbol,
        "item_name": ticket.symbol,
        "ft_ord_qty": str(ticket.quantity),
        "ft_ord_unpr3": f"{ticket.price:.8f}",
        "splt_buy_attr_name": SPLIT.get(ticket.kind, ""),
        "ft_ccld_qty": str(ticket.filled),
        "ord_gno_brno": "91252",
    }


def _part_row(place: int, one: Execution) -> Row:
    schedule = one.ticket.schedule
    part = next((part for part in reversed(schedule) if part.begins <= one.at), None)
    between = f"{part.begins:%H:%M:%S}~{part.ends:%H:%M:%S}" if part else ""
    return {
        "CCLD_SEQ": str(place),
        "CCLD_BTWN": between,
        "pdno": one.ticket.symbol,
        "item_name": one.ticket.symbol,
        "ft_ccld_qty": str(one.quantity),
        "ft_ccld_unpr3": f"{one.price:.8f}",
        "ft_ccld_amt3": f"{one.amount:.5f}",
    }
