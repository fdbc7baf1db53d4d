"""What is not sent yet is not sent after a halt or a ``cancel_all``, and lists that mislead."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.errors import JournalError
from bridge.kis.replies import KisUnknownError, Reply
from bridge.orders.gateway import Rules
from bridge.orders.journal.journal import Journal
from bridge.orders.model.command import CancelAll, Place
from bridge.orders.model.command_parser import parse
from bridge.orders.model.records import Identity, NewRecord
from bridge.orders.risk.limits import Limits
from tests.component.gateway_fixture import (
    PLACE,
    Bench,
    Kis,
    Queued,
    ack_topic,
    bench,
    event_topic,
    row,
)
from tests.component.markets import in_virtual_time, market
from tests.component.virtual_exchange import VirtualExchange

RULES: dict[str, Any] = {
    "paper": False,
    "pause_s": 0.001,
    "grace_s": 0.05,
    "unknown_s": 0.005,
    "proof_s": 0.3,
    "settle_s": 0.001,
}
ALL = {"client_order_id": "all", "expires_at": PLACE["expires_at"]}
LOST = KisUnknownError("timed out")
UNKNOWN = "kis/bridge/event/order_unknown"
HALTED = "kis/bridge/event/halted"


def in_a_moment() -> str:
    return (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()


async def queue(b: Bench) -> Queued:
    """Have an order wait for its turn at KIS."""
    queued = Queued()
    b.kis.script.append(queued)
    b.kis.called.clear()
    await b.send("place", PLACE)
    async with asyncio.timeout(5):
        await b.kis.called.wait()
    return queued


async def test_a_halt_stops_what_waits_to_be_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        queued = await queue(b)
        await b.gateway.halt("halted", client="alice")
        queued.set()
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["reason"], b.kis.number) == ("refused", "halted", 0)


async def test_a_cancel_all_stops_what_waits_to_be_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        queued = await queue(b)
        await b.send("cancel_all", ALL)
        while not any(one.overtaken for one in b.gateway._parts.blotter):  # noqa: ASYNC110
            await asyncio.sleep(0)
        queued.set()
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["reason"], b.kis.number) == ("refused", "cancelled", 0)
        assert (await b.broker.wait(ack_topic("all")))[0]["status"] == "accepted"


async def test_after_a_restart_what_came_before_a_cancel_all_is_not_sent(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/orders.db")
    await journal.open()
    for at, verb, content in ((1, "place", PLACE), (2, "cancel_all", ALL)):
        command = parse(verb, json.dumps(content).encode())
        assert isinstance(command, Place | CancelAll)
        at += b_clock()
        identity = Identity("main", "alice", command.client_order_id, command.name())
        if verb == "place":
            identity = identity._replace(command_id="")
        until = at + 3_600_000_000
        await journal.admit(
            NewRecord(identity, command.verb, command.digest(), command.canonical(), at, until)
        )
    await journal.close()
    async with bench(tmp_path) as b:
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "cancelled")
        assert (await b.broker.wait(ack_topic("all")))[0]["status"] == "accepted"
        assert not b.kis.calls


async def test_what_a_cancel_all_refused_is_not_sent_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        stuck = asyncio.Event()
        b.kis.script.append(stuck)
        await b.send("place", PLACE)
        await b.kis.until(lambda kis: bool(kis.calls))
        await b.send("place", PLACE | {"client_order_id": "b", "symbol": "000660"})
        await b.send("cancel_all", ALL | {"symbol": "000660"})
        assert (await b.broker.wait(ack_topic("all")))[0]["status"] == "accepted"
        ack = (await b.broker.wait(ack_topic("b")))[0]  # before its turn has come
        assert (ack["status"], ack["reason"]) == ("refused", "cancelled")
    async with bench(tmp_path, kis=b.kis) as b:
        ack = (await b.broker.wait(ack_topic("b")))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "cancelled")
        assert [call[2]["PDNO"] for call in b.kis.calls] == ["005930"]


async def test_a_cancel_all_waits_until_what_came_before_is_in_the_journal(
    tmp_path: Path,
) -> None:
    class Late(Journal):
        works = asyncio.Event()
        tries = asyncio.Semaphore(0)

        async def admit(self, new: NewRecord, *lines: Any) -> Any:
            if new.verb == "place" and not self.works.is_set():
                self.tries.release()
                raise JournalError("not now")
            return await super().admit(new, *lines)

    journal = Late(f"sqlite:///{tmp_path}/orders.db")
    async with bench(tmp_path, journal=journal) as b:
        await b.send("place", PLACE)
        await b.send("cancel_all", ALL)
        await b.send("place", PLACE | {"client_order_id": "after", "symbol": "000660"})
        async with asyncio.timeout(5):
            for _ in range(60):  # long enough for a cancel_all that does not wait
                await journal.tries.acquire()
        assert not b.acked
        journal.works.set()
        assert (await b.broker.wait(ack_topic()))[0]["reason"] == "cancelled"
        assert (await b.broker.wait(ack_topic("all")))[0]["status"] == "accepted"
        assert (await b.broker.wait(ack_topic("after")))[0]["status"] == "accepted"
        assert [call[2]["PDNO"] for call in b.kis.calls] == ["000660"]


@pytest.mark.parametrize("by", ["halt", "cancel_all"])
async def test_what_is_unknown_is_cancelled_when_it_is_found(tmp_path: Path, by: str) -> None:
    rules = Rules(**RULES | {"proof_s": 60})
    async with bench(tmp_path, rules=rules) as b:
        b.kis.script.append(LOST)
        assert (await b.place())["status"] == "unknown"
        if by == "halt":
            assert (await b.gateway.halt("halted", cancel_all=True)).cancelling == 1
            told = (await b.broker.wait(HALTED, 2))[-1]
            left = ("cancelled", "not_cancelled", "orders")
            assert [told[name] for name in left] == [0, 1, ["alice/a-1"]]
        else:
            await b.send("cancel_all", ALL)
            ack = (await b.broker.wait(ack_topic("all")))[0]
            assert (ack["status"], "a-1 unknown" in ack["message"]) == ("rejected", True)
        assert len(b.kis.calls) == 1
        b.kis.listed = [row("77")]
        ack = (await b.broker.wait(ack_topic(), 2))[-1]
        assert (ack["verb"], ack["status"]) == ("cancel", "accepted")
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000077"


async def test_what_is_unknown_holds_up_no_other_command(tmp_path: Path) -> None:
    rules = Rules(**RULES | {"proof_s": 60})
    async with bench(tmp_path, rules=rules) as b:
        b.kis.script.append(LOST)
        await b.place()
        await b.gateway.halt("halted", client="alice", cancel_all=True)
        ack = await b.ask("cancel", expires_at=in_a_moment())
        assert (ack["status"], ack["reason"]) == ("refused", "expired")


async def test_a_crash_does_not_forget_what_a_halt_cancels(tmp_path: Path) -> None:
    class Dies(Journal):
        written = asyncio.Event()

        async def expand(self, cause: Any, new: Any) -> Any:
            await super().expand(cause, new)
            self.written.set()
            await asyncio.Event().wait()

    journal = Dies(f"sqlite:///{tmp_path}/orders.db")
    async with bench(tmp_path, journal=journal) as b:
        await b.place()
        halt = asyncio.create_task(b.gateway.halt("halted", cancel_all=True))
        async with asyncio.timeout(5):
            await journal.written.wait()
        assert len(b.kis.calls) == 1
    halt.cancel()
    b.kis.listed = [row("1")]
    async with bench(tmp_path, kis=b.kis) as b:
        assert (await b.broker.wait(ack_topic(), 2))[-1]["status"] == "accepted"
        assert b.gateway.halted
        told = (await b.broker.wait(HALTED))[-1]
        assert (told["cancelled"], told["not_cancelled"]) == (1, 0)


@in_virtual_time
async def test_a_halt_cancels_however_many_are_open(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual, per_second=1) as m:
        for number in range(90):
            name = f"a-{number}"
            await m.send("place", PLACE | {"client_order_id": name, "price": 250000})
            await m.broker.wait(ack_topic(name))
        asked_at = virtual.loop.time()
        assert (await m.gateway.halt("halted", cancel_all=True)).cancelling == 90
        for number in range(90):
            acks = await m.broker.wait(ack_topic(f"a-{number}"), 2, deadline_s=1_000)
            assert acks[-1]["status"] == "accepted"
        assert virtual.loop.time() - asked_at > 90
        told = (await m.broker.wait(HALTED, 2))[-1]
        assert (told["cancelled"], told["not_cancelled"]) == (90, 0)
        assert not sum(ticket.remaining for ticket in virtual.exchange.tickets.values())


async def test_the_cancellations_of_a_cancel_all_leave_room_for_others(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(paper=False, pause_s=0.001, waiting=3)) as b:
        for number in range(12):
            assert (await b.place(f"a-{number}"))["status"] == "accepted"
        stuck = asyncio.Event()
        b.kis.script += [stuck] * 12
        await b.send("cancel_all", ALL)
        await b.kis.until(lambda kis: len(kis.calls) == 24)
        waits = {"client_order_id": "a-0", "expires_at": PLACE["expires_at"]}
        await b.send("cancel", waits)
        assert (await b.place("more", symbol="000660"))["status"] == "accepted"
        stuck.set()
        acks = await b.broker.wait(ack_topic("a-0"), 3)
        assert [ack["status"] for ack in acks] == ["accepted"] * 3


def b_clock() -> int:
    return int(datetime.now().astimezone().timestamp() * 1_000_000)


@pytest.mark.parametrize("seconds", [-60, -5, 60])
async def test_clocks_that_differ_prove_nothing(tmp_path: Path, seconds: int) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        b.kis.script.append(LOST)
        await b.place()
        at = datetime.now(ZoneInfo("Asia/Seoul")) + timedelta(seconds=seconds)
        b.kis.listed = [row("77", ord_dt=f"{at:%Y%m%d}", ord_tmd=f"{at:%H%M%S}")]
        told = (await b.broker.wait("kis/bridge/event/order_ambiguous"))[-1]
        assert [one["order_no"] for one in told["candidates"]] == ["0000000077"]
        assert not b.broker.on(event_topic())
        await b.gateway.resolve(
            Identity("main", "alice", "a-1", ""), order_no="0000000077", by="test"
        )
        assert (await b.broker.wait(event_topic()))[-1]["state"] == "accepted"


@pytest.mark.parametrize(
    "body", [{}, {"output1": [{"odno": "", "ord_qty": "10", "pdno": "005930"}]}]
)
async def test_a_list_without_its_orders_proves_nothing(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    class Broken(Kis):
        async def pages(self, api: str, *args: Any, **more: Any) -> Any:
            self.asked.append(api)
            self.moved.set()
            yield Reply("0", "", "", {"rt_cd": "0", **(body if broken else {"output1": []})}, "D")

    broken, kis = False, Broken()
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:
        kis.script.append(LOST)
        assert (await b.place())["status"] == "unknown"
        broken = True
        await kis.until(lambda kis: len(kis.asked) >= 10)
        assert not b.broker.on(event_topic())


async def test_numbers_of_yesterday_are_other_numbers(tmp_path: Path) -> None:
    day = 24 * 3_600_000_000
    now = 1_800_000_000_000_000 // day * day  # 09:00 in Seoul, 2027-01-15
    async with bench(tmp_path, rules=Rules(**RULES), clock=lambda: now) as b:
        b.kis.script.append(LOST)
        await b.place()
        old = row("77", ord_dt="20270115", ord_tmd="090000", tot_ccld_qty="10", rmn_qty="0")
        b.kis.listed = [
            old | {"tot_ccld_amt": "719000"},
            row("77", ord_dt="20270116", ord_tmd="090000", pdno="000660", ord_qty="1"),
        ]
        assert (await b.broker.wait(event_topic(), 2))[-1]["state"] == "filled"


async def test_cancels_are_taken_long_after_orders_are_too_many(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(paper=False, pause_s=0.001, waiting=2)) as b:
        assert (await b.place("open"))["status"] == "accepted"
        queued = await queue(b)
        await b.send("place", PLACE | {"client_order_id": "b"})
        assert (await b.place("c"))["reason"] == "overloaded"
        assert (await b.ask("cancel", "open"))["status"] == "accepted"
        queued.set()


async def test_a_halt_cancels_whatever_its_client_may(tmp_path: Path) -> None:
    allowed = True
    rules = Rules(paper=False, pause_s=0.001, permits=lambda client, account: allowed)
    async with bench(tmp_path, rules=rules) as b:
        await b.place()
        allowed = False
        assert (await b.gateway.halt("halted", cancel_all=True)).cancelling == 1
        assert (await b.broker.wait(ack_topic(), 2))[-1]["status"] == "accepted"


async def test_what_was_sent_after_midnight_counts_after_a_restart(tmp_path: Path) -> None:
    midnight = 1_799_938_800_000_000  # 2027-01-15 in Seoul
    now = midnight - 60_000_000
    limits = Limits(daily_notional=1_000_000)  # type: ignore[arg-type]
    rules = Rules(paper=False, pause_s=0.001, limits=limits)
    kis = Kis(listed=KisUnknownError("closed"))
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        await b.send("place", PLACE)  # waits for the list
        now = midnight + 1_000_000
        kis.listed = []
        b.gateway.gap("main")
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"
        b.fill("0000000001", 10, 71900)
        await b.broker.wait(event_topic())
        assert (await b.place("a-2"))["reason"] == "risk_daily"
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        assert (await b.place("a-3"))["reason"] == "risk_daily"
