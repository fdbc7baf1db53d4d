"""What is done overseas when its time has come, whatever the prices do (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.reservations import ReservedOrder
from bridge.simulator.off_book.schedules import SPLIT, split
from bridge.simulator.off_book.tickets import OffBookTicket

__all__ = ["take_turn"]

_MARKETS = ("overseas_stock", "overseas_derivative")


def take_turn(off_book: OffBook, now: datetime) -> None:
    """Work what has a schedule; once a minute end days and place what was reserved."""
    for ticket in off_book.waiting():
        if ticket.schedule:
            _follow(off_book, ticket, now)
    minute = now.replace(second=0, microsecond=0)
    if off_book.minute != minute:
        off_book.minute = minute
        _end_days(off_book, now)
        off_book.reservations.carry_out(now, lambda one, at: _place(off_book, one, at))


def _follow(off_book: OffBook, ticket: OffBookTicket, now: datetime) -> None:
    """Trade what the schedule of an order wants; what is left at its end lapses."""
    due, price = ticket.due(now), off_book.price(ticket.symbol)
    if due and ticket.crosses(price):
        off_book.trade_out(ticket, price, now, quantity=due)
    if ticket.remaining and ticket.over(now):
        off_book.lapse(ticket, now)


def _end_days(off_book: OffBook, now: datetime) -> None:
    """End the orders of a business day that is over; nobody is told, as at KIS."""
    for ticket in off_book.waiting():
        ends = ticket.market in _MARKETS and not ticket.lasting
        if ends and ticket.date < business_date(ticket.market, ticket.exchange, now):
            off_book.end(ticket)


def _place(off_book: OffBook, one: ReservedOrder, now: datetime) -> OffBookTicket:
    ends = off_book.hours.closing(one.exchange, now) if off_book.hours else now
    return off_book.place(
        *("overseas_stock", one.account, one.symbol, one.side, one.quantity, one.price),
        kind=one.kind,
        exchange=one.exchange,
        now=now,
        schedule=split(one.kind, one.quantity, now, ends) if one.kind in SPLIT else (),
        reservation=one.number,
    )
