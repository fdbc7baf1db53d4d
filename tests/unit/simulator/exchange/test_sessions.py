from __future__ import annotations

from datetime import datetime

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.auction import clearing_price
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.kinds import KINDS, of_venue
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.sessions import Timing
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest, Ticket
from tests.unit.simulator.exchange.quiet_market import ACCOUNT, NOW, QUIET, quiet, rest

CALENDAR = Calendar(load().hours)


def at(clock: str) -> datetime:
    hour, minute = clock.split(":")
    return NOW.replace(hour=int(hour), minute=int(minute))


def opened(clock: str) -> tuple[Exchange, Market]:
    return quiet(at=at(clock), calendar=CALENDAR)


def place(
    made: Exchange,
    clock: str,
    side: Side,
    quantity: int,
    price: int = 0,
    kind: str = "00",
    venue: str = "KRX",
) -> Ticket:
    request = OrderRequest(ACCOUNT, QUIET, side, quantity, price, kind, venue=venue)
    return made.place(request, at(clock))


@pytest.mark.parametrize("venue", ["KRX", "NXT", "SOR"])
def test_each_venue_takes_the_kinds_that_the_workbook_lists_for_it(venue: str) -> None:
    listed = {code.code for code in load().codes[f"order_type_{venue.lower()}"]}
    # Single-price trading after hours ended with the after-market of 2026-09-14.
    assert {code for code in KINDS if of_venue(venue, code)} == listed - {"07"}


@pytest.mark.parametrize(
    ("clock", "venue", "kind", "becomes"),
    [
        ("08:10", "KRX", "00", "before"),
        ("08:25", "KRX", "00", "auction"),
        ("08:25", "KRX", "02", "auction"),
        ("08:25", "KRX", "03", "kind"),
        ("08:25", "KRX", "11", "kind"),
        ("08:25", "KRX", "05", "before"),
        ("08:35", "KRX", "05", "fixed"),
        ("08:45", "KRX", "05", "after"),
        ("10:00", "KRX", "21", "continuous"),
        ("10:00", "KRX", "06", "before"),
        ("15:25", "KRX", "01", "auction"),
        ("15:25", "KRX", "02", "kind"),
        ("15:35", "KRX", "00", "after"),
        ("15:35", "KRX", "06", "fixed"),
        ("16:30", "KRX", "06", "after"),
        ("16:30", "KRX", "41", "continuous"),
        ("16:30", "KRX", "00", "after"),
        ("20:00", "KRX", "41", "after"),
        ("08:10", "NXT", "00", "continuous"),
        ("08:10", "NXT", "27", "continuous"),
        ("08:10", "NXT", "21", "kind"),
        ("08:10", "NXT", "13", "kind"),
        ("08:55", "NXT", "00", "before"),
        ("08:55", "NXT", "27", "after"),
        ("10:00", "NXT", "13", "continuous"),
        ("15:25", "NXT", "00", "before"),
        ("15:35", "NXT", "00", "auction"),
        ("17:00", "NXT", "03", "continuous"),
        ("17:00", "NXT", "22", "kind"),
        ("08:25", "SOR", "00", "continuous"),
        ("08:55", "SOR", "01", "auction"),
        ("19:59", "SOR", "11", "continuous"),
    ],
)
def test_what_becomes_of_a_kind_at_an_hour(clock: str, venue: str, kind: str, becomes: str) -> None:
    assert Timing(CALENDAR).admission(venue, KINDS[kind], at(clock)) == becomes


def test_without_hours_every_kind_is_always_taken() -> None:
    always = Timing(None)
    assert {always.admission("KRX", kind, at("03:00")) for kind in KINDS.values()} == {
        "continuous",
        "fixed",
    }


@pytest.mark.parametrize(
    ("bids", "asks", "price"),
    [
        ({100: 5}, {101: 5}, 0),
        ({101: 5}, {100: 5}, 100),  # both serve; 100 is nearer to the last price
        ({102: 5, 100: 10}, {99: 3, 101: 4}, 101),
        ({105: 10}, {95: 4, 100: 6, 105: 50}, 100),
        ({}, {100: 1}, 0),
    ],
)
def test_an_auction_finds_the_price_at_which_most_trades(
    bids: dict[int, int], asks: dict[int, int], price: int
) -> None:
    assert clearing_price(bids, asks, 100) == price


