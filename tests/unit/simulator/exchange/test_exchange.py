from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Order, Side
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest, Ticket
from tests.unit.simulator.exchange.quiet_market import ACCOUNT, CASH, NOW, quiet, rest

SYMBOL = "005930"


def exchange(seed: int = 1, calendar: Calendar | None = None) -> Exchange:
    return Exchange(
        seed=seed,
        calendar=calendar,
        accounts=[with_holdings(ACCOUNT, CASH, [(SYMBOL, 100, 270_000)])],
    )


def place(made: Exchange, side: Side, quantity: int, price: int = 0, kind: str = "00") -> Ticket:
    return made.place(OrderRequest(ACCOUNT, "100000", side, quantity, price, kind), NOW)


def kinds(made: Exchange) -> list[str]:
    return [event.kind for event in made.events]


class TestKinds:
    def test_a_limit_order_rests_and_fills_at_its_price(self) -> None:
        made, market = quiet()
        ticket = place(made, Side.BUY, 10, 9_990)
        assert ticket.remaining == 10
        market.enter(Order(Side.SELL, 9_980, 4), NOW, rest=False)
        assert (ticket.filled, ticket.value, ticket.remaining) == (4, 39_960, 6)
        assert kinds(made) == ["taken", "filled"]

    def test_a_limit_order_takes_better_prices(self) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_000, 3)
        rest(market, Side.SELL, 10_010, 3)
        ticket = place(made, Side.BUY, 10, 10_010)
        assert (ticket.filled, ticket.value) == (6, 60_030)
        assert market.book.depth(Side.BUY) == [(10_010, 4)]

    def test_a_market_order_sweeps_and_its_rest_waits_at_the_last_price(self) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_000, 3)
        rest(market, Side.SELL, 10_500, 3)
        ticket = place(made, Side.BUY, 10, kind="01")
        assert ticket.filled == 6
        assert market.book.depth(Side.BUY) == [(10_500, 4)]

    def test_best_limit_enters_at_the_other_side(self) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_000, 3)
        rest(market, Side.SELL, 10_010, 9)
        assert place(made, Side.BUY, 5, kind="03").filled == 3
        assert market.book.depth(Side.BUY) == [(10_000, 2)]

    def test_top_priority_enters_at_its_own_side(self) -> None:
        made, market = quiet()
        rest(market, Side.BUY, 9_950, 3)
        ticket = place(made, Side.BUY, 5, kind="04")
        assert ticket.filled == 0
        assert market.book.depth(Side.BUY) == [(9_950, 8)]

    @pytest.mark.parametrize("kind", ["03", "04", "15", "16"])
    def test_a_price_that_the_book_does_not_name_is_refused(self, kind: str) -> None:
        made, _ = quiet()
        with pytest.raises(OrderRefused, match="no_price"):
            place(made, Side.BUY, 5, kind=kind)

    @pytest.mark.parametrize(("kind", "price"), [("11", 10_000), ("13", 0), ("15", 0)])
    def test_ioc_fills_what_it_can_and_lapses(self, kind: str, price: int) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_000, 3)
        ticket = place(made, Side.BUY, 5, price, kind)
        assert (ticket.filled, ticket.cancelled, ticket.remaining) == (3, 2, 0)
        assert kinds(made) == ["taken", "filled", "lapsed"]
        assert made.accounts[ACCOUNT].reserved == 0
        assert made.working() == set()

    @pytest.mark.parametrize(("kind", "price"), [("12", 10_000), ("14", 0), ("16", 0)])
    def test_fok_fills_all_or_nothing(self, kind: str, price: int) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_000, 3)
        ticket = place(made, Side.BUY, 5, price, kind)
        assert (ticket.filled, ticket.cancelled) == (0, 5)
        assert market.book.size(Side.SELL, 10_000) == 3
        assert place(made, Side.BUY, 3, price, kind).filled == 3
        assert made.accounts[ACCOUNT].reserved == 0

    def test_a_stop_order_waits_for_its_trigger(self) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_100, 50)
        ticket = made.place(
            OrderRequest(ACCOUNT, "100000", Side.BUY, 5, 10_150, "22", trigger=10_100), NOW
        )
        assert made.working() == {"100000"}
        assert market.book.depth(Side.BUY) == []
        place(made, Side.BUY, 1, 10_100)
        assert (ticket.filled, ticket.remaining) == (5, 0)
        assert made.working() == set()

    def test_a_waiting_stop_order_can_be_cancelled(self) -> None:
        made, _ = quiet()
        ticket = made.place(
            OrderRequest(ACCOUNT, "100000", Side.BUY, 5, 10_150, "22", trigger=10_100), NOW
        )
        made.cancel(ACCOUNT, ticket.number, quantity=2, now=NOW)
        assert ticket.remaining == 3
        made.cancel(ACCOUNT, ticket.number, quantity=None, now=NOW)
        assert (ticket.remaining, made.working()) == (0, set())
        assert made.accounts[ACCOUNT].reserved == 0

    def test_mid_price_orders_meet_in_the_middle(self) -> None:
        made, market = quiet()
        rest(market, Side.SELL, 10_010, 5)
        rest(market, Side.BUY, 10_000, 5)
        seller = place(made, Side.SELL, 4, kind="21")
        assert seller.filled == 0
        buyer = place(made, Side.BUY, 3, kind="23")
        assert (buyer.filled, buyer.value) == (3, 3 * 10_005)
        assert (seller.filled, seller.remaining) == (3, 1)
        refused = place(made, Side.BUY, 2, kind="24")
        assert (refused.filled, refused.cancelled) == (0, 2)
        made.cancel(ACCOUNT, seller.number, quantity=None, now=NOW)
        assert market.pegged == []

    @pytest.mark.parametrize("kind", ["07", "27", "99"])
    def test_other_kinds_are_refused(self, kind: str) -> None:
        made, _ = quiet()
        with pytest.raises(OrderRefused, match="kind"):
            place(made, Side.BUY, 1, 10_000, kind)

    def test_nxt_has_no_market_order(self) -> None:
        made, _ = quiet()
        with pytest.raises(OrderRefused, match="kind"):
            made.place(OrderRequest(ACCOUNT, "100000", Side.BUY, 1, kind="01", venue="NXT"), NOW)


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            (OrderRequest("87654321-01", SYMBOL, Side.BUY, 1, 274_000), "account"),
            (OrderRequest(ACCOUNT, "SAMSUNG", Side.BUY, 1, 274_000), "symbol"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 0, 274_000), "quantity"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 274_100), "tick"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 0), "tick"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 356_500), "limit"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.SELL, 1, 191_550), "tick"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.SELL, 1, 191_900), "limit"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1_000, 274_000), "cash"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.SELL, 101, 274_000), "holdings"),
            (OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 274_000, "22"), "tick"),
        ],
    )
    def test_nothing_changes(self, request_: OrderRequest, reason: str) -> None:
        made = exchange()
        with pytest.raises(OrderRefused, match=reason):
            made.place(request_, NOW)
        assert made.tickets == {}
        assert made.events == []
        assert made.accounts[ACCOUNT].free_cash == CASH

    @pytest.mark.parametrize(
        ("hour", "day", "session"),
        [(7, 22, "before"), (20, 22, "after"), (10, 26, "holiday"), (10, 24, "holiday")],
    )
    def test_krx_hours(self, hour: int, day: int, session: str) -> None:
        made = exchange(calendar=Calendar(load().hours))
        at = NOW.replace(hour=hour, day=day)
        with pytest.raises(OrderRefused) as caught:
            made.place(OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 274_000), at)
        assert (caught.value.reason, caught.value.session) == ("session", session)
        before = made.market(SYMBOL, at).volume
        made.act(SYMBOL, at)
        assert made.market(SYMBOL, at).volume == before

    def test_on_the_day_of_the_college_exam_krx_is_an_hour_late(self) -> None:
        made = exchange(calendar=Calendar(load().hours))
        at = NOW.replace(month=11, day=19)
        states = [made.session(at.replace(hour=hour, minute=45)) for hour in (9, 10, 15, 16)]
        assert states == ["before", "open", "open", "open"]
        order = OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 274_000)
        with pytest.raises(OrderRefused, match="session"):
            made.place(order, at.replace(hour=8, minute=45))
        assert made.place(order, at.replace(hour=15, minute=45)).number

    def test_the_exchange_can_refuse_what_the_desk_took(self) -> None:
        made = exchange()
        made.refuse_next.append(SYMBOL)
        ticket = made.place(OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 274_000), NOW)
        assert (ticket.refused, ticket.remaining) == (1, 0)
        assert kinds(made) == ["taken", "refused"]
        assert made.accounts[ACCOUNT].free_cash == CASH


