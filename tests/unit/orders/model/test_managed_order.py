"""A command as it came, and as a restart finds it in the journal."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal

import pytest

from bridge.orders.model.command import Command
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import restore
from bridge.orders.model.records import CLIENT, Origin, Record
from tests.unit.orders.commands import (
    MINUTE,
    MONDAY,
    SECOND,
    accept,
    cancel,
    cancel_all,
    fill,
    managed,
    modify,
    place,
    submit,
)


def test_a_new_order_has_nothing_but_what_was_asked() -> None:
    order = managed(place(order_type="stop_limit", condition_price=Decimal(72_000)))
    progress = order.progress
    assert (progress.state, progress.quantity, progress.remaining) == (State.RECEIVED, 10, 10)
    terms = (progress.price, progress.order_type, progress.condition_price)
    assert terms == (Decimal(71_900), "stop_limit", Decimal(72_000))
    assert (order.id, order.progress.answer, order.origin) == (0, None, CLIENT)
    # A change has no quantity of its own to fill.
    assert managed(modify(quantity=10)).progress.quantity == 0


@pytest.mark.parametrize(
    "command",
    [
        place(expires_at="2026-11-23T10:00:05.25+09:00", price=Decimal("71900.5")),
        place(order_type="market", price=None),
        modify(command_id="m1", condition_price=Decimal(72_000)),
        cancel(quantity=3, order_no="0000000007"),
        cancel_all(symbol="005930"),
    ],
)
@pytest.mark.parametrize("origin", [CLIENT, Origin("halt", "h-1"), Origin("cancel_all", "all")])
def test_a_restart_finds_what_was_written_down(command: Command, origin: Origin) -> None:
    before = managed(command, origin=origin)
    new = before.record()
    after = restore(
        Record(7, **{name: getattr(new, name) for name in new.__slots__ if name != "seal"})
    )
    assert after.id == 7
    after.id = 0
    assert asdict(after) == asdict(before)
    assert after.record() == new
    assert after.expires_at == MONDAY + MINUTE


def test_a_restart_finds_how_far_it_had_come() -> None:
    steps = (submit(MONDAY + SECOND, notional=719_000), accept("8"), fill(4))
    new = managed(place()).record()
    fields = {name: getattr(new, name) for name in new.__slots__ if name != "seal"}
    order = restore(Record(7, **fields, steps=steps))
    assert (order.progress.state, order.progress.filled) == (State.PARTIALLY_FILLED, 4)
    assert order.progress.notional == 719_000
    assert order.since == MONDAY + SECOND


def test_what_the_journal_has_under_the_name_keeps_its_digest() -> None:
    # An older version of the bridge may have made another one of the same content.
    new = managed(place()).record()
    record = Record(7, new.identity, new.verb, "d" * 64, new.body, new.received_at, new.expires_at)
    assert restore(record).digest == "d" * 64
    assert restore(replace(record, digest=new.digest)).digest == managed(place()).digest


def test_until_it_is_sent_it_is_as_old_as_its_arrival() -> None:
    assert managed(place()).since == MONDAY
    assert managed(place(), submit(MONDAY + MINUTE)).since == MONDAY + MINUTE


def test_two_deliveries_of_one_command_are_two() -> None:
    one, other = managed(place()), managed(place())
    assert one.digest == other.digest
    assert one != other
    assert len({one, other}) == 2


def test_numbers_are_named_only_when_more_than_the_last_may_have_something_left() -> None:
    elsewhere = Step(Event.MODIFY, MONDAY, 4, order_no="0000000008")  # of 4 of the 10
    whole = replace(elsewhere, quantity=0)
    assert list(managed(place(), submit(), accept(), whole).numbers) == []
    split = managed(place(), submit(), accept("0000000007"), elsewhere)
    assert list(split.numbers) == ["7", "8"]
    split.parts = {"7": 6}
    assert list(split.numbers) == ["7"]
    split.parts = {}
    assert list(split.numbers) == []


def test_two_commands_of_one_name_mean_the_same_whatever_their_deadlines() -> None:
    one = managed(place(expires_at="2026-11-23T10:00:05+09:00"))
    later = managed(place(expires_at="2026-11-23T10:00:15+09:00"))
    other = managed(place(quantity=11))
    assert one.means(later)
    assert not one.means(other)
    # The digest of an earlier bridge had the deadline in it.
    written = one.record()
    fields = {name: getattr(written, name) for name in written.__slots__ if name != "seal"}
    old = restore(Record(7, **fields | {"digest": "d" * 64}))
    assert later.means(old)
    assert not other.means(old)


@pytest.mark.parametrize(
    ("command", "harmless"),
    [
        (cancel(), True),
        (cancel(order_no="7"), True),
        (cancel_all(), True),
        (cancel(quantity=3), False),
        (modify(), False),
        (place(), False),
    ],
)
def test_only_what_takes_back_a_whole_may_be_sent_once_more(
    command: Command, *, harmless: bool
) -> None:
    assert managed(command).harmless is harmless
