"""Orders for overseas stocks that are kept until their exchange opens (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.tickets import OffBookTicket

__all__ = ["ReservedOrder", "ReservedOrders", "ReservedState"]

ReservedState = Literal["kept", "ordered", "refused", "cancelled"]

_MOST_KEPT = 500
"""Of an account that wait for an opening."""
_MOST = 5_000
"""That are remembered in all; those that are over are forgotten first."""
_FIRST_NUMBER = 1


@dataclass(slots=True, eq=False)
class ReservedOrder:
    """One of them, under a number of its own."""

    number: str
    account: str
    exchange: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    kind: str
    product: str
    """KIS's class of the symbol; blank where a customer did not say it."""
    at: datetime
    due: datetime
    """When its exchange opens."""
    date: date
    """On which it was taken, in Korea."""
    state: ReservedState = "kept"
    ticket: OffBookTicket | None = None
    """The order that became of it."""
    forwarded: datetime | None = None
    reason: str = ""
    """Why nothing did."""


@dataclass(slots=True)
class ReservedOrders:
    """All of them, oldest first."""

    kept: dict[str, ReservedOrder] = field(default_factory=dict)
    numbered: int = 0

    def take(
        self,
        account: str,
        exchange: str,
        symbol: str,
        side: Side,
        quantity: int,
        price: Decimal,
        *,
        kind: str,
        product: str,
        now: datetime,
        due: datetime,
    ) -> ReservedOrder:
        """Keep an order; money and shares are asked for when it is carried out."""
        if not 0 < quantity < 10**9:
            raise OrderRefused("quantity")
        if not price.is_finite() or not 0 <= price < 10**12:
            raise OrderRefused("limit")
        waiting = sum(one.state == "kept" and one.account == account for one in self.kept.values())
        if waiting >= _MOST_KEPT:
            raise OrderRefused("quantity")
        self.numbered += 1
        made = ReservedOrder(
            number=f"{_FIRST_NUMBER + self.numbered - 1:010d}",
            account=account,
            exchange=exchange,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            kind=kind,
            product=product,
            at=now,
            due=due,
            date=now.date(),
        )
        if len(self.kept) >= _MOST:
            over = next((n for n, one in self.kept.items() if one.state != "kept"), None)
            if over is None:
                raise OrderRefused("quantity")
            del self.kept[over]
        self.kept[made.number] = made
        return made

    def cancel(self, account: str, number: str, day: str) -> ReservedOrder:
        """Give up one of an account's; ``day`` is the date on which it was taken, if said."""
        found = self.kept.get(number.zfill(10))
        if found is None or found.account != account or day not in ("", f"{found.date:%Y%m%d}"):
            raise OrderRefused("order")
        if found.state != "kept":
            raise OrderRefused("left")
        found.state = "cancelled"
        return found

    def of(self, account: str) -> Iterator[ReservedOrder]:
        """Yield those of an account, oldest first."""
        return (one for one in self.kept.values() if one.account == account)

    def carry_out(
        self, now: datetime, place: Callable[[ReservedOrder, datetime], OffBookTicket]
    ) -> None:
        """Place those whose exchange has opened; what is refused then says why."""
        for one in [one for one in self.kept.values() if one.state == "kept" and one.due <= now]:
            one.forwarded = now
            try:
                one.ticket = place(one, now)
            except OrderRefused as refused:
                one.state, one.reason = "refused", refused.reason
            else:
                one.state = "ordered"
