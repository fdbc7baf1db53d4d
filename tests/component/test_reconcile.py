"""What the exchange's own list settles, on a real journal file, against a KIS played here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.errors import RequestError
from bridge.kis.replies import KisNotSentError, KisUnknownError, Reply
from bridge.orders.gateway import Rules, TradingAccount
from bridge.orders.model.records import Identity
from bridge.orders.risk.limits import Limits
from bridge.runtime.clock import SEOUL
from tests.component.gateway_fixture import (
    NUMBER,
    PLACE,
    Bench,
    Kis,
    ack_topic,
    bench,
    event_topic,
    row,
    taken,
)

LOST = KisUnknownError("timed out")
UNKNOWN = "kis/bridge/event/order_unknown"
AMBIGUOUS = "kis/bridge/event/order_ambiguous"
EXTERNAL = "kis/accounts/main/event/external"


def rules(**fields: Any) -> Rules:
    return Rules(
        **{
            "paper": False,
            "pause_s": 0.001,
            "grace_s": 0.05,
            "unknown_s": 0.005,
            "proof_s": 0.3,
            "settle_s": 0.001,
        }
        | fields
    )


class Paged(Kis):
    """Ends its first page with a key and no word in the header; ``last``: the next, None: none."""

    def __init__(self, last: list[dict[str, str]] | None) -> None:
        super().__init__()
        self.last = last

    async def pages(
        self, api: str, params: Any, *, by_key: bool = False, **more: Any
    ) -> AsyncIterator[Reply]:
        if not api.endswith("inquire_daily_ccld"):
            async for reply in super().pages(api, params, **more):
                yield reply
            return
        self.asked.append(api)
        self.moved.set()
        assert by_key
        page = {"rt_cd": "0", "output1": [row("5", ord_tmd="000001", pdno="000660")]}
        yield Reply("0", "", "", page, "", following=True)
        if self.last is None:
            yield Reply("7", "KIER2620", "", {"rt_cd": "7"}, "", following=False)
        else:
            yield Reply("0", "", "", {"rt_cd": "0", "output1": self.last}, "", following=False)


async def lose(b: Bench, name: str = "a-1", **fields: object) -> None:
    b.kis.script.append(LOST)
    assert (await b.place(name, **fields))["status"] == "unknown"


async def test_a_lost_answer_is_found_in_the_list(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await lose(b)
        b.kis.listed = [row("77", tot_ccld_qty="4", tot_ccld_amt="287200", rmn_qty="6")]
        accepted, filled = await b.broker.wait(event_topic(), 2)
        assert (accepted["state"], accepted["order_no"]) == ("accepted", "0000000077")
        assert (filled["state"], filled["average_price"]) == ("partially_filled", 71800)
        assert (await b.place())["status"] == "unknown"  # the first answer stays the answer
        assert (await b.ask("cancel"))["status"] == "accepted"
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000077"
    async with bench(tmp_path, kis=b.kis, rules=rules()) as b:
        assert b.gateway.states() == {"partially_filled": 1}
    assert [call[0] for call in b.kis.calls].count("domestic_stock/order_cash") == 1


async def test_a_complete_list_without_it_proves_that_it_was_not_placed(tmp_path: Path) -> None:
    limits = Limits(daily_notional=1_000_000)  # type: ignore[arg-type]
    async with bench(tmp_path, rules=rules(limits=limits)) as b:
        await lose(b)
        event = (await b.broker.wait(event_topic()))[0]
        assert event["state"] == "not_placed"
        # What it took of the limits is free again, and so is the symbol.
        assert (await b.place("a-2"))["status"] == "accepted"


async def test_what_a_person_placed_by_hand_is_not_taken_for_the_lost_order(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await lose(b)
        b.kis.listed = [row("77", ordr_empno="Nsmart")]
        told = (await b.broker.wait(AMBIGUOUS))[0]
        assert (told["client"], told["client_order_id"], told["symbol"]) == (
            *("alice", "a-1"),
            "005930",
        )
        [candidate] = told["candidates"]
        assert (candidate["order_no"], candidate["channel"]) == ("0000000077", "elsewhere")
        assert not b.broker.on(event_topic())
        # The lost one turns up after all, and is told from it.
        b.kis.listed = [row("77", ordr_empno="Nsmart"), row("78")]
        b.gateway.gap("main")
        assert (await b.broker.wait(event_topic()))[0]["order_no"] == "0000000078"


async def test_what_was_in_the_list_before_is_not_taken_for_the_lost_order(tmp_path: Path) -> None:
    async with bench(tmp_path, kis=Kis(listed=[row("77")]), rules=rules()) as b:
        await b.broker.wait(EXTERNAL)
        await lose(b)
        assert (await b.broker.wait(event_topic()))[0]["state"] == "not_placed"


async def test_what_a_notice_told_before_is_not_taken_for_the_lost_order(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        b.notice("0000000077", quantity="0000000010")
        await b.broker.wait(EXTERNAL)
        b.kis.listed = [row("77")]
        await lose(b)
        assert (await b.broker.wait(event_topic()))[0]["state"] == "not_placed"


async def test_without_notices_a_late_list_proves_nothing(tmp_path: Path) -> None:
    kis = Kis()
    deaf = {"main": TradingAccount(SecretStr(NUMBER), kis)}
    async with bench(tmp_path, kis=kis, accounts=deaf, rules=rules()) as b:
        await lose(b)
        told = (await b.broker.wait(UNKNOWN, 2))[-1]
        assert "proves nothing" in told["message"]
        assert (await b.place("a-2"))["reason"] == "symbol_fenced"
        b.kis.listed = [row("77")]  # late
        b.gateway.gap("main")
        assert (await b.broker.wait(event_topic()))[0]["order_no"] == "0000000077"


async def test_a_later_order_in_the_list_proves_that_the_list_is_not_late(tmp_path: Path) -> None:
    kis = Kis()
    deaf = {"main": TradingAccount(SecretStr(NUMBER), kis)}
    async with bench(tmp_path, kis=kis, accounts=deaf, rules=rules()) as b:
        await lose(b)
        await b.broker.wait(UNKNOWN, 2)
        later = datetime.now(SEOUL) + timedelta(seconds=5)
        b.kis.listed = [row("99", pdno="000660", ord_tmd=f"{later:%H%M%S}")]
        b.gateway.gap("main")
        assert (await b.broker.wait(event_topic()))[0]["state"] == "not_placed"


async def test_a_page_that_only_its_key_announces_belongs_to_the_list(tmp_path: Path) -> None:
    """KIS's own header says nothing, and the lost order is in the rest."""
    kis = Paged(last=[])
    async with bench(tmp_path, kis=kis, rules=rules()) as b:
        await lose(b)
        kis.last = [row("77")]
        assert (await b.broker.wait(event_topic()))[0]["order_no"] == "0000000077"


