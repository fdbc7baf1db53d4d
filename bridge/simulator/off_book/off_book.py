"""Orders without an order book: overseas stocks, futures and options (pure, seeded).

Each symbol has a price; an order that crosses it fills there at once, any other rests until the
price comes to it. Stocks start with 100 shares of everything, money is never short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any, Literal

from bridge.catalog.model import Api, Catalog
from bridge.simulator.exchange.price_walks import OVERSEAS_BASE
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.holdings import (
    Position,
    future_row,
    future_totals,
    position,
    stock_row,
    stock_totals,
)
from bridge.simulator.rest.answers import Answer, done, padded
from bridge.simulator.settings import SimulatorSettings

__all__ = ["Filled", "OffBook", "Paper", "Side"]

Params = Mapping[str, str]
Row = dict[str, Any]
Kind = Literal["taken", "confirmed", "filled", "lapsed"]
Side = Literal["01", "02"]
"""Sell, buy."""

_SHARES = 100
_STEP = 0.002
_PAGE = {"real": 20, "paper": 15}
_NAMES = {"01": "매도", "02": "매수"}
_ACTIONS = {"place": "", "modify": "정정", "cancel": "취소"}
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
_UNITED_STATES = ("NASD", "NYSE", "AMEX")
"""What a real balance of Nasdaq is about; on paper it is Nasdaq alone."""
_NIGHT = "NIGHT"
"""In place of an exchange: futures and options of the session that runs over midnight."""
_CODES = {"place": "00", "modify": "01", "cancel": "02"}


@dataclass(slots=True, eq=False)
class Paper:
    """An order, change or cancellation, under its own number."""

    market: str
    number: str
    account: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    """0: at the market."""
    kind: str
    exchange: str
    at: datetime
    action: Literal["place", "modify", "cancel"] = "place"
    original: str = ""
    filled: int = 0
    value: Decimal = Decimal(0)
    cancelled: int = 0
    moved: int = 0

    @property
    def remaining(self) -> int:
        if self.action == "cancel":
            return 0
        return self.quantity - self.filled - self.cancelled - self.moved


@dataclass(frozen=True, slots=True)
class Filled:
    """Something a customer is told of."""

    kind: Kind
    paper: Paper
    at: datetime
    quantity: int
    price: Decimal


@dataclass(slots=True)
class OffBook:
    """Takes, changes and lists these orders; ``events`` is what is to be told, in order."""

    catalog: Catalog
    settings: SimulatorSettings
    events: list[Filled] = field(default_factory=list)
    papers: dict[str, Paper] = field(default_factory=dict)
    """By number, oldest first."""
    prices: dict[str, Decimal] = field(default_factory=dict)
    bases: dict[str, Decimal] = field(default_factory=dict)
    """The first price of each symbol."""
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"branch {self.settings.seed}")  # noqa: S311 - a market, no secret

    def handlers(self) -> dict[str, Callable[[str, Params, str, datetime], Answer]]:
        """Return what answers each call, by its workbook name."""
        stock, future = "overseas_stock", "domestic_futureoption"
        return {
            f"{stock}/order": self._stock,
            f"{stock}/order_rvsecncl": self._change_stock,
            f"{stock}/inquire_ccnl": self._list_stocks,
            f"{stock}/inquire_balance": self._hold_stocks,
            f"{stock}/price": self._price_stock,
            f"{future}/order": self._future,
            f"{future}/order_rvsecncl": self._change_future,
            f"{future}/inquire_ccnl": self._list_futures,
            f"{future}/inquire_ngt_ccnl": self._list_nights,
            f"{future}/inquire_balance": self._hold_futures,
            f"{future}/inquire_price": self._price_future,
        }

    def price(self, symbol: str) -> Decimal:
        """Return the last price of a symbol, listing it when it is new."""
        if symbol not in self.prices:
            draw = Random(f"branch {self.settings.seed} {symbol}")  # noqa: S311
            known = OVERSEAS_BASE.get(symbol)
            drawn = Decimal(draw.randrange(2_000, 60_000)) / 100
            self.prices[symbol] = Decimal(f"{known:.2f}") if known else drawn
            self.bases[symbol] = self.prices[symbol]
        return self.prices[symbol]

    def live(self, now: datetime) -> None:
        """Let the prices move for which orders wait."""
        for symbol in sorted({p.symbol for p in self.papers.values() if p.remaining}):
            last = self.price(symbol)
            moved = last * Decimal(1 + self.random.gauss(0, _STEP))
            self.move(symbol, max(Decimal("0.01"), moved.quantize(Decimal("0.01"))), now)

    def move(self, symbol: str, price: Decimal, now: datetime) -> None:
        """Set a price; what waits for it fills."""
        self.prices[symbol] = price
        for paper in list(self.papers.values()):
            if paper.symbol == symbol and paper.remaining and _crosses(paper, price):
                self._fill(paper, paper.remaining, paper.price, now)

    def notice(self, event: Filled) -> tuple[str, Row]:
        """Return the channel and the values of an execution notice."""
        paper = event.paper
        overseas, decimals = _CLASSES.get(paper.exchange, ("", 2))
        stock = paper.market == "overseas_stock"
        accepted = {"taken": "1", "lapsed": "3"}.get(event.kind, "2")
        values = {
            "CUST_ID": self.settings.hts_id,
            "ACNT_NO": paper.account.replace("-", ""),
            "ODER_NO": paper.number,
            "OODER_NO": paper.original,
            "SELN_BYOV_CLS": paper.side,
            "RCTF_CLS": _CODES[paper.action][1],
            "ODER_KIND2": "0" if event.kind == "filled" else "L",
            "STCK_SHRN_ISCD": paper.symbol,
            "CNTG_QTY": f"{event.quantity:010d}",
            "CNTG_UNPR": f"{int(event.price.scaleb(decimals)):09d}",
            "STCK_CNTG_HOUR": f"{event.at:%H%M%S}",
            "RFUS_YN": "0",
            "CNTG_YN": "2" if event.kind == "filled" else "1",
            "ACPT_YN": accepted,
            "BRNC_NO": "00950",
            "ODER_QTY": f"{paper.quantity:010d}",
            "ACNT_NAME": "모의계좌",
            "CNTG_ISNM": paper.symbol,
            "ODER_COND": overseas,
        }
        tr_id = "H0GSCNI0" if stock else "H0IFCNI0"
        if paper.exchange == _NIGHT:
            tr_id = "H0EUCNI0" if paper.symbol[:1] in tuple("23BC") else "H0MFCNI0"
        return tr_id, values

    # overseas stocks

    def _stock(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        side: Side = "01" if variant.endswith("_sell") else "02"
        symbol, quantity = params.get("PDNO", ""), _whole(params, "ORD_QTY")
        if not symbol:
            raise OrderRefused("symbol")
        held = self._stocks(self._account(params), symbol)
        if side == "01" and quantity > held.quantity - held.reserved:
            raise OrderRefused("holdings")
        price = _amount(params, "OVRS_ORD_UNPR")
        kind = params.get("ORD_DVSN", "00")
        if not price and kind not in ("31", "33"):
            raise OrderRefused("no_price")
        return self._place("overseas_stock", params, symbol, side, quantity, price, kind, now)

    def _change_stock(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        old = self._find(params)
        if variant.endswith("cancel_only") and params.get("RVSE_CNCL_DVSN_CD") != "02":
            raise OrderRefused("kind")
        return self._change(old, params, _amount(params, "OVRS_ORD_UNPR"), now)

    def _list_stocks(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = [
            _listed(paper)
            | {
                "rvse_cncl_dvsn": _CODES[paper.action],
                "rvse_cncl_dvsn_name": _ACTIONS[paper.action],
                "ft_ord_qty": str(paper.quantity),
                "ft_ord_unpr3": f"{paper.price:.8f}",
                "ft_ccld_qty": str(paper.filled),
                "ft_ccld_amt3": f"{paper.value:.5f}",
                "nccs_qty": str(paper.remaining),
                "ovrs_excg_cd": paper.exchange,
                "dmst_ord_dt": f"{paper.at:%Y%m%d}",
                "thco_ord_tmd": f"{paper.at:%H%M%S}",
            }
            for paper in self._chosen("overseas_stock", params, "ORD_STRT_DT", "ORD_END_DT")
        ]
        return self._page("overseas_stock/inquire_ccnl", "output", rows, params, cont)

    def _hold_stocks(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account, exchange = self._account(params), params.get("OVRS_EXCG_CD", "")
        real = self.settings.environment == "real"
        wanted = _UNITED_STATES if real and exchange == "NASD" else (exchange,)
        listed = {
            paper.symbol: paper.exchange
            for paper in self.papers.values()
            if paper.market == "overseas_stock" and paper.exchange in wanted
        }
        held = [self._stocks(account, symbol) for symbol in listed]
        rows = [stock_row(one, listed[one.symbol]) for one in held if one.quantity]
        totals = {"output2": stock_totals(held, _SHARES)}
        return self._page("overseas_stock/inquire_balance", "output1", rows, params, cont, totals)

    def _price_stock(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = params.get("SYMB", "")
        price, base = self.price(symbol), self.bases.get(symbol, self.price(symbol))
        row = {
            "rsym": f"D{params.get('EXCD', '')}{symbol}",
            "zdiv": "4",
            "base": f"{base:.4f}",
            "last": f"{price:.4f}",
            "sign": "3" if price == base else "2" if price > base else "5",
            "diff": f"{abs(price - base):.4f}",
            "rate": f"{(price - base) / base * 100:+.2f}",
        }
        return self._row("overseas_stock/price", "output", row)

    # futures and options

    def _future(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        side: Side = "01" if params.get("SLL_BUY_DVSN_CD") == "01" else "02"
        symbol, quantity = params.get("SHTN_PDNO", ""), _whole(params, "ORD_QTY")
        price, kind = _amount(params, "UNIT_PRICE"), params.get("ORD_DVSN_CD", "01")
        if not symbol:
            raise OrderRefused("symbol")
        if (kind in ("01", "03", "10", "11")) is not bool(price):
            raise OrderRefused("no_price")
        market = "domestic_derivative"
        if variant == "night":
            params = {**params, "OVRS_EXCG_CD": _NIGHT}
        return self._place(market, params, symbol, side, quantity, price, kind, now)

    def _change_future(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._change(self._find(params), params, _amount(params, "UNIT_PRICE"), now)

    def _list_futures(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = [
            _listed(paper) | _future_row(paper, "ord_idx")
            for paper in self._chosen("domestic_derivative", params, "STRT_ORD_DT", "END_ORD_DT")
            if paper.exchange != _NIGHT
        ]
        return self._page("domestic_futureoption/inquire_ccnl", "output1", rows, params, cont)

    def _list_nights(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        rows = []
        for paper in self._chosen("domestic_derivative", params, "STRT_ORD_DT", "END_ORD_DT"):
            if paper.exchange == _NIGHT:
                day = f"{_session_day(paper.at):%Y%m%d}"
                rows.append(_listed(paper) | _future_row(paper, "ord_idx4") | {"ord_dt": day})
        return self._page("domestic_futureoption/inquire_ngt_ccnl", "output1", rows, params, cont)

    def _hold_futures(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account = self._account(params)
        own = [
            paper
            for paper in self.papers.values()
            if (paper.market, paper.account) == ("domestic_derivative", account)
        ]
        symbols = dict.fromkeys(paper.symbol for paper in own)
        held = [position(symbol, own, self.price(symbol)) for symbol in symbols]
        rows = [future_row(one) for one in held if one.quantity]
        totals = {"output2": future_totals(held, self.settings.cash)}
        name = "domestic_futureoption/inquire_balance"
        return self._page(name, "output1", rows, params, cont, totals)

    def _price_future(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        symbol = params.get("FID_INPUT_ISCD", "")
        price, base = self.price(symbol), self.bases.get(symbol, self.price(symbol))
        row = {
            "hts_kor_isnm": symbol,
            "futs_prpr": f"{price:.2f}",
            "futs_prdy_vrss": f"{price - base:.2f}",
            "prdy_vrss_sign": "3" if price == base else "2" if price > base else "5",
            "futs_prdy_clpr": f"{base:.2f}",
            "futs_prdy_ctrt": f"{(price - base) / base * 100:.2f}",
            "futs_sdpr": f"{base:.2f}",
            "futs_mxpr": f"{price * 2:.2f}",
            "futs_llam": "0.01",
        }
        return self._row("domestic_futureoption/inquire_price", "output1", row)

    # what both have in common

    def _place(
        self,
        market: str,
        params: Params,
        symbol: str,
        side: Side,
        quantity: int,
        price: Decimal,
        kind: str,
        now: datetime,
    ) -> Answer:
        if not 0 < quantity < 10**9:
            raise OrderRefused("quantity")
        account, exchange = self._account(params), params.get("OVRS_EXCG_CD", "")
        if account.endswith("-03") is not (market == "domestic_derivative"):
            raise OrderRefused("account")
        paper = Paper(
            *(market, self._number(), account, symbol, side, quantity),
            *(price, kind, exchange, now),
        )
        self._enter(paper, now)
        at_once = market == "domestic_derivative" and kind >= "10"
        if paper.remaining and (at_once or not price):
            paper.cancelled = paper.remaining
            self._tell("lapsed", paper, now, paper.cancelled)
        return self._sent(paper)

    def _change(self, old: Paper, params: Params, price: Decimal, now: datetime) -> Answer:
        whole = params.get("RMN_QTY_YN") == "Y"
        quantity = old.remaining if whole else _whole(params, "ORD_QTY")
        if not 0 < quantity <= old.remaining:
            raise OrderRefused("left")
        action: Literal["modify", "cancel"] = "modify"
        if params.get("RVSE_CNCL_DVSN_CD") == "02":
            action = "cancel"
        paper = Paper(
            *(old.market, self._number(), old.account, old.symbol, old.side, quantity),
            *(price or old.price, old.kind, old.exchange, now, action, old.number),
        )
        if action == "modify":
            old.moved += quantity
            self._enter(paper, now)
        else:
            old.cancelled += quantity
            self.papers[paper.number] = paper
            self._tell("taken", paper, now, quantity)
            self._tell("confirmed", paper, now, quantity)
        return self._sent(paper)

    def _enter(self, paper: Paper, now: datetime) -> None:
        self.papers[paper.number] = paper
        self._tell("taken", paper, now, paper.quantity)
        if paper.action == "modify":
            self._tell("confirmed", paper, now, paper.quantity)
        last = self.price(paper.symbol)
        if not paper.price or _crosses(paper, last):
            first = paper.quantity // 2
            for quantity in filter(None, (first, paper.quantity - first)):
                self._fill(paper, quantity, last, now)

    def _fill(self, paper: Paper, quantity: int, price: Decimal, now: datetime) -> None:
        paper.filled += quantity
        paper.value += price * quantity
        self.events.append(Filled("filled", paper, now, quantity, price))

    def _tell(self, kind: Kind, paper: Paper, now: datetime, quantity: int) -> None:
        self.events.append(Filled(kind, paper, now, quantity, paper.price))

    def _find(self, params: Params) -> Paper:
        paper = self.papers.get(params.get("ORGN_ODNO", "").zfill(10))
        if paper is None or paper.account != self._account(params):
            raise OrderRefused("order")
        return paper

    def _stocks(self, account: str, symbol: str) -> Position:
        own = [
            paper
            for paper in self.papers.values()
            if (paper.market, paper.account) == ("overseas_stock", account)
        ]
        price = self.price(symbol)
        return position(symbol, own, price, _SHARES, self.bases.get(symbol, price))

    def _chosen(self, market: str, params: Params, first: str, last: str) -> Iterator[Paper]:
        account = self._account(params)
        for paper in self.papers.values():
            at = _session_day(paper.at) if paper.exchange == _NIGHT else paper.at
            day = f"{at:%Y%m%d}"
            mine = (paper.market, paper.account) == (market, account)
            if mine and params.get(first, "") <= day <= params.get(last, ""):
                yield paper

    def _account(self, params: Params) -> str:
        number = f"{params.get('CANO', '')}-{params.get('ACNT_PRDT_CD', '')}"
        if number not in self.settings.accounts:
            raise OrderRefused("account")
        return number

    def _number(self) -> str:
        return f"{30_000_001 + len(self.papers):010d}"

    def _sent(self, paper: Paper) -> Answer:
        output = {"ODNO": paper.number, "ORD_TMD": f"{paper.at:%H%M%S}"}
        name = "ORD_GNO_BRNO" if paper.market == "domestic_derivative" else "KRX_FWDG_ORD_ORGNO"
        text = "주문 전송 완료 되었습니다."
        return Answer("0", "APBK0013", text, {"output": output | {name: "91252"}})

    def _row(self, api: str, block: str, values: Row) -> Answer:
        row = _blank(self.catalog.apis[api], block) | values
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
        size = _PAGE[self.settings.environment]
        start = int(params.get("CTX_AREA_NK200", "").strip() or 0) if cont == "N" else 0
        more = start + size < len(rows)
        blank = _blank(self.catalog.apis[api], block)
        outputs: Row = {
            "ctx_area_fk200": "".ljust(200),
            "ctx_area_nk200": (str(start + size) if more else "").ljust(200),
            block: [blank | row for row in rows[start : start + size]],
        }
        for name, values in (totals or {}).items():
            outputs[name] = _blank(self.catalog.apis[api], name) | values
        mark = ("M" if start else "F") if more else ("E" if start else "D")
        return done(self.settings.environment, outputs, mark)


def _crosses(paper: Paper, price: Decimal) -> bool:
    return price <= paper.price if paper.side == "02" else price >= paper.price


def _session_day(at: datetime) -> datetime:
    """Return the trading day that a night belongs to: the one after it."""
    day = at + timedelta(days=at.hour >= 12)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day


def _future_row(paper: Paper, price: str) -> Row:
    return {
        "trad_dvsn_name": f"{_NAMES[paper.side]}{_ACTIONS[paper.action]}",
        "ord_qty": str(paper.quantity),
        price: f"{paper.price:.2f}",
        "qty": str(paper.remaining),
        "tot_ccld_qty": str(paper.filled),
        "avg_idx": f"{paper.value / paper.filled:.6f}" if paper.filled else "0",
        "tot_ccld_amt": str(int(paper.value * 250_000)),
        "rjct_qty": "0",
    }


def _listed(paper: Paper) -> Row:
    return {
        "ord_dt": f"{paper.at:%Y%m%d}",
        "ord_gno_brno": "91252",
        "odno": paper.number,
        "orgn_odno": paper.original,
        "sll_buy_dvsn_cd": paper.side,
        "sll_buy_dvsn_cd_name": f"{_NAMES[paper.side]}{_ACTIONS[paper.action]}",
        "pdno": paper.symbol,
        "ord_tmd": f"{paper.at:%H%M%S}",
    }


def _blank(api: Api, block: str) -> Row:
    found = next(output for output in api.outputs if output.name == block)
    return {
        field.name: {"int": "0", "decimal": "0.00"}.get(field.type, "") for field in found.fields
    }


def _whole(params: Params, name: str) -> int:
    return int(_amount(params, name))


def _amount(params: Params, name: str) -> Decimal:
    try:
        return Decimal(params.get(name) or "0")
    except InvalidOperation as error:
        raise OrderRefused("quantity") from error
