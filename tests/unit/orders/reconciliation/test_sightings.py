from __future__ import annotations

from datetime import date

from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.reconciliation.sightings import Sightings
from tests.unit.orders.commands import MONDAY as AT
from tests.unit.orders.commands import managed, place

MONDAY, TUESDAY, FRIDAY = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 27)
STOCK = "domestic_stock"


def command() -> ManagedOrder:
    return managed(place(), at=AT)


def test_what_was_seen_before_a_command_was_sent_is_told_from_what_came_after() -> None:
    seen, first, second = Sightings(), command(), command()
    seen.sending(first)
    seen.note("main", STOCK, [(MONDAY, "7")], MONDAY)
    seen.sending(second)
    seen.note("main", STOCK, [(MONDAY, "7"), (MONDAY, "8")], MONDAY)
    assert seen.before(first, STOCK) == set()
    assert seen.before(second, STOCK) == {(MONDAY, "7")}
    assert seen.had(second, STOCK, (MONDAY, "7"))
    assert not seen.had(second, STOCK, (MONDAY, "8"))
    assert not seen.had(first, STOCK, (MONDAY, "7"))


def test_a_second_attempt_was_sent_when_the_first_was() -> None:
    seen, order = Sightings(), command()
    seen.sending(order)
    seen.note("main", STOCK, [(MONDAY, "7")], MONDAY)
    seen.sending(order)
    assert not seen.had(order, STOCK, (MONDAY, "7"))


def test_of_what_another_process_has_sent_nobody_knows_what_was_before() -> None:
    seen, order = Sightings(), command()
    seen.note("main", STOCK, [(MONDAY, "7")], MONDAY)
    assert not seen.sent(order)
    assert seen.before(order, STOCK) == set()
    assert not seen.had(order, STOCK, (MONDAY, "7"))
    seen.sending(order)
    assert seen.sent(order)


def test_numbers_are_those_of_one_account_market_and_day() -> None:
    seen, order = Sightings(), command()
    seen.note("other", STOCK, [(MONDAY, "1")], MONDAY)
    seen.note("main", STOCK, [(MONDAY, "7"), (None, "8")], MONDAY)
    seen.sending(order)
    assert seen.before(order, STOCK) == {(MONDAY, "7")}
    assert seen.before(order, "overseas_stock") == set()
    assert not seen.had(order, STOCK, (TUESDAY, "7"))
    assert not seen.had(order, STOCK, (None, "8"))


def test_days_that_are_over_are_forgotten() -> None:
    seen, order = Sightings(), command()
    seen.note("main", STOCK, [(MONDAY, "7")], MONDAY)
    seen.note("main", STOCK, [(FRIDAY, "8")], FRIDAY)
    seen.sending(order)
    assert seen.before(order, STOCK) == {(FRIDAY, "8")}
