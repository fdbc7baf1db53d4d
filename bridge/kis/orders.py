"""Orders as KIS writes them: requests and answers; pure.

Stock and bonds, futures and options, at home and overseas. The workbook says what a parameter is
called on the wire and which codes there are; here is what they are used for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from bridge.catalog.model import Api, Catalog
from bridge.errors import WorkbookError
from bridge.kis.markets import OrderType, OrderVenue
from bridge.kis.params import account_values, wire
from bridge.kis.replies import Reply

__all__ = [
    "Accepted",
    "Credit",
    "OrderCall",
    "Outcome",
    "Rejected",
    "Unreadable",
    "change",
    "outcome",
    "place",
]

_LONGEST_NUMBER = 32
"""Letters of an order's number; KIS's have ten."""
_RESERVING = frozenset(
    {
        *("domestic_stock/order_resv", "domestic_stock/order_resv_rvsecncl"),
        *("overseas_stock/order_resv", "overseas_stock/order_resv_ccnl"),
    }
)
_CONDITION = re.compile(r"(?P<kind>\w+?)_(?P<condition>ioc|fok)")
_SYMBOL_CLASS = {"1": "future", "A": "future", "2": "call", "B": "call", "3": "put", "C": "put"}


@dataclass(frozen=True, slots=True)
class OrderCall:
    """What to hand to the REST client."""

    api: str
    variant: str
    params: Mapping[str, str] = field(repr=False)
    """Holds the account number."""
    market: str = "domestic_stock"


@dataclass(frozen=True, slots=True)
class Credit:
    """What an order is paid with, where that is borrowed."""

    kind: str
    loan_date: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """KIS took it."""

    order_no: str
    """As KIS wrote it, leading zeros kept."""
    org_no: str
    """What KIS wants beside the number to find the order: the organisation that it went through,
    of futures and options overseas its day."""
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
    credit: Credit | None = None,
) -> OrderCall:
    """Write a new order; ``account`` is the number as in ``12345678-01``."""
    values = account_values(account) | {"quantity": str(quantity)}
    match at.market:
        case "domestic_stock" if at.variant == "reserved":
            api, variant = "domestic_stock/order_resv", ""
            values |= {
                "symbol": symbol,
                "side": side,
                "order_type": order_type.name,
                "price": _plain(price),
                "order_subject_balance_class_code": "cash",
            }
        case "overseas_stock" if at.variant == "reserved":
            api, variant = "overseas_stock/order_resv", f"us_{side}"
            values = _ordered(values) | {
                "modify_cancel": "order",
                "symbol": symbol,
                "exchange": at.exchange,
                "order_type": order_type.name,
                "order_price": _plain(price),
            }
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
            if credit is not None:
                api = "domestic_stock/order_credit"
                values |= {"credit_type": credit.kind, "loan_date": credit.loan_date}
        case "overseas_stock" if at.variant == "daytime":
            api, variant = "overseas_stock/daytime_order", side
            values |= {
                "symbol": symbol,
                "exchange": at.exchange,
                "order_type": order_type.code,
                "order_price": _plain(price),
            }
        case "overseas_stock":
            api, variant = "overseas_stock/order", f"{at.variant}_{side}"
            values |= {
                "symbol": symbol,
                "exchange": at.exchange,
                "order_type": order_type.name,
                "order_price": _plain(price),
                "sell_type": "00" if side == "sell" else "",
            }
        case "overseas_derivative":
            api, variant = "overseas_futureoption/order", ""
            values = _ordered(values) | _contract(price, condition_price)
            values |= {
                "symbol": symbol,
                "side": side,
                "price_class": order_type.name,
                # Good for the day; KIS has a word of its own for what trades at once.
                "order_condition": "market" if order_type.name == "market" else "end_of_day",
                "complex_order_class": "0",
            }
        case "domestic_bond":
            api, variant = f"domestic_bond/{'buy' if side == 'buy' else 'sell'}", ""
            values = _ordered(values) | {
                "symbol": symbol,
                "order_price": _plain(price),
                "small_market": at.variant,
            }
            if side == "buy":
                values["bond_retail_market"] = "no"
            else:  # what was bought first, taxed with all other income
                values |= {"order_type": "by_symbol", "separate_tax": "aggregate"}
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
    side: str = "",
) -> OrderCall:
    """Write a modification or cancellation of ``quantity``; ``whole``: that is all that is left."""
    values = account_values(account) | {"original_order_no": order_no, "modify_cancel": kind}
    match at.market:
        case "domestic_stock" if at.variant == "reserved":
            api, variant = "domestic_stock/order_resv_rvsecncl", "cancel"
            values = account_values(account) | {
                "symbol": symbol,
                "side": side,
                "quantity": str(quantity),
                "price": _plain(price),
                "order_type": order_type.name,
                "order_subject_balance_class_code": "cash",
                "reserved_order_sequence": order_no.removeprefix("R"),
                "reserved_order_date": org_no,
            }
        case "overseas_stock" if at.variant == "reserved":
            api, variant = "overseas_stock/order_resv_ccnl", ""
            values = account_values(account) | {
                "reserved_receipt_date": org_no,
                "reserved_receipt_date_2": org_no,
                "reserved_order_no": order_no.removeprefix("R"),
            }
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
            if at.variant == "daytime":
                api, variant = "overseas_stock/daytime_order_rvsecncl", ""
            values |= {
                "symbol": symbol,
                "exchange": at.exchange,
                "quantity": str(quantity),
                "order_price": _plain(price),
            }
        case "overseas_derivative":
            api, variant = "overseas_futureoption/order_rvsecncl", kind
            del values["modify_cancel"]
            values |= _contract(price, condition_price) | {"original_order_date": org_no}
        case "domestic_bond":
            api, variant = "domestic_bond/order_rvsecncl", ""
            values |= {
                "symbol": symbol,
                "order_quantity": str(quantity),
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


def _contract(price: Decimal | None, condition: Decimal | None) -> dict[str, str]:
    """Write the prices of a contract overseas: blank is none, since a price may be zero or less."""
    return {
        "limit_price": "" if price is None else _plain(price),
        "condition_price": "" if condition is None else _plain(condition),
    }


def _ordered(values: Mapping[str, str]) -> dict[str, str]:
    """Call the quantity what some calls have it as."""
    return {"order_quantity" if k == "quantity" else k: v for k, v in values.items()}


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
    if call.api in _RESERVING:
        return _reserved(call, values, kis)
    # Without a number nobody can cancel or recognise it, so it counts as lost and not as accepted.
    order_no = values.get("order_no", "")
    if not _is_number(order_no):
        return Unreadable(kis)
    return Accepted(order_no, values.get("org_no") or values.get("order_date", ""), kis)


def _is_number(text: str) -> bool:
    short = len(text) <= _LONGEST_NUMBER
    return bool(short and text.isascii() and text.isalnum() and text.strip("0"))


def _reserved(call: OrderCall, values: Mapping[str, str], kis: Mapping[str, str]) -> Outcome:
    """Tell what an answer about a reservation means.

    Its number is not one of the exchange's, and a cancellation has none at all: the R, and the C
    behind it, keep them apart from all others.
    """
    cancelled = call.params.get("RSVN_ORD_SEQ", "") or call.params.get("OVRS_RSVN_ODNO", "")
    if cancelled:
        done = values.get("processed", "Y") == "Y"
        return Accepted(f"R{cancelled}C", "", kis) if done else Unreadable(kis)
    number = values.get("reserved_order_sequence") or values.get("reserved_order_no", "")
    number = number or values.get("order_no", "")  # where KIS means the United States
    if not _is_number(number):
        return Unreadable(kis)
    return Accepted(f"R{number}", values.get("reserved_receipt_date", ""), kis)


def _plain(price: Decimal | None) -> str:
    return "0" if price is None else format(price, "f")


def _api(catalog: Catalog, name: str) -> Api:
    api = catalog.apis.get(name)
    if api is None:
        raise WorkbookError(f"apis: there is no {name!r}")
    return api
