"""Domestic cash stock orders as KIS writes them: requests, answers, execution notices; pure.

The workbook says what a parameter is called on the wire and which codes there are; here is what
they are used for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from bridge.catalog.model import Api, Catalog
from bridge.errors import DecodeError, WorkbookError
from bridge.kis.replies import Reply

__all__ = [
    "Accepted",
    "Call",
    "Notice",
    "NoticeKind",
    "OrderType",
    "Outcome",
    "Rejected",
    "Unreadable",
    "change",
    "notice",
    "order_types",
    "outcome",
    "place",
    "venues",
]

PLACE = "domestic_stock/order_cash"
CHANGE = "domestic_stock/order_rvsecncl"

_VENUES = ("krx", "nxt", "sor")
# KIS refuses a price with the other types, and has no table that says so.
_PRICED = frozenset({"00", "02", "07", "11", "12", "22", "27", "41", "42", "43"})
_CONDITIONAL = frozenset({"22"})
_DIGITS = re.compile(r"\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class OrderType:
    """An order division of a venue."""

    name: str
    code: str
    priced: bool
    conditional: bool
    """Takes a second price, at which it becomes active."""


@dataclass(frozen=True, slots=True)
class Call:
    """What to hand to the REST client."""

    api: str
    variant: str
    params: Mapping[str, str] = field(repr=False)
    """Holds the account number."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """KIS took it."""

    order_no: str
    """As KIS wrote it, leading zeros kept."""
    org_no: str
    kis: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rejected:
    """KIS refused it."""

    kis: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """KIS says success and names no order number: what happened is not known."""

    kis: Mapping[str, str]


Outcome: TypeAlias = Accepted | Rejected | Unreadable

NoticeKind: TypeAlias = Literal["taken", "modified", "cancelled", "rejected", "fill"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One execution notice.

    ``quantity`` and ``price`` are this fill's in a ``fill``; in the other kinds they are what was
    ordered, modified or cancelled. ``taken`` means that a request arrived at the exchange, and
    nothing more: a modification or cancellation counts when it is confirmed.
    """

    kind: NoticeKind
    account: str = field(repr=False)
    """The raw number, digits only."""
    order_no: str
    original_order_no: str
    """Blank unless this is about a modification or cancellation."""
    symbol: str
    side: str
    quantity: int
    price: Decimal
    time: str


def order_types(catalog: Catalog) -> Mapping[str, Mapping[str, OrderType]]:
    """Return the order types of each venue by their workbook names."""
    types: dict[str, dict[str, OrderType]] = {}
    for venue in _VENUES:
        codes = catalog.codes.get(f"order_type_{venue}")
        if codes is None:
            raise WorkbookError(f"codes: there is no list 'order_type_{venue}'")
        types[venue] = {
            code.name: OrderType(
                code.name, code.code, code.code in _PRICED, code.code in _CONDITIONAL
            )
            for code in codes
        }
    return types


def venues(*, paper: bool) -> tuple[str, ...]:
    """Return where orders can go; the paper servers know KRX only."""
    return _VENUES[:1] if paper else _VENUES


def place(
    catalog: Catalog,
    *,
    account: str,
    side: str,
    venue: str,
    symbol: str,
    order_type: OrderType,
    quantity: int,
    price: Decimal | None,
    condition_price: Decimal | None,
) -> Call:
    """Write a new order; ``account`` is the number as in ``12345678-01``."""
    values = _account(account) | {
        "symbol": symbol,
        "order_type": order_type.name,
        "quantity": str(quantity),
        "price": _won(price),
        "exchange": venue,
    }
    if condition_price is not None:
        values["condition_price"] = _won(condition_price)
    return Call(PLACE, side, _wire(catalog, PLACE, values))


def change(
    catalog: Catalog,
    *,
    kind: Literal["modify", "cancel"],
    account: str,
    venue: str,
    org_no: str,
    order_no: str,
    order_type: OrderType,
    quantity: int | None,
    price: Decimal | None,
    condition_price: Decimal | None = None,
) -> Call:
    """Write a modification or cancellation; ``quantity`` None is the whole rest."""
    values = _account(account) | {
        "org_no": org_no,
        "original_order_no": order_no,
        "order_type": order_type.name,
        "modify_cancel": kind,
        "quantity": str(quantity or 0),
        "price": _won(price),
        "all_remaining": "all" if quantity is None else "part",
        "exchange": venue,
    }
    if condition_price is not None:
        values["condition_price"] = _won(condition_price)
    tr_ids = _api(catalog, CHANGE).tr_ids
    return Call(CHANGE, tr_ids[0].variant, _wire(catalog, CHANGE, values))


