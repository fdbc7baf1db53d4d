"""What the exchange's list knows more of an order than the journal does."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kis.listing import ListedOrder
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.progress import Progress
from bridge.orders.reconciliation.matching import listed_steps, parts
from tests.unit.orders.commands import MONDAY, accept, fill, listed, submit

D = Decimal
SHOWN = Mapping[str, Any]


def order(*steps: Step) -> Progress:
    """Return an order of 10 at 71,900, accepted as number 7, to which that has happened."""
    return Progress(10, D(71_900), "limit").apply_all([submit(), accept("0000000007"), *steps])


def placed(**fields: Any) -> ListedOrder:
    """Return the row of the order itself; what is not said to be elsewhere remains."""
    gone = fields.get("filled", 0) + fields.get("cancelled", 0)
    value = D(71_900 * fields.get("filled", 0))
    return listed(**({"remaining": 10 - gone, "value": value} | fields))


def modified(order_no: str = "8", **fields: Any) -> ListedOrder:
    return listed(order_no, action="modify", original_order_no="7", **fields)


def cancelled(quantity: int, order_no: str = "9") -> ListedOrder:
    counts: dict[str, Any] = {"quantity": quantity, "remaining": 0, "cancelled": quantity}
    return listed(order_no, action="cancel", original_order_no="7", **counts)


def after(progress: Progress, *chain: ListedOrder, **more: bool) -> Progress:
    return progress.apply_all(listed_steps(progress, chain, MONDAY, **more))


def events(progress: Progress, *chain: ListedOrder, **more: bool) -> list[Event]:
    return [step.event for step in listed_steps(progress, chain, MONDAY, **more)]


class TestFills:
    def test_a_list_that_says_the_same_changes_nothing(self) -> None:
        assert events(order(), placed()) == []
        assert events(order(fill(4)), placed(filled=4)) == []

    def test_missed_fills_are_made_up_for_at_what_they_were_worth(self) -> None:
        found = after(order(fill(1)), placed(filled=4, value=D(287_300)))
        assert (found.filled, found.value) == (4, D(287_300))

    def test_fills_of_all_its_numbers_are_its_fills(self) -> None:
        # 3 at 71,900 as number 7, then the rest of 7 was modified, and 2 of it filled at 71,800.
        first = placed(filled=3, remaining=0)
        second = modified(quantity=7, filled=2, remaining=5, value=D(143_600), price=D(71_800))
        found = after(order(), first, second)
        assert (found.filled, found.value, found.remaining) == (5, D(359_300), 5)
        assert (found.price, found.state) == (D(71_800), State.PARTIALLY_FILLED)

    def test_a_list_that_lags_behind_takes_nothing_back(self) -> None:
        assert events(order(fill(4)), placed(filled=1)) == []
        assert events(order()) == []


class TestModifications:
    def test_one_that_was_missed_has_its_number_price_and_time(self) -> None:
        row = modified("0000000008", at=MONDAY + 5, price=D(71_800), org_no="91255")
        (step,) = listed_steps(order(), [placed(remaining=0), row], MONDAY + 9)
        assert (step.event, step.order_no, step.org_no) == (Event.MODIFY, "0000000008", "91255")
        assert (step.price, step.since, step.at) == (D(71_800), MONDAY + 5, MONDAY + 9)
        assert not order().apply(step).split

    def test_one_of_a_part_leaves_the_rest_under_the_old_number(self) -> None:
        assert after(order(), placed(remaining=1), modified(quantity=9, remaining=9)).split

    def test_one_that_is_known_is_none(self) -> None:
        known = order(Step(Event.MODIFY, MONDAY, price=D(71_800), order_no="0000000008"))
        assert events(known, placed(remaining=0), modified("8")) == []

    def test_one_that_the_exchange_declined_is_taken_back(self) -> None:
        known = order(Step(Event.MODIFY, MONDAY, price=D(71_800), order_no="8"))
        declined = modified("8", rejected=10, remaining=0)
        assert events(order(), placed(), declined) == []
        found = after(known, placed(), declined)
        assert (found.price, found.remaining, len(found.legs)) == (D(71_900), 10, 1)
        assert events(found, placed(), declined) == []


class TestCancellations:
    def test_a_part_is_cancelled_once(self) -> None:
        chain = [placed(cancelled=3), cancelled(3)]
        found = after(order(), *chain)
        assert (found.state, found.cancelled, found.remaining) == (State.ACCEPTED, 3, 7)
        assert events(found, *chain) == []
        both = after(found, placed(cancelled=6), cancelled(3), cancelled(3, "10"))
        assert (both.cancelled, both.remaining) == (6, 4)

    def test_one_that_was_refused_cancelled_nothing(self) -> None:
        refused = listed("9", action="cancel", rejected=10, remaining=0)
        assert events(order(), placed(), refused) == []

    def test_fills_come_before_what_was_cancelled_of_the_rest(self) -> None:
        chain = [placed(filled=4, cancelled=6), cancelled(6)]
        assert events(order(), *chain) == [Event.FILL_PART, Event.CANCEL_REST]
        found = after(order(), *chain)
        assert (found.state, found.filled, found.cancelled) == (State.CANCELLED, 4, 6)


class TestTheEnd:
    @pytest.mark.parametrize(
        ("shown", "ends"),
        [
            ({"filled": 4, "cancelled": 6}, [Event.FILL_PART, Event.CANCEL_REST]),
            ({"cancelled": 10}, [Event.CANCEL_REST]),
            ({"filled": 4, "rejected": 6, "remaining": 0}, [Event.FILL_PART, Event.CANCEL_REST]),
            ({"rejected": 10, "remaining": 0}, [Event.REJECT]),
            # What is nowhere is not cancelled: the list may be wrong, or of two moments.
            ({"filled": 4, "remaining": 0}, [Event.FILL_PART]),
            ({"remaining": 0}, []),
        ],
    )
    def test_what_is_gone_has_to_be_somewhere(self, shown: SHOWN, ends: list[Event]) -> None:
        assert events(order(), placed(**shown)) == ends

    def test_without_the_rows_of_all_its_numbers_nothing_ends(self) -> None:
        known = order(Step(Event.MODIFY, MONDAY, order_no="8"))
        assert events(known, placed(cancelled=10)) == []
        gone = modified("8", cancelled=10, remaining=0)
        assert events(known, placed(remaining=0), gone) == [Event.CANCEL_REST]

    def test_a_modified_order_is_not_rejected_as_a_whole(self) -> None:
        known = order(Step(Event.MODIFY, MONDAY, order_no="8"))
        chain = [placed(remaining=0), modified("8", rejected=3, remaining=7)]
        assert events(known, *chain) == [Event.DECLINE]


class TestParts:
    def split(self, *steps: Step) -> Progress:
        return order(Step(Event.MODIFY, MONDAY, 4, price=D(71_800), order_no="8"), *steps)

    def test_what_is_left_under_each_number(self) -> None:
        chain = [placed(remaining=6), modified(quantity=4, remaining=4)]
        assert parts(self.split(), chain) == {"7": 6, "8": 4}
        filled = [placed(filled=6, remaining=0), modified(quantity=4, remaining=4)]
        assert parts(self.split(fill(6)), filled) == {}, "all that is left has the last number"
        other = [placed(remaining=6), modified(quantity=4, filled=4, remaining=0)]
        assert parts(self.split(fill(4)), other) == {"7": 6}

    def test_cancellations_have_nothing_left(self) -> None:
        chain = [placed(remaining=6), modified(quantity=4, remaining=4), cancelled(4)]
        assert parts(self.split(), chain) == {"7": 6, "8": 4}

    def test_a_list_that_lags_behind_or_was_read_while_it_changed_says_nothing(self) -> None:
        assert parts(self.split(), [placed(remaining=6)]) is None
        # The first page before the modification, the second one after it.
        chain = [placed(remaining=10), modified(quantity=4, remaining=4)]
        assert parts(self.split(), chain) is None

    def test_when_nothing_is_left_nothing_is_anywhere(self) -> None:
        chain = [placed(filled=6, remaining=0), modified(quantity=4, filled=4, remaining=0)]
        assert parts(self.split(fill(10)), chain) == {}


@given(
    st.lists(
        st.tuples(st.sampled_from(["fill", "cancel", "modify", "read"]), st.integers(1, 6)),
        max_size=10,
    )
)
def test_whatever_was_missed_the_list_makes_up_for_it_and_then_knows_nothing_more(
    happened: list[tuple[str, int]],
) -> None:
    """An exchange that fills, cancels parts and modifies the rest, and a journal that only reads.

    The list is that of the domestic market: what is cancelled stands in the row of the order too.
    """
    # By number: what was ordered under it, filled, cancelled, moved on to the next one.
    numbers = {7: [10, 0, 0, 0]}
    cancels: list[ListedOrder] = []
    journal = order()

    def chain() -> list[ListedOrder]:
        rows = []
        for number, (ordered, done, gone, moved) in numbers.items():
            row = listed if number == 7 else modified
            counts: dict[str, Any] = {"quantity": ordered, "filled": done, "cancelled": gone}
            left: dict[str, Any] = {
                "remaining": ordered - done - gone - moved,
                "value": D(71_900 * done),
            }
            rows.append(row(str(number), **counts, **left))
        return [*rows, *cancels]

    for word, amount in happened:
        last = numbers[max(numbers)]
        left = last[0] - sum(last[1:])
        take = min(amount, left)
        if word == "fill":
            last[1] += take
        elif word == "cancel" and take:
            last[2] += take
            cancels.append(cancelled(take, str(100 + len(cancels))))
        elif word == "modify" and left:
            last[3] = left
            numbers[max(numbers) + 1] = [left, 0, 0, 0]
        elif word == "read":
            journal = after(journal, *chain())
    journal = after(journal, *chain())
    filled = sum(one[1] for one in numbers.values())
    assert (journal.filled, journal.value) == (filled, D(71_900 * filled))
    assert journal.cancelled == sum(one[2] for one in numbers.values())
    assert journal.filled + journal.cancelled + journal.remaining == 10
    assert [int(leg.order_no) for leg in journal.legs] == list(numbers)
    assert events(journal, *chain()) == []
    assert parts(journal, chain()) == {}
