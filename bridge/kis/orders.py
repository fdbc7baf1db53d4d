"""Orders as KIS writes them: requests, answers, execution notices; pure.

Domestic cash stock, overseas stock, domestic futures and options. The workbook says what a
parameter is called on the wire and which codes there are; here is what they are used for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from bridge.catalog.model import Api, Catalog
from bridge.errors import DecodeError, WorkbookError
from bridge.kis.markets import OrderType, OrderVenue
from bridge.kis.params import account_values, wire
from bridge.kis.replies import Reply

__all__ = [
    "MOST",
    "Accepted",
    "ExecutionNotice",
    "NoticeKind",
    "OrderCall",
    "Outcome",
    "Rejected",
    "Unreadable",
    "change",
    "notice",
    "outcome",
    "place",
]

MOST = Decimal(10) ** 18
"""No quantity, price or amount of KIS's reaches it; beyond it decimals would lose digits."""
_DIGITS = re.compile(r"\d{1,32}(\.\d{1,32})?", re.ASCII)
_LONGEST_NUMBER = 32
"""Letters of an order's number; KIS's have ten."""
_CONDITION = re.compile(r"(?P<kind>\w+?)_(?P<condition>ioc|fok)")
_SYMBOL_CLASS = {"1": "future", "A": "future", "2": "call", "B": "call", "3": "put", "C": "put"}
_OVERSEAS_DECIMALS = {
    **dict.fromkeys("6789", 4),
    **dict.fromkeys("45ABC", 3),
    "D": 1,
    "E": 0,
    "F": 0,
}
"""By the class of an overseas symbol in a notice: US, Hong Kong and China, Japan, Vietnam."""


@dataclass(frozen=True, slots=True)
class OrderCall:
    """What to hand to the REST client."""

    api: str
    variant: str
    params: Mapping[str, str] = field(repr=False)
    """Holds the account number."""
    market: str = "domestic_stock"


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
class ExecutionNotice:
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
    market: str = "domestic_stock"


def place(
    catalog: Catalog,
    *,
    account: str,
    at: OrderVenue,
    side: str,
    symbol: str,
    order_type: OrderType,
    quantity: int,
    price: Decimal | None,
    condition_price: Decimal | None,
) -> OrderCall:
    """Write a new order; ``account`` is the number as in ``12345678-01``."""
    values = account_values(account) | {"quantity": str(quantity)}
    match at.market:
        case "domestic_stock":
            api, variant = "domestic_stock/order_cash", side
            values |= {
                "symbol": symbol,
                "order_type": order_type.name,
                "price": _plain(price),
                "exchange": at.exchange,
            }
            if condition_price is not None:
                values["condition_price"] = _plain(condition_price)
        case "overseas_stock":
            api, variant = "overseas_stock/order", f"{at.variant}_{side}"
            values |= {
                "symbol": symbol,
                "exchange": at.exchange,
                "order_type": order_type.name,
                "order_price": _plain(price),
                "sell_type": "00" if side == "sell" else "",
            }
        case _:
            api, variant = "domestic_futureoption/order", at.variant
            values |= _derivative(order_type, price) | {"side": side, "short_symbol": symbol}
    return OrderCall(api, variant, wire(catalog, api, values), at.market)


