"""What clients read: acks, events, states and rows, byte by byte where it matters."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.payloads import (
    ack,
    candidate,
    event,
    external,
    external_row,
    refusal,
    state,
    working_order,
)
from tests.unit.orders.commands import (
    MONDAY,
    SECOND,
    accept,
    cancel,
    fill,
    listed,
    managed,
    modify,
    notice,
    place,
    submit,
)

D = Decimal


def read(payload: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(payload, parse_float=Decimal)
    return content


def order(*steps: Step, **fields: Any) -> ManagedOrder:
    return managed(place(**fields), submit(), accept("0000000007"), *steps)


class TestAcks:
    def test_of_an_order_that_kis_took(self) -> None:
        answer = Step(
            *(Event.ACCEPT, MONDAY + 2), order_no="0000000007", kis={"rt_cd": "0", "msg1": "주문"}
        )
        taken = managed(place(), submit(MONDAY + 1), answer)
        text = (
            '{"client_order_id":"a-1","status":"accepted","reason":null,"order_no":"0000000007",'
            f'"kis":{{"rt_cd":"0","msg1":"주문"}},"received_at":{MONDAY},'
            f'"submitted_at":{MONDAY + 1},"answered_at":{MONDAY + 2}}}'
        )
        assert ack(taken).decode() == text

    def test_a_duplicate_gets_the_first_answer_whatever_has_happened_since(self) -> None:
        taken = order()
        first = read(ack(taken))
        later = order(fill(4), Step(Event.CANCEL_REST, MONDAY, 6))
        assert read(ack(later, duplicate=True)) == first | {"duplicate": True}

    def test_unknown_stays_unknown_in_the_ack_when_it_is_settled(self) -> None:
        lost = managed(place(), submit(), Step(Event.LOSE, MONDAY, reason="unknown"), accept())
        told = read(ack(lost))
        assert (told["status"], told["order_no"]) == ("unknown", None)

    @pytest.mark.parametrize(
        ("event", "status"), [(Event.REJECT, "rejected"), (Event.LOSE, "unknown")]
    )
    def test_each_answer_has_its_status(self, event: Event, status: str) -> None:
        told = read(ack(managed(place(), submit(), Step(event, MONDAY))))
        assert (told["status"], told["order_no"], told["kis"]) == (status, None, None)

    def test_of_a_change_it_names_the_command(self) -> None:
        refused = Step(
            Event.REFUSE, MONDAY, reason="not_cancellable", message="the order is filled"
        )
        told = read(ack(managed(cancel(command_id="c1"), refused)))
        assert told == {
            "client_order_id": "a-1",
            "status": "refused",
            "reason": "not_cancellable",
            "order_no": None,
            "kis": None,
            "received_at": MONDAY,
            "submitted_at": None,
            "answered_at": MONDAY,
            "verb": "cancel",
            "command_id": "c1",
            "message": "the order is filled",
        }

    def test_there_is_none_before_the_answer(self) -> None:
        with pytest.raises(ValueError, match="not answered"):
            ack(managed(place(), submit()))

    def test_of_what_is_not_in_the_journal_it_names_what_could_be_read(self) -> None:
        answer = Step(Event.REFUSE, MONDAY + 1, reason="invalid_payload", message="missing key")
        told = read(refusal("", "modify", "", answer, MONDAY))
        assert (told["client_order_id"], told["command_id"], told["verb"]) == (None, None, "modify")
        assert (told["status"], told["submitted_at"]) == ("refused", None)
        assert (told["received_at"], told["answered_at"]) == (MONDAY, MONDAY + 1)
        assert "verb" not in read(refusal("a-1", "place", "", answer, MONDAY))


class TestEvents:
    def test_of_a_fill(self) -> None:
        told = read(event(order(fill(4, MONDAY + SECOND)), fill(4, MONDAY + SECOND)))
        assert told == {
            "client_order_id": "a-1",
            "event": "fill_part",
            "seq": 1,
            "state": "partially_filled",
            "order_no": "0000000007",
            "filled_quantity": 4,
            "average_price": 71_900,
            "at": MONDAY + SECOND,
            "quantity": 4,
            "price": 71_900,
        }

    def test_the_first_step_after_the_answer_is_the_first_event(self) -> None:
        filled = order(fill(1), fill(1), Step(Event.NOTE, MONDAY, told=1))
        assert read(event(filled, fill(1)))["seq"] == 2

    def test_what_became_of_a_change_is_told_of_the_order(self) -> None:
        change = managed(modify(command_id="m1"), submit(), Step(Event.LOSE, MONDAY), accept("8"))
        told = read(event(order(), Step(Event.SETTLE, MONDAY, reason="found"), change))
        assert (told["event"], told["reason"]) == ("settle", "found")
        assert (told["verb"], told["command_id"], told["status"]) == ("modify", "m1", "accepted")
        assert not {"quantity", "price"} & set(told)


class TestStates:
    def test_of_a_modified_order_it_has_todays_terms_and_yesterdays_name(self) -> None:
        changed = Step(
            Event.MODIFY, MONDAY + SECOND, price=D(71_800), order_no="8", order_type="limit"
        )
        told = read(state(order(fill(4), changed, Step(Event.CANCEL_PART, MONDAY + SECOND, 1))))
        assert told == {
            "client_order_id": "a-1",
            "market": "domestic_stock",
            "venue": "krx",
            "symbol": "005930",
            "side": "buy",
            "order_type": "limit",
            "quantity": 10,
            "price": 71_800,
            "condition_price": None,
            "remaining_quantity": 5,
            "cancelled_quantity": 1,
            "seq": 3,
            "state": "partially_filled",
            "order_no": "8",
            "filled_quantity": 4,
            "average_price": 71_900,
            "at": MONDAY + SECOND,
            "received_at": MONDAY,
            "submitted_at": MONDAY,
        }

    def test_it_can_be_told_as_it_was_before_more_happened(self) -> None:
        one = order()
        before, then = state(one), one.progress
        one.progress = one.progress.apply(fill(4))
        assert state(one, then) == before != state(one)

    def test_of_what_is_over_nothing_remains(self) -> None:
        told = read(state(order(fill(4), Step(Event.EXPIRE, MONDAY))))
        assert (told["remaining_quantity"], told["cancelled_quantity"]) == (0, 0)

    def test_only_an_order_has_one(self) -> None:
        with pytest.raises(TypeError, match="only a placed order"):
            state(managed(cancel()))

    @pytest.mark.parametrize(
        ("fills", "written"),
        [
            ([], b"null"),
            ([(1, "178.5"), (1, "178.25")], b"178.375"),
            ([(1, "1"), (2, "2")], b"1.6667"),  # 5 / 3
            ([(1, "100"), (1, "200")], b"150"),
            ([(3, "1200000")], b"1200000"),
            ([(1, "0.00004")], b"0"),
            ([(1, "0.00015"), (1, "0.00025")], b"0.0002"),
        ],
    )
    def test_average_prices_are_written_out_with_four_decimals_at_most(
        self, fills: list[tuple[int, str]], written: bytes
    ) -> None:
        steps = [Step(Event.FILL_PART, MONDAY, quantity, D(price)) for quantity, price in fills]
        assert b'"average_price":' + written + b"," in state(order(*steps))


class TestOthersOrders:
    def test_a_notice_goes_out_without_the_account(self) -> None:
        payload = external(notice("9", original_order_no="7", kind="cancelled"), MONDAY)
        assert b"12345678" not in payload
        assert read(payload) == {
            "kind": "cancelled",
            "order_no": "9",
            "original_order_no": "7",
            "symbol": "005930",
            "side": "buy",
            "quantity": 3,
            "price": 71_900,
            "time": "100001",
            "received_at": MONDAY,
        }

    def test_a_row_says_what_the_list_has(self) -> None:
        row = listed("9", at=None, filled=3, remaining=5, cancelled=2)
        told = read(external_row(row, MONDAY))
        assert (told["kind"], told["action"], told["ordered_at"]) == ("listed", "place", None)
        assert (told["original_order_no"], told["received_at"]) == (None, MONDAY)
        found = [told[f"{name}_quantity"] for name in ("filled", "remaining", "cancelled")]
        assert found == [3, 5, 2]

    def test_a_working_order_has_the_name_that_its_owner_gave_it(self) -> None:
        ours, others = working_order(listed(), order()), working_order(listed(order_type=""), None)
        assert (ours["client"], ours["client_order_id"]) == ("alice", "a-1")
        assert (others["client"], others["client_order_id"]) == (None, None)
        assert (ours["order_type"], others["order_type"]) == ("limit", None)
        assert (ours["remaining_quantity"], ours["ordered_at"]) == (10, MONDAY)

    def test_what_may_be_a_lost_order_is_told_with_where_it_came_from(self) -> None:
        assert candidate(listed(filled=3, channel="elsewhere")) == {
            "order_no": "7",
            "action": "place",
            "side": "buy",
            "quantity": 10,
            "price": D(71_900),
            "filled_quantity": 3,
            "ordered_at": MONDAY,
            "channel": "elsewhere",
        }
        assert candidate(listed())["channel"] is None
