from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from bridge.kis.listing import ListedOrder
from bridge.orders.model.lifecycle import Event, State
from bridge.orders.model.progress import Leg, Progress
from bridge.orders.reconciliation.matching import listed_steps

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


def test_what_is_gone_while_a_change_has_no_answer_may_only_have_a_new_number() -> None:
    assert [s.event for s in listed_steps(OPEN, [GONE], 1)] == [Event.CANCEL_REST]
    assert list(listed_steps(OPEN, [GONE], 1, changing=True)) == []
    filled = replace(GONE, filled=1, value=Decimal(178), cancelled=3)
    assert [s.event for s in listed_steps(OPEN, [filled], 1, changing=True)] == [Event.FILL_PART]