def outcome(catalog: Catalog, call: Call, reply: Reply) -> Outcome:
    """Tell what KIS's readable answer to ``call`` means."""
    kis = {"rt_cd": reply.rt_cd, "msg_cd": reply.msg_cd, "msg1": reply.msg1.strip()}
    if not reply.ok:
        return Rejected(kis)
    values: dict[str, str] = {}
    for output in _api(catalog, call.api).outputs:
        block: Any = reply.body.get(output.name) if output.name else reply.body
        if isinstance(block, list):  # KIS's own sources disagree about object or array
            block = block[0] if block else None
        if isinstance(block, dict):
            for known in output.fields:
                value = block.get(known.name)
                if isinstance(value, str):
                    values[known.path] = value.strip()
    order_no = values.get("order_no", "")
    if not (order_no.isascii() and order_no.isalnum() and order_no.strip("0")):
        return Unreadable(kis)
    return Accepted(order_no, values.get("org_no", ""), kis)


def notice(values: Mapping[str, str]) -> Notice:
    """Read the values of an execution notice, by their English paths.

    Raises :class:`DecodeError` naming the path; the value is not repeated.
    """

    def text(path: str) -> str:
        try:
            return values[path].strip()
        except KeyError as error:
            raise DecodeError(f"the execution notice has no {path!r}") from error

    def number(path: str) -> Decimal:
        value = text(path)
        if value and not _DIGITS.fullmatch(value):
            raise DecodeError(f"the execution notice's {path!r} is no number")
        return Decimal(value or 0)

    original = text("original_order_no")
    quantity = number("quantity")
    if quantity != quantity.to_integral_value():
        raise DecodeError("the execution notice's 'quantity' is no whole number")
    return Notice(
        kind=_kind(
            text("filled"), text("rejected"), text("modify_cancel"), text("acceptance"), original
        ),
        account=re.sub(r"\D", "", text("account"), flags=re.ASCII),
        order_no=text("order_no"),
        original_order_no=original if original.strip("0") else "",
        symbol=text("symbol"),
        side={"01": "sell", "02": "buy"}.get(text("side"), text("side")),
        quantity=int(quantity),
        price=number("price"),
        time=text("time"),
    )


def _kind(
    filled: str, rejected: str, modify_cancel: str, acceptance: str, original: str
) -> NoticeKind:
    if rejected in ("1", "Y"):
        return "rejected"
    if filled == "2":
        return "fill"
    if acceptance == "3":  # the rest of an IOC or FOK order
        return "cancelled"
    if acceptance == "2" and original.strip("0"):
        if modify_cancel == "1":
            return "modified"
        if modify_cancel == "2":
            return "cancelled"
    return "taken"


def _account(number: str) -> dict[str, str]:
    account, _, product = number.partition("-")
    return {"account_no": account, "account_product": product}


def _won(price: Decimal | None) -> str:
    return "0" if price is None else format(price, "f")


def _api(catalog: Catalog, name: str) -> Api:
    api = catalog.apis.get(name)
    if api is None:
        raise WorkbookError(f"apis: there is no {name!r}")
    return api


def _wire(catalog: Catalog, name: str, values: Mapping[str, str]) -> dict[str, str]:
    """Write values by English path, codes by their names, as the workbook's parameters."""
    params = _api(catalog, name).params
    unknown = values.keys() - {param.path for param in params}
    if unknown:
        raise WorkbookError(f"params: {name} has no path {min(unknown)!r}")
    wire = {}
    for param in params:
        value = values.get(param.path)
        if value is None:
            value = param.default
        elif param.codes:
            value = _code(catalog, param.codes, value)
        if value or param.required:
            wire[param.name] = value
    return wire


def _code(catalog: Catalog, name: str, value: str) -> str:
    for code in catalog.codes.get(name, ()):
        if code.name == value:
            return code.code
    raise WorkbookError(f"codes: the list {name!r} has no {value!r}")
