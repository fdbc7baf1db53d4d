"""Rows of the masters of futures, options and bonds: what is listed on a day (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from bridge.simulator.bonds.issues import KNOWN, issue
from bridge.simulator.derivatives.contracts import Contract, contract, expiries, future, listed
from bridge.simulator.derivatives.products import PRODUCTS, Product

__all__ = ["CONTRACT_MASTERS", "contract_rows"]

Entry = Mapping[str, str]

_FUTURES = {"01": "1", "05": "B", "06": "3"}
_OPTIONS = {
    "01": ("5", "6"),
    "05": ("D", "E"),
    "06": ("J", "K"),
    "09": ("L", "M"),
    "AF": ("N", "O"),
}
"""KIS's kinds of products, by their code: of futures; of calls and puts."""
_BOARDS = {
    "index_derivative": "index",
    "stock_derivative": "stock",
    "commodity_derivative": "commodity",
}
_NIGHT = {"night_future": False, "night_option": True}
CONTRACT_MASTERS = frozenset({*_BOARDS, *_NIGHT, "bond"})
_GROUPS = {"B": "1", "U": "2", "J": "2", "E": "2", "G": "3"}
"""Of commodities, by the first letter of what they are about."""
_STRIKES = 5
"""Above and below the one at the money."""


def contract_rows(master: str, seed: int, day: date) -> Iterator[Entry]:
    """Yield what a master lists."""
    if master == "bond":
        yield from _bonds(seed)
        return
    for product in PRODUCTS.values():
        if master in _NIGHT:
            if product.night and product.board == "index":
                yield from _options(product, day) if _NIGHT[master] else _futures(product, day)
        elif product.board == _BOARDS[master]:
            yield from _futures(product, day)
            yield from _options(product, day)


def _futures(product: Product, day: date) -> Iterator[Entry]:
    dates = expiries(product, day, options=False) if product.months else []
    for place, expiry in enumerate(dates, 1):
        if (one := contract(future(product, expiry), day)) is not None:
            yield _entry(one, _FUTURES.get(product.code, "1"), place)


def _options(product: Product, day: date) -> Iterator[Entry]:
    if not product.option_ticks:
        return
    about, kinds = product.underlying.about, _OPTIONS[product.code]
    for place, expiry in enumerate(expiries(product, day, options=True), 1):
        for one in listed(product, "call", expiry, about, _STRIKES):
            yield _entry(one, kinds[0], place)
        for one in listed(product, "put", expiry, about, _STRIKES):
            yield _entry(one, kinds[1], place)


def _entry(one: Contract, kind: str, place: int) -> Entry:
    under = one.product.underlying
    row = {
        "product_group": _GROUPS.get(under.symbol[:1], ""),
        "product_kind": kind,
        "symbol": one.symbol,
        "standard_symbol": f"KR4{one.symbol:0<9}",
        "name": one.name,
        "contract_month_class": str(place),
        "underlying_symbol": under.symbol,
        "underlying_name": under.name,
    }
    if one.option:
        gain = one.intrinsic(under.about)
        near = abs(one.strike - under.about) <= one.product.strike_step / 2
        row["moneyness"] = "1" if near else "2" if gain > 0 else "3"
        row["strike_price"] = f"{one.strike.quantize(Decimal('0.01'))}"
    return row


def _bonds(seed: int) -> Iterator[Entry]:
    for symbol in KNOWN:
        one = issue(symbol, seed)
        yield {
            "bond_type": "C0" if one.kind == "GA" else "A0",
            "bond_class": one.kind,
            "symbol": symbol,
            "name": one.name,
            "interest_class": "03" if one.kind == "GA" else "13",
            "listing_date": f"{one.issued:%Y%m%d}",
            "issue_date": f"{one.issued:%Y%m%d}",
            "redemption_date": f"{one.matures:%Y%m%d}",
            "sale_date": f"{one.issued:%Y%m%d}",
        }
