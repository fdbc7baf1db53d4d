"""Does to a simulated KIS what a test asks for: prices, fills, halts, holidays, clock, sessions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from bridge.simulator.clients import Client
from bridge.simulator.clock import SimulatedClock
from bridge.simulator.control import actions
from bridge.simulator.control.actions import ControlAction
from bridge.simulator.exchange import interventions
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.halts import SymbolHalts
from bridge.simulator.exchange.tickets import OrderRefused, Ticket
from bridge.simulator.keys import Keys
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.tickets import OffBookTicket
from bridge.simulator.stream.server import StreamServer

__all__ = ["ControlDesk", "ControlRefused"]

_INDEX = re.compile(r"[0-9]{4}")
_MOST_SHOWN = 1_000
_REASONS = {
    "tick": "the price is not on the grid of its ticks",
    "limit": "the price is beyond the day's limits",
    "symbol": "there is no such symbol",
    "halted": "the symbol is halted",
    "left": "so much is not left of the order",
    "order": "there is no such order that waits",
}


class ControlRefused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that was not carried out; ``status`` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class ControlDesk:
    """Carries out actions at the simulator's parts; ``publish`` tells users what came of it."""

    def __init__(
        self,
        exchange: Exchange,
        off_book: OffBook,
        keys: Keys,
        stream: StreamServer,
        clock: SimulatedClock,
        publish: Callable[[], None],
        status: Collection[str],
    ) -> None:
        self._status = status
        """Channels that tell how a symbol stands."""
        self._exchange, self._off_book, self._keys = exchange, off_book, keys
        self._stream, self._clock, self._publish = stream, clock, publish
        self.actions: Mapping[str, type[ControlAction]] = {
            "price": actions.SetPrice,
            "fill": actions.FillOrder,
            "refuse": actions.RefuseNext,
            "halt": actions.HaltSymbol,
            "resume": actions.ResumeSymbol,
            "vi": actions.TriggerVi,
            "holiday": actions.SetHoliday,
            "session": actions.SetSession,
            "clock": actions.MoveClock,
            "drop": actions.DropClients,
            "mute": actions.MuteChannel,
            "revoke": actions.RevokeTokens,
        }
        """Name → what it takes."""

    def do(self, action: ControlAction) -> dict[str, Any]:
        """Carry out an action and return what came of it, or raise :class:`ControlRefused`."""
        try:
            result = self._do(action)
        except OrderRefused as refused:
            raise ControlRefused(409, _REASONS.get(refused.reason, refused.reason)) from None
        self._publish()
        return result

    def _do(self, action: ControlAction) -> dict[str, Any]:
        match action:
            case actions.SetPrice():
                return self._price(action)
            case actions.FillOrder():
                return self._fill(action)
            case actions.RefuseNext(market="domestic_stock"):
                return self._refuse(self._exchange.refuse_next, action.symbol)
            case actions.RefuseNext():
                return self._refuse(self._off_book.refuse_next, action.symbol)
            case actions.HaltSymbol():
                return self._halt(action, halted=True)
            case actions.ResumeSymbol():
                return self._halt(action, halted=False)
            case actions.TriggerVi():
                return self._interrupt(action)
            case actions.SetHoliday():
                return self._close(action)
            case actions.SetSession():
                self._exchange.timing.decreed = action.session
                return {"session": self._exchange.session(self._clock())}
            case actions.MoveClock():
                if action.at is not None:
                    self._clock.set(action.at)
                else:
                    self._clock.ahead = timedelta(seconds=action.ahead_s or 0.0)
                return self._time()
            case actions.DropClients():
                clients = self._clients(action.client)
                return {"dropped": sum(self._stream.drop(one.app_key) for one in clients)}
            case actions.RevokeTokens():
                clients = self._clients(action.client)
                return {"revoked": sum(self._keys.revoke_all_of(one.app_key) for one in clients)}
            case actions.MuteChannel():
                return self._mute(action)
        raise ControlRefused(404, f"no action {type(action).__name__}")

    def _price(self, action: actions.SetPrice) -> dict[str, Any]:
        now, symbol, price = self._clock(), action.symbol, action.price
        if action.market == "domestic_stock":
            if price != int(price):
                raise OrderRefused("tick")
            interventions.move(self._exchange, symbol, int(price), now)
            _hold(self._exchange.halts, symbol, hold=action.hold)
            return {"symbol": symbol, "price": _text(self._exchange.market(symbol, now).last)}
        if action.market == "domestic_index":
            return self._index(action)
        halts = self._off_book.halts
        if price % self._off_book.tape(symbol).instrument.unit:
            raise OrderRefused("tick")
        if symbol in halts.halted:
            raise OrderRefused("halted")
        halts.held.discard(symbol)
        self._off_book.move(symbol, price, now)
        _hold(halts, symbol, hold=action.hold)
        return {"symbol": symbol, "price": _text(self._off_book.price(symbol))}

    def _index(self, action: actions.SetPrice) -> dict[str, Any]:
        if not _INDEX.fullmatch(action.symbol):
            raise OrderRefused("symbol")
        tape = self._off_book.tapes.tape("domestic_index", action.symbol)
        if action.price % tape.instrument.unit:
            raise OrderRefused("tick")
        tape.print(action.price, 1, self._clock())
        tape.held = action.hold
        return {"symbol": action.symbol, "price": _text(tape.last)}

    def _fill(self, action: actions.FillOrder) -> dict[str, Any]:
        number, now = action.order.zfill(10), self._clock()
        ticket = self._exchange.tickets.get(number) or self._off_book.tickets.get(number)
        if ticket is None or not ticket.remaining:
            raise ControlRefused(404, "there is no such order that waits")
        quantity = action.quantity or ticket.remaining
        if quantity > ticket.remaining:
            raise OrderRefused("left")
        if isinstance(ticket, Ticket):
            price: int | Decimal = interventions.fill(self._exchange, ticket, quantity, now)
        else:
            price = self._off_book.fill(ticket, quantity, now)
        filled, remaining = ticket.filled, ticket.remaining
        return {"order": number, "price": _text(price), "filled": filled, "remaining": remaining}

    def _halt(
        self, action: actions.HaltSymbol | actions.ResumeSymbol, *, halted: bool
    ) -> dict[str, Any]:
        domestic = action.market == "domestic_stock"
        halts, symbol = (self._exchange if domestic else self._off_book).halts, action.symbol
        if not halted:
            halts.halted.discard(symbol)
        elif halts.count >= _MOST_SHOWN:
            raise ControlRefused(409, f"{_MOST_SHOWN} symbols stand still already")
        else:
            if domestic:
                self._exchange.market(symbol, self._clock())
            halts.halted.add(symbol)
        self._stream.tell(self._status, symbol)
        return {"symbol": symbol, "halted": halted}

    def _interrupt(self, action: actions.TriggerVi) -> dict[str, Any]:
        now, symbol, halts = self._clock(), action.symbol, self._exchange.halts
        if halts.count >= _MOST_SHOWN:
            raise ControlRefused(409, f"{_MOST_SHOWN} symbols stand still already")
        until = now + timedelta(seconds=action.for_s)
        interventions.interrupt(self._exchange, symbol, until, now)
        self._stream.tell(self._status, symbol)
        return {"symbol": symbol, "until": until.isoformat(timespec="milliseconds")}

    def _close(self, action: actions.SetHoliday) -> dict[str, Any]:
        timing = self._exchange.timing
        if action.closed and len(timing.closed) >= _MOST_SHOWN:
            raise ControlRefused(409, f"there are {_MOST_SHOWN} holidays already")
        timing.close(action.date, closed=action.closed)
        return {"date": str(action.date), "closed": action.closed}

    def _mute(self, action: actions.MuteChannel) -> dict[str, Any]:
        if self._stream.channel(action.channel) is None:
            raise ControlRefused(404, f"{action.channel} is no channel here")
        until = asyncio.get_running_loop().time() + action.for_s
        if not self._stream.mutes.add((action.channel, action.key), until):
            raise ControlRefused(409, "too many channels are muted already")
        return {"channel": action.channel, "key": action.key, "for_s": action.for_s}

    def _refuse(self, waiting: Any, symbol: str) -> dict[str, Any]:
        if len(waiting) >= _MOST_SHOWN:
            raise ControlRefused(409, f"{_MOST_SHOWN} refusals wait for their orders already")
        waiting.append(symbol)
        return {"symbol": symbol, "refusals": waiting.count(symbol)}

    def _clients(self, number: int | None) -> Iterable[Client]:
        everybody = self._keys.clients.all
        if number is None:
            return everybody
        if number > len(everybody):
            raise ControlRefused(404, f"there are only {len(everybody)} clients")
        return [everybody[number - 1]]

    # how things stand

    def state(self) -> dict[str, Any]:
        """Return how things stand, long lists cut off."""
        now, exchange, off_book = self._clock(), self._exchange, self._off_book
        loop = asyncio.get_running_loop()
        tickets: Iterable[Ticket | OffBookTicket] = (
            ticket
            for book in (exchange.tickets, off_book.tickets)
            for ticket in book.values()
            if ticket.remaining
        )
        return self._time() | {
            "session": exchange.session(now),
            "clients": [self._client(n, one) for n, one in enumerate(self._keys.clients, 1)],
            "orders": [_order(ticket) for ticket in islice(tickets, _MOST_SHOWN)],
            "prices": {
                symbol: _text(market.last)
                for symbol, market in islice(exchange.markets.items(), _MOST_SHOWN)
            },
            "refusals": [*exchange.refuse_next, *off_book.refuse_next],
            "halted": [*sorted(exchange.halts.halted), *sorted(off_book.halts.halted)],
            "held": [*sorted(exchange.halts.held), *sorted(off_book.halts.held)],
            "interrupted": {
                symbol: until.isoformat(timespec="milliseconds")
                for symbol, until in exchange.halts.auctions.items()
            },
            "holidays": sorted(map(str, exchange.timing.closed)),
            "muted": [list(one) for one in self._stream.mutes.now(loop.time())],
        }

    def _time(self) -> dict[str, Any]:
        ahead = self._clock.ahead.total_seconds()
        return {"now": self._clock().isoformat(timespec="milliseconds"), "ahead_s": ahead}

    def _client(self, number: int, client: Client) -> dict[str, Any]:
        slots = self._stream.slots(client.app_key)
        return {
            "client": number,
            "app_key": client.app_key,
            "hts_id": client.hts_id,
            "accounts": client.accounts,
            "connected": slots is not None,
            "subscriptions": [list(slot) for slot in slots or ()],
        }


