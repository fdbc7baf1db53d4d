"""The exchange's own list of an account's orders: how KIS is asked and what its rows say; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any, Literal, TypeAlias

from bridge.catalog.model import Api, Catalog, Output
from bridge.errors import DecodeError
from bridge.kis.executions import MOST
from bridge.kis.markets import NIGHT, RESERVED, at_exchange
from bridge.kis.orders import OrderCall
from bridge.kis.params import account_values, wire
from bridge.kis.values import number
from bridge.runtime.clock import SEOUL, seoul_day

__all__ = [
    "ListedOrder",
    "OrderList",
    "Part",
    "ask",
    "blocks",
    "channel",
    "lists",
    "moment",
    "orders_of",
    "plain",
    "rows",
    "same_symbol",
]

_YEARS = 2000, 2999
_ASKEW = 3_600_000_000
"""How far (µs) KIS's clock may be ahead of ours before a time counts as one of another day."""
_DAY = 86_400_000_000
_CHANNELS = ("orderer", "media_class_name", "order_staff_no", "order_media_class_name")
_NIGHT = "domestic_futureoption/inquire_ngt_ccnl"
_TODAY = "overseas_futureoption/inquire_ccld"
_LENGTH = 12
"""Of a bond's symbol, its standard code."""
_SHORT = 8
"""Of what is left of it in KIS's list, at the least."""
Part: TypeAlias = Literal["", "night", "today", "reserved"]
"""Which of a market's lists: of the days as a rule; of the session that runs over midnight; of the
day alone, where the list of the days may be behind; of what waits for the next opening."""
_CANCEL = "취소"
"""In the name of a row that is a cancellation, where KIS has no code for it."""


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """One order number as the exchange knows it: an order, a modification or a cancellation."""

    market: str
    order_no: str
    original_order_no: str
    """Of the order that this changes; blank for a new one."""
    org_no: str
    action: Literal["place", "modify", "cancel"]
    symbol: str
    side: str
    order_type: str
    """By its workbook name; blank when KIS says none, or none that can be compared."""
    quantity: int
    price: Decimal
    filled: int
    value: Decimal
    """Of what is filled, price x quantity."""
    remaining: int
    cancelled: int
    rejected: int
    at: int | None
    """When it was ordered, µs since the epoch, whole seconds; None: KIS does not say."""
    channel: Literal["", "api", "elsewhere"] = ""
    """How it came to KIS: by its Open API, or by telephone, web or a person's terminal. Blank: KIS
    does not say."""
    venue: str = ""
    """Where it stands; blank: at an exchange that is not known here."""
    loan_date: str = ""
    """Of what was bought or sold on credit; blank: with what the account has."""
    sure: bool = True
    """What it does is known: not all lists tell a modification from a cancellation."""

    @property
    def key(self) -> tuple[date | None, str]:
        """What tells it from the other rows: numbers start again each day."""
        return self.day, plain(self.order_no)

    @property
    def day(self) -> date | None:
        return None if self.at is None else seoul_day(self.at)


def plain(order_no: str) -> str:
    """Return an order number without its padding."""
    return order_no.strip().lstrip("0")


@dataclass(frozen=True, slots=True)
class OrderList:
    """What the exchange has of an account in a market."""

    rows: list[ListedOrder]
    """Oldest first."""
    complete: bool
    """Whether every page was read that KIS announced in any way, and every row says what it is."""

    @classmethod
    def of(cls, parts: Sequence[OrderList]) -> OrderList:
        """Join the lists of a market."""
        rows = sorted((row for one in parts for row in one.rows), key=lambda row: row.at or 0)
        found: dict[tuple[date | None, str], ListedOrder] = {}
        for row in rows:
            # An order that comes in while pages are read shifts the rows, so that one can come
            # twice; and of two lists, one may be behind.
            known = found.get(row.key)
            found[row.key] = row if known is None else _further(known, row)
        sure = all(row.sure for row in found.values())
        return cls(list(found.values()), sure and all(one.complete for one in parts))


def _further(one: ListedOrder, other: ListedOrder) -> ListedOrder:
    """Return what two lists know of one number together."""
    if bool(one.original_order_no) is not bool(other.original_order_no):
        # What was reserved is an order like any other by now, and only its own list says so.
        linked, order = (one, other) if one.original_order_no else (other, one)
        if linked.action == "modify":
            original = linked.original_order_no
            return replace(order, action="modify", original_order_no=original)
    teller = other if other.sure else one
    further = one if one.filled > other.filled else other
    if teller.action == "cancel" or further.filled == teller.filled:
        return teller
    return replace(further, action=teller.action, sure=teller.sure)


def same_symbol(listed: str, ordered: str) -> bool:
    """Tell whether a list's symbol is the one of an order: of bonds KIS lists a short one."""
    short = len(ordered) == _LENGTH and _SHORT <= len(listed) < _LENGTH
    return listed == ordered or (short and listed in ordered)


