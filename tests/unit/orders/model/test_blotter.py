"""Which order a command, a number or a row of the exchange's list is about."""

from __future__ import annotations

from datetime import date

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, LifecycleError, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import JournalStep
from tests.unit.orders.commands import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    SECOND,
    accept,
    cancel,
    cancel_all,
    fill,
    listed,
    managed,
    modify,
    place,
    submit,
)

STOCK = "domestic_stock"
CALENDAR = Calendar(load().hours)


def blotter(*commands: ManagedOrder) -> Blotter:
    made = Blotter(CALENDAR)
    for one in commands:
        made.add(one)
    return made


def sent(
    name: str = "a-1", order_no: str = "7", at: int = MONDAY, **fields: object
) -> ManagedOrder:
    """Return an order that KIS took."""
    return managed(place(name, **fields), submit(at), accept(order_no, at), at=at)


def lost(command: object, at: int = MONDAY, **fields: object) -> ManagedOrder:
    """Return a command that was sent and never answered."""
    return managed(command, submit(at), Step(Event.LOSE, at), at=at, **fields)  # type: ignore[arg-type]


class TestIdentities:
    def test_a_change_is_about_the_order_of_its_name_and_of_nobody_elses(self) -> None:
        order, change = sent(), managed(cancel())
        foreign = managed(cancel(), client="bob")
        known = blotter(order, change, foreign)
        assert known.get(change.identity) is change
        assert known.order(change.identity) is order
        assert known.order(order.identity) is order
        assert known.order(foreign.identity) is None
        assert (known.symbol(change), known.symbol(foreign)) == ("005930", "")

    def test_what_is_left_under_each_number_is_told_of_the_order(self) -> None:
        order = sent()
        blotter(order).divide(order, {"7": 6, "8": 4})
        assert order.parts == {"7": 6, "8": 4}

    def test_what_did_not_get_into_the_journal_leaves_nothing_behind(self) -> None:
        known, order = blotter(), managed(place())
        known.enter(order, submit())
        assert known.waits(order)
        assert known.working("main") == [order]
        known.withdraw(order)
        assert list(known) == known.working("main") == known.unsettled("main") == []
        assert known.get(order.identity) is None

    def test_withdrawing_a_second_delivery_leaves_the_first_one_alone(self) -> None:
        first, second = sent(), managed(place())
        known = blotter(first)
        known.withdraw(second)
        assert known.get(first.identity) is first
        assert known.working("main") == [first]

    def test_an_illegal_step_changes_nothing(self) -> None:
        order = sent()
        known, before = blotter(order), order.progress
        with pytest.raises(LifecycleError, match="accepted cannot submit"):
            known.step(order, submit())
        assert order.progress is before

    def test_each_step_has_its_number_for_the_journal(self) -> None:
        order = managed(place(), submit())
        order.id = 5
        known = blotter(order)
        step = accept()
        assert known.step(order, step) == JournalStep(5, 2, step, State.ACCEPTED)
        part = fill(4)
        assert known.step(order, part) == JournalStep(5, 3, part, State.PARTIALLY_FILLED)


