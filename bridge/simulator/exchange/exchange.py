"""The exchange and what a broker checks before it, behind the simulated KIS (pure, seeded).

Time comes in as an aware ``datetime`` of the Korean day. What happens to users' orders is appended
to :attr:`Exchange.events` in the order in which it happened; the shell collects it from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from random import Random

from bridge.calendar.hours import Calendar
from bridge.simulator.exchange import listings, opening, ticks, traders
from bridge.simulator.exchange.admission import check
from bridge.simulator.exchange.floor import Floor, entry_price
from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.kinds import KINDS, in_auction
from bridge.simulator.exchange.ledger import Holding, StockAccount
from bridge.simulator.exchange.market import Listing, Market
from bridge.simulator.exchange.reservations import Reservations
from bridge.simulator.exchange.sessions import Session, Timing
from bridge.simulator.exchange.tickets import (
    EventKind,
    ExchangeEvent,
    OrderRefused,
    OrderRequest,
    Ticket,
)

__all__ = ["Exchange", "with_holdings"]

_LONGEST_ABSENCE = timedelta(days=60)
_MOST_MARKETS = 2_000
"""Symbols that have a book at a time; about 40 KB each."""
_MOST_SHARES = 10**9 - 1


class Exchange:
    """All markets, accounts and users' orders."""

    def __init__(
        self,
        *,
        seed: int = 0,
        calendar: Calendar | None = None,
        accounts: Iterable[StockAccount] = (),
    ) -> None:
        self._seed = seed
        self._random = Random(f"exchange {seed}")  # noqa: S311 - a market, not a secret
        self._number = self._random.randrange(1_000, 60_000)
        self._day: date | None = None
        self._seen: datetime | None = None
        self._next_turn: datetime | None = None
        self.timing = Timing(calendar)
        """When the exchanges are open."""
        self.accounts = {account.number: account for account in accounts}
        self.markets: dict[str, Market] = {}
        self.halts = SymbolHalts()
        """What stands still because somebody has said so."""
        self.floor = Floor(self.markets, self.timing, self, self.halts)
        """Users' open orders."""
        self.reservations = Reservations(self, self.timing)
        self.tickets: dict[str, Ticket] = {}
        """Every order, change and cancellation that was taken, by its number, oldest first."""
        self.events: list[ExchangeEvent] = []
        self.on_close: Callable[[Market], None] = lambda market: None
        """Is told of each market whose day is over."""
        self.refuse_next: deque[str] = deque()
        """For tests: symbols whose next order is taken and then refused by the exchange."""

    # -- markets

    def session(self, now: datetime) -> Session:
        return self.timing.session(now)

    def market(self, symbol: str, now: datetime) -> Market:
        """Return the market of a symbol, listing it when it is new."""
        self.advance(now)
        found = self.markets.get(symbol)
        if found is not None and found.opened_at.date() != self._day:
            self.on_close(found)
            # The last price is the new base.
            base = ticks.down(found.last)
            listing = replace(found.listing, base=base, previous_volume=found.volume)
            found = self._open(listing, now)
        if found is None:
            if not listings.plausible(symbol):
                raise OrderRefused("symbol")
            if len(self.markets) >= _MOST_MARKETS:
                self._forget()
            found = self._open(listings.listing(symbol, self._seed), now)
        if (until := self.halts.auctions.get(symbol)) is not None and now >= until:
            del self.halts.auctions[symbol]
            found.uncross(now)
            self.floor.trigger(found, now)
        return found

    def preview(self, symbol: str, now: datetime) -> Market:
        """Return a market as it would open now; it is neither listed nor kept."""
        return self._opened(listings.listing(symbol, self._seed), now)

    def act(self, symbol: str, now: datetime) -> None:
        """Let the traders act once in a market, when it is open."""
        market = self.market(symbol, now)
        if self.halts.still(symbol):
            return
        if self.timing.running(now):
            traders.act(market, now)
            self.floor.trigger(market, now)
        if market.fixed:
            self._close_price(market, now)

    def advance(self, now: datetime) -> None:
        """Do what the exchanges have done by the clock since they were last asked."""
        today = now.date()
        if self._day == today and (self._next_turn is None or now < self._next_turn):
            return
        while self._day is not None and self._day < today:
            self._turn_until(datetime.combine(self._day, time.max, now.tzinfo))
            # Days on which nothing waits, and long absences, are gone through at one stroke.
            idle = not self.reservations.live and not self.floor.open
            far = today - self._day > _LONGEST_ABSENCE
            self._begin(today if idle or far else self._day + timedelta(days=1), now)
        if self._day is None or self._day > today:
            self._begin(today, now)
        self._turn_until(now)
        self._next_turn = self.timing.next_turn(now)

    def _begin(self, day: date, now: datetime) -> None:
        self.floor.end_all()
        self._day, self._seen = day, datetime.combine(day, time.min, now.tzinfo)
        for account in self.accounts.values():
            account.new_day(lambda traded: self.timing.settlement(traded) <= day)
        if self.timing.calendar is None:
            self.reservations.send(self._seen)

    def _turn_until(self, now: datetime) -> None:
        seen, self._seen, self._next_turn = self._seen, now, None
        for turn in self.timing.turns(seen, now) if seen else ():
            self.floor.turn(turn)
            self.reservations.turn(turn)

    def working(self) -> set[str]:
        """Return the symbols in which users' orders wait."""
        return self.floor.working()

    # -- orders

    def place(self, request: OrderRequest, now: datetime) -> Ticket:
        """Take a new order or raise :class:`OrderRefused`; it may have traded when this returns."""
        market, account = self._admit(request, now)
        ticket = self._ticket(market, account, request, now)
        if missing := account.shortage(ticket, now.date()):
            raise OrderRefused(missing)
        self._take(ticket)
        account.keep(ticket, now.date(), request.quantity)
        self._tell("taken", ticket, now, request.quantity, request.price)
        if request.symbol in self.refuse_next:
            self.refuse_next.remove(request.symbol)
            ticket.refused = request.quantity
            account.keep(ticket, now.date(), -request.quantity)
            self._tell("refused", ticket, now, request.quantity, request.price)
        else:
            self.floor.enter(market, ticket, now)
            self.floor.trigger(market, now)
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
        self.advance(now)
        old, quantity = self._find(account, number, quantity)
        request = replace(old.request, quantity=quantity, price=price, kind=kind, trigger=trigger)
        market, owner = self._admit(request, now, change=True)
        new = self._ticket(market, owner, request, now)
        new.action, new.original, new.reservation = "modify", old.number, old.reservation
        if missing := owner.shortage(new, now.date(), old):
            raise OrderRefused(missing)
        self.floor.withdraw(old, quantity)
        old.moved += quantity
        owner.keep(old, now.date(), -quantity)
        self._take(new)
        owner.keep(new, now.date(), quantity)
        self._tell("taken", new, now, quantity, price)
        self._tell("confirmed", new, now, quantity, price)
        self.floor.enter(market, new, now)
        self.floor.trigger(market, now)
        return new

    def most(self, request: OrderRequest, now: datetime) -> int:
        """Return the largest quantity of such an order that the account's means allow."""
        account, market = self.accounts[request.account], self.market(request.symbol, now)
        low, high = 0, _MOST_SHARES
        while low < high:
            middle = (low + high + 1) // 2
            ticket = self._ticket(market, account, replace(request, quantity=middle), now)
            if account.shortage(ticket, now.date()):
                high = middle - 1
            else:
                low = middle
        return low

    def cancel(self, account: str, number: str, *, quantity: int | None, now: datetime) -> Ticket:
        """Cancel ``quantity`` (None: all that is left); the rest keeps its place in the queue."""
        self.advance(now)
        old, quantity = self._find(account, number, quantity)
        admission = self.timing.takes_changes(old.request.venue, now)
        if admission in ("before", "after", "holiday"):
            raise OrderRefused("session", admission)
        self._drop(old, quantity)
        request = replace(old.request, quantity=quantity)
        ticket = Ticket(self._next_number(), request, old.name, now, "cancel", old.number)
        ticket.cancelled = quantity
        self._take(ticket)
        self._tell("taken", ticket, now, quantity, request.price)
        self._tell("confirmed", ticket, now, quantity, request.price)
        return ticket

    # -- what becomes of orders on the floor

    def filled(self, ticket: Ticket, quantity: int, price: int, now: datetime) -> None:
        """Book a fill and tell its owner."""
        account = self.accounts[ticket.request.account]
        account.book(ticket, quantity, price, now.date())
        ticket.filled += quantity
        ticket.value += quantity * price
        account.keep(ticket, now.date(), -quantity)
        self._tell("filled", ticket, now, quantity, price)

    def lapsed(self, ticket: Ticket, quantity: int, now: datetime) -> None:
        """End an immediate order that the market did not fill, and tell its owner."""
        ticket.cancelled += quantity
        self.accounts[ticket.request.account].keep(ticket, now.date(), -quantity)
        self._tell("lapsed", ticket, now, quantity, ticket.request.price)

    def over(self, ticket: Ticket) -> None:
        """End an order whose session or day is over; KIS says nothing of it."""
        self._drop(ticket, ticket.remaining)

    # -- inside

    def _admit(
        self, request: OrderRequest, now: datetime, *, change: bool = False
    ) -> tuple[Market, StockAccount]:
        account = self.accounts.get(request.account)
        if account is None:
            raise OrderRefused("account")
        market = self.market(request.symbol, now)
        check(request, market, self.timing, now, pension=account.pension, change=change)
        if request.symbol in self.halts.halted:
            raise OrderRefused("halted")
        if request.symbol in self.halts.auctions and not in_auction(
            KINDS[request.kind], closing=False
        ):
            raise OrderRefused("kind")
        if not entry_price(market, request, KINDS[request.kind]):
            raise OrderRefused("no_price")
        return market, account

    def _ticket(
        self, market: Market, account: StockAccount, request: OrderRequest, now: datetime
    ) -> Ticket:
        ticket = Ticket("", request, market.listing.name, now)
        kind = KINDS[request.kind]
        # A conditional order may still become one that pays any price, and a sale of borrowed
        # shares locks more the dearer it sells.
        dearest = kind.pricing == "conditional" or (request.short and request.opens)
        ticket.limit = market.upper if dearest else entry_price(market, request, kind)
        account.cover(ticket)
        return ticket

    def _take(self, ticket: Ticket) -> None:
        ticket.number = ticket.number or self._next_number()
        self.tickets[ticket.number] = ticket

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

    def _drop(self, ticket: Ticket, quantity: int) -> None:
        self.floor.withdraw(ticket, quantity)
        ticket.cancelled += quantity
        self.accounts[ticket.request.account].keep(ticket, ticket.at.date(), -quantity)

    def _close_price(self, market: Market, now: datetime) -> None:
        """Let somebody come, now and then, who trades at the close too."""
        order = market.fixed[0]
        ticket = self.floor.of(order)
        if ticket is None or not self.timing.fixed_trades(KINDS[ticket.request.kind], now):
            return
        traders.at_close(market, order, now)

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

    def _forget(self) -> None:
        """Forget the market that was listed first of those that nobody has to do with."""
        kept = self.working() | {
            symbol for account in self.accounts.values() for symbol, _, _ in account.positions
        }
        oldest = next((symbol for symbol in self.markets if symbol not in kept), None)
        if oldest is None:
            raise OrderRefused("symbol")
        del self.markets[oldest]

    def _open(self, listing: Listing, now: datetime) -> Market:
        market = self.markets[listing.symbol] = self._opened(listing, now)
        return market

    def _opened(self, listing: Listing, now: datetime) -> Market:
        draw = Random(f"market {self._seed} {listing.symbol} {now.date()}")  # noqa: S311
        market = Market(listing, now, draw, self.floor.traded)
        opening.begin(market, now)
        return market


def with_holdings(number: str, cash: int, holdings: Iterable[tuple[str, int, int]]) -> StockAccount:
    """Return an account that owns shares: (symbol, quantity, price paid)."""
    account = StockAccount(number, cash)
    for symbol, quantity, price in holdings:
        account.positions[symbol, "", ""] = Holding(quantity, quantity * price)
    return account
