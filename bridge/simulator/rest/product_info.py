"""What kind of product a symbol is, of whatever market (pure)."""

from __future__ import annotations

import re
from datetime import datetime

from bridge.catalog.model import Catalog
from bridge.simulator.bonds import issues
from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.exchange import listings
from bridge.simulator.off_book.listings import LISTED
from bridge.simulator.rest import statements
from bridge.simulator.rest.answers import Answer, Row, blank, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params

__all__ = ["ProductHandlers"]

_API = "domestic_stock/search_info"
_EXCHANGES = {
    "512": ("NASD", re.compile(r"[A-Z][A-Z/]{0,5}"), "나스닥"),
    "513": ("NYSE", None, "뉴욕"),
    "529": ("AMEX", None, "아멕스"),
    "515": ("TKSE", re.compile(r"[0-9]{3}[0-9A]"), "일본"),
    "501": ("SEHK", re.compile(r"[0-9]{5}"), "홍콩"),
    "551": ("SHAA", re.compile(r"[69][0-9]{5}"), "상하이"),
    "552": ("SZAA", re.compile(r"[023][0-9]{5}"), "심천"),
    "507": ("HASE", None, "하노이"),
    "508": ("VNSE", None, "호치민"),
}
"""Kind of product → exchange, symbols that are taken for its unless another lists them, name."""


class ProductHandlers:
    """Answers ``search-info``: KIS's own names for what a symbol is."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self._catalog, self._seed = catalog, seed

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {_API: self._info}

    def _info(self, variant: str, params: Params, tr_cont: str, now: datetime) -> Answer:
        symbol, kind = params.get("PDNO", ""), params.get("PRDT_TYPE_CD", "")
        row = self._row(symbol, kind, now)
        if row is None:
            return Answer("7", "KIER2620", padded("조회할 자료가 없습니다", 80))
        row = blank(self._catalog.apis[_API], "output") | row
        return Answer("0", "KIOK0530", padded("조회되었습니다", 80), {"output": row})

    def _row(self, symbol: str, kind: str, now: datetime) -> Row | None:
        if kind == "300":
            if not listings.plausible(symbol):
                return None
            return statements.info(listings.listing(symbol, self._seed))
        if kind == "301":
            found = contract(symbol, now.date())
            return _named(symbol, kind, found.name, "선물옵션") if found else None
        if kind == "302":
            if not issues.plausible(symbol):
                return None
            return _named(symbol, kind, issues.issue(symbol, self._seed).name, "채권")
        if kind not in _EXCHANGES:
            return None
        exchange, look, name = _EXCHANGES[kind]
        listed = LISTED.get(symbol)
        if listed != exchange and (listed or look is None or not look.fullmatch(symbol)):
            return None
        return _named(symbol, kind, symbol, name)


def _named(symbol: str, kind: str, name: str, category: str) -> Row:
    return {
        "pdno": symbol,
        "prdt_type_cd": kind,
        "prdt_name": name,
        "prdt_name120": name,
        "prdt_abrv_name": name,
        "prdt_eng_name": name,
        "prdt_eng_name120": name,
        "prdt_eng_abrv_name": name,
        "std_pdno": symbol,
        "shtn_pdno": symbol,
        "prdt_clsf_name": category,
    }
