"""What an execution notice does to its order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bridge.kis.executions import ExecutionNotice
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.progress import Progress
from bridge.orders.reconciliation.executions import cancel_key, execution
from tests.unit.orders.commands import accept, fill, notice, submit

D = Decimal


def order(*steps: Step) -> Progress:
    """Return an order of 10 at 71,900, accepted as number 7, to which that has happened."""
    return Progress(10, D(71_900), "limit").apply_all([submit(), accept("0000000007"), *steps])


def change(kind: str, order_no: str, quantity: int = 10, **fields: Any) -> ExecutionNotice:
    return notice(order_no, original_order_no="7", kind=kind, quantity=quantity, **fields)


def told(progress: Progress, *notices: ExecutionNotice) -> Progress:
    for one in notices:
        step = execution(progress, one, 1)
        progress = progress if step is None else progress.apply(step)
    return progress


def test_that_it_arrived_changes_nothing() -> None:
    assert execution(order(), notice(kind="taken"), 1) is None


class TestFills:
    def test_each_counts_at_its_own_price(self) -> None:
        after = told(
            order(),
            notice(quantity=3, price=D(71_900)),
            notice(quantity=3, price=D(71_800)),
            notice(quantity=4, price=D(71_900), time="100002"),
        )
        assert (after.state, after.filled) == (State.FILLED, 10)
        assert after.value == 3 * 71_900 + 3 * 71_800 + 4 * 71_900

    def test_the_same_notice_again_is_the_same_fill(self) -> None:
        once = told(order(), notice("0000000007"))
        assert execution(once, notice("7", price=D("71900.0")), 2) is None
        assert told(once, notice("7", time="100002")).filled == 6

    def test_equal_fills_of_the_numbers_that_an_order_had_are_two(self) -> None:
        moved = order(Step(Event.MODIFY, 1, price=D(71_900), order_no="8"))
        assert told(moved, notice("7"), notice("8")).filled == 6

    def test_the_quantity_ordered_is_the_ceiling(self) -> None:
        after = told(order(fill(9)), notice(quantity=3))
        assert (after.state, after.filled) == (State.FILLED, 10)


class TestCancellations:
    def test_the_rest_is_cancelled_once(self) -> None:
        after = told(order(fill(4)), change("cancelled", "9", 6), change("cancelled", "09", 6))
        assert (after.state, after.filled, after.cancelled) == (State.CANCELLED, 4, 6)

    def test_two_parts_of_one_size_are_two_by_their_numbers(self) -> None:
        after = told(order(), change("cancelled", "8", 3), change("cancelled", "8", 3))
        assert (after.state, after.cancelled, after.remaining) == (State.ACCEPTED, 3, 7)
        after = told(after, change("cancelled", "9", 3))
        assert (after.cancelled, after.remaining) == (6, 4)

    def test_a_cancellation_without_a_quantity_is_of_all_that_is_left(self) -> None:
        after = told(order(fill(4)), change("cancelled", "9", 0))
        assert (after.state, after.cancelled) == (State.CANCELLED, 6)

    def test_its_number_is_none_that_a_fill_can_have(self) -> None:
        assert cancel_key(" 0000000009 ") == cancel_key("9") == "c9"
        assert told(order(), notice("9"), change("cancelled", "9", 3)).cancelled == 3


class TestModifications:
    def test_one_from_elsewhere_gives_the_order_another_number_and_price(self) -> None:
        after = told(order(), change("modified", "8", price=D(71_000)))
        assert [leg.order_no for leg in after.legs] == ["0000000007", "8"]
        assert (after.price, after.split, after.remaining) == (D(71_000), False, 10)

    def test_one_of_our_own_is_known_from_its_answer(self) -> None:
        ours = order(Step(Event.MODIFY, 1, price=D(71_000), order_no="0000000008"))
        assert execution(ours, change("modified", "8", price=D(71_000)), 2) is None

    def test_one_of_a_part_leaves_the_rest_under_the_old_number(self) -> None:
        assert told(order(), change("modified", "8", 4)).split
        assert not told(order(fill(4)), change("modified", "8", 6)).split

    def test_one_to_the_market_has_no_price(self) -> None:
        assert told(order(), change("modified", "8", price=D(0))).price is None


class TestRejections:
    def test_the_order_itself(self) -> None:
        step = execution(order(), notice("07", kind="rejected"), 5)
        assert step is not None
        assert (step.event, step.at) == (Event.REJECT, 5)
        after = order().apply(step)
        assert (after.state, after.remaining) == (State.REJECTED, 0)

    @pytest.mark.parametrize("legs", [[], [Step(Event.MODIFY, 1, price=D(1), order_no="8")]])
    def test_a_change_of_it_leaves_it_as_it_was(self, legs: list[Step]) -> None:
        after = told(order(*legs), change("rejected", "8"))
        assert (after.state, after.price, after.remaining) == (State.ACCEPTED, D(71_900), 10)
        assert [leg.order_no for leg in after.legs] == ["0000000007"]