def lists(market: str, venues: Collection[str]) -> tuple[Part, ...]:
    """Return which lists a market has for orders that are at these venues."""
    if market == "overseas_derivative":
        return "today", ""
    if any(venue.endswith(RESERVED) for venue in venues):
        return "", "reserved"
    return ("", "night") if NIGHT[1] in venues else ("",)


def ask(
    catalog: Catalog,
    *,
    market: str,
    account: str,
    first: date,
    last: date,
    paper: bool,
    part: Part = "",
) -> OrderCall:
    """Write the query of all orders of those Korean days, oldest first where KIS sorts."""
    values = account_values(account) | {"sort": "oldest_first"}
    days = {"from_date": f"{first:%Y%m%d}", "to_date": f"{last:%Y%m%d}"}
    variant, raw = "", {}
    match market:
        case "domestic_stock":
            api, variant = "domestic_stock/inquire_daily_ccld", "within_3_months"
            values |= days | {"org_no": "", "product": "", "exchange": "krx" if paper else "all"}
        case "overseas_stock":
            # Local dates: the other side of the date line is a day behind.
            api = "overseas_stock/inquire_ccnl"
            values |= days | {"from_date": f"{first - timedelta(days=1):%Y%m%d}"}
            values |= {"side": "all", "fill_state": "all"}
            values |= {"org_no": "", "order_no": "", "order_date": ""}
            everything = "" if paper else "%"
            raw = {"symbol": everything, "exchange": everything}
        case "overseas_derivative":
            api = "overseas_futureoption/inquire_daily_order"
            # A trading day overseas may begin on the day before, and end on the one after.
            values = account_values(account) | {"fill_state": "all", "derivative_class": "all"}
            values |= {
                "from_date": f"{first - timedelta(days=1):%Y%m%d}",
                "to_date": f"{last + timedelta(days=1):%Y%m%d}",
                "product_group": "",
            }
            if part == "today":
                api = _TODAY
                values = account_values(account) | {"fill_state": "all", "derivative_class": "all"}
            raw = {"side": "%%"}
        case "domestic_bond":
            api = "domestic_bond/inquire_daily_ccld"
            values |= days | {"side": "all", "unfilled": "all", "symbol": ""}
        case _ if part == "night":
            # A night may be listed under the trading day after it, which may be after a weekend.
            api = _NIGHT
            values |= days | {"to_date": f"{last + timedelta(days=4):%Y%m%d}"}
            values |= {"side": "all", "fill_state": "all", "start_order_no": "", "symbol": ""}
            del values["sort"]
            raw = {"sort": "AS"}
        case _:
            api = "domestic_futureoption/inquire_ccnl"
            values |= days | {
                "side": "all",
                "fill_state": "all",
                "start_order_no": "",
                "symbol": "",
            }
    return OrderCall(api, variant, wire(catalog, api, values, raw), market)


def rows(catalog: Catalog, call: OrderCall, body: Mapping[str, Any], now: int) -> list[ListedOrder]:
    """Read one page, answered ``now``; raises :class:`DecodeError` for a row that it cannot."""
    api = catalog.apis[call.api]
    read = []
    for values in blocks(catalog, call, body):
        if values.get("order_no", "").strip("0"):
            read.append(_row(catalog, api, call.market, values, now))
        elif values.get("order_quantity", "").strip("0."):
            raise DecodeError(f"{call.api}: an order has no order_no")
    return read


