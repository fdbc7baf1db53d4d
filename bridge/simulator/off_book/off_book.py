"""Orders without an order book: overseas stocks, futures and options (pure, seeded).

Each symbol has a price; an order that crosses it fills there at once, any other rests until the
price comes to it. Money and holdings are those of :mod:`bridge.simulator.off_book.accounts`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Literal

from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.history.instruments import family_of
from bridge.simulator.history.tapes import Tape, Tapes
from bridge.simulator.off_book.accounts import OffBookAccount, Purse
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.following import Following
from bridge.simulator.off_book.holdings import Position
from bridge.simulator.off_book.margin_book import MarginBook
from bridge.simulator.off_book.opening import opened
from bridge.simulator.off_book.overseas_hours import OffBookHours
from bridge.simulator.off_book.reference import on_grid, opening_price
from bridge.simulator.off_book.reservations import ReservedOrders
from bridge.simulator.off_book.terms import TradingTerms, terms
from bridge.simulator.off_book.tickets import (
    Action,
    OffBookEvent,
    OffBookMarket,
    OffBookTicket,
    Part,
)

__all__ = ["OffBook"]

_PRODUCTS: Mapping[OffBookMarket, str] = {"domestic_derivative": "03", "overseas_derivative": "08"}
"""Product of the accounts that trade in a market; the others are traded from all the rest."""
_A_DAY = date(2026, 11, 23)
_STEP = 0.002
_ZERO = Decimal(0)
_FIRST_NUMBER = 30_000_001
_MOST_TICKETS = 20_000
"""That are remembered; those that are over are forgotten first."""


@dataclass(slots=True)
class OffBook:
    """Takes and changes these orders; ``events`` is what is to be told, in order."""

    seed: int
    accounts: Container[str]
    """Those of product 03 and 08 trade futures and options, all others stocks."""
    purses: Mapping[str, Purse] = field(default_factory=dict)
    """Won of accounts that trade domestic stocks too."""
    cash: int = 500_000_000
    """Won of the others at the start."""
    hours: OffBookHours | None = None
    """None: everything is always open, and what is reserved is carried out at once."""
    events: list[OffBookEvent] = field(default_factory=list)
    tickets: dict[str, OffBookTicket] = field(default_factory=dict)
    """By number, oldest first."""
    tapes: Tapes = field(default_factory=lambda: Tapes(1, _A_DAY))
    """Prices of everything without an order book."""
    halts: SymbolHalts = field(default_factory=SymbolHalts)
    """What stands still because somebody has said so."""
    refuse_next: deque[str] = field(default_factory=deque)
    """For tests: symbols whose next order is taken and then refused by its exchange."""
    numbered: int = 0
    """How many order numbers have been given; KIS begins again each day."""
    following: Following = field(default_factory=Following)
    books: dict[str, MarginBook] = field(default_factory=dict)
    """The days of the accounts of futures and options that have been asked for."""
    trading_day: date | None = None
    """Of futures and options, when it was last looked at."""
    reservations: ReservedOrders = field(default_factory=ReservedOrders)
    minute: datetime | None = None
    """The latest one in which something was done that needs doing once a minute."""
    random: Random = field(init=False)
    _opened: dict[str, OffBookAccount] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(f"off book {self.seed}")  # noqa: S311 - a market, no secret
        self.tapes.listed = self._list

    # prices

    def price(self, symbol: str) -> Decimal:
        """Return the last price of a symbol, listing it when it is new."""
        return self.tape(symbol).last

    def base(self, symbol: str) -> Decimal:
        """Return the base of a symbol's day: its previous close."""
        return self.tape(symbol).base

    def tape(self, symbol: str, venue: str = "") -> Tape:
        """Return where the trades of a symbol are written down."""
        return self.tapes.tape(family_of(symbol), symbol, venue)

    def _list(self, tape: Tape) -> None:
        """Let a symbol that is new begin where those on the same underlying have come to."""
        one = tape.instrument
        if one.family == "domestic_derivative":
            tape.last = opening_price(one.symbol, self.tapes.first, self)
            self.following.begin(one.symbol, tape.last)

    def turn(self, symbol: str, now: datetime) -> None:
        """Let a symbol trade once; what waits for its price fills.

        One that is held trades where it is, any other that stands still does not.
        """
        tape = self.tape(symbol)
        if symbol in self.halts.held:
            tape.print(tape.last, self.random.randrange(1, 400), now)
        elif not self.halts.still(symbol):
            self._cross(symbol, self.following.lead(tape, self, now) or tape.turn(now), now)

    def live(self, now: datetime) -> None:
        """Let the prices move for which orders wait."""
        waiting = {one.symbol for account in self._opened.values() for one in account.waiting}
        for symbol in sorted(waiting):
            if contract(symbol, now.date()) is not None:
                self.turn(symbol, now)
                continue
            last = self.price(symbol)
            moved = last * Decimal(1 + self.random.gauss(0, _STEP))
            self.move(symbol, on_grid(symbol, moved, now.date()), now)

    def move(self, symbol: str, price: Decimal, now: datetime) -> None:
        """Set a price; what waits for it fills. A symbol that stands still stays where it is."""
        if self.halts.still(symbol):
            return
        self.tape(symbol).print(price, self.random.randrange(1, 400), now)
        self._cross(symbol, price, now)

    def _cross(self, symbol: str, price: Decimal, now: datetime) -> None:
        for account in self._opened.values():
            for ticket in list(account.waiting):
                if ticket.symbol == symbol and ticket.remaining and self._ready(ticket, price, now):
                    self._fill(account, ticket, ticket.remaining, ticket.price or price, now)

    # accounts

    def account(self, number: str) -> str:
        """Return the number of an account that is here, or raise :class:`OrderRefused`."""
        if number not in self.accounts:
            raise OrderRefused("account")
        return number

    def money(self, number: str) -> OffBookAccount:
        """Return what an account owns, or raise :class:`OrderRefused` for one that is not here."""
        found = self._opened.get(self.account(number))
        if found is None:
            purse = self.purses.get(number)
            found = opened(number, self.price, self.base, purse=purse, won=self.cash)
            self._opened[number] = found
            if number.endswith("-03"):
                self.books[number] = MarginBook(found)
        return found

    # orders

    def place(
        self,
        market: OffBookMarket,
        account: str,
        symbol: str,
        side: Side,
        quantity: int,
        price: Decimal,
        *,
        kind: str,
        exchange: str,
        now: datetime,
        trigger: Decimal = _ZERO,
        daytime: bool = False,
        lasting: bool = False,
        schedule: Sequence[Part] = (),
        reservation: str = "",
    ) -> OffBookTicket:
        """Take a new order or raise :class:`OrderRefused`; it may have filled when this returns."""
        if not 0 < quantity < 10**9:
            raise OrderRefused("quantity")
        if symbol in self.halts.halted:
            raise OrderRefused("halted")
        owner, product = self.money(account), _PRODUCTS.get(market)
        if account[-2:] != product if product else account[-2:] in _PRODUCTS.values():
            raise OrderRefused("account")
        found = terms(market, exchange, symbol)
        if found is None or not price.is_finite() or not 0 <= price < 10**12:
            raise OrderRefused("symbol" if found is None else "limit")
        ticket = OffBookTicket(
            *(market, self._number(), account, symbol, side, quantity),
            *(price, kind, exchange, now),
            date=business_date(market, exchange, now),
            trigger=trigger,
            daytime=daytime,
            lasting=lasting,
            schedule=list(schedule),
            reservation=reservation,
        )
        if self.hours is not None:
            self.hours.check(ticket.exchange, now, daytime=ticket.daytime)
        owner.require(ticket, found)
        owner.open(market, symbol, exchange, found)
        self._enter(owner, ticket, found, now)
        return ticket

    def change(
        self,
        old: OffBookTicket,
        action: Action,
        quantity: int | None,
        price: Decimal,
        now: datetime,
        *,
        kind: str | None = None,
        trigger: Decimal = _ZERO,
    ) -> OffBookTicket:
        """Modify or cancel ``quantity`` (None: all that is left) of an order.

        With a ``kind`` it becomes an order of that kind, which without a price is one at the
        market; otherwise it stays what it was.
        """
        quantity = old.remaining if quantity is None else quantity
        if not 0 < quantity <= old.remaining:
            raise OrderRefused("left")
        if not price.is_finite() or not 0 <= price < 10**12:
            raise OrderRefused("limit")
        if action == "modify" and old.symbol in self.halts.halted:
            raise OrderRefused("halted")
        # KIS takes no modification of an order for an auction, or of one that is split over time.
        if action == "modify" and old.schedule:
            raise OrderRefused("kind")
        if self.hours is not None:
            self.hours.check(old.exchange, now, daytime=old.daytime)
        owner = self.money(old.account)
        ticket = OffBookTicket(
            *(old.market, self._number(), old.account, old.symbol, old.side, quantity),
            *(price if kind else price or old.price, kind or old.kind, old.exchange),
            *(now, action, old.number),
            date=business_date(old.market, old.exchange, now),
            trigger=trigger or old.trigger,
            triggered=old.triggered or kind is not None,
            daytime=old.daytime,
            lasting=old.lasting,
        )
        found = owner.waiting[old]
        if action == "modify":
            old.moved += quantity
            try:
                owner.require(ticket, found)
            except OrderRefused:
                old.moved -= quantity
                raise
            self._rest(owner, old, found)
            self._enter(owner, ticket, found, now)
        else:
            old.cancelled += quantity
            self._rest(owner, old, found)
            self._remember(ticket)
            self._tell("taken", ticket, now, quantity)
            self._tell("confirmed", ticket, now, quantity)
        return ticket

    def fill(self, ticket: OffBookTicket, quantity: int, now: datetime) -> Decimal:
        """Let so much of an order that waits trade at its price, and return that."""
        if ticket.symbol in self.halts.halted:
            raise OrderRefused("halted")
        self._fill(self.money(ticket.account), ticket, quantity, ticket.price, now)
        return ticket.price

    def find(self, account: str, number: str) -> OffBookTicket:
        """Return an order of an account, or raise :class:`OrderRefused`."""
        ticket = self.tickets.get(number)
        if ticket is None or ticket.account != self.account(account):
            raise OrderRefused("order")
        return ticket

    def of(self, market: OffBookMarket, account: str) -> Iterator[OffBookTicket]:
        """Yield the orders of an account, oldest first."""
        for ticket in self.tickets.values():
            if (ticket.market, ticket.account) == (market, account):
                yield ticket

    def held(self, market: OffBookMarket, account: str, symbol: str) -> Position:
        """Return what an account has of a symbol."""
        return self.money(account).position(market, symbol)

    # what ends by itself

    def waiting(self) -> list[OffBookTicket]:
        """Return the orders that wait, account by account."""
        return [one for account in self._opened.values() for one in account.waiting]

    def trade_out(
        self, ticket: OffBookTicket, price: Decimal, now: datetime, *, quantity: int | None = None
    ) -> None:
        """Trade a part of an order, or what is left of it."""
        part = ticket.remaining if quantity is None else quantity
        self._fill(self.money(ticket.account), ticket, part, price, now)

    def lapse(self, ticket: OffBookTicket, now: datetime) -> None:
        """End what is left of an order and tell it."""
        left = ticket.remaining
        self.end(ticket)
        self._tell("lapsed", ticket, now, left)

    def end(self, ticket: OffBookTicket) -> None:
        """End an order whose session is over; nobody is told, as at KIS."""
        ticket.cancelled += ticket.remaining
        self.money(ticket.account).waiting.pop(ticket, None)

    def _ready(self, ticket: OffBookTicket, price: Decimal, now: datetime) -> bool:
        """Tell whether an order trades at a price, setting off what waited for it."""
        if ticket.trigger and ticket.reaches(price):
            ticket.triggered = True
        if ticket.waits or not ticket.crosses(price) or self.hours is None:
            return not ticket.waits and ticket.crosses(price)
        return self.hours.trades(ticket.exchange, now, daytime=ticket.daytime)

    def _enter(
        self, owner: OffBookAccount, ticket: OffBookTicket, found: TradingTerms, now: datetime
    ) -> None:
        self._remember(ticket)
        owner.waiting[ticket] = found
        self._tell("taken", ticket, now, ticket.quantity)
        if ticket.action == "modify":
            self._tell("confirmed", ticket, now, ticket.quantity)
        elif ticket.symbol in self.refuse_next:
            self.refuse_next.remove(ticket.symbol)
            ticket.cancelled = ticket.quantity
            self._rest(owner, ticket, found)
            self._tell("refused", ticket, now, ticket.quantity)
            return
        last = self.price(ticket.symbol)
        if self._ready(ticket, last, now):
            first = ticket.quantity // 2
            for quantity in filter(None, (first, ticket.quantity - first)):
                self._fill(owner, ticket, quantity, last, now)
        at_once = ticket.market == "domestic_derivative" and ticket.kind >= "10"
        if ticket.remaining and not ticket.waits and (at_once or not ticket.price):
            self.lapse(ticket, now)

    def _fill(
        self,
        owner: OffBookAccount,
        ticket: OffBookTicket,
        quantity: int,
        price: Decimal,
        now: datetime,
    ) -> None:
        ticket.filled += quantity
        ticket.value += price * quantity
        done = owner.settle(
            *(ticket, quantity, price),
            date=business_date(ticket.market, ticket.exchange, now),
            now=now,
        )
        self._rest(owner, ticket, owner.waiting[ticket])
        self._tell("filled", ticket, now, quantity, price, done.number)

    def _rest(self, owner: OffBookAccount, ticket: OffBookTicket, found: TradingTerms) -> None:
        """Keep an order among those that wait, or take it from there."""
        if ticket.remaining:
            owner.waiting[ticket] = found
        else:
            owner.waiting.pop(ticket, None)

    def _remember(self, ticket: OffBookTicket) -> None:
        if len(self.tickets) >= _MOST_TICKETS:
            over = next((n for n, one in self.tickets.items() if not one.remaining), None)
            if over is not None:
                del self.tickets[over]
        self.tickets[ticket.number] = ticket

    def _tell(
        self,
        kind: Literal["taken", "confirmed", "filled", "lapsed", "refused"],
        ticket: OffBookTicket,
        now: datetime,
        quantity: int,
        price: Decimal | None = None,
        execution: str = "",
    ) -> None:
        if ticket.market != "domestic_bond":  # KIS has no notices of orders for bonds
            told = ticket.price if price is None else price
            self.events.append(OffBookEvent(kind, ticket, now, quantity, told, execution))

    def _number(self) -> str:
        self.numbered += 1
        return f"{_FIRST_NUMBER + self.numbered - 1:010d}"
