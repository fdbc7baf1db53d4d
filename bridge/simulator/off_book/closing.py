"""What ends by itself: orders of a session, contracts, and days that are settled (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from bridge.calendar.hours import Calendar
from bridge.simulator.derivatives.contracts import Contract, contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book import reference
from bridge.simulator.off_book.dates import next_weekday
from bridge.simulator.off_book.hours import order_ends
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.tickets import OffBookMarket, OffBookTicket

__all__ = ["catch_up", "trading_day"]

_EVENING = timedelta(hours=7)
"""At five in the afternoon a day of futures and options is settled, and the next one begins."""
_FUTURES: OffBookMarket = "domestic_derivative"
_MARKETS = ("domestic_bond", _FUTURES)
_CONDITIONAL = "03"
"""What is left of such an order at the close is one at the market."""


def trading_day(now: datetime) -> date:
    """Return the day that futures and options have at a moment of Korean time."""
    return next_weekday((now + _EVENING).date())


def catch_up(off_book: OffBook, calendar: Calendar | None, now: datetime) -> None:
    """Let everything end that has ended by now; without a calendar no session closes."""
    for ticket in off_book.waiting() if calendar is not None else ():
        if ticket.market in _MARKETS and calendar and now >= order_ends(ticket, calendar):
            if ticket.market == "domestic_derivative" and ticket.kind == _CONDITIONAL:
                off_book.trade_out(ticket, off_book.price(ticket.symbol), now)
            else:
                off_book.end(ticket)
    today = trading_day(now)
    before, off_book.trading_day = off_book.trading_day or today, today
    if today > before:
        _end_day(off_book, before, today, now)


def _end_day(off_book: OffBook, day: date, today: date, now: datetime) -> None:
    held = {
        one.symbol for book in off_book.books.values() for one in book.account.positions(_FUTURES)
    }
    ended = [
        one
        for symbol in held | {one.symbol for one in off_book.waiting() if one.market == _FUTURES}
        if (one := contract(symbol, day)) is not None and one.expiry < today
    ]
    final = {one: _final_price(off_book, one, day) for one in ended}
    for one, price in sorted(final.items(), key=lambda item: item[0].symbol):
        _expire(off_book, one, price, now)
    for book in off_book.books.values():
        book.settle(day)


def _final_price(off_book: OffBook, one: Contract, day: date) -> Decimal:
    """Return what a contract is settled at: by its index, else at its own last price."""
    if one.product.board != "index":
        return off_book.price(one.symbol)
    return one.intrinsic(reference.spot(one.product, day, off_book))


def _expire(off_book: OffBook, one: Contract, price: Decimal, now: datetime) -> None:
    """Close what is held of a contract at its final price, and end what waits for it."""
    for ticket in off_book.waiting():
        if (ticket.market, ticket.symbol) == (_FUTURES, one.symbol):
            off_book.end(ticket)
    for book in off_book.books.values():
        held = book.account.position(_FUTURES, one.symbol).quantity
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            ticket = OffBookTicket(
                *(_FUTURES, "", book.account.number, one.symbol, side, abs(held)),
                *(price, "", "", now),
                date=one.expiry,
            )
            book.account.settle(ticket, abs(held), price, date=one.expiry, now=now)
