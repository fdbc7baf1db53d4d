"""The money of an account and what it holds of symbols without an order book (pure)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.holdings import Execution, Position
from bridge.simulator.off_book.terms import TradingTerms
from bridge.simulator.off_book.tickets import OffBookMarket, OffBookTicket

__all__ = ["OffBookAccount", "Purse"]

_ZERO = Decimal(0)
_EXECUTIONS = 10_000
"""The latest ones of an account that its lists can show."""
_WAITING = 5_000
"""Orders that may wait for their price."""
_SYMBOLS = 2_000
"""That an account can have to do with at a time."""

Key = tuple[OffBookMarket, str]


class Purse(Protocol):
    """Won that an account has elsewhere: those of its domestic stocks."""

    cash: int

    @property
    def free_cash(self) -> int: ...


@dataclass(slots=True)
class _Lot:
    """What changes of a position; see :class:`Position`."""

    exchange: str
    terms: TradingTerms
    quantity: int = 0
    cost: Decimal = _ZERO
    realized: Decimal = _ZERO
    released: Decimal = _ZERO
    bought: Decimal = _ZERO
    sold: Decimal = _ZERO


@dataclass(slots=True)
class OffBookAccount:
    """What one account owns and owes; all changes go through :meth:`settle`."""

    number: str
    price: Callable[[str], Decimal]
    cash: dict[str, Decimal] = field(default_factory=dict)
    """By currency; won only where ``purse`` does not have them."""
    purse: Purse | None = None
    lots: dict[Key, _Lot] = field(default_factory=dict)
    waiting: dict[OffBookTicket, TradingTerms] = field(default_factory=dict)
    """Orders that may still fill, oldest first."""
    executions: deque[Execution] = field(default_factory=lambda: deque(maxlen=_EXECUTIONS))
    """The latest, oldest first."""
    executed: int = 0

    # money

    def funds(self, currency: str) -> Decimal:
        """Return the money there is, whatever is promised of it."""
        if currency == "KRW" and self.purse is not None:
            return Decimal(self.purse.cash)
        return self.cash.get(currency, _ZERO)

    def promised(self, currency: str) -> Decimal:
        """Return what orders that wait could cost, and what ties up short orders."""
        total, ahead = _ZERO, Counter[tuple[OffBookMarket, str, Side]]()
        for one, terms in self.waiting.items():
            if terms.currency == currency:
                place = (one.market, one.symbol, one.side)
                price = one.price or self.price(one.symbol)
                total += self.needed(one, terms, one.remaining, price, ahead=ahead[place])
                ahead[place] += one.remaining
        return total

    def ahead(self, market: OffBookMarket, symbol: str, side: Side) -> int:
        """Return how much waits of a symbol on one side."""
        place = (market, symbol, side)
        waits = (one for one in self.waiting if (one.market, one.symbol, one.side) == place)
        return sum(one.remaining for one in waits)

    def gained(self, currency: str) -> Decimal:
        """Return what open positions have gained that are settled each day."""
        total = _ZERO
        for (_, symbol), lot in self.lots.items():
            if lot.quantity and lot.terms.daily and lot.terms.currency == currency:
                gained = lot.terms.amount(abs(lot.quantity), self.price(symbol)) - lot.cost
                total += gained if lot.quantity > 0 else -gained
        return total

    def margin(self, currency: str) -> Decimal:
        """Return what open positions tie up."""
        return sum(
            (
                lot.terms.tied(abs(lot.quantity), self.price(symbol))
                for (_, symbol), lot in self.lots.items()
                if lot.terms.currency == currency
                and lot.quantity
                and not (lot.terms.paid and lot.quantity > 0)
            ),
            _ZERO,
        )

    def free(self, currency: str) -> Decimal:
        """Return the money that can be used for a new order."""
        spoken = _ZERO
        if currency == "KRW" and self.purse is not None:
            spoken = Decimal(self.purse.cash - self.purse.free_cash)
        own = self.funds(currency) + self.gained(currency)
        return own - spoken - self.promised(currency) - self.margin(currency)

    def needed(
        self,
        ticket: OffBookTicket,
        terms: TradingTerms,
        quantity: int,
        price: Decimal,
        *,
        ahead: int = 0,
    ) -> Decimal:
        """Return the money that such an order wants, fees included; closing wants none.

        ``ahead`` is what other orders of its side would close first.
        """
        if terms.paid and ticket.side is Side.BUY:
            return terms.amount(quantity, price) + terms.fees(quantity, price)
        opening = quantity
        if terms.shorts:
            lot = self.lots.get((ticket.market, ticket.symbol))
            held = lot.quantity if lot else 0
            against = max(0, (held if ticket.side is Side.SELL else -held) - ahead)
            opening = max(0, quantity - against)
        elif ticket.side is Side.SELL:
            return _ZERO
        if not opening:
            return _ZERO
        # A margin is told by what the market pays, however far from that an order is.
        at = self.price(ticket.symbol)
        return terms.tied(opening, at) + terms.fees(opening, at)

    def require(self, ticket: OffBookTicket, terms: TradingTerms) -> None:
        """Refuse an order that the account has no money or no holdings for."""
        if len(self.waiting) >= _WAITING:
            raise OrderRefused("quantity")
        held = self.position(ticket.market, ticket.symbol)
        if ticket.side is Side.SELL and not terms.shorts and ticket.quantity > held.sellable:
            raise OrderRefused("holdings")
        # What is for sale at the market brings at least what it costs.
        price = ticket.price or self.price(ticket.symbol)
        ahead = self.ahead(ticket.market, ticket.symbol, ticket.side)
        needed = self.needed(ticket, terms, ticket.quantity, price, ahead=ahead)
        if needed and needed > self.free(terms.currency):
            raise OrderRefused("cash")

    def pay(self, currency: str, amount: Decimal) -> None:
        """Add an amount to the money; a negative one takes it away."""
        if currency == "KRW" and self.purse is not None:
            self.purse.cash += int(amount)
        else:
            self.cash[currency] = self.funds(currency) + amount

    # positions

    def position(self, market: OffBookMarket, symbol: str) -> Position:
        """Return what is held of a symbol; nothing of one that was never traded."""
        price, lot = self.price(symbol), self.lots.get((market, symbol))
        if lot is None:
            return Position(market, symbol, "", TradingTerms(""), price)
        sells = buys = 0
        for one in self.waiting:
            if (one.market, one.symbol) == (market, symbol):
                sells += one.remaining if one.side is Side.SELL else 0
                buys += one.remaining if one.side is Side.BUY else 0
        return Position(
            *(market, symbol, lot.exchange, lot.terms, price, lot.quantity, lot.cost, sells, buys),
            *(lot.realized, lot.released, lot.bought, lot.sold),
        )

    def positions(self, market: OffBookMarket | None = None) -> Iterator[Position]:
        """Yield what the account has or had to do with, in the order that it came to it."""
        for own, symbol in list(self.lots):
            if market in (None, own):
                yield self.position(own, symbol)

    def open(self, market: OffBookMarket, symbol: str, exchange: str, terms: TradingTerms) -> None:
        """Begin to have to do with a symbol; refused where it is listed in other money."""
        lot = self.lots.get((market, symbol))
        if lot is None:
            self._forget()
            self.lots[market, symbol] = _Lot(exchange, terms)
        elif lot.terms != terms:
            raise OrderRefused("symbol")

    def _forget(self) -> None:
        """Make room for a symbol: of those that nothing is held of, the oldest goes."""
        if len(self.lots) < _SYMBOLS:
            return
        busy = {(one.market, one.symbol) for one in self.waiting}
        flat = (key for key, lot in self.lots.items() if not lot.quantity and key not in busy)
        key = next(flat, None)
        if key is None:
            raise OrderRefused("quantity")
        del self.lots[key]

    # what happens

    def endow(
        self,
        market: OffBookMarket,
        symbol: str,
        exchange: str,
        terms: TradingTerms,
        quantity: int,
        price: Decimal,
    ) -> None:
        """Give what an account owns from the start."""
        self.open(market, symbol, exchange, terms)
        lot = self.lots[market, symbol]
        lot.quantity += quantity
        lot.cost += terms.amount(quantity, price)

    def settle(
        self,
        ticket: OffBookTicket,
        quantity: int,
        price: Decimal,
        *,
        date: date,
        now: datetime,
    ) -> Execution:
        """Book an execution."""
        lot = self.lots[ticket.market, ticket.symbol]
        terms = lot.terms
        signed = quantity if ticket.side is Side.BUY else -quantity
        against = lot.quantity * signed < 0
        closed = min(quantity, abs(lot.quantity)) if against else 0
        released = lot.terms.part(lot.cost, closed, abs(lot.quantity)) if closed else _ZERO
        self.executed += 1
        done = Execution(
            *(f"{self.executed:010d}", ticket, terms, now, date, quantity, price),
            *(terms.fees(quantity, price), terms.tax(ticket.side, quantity, price)),
            *(closed, released),
        )
        lot.quantity += signed
        lot.cost += terms.amount(quantity - closed, price) - released
        lot.realized += done.realized
        lot.released += released
        if ticket.side is Side.BUY:
            lot.bought += done.amount
        else:
            lot.sold += done.amount
        self.pay(terms.currency, done.cash)
        self.executions.append(done)
        return done
