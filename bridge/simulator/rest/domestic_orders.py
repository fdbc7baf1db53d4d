"""The REST calls that place, change and reserve orders of domestic stocks (pure)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bridge.catalog.model import Catalog
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.kinds import KINDS
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.reservations import Reservation
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest
from bridge.simulator.rest.answers import BRANCHES, REFUSAL_TEXTS, Answer, Row, blank, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.paging import page
from bridge.simulator.rest.params import (
    CHANNEL,
    InputError,
    Params,
    account_of,
    number_of,
    text_of,
)
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DomesticOrders"]

_LIST = "domestic_stock/order_resv_ccnl"
_RESERVED_PAGE = 20
_CASH, _UNKNOWN_LOANS = "10", ("12", "14")
"""Of ``ORD_OBJT_CBLC_DVSN_CD``; loans on shares and lent shares are not simulated."""


class DomesticOrders:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, exchange: Exchange, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._exchange, self._catalog = exchange, catalog
        self._environment = settings.environment

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_stock/order_cash": self._cash,
            "domestic_stock/order_credit": self._credit,
            "domestic_stock/order_rvsecncl": self._change,
            "domestic_stock/order_resv": self._reserve,
            "domestic_stock/order_resv_rvsecncl": self._change_reserved,
            _LIST: self._reserved,
        }

    def _cash(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        side = Side.BUY if variant == "buy" else Side.SELL
        ticket = self._exchange.place(self._request(params, side), now)
        name = "매수" if side is Side.BUY else "매도"
        code = "40600000" if side is Side.BUY else "40590000"
        return self._sent(ticket.number, code, f"모의투자 {name}주문이 완료 되었습니다.", now)

    def _credit(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        side = Side.BUY if variant == "buy" else Side.SELL
        request = replace(
            self._request(params, side),
            credit=text_of(params, "CRDT_TYPE"),
            lent_on=text_of(params, "LOAN_DT"),
        )
        if params.get("RSVN_ORD_YN") == "Y":
            kept = self._exchange.reservations.add(request, "", now)
            return self._sent(kept.number.zfill(10), "", "", now)
        return self._sent(self._exchange.place(request, now).number, "", "", now)

    def _change(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account = self._account(params)
        number = text_of(params, "ORGN_ODNO").zfill(10)
        whole = params.get("QTY_ALL_ORD_YN") == "Y"
        quantity = None if whole else number_of(params, "ORD_QTY")
        match text_of(params, "RVSE_CNCL_DVSN_CD"):
            case "01":
                ticket = self._exchange.modify(
                    account,
                    number,
                    quantity=quantity,
                    price=number_of(params, "ORD_UNPR"),
                    kind=text_of(params, "ORD_DVSN"),
                    trigger=number_of(params, "CNDT_PRIC", blank=0),
                    now=now,
                )
                code, name = "40610000", "정정"
            case "02":
                ticket = self._exchange.cancel(account, number, quantity=quantity, now=now)
                code, name = "40630000", "취소"
            case _:
                raise InputError("RVSE_CNCL_DVSN_CD")
        return self._sent(ticket.number, code, f"모의투자 {name}주문이 완료 되었습니다.", now)

    # reservations

    def _reserve(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        request, until = self._reserved_request(params, now), params.get("RSVN_ORD_END_DT", "")
        kept = self._exchange.reservations.add(request, until, now)
        return _reserved_answer({"RSVN_ORD_SEQ": kept.number})

    def _change_reserved(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        number = text_of(params, "RSVN_ORD_SEQ").lstrip("0")
        reservations = self._exchange.reservations
        if variant == "cancel":
            reservations.cancel(self._account(params), number, now)
        else:
            request, until = self._reserved_request(params, now), params.get("RSVN_ORD_END_DT", "")
            reservations.modify(request.account, number, request, until, now)
        return _reserved_answer({"NRML_PRCS_YN": "Y"})

    def _reserved(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        self._exchange.advance(now)
        account = self._account(params)
        first, last = text_of(params, "RSVN_ORD_ORD_DT"), text_of(params, "RSVN_ORD_END_DT")
        number, state = params.get("RSVN_ORD_SEQ", ""), params.get("PRCS_DVSN_CD", "0")
        symbol, side = params.get("PDNO", ""), params.get("SLL_BUY_DVSN_CD", "")
        rows = [
            self._row(kept)
            for kept in reversed(self._exchange.reservations.all.values())
            if kept.request.account == account
            and first <= f"{kept.at:%Y%m%d}" <= last
            and number.lstrip("0") in ("", kept.number)
            and symbol in ("", kept.request.symbol)
            and side in ("", "00", kept.request.side)
            and {"1": kept.sent_on is not None, "2": kept.sent_on is None}.get(state, True)
            and not (params.get("CNCL_YN") == "Y" and kept.cancelled_at)
        ]
        return page(
            *(self._environment, "output", rows, params, cont),
            key=("rsvn_ord_seq",),
            size=_RESERVED_PAGE,
            width=200,
        )

    def _row(self, kept: Reservation) -> Row:
        request, sent = kept.request, kept.tickets[-1] if kept.tickets else None
        values = {
            "rsvn_ord_seq": kept.number,
            "rsvn_ord_ord_dt": f"{kept.first:%Y%m%d}",
            "rsvn_ord_rcit_dt": f"{kept.at:%Y%m%d}",
            "rsvn_ord_rcit_tmd": f"{kept.at:%H%M%S}",
            "pdno": request.symbol,
            "kor_item_shtn_name": kept.name,
            "ord_dvsn_cd": request.kind,
            "ord_dvsn_name": KINDS[request.kind].name,
            "sll_buy_dvsn_cd": request.side.value,
            "ord_rsvn_qty": str(request.quantity),
            "ord_rsvn_unpr": str(request.price),
            "tot_ccld_qty": str(kept.filled),
            "tot_ccld_amt": str(kept.value),
            "odno": sent.number if sent else "",
            "ord_tmd": f"{sent.at:%H%M%S}" if sent else "",
            "cncl_ord_dt": f"{kept.cancelled_at:%Y%m%d}" if kept.cancelled_at else "",
            "cncl_rcit_tmd": f"{kept.cancelled_at:%H%M%S}" if kept.cancelled_at else "",
            "loan_dt": request.lent_on,
            "rsvn_end_dt": kept.until,
            "tmnl_mdia_kind_cd": "31",
            "prcs_rslt": _result(kept),
            "rjct_rson2": REFUSAL_TEXTS[kept.refused] if kept.refused else "",
        }
        return blank(self._catalog.apis.get(_LIST), "output") | values

    # inside

    def _request(self, params: Params, side: Side) -> OrderRequest:
        return OrderRequest(
            account=self._account(params),
            symbol=text_of(params, "PDNO"),
            side=side,
            quantity=number_of(params, "ORD_QTY"),
            price=number_of(params, "ORD_UNPR"),
            kind=text_of(params, "ORD_DVSN"),
            trigger=number_of(params, "CNDT_PRIC", blank=0),
            venue=self._venue(params),
            channel=params.get(CHANNEL, "OpnAPI"),
        )

    def _reserved_request(self, params: Params, now: datetime) -> OrderRequest:
        side = text_of(params, "SLL_BUY_DVSN_CD")
        if side not in ("01", "02"):
            raise InputError("SLL_BUY_DVSN_CD")
        credit = text_of(params, "ORD_OBJT_CBLC_DVSN_CD")
        if credit in _UNKNOWN_LOANS:
            raise OrderRefused("credit_kind")
        credit = "" if credit == _CASH else credit
        return OrderRequest(
            account=self._account(params),
            symbol=text_of(params, "PDNO"),
            side=Side(side),
            quantity=number_of(params, "ORD_QTY"),
            price=number_of(params, "ORD_UNPR"),
            kind=text_of(params, "ORD_DVSN_CD"),
            channel=params.get(CHANNEL, "OpnAPI"),
            credit=credit,
            lent_on=(params.get("LOAN_DT") or f"{now:%Y%m%d}") if credit else "",
        )

    def _account(self, params: Params) -> str:
        number = account_of(params)
        if number not in self._exchange.accounts:
            raise OrderRefused("account")
        return number

    def _venue(self, params: Params) -> str:
        venue = params.get("EXCG_ID_DVSN_CD") or "KRX"
        if venue not in ("KRX", "NXT", "SOR"):
            raise InputError("EXCG_ID_DVSN_CD")
        if venue != "KRX" and self._environment == "paper":
            raise OrderRefused("kind")
        return venue

    def _sent(self, number: str, paper_code: str, paper_text: str, now: datetime) -> Answer:
        paper = self._environment == "paper"
        output = {
            "KRX_FWDG_ORD_ORGNO": BRANCHES[self._environment],
            "ODNO": number,
            "ORD_TMD": now.strftime("%H%M%S"),
        }
        if paper:
            return Answer("0", paper_code, paper_text, {"output": output})
        return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", {"output": output})


def _reserved_answer(output: Row) -> Answer:
    text = padded("예약주문이 접수되었습니다.", 80)
    return Answer("0", "APBK2938", text, {"output": output})


def _result(kept: Reservation) -> str:
    if kept.cancelled_at:
        return "취소"
    if kept.refused:
        return "거부"
    return "처리" if kept.sent_on else "미처리"
