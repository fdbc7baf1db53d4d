"""The backlog loses nothing silently and never reorders a topic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.feed.backlog import Backlog
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from tests.unit.subscriptions.channels import QUOTE, TRADE

ZONE = Zone("Asia/Seoul")
QUOTES = [Route(QUOTE, "krx", symbol, f"kis/quote/{symbol}", ZONE) for symbol in "AB"]
TRADES = [Route(TRADE, "krx", symbol, f"kis/trade/{symbol}", ZONE) for symbol in "AB"]


def test_a_newer_state_replaces_the_older_and_is_counted() -> None:
    backlog = Backlog(1000)
    for payload in (b"1", b"2", b"3"):
        backlog.add(QUOTES[0], payload, conflate=True)
    assert backlog.take(1000) == [(QUOTES[0], b"3")]
    assert (backlog.conflated, backlog.dropped, backlog.size) == (2, 0, 0)


def test_records_keep_their_order_and_the_oldest_go_first_when_full() -> None:
    backlog = Backlog(10)
    for number in range(15):
        backlog.add(TRADES[number % 2], b"%d" % (number % 10), conflate=False)
    taken = [payload for _, payload in backlog.take(1000)]
    assert taken == [b"%d" % (number % 10) for number in range(5, 15)]
    assert backlog.losses() == {"kis/trade/A": 3, "kis/trade/B": 2}
    assert backlog.losses() == {}


def test_while_the_broker_is_away_only_the_last_value_of_each_topic_waits() -> None:
    backlog = Backlog(1000)
    for number in range(3):
        backlog.add(TRADES[0], b"%d" % number, conflate=False)
    backlog.park_all()
    backlog.park(TRADES[0], b"9", conflate=False)
    backlog.park(QUOTES[0], b"q", conflate=True)
    assert sorted(backlog.take(1000), key=lambda item: item[1]) == [
        (TRADES[0], b"9"),
        (QUOTES[0], b"q"),
    ]
    assert backlog.losses() == {"kis/trade/A": 3}
    assert backlog.size == 0


def test_taking_stops_at_the_limit() -> None:
    backlog = Backlog(1000)
    for _ in range(4):
        backlog.add(TRADES[0], b"xxxx", conflate=False)
    assert len(backlog.take(5)) == 2
    assert backlog.size == 8


def test_what_was_not_sent_goes_back_in_its_place() -> None:
    backlog = Backlog(1000)
    for payload in (b"1", b"2", b"3", b"4"):
        backlog.add(TRADES[0], payload, conflate=False)
    for payload in (b"q", b"r"):
        backlog.add(QUOTES[0], payload, conflate=True)
    taken = backlog.take(3)
    assert taken == [(QUOTES[0], b"r"), (TRADES[0], b"1"), (TRADES[0], b"2")]
    for route, payload in reversed(taken):
        backlog.put_back(route, payload, conflate=route is QUOTES[0])
    assert backlog.size == 5
    assert backlog.take(1000) == [*taken, (TRADES[0], b"3"), (TRADES[0], b"4")]
    assert (backlog.size, backlog.dropped, backlog.conflated) == (0, 0, 1)


def test_a_state_that_comes_back_does_not_replace_a_newer_one() -> None:
    backlog = Backlog(1000)
    backlog.add(QUOTES[0], b"new", conflate=True)
    backlog.put_back(QUOTES[0], b"old", conflate=True)
    assert backlog.take(1000) == [(QUOTES[0], b"new")]
    assert (backlog.size, backlog.conflated) == (0, 1)


def test_a_refresh_adds_only_what_does_not_wait_already() -> None:
    backlog = Backlog(1000)
    backlog.park(TRADES[0], b"new", conflate=False)
    backlog.refresh(TRADES[0], b"old")
    backlog.refresh(TRADES[1], b"last")
    assert backlog.size == 7
    assert backlog.take(1000) == [(TRADES[0], b"new"), (TRADES[1], b"last")]
    assert (backlog.size, backlog.dropped, backlog.conflated) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.booleans()), max_size=60))
def test_everything_added_is_taken_conflated_or_dropped(
    steps: list[tuple[int, bool, bool]],
) -> None:
    backlog = Backlog(12)
    taken: list[tuple[Route, bytes]] = []
    for number, (which, conflate, away) in enumerate(steps):
        route = (QUOTES if conflate else TRADES)[which]
        if away:
            backlog.park_all()
            backlog.park(route, b"%02d" % number, conflate=conflate)
        else:
            backlog.add(route, b"%02d" % number, conflate=conflate)
        if number % 7 == 6:
            taken += backlog.take(6)
    taken += backlog.take(10_000)
    assert len(taken) + backlog.conflated + backlog.dropped == len(steps)
    assert backlog.dropped == sum(backlog.losses().values())
    assert backlog.size == 0
    for route in QUOTES + TRADES:
        numbers = [payload for taker, payload in taken if taker is route]
        assert numbers == sorted(numbers)
