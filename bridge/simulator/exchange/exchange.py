"""The exchange and what a broker checks before it, behind the simulated KIS (pure, seeded).

Time comes in as an aware ``datetime`` of the Korean day. What happens to users' orders is appended
to :attr:`Exchange.events` in the order in which it happened; the shell collects it from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from random import Random

from bridge.calendar.hours import Calendar
from bridge.simulator.exchange import listings, opening, ticks, traders
from bridge.simulator.exchange.ledger import CashAccount, Holding
from bridge.simulator.exchange.market import Listing, Market
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.sessions import Session, session
from bridge.simulator.exchange.tickets import (
    EventKind,
    ExchangeEvent,
    OrderRefused,
    OrderRequest,
    Ticket,
)

__all__ = ["Exchange", "with_holdings"]

LIMIT, MARKET, CONDITIONAL, BEST, TOP, STOP, MIDDLE = "00", "01", "02", "03", "04", "22", "21"
_IOC = {"11": LIMIT, "13": MARKET, "15": BEST, "23": MIDDLE}
_FOK = {"12": LIMIT, "14": MARKET, "16": BEST, "24": MIDDLE}
_RESTING = {LIMIT, MARKET, CONDITIONAL, BEST, TOP, STOP, MIDDLE}
_PRICED = {LIMIT, CONDITIONAL, STOP}
_BY_VENUE = {
    "KRX": _RESTING | _IOC.keys() | _FOK.keys(),
    "NXT": (_RESTING - {MARKET, CONDITIONAL}) | _IOC.keys() | _FOK.keys(),
    "SOR": {LIMIT, MARKET, BEST, TOP, "11", "12", "13", "14", "15", "16"},
}


class Exchange:
    """All markets, accounts and users' orders."""

    def __init__(
        self,
        *,
        seed: int = 0,
        calendar: Calendar | None = None,
        accounts: Iterable[CashAccount] = (),
    ) -> None:
        self._seed = seed
        self._calendar = calendar
        self._random = Random(f"exchange {seed}")  # noqa: S311 - a market, not a secret
        self._number = self._random.randrange(1_000, 60_000)
        self._day: date | None = None
        self._owner: dict[Order, Ticket] = {}
        self._stops: dict[str, list[Ticket]] = {}
        self.accounts = {account.number: account for account in accounts}
        self.markets: dict[str, Market] = {}
        self.tickets: dict[str, Ticket] = {}
        """Every order, change and cancellation that was taken, by its number, oldest first."""
        self.events: list[ExchangeEvent] = []
        self.refuse_next: deque[str] = deque()
        """For tests: symbols whose next order is taken and then refused by the exchange."""

    # -- markets

    def session(self, now: datetime) -> Session:
        return session(now, self._calendar)

    def market(self, symbol: str, now: datetime) -> Market:
        """Return the market of a symbol, listing it when it is new."""
        found = self.markets.get(symbol)
        if self._day != now.date():
            self._day = now.date()
            for account in self.accounts.values():
                account.new_day()
        if found is not None and found.opened_at.date() != self._day:
            found = self._new_day(found, now)
        if found is None:
            if not listings.plausible(symbol):
                raise OrderRefused("symbol")
            found = self._open(listings.listing(symbol, self._seed), now)
        return found

    def preview(self, symbol: str, now: datetime) -> Market:
        """Return a market as it would open now; it is neither listed nor kept."""
        return self._opened(listings.listing(symbol, self._seed), now)

    def act(self, symbol: str, now: datetime) -> None:
        """Let the traders act once in a market, when it is open."""
        market = self.market(symbol, now)
        if self.session(now) == "open":
            traders.act(market, now)
            self._trigger(market, now)

    def working(self) -> set[str]:
        """Return the symbols in which users' orders wait."""
        stops = {symbol for symbol, tickets in self._stops.items() if tickets}
        return stops | {ticket.request.symbol for ticket in self._owner.values()}

    # -- orders

    def place(self, request: OrderRequest, now: datetime) -> Ticket:
        """Take a new order or raise :class:`OrderRefused`; it may have traded when this returns."""
        market, account = self._admit(request, now)
        ticket = Ticket(self._next_number(), request, market.listing.name, now)
        ticket.reserve_price = self._price(market, request)
        reserved = account.reserve(
            request.side, request.symbol, request.quantity, ticket.reserve_price
        )
        if not reserved:
            raise OrderRefused("cash" if request.side is Side.BUY else "holdings")
        self.tickets[ticket.number] = ticket
        self._tell("taken", ticket, now, request.quantity, request.price)
        if request.symbol in self.refuse_next:
            self.refuse_next.remove(request.symbol)
            ticket.refused = request.quantity
            account.release(request.side, request.symbol, request.quantity, ticket.reserve_price)
            self._tell("refused", ticket, now, request.quantity, request.price)
        else:
            self._work(market, ticket, request.quantity, now)
            self._trigger(market, now)
        return ticket

    def modify(
        self,
        account: str,
        number: str,
        *,
        quantity: int | None,
        price: int,
        kind: str,
        trigger: int = 0,
        now: datetime,
    ) -> Ticket:
        """Move ``quantity`` (None: all that is left) of an order to a new price and number."""
        old, quantity = self._find(account, number, quantity)
        request = replace(old.request, quantity=quantity, price=price, kind=kind, trigger=trigger)
        market, owner = self._admit(request, now)
        reserve_price = self._price(market, request)
        side, symbol = request.side, request.symbol
        owner.release(side, symbol, quantity, old.reserve_price)
        if not owner.reserve(side, symbol, quantity, reserve_price):
            owner.reserve(side, symbol, quantity, old.reserve_price)
            raise OrderRefused("cash")
        self._withdraw(old, quantity)
        old.moved += quantity
        new = Ticket(self._next_number(), request, old.name, now, "modify", old.number)
        new.reserve_price = reserve_price
        self.tickets[new.number] = new
        self._tell("taken", new, now, quantity, price)
        self._tell("confirmed", new, now, quantity, price)
        self._work(market, new, quantity, now)
        self._trigger(market, now)
        return new

    def cancel(self, account: str, number: str, *, quantity: int | None, now: datetime) -> Ticket:
        """Cancel ``quantity`` (None: all that is left); the rest keeps its place in the queue."""
        old, quantity = self._find(account, number, quantity)
        self._check_session(now)
        self._drop(old, quantity)
        request = replace(old.request, quantity=quantity)
        ticket = Ticket(self._next_number(), request, old.name, now, "cancel", old.number)
        ticket.cancelled = quantity
        self.tickets[ticket.number] = ticket
        self._tell("taken", ticket, now, quantity, request.price)
        self._tell("confirmed", ticket, now, quantity, request.price)
        return ticket

    # -- inside

    def _admit(self, request: OrderRequest, now: datetime) -> tuple[Market, CashAccount]:
        account = self.accounts.get(request.account)
        if account is None:
            raise OrderRefused("account")
        market = self.market(request.symbol, now)
        self._check_session(now)
        if request.kind not in _BY_VENUE.get(request.venue, set()):
            raise OrderRefused("kind")
        if not 0 < request.quantity < 10**9:
            raise OrderRefused("quantity")
        kind = _plain(request.kind)
        prices = [request.price] if kind in _PRICED else []
        prices += [request.trigger] if kind == STOP else []
        prices += [request.price] if kind == MIDDLE and request.price else []
        for price in prices:
            if not ticks.on_grid(price):
                raise OrderRefused("tick")
            if not market.lower <= price <= market.upper:
                raise OrderRefused("limit")
        if not self._price(market, request):
            raise OrderRefused("no_price")
        return market, account

    def _check_session(self, now: datetime) -> None:
        state = self.session(now)
        if state != "open":
            raise OrderRefused("session", state)

    def _price(self, market: Market, request: OrderRequest) -> int:
        """Return the limit an order enters with; 0 when the book names none."""
        kind, side = _plain(request.kind), request.side
        if kind == BEST:
            return market.book.best(side.other)
        if kind == TOP:
            return market.book.best(side)
        if kind == MARKET or (kind == MIDDLE and not request.price):
            return market.upper if side is Side.BUY else market.lower
        return request.price

    def _work(self, market: Market, ticket: Ticket, quantity: int, now: datetime) -> None:
        """Bring an order into the market."""
        request = ticket.request
        kind = _plain(request.kind)
        if kind == STOP and not _triggered(request, market.last):
            self._stops.setdefault(request.symbol, []).append(ticket)
            return
        order = Order(request.side, self._price(market, request), quantity)
        if request.kind in _FOK:
            enough = (
                market.middle_size(order)
                if kind == MIDDLE
                else market.book.available(order.side, order.price)
            )
            if enough < quantity:
                ticket.order = order
                self._lapse(ticket, now)
                return
        ticket.order = order
        self._owner[order] = ticket
        rest = request.kind in _RESTING
        if kind == MIDDLE:
            market.enter_middle(order, now, rest=rest)
        else:
            market.enter(order, now, rest=rest and kind != MARKET)
            if kind == MARKET and rest and order.remaining:
                # What a market order leaves waits at the price it came to.
                order.price = market.last
                market.book.add(order)
        if not rest and order.remaining:
            self._lapse(ticket, now)

    def _lapse(self, ticket: Ticket, now: datetime) -> None:
        """End an immediate order that the market did not fill."""
        order, request = ticket.order, ticket.request
        left = order.remaining if order else 0
        if order:
            order.remaining = 0
            self._owner.pop(order, None)
        ticket.cancelled += left
        account = self.accounts[request.account]
        account.release(request.side, request.symbol, left, ticket.reserve_price)
        self._tell("lapsed", ticket, now, left, request.price)

    def _trigger(self, market: Market, now: datetime) -> None:
        waiting = self._stops.get(market.symbol)
        while waiting:
            ready = [t for t in waiting if _triggered(t.request, market.last)]
            if not ready:
                return
            for ticket in ready:
                waiting.remove(ticket)
                request = ticket.request
                order = ticket.order = Order(request.side, request.price, ticket.remaining)
                self._owner[order] = ticket
                market.enter(order, now, rest=True)

    def _find(self, account: str, number: str, quantity: int | None) -> tuple[Ticket, int]:
        if account not in self.accounts:
            raise OrderRefused("account")
        ticket = self.tickets.get(number)
        if ticket is None or ticket.request.account != account:
            raise OrderRefused("order")
        if not ticket.remaining:
            raise OrderRefused("left")
        if quantity is None:
            quantity = ticket.remaining
        if quantity <= 0:
            raise OrderRefused("quantity")
        if quantity > ticket.remaining:
            raise OrderRefused("left")
        return ticket, quantity

    def _withdraw(self, ticket: Ticket, quantity: int) -> None:
        """Take shares out of the market, leaving the account as it is."""
        if ticket.order:
            self.markets[ticket.request.symbol].withdraw(ticket.order, quantity)
            if not ticket.order.remaining:
                del self._owner[ticket.order]
        elif quantity == ticket.remaining:
            self._stops[ticket.request.symbol].remove(ticket)

    def _drop(self, ticket: Ticket, quantity: int) -> None:
        request = ticket.request
        self._withdraw(ticket, quantity)
        ticket.cancelled += quantity
        account = self.accounts[request.account]
        account.release(request.side, request.symbol, quantity, ticket.reserve_price)

    def _filled(self, order: Order, price: int, quantity: int, now: datetime) -> None:
        ticket = self._owner.get(order)
        if ticket is None:
            return
        request = ticket.request
        account = self.accounts[request.account]
        account.release(request.side, request.symbol, quantity, ticket.reserve_price)
        account.settle(request.side, request.symbol, quantity, price)
        ticket.filled += quantity
        ticket.value += quantity * price
        if not ticket.remaining:
            del self._owner[order]
        self._tell("filled", ticket, now, quantity, price)

    def _tell(
        self,
        kind: EventKind,
        ticket: Ticket,
        now: datetime,
        quantity: int,
        price: int,
    ) -> None:
        self.events.append(ExchangeEvent(kind, ticket, now, quantity, price))

    def _next_number(self) -> str:
        self._number += self._random.randrange(1, 10)
        return f"{self._number:010d}"

    def _open(self, listing: Listing, now: datetime) -> Market:
        market = self.markets[listing.symbol] = self._opened(listing, now)
        return market

    def _opened(self, listing: Listing, now: datetime) -> Market:
        draw = Random(f"market {self._seed} {listing.symbol} {now.date()}")  # noqa: S311
        market = Market(listing, now, draw, self._filled)
        opening.begin(market, now)
        return market

    def _new_day(self, market: Market, now: datetime) -> Market:
        """End a symbol's day: what waits is cancelled, and the last price is the new base."""
        for ticket in list(self.tickets.values()):
            if ticket.request.symbol == market.symbol and ticket.remaining:
                self._drop(ticket, ticket.remaining)
        base = ticks.down(market.last)
        return self._open(replace(market.listing, base=base, previous_volume=market.volume), now)


def with_holdings(number: str, cash: int, holdings: Iterable[tuple[str, int, int]]) -> CashAccount:
    """Return an account that owns shares: (symbol, quantity, price paid)."""
    account = CashAccount(number, cash)
    for symbol, quantity, price in holdings:
        account.holdings[symbol] = Holding(quantity, quantity * price)
    return account


def _plain(kind: str) -> str:
    """Return the resting kind that prices like an immediate one."""
    return _IOC.get(kind) or _FOK.get(kind) or kind


def _triggered(request: OrderRequest, last: int) -> bool:
    return last >= request.trigger if request.side is Side.BUY else last <= request.trigger
