from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.orders.model.lifecycle import (
    ANSWERS,
    CLOSED,
    TRANSITIONS,
    Event,
    LifecycleError,
    State,
    Step,
)
from bridge.orders.model.progress import Progress, same_number

D = Decimal


def order(quantity: int = 10) -> Progress:
    return Progress(quantity, D(100), "limit").apply_all(
        [Step(Event.SUBMIT, 1), Step(Event.ACCEPT, 2, order_no="0000000007", org_no="91254")]
    )


def test_every_pair_has_a_row_or_raises_with_both_names() -> None:
    for state, event in product(State, Event):
        progress = Progress(10, D(1), "limit", state=state)
        if (state, event) in TRANSITIONS:
            after = progress.apply(Step(event, 1, 1, D(1), "8"))
            assert after.state is TRANSITIONS[state, event]
        else:
            with pytest.raises(LifecycleError, match=f"{state} cannot {event}"):
                progress.apply(Step(event, 1))


def test_every_state_can_be_reached_and_left_as_the_contract_says() -> None:
    assert {state for _, state in TRANSITIONS.items()} | {State.RECEIVED} == set(State)
    assert TRANSITIONS[State.UNKNOWN, Event.ACCEPT] is State.ACCEPTED
    assert TRANSITIONS[State.UNKNOWN, Event.PROVE_ABSENT] is State.NOT_PLACED
    for state in (State.REJECTED, State.REFUSED, State.NOT_PLACED):
        assert not [pair for pair in TRANSITIONS if pair[0] is state]
    for (before, event), after in TRANSITIONS.items():
        if before in CLOSED:
            assert after in CLOSED, (before, event)


def test_fills_add_up_exactly() -> None:
    after = order()
    for quantity, price in ((3, "100.1"), (4, "100.2")):
        step = after.fill(3, quantity, D(price))
        assert step is not None
        after = after.apply(step)
    assert (after.state, after.filled, after.remaining) == (State.PARTIALLY_FILLED, 7, 3)
    assert after.value == D("701.1")
    assert after.seq == 2
    step = after.fill(4, 9, D(100))
    assert step is not None
    assert step.quantity == 3
    after = after.apply(step)
    assert (after.state, after.remaining) == (State.FILLED, 0)
    assert after.average_price == D("100.11")
    assert after.fill(5, 1, D(100)) is None


def test_a_fill_may_come_before_the_answer() -> None:
    after = Progress(2, D(5), "limit").apply(Step(Event.SUBMIT, 1))
    step = after.fill(2, 2, D(5))
    assert step is not None
    after = after.apply(step).apply(Step(Event.ACCEPT, 3, order_no="9"))
    assert (after.state, after.has_number("09")) == (State.FILLED, True)
    assert after.answer is not None
    assert after.answer.event is Event.ACCEPT


def test_a_fill_counts_even_after_the_cancellation() -> None:
    after = order()
    step = after.cancel(3, 0)
    assert step is not None
    after = after.apply(step)
    assert (after.state, after.cancelled, after.cancel(4, 1)) == (State.CANCELLED, 10, None)
    step = after.fill(5, 4, D(100))
    assert step is not None
    after = after.apply(step)
    assert (after.state, after.filled, after.cancelled) == (State.CANCELLED, 4, 6)


def test_a_part_may_be_cancelled() -> None:
    step = order().cancel(3, 4)
    assert step is not None
    assert step.event is Event.CANCEL_PART
    after = order().apply(step)
    assert (after.state, after.remaining) == (State.ACCEPTED, 6)


def test_a_modification_that_the_exchange_declines_is_undone() -> None:
    changed = order().apply(Step(Event.MODIFY, 3, price=D(101), order_no="8", order_type="limit"))
    assert changed.leg is not None
    assert (changed.price, changed.leg.order_no, changed.leg.org_no) == (D(101), "8", "91254")
    assert changed.apply(Step(Event.MODIFY, 4, order_no="0008", price=D(5))).price == D(101)
    undone = changed.apply(Step(Event.DECLINE, 4, order_no="08"))
    assert (undone.price, len(undone.legs)) == (D(100), 1)
    answer = Step(Event.MODIFY, 4, order_no="0008", price=D(102), order_type="best_limit")
    assert changed.apply(answer).order_type == "best_limit"
    assert len(changed.apply(answer).legs) == 2
    # Declining a cancellation changes nothing.
    assert changed.apply(Step(Event.DECLINE, 4, order_no="9")).legs == changed.legs


def test_the_first_answer_stays_the_answer() -> None:
    lost = Progress(1).apply_all([Step(Event.SUBMIT, 1), Step(Event.LOSE, 2)])
    settled = lost.apply(Step(Event.ACCEPT, 3, order_no="7"))
    assert (settled.state, settled.seq) == (State.ACCEPTED, 1)
    assert settled.answer is not None
    assert ANSWERS[settled.answer.event] is State.UNKNOWN


def test_order_numbers_are_compared_without_padding() -> None:
    assert same_number("0000000007", " 7")
    assert not same_number("70", "7")
    assert not same_number("000", "")


def test_steps_read_back() -> None:
    step = Step(Event.MODIFY, 5, 3, D("7.10"), "07", "9", "limit", D(3), "r", "말", {"msg1": "값"})
    assert Step.loads(step.event, step.at, step.dumps()) == step
    assert step.dumps().isascii()
    assert Step(Event.SUBMIT, 1).dumps() == "{}"


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "cancel", "modify", "decline"]),
        st.integers(0, 8),
        st.integers(1, 5),
    ),
    max_size=12,
)


@given(st.integers(1, 20), _STEPS)
def test_no_notices_make_more_than_was_ordered(
    quantity: int, notices: list[tuple[str, int, int]]
) -> None:
    progress = order(quantity)
    for kind, amount, number in notices:
        step: Step | None
        match kind:
            case "fill":
                step = progress.fill(3, amount, D(number))
            case "cancel":
                step = progress.cancel(3, amount)
            case "modify":
                step = Step(Event.MODIFY, 3, price=D(number), order_no=str(number))
            case _:
                step = Step(Event.DECLINE, 3, order_no=str(number))
        if step is not None:
            progress = progress.apply(step)
        assert 0 <= progress.filled <= quantity
        assert 0 <= progress.cancelled <= quantity - progress.filled
        assert (progress.state is State.FILLED) == (progress.filled == quantity)
        assert progress.legs
