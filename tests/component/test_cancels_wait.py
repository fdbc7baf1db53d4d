"""A cancellation waits for the outcome of its order, and there is always room for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.kis.replies import KisUnknownError
from bridge.orders.gateway import Rules
from tests.component.gateway_fixture import PLACE, Bench, Kis, ack_topic, bench, event_topic, row

RULES: dict[str, Any] = {
    "paper": False,
    "pause_s": 0.001,
    "grace_s": 0.05,
    "unknown_s": 0.005,
    "proof_s": 60,
    "settle_s": 0.001,
}
LOST = KisUnknownError("timed out")
CANCEL = {"client_order_id": "a-1", "expires_at": PLACE["expires_at"]}
LIST = "domestic_stock/inquire_daily_ccld"


def soon(seconds: float = 0.3) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def lose(b: Bench) -> None:
    b.kis.script.append(LOST)
    assert (await b.place())["status"] == "unknown"


async def read_again(b: Bench) -> None:
    """Return when KIS's list was read once more: the second question comes after the first."""
    for _ in range(2):
        asked = len(b.kis.asked)
        b.gateway.gap("main")
        await b.kis.until(lambda kis, asked=asked: LIST in kis.asked[asked:])  # type: ignore[misc]


@pytest.mark.parametrize("quantity", [None, 4])
async def test_a_cancel_goes_out_when_its_lost_order_is_found(
    tmp_path: Path, quantity: int | None
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await lose(b)
        await b.send("cancel", CANCEL | ({"quantity": quantity} if quantity else {}))
        await read_again(b)
        assert len(b.broker.on(ack_topic())) == 1
        b.kis.listed = [row("77")]
        ack = (await b.broker.wait(ack_topic(), 2))[-1]
        assert (ack["verb"], ack["status"]) == ("cancel", "accepted")
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000077"
        assert b.kis.calls[-1][2]["ORD_QTY"] == str(quantity or 0)


async def test_a_cancel_that_waited_says_when_nothing_was_placed(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES | {"proof_s": 0.1})) as b:
        await lose(b)
        ack = await b.ask("cancel")
        assert (ack["status"], ack["reason"]) == ("refused", "not_cancellable")
        assert "not_placed" in ack["message"]
        assert len(b.kis.calls) == 1


async def test_a_cancel_waits_no_longer_than_its_deadline(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await lose(b)
        ack = await b.ask("cancel", expires_at=soon())
        assert (ack["status"], ack["reason"]) == ("refused", "expired")
        assert "outcome" in ack["message"]
        b.kis.listed = [row("77")]
        await b.broker.wait(event_topic())
        await read_again(b)
        assert len(b.kis.calls) == 1


async def test_a_cancel_that_waits_holds_up_no_other_cancel(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place("b", symbol="000660")
        await lose(b)
        await b.send("cancel", CANCEL)
        assert (await b.ask("cancel", "b"))["status"] == "accepted"
        ack = await b.ask("cancel", command_id="c-2", expires_at=soon())
        assert (ack["command_id"], ack["reason"]) == ("c-2", "expired")


async def test_a_restart_takes_up_a_cancel_that_waits(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await lose(b)
        await b.send("cancel", CANCEL)
        async with asyncio.timeout(5):
            while len(b.acked) < 2:  # noqa: ASYNC110 - it is being written down
                await asyncio.sleep(0.001)
    async with bench(tmp_path, kis=Kis(number=80, listed=[row("77")]), rules=Rules(**RULES)) as b:
        acks = await b.broker.wait(ack_topic(), 2)
        assert {ack.get("verb", "place"): ack["status"] for ack in acks} == {
            "place": "unknown",
            "cancel": "accepted",
        }
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000077"


async def test_a_large_cancel_all_leaves_room_for_the_clients_own_cancels(tmp_path: Path) -> None:
    names = [f"o-{number}" for number in range(9)]  # 4 x 2 would be too many at once
    async with bench(tmp_path, rules=Rules(**RULES | {"waiting": 2})) as b:
        for name in names:
            assert (await b.place(name))["status"] == "accepted"
        answer = asyncio.Event()
        b.kis.script += [answer] * len(names)
        await b.send("cancel_all", CANCEL | {"client_order_id": "all"})
        await b.kis.until(lambda kis: len(kis.calls) == 2 * len(names))
        for name in names:
            await b.send("cancel", CANCEL | {"client_order_id": name})
        # One more waits for nobody: it is told at once, and after whatever was too much.
        assert (await b.ask("cancel", "nobody"))["reason"] == "unknown_order"
        answer.set()
        for name in names:
            acks = await b.broker.wait(ack_topic(name), 3)
            assert "overloaded" not in {ack["reason"] for ack in acks}
        assert (await b.broker.wait(ack_topic("all")))[0]["status"] == "accepted"


async def test_the_fill_after_two_equal_ones_is_told_whole_at_once(tmp_path: Path) -> None:
    rules = Rules(**RULES | {"reconcile_s": 60, "settle_s": 60})
    async with bench(tmp_path, rules=rules) as b:
        await b.place()
        await read_again(b)
        b.fill("1", 3, 71900, time="090001")
        await b.broker.wait(event_topic())
        b.kis.listed = [row("1", tot_ccld_qty="6", tot_ccld_amt="431400", rmn_qty="4")]
        b.fill("1", 3, 71900, time="090001")  # the same again, or another: the list says another
        assert (await b.broker.wait(event_topic(), 2))[-1]["filled_quantity"] == 6
        await read_again(b)
        b.kis.listed = [row("1", tot_ccld_qty="10", tot_ccld_amt="719000", rmn_qty="0")]
        b.fill("1", 4, 71900, time="090002")
        last = (await b.broker.wait(event_topic(), 4))[-1]
        assert (last["state"], last["filled_quantity"]) == ("filled", 10)
