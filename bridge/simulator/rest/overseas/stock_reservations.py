"""The REST calls for orders that wait for the opening of an exchange overseas (pure)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.reservations import ReservedOrder
from bridge.simulator.rest.answers import REFUSAL_TEXTS, Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.names import EXCHANGES
from bridge.simulator.rest.overseas.pages import OverseasDesk, day_of
from bridge.simulator.rest.params import InputError, Params, amount_of, quantity_of, text_of

__all__ = ["OverseasReservations"]

_KINDS = {"us_buy": ("00", "35", "36"), "us_sell": ("00", "31", "35", "36")}
_STATES = {
    "kept": ("01", "접수"),
    "ordered": ("02", "주문완료"),
    "refused": ("03", "거부"),
    "cancelled": ("04", "취소"),
}


class OverseasReservations(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/order_resv": self._reserve,
            "overseas_stock/order_resv_ccnl": self._cancel,
            "overseas_stock/order_resv_list": self._list,
        }

    def _reserve(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        if variant == "asia" and params.get("RVSE_CNCL_DVSN_CD") == "02":
            return self._cancel(variant, params, cont, now)
        exchange = params.get("OVRS_EXCG_CD", "")
        country = EXCHANGES[exchange].variant if exchange in EXCHANGES else ""
        if not country or (variant == "asia") is (country == "us"):
            raise OrderRefused("symbol")
        kind = params.get("ORD_DVSN", "") or "00"
        taken = ("00",) if self.paper else _KINDS.get(variant, ("00",))
        if kind not in taken:
            raise OrderRefused("kind")
        side = _side(variant, params)
        price = Decimal(0) if kind == "31" else amount_of(params, "FT_ORD_UNPR3")
        if not price and kind != "31":
            raise OrderRefused("no_price")
        hours, symbol = self.off_book.hours, params.get("PDNO", "")
        if not symbol or len(symbol) > 16:
            raise OrderRefused("symbol")
        # What is meant for the opening cannot be left while the exchange is trading.
        if hours is not None and not hours.always and hours.trades(exchange, now):
            raise OrderRefused("session", "after")
        account = self.off_book.money(self.account(params)).number
        made = self.off_book.reservations.take(
            *(account, exchange, symbol, side, quantity_of(params, "FT_ORD_QTY"), price),
            kind=kind,
            product=params.get("PRDT_TYPE_CD", "") or EXCHANGES[exchange].product,
            now=now,
            due=hours.opening(exchange, now) if hours is not None else now,
        )
        return self._taken(made, variant)

    def _cancel(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        # The workbook and KIS's own sample do not agree on the name of the date.
        day = params.get("RSVN_ORD_RCIT_DT", "") or params.get("RSYN_ORD_RCIT_DT", "")
        number = text_of(params, "OVRS_RSVN_ODNO")
        gone = self.off_book.reservations.cancel(self.account(params), number, day)
        return self._taken(gone, variant)

    def _taken(self, one: ReservedOrder, variant: str) -> Answer:
        output = {"ODNO": "", "RSVN_ORD_RCIT_DT": "", "OVRS_RSVN_ODNO": ""}
        if variant.startswith("us_"):
            output["ODNO"] = one.number
        elif variant == "asia":
            output["RSVN_ORD_RCIT_DT"] = f"{one.date:%Y%m%d}"
            output["OVRS_RSVN_ODNO"] = one.number
        else:
            output = {"OVRS_RSVN_ODNO": one.number}
        code, text = ("40650000", "모의투자 예약주문이 완료 되었습니다.")
        if not self.paper:
            code, text = "APBK0013", "주문 전송 완료 되었습니다."
        return Answer("0", code, text, {"output": output})

    def _list(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "INQR_STRT_DT"), day_of(params, "INQR_END_DT")
        exchange = params.get("OVRS_EXCG_CD", "")
        rows = [
            self._row(one)
            for one in self.off_book.reservations.of(self.account(params))
            if first <= one.date <= last
            and (EXCHANGES[one.exchange].variant == "us") is (variant == "us")
            and exchange in ("", "%", one.exchange)
        ]
        return self.listed("overseas_stock/order_resv_list", "output", rows, params, cont)

    def _row(self, one: ReservedOrder) -> Row:
        names, (state, state_name) = EXCHANGES[one.exchange], _STATES[one.state]
        row: Row = {
            "cncl_yn": "Y" if one.state == "cancelled" else "N",
            "rsvn_ord_rcit_dt": f"{one.date:%Y%m%d}",
            "ovrs_rsvn_odno": one.number,
            "ord_gno_brno": "91252",
            "sll_buy_dvsn_cd": one.side.value,
            "sll_buy_dvsn_cd_name": "매수" if one.side is Side.BUY else "매도",
            "ovrs_rsvn_ord_stat_cd": state,
            "ovrs_rsvn_ord_stat_cd_name": state_name,
            "pdno": one.symbol,
            "prdt_type_cd": one.product,
            "prdt_name": one.symbol,
            "ord_rcit_tmd": f"{one.at:%H%M%S}",
            "tr_dvsn_name": "예약",
            "ovrs_excg_cd": one.exchange,
            "tr_mket_name": names.name,
            "ord_stfno": "OpnAPI",
            "ft_ord_qty": str(one.quantity),
            "ft_ord_unpr3": f"{one.price:.8f}",
            "ft_ccld_qty": "0",
        }
        if one.forwarded is not None:
            row["ord_fwdg_tmd"] = f"{one.forwarded:%H%M%S}"
        if one.ticket is not None:
            row |= {
                "ord_dt": f"{one.ticket.date:%Y%m%d}",
                "odno": one.ticket.number,
                "ft_ccld_qty": str(one.ticket.filled),
            }
        if one.state == "refused":
            row["nprc_rson_text"] = REFUSAL_TEXTS[one.reason]
        return row


def _side(variant: str, params: Params) -> Side:
    """Return the side of a reservation; for Asia one TR id takes both."""
    if variant != "asia":
        return Side.BUY if variant == "us_buy" else Side.SELL
    match params.get("SLL_BUY_DVSN_CD", ""):
        case "01":
            return Side.SELL
        case "02":
            return Side.BUY
    raise InputError("SLL_BUY_DVSN_CD")