class TestChanges:
    def test_a_modification_gets_its_own_number_and_loses_its_place(self) -> None:
        made, market = quiet()
        old = place(made, Side.BUY, 10, 9_990)
        behind = rest(market, Side.BUY, 10_000, 1)
        new = made.modify(ACCOUNT, old.number, quantity=4, price=10_000, kind="00", now=NOW)
        assert (new.original, new.action, new.remaining) == (old.number, "modify", 4)
        assert (old.moved, old.remaining) == (4, 6)
        assert market.book.queue(Side.BUY, 10_000) == [behind, new.order]
        assert kinds(made) == ["taken", "taken", "confirmed"]

    def test_a_part_cancelled_keeps_the_place(self) -> None:
        made, market = quiet()
        ticket = place(made, Side.BUY, 10, 9_990)
        behind = rest(market, Side.BUY, 9_990, 1)
        made.cancel(ACCOUNT, ticket.number, quantity=4, now=NOW)
        assert market.book.queue(Side.BUY, 9_990) == [ticket.order, behind]
        assert (ticket.cancelled, ticket.remaining) == (4, 6)

    def test_a_dearer_modification_without_cash_changes_nothing(self) -> None:
        made, _ = quiet()
        ticket = place(made, Side.BUY, 10_000, 9_990)
        reserved = made.accounts[ACCOUNT].reserved
        with pytest.raises(OrderRefused, match="cash"):
            made.modify(ACCOUNT, ticket.number, quantity=None, price=10_100, kind="00", now=NOW)
        assert made.accounts[ACCOUNT].reserved == reserved
        assert (ticket.moved, ticket.remaining) == (0, 10_000)

    def test_what_is_not_there_cannot_be_changed(self) -> None:
        made, _ = quiet()
        ticket = place(made, Side.BUY, 10, 9_990)
        for account, number, quantity, reason in (
            ("87654321-01", ticket.number, None, "account"),
            (ACCOUNT, "0000000000", None, "order"),
            (ACCOUNT, ticket.number, 11, "left"),
            (ACCOUNT, ticket.number, 0, "quantity"),
        ):
            with pytest.raises(OrderRefused, match=reason):
                made.cancel(account, number, quantity=quantity, now=NOW)
        made.cancel(ACCOUNT, ticket.number, quantity=None, now=NOW)
        with pytest.raises(OrderRefused, match="left"):
            made.cancel(ACCOUNT, ticket.number, quantity=None, now=NOW)


