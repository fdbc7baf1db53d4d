"""Fills, cancellations and modifications add up, however often and in whatever order they come."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.orders.model.lifecycle import CLOSED, Event, State, Step
from bridge.orders.model.progress import Progress, fill_key
from tests.unit.orders.commands import MONDAY, accept, submit

D = Decimal


def order(quantity: int = 10, price: int | None = 100) -> Progress:
    return Progress(quantity, None if price is None else D(price), "limit").apply_all(
        [submit(), accept()]
    )


def then(progress: Progress, step: Step | None) -> Progress:
    """Apply a step that has to be there."""
    assert step is not None
    return progress.apply(step)


def seen(progress: Progress) -> tuple[State, int, int, int, Decimal]:
    return (
        progress.state,
        progress.filled,
        progress.cancelled,
        progress.remaining,
        progress.value,
    )


class TestFills:
    def test_the_same_notice_again_counts_once(self) -> None:
        once = then(order(), order().fill(1, 4, D(100), "k"))
        assert seen(once) == (State.PARTIALLY_FILLED, 4, 0, 6, D(400))
        assert once.fill(2, 4, D(100), "k") is None
        again = then(once, once.fill(2, 4, D(100), "l"))
        assert seen(again) == (State.PARTIALLY_FILLED, 8, 0, 2, D(800))

    def test_nothing_fills_beyond_what_was_ordered(self) -> None:
        full = then(order(), order().fill(1, 12, D(100), "k"))
        assert seen(full) == (State.FILLED, 10, 0, 0, D(1_000))
        assert full.fill(2, 1, D(100), "l") is None

    def test_a_notice_of_no_quantity_is_none(self) -> None:
        assert order().fill(1, 0, D(100), "k") is None
        listed = then(order(), order().listed(1, 7, D(714)))
        assert listed.fill(1, 0, D(100), "k") is None

    def test_another_notice_of_what_is_full_says_nothing(self) -> None:
        full = then(order(), order().fill(1, 10, D(100), "k"))
        assert full.fill(2, 3, D(100), "l") is None

    def test_the_list_and_the_notices_count_the_same_fills(self) -> None:
        listed = then(order(), order().listed(1, 7, D(714)))
        assert seen(listed) == (State.PARTIALLY_FILLED, 7, 0, 3, D(714))
        # Notices of 3 and of 4 that were on their way: known already.
        late = listed.fill(2, 3, D(102), "a")
        assert late is not None
        assert late.event is Event.NOTE
        after = listed.apply(late)
        after = then(after, after.fill(3, 4, D(102), "b"))
        assert (seen(after), after.told) == (seen(listed), 7)
        assert after.seq == listed.seq, "nothing happened that clients do not know"
        # One of 2 that the list did not have.
        assert seen(then(after, after.fill(4, 2, D(103), "c"))) == (
            *(State.PARTIALLY_FILLED, 9, 0, 1),
            D(920),
        )

    def test_of_a_notice_that_the_list_had_in_part_the_rest_counts(self) -> None:
        listed = then(order(), order().listed(1, 3, D(300)))
        step = listed.fill(2, 5, D(101), "a")
        assert step is not None
        assert (step.quantity, step.told) == (2, 5)
        assert seen(listed.apply(step)) == (State.PARTIALLY_FILLED, 5, 0, 5, D(502))

    def test_what_the_list_knows_more_has_the_price_of_the_difference(self) -> None:
        filled = then(order(), order().fill(1, 1, D(100)))
        step = filled.listed(2, 4, D(394))
        assert step is not None
        assert (step.quantity, step.price, step.value) == (3, D(98), D(394))
        free = filled.listed(2, 4, D(40))  # worth less than before: no price is negative
        assert free is not None
        assert free.price == 0

    def test_a_list_that_lags_behind_takes_nothing_back(self) -> None:
        filled = then(order(), order().fill(1, 6, D(100)))
        assert filled.listed(2, 4, D(400)) is None
        assert filled.listed(2, 0, D(0)) is None

    def test_the_list_knows_what_the_same_fills_were_worth(self) -> None:
        filled = then(order(), order().fill(1, 6, D(100)))
        corrected = then(filled, filled.listed(2, 6, D(594)))
        assert (corrected.filled, corrected.value, corrected.average_price) == (6, D(594), D(99))
        assert corrected.listed(3, 6, D(594)) is None

    def test_a_list_without_a_value_is_taken_at_the_price_of_the_order(self) -> None:
        assert then(order(), order().listed(1, 4, D(0))).value == D(400)
        market = order(price=None)
        assert then(market, market.listed(1, 4, D(0))).value == 0

    def test_a_list_that_counts_fills_twice_neither_overfills_nor_overprices(self) -> None:
        full = then(order(), order().listed(1, 20, D(2_020)))
        assert seen(full) == (State.FILLED, 10, 0, 0, D(1_010))
        assert full.average_price == 101
        assert full.listed(2, 20, D(2_020)) is None


class TestCancellations:
    def test_a_part_is_cancelled_once(self) -> None:
        part = then(order(), order().cancel(1, 4, "c8"))
        assert seen(part) == (State.ACCEPTED, 0, 4, 6, D(0))
        assert part.cancel(2, 4, "c8") is None
        rest = then(part, part.cancel(2, 0, "c9"))
        assert seen(rest) == (State.CANCELLED, 0, 10, 0, D(0))
        assert rest.cancel(3, 0, "c10") is None

    def test_more_than_is_left_is_the_rest(self) -> None:
        filled = then(order(), order().fill(1, 7, D(100)))
        assert seen(then(filled, filled.cancel(2, 5))) == (State.CANCELLED, 7, 3, 0, D(700))

    def test_the_fill_of_all_that_was_not_cancelled_ends_the_order_as_cancelled(self) -> None:
        part = then(order(), order().cancel(1, 4))
        assert seen(then(part, part.fill(2, 6, D(100)))) == (State.CANCELLED, 6, 4, 0, D(600))

    def test_a_fill_that_the_cancellation_overlooked_takes_from_what_is_cancelled(self) -> None:
        gone = then(order(), order().cancel(1, 0))
        late = then(gone, gone.fill(2, 3, D(100)))
        assert seen(late) == (State.CANCELLED, 3, 7, 0, D(300))
        full = then(late, late.fill(3, 7, D(100)))
        assert seen(full) == (State.FILLED, 10, 0, 0, D(1_000))


class TestNumbers:
    def test_an_order_has_its_number_since_it_was_sent(self) -> None:
        sent = Progress(10, D(100), "limit").apply(submit(MONDAY))
        (leg,) = sent.apply(accept("7", MONDAY + 5)).legs
        assert (leg.order_no, leg.org_no, leg.at) == ("7", "91254", MONDAY)

    def test_an_answer_that_was_lost_and_found_again_gives_no_second_number(self) -> None:
        filled = then(order(), order().fill(1, 4, D(100)))
        assert filled.apply(accept("0000000007")).legs == order().legs
        assert order().legs != ()
        unnamed = Progress(10, D(100), "limit").apply_all([submit(), Step(Event.ACCEPT, 2)])
        assert unnamed.legs == ()

    def test_a_modification_holds_since_the_exchange_took_it(self) -> None:
        told = order().apply(Step(Event.MODIFY, 9, order_no="8", since=5))
        now = order().apply(Step(Event.MODIFY, 9, order_no="8"))
        assert [one.legs[-1].at for one in (told, now)] == [5, 9]

    def test_a_modification_of_a_part_leaves_something_under_both_numbers(self) -> None:
        whole = order().apply(Step(Event.MODIFY, 3, price=D(101), order_no="8"))
        part = order().apply(Step(Event.MODIFY, 3, 4, price=D(101), order_no="8"))
        assert (whole.split, part.split) == (False, True)
        assert part.remaining == 10
        assert part.apply(Step(Event.MODIFY, 4, order_no="9")).split

    def test_a_modification_keeps_the_type_that_it_does_not_name(self) -> None:
        kept = order().apply(Step(Event.MODIFY, 3, price=D(101), order_no="8"))
        other = order().apply(Step(Event.MODIFY, 3, order_no="8", order_type="market"))
        assert (kept.order_type, kept.price) == ("limit", D(101))
        assert (other.order_type, other.price) == ("market", None)

    def test_what_is_modified_twice_and_declined_once_stands_as_before_that(self) -> None:
        twice = order().apply_all(
            [
                Step(Event.MODIFY, 3, price=D(101), order_no="8"),
                Step(Event.MODIFY, 4, price=D(102), order_no="9"),
            ]
        )
        assert twice.apply(Step(Event.DECLINE, 5, order_no="9")).price == D(101)
        assert twice.apply(Step(Event.DECLINE, 5, order_no="8")).price == D(102)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("0000000007", "100001", 3, D(100)), (" 7", "100001", 3, D("100.00")), True),
        (("7", "100001", 3, D(100)), ("7", "100002", 3, D(100)), False),
        (("7", "100001", 3, D(100)), ("7", "100001", 4, D(100)), False),
        (("7", "100001", 3, D(100)), ("8", "100001", 3, D(100)), False),
        (("7", "100001", 3, D(100)), ("7", "100001", 3, D("100.5")), False),
        (("7", "100001", 3, D(1000)), ("7", "100001", 3, D(100)), False),
    ],
)
def test_notices_are_told_apart_by_all_that_kis_says(
    one: tuple[str, str, int, Decimal], other: tuple[str, str, int, Decimal], same: bool
) -> None:
    assert (fill_key(*one) == fill_key(*other)) is same


EXECUTIONS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 500)), min_size=1, max_size=8)


@given(EXECUTIONS, st.integers(0, 5), st.data())
def test_every_execution_counts_once_in_whatever_order_notices_and_lists_come(
    executions: list[tuple[int, int]], open_rest: int, data: st.DataObject
) -> None:
    """The exchange fills, tells each fill once or more, and its list has all up to some moment."""
    filled = sum(quantity for quantity, _ in executions)
    value = sum((quantity * D(price) for quantity, price in executions), D(0))
    told = [*range(len(executions)), *data.draw(st.lists(st.sampled_from(range(len(executions)))))]
    lists = data.draw(st.lists(st.integers(1, len(executions)).map(lambda n: -n), max_size=3))
    progress = order(filled + open_rest)
    for word in data.draw(st.permutations([*told, *lists])):
        if word < 0:  # a list of the first executions
            known = executions[:-word]
            total = sum((quantity * D(price) for quantity, price in known), D(0))
            step = progress.listed(1, sum(quantity for quantity, _ in known), total)
        else:
            quantity, price = executions[word]
            step = progress.fill(1, quantity, D(price), str(word))
        before, progress = progress, progress if step is None else progress.apply(step)
        assert before.filled <= progress.filled <= filled
    assert (progress.filled, progress.remaining) == (filled, open_rest)
    # Where the list came between, only the list knows the worth.
    if lists:
        step = progress.listed(2, filled, value)
        progress = progress if step is None else progress.apply(step)
    assert progress.value == value
    assert (progress.state is State.FILLED) == (not open_rest)


@given(
    st.integers(1, 30),
    st.lists(
        st.tuples(st.sampled_from(["fill", "cancel", "listed", "modify"]), st.integers(0, 12)),
        max_size=12,
    ),
)
def test_filled_and_cancelled_and_left_are_what_was_ordered(
    quantity: int, words: list[tuple[str, int]]
) -> None:
    progress = order(quantity)
    for number, (word, amount) in enumerate(words):
        step: Step | None
        match word:
            case "fill":
                step = progress.fill(1, amount, D(100), str(number))
            case "cancel":
                step = progress.cancel(1, amount, f"c{number}")
            case "listed":
                step = progress.listed(1, amount, amount * D(100))
            case _:
                step = Step(Event.MODIFY, 1, amount % 2, order_no=str(100 + number))
        progress = progress if step is None else progress.apply(step)
        assert progress.filled + progress.cancelled + progress.remaining == quantity
        assert min(progress.filled, progress.cancelled, progress.remaining) >= 0
        assert (progress.state in CLOSED) == (progress.remaining == 0)
        assert progress.value == progress.filled * D(100)
