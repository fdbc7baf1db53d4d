"""Orders without an order book: overseas stocks, futures and options (pure, seeded).

Each symbol has a price; an order that crosses it fills there at once, any other rests until the
price comes to it. Stocks start with 100 shares of everything, money is never short.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Literal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.holdings import Position, position
from bridge.simulator.off_book.tickets import Action, OffBookEvent, OffBookMarket, OffBookTicket

__all__ = ["SHARES", "OffBook"]

SHARES = 100
"""Of every overseas stock, in every account, at the start."""

_KNOWN = {
    "AAPL": 258.0,
    "MSFT": 512.0,
    "NVDA": 186.0,
    "TSLA": 431.0,
    "AMZN": 226.0,
    "GOOGL": 252.0,
    "META": 713.0,
}
"""First prices in dollars: plausible, not the market's."""
_STEP = 0.002
_FIRST_NUMBER = 30_000_001


@dataclass(slots=True)
class OffBook:
    """Takes and changes these orders; ``events`` is what is to be told, in order."""

    seed: int
    accounts: Container[str]
    """Those of product 03 trade futures and options, all others stocks."""
    events: list[OffBookEvent] = field(default_factory=list)
    tickets: dict[str, OffBookTicket] = field(default_factory=dict)
    """By number, oldest first."""
    prices: dict[str, Decimal] = field(default_factory=dict)
    bases: dict[str, Decimal] = field(default_factory=dict)
    """The first price of each symbol."""
    numbered: int = 0
    """How many order numbers have been given; KIS begins again each day."""
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"off book {self.seed}")  # noqa: S311 - a market, no secret

    # prices

    def price(self, symbol: str) -> Decimal:
        """Return the last price of a symbol, listing it when it is new."""
        if symbol not in self.prices:
            draw = Random(f"off book {self.seed} {symbol}")  # noqa: S311
            known = _KNOWN.get(symbol)
            drawn = Decimal(draw.randrange(2_000, 60_000)) / 100
            self.prices[symbol] = Decimal(f"{known:.2f}") if known else drawn
            self.bases[symbol] = self.prices[symbol]
        return self.prices[symbol]

    def base(self, symbol: str) -> Decimal:
        """Return the first price of a symbol."""
        return self.bases.get(symbol, self.price(symbol))

    def live(self, now: datetime) -> None:
        """Let the prices move for which orders wait."""
        for symbol in sorted({one.symbol for one in self.tickets.values() if one.remaining}):
            last = self.price(symbol)
            moved = last * Decimal(1 + self.random.gauss(0, _STEP))
            self.move(symbol, max(Decimal("0.01"), moved.quantize(Decimal("0.01"))), now)

    def move(self, symbol: str, price: Decimal, now: datetime) -> None:
        """Set a price; what waits for it fills."""
        self.prices[symbol] = price
        for ticket in list(self.tickets.values()):
            if ticket.symbol == symbol and ticket.remaining and ticket.crosses(price):
                self._fill(ticket, ticket.remaining, ticket.price, now)

    # orders

    def account(self, number: str) -> str:
        """Return the number of an account that is here, or raise :class:`OrderRefused`."""
        if number not in self.accounts:
            raise OrderRefused("account")
        return number

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
    ) -> OffBookTicket:
        """Take a new order or raise :class:`OrderRefused`; it may have filled when this returns."""
        if not 0 < quantity < 10**9:
            raise OrderRefused("quantity")
        if account.endswith("-03") is not (market == "domestic_derivative"):
            raise OrderRefused("account")
        ticket = OffBookTicket(
            *(market, self._number(), account, symbol, side, quantity),
            *(price, kind, exchange, now),
        )
        self._enter(ticket, now)
        at_once = market == "domestic_derivative" and kind >= "10"
        if ticket.remaining and (at_once or not price):
            ticket.cancelled = ticket.remaining
            self._tell("lapsed", ticket, now, ticket.cancelled)
        return ticket

    def change(
        self,
        old: OffBookTicket,
        action: Action,
        quantity: int | None,
        price: Decimal,
        now: datetime,
    ) -> OffBookTicket:
        """Modify or cancel ``quantity`` (None: all that is left) of an order."""
        quantity = old.remaining if quantity is None else quantity
        if not 0 < quantity <= old.remaining:
            raise OrderRefused("left")
        ticket = OffBookTicket(
            *(old.market, self._number(), old.account, old.symbol, old.side, quantity),
            *(price or old.price, old.kind, old.exchange, now, action, old.number),
        )
        if action == "modify":
            old.moved += quantity
            self._enter(ticket, now)
        else:
            old.cancelled += quantity
            self.tickets[ticket.number] = ticket
            self._tell("taken", ticket, now, quantity)
            self._tell("confirmed", ticket, now, quantity)
        return ticket

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
        own, price = self.of(market, account), self.price(symbol)
        if market == "overseas_stock":
            return position(symbol, own, price, SHARES, self.base(symbol))
        return position(symbol, own, price)

    # inside

    def _enter(self, ticket: OffBookTicket, now: datetime) -> None:
        self.tickets[ticket.number] = ticket
        self._tell("taken", ticket, now, ticket.quantity)
        if ticket.action == "modify":
            self._tell("confirmed", ticket, now, ticket.quantity)
        last = self.price(ticket.symbol)
        if not ticket.price or ticket.crosses(last):
            first = ticket.quantity // 2
            for quantity in filter(None, (first, ticket.quantity - first)):
                self._fill(ticket, quantity, last, now)

    def _fill(self, ticket: OffBookTicket, quantity: int, price: Decimal, now: datetime) -> None:
        ticket.filled += quantity
        ticket.value += price * quantity
        self.events.append(OffBookEvent("filled", ticket, now, quantity, price))

    def _tell(
        self,
        kind: Literal["taken", "confirmed", "lapsed"],
        ticket: OffBookTicket,
        now: datetime,
        quantity: int,
    ) -> None:
        self.events.append(OffBookEvent(kind, ticket, now, quantity, ticket.price))

    def _number(self) -> str:
        self.numbered += 1
        return f"{_FIRST_NUMBER + self.numbered - 1:010d}"
