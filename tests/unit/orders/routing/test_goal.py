"""What a halt says it has cancelled, what was filled meanwhile, and what it has left."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.kis.listing import ListedOrder
from bridge.mqtt.event_payloads import HaltedMode, HaltOrderRow, HaltScope
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.routing.goal import Goal, outcome
from bridge.orders.routing.sweep import Working
from tests.unit.orders.commands import (
    MINUTE,
    MONDAY,
    SECOND,
    accept,
    fill,
    listed,
    managed,
    place,
    submit,
)


def sent(name: str = "a-1", *steps: Step, client: str = "alice") -> ManagedOrder:
    return managed(place(name), submit(), accept(), *steps, client=client)


def working(row: ListedOrder, owner: ManagedOrder | None = None) -> Working:
    return Working("main", row, owner)


def goal(
    *about: ManagedOrder,
    scope: HaltScope = "ours",
    client: str = "",
    mode: HaltedMode = "halted",
) -> Goal:
    return Goal("", client, mode, scope, MONDAY, {one: one.progress.filled for one in about})


def saw(goal: Goal, first: Working, last: Working | None) -> None:
    goal.first[first.key] = first
    if last is not None:
        goal.last[last.key] = last


def shown(rows: list[HaltOrderRow]) -> list[tuple[Any, ...]]:
    return [(one["client_order_id"], one["order_no"], one["quantity"]) for one in rows]


def happen(order: ManagedOrder, *steps: Step) -> None:
    order.progress = order.progress.apply_all(steps)


def test_an_order_that_was_filled_in_part_and_cancelled_is_both() -> None:
    order = sent("a-1", fill(2))
    made = goal(order)
    happen(order, fill(3), Step(Event.CANCEL_REST, MONDAY, 5))
    cancelled, filled, left = outcome(made, (), "")
    assert (shown(cancelled), shown(filled), left) == ([("a-1", "7", 5)], [("a-1", "7", 3)], [])


def test_a_cancellation_that_kis_took_counts_before_its_notice() -> None:
    order = sent()
    cancelled, _, left = outcome(goal(order), {("main", "alice", "a-1", "")}, "")
    assert (shown(cancelled), left) == ([("a-1", "7", 10)], [])


@pytest.mark.parametrize("event", [Event.EXPIRE, Event.REJECT])
def test_what_ended_by_itself_is_neither_cancelled_nor_left(event: Event) -> None:
    order = sent()
    made = goal(order)
    happen(order, Step(event, MONDAY))
    assert outcome(made, (), "") == ([], [], [])


def test_what_only_the_journal_has_open_is_left_without_proof() -> None:
    _, _, [left] = outcome(goal(sent()), (), "")
    assert left["why"] == "the exchange's list does not have it"


def test_what_nobody_knows_of_is_left() -> None:
    order = managed(place(), submit(), Step(Event.LOSE, MONDAY))
    _, _, [left] = outcome(goal(order), (), "the halt was taken back")
    assert (left["order_no"], left["why"]) == (None, "nobody knows what became of it")


def test_what_the_list_has_open_is_left_with_the_words_of_kis() -> None:
    order, made = sent(), goal()
    made.about[order] = 0
    row = working(listed(), order)
    saw(made, row, row)
    made.refused[row.key] = "APBK0955 closed"
    assert made.open() == [row]
    cancelled, _, [left] = outcome(made, {("main", "alice", "a-1", "")}, "")
    assert (left["client"], left["quantity"], left["why"]) == ("alice", 10, "APBK0955 closed")
    assert cancelled == []
    _, _, [left] = outcome(made, (), "the halt was taken back")
    assert left["why"] == "the halt was taken back"


def test_an_order_placed_elsewhere_is_told_by_its_number() -> None:
    made = goal(scope="account")
    last = working(listed(filled=4, remaining=0, cancelled=6))
    saw(made, working(listed()), last)
    cancelled, filled, left = outcome(made, (), "")
    assert (shown(cancelled), shown(filled), left) == ([(None, "7", 6)], [(None, "7", 4)], [])
    assert cancelled[0]["client"] is None
    assert last.name == "main: 7"


def test_what_the_list_has_no_more_is_cancelled() -> None:
    made = goal(scope="account")
    saw(made, working(listed()), None)
    cancelled, _, left = outcome(made, (), "")
    assert (shown(cancelled), left) == ([(None, "7", 10)], [])


def test_an_order_of_ours_that_was_believed_over_is_told_by_its_name() -> None:
    order = sent("a-1", Step(Event.CANCEL_REST, MONDAY, 10))
    made = goal()
    saw(made, working(listed(), order), working(listed(remaining=0, cancelled=10), order))
    cancelled, _, _ = outcome(made, (), "")
    assert (shown(cancelled), cancelled[0]["client"]) == ([("a-1", "7", 10)], "alice")


@pytest.mark.parametrize(
    ("scope", "client", "owner", "meant"),
    [
        ("ours", "", "alice", True),
        ("ours", "alice", "alice", True),
        ("ours", "bob", "alice", False),
        ("ours", "", None, False),
        ("account", "", None, True),
        ("account", "", "alice", True),
    ],
)
def test_who_is_meant(scope: HaltScope, client: str, owner: str | None, *, meant: bool) -> None:
    order = sent(client=owner) if owner else None
    assert goal(scope=scope, client=client).meant(working(listed(), order)) is meant


def test_what_is_placed_after_it_to_get_out_is_left_alone() -> None:
    made = goal(scope="account", mode="reduce_only")
    later = managed(place(), submit(), accept(), at=MONDAY + MINUTE)
    assert made.meant(working(listed(), sent()))
    assert not made.meant(working(listed(), later))
    assert made.meant(working(listed(at=MONDAY + SECOND)))
    assert made.meant(working(listed(at=None)))
    assert not made.meant(working(listed(at=MONDAY + MINUTE)))


def test_under_a_full_halt_no_clock_hides_an_order_of_ours() -> None:
    later = managed(place(), submit(), accept(), at=MONDAY + MINUTE)
    assert goal().meant(working(listed(), later))
