"""Notices that come before the answer with the order's number."""

from __future__ import annotations

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.held_notices import HeldNotices
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from tests.unit.orders.commands import (
    MONDAY,
    SECOND,
    accept,
    cancel,
    managed,
    modify,
    notice,
    place,
    submit,
)

LOSE, REJECT = Step(Event.LOSE, MONDAY), Step(Event.REJECT, MONDAY)


def line(*commands: ManagedOrder) -> tuple[Blotter, HeldNotices]:
    blotter = Blotter(Calendar(load().hours))
    for one in commands:
        blotter.add(one)
    return blotter, HeldNotices(blotter)


def under_way(name: str = "a-1", **fields: object) -> ManagedOrder:
    return managed(place(name, **fields), submit())


def test_a_notice_is_about_the_order_of_its_number_or_of_the_one_that_it_changes() -> None:
    order = managed(place(), submit(), accept("0000000007"))
    _, held = line(order)
    assert held.match("main", notice("7"), MONDAY) is order
    change = notice("0000000009", original_order_no="0000000007", kind="cancelled")
    assert held.match("main", change, MONDAY) is order
    assert held.match("main", notice("9"), MONDAY) is None
    assert held.match("other", notice("7"), MONDAY) is None
    assert held.match("main", notice("7", market="overseas_stock"), MONDAY) is None


def test_a_notice_of_another_symbol_is_another_orders_whatever_its_number() -> None:
    _, held = line(managed(place(), submit(), accept()))
    assert held.match("main", notice(symbol="000660"), MONDAY) is None


def test_with_nothing_under_way_a_notice_is_of_an_order_placed_elsewhere() -> None:
    _, held = line(managed(place(), submit(), accept("8")))
    assert not held.hold("main", notice(), MONDAY)
    assert held.release() == []
    assert held.heard("main", "005930") == set()


@pytest.mark.parametrize(
    ("command", "explains"),
    [
        (under_way(), True),
        (managed(place("b"), submit(), LOSE), True),
        (managed(place("b")), False),  # not sent, so the exchange has nothing of it
        (under_way(symbol="000660"), False),
        (managed(place("b"), submit(), account="other"), False),
        (managed(cancel(), submit()), False),  # it makes no fills
    ],
)
def test_it_is_kept_while_a_command_without_an_answer_may_explain_it(
    command: ManagedOrder, explains: bool
) -> None:
    order = managed(place("a-1"), submit(), accept("6"))
    commands = [command] if command.verb == "place" else [order, command]
    _, held = line(*commands)
    assert held.hold("main", notice(), MONDAY) is explains


def test_a_modification_under_way_may_explain_a_notice_of_a_new_number() -> None:
    order, change = managed(place(), submit(), accept("6")), managed(modify(), submit())
    blotter, held = line(order, change)
    told = notice("7")
    assert held.hold("main", told, MONDAY)
    blotter.step(change, accept("7"))
    assert held.release() == [("main", told, MONDAY)]
    assert held.match("main", told, MONDAY) is order


def test_it_is_let_go_when_the_answer_has_its_number() -> None:
    first, second = under_way(), under_way("b-1")
    blotter, held = line(first, second)
    told = notice("7")
    assert held.hold("main", told, MONDAY + SECOND)
    assert held.heard("main", "005930") == {"7"}
    blotter.step(second, accept("7"))
    # The first one has no answer yet, and need not have: it is known whose notice it is.
    assert held.release() == [("main", told, MONDAY + SECOND)]
    assert held.match("main", told, MONDAY + SECOND) is second
    assert held.heard("main", "005930") == set()
    assert held.release() == []


def test_it_waits_for_everything_that_may_explain_it_and_then_was_placed_elsewhere() -> None:
    first, second = under_way(), under_way("b-1")
    blotter, held = line(first, second)
    told = notice("9")
    held.hold("main", told, MONDAY)
    blotter.step(first, accept("7"))
    assert held.release() == []
    blotter.step(second, LOSE)
    assert held.release() == []  # the exchange may still have it, under that number
    blotter.step(second, Step(Event.PROVE_ABSENT, MONDAY))
    assert held.release() == [("main", told, MONDAY)]
    assert not held.hold("main", told, MONDAY)


def test_what_comes_later_does_not_make_it_wait_longer() -> None:
    first, later = under_way(), under_way("b-1")
    blotter, held = line(first)
    held.hold("main", notice("9"), MONDAY)
    blotter.add(later)
    blotter.step(first, REJECT)
    assert [one.order_no for _, one, _ in held.release()] == ["9"]


def test_notices_are_let_go_in_the_order_in_which_they_came() -> None:
    order = under_way()
    blotter, held = line(order)
    told = [notice("7", time=f"10000{n}", quantity=n) for n in (3, 1, 2)]
    other = notice("7", symbol="000660")
    waits = under_way("z", symbol="000660")
    blotter.add(waits)
    for at, one in enumerate([told[0], other, *told[1:]]):
        assert held.hold("main", one, MONDAY + at)
    blotter.step(order, accept("7"))
    assert held.release() == [
        ("main", told[0], MONDAY),
        ("main", told[1], MONDAY + 2),
        ("main", told[2], MONDAY + 3),
    ]
    assert held.heard("main", "000660") == {"7"}
    assert held.heard("other", "000660") == set()