async def test_a_list_with_a_page_that_kis_does_not_give_proves_no_absence(tmp_path: Path) -> None:
    async with bench(tmp_path, kis=Paged(last=None), rules=rules()) as b:
        await lose(b)
        told = (await b.broker.wait(UNKNOWN, 2))[-1]
        assert "proves nothing" in told["message"]
        assert not b.broker.on(event_topic())


@pytest.mark.parametrize("how", ["ours", "listed", "notice"])
async def test_a_number_that_was_another_orders_is_not_believed(tmp_path: Path, how: str) -> None:
    async with bench(tmp_path, rules=rules(proof_s=60)) as b:
        if how == "ours":
            await b.place("first", symbol="000660")
        elif how == "listed":
            b.kis.listed = [row("1", pdno="000660")]
            b.gateway.gap("main")
            await b.broker.wait(EXTERNAL)
        else:
            b.notice("0000000001", symbol="000660")
            await b.broker.wait(EXTERNAL)
        b.kis.number = 0
        ack = await b.place()
        assert (ack["status"], ack["order_no"]) == ("unknown", None)
        assert "0000000001" in ack["message"]
        now = datetime.now(UTC).isoformat()
        assert (await b.ask("cancel", expires_at=now))["status"] != "accepted"


async def test_a_modification_that_a_notice_tells_before_its_answer_is_accepted(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await b.place()
        answer = asyncio.Event()
        b.kis.script.append(answer)
        modify = {"client_order_id": "a-1", "price": 72000, "expires_at": PLACE["expires_at"]}
        await b.send("modify", modify)
        await b.kis.until(lambda kis: len(kis.calls) == 2)
        told = {"modify_cancel": "1", "acceptance": "2", "original_order_no": "0000000001"}
        b.notice("0000000002", price="000072000", quantity="0000000010", **told)
        await b.broker.wait(event_topic())
        answer.set()
        ack = (await b.broker.wait(ack_topic(), 2))[-1]
        assert (ack["verb"], ack["status"], ack["order_no"]) == ("modify", "accepted", "0000000002")


async def test_an_order_with_the_number_of_a_lost_one_does_not_get_its_row(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules(reconcile_s=0.05)) as b:
        await lose(b)  # KIS has it, as 0000000001
        assert (await b.place("b-1", symbol="000660"))["order_no"] == "0000000001"
        b.kis.listed = [row("1", tot_ccld_qty="4", tot_ccld_amt="287200", rmn_qty="6"), row("2")]
        b.kis.listed[1] |= {"pdno": "000660"}
        accepted, filled = await b.broker.wait(event_topic(), 2)
        assert (accepted["order_no"], filled["filled_quantity"]) == ("0000000001", 4)
        told = (await b.broker.wait("kis/bridge/event/order_difference"))[0]
        assert told["client_order_id"] == "b-1"
        assert not b.broker.on(event_topic("b-1"))


async def test_while_it_is_not_proved_the_symbol_is_fenced(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules(proof_s=60)) as b:
        await b.place("before")
        await lose(b)
        fenced = await b.place("a-2")
        assert (fenced["status"], fenced["reason"]) == ("refused", "symbol_fenced")
        assert "a-1" in fenced["message"]
        assert (await b.ask("modify", "before", price=72000))["reason"] == "symbol_fenced"
        assert (await b.ask("cancel", "before"))["status"] == "accepted"
        assert (await b.place("a-3", symbol="000660"))["status"] == "accepted"


@pytest.mark.parametrize(
    "rows",
    [
        [{}, {}],
        [{"ord_unpr": "71800"}],
        [{"ord_qty": "9"}],
        [{"ord_tmd": ""}],
        [{"ord_dvsn_cd": "01"}],
    ],
)
async def test_what_is_not_certain_waits_for_a_person(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    identity = Identity("main", "alice", "a-1", "")
    async with bench(tmp_path, rules=rules()) as b:
        await lose(b)
        b.kis.listed = [row(f"7{number}", **fields) for number, fields in enumerate(rows, 7)]
        told = (await b.broker.wait(AMBIGUOUS))[-1]
        assert [one["order_no"][-1] for one in told["candidates"]] == list("78"[: len(rows)])
        assert (await b.place("a-2"))["reason"] == "symbol_fenced"
        assert not b.broker.on(EXTERNAL)
        await b.gateway.resolve(identity, order_no="0000000077", by="test")
        event = (await b.broker.wait(event_topic()))[0]
        assert (event["state"], event["order_no"]) == ("accepted", "0000000077")
        with pytest.raises(RequestError, match="accepted, not unknown"):
            await b.gateway.resolve(identity, order_no="", by="test")
        assert (await b.place("a-3", quantity=1))["status"] == "accepted"


async def test_a_person_may_say_that_it_was_not_placed(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules(proof_s=60)) as b:
        await b.place("other", symbol="000660")
        await lose(b)
        identity = Identity("main", "alice", "a-1", "")
        with pytest.raises(RequestError, match="another command"):
            await b.gateway.resolve(identity, order_no="1", by="test")
        with pytest.raises(RequestError, match="no such command"):
            await b.gateway.resolve(identity._replace(client_order_id="x"), order_no="", by="test")
        await b.gateway.resolve(identity, order_no="", by="test")
        assert (await b.broker.wait(event_topic()))[0]["state"] == "not_placed"


async def test_an_order_of_somebody_else_is_not_taken_for_ours(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await b.place("mine")  # 0000000001, with the same content
        b.kis.listed = [row("1"), row("5", ord_tmd="000001")]
        await lose(b)
        assert (await b.broker.wait(event_topic()))[0]["state"] == "not_placed"
        elsewhere = (await b.broker.wait(EXTERNAL))[0]
        assert (elsewhere["order_no"], elsewhere["kind"]) == ("0000000005", "listed")


async def test_a_notice_makes_the_list_be_asked_and_counts_against_absence(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules(proof_s=0.3)) as b:
        await lose(b)
        await b.place("other", symbol="000660")
        b.notice("0000000077", quantity="0000000010")
        told = (await b.broker.wait(UNKNOWN, 2))[-1]
        assert "proves nothing" in told["message"]
        b.kis.listed = [row("77")]
        b.fill("0000000077", 4, 71800)
        events = await b.broker.wait(event_topic(), 2)
        assert [e["state"] for e in events] == ["accepted", "partially_filled"]
        assert not b.broker.on(EXTERNAL)


async def test_missed_fills_and_cancellations_are_made_up_for(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        for name in ("a", "b", "c", "d"):
            await b.place(name)
        b.fill("1", 3, 71900)
        b.kis.listed = [
            row("1", tot_ccld_qty="10", tot_ccld_amt="718970", rmn_qty="0"),
            row("2", tot_ccld_qty="2", tot_ccld_amt="143800", rmn_qty="0", cnc_cfrm_qty="8"),
            row(
                *("9",),
                orgn_odno="0000000002",
                sll_buy_dvsn_cd_name="매수취소*",
                ord_qty="8",
                rmn_qty="0",
                cnc_cfrm_qty="8",
            ),
            row("3", rmn_qty="0", rjct_qty="10"),
            row("4", rmn_qty="0"),
            row("8", orgn_odno="4", sll_buy_dvsn_cd_name="매수정정*", ord_unpr="72000"),
        ]
        b.gateway.gap("main")
        assert (await b.broker.wait(event_topic("a"), 2))[-1]["average_price"] == 71897
        two = (await b.broker.wait(event_topic("b"), 2))[-1]
        assert (two["state"], two["filled_quantity"]) == ("cancelled", 2)
        assert (await b.broker.wait(event_topic("c")))[-1]["state"] == "rejected"
        four = (await b.broker.wait(event_topic("d")))[-1]
        assert (four["event"], four["order_no"]) == ("modify", "0000000008")
        # Late notices of the same change nothing.
        b.fill("1", 7, 71895)
        b.notice(
            "9", original_order_no="2", modify_cancel="2", acceptance="2", quantity="0000000008"
        )
        await b.place("e")
        assert len(b.broker.on(event_topic("a"))) == 2
        assert len(b.broker.on(event_topic("b"))) == 2


async def test_the_same_fill_twice_is_for_the_list_to_decide(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await b.place()
        asked = len(b.kis.asked)
        b.fill("1", 3, 71900, time="094746")
        b.fill("1", 3, 71900, time="094746")
        await b.broker.wait(event_topic())
        await b.kis.until(lambda kis: len(kis.asked) > asked)
        assert len(b.broker.on(event_topic())) == 1
        b.kis.listed = [row("1", tot_ccld_qty="6", tot_ccld_amt="431400", rmn_qty="4")]
        b.fill("1", 3, 71900, time="094746")
        assert (await b.broker.wait(event_topic(), 2))[-1]["filled_quantity"] == 6


async def test_after_an_interruption_orders_wait_for_the_list_and_cancels_do_not(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await b.place("a")
        b.kis.listed = KisNotSentError("no connection")
        b.gateway.gap("main")
        await b.send("place", PLACE | {"client_order_id": "b"})
        assert (await b.ask("cancel", "a"))["status"] == "accepted"
        assert not b.broker.on(ack_topic("b"))
        b.kis.listed = [row("1", tot_ccld_qty="10", tot_ccld_amt="719000", rmn_qty="0")]
        assert (await b.broker.wait(ack_topic("b")))[0]["status"] == "accepted"
        topics = [topic for topic, _, _ in b.broker.published]
        assert topics.index(event_topic("a")) < topics.index(ack_topic("b"))


async def test_without_the_list_orders_expire(tmp_path: Path) -> None:
    kis = Kis(listed=KisNotSentError("no connection"))
    async with bench(tmp_path, kis=kis, rules=rules()) as b:
        short = {k: v for k, v in PLACE.items() if k != "expires_at"}
        await b.send("place", short, expiry_s=1)
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["reason"], len(kis.calls)) == ("expired", 0)
        assert "could not be read (no connection)" in ack["message"]


async def test_lost_changes_are_found_or_proved_absent(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await b.place()
        b.kis.listed = [row("1")]
        b.kis.script.append(LOST)
        assert (await b.ask("modify", price=72000))["status"] == "unknown"
        modified = row("2", orgn_odno="1", sll_buy_dvsn_cd_name="매수정정*", ord_unpr="72000")
        b.kis.listed = [row("1", rmn_qty="0"), modified]
        b.kis.number = 2
        events = await b.broker.wait(event_topic(), 2)
        settled = next(event for event in events if event["event"] == "settle")
        assert (settled["verb"], settled["status"]) == ("modify", "accepted")
        assert (settled["state"], settled["filled_quantity"]) == ("accepted", 0)
        assert [event["seq"] for event in events] == [1, 2]
        assert b.broker.on("kis/orders/main/alice/state/a-1")[-1]["price"] == 72000
        b.kis.script.append(LOST)
        assert (await b.ask("cancel"))["status"] == "unknown"
        settled = (await b.broker.wait(event_topic(), 3))[-1]
        assert (settled["verb"], settled["status"]) == ("cancel", "not_placed")
        assert (settled["state"], settled["seq"]) == ("accepted", 3)
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000002"
        assert (await b.ask("cancel", command_id="again"))["status"] == "accepted"


async def test_what_differs_is_told_once(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules(reconcile_s=0.01, proof_s=0.01)) as b:
        await b.place("a")
        told = (await b.broker.wait("kis/bridge/event/order_difference"))[0]
        assert (told["client_order_id"], told["account"]) == ("a", "main")
        rounds = len(b.kis.asked)
        await b.kis.until(lambda kis: len(kis.asked) >= rounds + 6)
        assert len(b.broker.on("kis/bridge/event/order_difference")) == 1


async def test_an_unreadable_list_is_no_list(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await lose(b)
        b.kis.listed = [row("77", ord_qty="many")]
        await b.kis.until(lambda kis: len(kis.asked) >= 8)
        assert not b.broker.on(event_topic())
        b.kis.listed = [row("77")]
        assert (await b.broker.wait(event_topic()))[0]["state"] == "accepted"


async def test_the_day_ends(tmp_path: Path) -> None:
    day = 24 * 3_600_000_000
    now = 1_800_000_000_000_000 // day * day  # 09:00 in Seoul

    kis = Kis([taken(1), LOST])
    more: dict[str, Any] = {"rules": rules(), "clock": lambda: now}
    async with bench(tmp_path, kis=kis, **more) as b:
        await b.place("a-1")
        assert (await b.place("a-2", symbol="000660"))["status"] == "unknown"
        assert (await b.ask("cancel", "nothing"))["reason"] == "unknown_order"
        stranger = {"ord_tmd": "090100", "pdno": "000270"}
        kis.listed = [row("9", ord_dt="20270115", **stranger)]
        b.gateway.gap("main")
        await b.broker.wait(EXTERNAL)
        kis.listed = KisNotSentError("closed")
        now += day
        b.gateway.gap("main")
        kis.listed = []
        events = await b.broker.wait(event_topic("a-1"))
        assert events[-1]["state"] == "expired"
        state = await b.broker.wait("kis/orders/main/alice/state/a-1", 3)
        assert state[-1] == {}
        assert (await b.broker.wait(event_topic("a-2")))[-1]["state"] == "not_placed"
        assert (await b.place("a-1"))["duplicate"] is True
        kept = [one.identity.client_order_id for one in b.gateway._parts.blotter]
        assert "nothing" not in kept
        kis.listed = [row("9", ord_dt="20270116", **stranger)]  # its numbers start again
        b.gateway.gap("main")
        assert len(await b.broker.wait(EXTERNAL, 2)) == 2


async def test_everything_open_is_cancelled_at_once(tmp_path: Path) -> None:
    stuck = asyncio.Event()
    async with bench(tmp_path, rules=rules()) as b:
        await b.place("a-1")
        await b.place("b-1", symbol="000660")
        b.kis.script.append(stuck)
        b.kis.called.clear()
        await b.send("place", PLACE | {"client_order_id": "a-2"})
        async with asyncio.timeout(5):
            await b.kis.called.wait()
        await b.send("place", PLACE | {"client_order_id": "a-3"})
        every = {"client_order_id": "all", "expires_at": PLACE["expires_at"], "symbol": "005930"}
        await b.send("cancel_all", every)
        assert (await b.broker.wait(ack_topic("a-1"), 2))[-1]["verb"] == "cancel"
        assert not b.broker.on(ack_topic("all"))  # the one that is on its way comes first
        stuck.set()
        ack = (await b.broker.wait(ack_topic("all")))[0]
        assert (ack["status"], ack["message"]) == ("accepted", "2 of 2 orders")
        assert (await b.broker.wait(ack_topic("a-3")))[0]["reason"] == "cancelled"
        cancelled = [call for call in b.kis.calls if call[0].endswith("rvsecncl")]
        assert [c[2]["ORGN_ODNO"] for c in cancelled] == ["0000000001", "0000000004"]
        await b.send("cancel_all", every)
        assert (await b.broker.wait(ack_topic("all"), 2))[-1]["duplicate"] is True


async def test_cancel_all_tells_what_it_could_not(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules(proof_s=60)) as b:
        await b.place("a-1")
        await lose(b, "a-2", symbol="000660")
        b.kis.script.append(Reply("7", "KIER2320", "no", {"rt_cd": "7"}))
        await b.send("cancel_all", {"client_order_id": "all", "expires_at": PLACE["expires_at"]})
        ack = (await b.broker.wait(ack_topic("all")))[0]
        assert ack["status"] == "rejected"
        assert "a-1 rejected" in ack["message"]
        assert "a-2 unknown" in ack["message"]


async def test_a_restart_finishes_a_cancel_all(tmp_path: Path) -> None:
    stuck = asyncio.Event()
    async with bench(tmp_path, rules=rules()) as b:
        await b.place("a-1")
        await b.place("a-2", symbol="000660")
        b.kis.script += [stuck, stuck]
        await b.send("cancel_all", {"client_order_id": "all", "expires_at": PLACE["expires_at"]})
        await b.kis.until(lambda kis: len(kis.calls) == 4)
    b.kis.listed = [row("1"), row("2", pdno="000660")]
    async with bench(tmp_path, kis=b.kis, rules=rules()) as b:
        ack = (await b.broker.wait(ack_topic("all")))[0]
        assert ack["status"] == "rejected"
        assert "a-1 unknown" in ack["message"]
        for name in ("a-1", "a-2"):
            assert (await b.broker.wait(event_topic(name)))[-1]["status"] == "not_placed"
        # The list has both open, so that both are cancelled again.
        again = [params for _, _, params, _ in b.kis.calls[4:]]
        assert {params["ORGN_ODNO"] for params in again} == {"0000000001", "0000000002"}
        assert {params["RVSE_CNCL_DVSN_CD"] for params in again} == {"02"}


async def test_halts_last_and_can_cancel(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=rules()) as b:
        await b.place("a-1")
        await b.gateway.halt("halted", client="bob")
        assert (await b.gateway.halt("halted", account="main", cancel_all=True)).cancelling == 1
        assert (await b.broker.wait(ack_topic("a-1"), 2))[-1]["status"] == "accepted"
        assert (await b.place("a-2"))["reason"] == "halted"
        halted = (await b.broker.wait("kis/bridge/event/halted", 2))[-1]
        assert (halted["account"], halted["mode"]) == ("main", "halted")
    async with bench(tmp_path, kis=b.kis, rules=rules()) as b:
        assert b.gateway.halted
        assert len(b.gateway.halts()) == 2
        assert "account main is halted" in (await b.place("a-3"))["message"]
        await b.gateway.halt("", account="main")
        assert (await b.place("a-4"))["status"] == "accepted"
        await b.gateway.halt("", client="bob")
        assert not b.gateway.halted
