"""The REST calls themselves: parameters in, KIS's answer out (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge.catalog.model import Catalog
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest import statements
from bridge.simulator.rest.answers import Answer, done, padded, refusal
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream import records

__all__ = ["CALLS", "HandlerCall", "Handlers"]

Params = Mapping[str, str]
Row = dict[str, Any]

_CATCH_UP = 20
"""Turns of the crowd at most when somebody asks for a symbol that has stood still."""


@dataclass(frozen=True, slots=True)
class HandlerCall:
    """One REST call: ``real`` and ``paper`` map the TR ids it takes to a variant."""

    handler: str
    method: str
    real: Mapping[str, str]
    paper: Mapping[str, str]


def _ids(variant: str, *tr_ids: str) -> dict[str, str]:
    return dict.fromkeys(tr_ids, variant)


_TRADING = "/uapi/domestic-stock/v1/trading/"
_QUOTATIONS = "/uapi/domestic-stock/v1/quotations/"

CALLS: dict[str, HandlerCall] = {
    _QUOTATIONS + "inquire-price": HandlerCall(
        "price", "GET", _ids("", "FHKST01010100"), _ids("", "FHKST01010100")
    ),
    _QUOTATIONS + "inquire-asking-price-exp-ccn": HandlerCall(
        "asking_price", "GET", _ids("", "FHKST01010200"), _ids("", "FHKST01010200")
    ),
    _QUOTATIONS + "search-info": HandlerCall("info", "GET", _ids("", "CTPF1604R"), {}),
    _QUOTATIONS + "chk-holiday": HandlerCall("holidays", "GET", _ids("", "CTCA0903R"), {}),
    _TRADING + "order-cash": HandlerCall(
        "order",
        "POST",
        _ids("buy", "TTTC0012U", "TTTC0802U") | _ids("sell", "TTTC0011U", "TTTC0801U"),
        _ids("buy", "VTTC0012U", "VTTC0802U") | _ids("sell", "VTTC0011U", "VTTC0801U"),
    ),
    _TRADING + "order-rvsecncl": HandlerCall(
        "change",
        "POST",
        _ids("", "TTTC0013U", "TTTC0803U"),
        _ids("", "VTTC0013U", "VTTC0803U"),
    ),
    _TRADING + "inquire-psbl-rvsecncl": HandlerCall(
        "changeable", "GET", _ids("", "TTTC0084R", "TTTC8036R"), {}
    ),
    _TRADING + "inquire-daily-ccld": HandlerCall(
        "daily",
        "GET",
        _ids("", "TTTC0081R", "TTTC8001R") | _ids("old", "CTSC9215R", "CTSC9115R"),
        _ids("", "VTTC0081R", "VTTC8001R") | _ids("old", "VTSC9215R", "VTSC9115R"),
    ),
    _TRADING + "inquire-balance": HandlerCall(
        "balance", "GET", _ids("", "TTTC8434R"), _ids("", "VTTC8434R")
    ),
    _TRADING + "inquire-psbl-order": HandlerCall(
        "orderable", "GET", _ids("", "TTTC8908R"), _ids("", "VTTC8908R")
    ),
}
"""Path → call. The TR ids that were valid before KRX and NXT were told apart still work."""


class _InputError(Exception):
    """A parameter is missing or cannot be read."""


class Handlers:
    """Answers calls that have passed the gateway.

    ``params`` have upper-case names; a missing one reads as blank.
    """

    def __init__(
        self,
        exchange: Exchange,
        catalog: Catalog,
        settings: SimulatorSettings,
        off_book: OffBook | None = None,
    ) -> None:
        self._exchange, self._catalog, self._settings = exchange, catalog, settings
        self._handlers: dict[str, Callable[[str, Params, str, datetime], Answer]] = {
            "price": self._price,
            "asking_price": self._asking_price,
            "info": self._info,
            "holidays": self._holidays,
            "order": self._order,
            "change": self._change,
            "changeable": self._changeable,
            "daily": self._daily,
            "balance": self._balance,
            "orderable": self._orderable,
        }
        self.calls = dict(CALLS)
        """Every call that is answered, by its path."""
        if off_book is not None:
            self._handlers |= off_book.handlers()
            for name in off_book.handlers():
                api = catalog.apis[name]
                self.calls[api.path] = HandlerCall(
                    name,
                    api.method,
                    {ids.real: ids.variant for ids in api.tr_ids if ids.real},
                    {ids.paper: ids.variant for ids in api.tr_ids if ids.paper},
                )

    def answer(
        self, call: HandlerCall, variant: str, params: Params, tr_cont: str, now: datetime
    ) -> Answer:
        """Carry out a call."""
        try:
            return self._handlers[call.handler](variant, params, tr_cont, now)
        except OrderRefused as refused:
            return refusal(self._settings.environment, refused)
        except _InputError as error:
            return Answer("1", "OPSQ2003", f"ERROR : INVALID INPUT FIELD [{error}]")

    # -- quotations

    def _price(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        symbol = self._symbol(params)
        market = self._exchange.market(symbol, now)
        self._catch_up(symbol, now)
        row = self._row("domestic_stock/inquire_price", "output", statements.price(market, now))
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), {"output": row})

    def _asking_price(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        symbol = self._symbol(params)
        market = self._exchange.market(symbol, now)
        self._catch_up(symbol, now)
        book = {k.lower(): str(v) for k, v in records.quote(market, now).items()}
        first = book | {"aspr_acpt_hour": now.strftime("%H%M%S"), "new_mkop_cls_code": "20"}
        second = {
            "antc_mkop_cls_code": "311",
            "stck_prpr": str(market.last),
            "stck_oprc": str(market.open),
            "stck_hgpr": str(market.high),
            "stck_lwpr": str(market.low),
            "stck_sdpr": str(market.listing.base),
            "antc_cnpr": book["antc_cnpr"],
            "antc_cntg_vrss_sign": book["antc_cntg_vrss_sign"],
            "antc_cntg_vrss": book["antc_cntg_vrss"],
            "antc_cntg_prdy_ctrt": book["antc_cntg_prdy_ctrt"],
            "antc_vol": book["antc_vol"],
            "stck_shrn_iscd": symbol,
            "vi_cls_code": "N",
        }
        outputs = {"output1": first, "output2": second}
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs)

    def _info(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        symbol, kind = params.get("PDNO", ""), params.get("PRDT_TYPE_CD", "")
        if kind != "300" or not listings.plausible(symbol):
            return Answer("7", "KIER2620", padded("조회할 자료가 없습니다", 80))
        row = statements.info(self._exchange.market(symbol, now).listing)
        return Answer("0", "KIOK0530", padded("조회되었습니다", 80), {"output": row})

    def _holidays(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        try:
            first = datetime.strptime(params.get("BASS_DT", ""), "%Y%m%d")  # noqa: DTZ007 - a date
        except ValueError as error:
            raise _InputError("BASS_DT") from error
        always = self._settings.hours == "always"
        rows = []
        for day in (first + timedelta(days=offset) for offset in range(24)):
            open_day = "Y" if always or day.weekday() < 5 else "N"
            rows.append(
                {
                    "bass_dt": day.strftime("%Y%m%d"),
                    "wday_dvsn_cd": f"{(day.weekday() + 1) % 7 + 1:02d}",
                    "bzdy_yn": open_day,
                    "tr_day_yn": open_day,
                    "opnd_yn": open_day,
                    "sttl_day_yn": open_day,
                }
            )
        outputs = {"ctx_area_nk": " " * 20, "ctx_area_fk": " " * 20, "output": rows}
        return done(self._settings.environment, outputs, "D")

    # -- trading

    def _order(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        side = Side.BUY if variant == "buy" else Side.SELL
        request = OrderRequest(
            account=self._account(params),
            symbol=_text(params, "PDNO"),
            side=side,
            quantity=_number(params, "ORD_QTY"),
            price=_number(params, "ORD_UNPR"),
            kind=_text(params, "ORD_DVSN"),
            trigger=_number(params, "CNDT_PRIC", blank=0),
            venue=self._venue(params),
        )
        ticket = self._exchange.place(request, now)
        name = "매수" if side is Side.BUY else "매도"
        code = "40600000" if side is Side.BUY else "40590000"
        return self._sent(ticket.number, code, f"모의투자 {name}주문이 완료 되었습니다.", now)

    def _change(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        account = self._account(params)
        number = _text(params, "ORGN_ODNO").zfill(10)
        whole = params.get("QTY_ALL_ORD_YN") == "Y"
        quantity = None if whole else _number(params, "ORD_QTY")
        match _text(params, "RVSE_CNCL_DVSN_CD"):
            case "01":
                ticket = self._exchange.modify(
                    account,
                    number,
                    quantity=quantity,
                    price=_number(params, "ORD_UNPR"),
                    kind=_text(params, "ORD_DVSN"),
                    trigger=_number(params, "CNDT_PRIC", blank=0),
                    now=now,
                )
                code, name = "40610000", "정정"
            case "02":
                ticket = self._exchange.cancel(account, number, quantity=quantity, now=now)
                code, name = "40630000", "취소"
            case _:
                raise _InputError("RVSE_CNCL_DVSN_CD")
        return self._sent(ticket.number, code, f"모의투자 {name}주문이 완료 되었습니다.", now)

    def _sent(self, number: str, paper_code: str, paper_text: str, now: datetime) -> Answer:
        paper = self._settings.environment == "paper"
        output = {
            "KRX_FWDG_ORD_ORGNO": "00950" if paper else "91252",
            "ODNO": number,
            "ORD_TMD": now.strftime("%H%M%S"),
        }
        if paper:
            return Answer("0", paper_code, paper_text, {"output": output})
        return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", {"output": output})

    def _changeable(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        account = self._account(params)
        side = {"1": "01", "2": "02"}.get(params.get("INQR_DVSN_2", "0"))
        tickets = [
            ticket
            for ticket in reversed(self._exchange.tickets.values())
            if ticket.request.account == account
            and ticket.remaining
            and (side is None or ticket.request.side == side)
        ]
        rows = [
            self._row("domestic_stock/inquire_psbl_rvsecncl", "output", statements.changeable(t))
            for t in tickets
        ]
        return self._page("output", rows, "odno", params, tr_cont)

    def _daily(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        account = self._account(params)
        first, last = _text(params, "INQR_STRT_DT"), _text(params, "INQR_END_DT")
        side, done_only = params.get("SLL_BUY_DVSN_CD", "00"), params.get("CCLD_DVSN", "00")
        symbol, number = params.get("PDNO", ""), params.get("ODNO", "")
        chosen = [
            ticket
            for ticket in self._exchange.tickets.values()
            if ticket.request.account == account
            and first <= ticket.at.strftime("%Y%m%d") <= last
            and side in ("00", "", ticket.request.side)
            and symbol in ("", ticket.request.symbol)
            and (not number or number.zfill(10) == ticket.number)
            and {"01": ticket.filled > 0, "02": ticket.remaining > 0}.get(done_only, True)
        ]
        if params.get("INQR_DVSN") != "01":
            chosen.reverse()
        rows = [
            self._row("domestic_stock/inquire_daily_ccld", "output1", statements.daily(ticket))
            for ticket in chosen
        ]
        totals = statements.daily_totals(chosen)
        return self._page("output1", rows, "odno", params, tr_cont, output2=totals)

    def _balance(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        account = self._exchange.accounts.get(self._account(params))
        if account is None:
            raise OrderRefused("account")
        rows, value, cost = [], 0, 0
        for symbol, held in account.holdings.items():
            if not (held.quantity or held.bought_today or held.sold_today):
                continue
            market = self._exchange.market(symbol, now)
            value += held.quantity * market.last
            cost += held.cost
            rows.append(
                self._row(
                    "domestic_stock/inquire_balance", "output1", statements.holding(market, held)
                )
            )
        totals = statements.balance(account, value, cost)
        total = self._row("domestic_stock/inquire_balance", "output2", totals)
        return self._page("output1", rows, "pdno", params, tr_cont, output2=[total])

    def _orderable(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        account = self._exchange.accounts.get(self._account(params))
        if account is None:
            raise OrderRefused("account")
        price = _number(params, "ORD_UNPR", blank=0)
        symbol = params.get("PDNO", "")
        if symbol and not price:
            price = self._exchange.market(symbol, now).upper
        row = statements.orderable(account.free_cash, price)
        row = self._row("domestic_stock/inquire_psbl_order", "output", row)
        return done(self._settings.environment, {"output": row})

    # -- inside

    def _catch_up(self, symbol: str, now: datetime) -> None:
        """Let a market that nobody watches live through the time since its last trade."""
        latest = self._exchange.market(symbol, now).latest
        if self._settings.manual or latest is None:
            return
        for _ in range(min(_CATCH_UP, int((now - latest.at).total_seconds() * 4))):
            self._exchange.act(symbol, now)

    def _account(self, params: Params) -> str:
        number = f"{params.get('CANO', '')}-{params.get('ACNT_PRDT_CD', '')}"
        if number not in self._exchange.accounts:
            raise OrderRefused("account")
        return number

    def _symbol(self, params: Params) -> str:
        if params.get("FID_COND_MRKT_DIV_CODE") not in ("J", "NX", "UN"):
            raise _InputError("FID_COND_MRKT_DIV_CODE")
        return _text(params, "FID_INPUT_ISCD")

    def _venue(self, params: Params) -> str:
        venue = params.get("EXCG_ID_DVSN_CD") or "KRX"
        if venue not in ("KRX", "NXT", "SOR"):
            raise _InputError("EXCG_ID_DVSN_CD")
        if venue != "KRX" and self._settings.environment == "paper":
            raise OrderRefused("kind")
        return venue

    def _row(self, api: str, block: str, values: Mapping[str, object]) -> Row:
        """Return a row with every field that the catalog names, blank where we know nothing."""
        found = self._catalog.apis.get(api)
        row: Row = {}
        for output in found.outputs if found else ():
            if output.name == block:
                for field in output.fields:
                    row[field.name] = {"int": "0", "decimal": "0.00"}.get(field.type, "")
        return row | {name: str(value) for name, value in values.items()}

    def _page(
        self,
        block: str,
        rows: Sequence[Row],
        key: str,
        params: Params,
        tr_cont: str,
        **others: object,
    ) -> Answer:
        """Cut a page; the continuation key is the last row's own, so that new rows do no harm."""
        size = 100 if self._settings.environment == "real" else 15
        after = params.get("CTX_AREA_NK100", "").strip() if tr_cont == "N" else ""
        start = next((i for i, row in enumerate(rows, 1) if row[key] == after), 0) if after else 0
        page = rows[start : start + size]
        more = start + size < len(rows)
        asked = "^".join(
            (params.get("CANO", ""), params.get("ACNT_PRDT_CD", ""), params.get("INQR_STRT_DT", ""))
        )
        outputs: Row = {
            "ctx_area_fk100": asked.ljust(100),
            "ctx_area_nk100": (page[-1][key] if more else "").ljust(100),
            block: page,
        } | others
        mark = ("M" if after else "F") if more else ("E" if after else "D")
        return done(self._settings.environment, outputs, mark)


def _text(params: Params, name: str) -> str:
    value = params.get(name, "")
    if not value:
        raise _InputError(name)
    return value


def _number(params: Params, name: str, *, blank: int | None = None) -> int:
    value = params.get(name, "")
    if not value and blank is not None:
        return blank
    try:
        return int(Decimal(value))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise _InputError(name) from error
