"""What is used of the limits: taken once, given back once, and of its own minute and day."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.risk.ledger import Ledger, LimitLedger
from bridge.orders.risk.limits import Limits
from tests.unit.orders.commands import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    SECOND,
    accept,
    cancel,
    managed,
    modify,
    place,
    submit,
)

D = Decimal
MIDNIGHT = MONDAY + 14 * HOUR
LAST = MIDNIGHT - 1
"""The last microsecond of Monday."""
NOBODY = managed(place("nobody"))
"""Whoever asks what the others have used."""


def used(
    ledger: LimitLedger,
    at: int = MONDAY,
    *,
    by: ManagedOrder = NOBODY,
    working: Iterable[ManagedOrder] = (),
) -> list[tuple[int, int, int]]:
    """Return notional of the day, orders of the minute and open ones: of account and client."""
    scopes = ledger.scopes(by, Limits(), Limits(), at, working)
    return [(int(scope.day), scope.minute, scope.working) for scope in scopes]


class TestTaking:
    def test_it_counts_for_the_account_and_for_its_client(self) -> None:
        ledger, alices, bobs = LimitLedger(), managed(place()), managed(place(), client="bob")
        ledger.reserve(alices, D(500), MONDAY)
        ledger.reserve(bobs, D(30), MONDAY + SECOND)
        at = MONDAY + SECOND
        assert used(ledger, at, by=alices) == [(530, 2, 0), (500, 1, 0)]
        assert used(ledger, at, by=bobs) == [(530, 2, 0), (30, 1, 0)]
        assert used(ledger, at, by=managed(place(), account="other")) == [(0, 0, 0)] * 2
        assert (ledger.reserved(alices), ledger.reserved(NOBODY)) == (D(500), D(0))

    def test_it_is_said_whose_limits_they_are(self) -> None:
        account, client = Limits(per_minute=5), Limits(per_minute=2)
        scopes = LimitLedger().scopes(NOBODY, account, client, MONDAY, ())
        assert [(scope.name, scope.limits) for scope in scopes] == [
            ("account main", account),
            ("client alice", client),
        ]

    def test_open_orders_are_those_of_others_and_never_the_one_that_asks(self) -> None:
        mine, alices, bobs = NOBODY, managed(place()), managed(place(), client="bob")
        working = [mine, alices, bobs]
        assert used(LimitLedger(), by=mine, working=working) == [(0, 0, 2), (0, 0, 1)]

    def test_a_minute_is_over_after_sixty_seconds_and_a_day_at_midnight_in_seoul(self) -> None:
        ledger = LimitLedger()
        ledger.reserve(managed(place()), D(500), LAST - 30 * SECOND)
        assert used(ledger, LAST) == [(500, 1, 0)] * 2
        assert used(ledger, MIDNIGHT) == [(0, 1, 0)] * 2
        assert used(ledger, LAST - 30 * SECOND + MINUTE - 1) == [(0, 1, 0)] * 2
        assert used(ledger, LAST - 30 * SECOND + MINUTE) == [(0, 0, 0)] * 2


class TestGivingBack:
    def test_what_was_never_sent_was_never_there(self) -> None:
        ledger, order = LimitLedger(), managed(place())
        ledger.reserve(managed(place("b")), D(30), MONDAY)
        ledger.reserve(order, D(500), MONDAY + SECOND)
        ledger.give_back(order, sent=False)
        assert used(ledger, MONDAY + SECOND) == [(30, 1, 0)] * 2
        assert ledger.reserved(order) == 0

    def test_what_was_sent_stays_an_order_of_its_minute(self) -> None:
        ledger, order = LimitLedger(), managed(place())
        ledger.reserve(order, D(500), MONDAY)
        ledger.give_back(order, sent=True)
        assert used(ledger) == [(0, 1, 0)] * 2

    @pytest.mark.parametrize("sent", [False, True])
    def test_it_is_given_back_once_whoever_finds_out_how_often(self, *, sent: bool) -> None:
        ledger, order, other = LimitLedger(), managed(place()), managed(place("b"))
        ledger.reserve(order, D(500), MONDAY)
        ledger.reserve(other, D(500), MONDAY)
        for again in (sent, sent, not sent):
            ledger.give_back(order, sent=again)
        assert used(ledger) == [(500, 2 if sent else 1, 0)] * 2

    def test_what_took_nothing_has_nothing_to_give_back(self) -> None:
        ledger = LimitLedger()
        ledger.reserve(managed(place()), D(500), MONDAY)
        ledger.give_back(managed(place()), sent=False)  # the same command, delivered again
        ledger.give_back(managed(cancel()), sent=False)
        assert used(ledger) == [(500, 1, 0)] * 2

    def test_what_is_given_back_after_midnight_is_of_the_day_before(self) -> None:
        ledger, order = LimitLedger(), managed(place())
        ledger.reserve(order, D(500), LAST)
        ledger.reserve(managed(place("b")), D(30), MIDNIGHT)
        ledger.give_back(order, sent=True)
        assert used(ledger, MIDNIGHT) == [(30, 2, 0)] * 2

    def test_a_clock_that_jumps_a_day_and_back_forgets_nothing_of_the_day(self) -> None:
        ledger, order = LimitLedger(), managed(place())
        ledger.reserve(order, D(500), MONDAY)
        assert used(ledger, MONDAY + DAY) == [(0, 0, 0)] * 2
        assert [day for day, _, _ in used(ledger, MONDAY + MINUTE)] == [500, 500]
        ledger.give_back(order, sent=True)
        assert [day for day, _, _ in used(ledger, MONDAY + MINUTE)] == [0, 0]

    def test_a_clock_that_was_ahead_stops_nobody_for_longer_than_a_minute(self) -> None:
        ledger, ahead, back = LimitLedger(), managed(place()), managed(place("b"))
        ledger.reserve(ahead, D(500), MONDAY + HOUR)
        # Nobody knows any more when it was sent. It counts for a minute from now on.
        assert [minute for _, minute, _ in used(ledger, MONDAY)] == [1, 1]
        ledger.reserve(back, D(30), MONDAY + 30 * SECOND)
        assert [minute for _, minute, _ in used(ledger, MONDAY + MINUTE - 1)] == [2, 2]
        assert [minute for _, minute, _ in used(ledger, MONDAY + MINUTE)] == [1, 1]
        assert [minute for _, minute, _ in used(ledger, MONDAY + 90 * SECOND)] == [0, 0]

    def test_neither_does_what_waited_while_it_was_ahead(self) -> None:
        ledger, order = LimitLedger(), managed(place())
        ledger.reserve(managed(place("b")), D(30), MONDAY + HOUR)
        ledger.reserve(order, D(500), MONDAY + HOUR + SECOND)
        assert ledger.postpone(order, MONDAY)
        assert used(ledger, MONDAY + MINUTE - 1) == [(530, 2, 0)] * 2
        assert used(ledger, MONDAY + MINUTE) == [(530, 0, 0)] * 2


class TestWaiting:
    def test_what_waited_counts_from_when_it_leaves(self) -> None:
        ledger, order = LimitLedger(), managed(place())
        ledger.reserve(order, D(500), MONDAY)
        late = MONDAY + 59 * SECOND
        assert ledger.postpone(order, late)
        assert used(ledger, late + 59 * SECOND) == [(500, 1, 0)] * 2
        assert used(ledger, late + MINUTE) == [(500, 0, 0)] * 2
        ledger.give_back(order, sent=False)
        assert used(ledger, late) == [(0, 0, 0)] * 2

    def test_in_the_next_minute_or_day_it_has_no_older_right(self) -> None:
        ledger, order, evening = LimitLedger(), managed(place()), managed(place("b"))
        ledger.reserve(order, D(500), MONDAY)
        assert not ledger.postpone(order, MONDAY + MINUTE)
        assert used(ledger) == [(500, 1, 0)] * 2, "it stays where it was until it is given back"
        ledger.reserve(evening, D(30), LAST)
        assert not ledger.postpone(evening, MIDNIGHT)
        assert not ledger.postpone(managed(place("c")), MONDAY), "that has nothing"


class TestAfterARestart:
    def recounted(self, *commands: ManagedOrder, now: int = MONDAY) -> list[tuple[int, int, int]]:
        ledger = LimitLedger()
        ledger.recount(commands)
        return used(ledger, now)

    def test_what_was_sent_today_counts(self) -> None:
        order = managed(place(), submit(MONDAY - HOUR, 500), accept(at=MONDAY - HOUR))
        change = managed(modify(), submit(MONDAY - SECOND, 30), accept("8", MONDAY - SECOND))
        lost = managed(place("b"), submit(MONDAY, 7), Step(Event.LOSE, MONDAY))
        under_way = managed(place("c"), submit(MONDAY, 1))
        found = self.recounted(order, change, lost, under_way)
        assert found == [(538, 3, 0)] * 2

    @pytest.mark.parametrize("event", [Event.REJECT, Event.REFUSE])
    def test_what_came_to_nothing_took_nothing(self, event: Event) -> None:
        gone = managed(place(), submit(MONDAY, 500), Step(event, MONDAY))
        assert self.recounted(gone) == [(0, 1, 0)] * 2

    def test_what_is_proved_absent_took_nothing(self) -> None:
        steps = [submit(MONDAY, 500), Step(Event.LOSE, MONDAY), Step(Event.PROVE_ABSENT, MONDAY)]
        assert self.recounted(managed(place(), *steps)) == [(0, 1, 0)] * 2

    def test_neither_does_yesterday_nor_what_was_not_sent_nor_what_cancels(self) -> None:
        assert (
            self.recounted(
                managed(place(), submit(MONDAY - DAY, 500), accept(at=MONDAY - DAY)),
                managed(place("b")),
                managed(place("c"), Step(Event.REFUSE, MONDAY)),
                managed(cancel(), submit(), accept("8")),
            )
            == [(0, 0, 0)] * 2
        )

    def test_it_is_of_the_day_on_which_kis_answered(self) -> None:
        # It waited in the throttle over midnight, and only then it was sent.
        over = managed(place(), submit(LAST, 500), accept(at=MIDNIGHT))
        assert self.recounted(over, now=MIDNIGHT) == [(500, 1, 0)] * 2

    def test_orders_count_on_their_day_whatever_the_clock_says_at_the_start(self) -> None:
        ledger = LimitLedger()
        ledger.recount([managed(place(), submit(MONDAY, 500), accept(at=MONDAY))])
        assert used(ledger, MONDAY + DAY) == [(0, 0, 0)] * 2
        assert used(ledger, MONDAY) == [(500, 0, 0)] * 2

    def test_each_order_counts_for_its_own_minute_whatever_the_order_in_the_journal(self) -> None:
        ledger = LimitLedger()
        late = managed(place(), submit(MONDAY, 500), accept(at=MONDAY + 20 * SECOND))
        soon = managed(place("b"), submit(MONDAY, 30), accept("8", MONDAY + SECOND))
        ledger.recount([late, soon])
        assert used(ledger, MONDAY + MINUTE) == [(530, 2, 0)] * 2
        assert used(ledger, MONDAY + MINUTE + SECOND) == [(530, 1, 0)] * 2
        assert used(ledger, MONDAY + MINUTE + 20 * SECOND) == [(530, 0, 0)] * 2

    def test_it_can_be_given_back(self) -> None:
        ledger = LimitLedger()
        lost = managed(place(), submit(MONDAY, 500), Step(Event.LOSE, MONDAY))
        ledger.recount([lost])
        ledger.give_back(lost, sent=True)
        assert used(ledger) == [(0, 1, 0)] * 2


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "postpone", "give_back", "unsent"]),
        st.integers(0, 5),
        st.integers(0, 40 * SECOND),
    ),
    max_size=30,
)


@given(WORDS, st.booleans())
def test_what_is_taken_and_given_back_comes_to_nothing(
    words: list[tuple[str, int, int]], sent: bool
) -> None:
    """Six commands that take 1, 10, … 100000, so that each digit is one of them."""
    ledger, now = LimitLedger(), MONDAY
    commands = [managed(place(f"o-{n}"), client=("alice", "bob")[n % 2]) for n in range(6)]
    holds: set[int] = set()
    for word, number, passes in words:
        now += passes
        command = commands[number]
        if word == "reserve" and number not in holds:
            ledger.reserve(command, D(10**number), now)
            holds.add(number)
        elif word == "postpone":
            ledger.postpone(command, now)
        elif word in ("give_back", "unsent"):
            ledger.give_back(command, sent=word == "give_back")
            holds.discard(number)
        whole, alices = (scope[0] for scope in used(ledger, now))
        assert whole == sum(10**number for number in holds)
        assert alices == sum(10**number for number in holds if number % 2 == 0)
    for command in commands:
        ledger.give_back(command, sent=sent)
    assert [day for day, _, _ in used(ledger, now)] == [0, 0]


def test_a_ledger_remembers_no_more_days_than_it_may_be_asked_about() -> None:
    ledger = Ledger()
    for day in range(10):
        ledger.add(MONDAY, day, D(1))
    days = [ledger.scope("x", Limits(), MONDAY, day).day for day in range(10)]
    assert days[-2:] == [1, 1]
    assert days[:5] == [0] * 5
