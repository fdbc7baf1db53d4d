"""Where orders can go and what each place takes; pure.

The workbook has the codes; which of them fit together is in no table of KIS's but in its texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bridge.catalog.model import Catalog
from bridge.errors import WorkbookError

__all__ = [
    "NEW_LOANS",
    "NIGHT",
    "RESERVED",
    "OrderType",
    "OrderTypes",
    "OrderVenue",
    "Place",
    "at_exchange",
    "buys_on_credit",
    "order_types",
    "stands_at",
    "told_of_fills",
    "traded",
    "venue",
    "wanted",
]

Place: TypeAlias = tuple[str, str]
"""Market and venue, as in the topics."""

NIGHT: Place = ("domestic_derivative", "krx_night")
"""The session that runs over midnight: KIS has price, list and funds of it apart from the day's."""

RESERVED = "_reserved"
"""End of the name of a place whose orders wait until its exchange next opens."""
_BOTH = frozenset({"buy", "sell"})
NEW_LOANS = frozenset(
    {
        *("own_margin_loan_new", "market_margin_loan_new"),
        *("own_stock_loan_new", "market_stock_loan_new"),
    }
)
"""Kinds of credit orders that borrow: money to buy with, or shares to sell."""
_BUYS_ON_CREDIT = frozenset(
    {
        *("own_margin_loan_new", "market_margin_loan_new"),
        *("own_stock_loan_repaid", "market_stock_loan_repaid"),
    }
)


@dataclass(frozen=True, slots=True)
class OrderType:
    """An order division of a venue."""

    name: str
    code: str
    priced: bool
    conditional: bool
    """Takes a second price, at which it becomes active."""
    sides: frozenset[str] = _BOTH


OrderTypes: TypeAlias = Mapping[Place, Mapping[str, OrderType]]
"""By market and venue, by name."""


@dataclass(frozen=True, slots=True)
class OrderVenue:
    """A place that takes orders."""

    market: str
    venue: str
    exchange: str
    """Name in the workbook's list of exchanges; blank where KIS wants none."""
    variant: str = ""
    """Of the REST calls, where they differ by country or session."""
    currency: str = "KRW"
    """Of its prices; blank: each contract has its own."""
    decimals: int = 0
    """Most decimals that a price has."""
    paper: bool = True
    modifies: bool = True
    parts: bool = True
    """A part of an order can be cancelled."""
    hours: bool = True
    """The timetable says when it takes orders; else KIS alone knows."""


def _us(venue: str, exchange: str) -> OrderVenue:
    return OrderVenue("overseas_stock", venue, exchange, "us", "USD", 4)


def _daytime(venue: str, exchange: str) -> OrderVenue:
    # The same exchanges in the Korean daytime: other calls of KIS's, limit orders only.
    return OrderVenue("overseas_stock", venue, exchange, "daytime", "USD", 4, paper=False)


def _reserved(venue: str, exchange: str, currency: str = "KRW", decimals: int = 0) -> OrderVenue:
    # Under its first number KIS keeps no trace of a modification, so that a lost one could not be
    # told from one that never was.
    return OrderVenue(
        "domestic_stock" if currency == "KRW" else "overseas_stock",
        *(f"{venue}{RESERVED}", exchange, "reserved", currency, decimals),
        paper=False,
        modifies=False,
        parts=False,
        hours=False,
    )


def _asia(venue: str, exchange: str, country: str, currency: str, decimals: int) -> OrderVenue:
    # KIS has no modification for China and Vietnam.
    modifies = currency in ("HKD", "JPY")
    return OrderVenue(
        *("overseas_stock", venue, exchange, country, currency, decimals),
        modifies=modifies,
    )


_VENUES = (
    OrderVenue("domestic_stock", "krx", "krx"),
    OrderVenue("domestic_stock", "nxt", "nxt", paper=False),
    OrderVenue("domestic_stock", "sor", "sor", paper=False),
    _reserved("krx", "krx"),
    _us("nas", "nasdaq"),
    _us("nys", "new_york"),
    _us("ams", "amex"),
    _reserved("nas", "nasdaq", "USD", 4),
    _reserved("nys", "new_york", "USD", 4),
    _reserved("ams", "amex", "USD", 4),
    _daytime("baq", "nasdaq"),
    _daytime("bay", "new_york"),
    _daytime("baa", "amex"),
    _asia("hks", "hongkong", "hongkong", "HKD", 3),
    _asia("tse", "japan", "japan", "JPY", 1),
    _asia("shs", "shanghai", "shanghai", "CNY", 3),
    _asia("szs", "shenzhen", "shenzhen", "CNY", 3),
    _asia("hnx", "hanoi", "vietnam", "VND", 0),
    _asia("hsx", "ho_chi_minh", "vietnam", "VND", 0),
    OrderVenue("domestic_derivative", "krx", "", "day", "KRW", 2),
    OrderVenue(*NIGHT, "", "night", "KRW", 2, paper=False, parts=False),
    OrderVenue("domestic_bond", "krx", "", "regular", "KRW", 2, paper=False, parts=False),
    OrderVenue("domestic_bond", "krx_small", "", "small", "KRW", 2, paper=False, parts=False),
    # Each exchange of the world has hours of its own, and KIS takes orders for all of them here.
    OrderVenue(
        *("overseas_derivative", "all", "", "", "", 8), paper=False, parts=False, hours=False
    ),
)
_BY_PLACE = {(one.market, one.venue): one for one in _VENUES}