def _hold(halts: SymbolHalts, symbol: str, *, hold: bool) -> None:
    if not hold:
        halts.held.discard(symbol)
    elif halts.count >= _MOST_SHOWN:
        raise ControlRefused(409, f"{_MOST_SHOWN} symbols stand still already")
    else:
        halts.held.add(symbol)


def _order(ticket: Ticket | OffBookTicket) -> dict[str, Any]:
    if isinstance(ticket, Ticket):
        request, market = ticket.request, "domestic_stock"
        account, symbol, side, price = request.account, request.symbol, request.side, request.price
    else:
        account, symbol, side, market = ticket.account, ticket.symbol, ticket.side, ticket.market
        return _row(ticket, market, account, symbol, side.name, ticket.price)
    return _row(ticket, market, account, symbol, side.name, price)


def _row(
    ticket: Ticket | OffBookTicket,
    market: str,
    account: str,
    symbol: str,
    side: str,
    price: Decimal | int,
) -> dict[str, Any]:
    return {
        "order": ticket.number,
        "market": market,
        "account": account,
        "symbol": symbol,
        "side": side.lower(),
        "price": _text(price),
        "filled": ticket.filled,
        "remaining": ticket.remaining,
    }


def _text(price: Decimal | int) -> str:
    return f"{price:f}" if isinstance(price, Decimal) else str(price)
