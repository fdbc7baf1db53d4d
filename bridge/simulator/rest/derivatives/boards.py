"""Prices of futures and options, one at a time and on boards (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from random import Random

from bridge.catalog.model import Catalog
from bridge.simulator.derivatives.contracts import (
    Contract,
    ContractKind,
    contract,
    expiries,
    future,
    listed,
)
from bridge.simulator.derivatives.products import PRODUCTS, Product
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.history.figures import percent, sign_of
from bridge.simulator.off_book.closing import trading_day
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.reference import index_of, nearest, spot
from bridge.simulator.rest.account_pages import AccountPages
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.derivatives.quotes import ContractQuote, quote
from bridge.simulator.rest.params import InputError, Params, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DerivativeBoardHandlers"]

_FUTURE = "domestic_futureoption"
_CLASSES = {product.market_class: product for product in PRODUCTS.values() if product.market_class}
_STRIKES = 10
"""Above and below the one at the money."""
_LEVELS = 5
_INDICES = {"output2": ("0001", "종합"), "output3": ("2001", "KOSPI200")}
_MARKETS = ("F", "O", "JF", "JO", "CF", "CM", "EU")


class DerivativeBoardHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book, self._catalog = off_book, catalog
        self._pages = AccountPages(catalog, settings.environment)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            f"{_FUTURE}/inquire_price": self._price,
            f"{_FUTURE}/inquire_asking_price": self._asking_price,
            f"{_FUTURE}/display_board_futures": self._futures,
            f"{_FUTURE}/display_board_callput": self._options,
            f"{_FUTURE}/display_board_option_list": self._months,
            f"{_FUTURE}/display_board_top": self._top,
            f"{_FUTURE}/margin_rate": self._margin_rates,
        }

    # one contract

    def _price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        told = self._quote(params, now)
        one = told.contract
        gap = f"{told.facts.price - told.spot:.2f}" if not one.option else "0.00"
        lower, upper = told.limits
        row = told.common("futs") | {
            "basis": f"{told.theory - told.spot:.2f}" if not one.option else "0.00",
            "mrkt_basis": gap,
            "crbr_aply_mxpr": f"{upper:.2f}",
            "crbr_aply_llam": f"{lower:.2f}",
            "futs_last_tr_date": f"{one.expiry:%Y%m%d}",
            "futs_lstn_medm_hgpr": f"{told.facts.high:.2f}",
            "futs_lstn_medm_lwpr": f"{told.facts.low:.2f}",
            "acpr": f"{one.strike:.2f}",
        }
        indices = {block: self._index(*index, now) for block, index in _INDICES.items()}
        return self._pages.quote(f"{_FUTURE}/inquire_price", output1=row, **indices)

    def _asking_price(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        told = self._quote(params, now)
        row, depth = told.common("futs"), _depth(told)
        depth["aspr_acpt_hour"] = f"{now:%H%M%S}"
        name = f"{_FUTURE}/inquire_asking_price"
        return self._pages.quote(name, output1=row, output2=depth)

    def _quote(self, params: Params, now: datetime) -> ContractQuote:
        if params.get("FID_COND_MRKT_DIV_CODE", "F") not in _MARKETS:
            raise InputError("FID_COND_MRKT_DIV_CODE")
        one = contract(text_of(params, "FID_INPUT_ISCD"), trading_day(now))
        if one is None:
            raise OrderRefused("symbol")
        return self._told(one, now)

    def _told(self, one: Contract, now: datetime) -> ContractQuote:
        found = quote(self._off_book, self._catalog.apis[f"{_FUTURE}/inquire_price"], one, now)
        if found is None:
            raise OrderRefused("symbol")
        return found

    def _index(self, code: str, name: str, now: datetime) -> Row:
        tape = self._off_book.tapes.tape("domestic_index", code).read(now)
        return {
            "bstp_cls_code": code,
            "hts_kor_isnm": name,
            "bstp_nmix_prpr": f"{tape.last:.2f}",
            "prdy_vrss_sign": sign_of(tape.last, tape.base),
            "bstp_nmix_prdy_vrss": f"{tape.last - tape.base:.2f}",
            "bstp_nmix_prdy_ctrt": percent(tape.last - tape.base, tape.base),
        }

    # boards

    def _futures(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        product = _product(params)
        rows = []
        for one in self._listed_futures(product, trading_day(now)):
            told = self._told(one, now)
            depth = _depth(told)
            totals = ("total_askp_rsqn", "total_bidp_rsqn")
            rows.append(told.common("futs") | {name: depth[name] for name in totals})
        return self._pages.quote(f"{_FUTURE}/display_board_futures", output1=rows)

    def _options(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        product, today = _product(params), trading_day(now)
        asked = params.get("FID_MTRT_CNT", "")
        dates = expiries(product, today, options=True) if product.option_ticks else []
        expiry = next((one for one in dates if asked in ("", _month(product, one))), None)
        blocks: dict[str, list[Row]] = {"output1": [], "output2": []}
        if expiry is not None:
            for block, kind in (("output1", "call"), ("output2", "put")):
                blocks[block] = [*self._board(product, kind, expiry, now)]
        return self._pages.quote(f"{_FUTURE}/display_board_callput", **blocks)

    def _board(self, product: Product, kind: str, expiry: date, now: datetime) -> Iterator[Row]:
        """Yield the options of one side, the highest strike first."""
        side: ContractKind = "call" if kind == "call" else "put"
        about = spot(product, trading_day(now), self._off_book)
        for one in reversed([*listed(product, side, expiry, about, _STRIKES)]):
            told = self._told(one, now)
            depth = _depth(told)
            totals = ("total_askp_rsqn", "total_bidp_rsqn")
            yield (
                told.common("optn")
                | told.option()
                | {name: depth[name] for name in totals}
                | {
                    "seln_rsqn": depth["askp_rsqn1"],
                    "shnu_rsqn": depth["bidp_rsqn1"],
                }
            )

    def _months(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        product = _product(params)
        rows = [
            {"mtrt_yymm_code": _month(product, one), "mtrt_yymm": _month(product, one)}
            for one in expiries(product, trading_day(now), options=True)
            if product.option_ticks
        ]
        return self._pages.quote(f"{_FUTURE}/display_board_option_list", output1=rows)

    def _top(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        today = trading_day(now)
        one = contract(text_of(params, "FID_INPUT_ISCD"), today)
        if one is None:
            raise OrderRefused("symbol")
        near = contract(nearest(one.product, today), today) if one.option else one
        told = self._told(near or one, now)
        price, base = told.spot, one.product.underlying.about
        row = told.common("futs")
        if one.product.board == "index":
            tape = index_of(one.product, self._off_book).read(now)
            price, base = tape.last, tape.base
            row["unas_acml_vol"] = tape.volume
        row |= {
            "unas_prpr": f"{price:.2f}",
            "unas_prdy_vrss": f"{price - base:.2f}",
            "unas_prdy_vrss_sign": sign_of(price, base),
            "unas_prdy_ctrt": percent(price - base, base),
        }
        dates = expiries(one.product, today, options=one.option)
        days = [{"hts_rmnn_dynu": (each - today).days} for each in dates]
        return self._pages.quote(f"{_FUTURE}/display_board_top", output1=row, output2=days)

    def _listed_futures(self, product: Product, today: date) -> Iterator[Contract]:
        for expiry in expiries(product, today, options=False) if product.months else ():
            if (one := contract(future(product, expiry), today)) is not None:
                yield one

    # margins

    def _margin_rates(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        asked, today = params.get("BAST_ID", "").strip(), trading_day(now)
        rows = []
        for product in PRODUCTS.values():
            under = product.underlying
            if product.weekly is not None or asked not in ("", under.symbol):
                continue
            price = self._off_book.price(nearest(product, today))
            each = price * product.multiplier * product.margin
            rows.append(
                {
                    "bast_id": under.symbol,
                    "bast_name": product.name,
                    "brkg_mgna_rt": f"{product.margin * 100:.2f}",
                    "tr_mgna_rt": f"{product.maintenance * 100:.2f}",
                    "bast_pric": int(spot(product, today, self._off_book)),
                    "tr_mtpl_idx": product.multiplier,
                    "ctrt_per_futr_mgna": int(each),
                }
            )
        return self._pages.page(f"{_FUTURE}/margin_rate", "output", rows, params, cont)


def _product(params: Params) -> Product:
    """Return the product of a board; without a class it is that of KOSPI 200."""
    asked = params.get("FID_COND_MRKT_CLS_CODE", "").strip()
    if not asked:
        return PRODUCTS["01"]
    if asked not in _CLASSES:
        raise InputError("FID_COND_MRKT_CLS_CODE")
    return _CLASSES[asked]


def _month(product: Product, expiry: date) -> str:
    """Return what a board calls an expiry: ``202612``, of a weekly option ``2612W2``."""
    if product.weekly is None:
        return f"{expiry:%Y%m}"
    return f"{expiry:%y%m}W{(expiry.day - 1) // 7 + 1}"


def _depth(told: ContractQuote) -> Row:
    """Return five levels on either side of the last price."""
    one, last = told.contract, told.facts.price
    draw = Random(f"depth {one.symbol} {last}")  # noqa: S311 - a market, no secret
    row: Row = {}
    for word, side in (("askp", 1), ("bidp", -1)):
        sizes = counts = 0
        for level in range(1, _LEVELS + 1):
            price = max(one.tick(last), last + side * level * one.tick(last))
            size = draw.randrange(5, 400)
            count = 1 + size // 12
            row |= {
                f"futs_{word}{level}": f"{price:.2f}",
                f"{word}_rsqn{level}": size,
                f"{word}_csnu{level}": count,
            }
            sizes, counts = sizes + size, counts + count
        row |= {f"total_{word}_rsqn": sizes, f"total_{word}_csnu": counts}
    return row