# KIS refuses a price with the other types, and has no table that says so.
_PRICED = frozenset({"00", "02", "07", "11", "12", "22", "27", "41", "42", "43"})
_CONDITIONAL = frozenset({"22"})
_VOID = frozenset({"07"})
"""After the close in auctions, until the after-market of 2026-09-14 replaced them."""
_SELL = frozenset({"sell"})
_OVERSEAS: Mapping[str, tuple[str, frozenset[str]]] = {
    "limit": ("", _BOTH),
    "loo": ("us", _BOTH),
    "loc": ("us", _BOTH),
    "moo": ("us", _SELL),
    "moc": ("us", _SELL),
    "odd_lot_limit": ("hongkong", _SELL),
}
"""Order types overseas: the only country that has it, and the sides. The two that split an order
over time need more than a command says."""
_UNPRICED_OVERSEAS = frozenset({"moo", "moc"})
_CONTRACTS = ("limit", "market", "stop", "stop_limit")
"""Order types of overseas futures and options; a stop is a market order once its price is seen."""
_UNHEARD = frozenset({"domestic_bond"})
"""Markets of which KIS sends no execution notices."""
_PRODUCTS = {"domestic_derivative": "03", "overseas_derivative": "08"}
"""Markets with accounts of their own, by the product at the end of their numbers."""


def stands_at(place: Place, order_no: str) -> Place:
    """Return where an order stands under a number: what was reserved is at its exchange by then.

    The numbers of reservations begin with an R, which no other number of KIS's does.
    """
    market, where = place
    return place if order_no.startswith("R") else (market, where.removesuffix(RESERVED))


def buys_on_credit(credit_type: str) -> bool:
    """Tell whether a kind of credit order buys: with borrowed money, or to give shares back."""
    return credit_type in _BUYS_ON_CREDIT


def venue(place: Place) -> OrderVenue:
    """Return what is known of a place that takes orders; `KeyError` for any other."""
    return _BY_PLACE[place]


def at_exchange(market: str, exchange: str) -> str:
    """Return the venue of a market at an exchange of the workbook; blank for an unknown one."""
    places = (one for one in _VENUES if one.market == market and one.exchange == exchange)
    return next((one.venue for one in places), "")


def told_of_fills(market: str) -> bool:
    """Tell whether KIS sends execution notices of a market; its list alone tells of the others."""
    return market not in _UNHEARD


def traded(product: str, configured: Sequence[str]) -> tuple[str, ...]:
    """Return the markets of an account of a product; ``configured`` are those of stock accounts."""
    own = tuple(market for market, only in _PRODUCTS.items() if only == product)
    return own or tuple(configured)


def wanted(place: Place) -> str:
    """Return of which accounts alone KIS takes orders for a place, for people; blank: of any."""
    at, product = _BY_PLACE.get(place), _PRODUCTS.get(place[0])
    if at is None or at.paper:
        return ""
    accounts = f"accounts of product {product}" if product else "stock accounts"
    listed = "" if product or place[0] == "domestic_stock" else ", with it in orders.markets"
    return f"of real {accounts} only{listed}"


def order_types(catalog: Catalog, *, paper: bool) -> OrderTypes:
    """Return the order types of every place of this environment, by their workbook names."""
    types: dict[Place, Mapping[str, OrderType]] = {}
    for one in _VENUES:
        if one.paper or not paper:
            read = _READERS[one.market]
            types[one.market, one.venue] = {kind.name: kind for kind in read(catalog, one, paper)}
    return types


def _domestic_types(one: OrderVenue) -> str:
    reserved = one.variant == "reserved"
    return "order_resv_rvsecncl_order_type" if reserved else f"order_type_{one.venue}"


def _domestic(catalog: Catalog, one: OrderVenue, paper: bool) -> list[OrderType]:
    return [
        OrderType(name, code, code in _PRICED, code in _CONDITIONAL)
        for name, code in _codes(catalog, _domestic_types(one)).items()
        if code not in _VOID
    ]


def _bond(catalog: Catalog, one: OrderVenue, paper: bool) -> list[OrderType]:
    return [OrderType("limit", "", priced=True, conditional=False)]


def _contract(catalog: Catalog, one: OrderVenue, paper: bool) -> list[OrderType]:
    codes = _codes(catalog, "overseas_futureoption_order_price_class")
    return [
        OrderType(name, codes[name], "limit" in name, "stop" in name)
        for name in _CONTRACTS
        if name in codes
    ]


def _overseas(catalog: Catalog, one: OrderVenue, paper: bool) -> list[OrderType]:
    codes = _codes(catalog, "overseas_stock_order_order_type")
    return [
        OrderType(name, codes[name], name not in _UNPRICED_OVERSEAS, conditional=False, sides=sides)
        for name, (country, sides) in _OVERSEAS.items()
        if name in codes and (name == "limit" or (country == one.variant and not paper))
    ]


def _derivative(catalog: Catalog, one: OrderVenue, paper: bool) -> list[OrderType]:
    codes = _codes(catalog, "domestic_futureoption_order_order_type_2")
    return [
        OrderType(name, code, _is_limit(name), conditional=False) for name, code in codes.items()
    ]


_READERS = {
    "domestic_stock": _domestic,
    "overseas_stock": _overseas,
    "domestic_derivative": _derivative,
    "domestic_bond": _bond,
    "overseas_derivative": _contract,
}


def _is_limit(name: str) -> bool:
    return name.startswith("limit") or name == "conditional_limit"


def _codes(catalog: Catalog, name: str) -> dict[str, str]:
    codes = catalog.codes.get(name)
    if codes is None:
        raise WorkbookError(f"codes: there is no list {name!r}")
    return {code.name: code.code for code in codes}
