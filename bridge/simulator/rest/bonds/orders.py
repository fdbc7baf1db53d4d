"""Orders for bonds of the exchange, and their lists (pure).

Prices are won for 10,000 won of face value, quantities thousands of face value. KIS has no notices
of these orders: only its lists tell what became of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.simulator.bonds.issues import issue, plausible
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.bond_lots import LotChoice, bond_lots, check_lots
from bridge.simulator.off_book.hours import require_open
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.tickets import OffBookTicket
from bridge.simulator.rest.account_pages import AccountPages
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import (
    InputError,
    Params,
    account_of,
    amount_of,
    quantity_of,
    text_of,
)
from bridge.simulator.settings import SimulatorSettings

__all__ = ["BondOrderHandlers", "price_limits"]

_ZERO = Decimal(0)
_LOT = 10
"""Of the general market; the small one takes any number."""
_SMALL = 50_000
"""Most of an order in the small market: fifty million won."""
_LIMIT = Decimal("0.3")
_SIDES = {Side.SELL: "매도", Side.BUY: "매수"}
_ACTIONS = {"place": "", "modify": "정정", "cancel": "취소"}


class BondOrderHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book, self._settings = off_book, settings
        self._calendar = None if settings.hours == "always" else Calendar(catalog.hours)
        self._pages = AccountPages(catalog, settings.environment)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_bond/buy": self._buy,
            "domestic_bond/sell": self._sell,
            "domestic_bond/order_rvsecncl": self._change,
            "domestic_bond/inquire_psbl_rvsecncl": self._changeable,
            "domestic_bond/inquire_daily_ccld": self._daily,
        }

    # orders

    def _buy(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._place(Side.BUY, params, LotChoice(), now)

    def _sell(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol, day, number = self._symbol(params, now), params.get("BUY_DT", ""), 0
        match params.get("ORD_DVSN", ""):
            case "01":
                choice = LotChoice()
            case "02":
                choice = LotChoice("02", text_of(params, "BUY_DT"))
            case "03":
                number = quantity_of(params, "BUY_SEQ")
                choice = LotChoice("03", text_of(params, "BUY_DT"), number)
            case _:
                raise InputError("ORD_DVSN")
        if day and not (len(day) == 8 and day.isdecimal()):
            raise InputError("BUY_DT")
        if params["ORD_DVSN"] == "03" and not 0 < number < 10**6:
            raise InputError("BUY_SEQ")
        money = self._off_book.money(account_of(params))
        lots = bond_lots(money.executions, money.waiting, symbol)
        check_lots(lots, choice, quantity_of(params, "ORD_QTY2"))
        return self._place(Side.SELL, params, choice, now)

    def _place(self, side: Side, params: Params, choice: LotChoice, now: datetime) -> Answer:
        symbol = self._symbol(params, now)
        small = _yes(params, "SAMT_MKET_PTCI_YN")
        _yes(params, "BOND_RTL_MKET_YN")
        quantity = quantity_of(params, "ORD_QTY2")
        if quantity <= 0 or (quantity > _SMALL if small else quantity % _LOT):
            raise OrderRefused("quantity")
        ticket = self._off_book.place(
            *("domestic_bond", account_of(params), symbol, side, quantity),
            self._price(symbol, params),
            kind=choice.kind,
            exchange="SMALL" if small else "",
            now=now,
        )
        return _sent(ticket)

    def _change(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        number = text_of(params, "ORGN_ODNO").zfill(10)
        old = self._off_book.find(account_of(params), number)
        if old.market != "domestic_bond" or old.symbol != text_of(params, "PDNO"):
            raise OrderRefused("order")
        require_open(self._calendar, "domestic_bond", "krx", now)
        whole = params.get("QTY_ALL_ORD_YN") == "Y"
        quantity = None if whole else quantity_of(params, "ORD_QTY2")
        if quantity is not None and old.exchange != "SMALL" and quantity % _LOT:
            raise OrderRefused("quantity")
        match params.get("RVSE_CNCL_DVSN_CD", ""):
            case "01":
                price = self._price(old.symbol, params)
                return _sent(self._off_book.change(old, "modify", quantity, price, now))
            case "02":
                return _sent(self._off_book.change(old, "cancel", quantity, Decimal(0), now))
            case _:
                raise InputError("RVSE_CNCL_DVSN_CD")

    def _symbol(self, params: Params, now: datetime) -> str:
        """Return the bond that an order is for, which must be traded at that time."""
        symbol = text_of(params, "PDNO")
        if not plausible(symbol) or issue(symbol, self._settings.seed).matures <= now.date():
            raise OrderRefused("symbol")
        require_open(self._calendar, "domestic_bond", "krx", now)
        return symbol

    def _price(self, symbol: str, params: Params) -> Decimal:
        price = amount_of(params, "BOND_ORD_UNPR")
        if not price.is_finite() or price <= 0:
            raise OrderRefused("no_price")
        if price != price.to_integral_value():
            raise OrderRefused("tick")
        lower, upper = price_limits(self._off_book.base(symbol))
        if not lower <= price <= upper:
            raise OrderRefused("limit")
        return price

    # lists

    def _changeable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        day, number = params.get("ORD_DT", ""), params.get("ODNO", "")
        amounts = self._amounts(params)
        rows = [
            self._listed(one, amounts.get(one, _ZERO))
            | {
                "rvse_cncl_dvsn_name": _ACTIONS[one.action],
                "ord_psbl_qty": one.remaining,
                "ord_dvsn_cd": one.kind[:2],
                "samt_mket_ptci_yn": "Y" if one.exchange == "SMALL" else "N",
            }
            for one in self._of(params)
            if one.remaining
            and day in ("", f"{one.date:%Y%m%d}")
            and (not number or number.zfill(10) == one.number)
        ]
        name = "domestic_bond/inquire_psbl_rvsecncl"
        return self._pages.page(name, "output", rows, params, cont)

    def _daily(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = text_of(params, "INQR_STRT_DT"), text_of(params, "INQR_END_DT")
        side, symbol = params.get("SLL_BUY_DVSN_CD", "%"), params.get("PDNO", "")
        state = params.get("NCCS_YN", "N")
        chosen = [
            one
            for one in self._of(params)
            if first <= f"{one.date:%Y%m%d}" <= last
            and side in ("%", "", one.side.value)
            and symbol in ("", one.symbol)
            and {"C": one.filled > 0, "Y": one.remaining > 0}.get(state, True)
        ]
        if params.get("SORT_SQN_DVSN") == "02":
            chosen.reverse()
        amounts = self._amounts(params)
        rows = [
            self._listed(one, amounts.get(one, _ZERO))
            | {
                "ord_dt": f"{one.date:%Y%m%d}",
                "ord_dvsn_name": "지정가",
                "sll_buy_dvsn_cd_name": f"{_SIDES[one.side]}{_ACTIONS[one.action]}",
                "shtn_pdno": one.symbol[3:],
                "bond_avg_unpr": _average(one.value, one.filled),
                "buy_dt": LotChoice.read(one.kind).day,
                "samt_mket_ptci_yn_name": "소액" if one.exchange == "SMALL" else "일반",
                "ord_mdia_dvsn_name": "OpenAPI",
                "nccs_qty": one.remaining,
                "ord_gno_brno": "91252",
            }
            for one in chosen
        ]
        name = "domestic_bond/inquire_daily_ccld"
        totals = _totals(chosen, amounts)
        return self._pages.page(name, "output2", rows, params, cont, output1=[totals])

    def _of(self, params: Params) -> Iterable[OffBookTicket]:
        account = self._off_book.account(account_of(params))
        return self._off_book.of("domestic_bond", account)

    def _amounts(self, params: Params) -> dict[OffBookTicket, Decimal]:
        """Return the won that each order has traded."""
        found: dict[OffBookTicket, Decimal] = {}
        for done in self._off_book.money(account_of(params)).executions:
            found[done.ticket] = found.get(done.ticket, Decimal(0)) + done.amount
        return found

    def _listed(self, one: OffBookTicket, amount: Decimal) -> Row:
        return {
            "odno": one.number,
            "orgn_odno": one.original,
            "pdno": one.symbol,
            "prdt_abrv_name": issue(one.symbol, self._settings.seed).name,
            "ord_qty": one.quantity,
            "bond_ord_unpr": one.price,
            "ord_tmd": f"{one.at:%H%M%S}",
            "tot_ccld_qty": one.filled,
            "tot_ccld_amt": int(amount),
            "sll_buy_dvsn_cd": one.side.value,
        }


def price_limits(base: Decimal) -> tuple[Decimal, Decimal]:
    """Return the lowest and the highest price of a day, by the close before it."""
    return Decimal(int(base * (1 - _LIMIT))) + 1, Decimal(int(base * (1 + _LIMIT)))


def _totals(chosen: list[OffBookTicket], amounts: Mapping[OffBookTicket, Decimal]) -> Row:
    filled = sum(one.filled for one in chosen)
    value = sum((one.value for one in chosen), _ZERO)
    return {
        "tot_ord_qty": sum(one.quantity for one in chosen if one.action == "place"),
        "tot_ccld_qty_smtl": filled,
        "tot_bond_ccld_avg_unpr": _average(value, filled),
        "tot_ccld_amt_smtl": int(sum((amounts.get(one, _ZERO) for one in chosen), _ZERO)),
    }


def _yes(params: Params, name: str) -> bool:
    value = params.get(name, "") or "N"
    if value not in ("Y", "N"):
        raise InputError(name)
    return value == "Y"


def _average(value: Decimal, quantity: int) -> str:
    return f"{value / quantity:.2f}" if quantity else "0.00"


def _sent(ticket: OffBookTicket) -> Answer:
    output = {
        "KRX_FWDG_ORD_ORGNO": "91252",
        "ODNO": ticket.number,
        "ORD_TMD": f"{ticket.at:%H%M%S}",
    }
    return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", {"output": output})
