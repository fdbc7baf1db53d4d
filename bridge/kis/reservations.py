"""KIS's lists of reservation orders: what waits for the next opening of an exchange; pure.

A reservation has a number of its own, here with an R before it. When its day has come it is an
order like any other, with one of the exchange's: in the words of lists, a modification of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bridge.catalog.model import Catalog
from bridge.errors import DecodeError
from bridge.kis.executions import MOST
from bridge.kis.listing import ListedOrder, blocks, channel, moment
from bridge.kis.markets import RESERVED, at_exchange
from bridge.kis.orders import OrderCall
from bridge.kis.params import account_values, wire
from bridge.kis.values import number

__all__ = ["ask", "rows"]

_AHEAD = timedelta(days=14)
"""Further than any exchange is closed."""


def ask(catalog: Catalog, *, market: str, account: str, first: date, last: date) -> OrderCall:
    """Write the query of all reservations of those Korean days."""
    values, variant = account_values(account), ""
    if market == "domestic_stock":
        api = "domestic_stock/order_resv_ccnl"
        values |= {
            "reserved_order_date": f"{first:%Y%m%d}",
            # Of the day on which it was made or of the one that it is for: KIS does not say.
            "reserved_until": f"{last + _AHEAD:%Y%m%d}",
            "process_class": "all",
        }
        values |= {"reserved_order_sequence": "", "cancelled": "", "symbol": "", "side": ""}
    else:
        api, variant = "overseas_stock/order_resv_list", "us"
        values |= {
            "from_date": f"{first - timedelta(days=1):%Y%m%d}",
            "to_date": f"{last + timedelta(days=1):%Y%m%d}",
            "inquiry_class": "all",
        }
        values |= {"product_type": "", "exchange": ""}
    return OrderCall(api, variant, wire(catalog, api, values), market)


def rows(catalog: Catalog, call: OrderCall, body: Mapping[str, Any]) -> list[ListedOrder]:
    """Read one page; raises :class:`DecodeError` for a row that it cannot."""
    return [row for values in blocks(catalog, call, body) for row in _rows(catalog, call, values)]


def _rows(catalog: Catalog, call: OrderCall, values: Mapping[str, str]) -> Iterator[ListedOrder]:
    """Yield a reservation, what cancelled it, and the order that it has become."""
    domestic = call.market == "domestic_stock"
    name = values.get("reserved_order_sequence" if domestic else "reserved_order_no", "")
    if not name.strip("0"):
        raise DecodeError(f"{call.api}: a reservation has no number")
    day, clock = values.get("reserved_receipt_date", ""), values.get("reserved_receipt_time", "")
    at = moment(day, clock or values.get("order_receipt_time", ""))
    quantity = _amount(call, values, "order_reserved_quantity" if domestic else "order_quantity")
    price = _amount(call, values, "order_reserved_price" if domestic else "order_price")
    order_no = values.get("order_no", "")
    sent = bool(order_no.strip("0"))
    cancelled = bool(values.get("cancel_date", "").strip("0")) or values.get("cancelled") == "Y"
    refused = bool(values.get("reject_reason" if domestic else "unprocessed_reason")) and not sent
    exchange = next(
        (c.name for c in catalog.codes["overseas_exchange"] if c.code == values.get("exchange")), ""
    )
    venue = "krx" if domestic else at_exchange(call.market, exchange)
    waits = not (sent or cancelled or refused)
    kind = next(
        (c.name for c in catalog.codes["order_type"] if c.code == values.get("order_type")), ""
    )
    reservation = ListedOrder(
        market=call.market,
        order_no=f"R{name}",
        original_order_no="",
        # What KIS wants beside the number: the day, at home the one that it is for.
        org_no=values.get("reserved_order_date", "") if domestic else day,
        action="place",
        symbol=values.get("symbol", ""),
        side={"01": "sell", "02": "buy"}.get(values.get("side", ""), ""),
        order_type=kind if domestic else "",
        quantity=int(quantity),
        price=price,
        filled=0,
        value=Decimal(0),
        remaining=int(quantity) if waits else 0,
        cancelled=int(quantity) if cancelled and not sent else 0,
        rejected=int(quantity) if refused and not cancelled else 0,
        at=at,
        channel=channel(catalog, values),
        venue=f"{venue}{RESERVED}" if venue else "",
    )
    yield reservation
    if cancelled and not sent:
        when = moment(values.get("cancel_date", ""), values.get("cancel_time", ""))
        yield replace(
            reservation,
            order_no=f"R{name}C",
            original_order_no=f"R{name}",
            action="cancel",
            remaining=0,
            at=when or at,
        )
    if sent:
        filled = int(_amount(call, values, "filled_quantity"))
        of_day = values.get("reserved_order_date" if domestic else "order_date", "")
        clock = values.get("order_time" if domestic else "order_forward_time", "")
        yield replace(
            reservation,
            order_no=order_no,
            original_order_no=f"R{name}",
            org_no=values.get("org_no", ""),
            action="modify",
            filled=filled,
            value=price * filled,
            remaining=int(quantity) - filled,
            at=moment(of_day, clock),
            venue=venue,
        )


def _amount(call: OrderCall, values: Mapping[str, str], path: str) -> Decimal:
    try:
        text = number(values.get(path, ""))
    except DecodeError as error:
        raise DecodeError(f"{call.api}: {path} is no number") from error
    value = Decimal(0) if text == "null" else Decimal(text)
    if abs(value) >= MOST:
        raise DecodeError(f"{call.api}: {path} is out of range")
    return value
