from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bridge.kis.listing import ListedOrder
from bridge.orders.model.command import Place
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.progress import Leg, Progress
from bridge.orders.reconciliation.matching import find_order, listed_steps
from bridge.orders.reconciliation.proof import Evidence, ProofWindow
from tests.unit.orders.commands import managed, place, submit

GONE = ListedOrder(
    market="overseas_stock",
    order_no="0000000001",
    original_order_no="",
    org_no="",
    action="place",
    symbol="AAPL",
    side="buy",
    order_type="",
    quantity=4,
    price=Decimal(178),
    filled=0,
    value=Decimal(0),
    remaining=0,
    cancelled=4,
    rejected=0,
    at=None,
)
OPEN = Progress(4, Decimal(178), state=State.ACCEPTED, legs=(Leg("0000000001"),))


SENT = 1_795_395_600_000_000
LISTED = replace(
    GONE,
    market="domestic_stock",
    symbol="005930",
    order_no="0000000007",
    quantity=10,
    price=Decimal(71_900),
    remaining=10,
    cancelled=0,
    at=SENT,
    channel="api",
)
LOAN = {"credit_type": "own_margin_loan_new", "loan_date": "20261123"}


@pytest.mark.parametrize(
    ("terms", "loan_date", "ours"),
    [
        ({}, "", True),
        ({}, "20261123", False),
        (LOAN, "20261123", True),
        (LOAN, "", True),
        (LOAN, "20261120", False),
    ],
)
def test_an_order_with_a_loan_is_not_one_with_cash(
    terms: dict[str, Any], loan_date: str, *, ours: bool
) -> None:
    lost = managed(place(**terms), submit(SENT), Step(Event.LOSE, SENT + 1_000_000))
    row = replace(LISTED, loan_date=loan_date)
    window = ProofWindow(SENT + 2_000_000, 30_000_000)
    assert isinstance(lost.command, Place)
    found = find_order(lost, lost.command, [row], Evidence(), window)
    assert (found is row) is ours
    assert ours or found == [row], "a person says whose it is"


def test_what_is_gone_while_a_change_has_no_answer_may_only_have_a_new_number() -> None:
    assert [s.event for s in listed_steps(OPEN, [GONE], 1)] == [Event.CANCEL_REST]
    assert list(listed_steps(OPEN, [GONE], 1, changing=True)) == []
    filled = replace(GONE, filled=1, value=Decimal(178), cancelled=3)
    assert [s.event for s in listed_steps(OPEN, [filled], 1, changing=True)] == [Event.FILL_PART]
