"""The REST calls that place and change orders for futures and options overseas (pure)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bridge.simulator.derivatives.overseas import overseas_contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.tickets import OffBookTicket
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.pages import OverseasDesk
from bridge.simulator.rest.params import InputError, Params, account_of, amount_of, quantity_of

__all__ = ["OverseasFutureOrders"]

_LIMIT, _MARKET, _STOP, _STOP_LIMIT = "1", "2", "3", "4"
"""KIS's ``PRIC_DVSN_CD``."""
_UNTIL_CANCELLED = "5"


class OverseasFutureOrders(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_futureoption/order": self._place,
            "overseas_futureoption/order_rvsecncl": self._change,
        }

    def _place(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, kind = params.get("OVRS_FUTR_FX_PDNO", ""), params.get("PRIC_DVSN_CD", "")
        sides = {"01": Side.SELL, "02": Side.BUY}
        side = sides.get(params.get("SLL_BUY_DVSN_CD", ""))
        if side is None:
            raise InputError("SLL_BUY_DVSN_CD")
        if kind not in (_LIMIT, _MARKET, _STOP, _STOP_LIMIT):
            raise InputError("PRIC_DVSN_CD")
        limit = amount_of(params, "FM_LIMIT_ORD_PRIC") if kind in (_LIMIT, _STOP_LIMIT) else None
        stop = amount_of(params, "FM_STOP_ORD_PRIC") if kind in (_STOP, _STOP_LIMIT) else None
        for price in (limit, stop):
            if price is not None and not price:
                raise OrderRefused("no_price")
        _check_ticks(symbol, limit, stop)
        ticket = self.off_book.place(
            *("overseas_derivative", self.account(params), symbol, side),
            *(quantity_of(params, "FM_ORD_QTY"), limit or Decimal(0)),
            kind=kind,
            exchange=_exchange(symbol),
            now=now,
            trigger=stop or Decimal(0),
            lasting=params.get("CCLD_CNDT_CD") == _UNTIL_CANCELLED,
        )
        return _sent(ticket)

    def _change(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        number = params.get("ORGN_ODNO", "").zfill(10)
        old = self.off_book.find(account_of(params), number)
        day = params.get("ORGN_ORD_DT", "")
        if old.market != "overseas_derivative" or day not in ("", f"{old.date:%Y%m%d}"):
            raise OrderRefused("order")
        if variant == "cancel":
            return _sent(self.off_book.change(old, "cancel", None, Decimal(0), now))
        at_market = params.get("FM_MKPR_CVSN_YN") == "Y"
        limit = Decimal(0) if at_market else amount_of(params, "FM_LIMIT_ORD_PRIC")
        stop = amount_of(params, "FM_STOP_ORD_PRIC") if old.trigger else Decimal(0)
        _check_ticks(old.symbol, limit, stop)
        kind = _MARKET if at_market else None
        return _sent(self.off_book.change(old, "modify", None, limit, now, kind=kind, trigger=stop))


def _exchange(symbol: str) -> str:
    found = overseas_contract(symbol)
    return found.product.exchange if found else ""


def _check_ticks(symbol: str, *prices: Decimal | None) -> None:
    found = overseas_contract(symbol)
    if found is None:
        raise OrderRefused("symbol")
    for price in prices:
        if price is not None and (not price.is_finite() or not 0 <= price < 10**9):
            raise OrderRefused("limit")
        if price is not None and price % found.product.tick:
            raise OrderRefused("tick")


def _sent(ticket: OffBookTicket) -> Answer:
    output = {"ORD_DT": f"{ticket.date:%Y%m%d}", "ODNO": ticket.number}
    return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", {"output": output})
