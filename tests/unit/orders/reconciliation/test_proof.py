"""What proves that a row of the exchange's list is a lost order, and what proves that none is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bridge.kis.listing import ListedOrder
from bridge.orders.model.command import Place
from bridge.orders.model.command_parser import parse
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.orders.reconciliation.matching import find_order
from bridge.orders.reconciliation.proof import Evidence, ProofWindow

SENT = 1_795_395_600_000_000  # 2026-11-23 10:00:00 in Seoul
SECOND = 1_000_000
PROOF = 30 * SECOND
PLACE = Place.model_validate(
    {
        "client_order_id": "a-1",
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": "005930",
        "side": "buy",
        "order_type": "limit",
        "quantity": 10,
        "price": 71900,
    }
)
ROW = ListedOrder(
    market="domestic_stock",
    order_no="0000000077",
    original_order_no="",
    org_no="91254",
    action="place",
    symbol="005930",
    side="buy",
    order_type="limit",
    quantity=10,
    price=Decimal(71900),
    filled=0,
    value=Decimal(0),
    remaining=10,
    cancelled=0,
    rejected=0,
    at=SENT,
    channel="api",
)
LATER = replace(ROW, order_no="0000000099", symbol="000660", at=SENT + 20 * SECOND)
HEARD = (SENT - SECOND, SENT + 60 * SECOND)


def lost(after: int = SECOND) -> ManagedOrder:
    """Return an order that was sent, and given up ``after`` µs."""
    parsed = parse("place", PLACE.model_dump_json(exclude_none=True).encode())
    managed = ManagedOrder.received(
        Identity("main", "alice", "a-1", ""), "place", parsed, SENT, SENT + 99 * SECOND
    )
    managed.progress = managed.progress.apply(Step(Event.SUBMIT, SENT)).apply(
        Step(Event.LOSE, SENT + after)
    )
    return managed


def look(*rows: ListedOrder, asked: int = SENT + 40 * SECOND, **evidence: Any) -> Any:
    return find_order(lost(), PLACE, rows, Evidence(**evidence), ProofWindow(asked, PROOF))


def test_the_only_row_like_it_that_came_by_the_open_api_meanwhile_is_it() -> None:
    assert look(ROW) is ROW
    assert look(ROW, LATER) is ROW


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": 9},
        {"price": Decimal(71800)},
        {"order_type": "market"},
        {"at": None},
        {"at": SENT + 3 * SECOND},  # a whole second after nobody waited for it any more
        {"channel": ""},
        {"channel": "elsewhere"},
    ],
)
def test_a_row_that_may_be_it_and_does_not_fit_is_for_a_person(fields: dict[str, Any]) -> None:
    row = replace(ROW, **fields)
    assert look(row) == [row]


def test_what_a_person_places_by_hand_is_told_from_the_lost_order() -> None:
    by_hand = replace(ROW, order_no="0000000078", channel="elsewhere")
    assert look(ROW, by_hand) is ROW
    other = replace(by_hand, quantity=3)
    assert look(other, LATER, missed=SENT + SECOND) == "absent"


def test_the_channel_alone_tells_them_apart_where_orders_of_ours_carry_it() -> None:
    by_hand = replace(ROW, channel="elsewhere")
    assert look(by_hand, LATER, missed=SENT + SECOND) == [by_hand]
    assert look(by_hand, LATER, missed=SENT + SECOND, owned={LATER.key}) == "absent"


def test_of_two_that_fit_neither_is_taken() -> None:
    twin = replace(ROW, order_no="0000000078")
    assert look(ROW, twin) == [ROW, twin]


def test_what_was_there_before_it_was_sent_is_not_it() -> None:
    assert look(ROW, earlier={ROW.key}, missed=SENT + SECOND, listened=HEARD) == "absent"
    twin = replace(ROW, order_no="0000000078")
    assert look(ROW, twin, earlier={ROW.key}) is twin


PROVED: dict[str, Any] = {"missed": SENT + SECOND, "listened": HEARD}


@pytest.mark.parametrize(
    ("rows", "evidence", "verdict"),
    [
        ((), PROVED, "absent"),
        ((LATER,), {"missed": SENT + SECOND}, "absent"),
        # one list only, or two that were read too soon after each other
        ((LATER,), {"listened": HEARD}, "open"),
        ((LATER,), PROVED | {"missed": SENT + 20 * SECOND}, "open"),
        # a page is missing
        ((LATER,), PROVED | {"complete": False}, "open"),
        # a notice told of an order that no list has
        ((LATER,), PROVED | {"heard": {"55"}}, "open"),
        # nobody listened, or not all the time, or the connection may be dead
        ((), PROVED | {"listened": None}, "open"),
        ((), PROVED | {"listened": (SENT + 1, SENT + 60 * SECOND)}, "open"),
        ((), PROVED | {"listened": (0, SENT + 30 * SECOND)}, "open"),
    ],
)
def test_that_it_never_was_takes_more_than_a_list_without_it(
    rows: tuple[ListedOrder, ...], evidence: dict[str, Any], verdict: str
) -> None:
    assert look(*rows, **evidence) == verdict


def test_nothing_is_proved_while_it_may_still_arrive() -> None:
    assert look(LATER, asked=SENT + 30 * SECOND, **PROVED | {"missed": SENT}) == "open"


def test_a_person_is_not_called_while_time_may_bring_the_proof() -> None:
    order, window = lost(), ProofWindow(SENT + 40 * SECOND, PROOF)
    assert Evidence(missed=SENT + 30 * SECOND).waits(order, window)
    assert Evidence(missed=SENT + SECOND, listened=(0, SENT + 5 * SECOND)).waits(order, window)
    assert not Evidence(missed=SENT + SECOND).waits(order, window)
    assert not Evidence(complete=False).waits(order, window)
