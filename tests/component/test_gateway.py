"""The order line on a real journal file, against a KIS and a broker that are played here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import JournalError
from bridge.kis.replies import (
    KisNotProcessedError,
    KisNotSentError,
    KisRefusedError,
    KisUnknownError,
    Reply,
)
from bridge.kis.throttle import Priority
from bridge.orders.gateway import Rules
from bridge.orders.journal.journal import Journal
from bridge.orders.model.lifecycle import State, Step
from bridge.orders.model.records import JournalStep, NewRecord, Record
from bridge.orders.risk.limits import Limits
from tests.component.gateway_fixture import (
    NUMBER,
    PLACE,
    Broker,
    Kis,
    ack_topic,
    bench,
    event_topic,
    state_topic,
)


async def test_an_order_is_taken_and_fills_in_parts(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        ack = await b.place()
        assert ack["status"] == "accepted"
        assert ack["order_no"] == "0000000001"
        assert ack["kis"] == {"rt_cd": "0", "msg_cd": "APBK0013", "msg1": "done"}
        assert ack["received_at"] < ack["submitted_at"] <= ack["answered_at"]
        assert "duplicate" not in ack
        assert len(b.acked) == 1
        api, variant, params, priority = b.kis.calls[0]
        assert (api, variant, priority) == ("domestic_stock/order_cash", "buy", Priority.ORDER)
        assert params["CANO"] == "12345678"
        assert params["ACNT_PRDT_CD"] == "01"
        assert (params["PDNO"], params["ORD_QTY"], params["ORD_UNPR"]) == ("005930", "10", "71900")

        b.notice("0000000001", quantity="0000000010")  # taken: tells nothing new
        b.fill("1", 3, 71800)
        b.fill("0000000001", 3, 71800)
        b.fill("0000000001", 9, 71900)  # of which four are left
        events = await b.broker.wait(event_topic(), 3)
        assert [e["seq"] for e in events] == [1, 2, 3]
        states = [e["state"] for e in events]
        assert states == ["partially_filled", "partially_filled", "filled"]
        assert [e["filled_quantity"] for e in events] == [3, 6, 10]
        assert events[-1]["average_price"] == 71840
        await b.broker.wait(state_topic(), 2)
        _, state, retained = [p for p in b.broker.published if p[0] == state_topic()][-1]
        assert retained
        assert (state["state"], state["remaining_quantity"]) == ("filled", 0)
        assert b.gateway.states() == {"filled": 1}
        assert NUMBER[:8] not in json.dumps([p[:2] for p in b.broker.published])


async def test_the_same_command_again_answers_again_and_is_not_sent_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        first = await b.place()
        again = await b.place(price="71900.0")
        assert again == first | {"duplicate": True}
        other = await b.place(price=71800)
        assert (other["status"], other["reason"]) == ("refused", "duplicate_conflict")
        assert await b.place() == first | {"duplicate": True}
    async with bench(tmp_path, kis=b.kis) as b:
        assert await b.place() == first | {"duplicate": True}
        other = await b.place(quantity=11)
        assert other["reason"] == "duplicate_conflict"
        assert len(b.kis.calls) == 1


async def test_a_duplicate_waits_while_the_first_is_in_flight(tmp_path: Path) -> None:
    answer = asyncio.Event()
    async with bench(tmp_path, kis=Kis([answer])) as b:
        await b.send("place", PLACE)
        await b.send("place", PLACE)
        async with asyncio.timeout(5):
            await b.kis.called.wait()
        answer.set()
        first, second = await b.broker.wait(ack_topic(), 2)
        assert second == first | {"duplicate": True}
        assert len(b.kis.calls) == 1


async def test_a_lost_answer_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    kis = Kis([KisUnknownError("timed out")])
    async with bench(tmp_path, kis=kis) as b:
        ack = await b.place()
        assert ack["status"] == "unknown"
        assert ack["submitted_at"] is not None
        event = (await b.broker.wait("kis/bridge/event/order_unknown"))[0]
        assert (event["client_order_id"], event["account"]) == ("a-1", "main")
        assert (await b.place())["duplicate"] is True
    async with bench(tmp_path, kis=kis) as b:
        again = await b.place()
        assert (again["status"], again["duplicate"]) == ("unknown", True)
    assert len(kis.calls) == 1


async def test_success_without_an_order_number_is_unknown(tmp_path: Path) -> None:
    async with bench(tmp_path, kis=Kis([Reply("0", "APBK0013", "", {"rt_cd": "0"})])) as b:
        assert (await b.place())["status"] == "unknown"


async def test_what_kis_did_not_process_is_sent_again(tmp_path: Path) -> None:
    busy = KisNotProcessedError("too many", msg_cd="EGW00201")
    async with bench(tmp_path, kis=Kis([busy, KisNotSentError("no connection"), busy])) as b:
        assert (await b.place())["status"] == "accepted"
        assert len(b.kis.calls) == 4


async def test_it_is_tried_again_only_until_it_expires(tmp_path: Path) -> None:
    now = 1_800_000_000_000_000

    def clock() -> int:
        nonlocal now
        now += 100_000
        return now

    busy = KisNotProcessedError("too many", msg_cd="EGW00201")
    async with bench(tmp_path, kis=Kis([busy] * 1000), clock=clock) as b:
        await b.send(
            "place",
            {k: v for k, v in PLACE.items() if k != "expires_at"},
            expiry_s=5,
            received_at=now,
        )
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "expired")
        assert ack["kis"]["msg_cd"] == "EGW00201"
        assert 1 < len(b.kis.calls) < 50


async def test_a_business_refusal_and_a_gateway_refusal_are_rejections(tmp_path: Path) -> None:
    no = Reply("7", "40580000", "closed ", {"rt_cd": "7"})
    key = KisRefusedError("no right", msg_cd="EGW00206", msg1="x")
    async with bench(tmp_path, kis=Kis([no, key])) as b:
        ack = await b.place()
        assert ack["status"] == "rejected"
        assert ack["kis"] == {"rt_cd": "7", "msg_cd": "40580000", "msg1": "closed"}
        assert (await b.place("a-2"))["kis"]["msg_cd"] == "EGW00206"


@pytest.mark.parametrize(
    ("fields", "properties", "reason"),
    [
        ({}, {"retain": True}, "retained_command"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, {}, "expired"),
        ({}, {"received_at": 1_600_000_000_000_000, "expiry_s": 5}, "expired"),
        ({}, {"account": "other"}, "unknown_account"),
        ({"expires_at": None}, {}, "invalid_payload"),
        ({"quantity": 0}, {}, "invalid_payload"),
        ({"color": "red"}, {}, "invalid_payload"),
        ({"venue": "nxt", "order_type": "market", "price": None}, {}, "invalid_payload"),
    ],
)
async def test_what_is_no_good_command_is_refused_and_can_be_put_right(
    tmp_path: Path, fields: dict[str, object], properties: dict[str, Any], reason: str
) -> None:
    async with bench(tmp_path) as b:
        await b.send("place", {k: v for k, v in (PLACE | fields).items() if v}, **properties)
        account = properties.get("account", "main")
        ack = (await b.broker.wait(f"kis/orders/{account}/alice/ack/a-1"))[0]
        assert (ack["status"], ack["reason"]) == ("refused", reason)
        assert ack["message"]
        assert len(b.acked) == 1
        assert not b.kis.calls
        assert (await b.place())["status"] == "accepted"


async def test_without_a_usable_name_the_ack_goes_to_invalid(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.send("place", b"\xff not even text")
        ack = (await b.broker.wait("kis/orders/main/alice/ack/invalid"))[0]
        assert (ack["client_order_id"], ack["reason"]) == (None, "invalid_payload")


async def test_limits_and_locks_refuse_for_good(tmp_path: Path) -> None:
    limits = Limits(quantity=10)
    rules = Rules(paper=False, limits=limits, permits=lambda client, account: client == "alice")
    async with bench(tmp_path, rules=rules) as b:
        ack = await b.place("big", quantity=11)
        assert (ack["status"], ack["reason"]) == ("refused", "risk_quantity")
        await b.send("place", PLACE, client="mallory")
        other = (await b.broker.wait(ack_topic(client="mallory")))[0]
        assert other["reason"] == "not_permitted"
        await b.gateway.halt("halted")
        assert (await b.place("late"))["reason"] == "halted"
    async with bench(tmp_path, rules=Rules(paper=True)) as b:
        again = await b.place("big", quantity=11)
        assert (again["reason"], again["duplicate"]) == ("risk_quantity", True)
        assert (await b.place("late"))["reason"] == "halted"
        nxt = await b.place("nxt", venue="nxt")
        assert "krx" in nxt["message"]
        assert not b.kis.calls


async def test_the_days_notional_survives_a_restart(tmp_path: Path) -> None:
    rules = Rules(paper=False, limits=Limits(daily_notional=1_000_000))  # type: ignore[arg-type]
    async with bench(tmp_path, rules=rules) as b:
        assert (await b.place("a"))["status"] == "accepted"  # 719,000
    async with bench(tmp_path, rules=rules, kis=Kis(number=1)) as b:
        assert (await b.place("b"))["reason"] == "risk_daily"
        assert (await b.place("c", quantity=3))["status"] == "accepted"


async def test_modify_and_cancel_follow_the_order_through_its_numbers(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.place()
        modified = await b.ask("modify", price=72000)
        assert (modified["status"], modified["order_no"]) == ("accepted", "0000000002")
        assert modified["verb"] == "modify"
        _, _, params, _ = b.kis.calls[-1]
        assert params["ORGN_ODNO"] == "0000000001"
        assert params["KRX_FWDG_ORD_ORGNO"] == "91254"
        assert (params["RVSE_CNCL_DVSN_CD"], params["QTY_ALL_ORD_YN"]) == ("01", "Y")
        assert (params["ORD_UNPR"], params["ORD_DVSN"]) == ("72000", "00")
        await b.broker.wait(event_topic())
        assert b.broker.on(state_topic())[-1]["price"] == 72000
        # The exchange confirms what the answer told already; a fill comes under the new number.
        confirmed = {"modify_cancel": "1", "acceptance": "2", "original_order_no": "0000000001"}
        b.notice("0000000002", **confirmed)
        b.fill("0000000002", 4, 72000)
        await b.broker.wait(event_topic(), 2)

        again = await b.ask("modify", price=72000)
        assert again == modified | {"duplicate": True}

        cancelled = await b.ask("cancel")
        assert (cancelled["status"], cancelled["order_no"]) == ("accepted", "0000000003")
        _, _, params, priority = b.kis.calls[-1]
        assert params["ORGN_ODNO"] == "0000000002"
        assert params["RVSE_CNCL_DVSN_CD"] == "02"
        assert priority is Priority.CANCEL
        assert b.broker.on(state_topic())[-1]["state"] == "partially_filled"
        confirmed = {"modify_cancel": "2", "acceptance": "2", "original_order_no": "0000000002"}
        b.notice("0000000003", quantity="0000000006", **confirmed)
        event = (await b.broker.wait(event_topic(), 3))[-1]
        assert (event["state"], event["filled_quantity"]) == ("cancelled", 4)
        late = await b.ask("cancel", command_id="again")
        assert (late["reason"], late["command_id"]) == ("not_cancellable", "again")
        assert (await b.ask("cancel", "nobody"))["reason"] == "unknown_order"
        assert len(b.kis.calls) == 3


async def test_a_part_is_cancelled_and_a_part_cannot_be_modified(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.place()
        part = await b.ask("modify", price=72000, quantity=4)
        assert part["reason"] == "invalid_payload"
        assert "10" in part["message"]
        assert (await b.ask("cancel", quantity=4))["status"] == "accepted"
        assert b.kis.calls[-1][2]["ORD_QTY"] == "4"
        assert b.kis.calls[-1][2]["QTY_ALL_ORD_YN"] == "N"
        confirmed = {"modify_cancel": "2", "acceptance": "2", "original_order_no": "1"}
        b.notice("2", quantity="4", **confirmed)
        event = (await b.broker.wait(event_topic()))[-1]
        assert event["state"] == "accepted"
        b.fill("1", 6, 71900)
        event = (await b.broker.wait(event_topic(), 2))[-1]
        assert (event["state"], event["filled_quantity"]) == ("cancelled", 6)


async def test_a_notice_may_come_before_the_answer(tmp_path: Path) -> None:
    answer = asyncio.Event()
    async with bench(tmp_path, kis=Kis([answer])) as b:
        await b.send("place", PLACE)
        async with asyncio.timeout(5):
            await b.kis.called.wait()
        b.fill("0000000001", 10, 71800)
        b.fill("0000000077", 1, 71800)  # placed elsewhere
        answer.set()
        event = (await b.broker.wait(event_topic()))[0]
        assert (event["state"], event["average_price"]) == ("filled", 71800)
        order = [topic for topic, _, _ in b.broker.published]
        assert order.index(ack_topic()) < order.index(event_topic())
        elsewhere = (await b.broker.wait("kis/accounts/main/event/external"))[0]
        assert (elsewhere["order_no"], elsewhere["quantity"]) == ("0000000077", 1)
        assert len(b.broker.on("kis/accounts/main/event/external")) == 1


async def test_an_order_placed_elsewhere_is_external_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.fill("0000000077", 1, 71800)
        await b.broker.wait("kis/accounts/main/event/external")
        assert (await b.broker.wait("kis/bridge/event/order_external"))[0]["account"] == "main"


async def test_the_exchange_rejects_what_kis_took(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.place()
        b.notice("0000000001", rejected="1")
        event = (await b.broker.wait(event_topic()))[0]
        assert event["state"] == "rejected"
        b.fill("0000000001", 1, 71900)  # cannot be; is told and harms nothing
        await b.place("a-2")
        b.fill("0000000002", 1, 71900)
        await b.broker.wait(event_topic("a-2"))


async def test_a_thousand_commands_delivered_twice_are_a_thousand_orders(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        clients = [f"client-{n}" for n in range(50)]
        for turn in range(20):
            for client in clients:
                order = PLACE | {"client_order_id": f"{client}-{turn}"}
                message = b.message("place", order, client=client)
                await b.gateway.command(message)
                await b.gateway.command(message)
        for client in clients:
            for turn in range(20):
                acks = await b.broker.wait(ack_topic(f"{client}-{turn}", client), 2)
                assert sorted(ack.get("duplicate", False) for ack in acks) == [False, True]
        assert len(b.kis.calls) == 1000
        for client in clients:
            numbers = [
                int(b.broker.on(ack_topic(f"{client}-{turn}", client))[0]["order_no"])
                for turn in range(20)
            ]
            assert numbers == sorted(numbers)


async def test_a_cancel_does_not_wait_for_the_clients_next_order(tmp_path: Path) -> None:
    stuck = asyncio.Event()
    async with bench(tmp_path) as b:
        await b.place("a-1")
        b.kis.script.append(stuck)
        b.kis.called.clear()
        await b.send("place", PLACE | {"client_order_id": "a-2"})
        async with asyncio.timeout(5):
            await b.kis.called.wait()
        assert (await b.ask("cancel", "a-1"))["status"] == "accepted"
        assert not b.broker.on(ack_topic("a-2"))
        stuck.set()
        await b.broker.wait(ack_topic("a-2"))


async def test_too_many_at_once_are_refused(tmp_path: Path) -> None:
    stuck = asyncio.Event()
    async with bench(tmp_path, kis=Kis([stuck]), rules=Rules(paper=False, waiting=2)) as b:
        for name in ("a-1", "a-2", "a-3", "a-2"):
            await b.send("place", PLACE | {"client_order_id": name})
        ack = (await b.broker.wait(ack_topic("a-3")))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "overloaded")
        stuck.set()
        await b.broker.wait(ack_topic("a-2"))
        assert (await b.place("a-3"))["duplicate"] is True
        assert len(b.kis.calls) == 2
        assert len(b.acked) == 5


async def test_what_is_one_too_many_of_a_client_is_refused_and_that_holds(tmp_path: Path) -> None:
    """A broker that delivers it again, when there is room, must not make an order of it."""
    async with bench(tmp_path) as b:
        await b.send("place", PLACE, surplus=True)
        ack = (await b.broker.wait(ack_topic("a-1")))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "rate_limited")
        again = await b.place("a-1")
        assert (again["reason"], again["duplicate"]) == ("rate_limited", True)
        assert (await b.place("a-2"))["status"] == "accepted"
        assert len(b.kis.calls) == 1


async def test_the_response_topic_is_honoured_where_it_is_allowed(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.send("place", PLACE, response_topic="alice/answers", correlation=b"7")
        assert (await b.broker.wait("alice/answers"))[0]["status"] == "accepted"
        assert b.broker.correlations == [("alice/answers", b"7")]
        await b.send("place", PLACE, response_topic="kis/bridge/state", correlation=b"8")
        await b.broker.wait(ack_topic(), 2)
        assert not b.broker.on("kis/bridge/state")


async def test_what_nobody_asked_for_harms_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.send("place", PLACE, topic="kis/orders/x")
        b.notice("0000000001", quantity="many")
        b.notice("0000000001", account="9999999901")
        await b.send("place", PLACE, client="x" * 200)
        assert (await b.broker.wait(ack_topic(client="x" * 200)))[0]["reason"] == "not_permitted"
        assert len(b.acked) == 2
        assert (await b.place())["status"] == "accepted"
        assert "kis/accounts/main/event/external" not in [t for t, _, _ in b.broker.published]


async def test_changes_from_elsewhere_and_declined_ones(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.place()
        about = {"original_order_no": "0000000001", "modify_cancel": "1"}
        b.notice("0000000050", acceptance="2", price="72500", **about)
        event = (await b.broker.wait(event_topic()))[0]
        assert (event["event"], event["order_no"]) == ("modify", "0000000050")
        b.notice("0000000050", rejected="1", **about)
        event = (await b.broker.wait(event_topic(), 2))[1]
        assert (event["event"], event["order_no"]) == ("decline", "0000000001")
        bad = await b.ask("modify", order_type="market", price=5)
        assert bad["reason"] == "invalid_payload"
        assert (await b.ask("modify", order_type="market"))["status"] == "accepted"
        assert b.kis.calls[-1][2]["ORD_DVSN"] == "01"
        assert (await b.ask("cancel", quantity=10))["status"] == "accepted"
        assert b.kis.calls[-1][2]["QTY_ALL_ORD_YN"] == "Y"


async def test_what_is_in_flight_too_long_is_unknown_after_the_restart(tmp_path: Path) -> None:
    kis = Kis([asyncio.Event()])
    async with bench(tmp_path, kis=kis) as b:
        await b.send("place", PLACE)
        await b.send("place", PLACE | {"client_order_id": "a-2", "symbol": "000660"})
        async with asyncio.timeout(5):
            await kis.called.wait()
    async with bench(tmp_path, kis=kis) as b:
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "unknown"
        await b.broker.wait("kis/bridge/event/order_unknown")
        # The next one was in the journal and never sent: it is not forgotten.
        assert (await b.broker.wait(ack_topic("a-2")))[0]["status"] == "accepted"
    assert len(kis.calls) == 2


async def test_stop_takes_no_more_commands(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.gateway.stop()
        await b.send("place", PLACE)
        assert not b.acked
        assert not b.kis.calls


class Crash(Exception):  # noqa: N818 - not an error of anybody
    pass


class Fragile(Journal):
    """Dies before or after one of its writes, as a process does."""

    def __init__(self, url: str, at: int, *, before: bool) -> None:
        super().__init__(url)
        self.writes, self.at, self.before = 0, at, before

    async def admit(self, new: NewRecord, *lines: tuple[Step, State]) -> tuple[Record, bool]:
        result: tuple[Record, bool] = await self._fragile(
            lambda: super(Fragile, self).admit(new, *lines)
        )
        return result

    async def append(self, *lines: JournalStep) -> None:
        await self._fragile(lambda: super(Fragile, self).append(*lines))

    async def _fragile(self, write: Callable[[], Any]) -> Any:
        self.writes += 1
        if self.writes == self.at and self.before:
            raise Crash
        result = await write()
        if self.writes == self.at:
            raise Crash
        return result


class Asked(Kis):
    """Says what can be bought, so that a command waits for it."""

    async def pages(self, api: str, *args: Any, **more: Any) -> AsyncIterator[Reply]:
        if not api.endswith("inquire_psbl_order"):
            async for reply in super().pages(api, *args, **more):
                yield reply
            return
        body = {"rt_cd": "0", "output": {"nrcvb_buy_qty": "100"}}
        yield Reply("0", "", "", body, "D")


AT_ONCE = {1: ("accepted", "unknown"), 2: ("unknown", "accepted")}
"""What a crash before and after each write leads to: received and submitting are one of them."""
WAITING = {
    1: ("accepted", "accepted"),
    2: ("accepted", "unknown"),
    3: ("unknown", "accepted"),
}
"""Received, submitting, and the answer."""


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_a_crash_between_any_two_steps_sends_at_most_once(
    tmp_path: Path, at: int, before: bool, waits: bool
) -> None:
    kis, broker = Asked(), Broker()
    rules = Rules(paper=False, pause_s=0.001, grace_s=0.05, limits=Limits(check_funds=waits))
    fragile = Fragile(f"sqlite:///{tmp_path}/orders.db", at, before=before)
    acked = False
    try:
        async with bench(tmp_path, kis=kis, broker=broker, journal=fragile, rules=rules) as b:
            try:
                await b.place()
                b.fill("0000000001", 10, 71900)
                await b.broker.wait(event_topic())
            finally:
                acked = bool(b.acked)
    except* (Crash, asyncio.CancelledError):
        pass
    async with bench(tmp_path, kis=kis, broker=broker, rules=rules) as b:
        if not acked:  # the broker delivers again what it got no PUBACK for
            await b.send("place", PLACE)
        last = (await broker.wait(ack_topic()))[-1]
        again = await b.place()
        assert again == last | {"duplicate": True}
    assert len(kis.calls) == 1 if again["status"] == "accepted" else len(kis.calls) <= 1
    expected = WAITING if waits else AT_ONCE
    assert again["status"] == expected.get(at, ("accepted", "accepted"))[not before]


class Full(Journal):
    """A disk that is full while ``full`` is set."""

    full = False

    async def admit(self, new: NewRecord, *lines: tuple[Step, State]) -> tuple[Record, bool]:
        if self.full:
            raise JournalError("disk full")
        return await super().admit(new, *lines)

    async def append(self, *lines: JournalStep) -> None:
        if self.full:
            raise JournalError("disk full")
        await super().append(*lines)


async def test_nothing_is_acknowledged_or_sent_while_the_disk_is_full(tmp_path: Path) -> None:
    now = 1_800_000_000_000_000
    journal = Full(f"sqlite:///{tmp_path}/orders.db")
    async with bench(tmp_path, journal=journal, clock=lambda: now) as b:
        journal.full = True
        short = {k: v for k, v in PLACE.items() if k != "expires_at"}
        await b.send("place", short, expiry_s=5)
        await b.send("place", PLACE | {"client_order_id": "a-2"})
        assert not b.acked
        now += 5_000_000
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "expired")
        assert not b.kis.calls
        journal.full = False
        assert (await b.broker.wait(ack_topic("a-2")))[0]["status"] == "accepted"


async def test_an_answer_is_told_even_when_it_cannot_be_written(tmp_path: Path) -> None:
    answer = asyncio.Event()
    journal = Full(f"sqlite:///{tmp_path}/orders.db")
    async with bench(tmp_path, journal=journal, kis=Kis([answer])) as b:
        await b.send("place", PLACE)
        async with asyncio.timeout(5):
            await b.kis.called.wait()
        journal.full = True
        answer.set()
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"
        journal.full = False
        await b.broker.wait(state_topic())
    async with bench(tmp_path) as b:
        assert (await b.place())["status"] == "accepted"


@pytest.mark.parametrize(
    "levels",
    [
        "nobody/alice",
        f"main/{'x' * 60_000}",
        f"{'%20' * 20_000}/alice",
        "/alice",
        "main/",
        "main/%",
        "main/%00",
        "main/a%2Fb",
        "main/a%2fb",
        "main/\N{SNOWMAN}",
    ],
)
@pytest.mark.parametrize("payload", [b"garbage", b'{"client_order_id":"' + b"x" * 64 + b'"}'])
async def test_no_name_in_a_topic_ends_the_bridge(
    tmp_path: Path, levels: str, payload: bytes
) -> None:
    async with bench(tmp_path) as b:
        message = b.message("place", payload, topic=f"kis/orders/{levels}/command/place")
        await b.gateway.command(message)
        assert b.acked == [payload]
        assert (await b.place())["status"] == "accepted"


@pytest.mark.parametrize("client", ["%00", "al%0Aice", "alice%20", "%C2%A0alice"])
async def test_a_name_that_databases_do_not_agree_on_is_refused(
    tmp_path: Path, client: str
) -> None:
    async with bench(tmp_path) as b:
        await b.send("place", PLACE, client=client)
        (ack,) = await b.broker.wait(ack_topic(client=client))
        assert (ack["status"], ack["reason"]) == ("refused", "not_permitted")
        assert (await b.place())["status"] == "accepted"
