"""The backlog loses nothing silently and never reorders a topic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.feed.backlog import Backlog
from bridge.kis.decode import Route
from bridge.kis.values import Zone
from tests.unit.feed.channels import QUOTE, TRADE

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
