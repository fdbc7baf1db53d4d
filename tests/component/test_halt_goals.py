"""A halt that cancels ends when the exchange's own list has nothing open, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import JournalError
from bridge.kis.replies import KisUnknownError, Reply
from bridge.orders.gateway import Rules
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest, Ticket
from tests.component.gateway_fixture import PLACE, Bench, Kis, ack_topic, bench, row
from tests.component.markets import EXPIRES, Market, in_virtual_time, market
from tests.component.virtual_exchange import ACCOUNT, VirtualExchange

HALTED, DONE = "kis/bridge/event/halted", "kis/bridge/event/halt_done"
LOW = 250_000
RULES: dict[str, Any] = {
    "paper": False,
    "pause_s": 0.001,
    "grace_s": 0.05,
    "unknown_s": 0.005,
    "proof_s": 0.02,
    "settle_s": 0.001,
}
REFUSED = Reply("7", "APBK0955", "장종료", {"rt_cd": "7"})


async def place(m: Market, *names: str, **fields: object) -> None:
    for name in names:
        order: Any = {**PLACE, "price": LOW, "expires_at": EXPIRES, **fields}
        assert (await m.order("place", name, **order | {"client_order_id": name}))[
            "status"
        ] == "accepted"
    hear(m)


def hear(m: Market) -> None:
    """Bring the notices that are on their way."""
    while m.virtual.notices:
        m.gateway.notice(m.virtual.notices.popleft(), m.clock())


def by_hand(m: Market, price: int = LOW) -> Ticket:
    request = OrderRequest(ACCOUNT, "005930", Side.BUY, 3, price, channel="Nsmart")
    ticket = m.virtual.exchange.place(request, m.virtual.loop.now())
    m.virtual.collect()
    return ticket


def open_at_exchange(m: Market) -> list[str]:
    tickets = m.virtual.exchange.tickets.values()
    return [ticket.number for ticket in tickets if ticket.action != "cancel" and ticket.remaining]


async def done(b: Bench, count: int = 1) -> Any:
    return (await b.broker.wait(DONE, count, deadline_s=300))[-1]


@in_virtual_time
async def test_what_a_lost_cancellation_leaves_open_is_cancelled_again(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        await place(m, "a", "b", "c")
        virtual.faults += ["never"]  # one of the three
        assert (await m.gateway.halt("halted", cancel_all=True)).cancelling == 3
        said = await done(m)
        assert open_at_exchange(m) == []
        assert (said["complete"], said["left"], said["filled"]) == (True, [], [])
        assert sorted(one["client_order_id"] for one in said["cancelled"]) == ["a", "b", "c"]
        assert {one["quantity"] for one in said["cancelled"]} == {10}
        assert said["attempts"] == 2
        # On the way it was told what was left.
        [left] = [told for told in m.broker.on(HALTED) if told.get("not_cancelled")][-1:]
        assert (left["cancelled"], left["not_cancelled"]) == (2, 1)


@in_virtual_time
async def test_a_cancel_all_cancels_again_what_it_left_open(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        await place(m, "a", "b", "c")
        virtual.faults += ["never"]
        ack = await m.order("cancel_all", "all")
        assert ack["status"] == "accepted", ack
        assert open_at_exchange(m) == []


@in_virtual_time
async def test_a_cancel_all_says_what_kis_does_not_cancel(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        await place(m, "a", "b")
        virtual.faults += ["never"] * 20
        ack = await m.order("cancel_all", "all")
        assert (ack["status"], len(open_at_exchange(m))) == ("rejected", 2)
        assert ack["message"].startswith("0 of 2 orders; not cancelled: a ")


@pytest.mark.parametrize("scope", ["ours", "account"])
def test_orders_placed_by_hand_are_cancelled_only_when_asked(tmp_path: Path, scope: Any) -> None:
    @in_virtual_time
    async def run(tmp_path: Path, virtual: VirtualExchange) -> None:
        async with market(tmp_path, virtual) as m:
            await place(m, "a")
            hand = by_hand(m)
            await m.gateway.halt("halted", account="main", cancel_all=True, scope=scope)
            said = await done(m)
            assert said["complete"]
            names = {one["client_order_id"] for one in said["cancelled"]}
            if scope == "ours":
                assert (open_at_exchange(m), names) == ([hand.number], {"a"})
            else:
                assert (open_at_exchange(m), names) == ([], {"a", None})
                [other] = [one for one in said["cancelled"] if one["client"] is None]
                assert (other["order_no"], other["quantity"]) == (hand.number, 3)

    run(tmp_path)


@pytest.mark.parametrize("how", ["halt", "cancel_all"])
def test_an_order_that_the_journal_believes_over_is_cancelled(tmp_path: Path, how: str) -> None:
    @in_virtual_time
    async def run(tmp_path: Path, virtual: VirtualExchange) -> None:
        async with market(tmp_path, virtual, reconcile_s=3600) as m:
            await place(m, "a")
            hand = by_hand(m)
            number, _ = open_at_exchange(m)
            m.notice(
                "0000009999",
                account=ACCOUNT.replace("-", ""),
                original_order_no=number,
                modify_cancel="2",
                acceptance="2",
                quantity="0000000010",
            )
            assert (await m.event("a", 1))["state"] == "cancelled"
            await asyncio.sleep(5)  # in virtual time: the list is not late any more
            if how == "halt":
                assert (await m.gateway.halt("halted", cancel_all=True)).cancelling == 0
                said = await done(m)
                assert [one["client_order_id"] for one in said["cancelled"]] == ["a"]
            else:
                assert (await m.order("cancel_all", "all"))["status"] == "accepted"
            assert open_at_exchange(m) == [hand.number]

    run(tmp_path)


@in_virtual_time
async def test_what_is_filled_meanwhile_is_told(tmp_path: Path, virtual: VirtualExchange) -> None:
    async with market(tmp_path, virtual) as m:
        await place(m, "a")
        virtual.faults += ["never"]
        await m.gateway.halt("halted", cancel_all=True)
        [number] = open_at_exchange(m)
        m.fill(number, 4, LOW, account=ACCOUNT.replace("-", ""))
        said = await done(m)
        assert [(one["client_order_id"], one["quantity"]) for one in said["filled"]] == [("a", 4)]


@in_virtual_time
async def test_an_order_of_unknown_outcome_is_cancelled_when_it_is_found(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with market(tmp_path, virtual) as m:
        virtual.faults += ["lost"]
        virtual.lag_s = 2.0
        order: Any = {**PLACE, "price": LOW, "expires_at": EXPIRES}
        assert (await m.order("place", "a-1", **order))["status"] == "unknown"
        await m.gateway.halt("halted", cancel_all=True)
        said = await done(m)
        assert open_at_exchange(m) == []
        assert said["complete"]


def test_everything_is_cancelled_while_the_journal_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_virtual_time
    async def run(tmp_path: Path, virtual: VirtualExchange) -> None:
        async with market(tmp_path, virtual) as m:
            await place(m, "a", "b")

            async def broken(*args: Any) -> Any:
                raise JournalError("disk full")

            monkeypatch.setattr(m.journal, "expand", broken)
            monkeypatch.setattr(m.journal, "append", broken)
            outcome = await m.gateway.halt("halted", cancel_all=True)
            assert outcome == (2, False)
            async with asyncio.timeout(60):
                while open_at_exchange(m):  # noqa: ASYNC110 - in virtual time
                    await asyncio.sleep(0.5)
            monkeypatch.undo()

    run(tmp_path)


async def test_what_kis_refuses_to_cancel_is_told_until_the_halt_is_taken_back(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.listed = [row("1")]
        b.kis.script += [REFUSED] * 1_000
        await b.gateway.halt("halted", cancel_all=True)
        await b.kis.until(lambda kis: len(kis.calls) >= 4)
        told = (await b.broker.wait(HALTED, 3))[-1]
        assert (told["not_cancelled"], told["orders"]) == (1, ["alice/a-1"])
        assert b.broker.on(DONE) == []
        await b.gateway.halt("")
        said = await done(b)
        assert (said["complete"], said["cancelled"]) == (False, [])
        [left] = said["left"]
        assert (left["client_order_id"], left["why"]) == ("a-1", "the halt was taken back")


async def test_a_restart_takes_an_unfinished_goal_up(tmp_path: Path) -> None:
    kis = Kis()
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:
        await b.place()
        kis.listed = [row("1")]
        kis.script.append(KisUnknownError("cut"))
        await b.gateway.halt("halted", cancel_all=True)
        await b.broker.wait(ack_topic(), 2)
        kis.script += [KisUnknownError("cut")] * 1_000
        await kis.until(lambda kis: len(kis.calls) >= 3)
        assert b.broker.on(DONE) == []
    kis.script.clear()
    kis.calls.clear()
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:
        await kis.until(lambda kis: bool(kis.calls))
        assert kis.calls[0][2]["ORGN_ODNO"] == "0000000001"
        kis.listed = [row("1", rmn_qty="0", cnc_cfrm_qty="10", cncl_yn="Y")]
        assert (await done(b))["complete"]
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:  # and once only
        assert b.gateway.halted
        assert all(not one.scope for one in await b.journal.controls())
        assert b.broker.on(DONE) == []


async def test_a_halt_of_a_client_leaves_the_orders_of_others(tmp_path: Path) -> None:
    kis = Kis()
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:
        await b.place()
        await b.send("place", PLACE | {"client_order_id": "b"}, client="bob")
        await b.broker.wait(ack_topic("b", "bob"))
        kis.listed = [row("1"), row("2")]
        kis.script.append(KisUnknownError("cut"))
        await b.gateway.halt("halted", client="alice", cancel_all=True)
        await kis.until(lambda kis: len(kis.calls) >= 4)
        assert {call[2]["ORGN_ODNO"] for call in kis.calls[2:]} == {"0000000001"}
        kis.listed = [row("1", rmn_qty="0", cnc_cfrm_qty="10"), row("2")]
        said = await done(b)
        assert (said["client"], said["complete"]) == ("alice", True)
