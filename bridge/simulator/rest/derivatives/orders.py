"""Orders for futures and options, by day and by night (pure)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.simulator.derivatives.contracts import Contract, contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.closing import catch_up, trading_day
from bridge.simulator.off_book.hours import require_open
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.tickets import NIGHT, OffBookTicket
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.derivatives.names import ACCOUNT_NAME, KINDS, traded
from bridge.simulator.rest.params import (
    InputError,
    Params,
    account_of,
    amount_of,
    quantity_of,
    text_of,
)
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DerivativeOrderHandlers", "price_limits"]

_PRICED = ("01", "03")
_NIGHT_VENUE, _DAY_VENUE = "krx_night", "krx"


class DerivativeOrderHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book = off_book
        self._calendar = None if settings.hours == "always" else Calendar(catalog.hours)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_futureoption/order": self._place,
            "domestic_futureoption/order_rvsecncl": self._change,
        }

    def _place(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        night = variant == "night"
        _sends(params)
        side = {"01": Side.SELL, "02": Side.BUY}.get(params.get("SLL_BUY_DVSN_CD", ""))
        if side is None:
            raise InputError("SLL_BUY_DVSN_CD")
        one = self._contract(text_of(params, "SHTN_PDNO"), night, now)
        kind = _kind(params)
        quantity = quantity_of(params, "ORD_QTY")
        if not 0 < quantity <= one.product.most:
            raise OrderRefused("quantity")
        ticket = self._off_book.place(
            *("domestic_derivative", account_of(params), one.symbol, side, quantity),
            self._price(one, kind, params),
            kind=kind,
            exchange=NIGHT if night else "",
            now=now,
        )
        return _sent(ticket, one)

    def _change(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        night = variant == "night"
        _sends(params)
        number = text_of(params, "ORGN_ODNO").zfill(10)
        old = self._off_book.find(account_of(params), number)
        if old.market != "domestic_derivative" or (old.exchange == NIGHT) is not night:
            raise OrderRefused("order")
        one = self._contract(old.symbol, night, now)
        whole = params.get("RMN_QTY_YN") == "Y"
        quantity = None if whole else quantity_of(params, "ORD_QTY")
        if night and quantity is not None and quantity != old.remaining:
            raise OrderRefused("left")  # by night an order is changed as a whole
        match params.get("RVSE_CNCL_DVSN_CD", ""):
            case "01":
                kind = _kind(params)
                price = self._price(one, kind, params)
                ticket = self._off_book.change(old, "modify", quantity, price, now, kind=kind)
            case "02":
                ticket = self._off_book.change(old, "cancel", quantity, Decimal(0), now)
            case _:
                raise InputError("RVSE_CNCL_DVSN_CD")
        return _sent(ticket, one)

    def _contract(self, symbol: str, night: bool, now: datetime) -> Contract:
        """Return what an order is for, if it is traded at that time."""
        catch_up(self._off_book, self._calendar, now)
        one = contract(symbol, trading_day(now))
        if one is None or (night and not one.product.night):
            raise OrderRefused("symbol")
        venue = _NIGHT_VENUE if night else _DAY_VENUE
        require_open(self._calendar, "domestic_derivative", venue, now)
        return one

    def _price(self, one: Contract, kind: str, params: Params) -> Decimal:
        price = amount_of(params, "UNIT_PRICE")
        if not price.is_finite():
            raise OrderRefused("limit")
        if (KINDS[kind][0] in _PRICED) is not bool(price):
            raise OrderRefused("no_price")
        if not price:
            return price
        lower, upper = price_limits(one, self._off_book.base(one.symbol))
        if not lower <= price <= upper:
            raise OrderRefused("limit")
        if price % one.tick(price):
            raise OrderRefused("tick")
        return price


def price_limits(one: Contract, base: Decimal) -> tuple[Decimal, Decimal]:
    """Return the lowest and the highest price of a day whose base price is ``base``.

    That of a future moves by a part of itself, that of an option by as much as its underlying may.
    """
    width = base * one.product.limit
    if one.option:
        width = one.product.underlying.about * one.product.limit * 2
    tick = one.tick(base)
    lower, upper = max(tick, base - width), base + width
    low_tick, high_tick = one.tick(lower), one.tick(upper)
    return -(-lower // low_tick) * low_tick, upper // high_tick * high_tick


def _kind(params: Params) -> str:
    """Return the order division; what a client says besides must fit it."""
    kind = params.get("ORD_DVSN_CD", "01")
    if kind not in KINDS:
        raise InputError("ORD_DVSN_CD")
    for name, meant in zip(("NMPR_TYPE_CD", "KRX_NMPR_CNDT_CD"), KINDS[kind], strict=True):
        if params.get(name, "") not in ("", meant):
            raise OrderRefused("kind")
    return kind


def _sends(params: Params) -> None:
    if params.get("ORD_PRCS_DVSN_CD", "02") != "02":
        raise InputError("ORD_PRCS_DVSN_CD")


def _sent(ticket: OffBookTicket, one: Contract) -> Answer:
    output = {
        "ACNT_NAME": ACCOUNT_NAME,
        "TRAD_DVSN_NAME": traded(ticket),
        "ITEM_NAME": one.name,
        "ORD_TMD": f"{ticket.at:%H%M%S}",
        "ORD_GNO_BRNO": "91252",
        "ODNO": ticket.number,
    }
    if ticket.original:
        output["ORGN_ODNO"] = ticket.original
    return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", {"output": output})
