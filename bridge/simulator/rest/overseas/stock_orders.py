"""The REST calls that place and change orders for overseas stocks (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.schedules import AUCTIONS, SPLIT, at_auction, split
from bridge.simulator.off_book.tickets import Action, OffBookTicket, Part
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.names import EXCHANGES, UNITED_STATES
from bridge.simulator.rest.overseas.pages import OverseasDesk
from bridge.simulator.rest.params import InputError, Params, account_of, amount_of, quantity_of

__all__ = ["OverseasStockOrders"]

_KINDS: Mapping[str, frozenset[str]] = {
    "us_buy": frozenset(("00", "32", "34", "35", "36")),
    "us_sell": frozenset(("00", "31", "32", "33", "34", "35", "36")),
    "hongkong_sell": frozenset(("00", "50")),
}
"""What the real KIS takes of each variant; all others, and paper trading, have limit orders."""
_LIMIT = frozenset(("00",))
_UNPRICED = ("31", "33")
_TICKS = {"SEHK": Decimal("0.001"), "TKSE": Decimal("0.1")}
_PAPER_CODES = {"sell": "40590000", "buy": "40600000", "01": "40610000", "02": "40630000"}
_PAPER_WORDS = {"sell": "매도", "buy": "매수", "01": "정정", "02": "취소"}


class OverseasStockOrders(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/order": self._place,
            "overseas_stock/order_rvsecncl": self._change,
            "overseas_stock/daytime_order": self._place_daytime,
            "overseas_stock/daytime_order_rvsecncl": self._change_daytime,
        }

    def _place(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        country, _, side = variant.rpartition("_")
        exchange, kind = self._exchange(params, country), params.get("ORD_DVSN", "") or "00"
        taken = _LIMIT if self.paper else _KINDS.get(variant, _LIMIT)
        if kind not in taken:
            raise OrderRefused("kind")
        quantity = quantity_of(params, "ORD_QTY")
        schedule: list[Part] = []
        if kind in SPLIT and 0 < quantity < 10**9:
            schedule = split(kind, quantity, *self._span(params, exchange, now))
        elif kind in AUCTIONS and self.off_book.hours is not None:
            schedule = at_auction(kind, exchange, quantity, now, self.off_book.hours)
        ticket = self._placed(params, exchange, side, kind, now, schedule=schedule)
        return _sent(ticket, paper=self.paper, what=side)

    def _place_daytime(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        exchange = self._exchange(params, "us")
        if params.get("ORD_DVSN", "") not in ("", "00"):
            raise OrderRefused("kind")
        ticket = self._placed(params, exchange, variant, "00", now, daytime=True)
        return _sent(ticket, paper=self.paper, what=variant)

    def _placed(
        self,
        params: Params,
        exchange: str,
        side: str,
        kind: str,
        now: datetime,
        *,
        schedule: list[Part] | None = None,
        daytime: bool = False,
    ) -> OffBookTicket:
        symbol = params.get("PDNO", "")
        if not symbol or len(symbol) > 16:
            raise OrderRefused("symbol")
        price = amount_of(params, "OVRS_ORD_UNPR")
        if kind in _UNPRICED:
            price = Decimal(0)
        elif not price:
            raise OrderRefused("no_price")
        _check_tick(exchange, price)
        return self.off_book.place(
            *("overseas_stock", self.account(params), symbol),
            Side.SELL if side == "sell" else Side.BUY,
            *(quantity_of(params, "ORD_QTY"), price),
            kind=kind,
            exchange=exchange,
            now=now,
            schedule=schedule or (),
            daytime=daytime,
        )

    def _change(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        country = variant.removesuffix("_cancel_only")
        if country != variant and params.get("RVSE_CNCL_DVSN_CD") != "02":
            raise OrderRefused("kind")
        return self._changed(params, country, now, daytime=False)

    def _change_daytime(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._changed(params, "us", now, daytime=True)

    def _changed(self, params: Params, country: str, now: datetime, *, daytime: bool) -> Answer:
        number = params.get("ORGN_ODNO", "").zfill(10)
        old = self.off_book.find(account_of(params), number)
        named = params.get("PDNO", "") or old.symbol
        if old.daytime is not daytime or old.market != "overseas_stock" or named != old.symbol:
            raise OrderRefused("order")
        if country not in ("", EXCHANGES[old.exchange].variant):
            raise OrderRefused("order")
        what = params.get("RVSE_CNCL_DVSN_CD", "")
        if what not in ("01", "02"):
            raise InputError("RVSE_CNCL_DVSN_CD")
        price = amount_of(params, "OVRS_ORD_UNPR") if what == "01" else Decimal(0)
        _check_tick(old.exchange, price)
        action: Action = "modify" if what == "01" else "cancel"
        quantity = quantity_of(params, "ORD_QTY")
        ticket = self.off_book.change(old, action, quantity, price, now)
        return _sent(ticket, paper=self.paper, what=what)

    def _exchange(self, params: Params, country: str) -> str:
        exchange = params.get("OVRS_EXCG_CD", "")
        if exchange not in EXCHANGES or EXCHANGES[exchange].variant != country:
            raise OrderRefused("symbol")
        return exchange

    def _span(self, params: Params, exchange: str, now: datetime) -> tuple[datetime, datetime]:
        """Return the time that an order is to be split over, in Korea."""
        begins = _moment(params, "START_TIME", now) or now
        ends = _moment(params, "END_TIME", begins)
        if params.get("ALGO_ORD_TMD_DVSN_CD") == "02" or ends is None:
            hours = self.off_book.hours
            ends = hours.closing(exchange, begins) if hours else begins + timedelta(minutes=10)
        return max(begins, now), max(ends, now)


def _moment(params: Params, name: str, after: datetime) -> datetime | None:
    """Return the next time of day that a parameter says."""
    text = params.get(name, "")
    if not text.strip("0"):
        return None
    try:
        clock = datetime.strptime(text, "%H%M%S").time()  # noqa: DTZ007 - a time of day
    except ValueError as error:
        raise InputError(name) from error
    at = datetime.combine(after.date(), clock, after.tzinfo)
    return at if at >= after.replace(microsecond=0) else at + timedelta(days=1)


def _check_tick(exchange: str, price: Decimal) -> None:
    """Refuse a price between two steps; below a dollar there are smaller ones."""
    if not price.is_finite() or abs(price) >= 10**12:
        raise OrderRefused("limit")
    tick = _TICKS.get(exchange, Decimal("0.01"))
    if exchange in UNITED_STATES and price < 1:
        tick = Decimal("0.0001")
    if price % tick:
        raise OrderRefused("tick")


def _sent(ticket: OffBookTicket, *, paper: bool, what: str) -> Answer:
    """Answer an order that was taken; ``what`` it is: buy, sell, 01 (modify) or 02 (cancel)."""
    output = {
        "KRX_FWDG_ORD_ORGNO": "91252",
        "ODNO": ticket.number,
        "ORD_TMD": f"{ticket.at:%H%M%S}",
    }
    if paper:
        text = f"모의투자 {_PAPER_WORDS[what]}주문이 완료 되었습니다."
        return Answer("0", _PAPER_CODES[what], text, {"output": output})
    return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", {"output": output})
