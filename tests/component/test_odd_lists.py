"""Lists and notices that say what nobody expects: declined, split, of others, out of range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.kis.replies import KisUnknownError, Reply
from bridge.orders.gateway import Rules
from tests.component.gateway_fixture import (
    PLACE,
    Kis,
    ack_topic,
    bench,
    event_topic,
    row,
    state_topic,
)

RULES: dict[str, Any] = {
    "paper": False,
    "pause_s": 0.001,
    "grace_s": 0.05,
    "unknown_s": 0.005,
    "proof_s": 0.3,
    "settle_s": 0.001,
}
LOST = KisUnknownError("lost")
ALL = {"client_order_id": "all", "expires_at": PLACE["expires_at"]}
DECLINED = {
    "orgn_odno": "0000000001",
    "ord_unpr": "71800",
    "rmn_qty": "0",
    "rjct_qty": "10",
    "sll_buy_dvsn_cd_name": "현금매수정정",
}
SPLIT = {
    "orgn_odno": "0000000001",
    "ord_qty": "5",
    "rmn_qty": "5",
    "ord_unpr": "71800",
    "sll_buy_dvsn_cd_name": "현금매수정정",
}


@pytest.mark.parametrize("lost", [True, False])
async def test_a_modification_that_the_exchange_declined_is_taken_back(
    tmp_path: Path, *, lost: bool
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        if lost:
            b.kis.script.append(LOST)
        ack = await b.ask("modify", price=71800)
        assert ack["status"] == ("unknown" if lost else "accepted")
        b.kis.listed = [row("1"), row("2", **DECLINED)]
        b.gateway.gap("main")
        events = await b.broker.wait(event_topic(), 1 if lost else 2)
        assert events[-1]["event"] == ("settle" if lost else "decline")
        assert events[-1].get("status") == ("not_placed" if lost else None)
        assert b.broker.on(state_topic())[-1]["price"] == 71900
        await b.ask("cancel")
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000001"


async def test_a_cancellation_that_the_exchange_declined_has_cancelled_nothing(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.script.append(LOST)
        assert (await b.ask("cancel"))["status"] == "unknown"
        b.kis.listed = [row("1"), row("2", **DECLINED | {"sll_buy_dvsn_cd_name": "매수취소"})]
        b.gateway.gap("main")
        settled = (await b.broker.wait(event_topic()))[-1]
        assert (settled["status"], settled["state"]) == ("not_placed", "accepted")


async def test_every_part_of_an_order_that_was_split_elsewhere_is_cancelled(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.listed = [row("1", rmn_qty="5"), row("2", **SPLIT)]
        b.kis.number = 2
        b.gateway.gap("main")
        await b.broker.wait(event_topic())
        assert (await b.ask("modify", price=72000))["reason"] == "invalid_payload"
        await b.send("cancel_all", {"client_order_id": "all", "expires_at": PLACE["expires_at"]})
        ack = (await b.broker.wait(ack_topic("all")))[0]
        assert (ack["status"], ack["message"]) == ("accepted", "2 of 2 orders")
        cancelled = [call[2]["ORGN_ODNO"] for call in b.kis.calls[1:]]
        assert sorted(cancelled) == ["0000000001", "0000000002"]


async def test_one_part_after_the_other_can_be_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.listed = [row("1", rmn_qty="5"), row("2", **SPLIT)]
        b.kis.number = 2
        b.gateway.gap("main")
        await b.broker.wait(event_topic())
        ack = await b.ask("cancel", command_id="c0", order_no="7")
        assert (ack["reason"], "nothing is open as 7" in ack["message"]) == ("unknown_order", True)
        assert (await b.ask("cancel", command_id="c1", order_no="1"))["status"] == "accepted"
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000001"
        assert (await b.ask("cancel", command_id="c2"))["status"] == "accepted"
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000002"


async def test_a_list_that_lags_behind_splits_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        await b.ask("modify", price=71800)
        b.kis.listed = [row("1")]
        asked = len(b.kis.asked)
        b.gateway.gap("main")
        await b.kis.until(lambda kis: len(kis.asked) > asked)
        assert (await b.place("b"))["status"] == "accepted"  # waits for the list
        await b.ask("cancel")
        assert b.kis.calls[-1][2]["ORGN_ODNO"] == "0000000002"


async def test_a_fill_of_another_symbol_is_another_orders(tmp_path: Path) -> None:
    class Empty(Kis):
        async def pages(self, api: str, *args: Any, **more: Any) -> Any:
            body = {"rt_cd": "0", "output": [], "output1": [], "output2": [{}]}
            yield Reply("0", "", "", body, "D")

    now = 1_799_938_800_000_000 - 600_000_000  # 23:50 in Seoul, in New York in the morning
    rules = Rules(**RULES, markets=("overseas_stock",))
    async with bench(tmp_path, kis=Empty(), rules=rules, clock=lambda: now) as b:
        ack = await b.place(market="overseas_stock", venue="nas", symbol="AAPL", price=100)
        assert ack["status"] == "accepted"
        now += 10 * 3_600_000_000 + 600_000_000  # 10:00: Hong Kong trades under new numbers
        values = {
            "account": "1234567801",
            "order_no": "0000000001",
            "original_order_no": "",
            "side": "02",
            "modify_cancel": "0",
            "symbol": "00700",
            "quantity": "0000000010",
            "price": "000400000",
            "time": "100000",
            "rejected": "0",
            "filled": "2",
            "acceptance": "2",
            "overseas_class": "4",
        }
        b.gateway.notice(values, now, "overseas_stock")
        told = (await b.broker.wait("kis/accounts/main/event/external"))[-1]
        assert told["symbol"] == "00700"
        assert not b.broker.on(event_topic())


@pytest.mark.parametrize(
    "fields",
    [
        {"tot_ccld_qty": "5", "rmn_qty": "5", "tot_ccld_amt": "9" * 30},
        {"ord_dt": "00010101", "ord_tmd": "000000"},
        {"ord_qty": "1" * 40},
    ],
)
async def test_what_is_out_of_range_ends_nothing(tmp_path: Path, fields: dict[str, str]) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.listed = [row("1", **fields)]
        asked = len(b.kis.asked)
        b.gateway.gap("main")
        await b.kis.until(lambda kis: len(kis.asked) > asked)
        b.fill("0000000001", 1, 10**20)
        b.kis.listed = [row("1", tot_ccld_qty="10", rmn_qty="0", tot_ccld_amt="719000")]
        b.gateway.gap("main")
        assert (await b.broker.wait(event_topic()))[-1]["state"] == "filled"


@pytest.mark.parametrize("how", ["notice", "restart"])
async def test_parts_that_no_list_has_told_yet_are_cancelled_too(tmp_path: Path, how: str) -> None:
    kis = Kis()
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:
        await b.place()
        kis.listed = [row("1", rmn_qty="5"), row("2", **SPLIT)]
        kis.number = 2
        if how == "restart":
            b.gateway.gap("main")
        else:
            changed = {"original_order_no": "0000000001", "modify_cancel": "1", "acceptance": "2"}
            b.notice("0000000002", **changed, quantity="0000000005", price="000071800")
        await b.broker.wait(event_topic())
        if how == "notice":
            await b.send("cancel_all", ALL)
            ack = (await b.broker.wait(ack_topic("all")))[0]
    if how == "restart":
        kis.listed = KisUnknownError("no list")
        async with bench(tmp_path, kis=kis, rules=Rules(**RULES)) as b:
            await b.send("cancel_all", ALL)
            ack = (await b.broker.wait(ack_topic("all")))[0]
    cancelled = [call[2]["ORGN_ODNO"] for call in kis.calls if "rvsecncl" in call[0]]
    assert sorted(cancelled) == ["0000000001", "0000000002"]
    assert (ack["status"], ack["message"]) == ("accepted", "2 of 2 orders")


async def test_pages_read_before_and_after_a_modification_split_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        await b.ask("modify", price=71800)
        b.kis.listed = [row("1"), row("2", **SPLIT | {"ord_qty": "10", "rmn_qty": "10"})]
        b.gateway.gap("main")
        assert (await b.place("b", symbol="000660"))["status"] == "accepted"  # after the list
        assert (await b.ask("modify", price=71700, command_id="m2"))["status"] == "accepted"
        await b.send("cancel_all", ALL | {"symbol": "005930"})
        ack = (await b.broker.wait(ack_topic("all")))[0]
        assert (ack["status"], ack["message"]) == ("accepted", "1 of 1 orders")