def test_orders_end_with_their_day() -> None:
    made = exchange()
    ticket = made.place(OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 1, 200_000), NOW)
    last = made.markets[SYMBOL].last
    tomorrow = made.market(SYMBOL, NOW + timedelta(days=1))
    assert tomorrow.listing.base == ticks.down(last)
    assert (ticket.cancelled, ticket.remaining) == (1, 0)
    assert made.accounts[ACCOUNT].reserved == 0


def test_whoever_asks_for_every_symbol_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.simulator.exchange.exchange._MOST_MARKETS", 4)
    made = exchange()
    ordered = OrderRequest(ACCOUNT, "123456", Side.BUY, 1, kind="00", price=0)
    price = made.market("123456", NOW).lower
    made.place(replace(ordered, price=price), NOW)
    for number in range(10):
        made.market(f"10000{number}", NOW)
    assert len(made.markets) == 4
    # What somebody owns or has ordered stays.
    made.market(SYMBOL, NOW)
    for number in range(10):
        made.market(f"20000{number}", NOW)
    assert {SYMBOL, "123456"} <= made.markets.keys()


def test_the_same_seed_is_the_same_market() -> None:
    def tape(seed: int) -> list[tuple[int, int]]:
        made = exchange(seed)
        for _ in range(50):
            made.act("123456", NOW)
        return [(row.price, row.quantity) for row in made.market("123456", NOW).prints]

    assert tape(7) == tape(7)
    assert tape(7) != tape(8)


def test_an_order_near_the_market_fills() -> None:
    made = exchange()
    bid = made.market(SYMBOL, NOW).book.best(Side.BUY)
    ticket = made.place(OrderRequest(ACCOUNT, SYMBOL, Side.BUY, 10, bid), NOW)
    for _ in range(2_000):
        made.act(SYMBOL, NOW)
    assert ticket.filled == 10