def change(
    catalog: Catalog,
    *,
    kind: Literal["modify", "cancel"],
    account: str,
    at: OrderVenue,
    symbol: str,
    org_no: str,
    order_no: str,
    order_type: OrderType,
    quantity: int,
    whole: bool,
    price: Decimal | None,
    condition_price: Decimal | None = None,
) -> OrderCall:
    """Write a modification or cancellation of ``quantity``; ``whole``: that is all that is left."""
    values = account_values(account) | {"original_order_no": order_no, "modify_cancel": kind}
    match at.market:
        case "domestic_stock":
            api = "domestic_stock/order_rvsecncl"
            variant = _api(catalog, api).tr_ids[0].variant
            values |= {
                "org_no": org_no,
                "order_type": order_type.name,
                "quantity": "0" if whole else str(quantity),
                "price": _plain(price),
                "all_remaining": "all" if whole else "part",
                "exchange": at.exchange,
            }
            if condition_price is not None:
                values["condition_price"] = _plain(condition_price)
        case "overseas_stock":
            api = "overseas_stock/order_rvsecncl"
            variant = at.variant if at.modifies else f"{at.variant}_cancel_only"
            values |= {
                "symbol": symbol,
                "exchange": at.exchange,
                "quantity": str(quantity),
                "order_price": _plain(price),
            }
        case _:
            api, variant = "domestic_futureoption/order_rvsecncl", at.variant
            values |= _derivative(order_type, price) | {
                "quantity": str(quantity),
                "remaining_quantity": "all" if whole else "part",
            }
            if kind == "cancel":
                # What KIS wants there, whatever the order is.
                values["order_type_2"] = "limit"
            if at.variant == "night":
                values["derivative_symbol_class"] = _SYMBOL_CLASS.get(symbol[:1], "spread")
    return OrderCall(api, variant, wire(catalog, api, values), at.market)


def _derivative(order_type: OrderType, price: Decimal | None) -> dict[str, str]:
    """Write the type of an order in the two ways in which KIS wants it at once."""
    matched = _CONDITION.fullmatch(order_type.name)
    kind, condition = matched.group("kind", "condition") if matched else (order_type.name, "none")
    return {
        "order_type": "best_limit" if kind == "best" else kind,
        "order_condition": condition,
        "order_type_2": order_type.name,
        "order_price": _plain(price),
    }


def outcome(catalog: Catalog, call: OrderCall, reply: Reply) -> Outcome:
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
    # Without a number nobody can cancel or recognise it, so it counts as lost and not as accepted.
    order_no = values.get("order_no", "")
    short = len(order_no) <= _LONGEST_NUMBER
    if not (short and order_no.isascii() and order_no.isalnum() and order_no.strip("0")):
        return Unreadable(kis)
    return Accepted(order_no, values.get("org_no", ""), kis)


def notice(values: Mapping[str, str], market: str = "domestic_stock") -> ExecutionNotice:
    """Read the values of an execution notice of a market, by their English paths.

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
        found = Decimal(value or 0)
        if found >= MOST:
            raise DecodeError(f"the execution notice's {path!r} is out of range")
        return found

    original = text("original_order_no")
    quantity = number("quantity")
    if quantity != quantity.to_integral_value():
        raise DecodeError("the execution notice's 'quantity' is no whole number")
    # KIS writes these prices without their point. The two decimals of derivatives are deduced from
    # samples (docs/kis.md); a price that has a point is taken as it stands.
    decimals = 2 if market == "domestic_derivative" else 0
    if market == "overseas_stock":
        known = _OVERSEAS_DECIMALS.get(text("overseas_class"))
        if known is None:
            raise DecodeError("the execution notice's 'overseas_class' is not known")
        decimals = known
    if "." in values.get("price", ""):
        decimals = 0
    return ExecutionNotice(
        kind=_kind(
            text("filled"), text("rejected"), text("modify_cancel"), text("acceptance"), original
        ),
        account=re.sub(r"\D", "", text("account"), flags=re.ASCII),
        order_no=text("order_no"),
        original_order_no=original if original.strip("0") else "",
        symbol=text("symbol"),
        side={"01": "sell", "02": "buy"}.get(text("side"), text("side")),
        quantity=int(quantity),
        price=number("price").scaleb(-decimals),
        time=text("time"),
        market=market,
    )


def _kind(
    filled: str, rejected: str, modify_cancel: str, acceptance: str, original: str
) -> NoticeKind:
    # In this order: a rejection is written with ``filled`` 1 like an order that was taken, and only
    # 2 is a fill (docs/kis.md).
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


def _plain(price: Decimal | None) -> str:
    return "0" if price is None else format(price, "f")


def _api(catalog: Catalog, name: str) -> Api:
    api = catalog.apis.get(name)
    if api is None:
        raise WorkbookError(f"apis: there is no {name!r}")
    return api
