"""What KIS's execution notices say, of every market; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from bridge.errors import DecodeError

__all__ = ["MOST", "ExecutionNotice", "NoticeKind", "notice"]

MOST = Decimal(10) ** 18
"""No quantity, price or amount of KIS's reaches it; beyond it decimals would lose digits."""
_DIGITS = re.compile(r"\d{1,32}(\.\d{1,32})?", re.ASCII)
_OVERSEAS_DECIMALS = {
    **dict.fromkeys("6789", 4),
    **dict.fromkeys("45ABC", 3),
    "D": 1,
    "E": 0,
    "F": 0,
}
"""By the class of an overseas symbol in a notice: US, Hong Kong and China, Japan, Vietnam."""


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
    fill_no: str = ""
    """What tells this fill from all others, where KIS says it."""


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
    overseas = market == "overseas_derivative"
    fill = overseas and "fill_no" in values
    quantity = number("order_quantity" if overseas and not fill else "quantity")
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
    price = "order_price" if overseas and not fill else "price"
    if "." in values.get(price, ""):
        decimals = 0
    if overseas:
        kind = _contract_kind(text("exchange_receipt"), text("modify_cancel"), fill=fill)
    else:
        kind = _kind(
            text("filled"), text("rejected"), text("modify_cancel"), text("acceptance"), original
        )
    return ExecutionNotice(
        kind=kind,
        account=re.sub(r"\D", "", text("account"), flags=re.ASCII),
        order_no=text("order_no"),
        original_order_no=original if original.strip("0") else "",
        symbol=text("symbol"),
        side={"01": "sell", "02": "buy"}.get(text("side"), text("side")),
        quantity=int(quantity),
        price=number(price).scaleb(-decimals),
        time=text("operation_datetime" if overseas else "time"),
        market=market,
        fill_no=text("fill_no") if fill else "",
    )


def _contract_kind(receipt: str, modify_cancel: str, *, fill: bool) -> NoticeKind:
    """Tell what a notice of futures and options overseas is: orders and fills have channels."""
    if fill:
        return "fill"
    if receipt == "03":
        return "rejected"
    if receipt != "02":  # on its way to the exchange
        return "taken"
    if modify_cancel == "01":
        return "modified"
    return "cancelled" if modify_cancel == "02" else "taken"


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