def test_the_market_stays_alive_and_within_its_limits() -> None:
    made = exchange(3)
    for symbol in (SYMBOL, "123456", "900000"):
        market = made.market(symbol, NOW)
        for _ in range(500):
            made.act(symbol, NOW)
        for side in Side:
            assert len(market.book.depth(side)) == 10
        assert market.book.best(Side.BUY) < market.book.best(Side.SELL)
        assert all(market.lower <= row.price <= market.upper for row in market.prints)
        assert market.volume == market.bought + market.sold
        assert len(market.traders) <= 300


KINDS = ["00", "01", "02", "03", "04", "11", "12", "13", "14", "15", "16", "21", "22", "23", "24"]

Operation = tuple[str, Side, int, int, int]

operations = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, "modify", "cancel", "act", "act"]),
        st.sampled_from(Side),
        st.integers(-6, 6),
        st.integers(1, 150),
        st.integers(0, 1_000),
    ),
    max_size=25,
)


@given(operations, st.integers(0, 5))
def test_nothing_is_lost_whatever_is_asked(steps: list[Operation], seed: int) -> None:
    made = exchange(seed)
    market = made.market(SYMBOL, NOW)
    account = made.accounts[ACCOUNT]
    for step in steps:
        _carry_out(made, market, step)
        _check(made, market)
    assert account.cash == CASH + sum(_paid(ticket) for ticket in made.tickets.values())
    shares = sum(
        t.filled if t.request.side is Side.BUY else -t.filled for t in made.tickets.values()
    )
    assert account.holding(SYMBOL).quantity == 100 + shares
    told: Counter[str] = Counter()
    for event in made.events:
        if event.kind == "filled":
            told[event.ticket.number] += event.quantity
    assert told == {t.number: t.filled for t in made.tickets.values() if t.filled}


def _carry_out(made: Exchange, market: Market, step: Operation) -> None:
    what, side, offset, quantity, pick = step
    price = ticks.step(market.last, offset)
    numbers = list(made.tickets)
    try:
        if what == "act":
            made.act(SYMBOL, NOW)
        elif what in ("modify", "cancel"):
            if numbers:
                number = numbers[pick % len(numbers)]
                part = None if pick % 3 else quantity
                if what == "cancel":
                    made.cancel(ACCOUNT, number, quantity=part, now=NOW)
                else:
                    made.modify(ACCOUNT, number, quantity=part, price=price, kind="00", now=NOW)
        else:
            priced = price if what in ("00", "02", "11", "12", "22") else 0
            trigger = ticks.step(market.last, -offset) if what == "22" else 0
            made.place(OrderRequest(ACCOUNT, SYMBOL, side, quantity, priced, what, trigger), NOW)
    except OrderRefused:
        pass


def _fee(value: int) -> int:
    return int(value * Decimal("0.000140527"))


def _paid(ticket: Ticket) -> int:
    """What an order has brought in; the tax is that of 2026."""
    if ticket.request.side is Side.BUY:
        return -ticket.value - _fee(ticket.value)
    return ticket.value - _fee(ticket.value) - int(ticket.value * Decimal("0.002"))


def _check(made: Exchange, market: Market) -> None:
    account = made.accounts[ACCOUNT]
    book = market.book
    for side in Side:
        for price in book.prices(side):
            queue = book.queue(side, price)
            assert all(order.remaining > 0 and order.price == price for order in queue)
            assert sum(order.remaining for order in queue) == book.size(side, price)
        assert sum(book.size(side, price) for price in book.prices(side)) == book.total(side)
    bid, ask = book.best(Side.BUY), book.best(Side.SELL)
    assert not bid or not ask or bid < ask
    assert all(market.lower <= row.price <= market.upper for row in market.prints)
    waiting_cash = waiting_shares = 0
    for ticket in made.tickets.values():
        parts = (ticket.filled, ticket.cancelled, ticket.moved, ticket.refused, ticket.remaining)
        assert min(parts) >= 0
        assert sum(parts) == ticket.request.quantity
        if ticket.order is not None:
            assert ticket.order.remaining == ticket.remaining
        if ticket.request.side is Side.BUY:
            most = ticket.value + ticket.remaining * ticket.limit
            waiting_cash += most + _fee(most) - ticket.value - _fee(ticket.value)
        else:
            waiting_shares += ticket.remaining
    held = account.holding(SYMBOL)
    assert account.reserved == waiting_cash
    assert held.reserved == waiting_shares
    assert account.free_cash >= 0
    assert held.quantity >= held.reserved >= 0
    assert held.cost >= 0