class TestNumbers:
    def test_a_number_means_the_order_of_its_account_and_market_only(self) -> None:
        order = sent(order_no="0000000007")
        known = blotter(order)
        assert known.meant("main", STOCK, "7", MONDAY) is order
        assert known.meant("main", STOCK, " 0007", MONDAY) is order
        assert known.meant("main", STOCK, "70", MONDAY) is None
        assert known.meant("other", STOCK, "7", MONDAY) is None
        assert known.meant("main", "overseas_stock", "7", MONDAY) is None
        assert known.meant("main", STOCK, "", MONDAY) is None

    def test_a_modified_order_is_meant_by_every_number_it_had(self) -> None:
        order, change = sent(), managed(modify(), submit())
        known = blotter(order, change)
        known.step(change, accept("8"))
        known.step(order, Step(Event.MODIFY, MONDAY, order_no="9"))
        found = [known.meant("main", STOCK, number, MONDAY) for number in ("7", "8", "9")]
        assert found == [order, order, order]
        assert known.changed(order) == {"8"}

    def test_a_number_belongs_to_one_order_a_day(self) -> None:
        tuesday = MONDAY + DAY
        first, second = sent("a-1"), sent("b-1", at=tuesday)
        known = blotter(first, second)
        assert known.meant("main", STOCK, "7", MONDAY + 5 * HOUR) is first
        assert known.meant("main", STOCK, "7", tuesday + MINUTE) is second
        # The exchange's clock may be an hour off, and no further.
        assert known.meant("main", STOCK, "7", tuesday - HOUR) is second
        assert known.meant("main", STOCK, "7", tuesday - HOUR - SECOND) is None
        # Monday is over at midnight, ten hours before Tuesday's ten o'clock.
        assert known.meant("main", STOCK, "7", tuesday - 10 * HOUR) is None
        assert known.meant("main", STOCK, "7", tuesday - 10 * HOUR - 1) is first
        assert known.taken("main", STOCK, "007", MONDAY + 5 * HOUR)
        assert not known.taken("main", STOCK, "7", MONDAY + 2 * DAY)

    def test_of_two_orders_with_one_number_in_one_session_the_newer_one_is_meant(self) -> None:
        first, second = sent("a-1"), sent("b-1", at=MONDAY + 2 * HOUR)
        known = blotter(first, second)
        assert known.meant("main", STOCK, "7", MONDAY + HOUR) is first
        # The exchange's clock may be two seconds behind ours, and the notice is of the newer one.
        assert known.meant("main", STOCK, "7", MONDAY + 2 * HOUR - 2 * SECOND) is second
        assert known.meant("main", STOCK, "7", MONDAY + 2 * HOUR - 3 * SECOND) is first

    def test_an_order_of_the_night_keeps_its_number_over_midnight(self) -> None:
        evening = MONDAY + 13 * HOUR  # 23:00
        fields = {"market": "domestic_derivative", "symbol": "A01603"}
        night = sent("a-1", "7", evening, venue="krx_night", **fields)
        day = sent("b-1", "8", MONDAY, venue="krx", **fields)
        known = blotter(night, day)
        assert known.meant("main", "domestic_derivative", "7", evening + 6 * HOUR) is night
        assert known.meant("main", "domestic_derivative", "8", evening + 6 * HOUR) is None
        assert known.venues("main", "domestic_derivative") == {"krx", "krx_night"}
        assert not known.venues("main", STOCK)
        assert not known.venues("other", "domestic_derivative")
        assert blotter(day).venues("main", "domestic_derivative") == {"krx"}

    def test_of_two_rows_with_one_number_an_order_has_the_one_of_its_own_time(self) -> None:
        order = sent()
        near, far = listed(at=MONDAY + SECOND), listed(at=MONDAY + 3 * HOUR)
        yesterday = listed(at=MONDAY - DAY)
        other = listed("8")
        owned = blotter(order).owned("main", STOCK, [far, yesterday, near, other])
        assert owned == {near.key: order}

    def test_a_row_is_of_one_order_only_and_of_the_one_that_came_with_it(self) -> None:
        first, second = sent("a-1"), sent("b-1", at=MONDAY + 2 * HOUR)
        rows = [listed(at=MONDAY + 2 * HOUR + SECOND)]
        for orders in ((first, second), (second, first)):
            assert blotter(*orders).owned("main", STOCK, rows) == {rows[0].key: second}

    def test_a_row_of_a_day_that_is_over_is_nobodys(self) -> None:
        assert blotter(sent()).owned("main", STOCK, [listed(at=MONDAY + DAY)]) == {}

    def test_a_row_without_a_time_is_the_order_with_its_number(self) -> None:
        order = sent()
        assert blotter(order).owned("main", STOCK, [listed("007", at=None)]) == {(None, "7"): order}