def blocks(catalog: Catalog, call: OrderCall, body: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the values of each row of a page, by English path."""
    output = orders_of(catalog.apis[call.api])
    # No list is not an empty list: that one would prove that nothing was placed.
    if output.name not in body:
        raise DecodeError(f"{call.api}: the answer has no {output.name}")
    block = body[output.name]
    found = [block] if isinstance(block, dict) else block
    if not isinstance(found, list):
        raise DecodeError(f"{call.api}: {output.name} is no list")
    names = {field.name.lower(): field.path for field in output.fields}
    return [
        {
            names[name.lower()]: value.strip()
            for name, value in row.items()
            if isinstance(value, str) and name.lower() in names
        }
        for row in found
        if isinstance(row, Mapping)
    ]


def orders_of(api: Api) -> Output:
    """Return the block of an answer that has a row for each order, and not for their sums."""
    named = (one for one in api.outputs if any(field.path == "order_no" for field in one.fields))
    return next(one for one in named if one.array)


def _row(
    catalog: Catalog, api: Api, market: str, values: Mapping[str, str], now: int
) -> ListedOrder:
    def amount(path: str) -> Decimal:
        try:
            text = number(values.get(path, ""))
        except DecodeError as error:
            raise DecodeError(f"{api.name}: {path} is no number") from error
        value = Decimal(0) if text == "null" else Decimal(text)
        if abs(value) >= MOST:
            raise DecodeError(f"{api.name}: {path} is out of range")
        return value

    original = values.get("original_order_no", "")
    original = original if original.strip("0") else ""
    action = _action(values) if original else "place"
    quantity, filled = int(amount("order_quantity")), int(amount("filled_quantity"))
    rejected = int(amount("rejected_quantity"))
    price, value = amount("order_price"), amount("filled_value")
    symbol, sure = values.get("symbol", ""), True
    match market:
        case "domestic_stock":
            remaining = int(amount("remaining_quantity"))
            cancelled = int(amount("cancelled_quantity"))
            kind = _order_type(catalog, values.get("order_type", ""))
            at = moment(values.get("order_date", ""), values.get("order_time", ""))
        case "overseas_stock":
            remaining, kind = int(amount("remaining_quantity")), ""
            if values.get("reject_reason", "").strip("0"):
                rejected = quantity - filled
            cancelled = _gone(action, quantity, filled, remaining, rejected)
            at = moment(values.get("domestic_order_date", ""), values.get("house_order_time", ""))
        case "overseas_derivative":
            remaining, kind = int(amount("remaining_quantity")), ""
            if values.get("reject_reason_name") or values.get("receipt_class") == "03":
                rejected = quantity - filled
            cancelled = _gone(action, quantity, filled, remaining, rejected)
            value = amount("price") * filled  # without the multiplier
            at = _detailed(values)
            sure = not original or api.name != _TODAY
        case "domestic_bond":
            remaining, kind = int(amount("remaining_quantity")), ""
            cancelled = _gone(action, quantity, filled, remaining, rejected)
            value = amount("bond_average_price") * filled  # KIS's is in won
            at = moment(values.get("order_date", ""), values.get("order_time", ""))
            symbol = values.get("short_symbol", "")
        case _:
            remaining, kind = int(amount("quantity")), ""
            cancelled = _gone(action, quantity, filled, remaining, rejected)
            value = Decimal(0)  # in won, with the multiplier
            at = moment(values.get("order_date", ""), values.get("order_time", ""))
            if at is not None and at > now + _ASKEW:  # of a night, under the day that follows
                at -= ceil((at - now - _ASKEW) / _DAY) * _DAY
    if filled and not value:
        value = (amount("average_price") or amount("fill_price")) * filled
    return ListedOrder(
        market=market,
        order_no=values["order_no"],
        original_order_no=original,
        org_no=values.get("org_no", "") or _day_of(market, values),
        action=action,
        symbol=symbol,
        side={"01": "sell", "02": "buy"}.get(values.get("side", ""), ""),
        order_type=kind,
        quantity=quantity,
        price=price,
        filled=filled,
        value=value,
        remaining=remaining,
        cancelled=cancelled,
        rejected=rejected,
        at=at,
        channel=channel(catalog, values),
        venue=_venue(catalog, api, market, values),
        loan_date=values.get("loan_date", "").strip("0") if market == "domestic_stock" else "",
        sure=sure,
    )


def _day_of(market: str, values: Mapping[str, str]) -> str:
    """Return the day that KIS wants beside an order's number, overseas."""
    return values.get("order_date", "") if market == "overseas_derivative" else ""


def _detailed(values: Mapping[str, str]) -> int | None:
    """Return when an order came in, of a list that writes day and time as one."""
    said = values.get("receipt_datetime") or values.get("registration_datetime") or ""
    return moment(said[:8], said[8:14])


def _venue(catalog: Catalog, api: Api, market: str, values: Mapping[str, str]) -> str:
    said = values.get("exchange", "")
    match market:
        case "domestic_stock":  # which of them it stands at, KIS finds out by the number
            return at_exchange(market, said.lower()) or "krx"
        case "overseas_stock":
            names = (x.name for x in catalog.codes["overseas_exchange"] if x.code == said)
            return at_exchange(market, next(names, "?"))
        case "overseas_derivative":
            return "all"
    return NIGHT[1] if api.name == _NIGHT else "krx"


def _action(values: Mapping[str, str]) -> Literal["modify", "cancel"]:
    names = ("side_name", "trade_class_name", "modify_cancel_name")
    cancels = values.get("modify_cancel") == "02" or any(
        _CANCEL in values.get(name, "") for name in names
    )
    return "cancel" if cancels else "modify"


def channel(catalog: Catalog, values: Mapping[str, str]) -> Literal["", "api", "elsewhere"]:
    """Return how an order came to KIS: each market's list says so in a column of its own."""
    said = next(filter(None, (values.get(name, "") for name in _CHANNELS)), "")
    if not said:
        return ""
    known = {code.code for code in catalog.codes.get("order_channel", ())}
    # With a workbook that does not know the words nothing can be told.
    return "" if not known else "api" if said in known else "elsewhere"


def _gone(action: str, quantity: int, filled: int, remaining: int, rejected: int) -> int:
    """Return what was cancelled, where KIS does not say it: what is nowhere else."""
    if action == "cancel":
        return 0 if rejected else quantity
    return max(0, quantity - filled - rejected) if not remaining else 0


def _order_type(catalog: Catalog, code: str) -> str:
    return next((x.name for x in catalog.codes["order_type"] if x.code == code), "")


def moment(day: str, clock: str) -> int | None:
    """Return a Korean day and time in µs since the epoch; None: it is none."""
    try:
        found = datetime.strptime(day + clock, "%Y%m%d%H%M%S").replace(tzinfo=SEOUL)
    except ValueError:
        return None
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        return None
    return int(found.timestamp()) * 1_000_000