class TestOpening:
    def test_orders_wait_for_the_opening_price(self) -> None:
        made, market = opened("08:21")
        rest(market, Side.SELL, 10_050, 30)
        dear = place(made, "08:30", Side.BUY, 10, 10_100)
        any_price = place(made, "08:31", Side.BUY, 10, kind="01")
        cheap = place(made, "08:32", Side.BUY, 10, 9_900)
        assert [t.filled for t in (dear, any_price, cheap)] == [0, 0, 0]
        assert market.book.depth(Side.BUY) == []
        made.advance(at("09:00"))
        # All at one price, the one of the seller.
        assert [t.value for t in (dear, any_price, cheap)] == [100_500, 100_500, 0]
        assert market.book.depth(Side.BUY) == [(9_900, 10)]
        assert [event.at for event in made.events if event.kind == "filled"] == [at("09:00")] * 2

    def test_a_waiting_order_is_cancelled_before_it_trades(self) -> None:
        made, market = opened("08:21")
        ticket = place(made, "08:30", Side.BUY, 10, 10_100)
        made.cancel(ACCOUNT, ticket.number, quantity=4, now=at("08:40"))
        assert ticket.remaining == 6
        made.cancel(ACCOUNT, ticket.number, quantity=None, now=at("08:41"))
        assert market.called == []
        assert made.accounts[ACCOUNT].reserved == 0

    def test_orders_at_the_previous_close_trade_at_it_alone(self) -> None:
        made, market = opened("08:31")
        base = market.listing.base
        market.lower, market.upper = base // 2, base * 2
        seller = place(made, "08:32", Side.SELL, 5, kind="05")
        buyer = place(made, "08:33", Side.BUY, 8, kind="05")
        assert (seller.value, buyer.filled) == (5 * base, 5)
        made.advance(at("08:40"))
        assert (buyer.remaining, buyer.cancelled) == (0, 3)


class TestClose:
    def test_a_conditional_order_becomes_a_market_order_of_the_closing_auction(self) -> None:
        made, market = opened("15:00")
        ticket = place(made, "15:01", Side.BUY, 10, 9_000, "02")
        assert market.book.depth(Side.BUY) == [(9_000, 10)]
        made.advance(at("15:20"))
        assert market.book.depth(Side.BUY) == []
        rest(market, Side.SELL, 10_000, 10)
        made.advance(at("15:30"))
        assert (ticket.filled, ticket.value) == (10, 100_000)

    def test_what_is_left_at_the_close_is_over(self) -> None:
        made, _ = opened("15:00")
        ticket = place(made, "15:01", Side.BUY, 10, 9_000)
        routed = place(made, "15:02", Side.BUY, 10, 9_000, venue="SOR")
        made.advance(at("15:30"))
        assert (ticket.cancelled, routed.remaining) == (10, 10)
        made.advance(at("20:00"))
        assert routed.remaining == 0
        assert made.accounts[ACCOUNT].reserved == 0

    def test_orders_at_the_close_are_taken_ten_minutes_before_they_trade(self) -> None:
        made, market = opened("15:31")
        seller = place(made, "15:32", Side.SELL, 5, kind="06")
        buyer = place(made, "15:33", Side.BUY, 5, kind="06")
        assert (seller.filled, buyer.filled) == (0, 0)
        made.advance(at("15:40"))
        assert (seller.value, buyer.value) == (5 * market.last,) * 2

    def test_somebody_comes_for_an_order_at_the_close(self) -> None:
        made, _ = opened("15:41")
        ticket = place(made, "15:42", Side.SELL, 3, kind="06")
        for _ in range(100):
            made.act(QUIET, at("15:50"))
        assert ticket.filled == 3

    def test_nxt_trades_at_the_close_of_krx(self) -> None:
        made, market = opened("15:31")
        seller = place(made, "15:32", Side.SELL, 5, 9_500, venue="NXT")
        buyer = place(made, "15:33", Side.BUY, 5, 10_500, venue="NXT")
        made.advance(at("15:40"))
        assert (seller.value, buyer.value) == (5 * market.last,) * 2

    def test_orders_for_the_pre_market_end_with_it(self) -> None:
        made, _ = opened("08:01")
        ticket = place(made, "08:02", Side.BUY, 1, 9_000, "27", "NXT")
        stays = place(made, "08:02", Side.BUY, 1, 9_000, "00", "NXT")
        made.advance(at("08:50"))
        assert (ticket.cancelled, stays.remaining) == (1, 1)

    def test_the_after_market_has_kinds_of_its_own_and_no_notes(self) -> None:
        made, market = opened("16:01")
        rest(market, Side.SELL, 10_000, 3)
        assert place(made, "16:02", Side.BUY, 5, 10_000, "42").filled == 3
        note = OrderRequest(ACCOUNT, "Q500001", Side.BUY, 1, 10_000, "41")
        with pytest.raises(OrderRefused, match="kind"):
            made.place(note, at("16:02"))


def test_a_day_that_nobody_looked_at_ends_as_others_do() -> None:
    made, market = opened("15:00")
    ticket = place(made, "15:01", Side.BUY, 10, 9_000, "02")
    market.book.add(Order(Side.SELL, 10_000, 4))
    made.advance(at("10:00").replace(day=23))
    assert (ticket.filled, ticket.cancelled) == (4, 6)
    assert [event.at for event in made.events if event.kind == "filled"] == [at("15:30")]
