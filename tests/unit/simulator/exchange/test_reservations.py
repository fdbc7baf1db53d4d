from __future__ import annotations

from datetime import datetime

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest
from tests.unit.simulator.exchange.quiet_market import ACCOUNT, NOW, QUIET, clear, quiet

CALENDAR = Calendar(load().hours)
EVENING = NOW.replace(hour=18)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return NOW.replace(day=day, hour=hour, minute=minute)


def order(
    side: Side = Side.BUY, quantity: int = 10, price: int = 10_000, kind: str = "00"
) -> OrderRequest:
    return OrderRequest(ACCOUNT, QUIET, side, quantity, price, kind)


def test_it_is_sent_when_orders_for_the_next_opening_are_taken() -> None:
    made, market = quiet(at=EVENING, calendar=CALENDAR)
    kept = made.reservations.add(order(), "", EVENING)
    assert (kept.first, kept.sent_on, made.tickets) == (at(23, 0).date(), None, {})
    assert made.accounts[ACCOUNT].reserved == 0
    made.advance(at(23, 8, 20))
    (ticket,) = kept.tickets
    assert (ticket.at, ticket.remaining) == (at(23, 8, 20), 10)
    assert [event.kind for event in made.events] == ["taken"]
    market = made.market(QUIET, at(23, 8, 21))
    market.called.append(Order(Side.SELL, market.lower, 10))
    made.advance(at(23, 9))
    assert (kept.filled, kept.left) == (10, 0)


def test_it_is_refused_when_it_is_sent_and_not_before() -> None:
    made, _ = quiet(at=EVENING, calendar=CALENDAR)
    kept = made.reservations.add(order(Side.SELL, 5_000), "", EVENING)
    made.advance(at(23, 8, 20))
    assert (kept.refused, kept.tickets, made.events) == ("holdings", [], [])


def test_one_for_the_previous_close_is_sent_at_its_own_hour() -> None:
    made, _ = quiet(at=EVENING, calendar=CALENDAR)
    kept = made.reservations.add(order(price=0, kind="05"), "", EVENING)
    made.advance(at(23, 8, 29))
    assert kept.sent_on is None
    made.advance(at(23, 8, 30))
    assert len(kept.tickets) == 1


def test_one_with_a_last_day_is_sent_every_trading_day_for_what_is_left() -> None:
    made, market = quiet(at=EVENING, calendar=CALENDAR)
    price = 10_000
    kept = made.reservations.add(order(price=price), "20260929", EVENING)
    made.advance(at(23, 8, 30))
    market = made.market(QUIET, at(23, 8, 31))
    clear(market, price)
    made.advance(at(23, 9))
    market.enter(Order(Side.SELL, price, 4), at(23, 10), rest=False)
    # The 24th and 25th are holidays, then comes a weekend.
    made.advance(at(28, 9))
    assert [(ticket.at.day, ticket.request.quantity) for ticket in kept.tickets] == [
        (23, 10),
        (28, 6),
    ]
    made.advance(at(30, 9))
    assert [ticket.at.day for ticket in kept.tickets] == [23, 28, 29]
    assert all(not ticket.remaining for ticket in kept.tickets)


def test_it_can_be_changed_and_cancelled_until_it_is_sent() -> None:
    made, _ = quiet(at=EVENING, calendar=CALENDAR)
    book = made.reservations
    kept = book.add(order(), "", EVENING)
    book.modify(ACCOUNT, kept.number, order(quantity=3), "", EVENING)
    assert kept.request.quantity == 3
    gone = book.add(order(), "", EVENING)
    book.cancel(ACCOUNT, gone.number, EVENING)
    made.advance(at(23, 8, 30))
    assert (len(kept.tickets), gone.tickets) == (1, [])
    for number in (kept.number, gone.number):
        with pytest.raises(OrderRefused, match="reservation_state"):
            book.cancel(ACCOUNT, number, at(23, 18))
    with pytest.raises(OrderRefused, match="order"):
        book.cancel(ACCOUNT, "99", EVENING)


@pytest.mark.parametrize(
    ("request_", "until", "now", "reason"),
    [
        (order(), "", at(22, 10), "reservation_hours"),
        (order(), "", at(22, 23, 50), "reservation_hours"),
        (order(kind="03"), "", EVENING, "kind"),
        (order(price=10_001), "", EVENING, "tick"),
        (order(), "20260922", EVENING, "reservation"),
        (order(), "20261023", EVENING, "reservation"),
        (order(), "soon", EVENING, "reservation"),
    ],
)
def test_what_is_not_kept(request_: OrderRequest, until: str, now: datetime, reason: str) -> None:
    made, _ = quiet(at=now, calendar=CALENDAR)
    with pytest.raises(OrderRefused, match=reason):
        made.reservations.add(request_, until, now)


def test_at_night_it_is_for_the_same_day_and_always_open_means_the_next_day() -> None:
    made, _ = quiet(at=at(22, 3), calendar=CALENDAR)
    assert made.reservations.add(order(), "", at(22, 3)).first.day == 22
    always, _ = quiet(at=NOW)
    kept = always.reservations.add(order(), "", NOW)
    assert kept.first.day == 23
    always.advance(at(23, 0, 1))
    assert len(kept.tickets) == 1


def test_a_new_loan_begins_on_the_day_that_it_is_taken() -> None:
    made, _ = quiet(at=EVENING, calendar=CALENDAR)
    request = OrderRequest(ACCOUNT, QUIET, Side.BUY, 1, 10_000, credit="21", lent_on="20260922")
    kept = made.reservations.add(request, "", EVENING)
    made.advance(at(23, 8, 30))
    assert kept.tickets[0].request.lent_on == "20260923"