class TestWhatIsOpen:
    def test_an_order_is_open_from_its_sending_until_nothing_is_left(self) -> None:
        known, order = blotter(), managed(place())
        known.add(order)
        assert known.working("main") == []
        known.step(order, submit())
        assert known.working("main") == known.unsettled("main") == [order]
        assert known.open_symbols() == {(STOCK, "krx", "005930")}
        assert known.days("main", STOCK) == {date(2026, 11, 23)}
        assert known.days("other", STOCK) == known.days("main", "overseas_stock") == set()
        known.step(order, accept())
        assert (known.working("main"), known.unsettled("main")) == ([order], [])
        known.step(order, Step(Event.FILL_REST, MONDAY, 10))
        assert known.working("main") == []
        assert known.open_symbols() == known.days("main", STOCK) == set()
        assert known.states() == {"filled": 1}

    def test_an_order_is_of_the_day_on_which_it_was_sent(self) -> None:
        waited = managed(place(), submit(MONDAY + DAY), at=MONDAY)
        assert blotter(waited).days("main", STOCK) == {date(2026, 11, 24)}

    def test_a_lost_order_stays_open_until_it_is_proved_absent(self) -> None:
        order = lost(place())
        known = blotter(order)
        assert known.working("main") == known.unsettled("main", State.UNKNOWN) == [order]
        assert known.unsettled("main", State.SUBMITTING) == known.unsettled("other") == []
        known.step(order, Step(Event.PROVE_ABSENT, MONDAY))
        assert known.working("main") == known.unsettled("main") == []

    def test_changes_count_as_no_orders(self) -> None:
        known = blotter(sent(), lost(cancel()), lost(modify()))
        assert len(known.working("main")) == 1
        assert known.states() == {"accepted": 1}
        assert known.markets("main") == {STOCK}
        assert known.markets("other") == set()

    @pytest.mark.parametrize(
        ("command", "fences"), [(place("b"), True), (modify(), True), (cancel(), False)]
    )
    def test_an_unknown_order_or_modification_fences_its_symbol(
        self, command: object, fences: bool
    ) -> None:
        unknown = lost(command)
        known = blotter(sent(), unknown)
        newcomer = managed(place("c"))
        assert known.fence("main", "005930", but=newcomer) is (unknown if fences else None)
        assert known.fence("main", "005930", but=unknown) is None
        assert known.fence("main", "000660", but=newcomer) is None
        assert known.fence("other", "005930", but=newcomer) is None

    def test_what_waits_for_its_answer_only_a_moment_fences_nothing(self) -> None:
        known = blotter(managed(place(), submit()))
        assert known.fence("main", "005930", but=managed(place("b"))) is None

    def test_a_change_without_an_answer_is_told_of_its_order_alone(self) -> None:
        order, other, change = sent(), sent("b-1", "9"), lost(modify())
        known = blotter(order, other, change)
        assert known.changes(order) == [change]
        assert known.changing(order)
        assert known.changes(other) == []
        assert not known.changing(other)
        known.step(change, accept("8"))
        assert known.changes(order) == []
        assert not known.changing(order)

    def test_of_cancellations_only_accepted_ones_of_the_whole_have_cancelled(self) -> None:
        whole = managed(cancel(order_no="8"), submit(), accept("9"))
        part = managed(cancel("b-1", quantity=2), submit(), accept("10"))
        known = blotter(whole, part, lost(cancel("c-1")))
        assert known.cancelled() == {("main", "alice", "a-1", "8")}


class TestCancelAll:
    def test_it_is_about_what_its_client_asked_before_it(self) -> None:
        everything = managed(cancel_all(), at=MONDAY + SECOND)
        known = blotter(sent(), managed(cancel()), everything)
        assert known.overtakes(everything, managed(place("b"), at=MONDAY + SECOND))
        assert not known.overtakes(everything, managed(place("b"), at=MONDAY + SECOND + 1))
        assert not known.overtakes(everything, managed(place("b"), client="bob"))
        assert not known.overtakes(everything, managed(place("b"), account="other"))
        assert not known.overtakes(managed(place("b"), at=MONDAY + SECOND), managed(place("c")))

    def test_of_one_symbol_it_is_about_that_and_about_changes_of_its_orders(self) -> None:
        order, change = sent(), managed(modify())
        known = blotter(order, change)
        samsung = managed(cancel_all(symbol="005930"))
        hynix = managed(cancel_all(symbol="000660"))
        assert known.overtakes(samsung, order)
        assert known.overtakes(samsung, change)
        assert not known.overtakes(hynix, order)
        assert not known.overtakes(hynix, change)

    def test_what_it_overtook_is_marked(self) -> None:
        order = managed(place())
        blotter(order).call_off(order)
        assert order.overtaken


class TestTheEndOfADay:
    def test_an_order_that_is_over_goes_with_its_numbers_and_its_changes(self) -> None:
        order, kept = sent(), sent("b-1", "9")
        change = managed(modify(), submit(), accept("8"))
        known = blotter(order, kept, change)
        known.drop([order], MONDAY)
        assert list(known) == [kept]
        assert known.working("main") == [kept]
        found = [known.meant("main", STOCK, number, MONDAY) for number in ("7", "8", "9")]
        assert found == [None, None, kept]

    def test_a_change_whose_outcome_nobody_knows_is_kept(self) -> None:
        order, change = sent(), lost(modify())
        waiting = managed(cancel())
        known = blotter(order, change, waiting)
        known.drop([order], MONDAY)
        assert set(known) == {change, waiting}
        assert known.unsettled("main") == [change]

    def test_what_was_asked_about_nothing_goes_when_it_is_old(self) -> None:
        refused = Step(Event.REFUSE, MONDAY, reason="unknown_order")
        old, new = managed(cancel("x"), refused), managed(cancel("y"), refused, at=MONDAY + 1)
        known = blotter(old, new, sent())
        known.drop([], MONDAY + 1)
        assert set(known) == {new, *(one for one in known if one.verb == "place")}
        assert known.get(old.identity) is None
