"""Reservation orders (pure): kept over night, sent when the exchange next opens.

One with a last day is sent again, for what is left of it, every trading day until then. Its sending
is an order like any other, or a refusal that the list of reservations tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Protocol

from bridge.simulator.exchange.admission import check_credit, check_terms
from bridge.simulator.exchange.kinds import KINDS
from bridge.simulator.exchange.ledger import StockAccount
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.sessions import SessionTurn, Timing
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest, Reason, Ticket

__all__ = ["Reservation", "Reservations"]

_KINDS = {"00", "01", "02", "05"}
_TAKEN = ((time(15, 40), time(23, 40)), (time(0, 10), time(7, 30)))
"""When KIS takes reservation orders; it is down around midnight."""
_LONGEST = timedelta(days=30)
_MOST = 1_000
"""Reservations of one account that wait; whoever has so many gets no more."""


class Broker(Protocol):
    """Whoever takes the orders when their time has come."""

    accounts: dict[str, StockAccount]

    def market(self, symbol: str, now: datetime) -> Market: ...

    def place(self, request: OrderRequest, now: datetime) -> Ticket: ...


@dataclass(slots=True, eq=False)
class Reservation:
    """One reservation order and what became of it."""

    number: str
    request: OrderRequest
    name: str
    at: datetime
    first: date
    """The first trading day on which it is sent."""
    last: date
    until: str = ""
    """The last day as it was asked for; blank: one day only."""
    cancelled_at: datetime | None = None
    refused: Reason | None = None
    """Why it was not taken when it was sent last."""
    sent_on: date | None = None
    tickets: list[Ticket] = field(default_factory=list)

    @property
    def filled(self) -> int:
        return sum(ticket.filled for ticket in self.tickets)

    @property
    def value(self) -> int:
        return sum(ticket.value for ticket in self.tickets)

    @property
    def left(self) -> int:
        return self.request.quantity - self.filled


class Reservations:
    """All reservation orders, oldest first."""

    def __init__(self, broker: Broker, timing: Timing) -> None:
        self._broker, self._timing = broker, timing
        self._next = 1
        self.all: dict[str, Reservation] = {}
        self.live: dict[str, Reservation] = {}
        """Those that will be sent, or sent again."""

    def add(self, request: OrderRequest, until: str, now: datetime) -> Reservation:
        """Keep an order for the next opening; raise OrderRefused for what KIS does not keep."""
        self._check_hours(now)
        market = self._check(request, now)
        account = request.account
        if sum(one.request.account == account for one in self.live.values()) >= _MOST:
            raise OrderRefused("reservation")
        first, last = self._days(until, now)
        kept = Reservation(str(self._next), request, market.listing.name, now, first, last, until)
        self._next += 1
        self.all[kept.number] = self.live[kept.number] = kept
        return kept

    def modify(
        self, account: str, number: str, request: OrderRequest, until: str, now: datetime
    ) -> Reservation:
        """Change a reservation that has not been sent; it stays under its number."""
        self._check_hours(now)
        kept = self._find(account, number)
        self._check(request, now)
        kept.first, kept.last = self._days(until, now)
        kept.request, kept.until = request, until
        return kept

    def cancel(self, account: str, number: str, now: datetime) -> Reservation:
        """Forget a reservation that has not been sent."""
        self._check_hours(now)
        kept = self._find(account, number)
        kept.cancelled_at = now
        del self.live[number]
        return kept

    def turn(self, turn: SessionTurn) -> None:
        """Send what is due when orders for the opening are first taken."""
        if turn.venue == "krx" and turn.what == "opens":
            slot = {"opening_auction": "main", "pre_open_after_hours": "pre_open"}
            if turn.session in slot:
                self.send(turn.at, slot[turn.session])

    def send(self, now: datetime, slot: str = "") -> None:
        """Send what is due on a day; blank ``slot``: whatever its hours are."""
        for kept in list(self.live.values()):
            if slot and KINDS[kept.request.kind].slot != slot:
                continue
            if kept.first <= now.date() <= kept.last and kept.sent_on != now.date():
                self._send(kept, now)
            if now.date() >= kept.last or not kept.left:
                del self.live[kept.number]

    # -- inside

    def _send(self, kept: Reservation, now: datetime) -> None:
        kept.sent_on, kept.refused = now.date(), None
        request = replace(kept.request, quantity=kept.left)
        if request.credit and request.opens:
            # A new loan begins when it is taken, not when it was reserved.
            request = replace(request, lent_on=f"{now:%Y%m%d}")
        try:
            ticket = self._broker.place(request, now)
        except OrderRefused as refused:
            kept.refused = refused.reason
            return
        ticket.reservation = f"{kept.last:%Y%m%d}"
        kept.tickets.append(ticket)

    def _find(self, account: str, number: str) -> Reservation:
        kept = self.all.get(number)
        if kept is None or kept.request.account != account:
            raise OrderRefused("order")
        if number not in self.live:
            raise OrderRefused("reservation_state")
        return kept

    def _check(self, request: OrderRequest, now: datetime) -> Market:
        account = self._broker.accounts.get(request.account)
        if account is None:
            raise OrderRefused("account")
        market = self._broker.market(request.symbol, now)
        check_terms(request, market, KINDS.get(request.kind) if request.kind in _KINDS else None)
        check_credit(request, now, pension=account.pension)
        return market

    def _check_hours(self, now: datetime) -> None:
        if self._timing.calendar is None or not self._timing.trades_on(now.date()):
            return
        if not any(since <= now.time() < until for since, until in _TAKEN):
            raise OrderRefused("reservation_hours")

    def _days(self, until: str, now: datetime) -> tuple[date, date]:
        """Return the first and the last day on which it is sent."""
        today = now.date()
        early = self._timing.calendar is not None and now.time() < _TAKEN[1][1]
        first = self._timing.business_day(today if early else today + timedelta(days=1), 0)
        if not until:
            return first, first
        try:
            last = datetime.strptime(until, "%Y%m%d").date()  # noqa: DTZ007 - a date
        except ValueError:
            raise OrderRefused("reservation") from None
        if not first <= last <= today + _LONGEST:
            raise OrderRefused("reservation")
        return first, last
