"""How far apart in time a command and a row of the list may be, to the microsecond."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.orders.model.command import Place
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.reconciliation.matching import find_order
from bridge.orders.reconciliation.proof import Evidence, ProofWindow
from tests.unit.orders.commands import MINUTE, MONDAY, SECOND, listed, managed, place, submit

PROOF = 30 * SECOND
SENT, GIVEN_UP = MONDAY, MONDAY + 5 * SECOND
OVER = GIVEN_UP + PROOF
WINDOW = ProofWindow(OVER, PROOF)


def lost(given_up: int = GIVEN_UP) -> ManagedOrder:
    return managed(place(), submit(SENT), Step(Event.LOSE, given_up), at=SENT - MINUTE)


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        (SENT - 4 * SECOND - 1, False),  # KIS's clock may be four seconds behind
        (SENT - 4 * SECOND, True),
        (OVER, True),  # so long a command may be under way after it was given up
        (OVER + 1, False),
        (None, True),
    ],
)
def test_what_may_be_it(at: int | None, *, covered: bool) -> None:
    assert WINDOW.covers(lost(), at) is covered


@pytest.mark.parametrize(
    ("given_up", "at", "tight"),
    [
        (GIVEN_UP, SENT - 4 * SECOND - 1, False),
        (GIVEN_UP, SENT - 4 * SECOND, True),
        (GIVEN_UP, GIVEN_UP + SECOND, True),  # KIS's clock may be a second ahead
        (GIVEN_UP, GIVEN_UP + SECOND + 1, False),
        # After a crash nobody knows when the bridge gave up: no answer takes longer than 15 s.
        (SENT + 10 * MINUTE, SENT + 16 * SECOND, True),
        (SENT + 10 * MINUTE, SENT + 16 * SECOND + 1, False),
        (GIVEN_UP, None, False),
    ],
)
def test_what_came_while_it_was_under_way(given_up: int, at: int | None, *, tight: bool) -> None:
    assert WINDOW.tight(lost(given_up), at) is tight


def test_when_nothing_can_arrive_any_more() -> None:
    assert WINDOW.over(lost())
    assert not ProofWindow(OVER - 1, PROOF).over(lost())


def absent(at: int | None = None, listened: tuple[int, int] | None = None) -> bool:
    evidence = Evidence(missed=GIVEN_UP, listened=listened)
    rows = [] if at is None else [listed("99", at=at, symbol="000660")]
    return evidence.absent(lost(), rows, WINDOW)


def test_a_later_order_has_to_be_later_than_clocks_differ() -> None:
    assert not absent()
    assert not absent(GIVEN_UP + 4 * SECOND)
    assert absent(GIVEN_UP + 4 * SECOND + 1)


def test_notices_have_to_be_heard_from_its_sending_until_nothing_can_arrive() -> None:
    assert absent(listened=(SENT, OVER))
    assert not absent(listened=(SENT + 1, OVER))
    assert not absent(listened=(SENT, OVER - 1))


def test_a_person_is_not_called_before_notices_can_have_told() -> None:
    def waits(listened: tuple[int, int] | None) -> bool:
        return Evidence(missed=GIVEN_UP, listened=listened).waits(lost(), WINDOW)

    assert waits((SENT, OVER - 1))
    assert not waits((SENT, OVER))
    assert not waits((SENT + 1, OVER - 1))
    assert not waits(None)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("minutes", "verdict"), [(10, "row"), (11, "absent")])
def test_an_order_just_like_it_is_for_a_person_when_clocks_may_differ_so_much(
    sign: int, minutes: int, verdict: str
) -> None:
    twin = listed(at=SENT + sign * minutes * MINUTE)
    command = lost().command
    assert isinstance(command, Place)

    def look(row: Any) -> Any:
        evidence = Evidence(missed=GIVEN_UP, listened=(SENT, OVER))
        return find_order(lost(), command, [row], evidence, WINDOW)

    assert look(twin) == ([twin] if verdict == "row" else "absent")
    assert look(listed(at=twin.at, quantity=11)) == "absent"
    assert look(listed(at=None, symbol="000660")) == "absent"
