"""What became of a modification or cancellation whose answer was lost."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.orders.model.command import Cancel, Modify
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.reconciliation.matching import find_change
from bridge.orders.reconciliation.proof import Evidence, ProofWindow
from tests.unit.orders.commands import (
    MONDAY,
    SECOND,
    cancel,
    listed,
    managed,
    modify,
    submit,
)

PROOF = 30 * SECOND
SENT, GIVEN_UP = MONDAY, MONDAY + 5 * SECOND
PLACED = listed("7", at=MONDAY - 60 * SECOND)


def row(order_no: str = "8", at: int | None = SENT, action: str = "modify", **more: Any) -> Any:
    return listed(order_no, at=at, action=action, original_order_no="7", **more)


MODIFIED = row(price=modify().price)
CANCELLED = row("9", action="cancel", cancelled=10, remaining=0)


def look(
    command: Modify | Cancel,
    *chain: Any,
    asked: int = GIVEN_UP + PROOF,
    claimed: tuple[str, ...] = (),
    **evidence: Any,
) -> Any:
    """Look for a change that was sent at 10:00:00 and given up five seconds later."""
    lost = managed(command, submit(SENT), Step(Event.LOSE, GIVEN_UP))
    known = Evidence(**{"missed": GIVEN_UP} | evidence)
    return find_change(lost, chain, chain, claimed, known, ProofWindow(asked, PROOF))


def test_the_one_row_of_its_kind_that_came_meanwhile_is_it() -> None:
    assert look(modify(), PLACED, MODIFIED, CANCELLED) == MODIFIED
    assert look(cancel(), PLACED, MODIFIED, CANCELLED) == CANCELLED
    assert look(modify(price=None, order_type="market"), PLACED, MODIFIED) == MODIFIED


def test_a_modification_to_another_price_is_for_a_person() -> None:
    assert look(modify(price=71_000), PLACED, MODIFIED) == [MODIFIED]


def test_of_two_neither_is_taken() -> None:
    again = row("10", action="cancel", cancelled=10)
    assert look(cancel(), PLACED, CANCELLED, again) == [CANCELLED, again]
    assert look(cancel(), PLACED, CANCELLED, again, claimed=("10",)) == CANCELLED


@pytest.mark.parametrize(
    "other",
    [
        row("8", rejected=10, remaining=0),
        row("8", at=SENT - 5 * SECOND),
        row("8", at=GIVEN_UP + PROOF + SECOND),
    ],
)
def test_what_was_refused_or_came_before_or_long_after_is_another(other: Any) -> None:
    assert look(modify(), PLACED, other) == "absent"


def test_what_was_there_before_or_is_another_commands_is_not_it() -> None:
    assert look(modify(), PLACED, MODIFIED, claimed=("8",)) == "absent"
    assert look(modify(), PLACED, MODIFIED, earlier={MODIFIED.key}) == "absent"


def test_a_row_without_a_time_may_be_it() -> None:
    timeless = row(at=None, price=modify().price)
    assert look(modify(), PLACED, timeless) == timeless


@pytest.mark.parametrize(
    ("chain", "more"),
    [
        ([], {}),  # without the order's own row the list is not complete
        ([PLACED], {"complete": False}),
        ([PLACED], {"missed": None}),
        ([PLACED], {"missed": GIVEN_UP + SECOND}),
        ([PLACED], {"heard": ["8"]}),
        ([PLACED], {"asked": GIVEN_UP + PROOF - 1}),
    ],
)
def test_that_it_never_was_takes_whole_lists_for_as_long_as_it_may_be_under_way(
    chain: list[Any], more: dict[str, Any]
) -> None:
    assert look(cancel(), PLACED) == "absent"
    assert look(cancel(), *chain, **more) == "open"
