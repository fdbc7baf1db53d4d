"""The REST calls for overseas stocks, futures and options (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from bridge.catalog.model import Catalog
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.tickets import Action, OffBookMarket, OffBookTicket
from bridge.simulator.rest.answers import Answer, Row, blank, done, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.off_book_balances import (
    stock_row,
    stock_totals,
)
from bridge.simulator.rest.params import Params, account_of, amount_of, quantity_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["OffBookHandlers"]

_STOCK: OffBookMarket = "overseas_stock"
_DERIVATIVE: OffBookMarket = "domestic_derivative"
_PAGE = {"real": 20, "paper": 15}
_SIDES = {Side.SELL: "매도", Side.BUY: "매수"}
_ACTIONS = {"place": "", "modify": "정정", "cancel": "취소"}
_CODES = {"place": "00", "modify": "01", "cancel": "02"}
_UNITED_STATES = ("NASD", "NYSE", "AMEX")
"""What a real balance of Nasdaq is about; on paper it is Nasdaq alone."""


class OffBookHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book, self._catalog, self._settings = off_book, catalog, settings

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        stock = "overseas_stock"
        return {
            f"{stock}/order": self._place_stock,
            f"{stock}/order_rvsecncl": self._change_stock,
            f"{stock}/inquire_ccnl": self._list_stocks,
            f"{stock}/inquire_balance": self._hold_stocks,
            f"{stock}/price": self._price_stock,
        }

    # overseas stocks

    def _place_stock(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        side = Side.SELL if variant.endswith("_sell") else Side.BUY
        symbol, quantity = params.get("PDNO", ""), quantity_of(params, "ORD_QTY")
        if not symbol:
            raise OrderRefused("symbol")
        account = self._account(params)
        price, kind = amount_of(params, "OVRS_ORD_UNPR"), params.get("ORD_DVSN", "00")
        if not price and kind not in ("31", "33"):
            raise OrderRefused("no_price")
        exchange = params.get("OVRS_EXCG_CD", "")
        ticket = self._off_book.place(
            *(_STOCK, account, symbol, side, quantity, price),
            kind=kind,
            exchange=exchange,
            now=now,
        )
        return _sent(ticket)

    def _change_stock(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        old = self._find(params)
        if variant.endswith("cancel_only") and params.get("RVSE_CNCL_DVSN_CD") != "02":
            raise OrderRefused("kind")
        return self._change(old, params, amount_of(params, "OVRS_ORD_UNPR"), now)

    def _list_stocks(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = [
            _listed(ticket)
            | {
                "rvse_cncl_dvsn": _CODES[ticket.action],
                "rvse_cncl_dvsn_name": _ACTIONS[ticket.action],
                "ft_ord_qty": str(ticket.quantity),
                "ft_ord_unpr3": f"{ticket.price:.8f}",
                "ft_ccld_qty": str(ticket.filled),
                "ft_ccld_amt3": f"{ticket.value:.5f}",
                "nccs_qty": str(ticket.remaining),
                "ovrs_excg_cd": ticket.exchange,
                "dmst_ord_dt": f"{ticket.at:%Y%m%d}",
                "thco_ord_tmd": f"{ticket.at:%H%M%S}",
                "mdia_dvsn_name": "OpenAPI",
            }
            for ticket in self._chosen(_STOCK, params, "ORD_STRT_DT", "ORD_END_DT")
        ]
        return self._page("overseas_stock/inquire_ccnl", "output", rows, params, cont)

    def _hold_stocks(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account, exchange = self._account(params), params.get("OVRS_EXCG_CD", "")
        real = self._settings.environment == "real"
        wanted = _UNITED_STATES if real and exchange == "NASD" else (exchange,)
        owned = self._off_book.money(account).positions(_STOCK)
        held = [one for one in owned if one.exchange in wanted]
        rows = [stock_row(one) for one in held if one.quantity]
        totals = {"output2": stock_totals(held)}
        return self._page("overseas_stock/inquire_balance", "output1", rows, params, cont, totals)

    def _price_stock(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = params.get("SYMB", "")
        price, base = self._off_book.price(symbol), self._off_book.base(symbol)
        row = {
            "rsym": f"D{params.get('EXCD', '')}{symbol}",
            "zdiv": "4",
            "base": f"{base:.4f}",
            "last": f"{price:.4f}",
            "sign": _sign(price, base),
            "diff": f"{abs(price - base):.4f}",
            "rate": f"{(price - base) / base * 100:+.2f}",
        }
        return self._row("overseas_stock/price", "output", row)

    # futures and options

    # what both have in common

    def _change(self, old: OffBookTicket, params: Params, price: Decimal, now: datetime) -> Answer:
        whole = params.get("RMN_QTY_YN") == "Y"
        quantity = None if whole else quantity_of(params, "ORD_QTY")
        cancels = params.get("RVSE_CNCL_DVSN_CD") == "02"
        action: Action = "cancel" if cancels else "modify"
        return _sent(self._off_book.change(old, action, quantity, price, now))

    def _account(self, params: Params) -> str:
        return self._off_book.account(account_of(params))

    def _find(self, params: Params) -> OffBookTicket:
        return self._off_book.find(account_of(params), params.get("ORGN_ODNO", "").zfill(10))

    def _chosen(
        self, market: OffBookMarket, params: Params, first: str, last: str
    ) -> Iterator[OffBookTicket]:
        for ticket in self._off_book.of(market, self._account(params)):
            if params.get(first, "") <= f"{ticket.date:%Y%m%d}" <= params.get(last, ""):
                yield ticket

    def _row(self, api: str, block: str, values: Row) -> Answer:
        row = blank(self._catalog.apis[api], block) | values
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), {block: row})

    def _page(
        self,
        api: str,
        block: str,
        rows: list[Row],
        params: Params,
        cont: str,
        totals: Mapping[str, Row] | None = None,
    ) -> Answer:
        """Cut a page; the key of the next one is how far this one came."""
        size = _PAGE[self._settings.environment]
        start = int(params.get("CTX_AREA_NK200", "").strip() or 0) if cont == "N" else 0
        more = start + size < len(rows)
        empty = blank(self._catalog.apis[api], block)
        outputs: Row = {
            "ctx_area_fk200": "".ljust(200),
            "ctx_area_nk200": (str(start + size) if more else "").ljust(200),
            block: [empty | row for row in rows[start : start + size]],
        }
        for name, values in (totals or {}).items():
            outputs[name] = blank(self._catalog.apis[api], name) | values
        mark = ("M" if start else "F") if more else ("E" if start else "D")
        return done(self._settings.environment, outputs, mark)


def _sent(ticket: OffBookTicket) -> Answer:
    output = {"ODNO": ticket.number, "ORD_TMD": f"{ticket.at:%H%M%S}"}
    name = "ORD_GNO_BRNO" if ticket.market == _DERIVATIVE else "KRX_FWDG_ORD_ORGNO"
    text = "주문 전송 완료 되었습니다."
    return Answer("0", "APBK0013", text, {"output": output | {name: "91252"}})


def _sign(price: Decimal, base: Decimal) -> str:
    return "3" if price == base else "2" if price > base else "5"


def _listed(ticket: OffBookTicket) -> Row:
    return {
        "ord_dt": f"{ticket.date:%Y%m%d}",
        "ord_gno_brno": "91252",
        "odno": ticket.number,
        "orgn_odno": ticket.original,
        "sll_buy_dvsn_cd": ticket.side.value,
        "sll_buy_dvsn_cd_name": f"{_SIDES[ticket.side]}{_ACTIONS[ticket.action]}",
        "pdno": ticket.symbol,
        "ord_tmd": f"{ticket.at:%H%M%S}",
        "ord_stfno": "OpnAPI",
    }
