"""Users' orders in the markets: how they enter, wait, trade and leave (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.kinds import KINDS, OrderKind
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.sessions import SessionTurn, Timing
from bridge.simulator.exchange.tickets import OrderRequest, Ticket

__all__ = ["Floor", "entry_price"]


class Desk(Protocol):
    """Whoever keeps the accounts: told of what becomes of an order."""

    def filled(self, ticket: Ticket, quantity: int, price: int, now: datetime) -> None: ...

    def lapsed(self, ticket: Ticket, quantity: int, now: datetime) -> None: ...

    def over(self, ticket: Ticket) -> None: ...


class Floor:
    """All open orders of users, and where each of them waits."""

    def __init__(
        self,
        markets: dict[str, Market],
        timing: Timing,
        desk: Desk,
        halts: SymbolHalts | None = None,
    ) -> None:
        self._markets, self._timing, self._desk = markets, timing, desk
        self._halts = halts or SymbolHalts()
        self._owner: dict[Order, Ticket] = {}
        self._stops: dict[str, list[Ticket]] = {}
        self.open: dict[str, Ticket] = {}
        """Tickets of which something is left, by number, oldest first."""

    def of(self, order: Order) -> Ticket | None:
        """Return the ticket of an order, when it is a user's."""
        return self._owner.get(order)

    def working(self) -> set[str]:
        """Return the symbols in which orders wait."""
        return {ticket.request.symbol for ticket in self.open.values()}

    def enter(self, market: Market, ticket: Ticket, now: datetime) -> None:
        """Bring an order into the market; it may have traded when this returns."""
        self.open[ticket.number] = ticket
        request, kind = ticket.request, KINDS[ticket.request.kind]
        if kind.pricing == "stop" and not _triggered(request, market.last):
            self._stops.setdefault(request.symbol, []).append(ticket)
            return
        if kind.pricing == "stop":
            ticket.triggered_at = now
        price, quantity = entry_price(market, request, kind), ticket.remaining
        order = ticket.order = Order(request.side, price, quantity, kind.pricing == "market")
        if kind.lasts == "fok" and _at_once(market, order, kind) < quantity:
            self._lapse(ticket, now)
            return
        self._owner[order] = ticket
        admission = self._timing.admission(request.venue, kind, now)
        if admission == "auction" or request.symbol in self._halts.auctions:
            market.called.append(order)
        elif kind.pricing == "fixed":
            if self._timing.fixed_trades(kind, now):
                market.enter_fixed(order, now, rest=True)
            else:
                market.fixed.append(order)
        elif kind.pricing == "middle":
            market.enter_middle(order, now, rest=kind.rests)
        else:
            market.enter(order, now, rest=kind.rests and not order.any_price)
            if kind.rests and order.any_price and order.remaining:
                # What a market order leaves waits at the price it came to.
                order.price = market.last
                market.book.add(order)
        if not kind.rests and order.remaining:
            self._lapse(ticket, now)

    def trigger(self, market: Market, now: datetime) -> None:
        """Let the stop orders whose price has come become limit orders."""
        waiting = self._stops.get(market.symbol)
        while waiting:
            ready = [ticket for ticket in waiting if _triggered(ticket.request, market.last)]
            if not ready:
                return
            for ticket in ready:
                waiting.remove(ticket)
                request = ticket.request
                ticket.triggered_at = now
                order = ticket.order = Order(request.side, request.price, ticket.remaining)
                self._owner[order] = ticket
                market.enter(order, now, rest=True)

    def withdraw(self, ticket: Ticket, quantity: int) -> None:
        """Take shares of an order out of the market; the rest keeps its place."""
        symbol = ticket.request.symbol
        whole = quantity == ticket.remaining
        if ticket.order:
            self._markets[symbol].withdraw(ticket.order, quantity)
            if not ticket.order.remaining:
                del self._owner[ticket.order]
        elif whole:
            self._stops[symbol].remove(ticket)
        if whole:
            del self.open[ticket.number]

    def traded(self, order: Order, price: int, quantity: int, now: datetime) -> None:
        """Count a trade of the market, when the order is a user's."""
        ticket = self._owner.get(order)
        if ticket is None:
            return
        if quantity == ticket.remaining:
            del self._owner[order], self.open[ticket.number]
        self._desk.filled(ticket, quantity, price, now)

    # -- the hours of the day

    def turn(self, turn: SessionTurn) -> None:
        """Do what an exchange does when one of its sessions begins or ends."""
        match turn.venue, turn.session, turn.what:
            case "krx", "opening_auction", "closes":
                self._uncross(turn.at)
            case "krx", "closing_auction", "opens":
                self._to_the_close(turn.at)
            case "krx", "closing_auction", "closes":
                self._uncross(turn.at)
                self._end("KRX", "main")
                for market in self._markets.values():
                    market.close = market.last
            case "krx", "pre_open_after_hours", "closes":
                self._end("KRX", "pre_open")
            case "krx", "post_close", "trades":
                self._fix(turn.at)
            case "krx", "post_close", "closes":
                self._end("KRX", "post_close")
            case "krx", "after_market", "closes":
                self._end("KRX", "after_market")
            case "nxt", "pre_market_only", "closes":
                self._end("NXT", "pre_market")
            case "nxt", "closing_price", "closes":
                self._uncross(turn.at, at_last=True)
            case "nxt", "after_market", "closes":
                self._end("NXT", "main")
                self._end("SOR", "main")

    def end_all(self) -> None:
        """End the day: nothing waits any longer."""
        for ticket in list(self.open.values()):
            self._desk.over(ticket)

    def _uncross(self, now: datetime, *, at_last: bool = False) -> None:
        for symbol in sorted(self.working()):
            market = self._markets[symbol]
            if market.called:
                market.uncross(now, (market.close or market.last) if at_last else 0)
                self.trigger(market, now)

    def _to_the_close(self, now: datetime) -> None:
        """Turn conditional orders into market orders of the closing auction."""
        for ticket in list(self.open.values()):
            request, old = ticket.request, ticket.order
            if KINDS[request.kind].pricing != "conditional" or old is None:
                continue
            market = self._markets[request.symbol]
            quantity = ticket.remaining
            market.withdraw(old, quantity)
            del self._owner[old]
            price = market.upper if request.side is Side.BUY else market.lower
            order = ticket.order = Order(request.side, price, quantity, any_price=True)
            self._owner[order] = ticket
            market.called.append(order)

    def _fix(self, now: datetime) -> None:
        """Let the orders for today's close meet, which have waited until now."""
        for symbol in sorted(self.working()):
            market = self._markets[symbol]
            waiting, market.fixed = market.fixed, []
            for order in waiting:
                market.enter_fixed(order, now, rest=True)

    def _end(self, venue: str, slot: str) -> None:
        for ticket in list(self.open.values()):
            request = ticket.request
            if request.venue == venue and KINDS[request.kind].slot == slot:
                self._desk.over(ticket)

    def _lapse(self, ticket: Ticket, now: datetime) -> None:
        """End an immediate order that the market did not fill."""
        order, left = ticket.order, ticket.remaining
        if order:
            order.remaining = 0
            self._owner.pop(order, None)
        del self.open[ticket.number]
        self._desk.lapsed(ticket, left, now)


def entry_price(market: Market, request: OrderRequest, kind: OrderKind) -> int:
    """Return the limit that an order enters with; 0 when the market names none."""
    side = request.side
    match kind.pricing:
        case "best":
            return market.book.best(side.other)
        case "top":
            return market.book.best(side)
        case "fixed":
            return market.listing.base if kind.slot == "pre_open" else market.close or market.last
        case "market":
            return market.upper if side is Side.BUY else market.lower
        case "middle" if not request.price:
            return market.upper if side is Side.BUY else market.lower
    return request.price


def _at_once(market: Market, order: Order, kind: OrderKind) -> int:
    """Return how much of an order the market would trade at once."""
    if kind.pricing == "middle":
        return market.middle_size(order)
    return market.book.available(order.side, order.price)


def _triggered(request: OrderRequest, last: int) -> bool:
    return last >= request.trigger if request.side is Side.BUY else last <= request.trigger
