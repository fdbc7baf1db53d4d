"""Commands that wait hold nobody up, and are answered as soon as their fate is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.errors import JournalError
from bridge.kis.replies import KisNotSentError, KisUnknownError, Reply
from bridge.orders.gateway import Rules, TradingAccount
from bridge.orders.journal.journal import Journal
from bridge.orders.journal.reader import read
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import restore
from bridge.orders.risk.limits import Limits
from tests.component.gateway_fixture import NUMBER, PLACE, Kis, ack_topic, bench, row

RULES: dict[str, Any] = {"paper": False, "pause_s": 0.001, "grace_s": 0.05, "unknown_s": 0.005}
NO_LIST = KisUnknownError("no list")
MODIFY = {"client_order_id": "a-1", "price": 71800, "expires_at": PLACE["expires_at"]}


def soon(seconds: float = 0.3) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("how", ["halt", "cancel"])
async def test_a_cancellation_goes_before_a_modification_that_waits(
    tmp_path: Path, how: str
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.listed = NO_LIST
        b.gateway.gap("main")
        await b.send("modify", MODIFY)
        asked = len(b.kis.asked)
        await b.kis.until(lambda kis: len(kis.asked) > asked + 2)
        if how == "halt":
            assert (await b.gateway.halt("halted", cancel_all=True)).cancelling == 1
        else:
            await b.send("cancel", {"client_order_id": "a-1", "expires_at": PLACE["expires_at"]})
        await b.kis.until(lambda kis: len(kis.calls) == 2)
        assert b.kis.calls[-1][2]["RVSE_CNCL_DVSN_CD"] == "02"
        b.kis.listed = [row("1", rmn_qty="0", cnc_cfrm_qty="10")]
        b.gateway.gap("main")
        acks = await b.broker.wait(ack_topic(), 3)
        assert {ack["verb"]: ack["status"] for ack in acks[1:]} == {
            "cancel": "accepted",
            "modify": "refused",
        }


async def test_what_is_called_off_is_told_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place("a-0")
        b.kis.listed = NO_LIST
        b.gateway.gap("main")
        await b.send("place", PLACE)
        await b.send("place", PLACE | {"client_order_id": "b"})
        await b.send("cancel_all", {"client_order_id": "all", "expires_at": PLACE["expires_at"]})
        for name in ("a-1", "b"):
            assert (await b.broker.wait(ack_topic(name)))[0]["reason"] == "cancelled"
        assert (await b.broker.wait(ack_topic("all")))[0]["status"] == "accepted"


async def test_what_waits_is_refused_when_a_halt_comes(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        b.kis.listed = NO_LIST
        b.gateway.gap("main")
        await b.send("place", PLACE)
        await b.gateway.halt("halted", client="alice")
        assert (await b.broker.wait(ack_topic()))[0]["reason"] == "halted"


async def test_what_expires_in_line_is_told_then(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        b.kis.listed = NO_LIST
        b.gateway.gap("main")
        await b.send("place", PLACE)
        await b.send("place", PLACE | {"client_order_id": "b", "expires_at": soon()})
        ack = (await b.broker.wait(ack_topic("b")))[0]
        assert (ack["reason"], "no list" in ack["message"]) == ("expired", True)
        assert not b.broker.on(ack_topic())
        b.kis.listed = []
        b.gateway.gap("main")
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"


async def test_the_list_of_one_market_does_not_stop_another(tmp_path: Path) -> None:
    class NoOverseas(Kis):
        async def pages(self, api: str, *args: Any, **more: Any) -> AsyncIterator[Reply]:
            if api.startswith("overseas"):
                yield Reply("7", "APBK1680", "not registered", {"rt_cd": "7"})
            else:
                yield Reply("0", "", "", {"rt_cd": "0", "output1": [], "output2": [{}]}, "D")

    rules = Rules(**RULES, markets=("domestic_stock", "overseas_stock"))
    async with bench(tmp_path, kis=NoOverseas(), rules=rules) as b:
        assert (await b.place())["status"] == "accepted"
        overseas = {"market": "overseas_stock", "venue": "nas", "symbol": "AAPL", "price": 1}
        ack = await b.place("b", **overseas, expires_at=soon())
        assert (ack["reason"], "not registered" in ack["message"]) == ("expired", True)


async def test_a_refusal_is_told_when_it_is_on_disk(tmp_path: Path) -> None:
    class Full(Journal):
        full = False
        tries = asyncio.Semaphore(0)

        async def append(self, *lines: Any) -> None:
            if self.full:
                self.tries.release()
                raise JournalError("disk full")
            await super().append(*lines)

        async def admit(self, *command: Any) -> Any:
            if self.full:
                self.tries.release()
                raise JournalError("disk full")
            return await super().admit(*command)

    now = time.time_ns() // 1_000
    journal = Full(f"sqlite:///{tmp_path}/orders.db")
    rules = Rules(**RULES, limits=Limits(per_minute=1))
    async with bench(tmp_path, journal=journal, rules=rules, clock=lambda: now) as b:
        assert (await b.place())["status"] == "accepted"
        journal.full = True
        await b.send("place", PLACE | {"client_order_id": "b"})
        for _ in range(20):
            await journal.tries.acquire()
        assert not b.broker.on(ack_topic("b"))
        journal.full = False
        assert (await b.broker.wait(ack_topic("b")))[0]["reason"] == "risk_rate"
        now += 61_000_000
    async with bench(tmp_path, kis=Kis(), rules=rules, clock=lambda: now) as b:
        ack = (await b.broker.wait(ack_topic("b")))[0]
        assert (ack["reason"], ack["duplicate"], b.kis.calls) == ("risk_rate", True, [])


async def test_what_is_sent_is_on_disk_as_submitting_however_often_it_was_delivered(
    tmp_path: Path,
) -> None:
    class FailsOnce(Journal):
        failed = False

        async def admit(self, *command: Any) -> Any:
            if not self.failed:
                self.failed = True
                raise JournalError("disk full")
            return await super().admit(*command)

    url = f"sqlite:///{tmp_path}/orders.db"
    answer = asyncio.Event()
    async with bench(tmp_path, journal=FailsOnce(url), kis=Kis([answer])) as b:
        await b.send("place", PLACE)
        await b.send("place", PLACE)  # the broker delivers again while the first is tried again
        await b.kis.until(lambda kis: bool(kis.calls))
        # A restart now must not find what it would send again.
        (order,) = map(restore, read(url))
        assert order.progress.state is State.SUBMITTING
        answer.set()
        acks = await b.broker.wait(ack_topic(), 2)
        assert [ack["status"] for ack in acks] == ["accepted"] * 2
        assert len(b.kis.calls) == 1


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("again", [{}, {"quantity": 11}])
async def test_a_place_told_again_behind_its_modification_stops_nobody(
    tmp_path: Path, again: dict[str, int], *, answered: bool
) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        go_on = asyncio.Event()
        if answered:
            await b.place()
        else:
            b.kis.script.append(go_on)
            await b.send("place", PLACE)
        await b.send("modify", MODIFY)
        await b.send("place", PLACE | again)
        go_on.set()
        assert (await b.place("b"))["status"] == "accepted"
        acks = await b.broker.wait(ack_topic(), 3)
        told = {(ack.get("verb", "place"), ack["reason"]) for ack in acks}
        assert told >= {("place", "duplicate_conflict" if again else None), ("modify", None)}
        assert len(b.kis.calls) == 3


async def test_a_modification_before_its_place_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.send("modify", MODIFY)
        await b.send("place", PLACE)
        acks = await b.broker.wait(ack_topic(), 2)
        assert {ack.get("verb", "place"): ack["status"] for ack in acks} == {
            "modify": "refused",
            "place": "accepted",
        }


async def test_what_waits_for_an_account_that_is_gone_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=Rules(**RULES)) as b:
        await b.place()
        b.kis.listed = NO_LIST
        b.gateway.gap("main")
        await b.send("modify", MODIFY)
        asked = len(b.kis.asked)
        await b.kis.until(lambda kis: len(kis.asked) > asked + 2 and len(b.acked) == 2)
    accounts = {"other": TradingAccount(SecretStr(NUMBER), Kis())}
    async with bench(tmp_path, rules=Rules(**RULES), accounts=accounts) as b:
        acks = await b.broker.wait(ack_topic(), 2)
        assert acks[-1]["reason"] == "unknown_account"


async def test_a_modification_may_wait_beyond_its_orders_day(tmp_path: Path) -> None:
    class Busy(Kis):
        tries = 0

        async def call(self, api: str, *args: Any, **more: Any) -> Any:
            if api.endswith("rvsecncl"):
                self.tries += 1
                self.moved.set()
                raise KisNotSentError("cannot connect")
            return await super().call(api, *args, **more)

    midnight = 1_799_938_800_000_000  # 2027-01-15 in Seoul
    now, kis = midnight - 1_000_000, Busy()
    async with bench(tmp_path, kis=kis, rules=Rules(**RULES), clock=lambda: now) as b:
        await b.place()
        await b.send("modify", MODIFY | {"expires_at": "2027-01-15T01:00:01+09:00"})
        await kis.until(lambda _: kis.tries > 2)
        now = midnight + 3_600_000_000
        b.gateway.gap("main")
        assert (await b.place("b"))["status"] == "accepted"
        ack = (await b.broker.wait(ack_topic(), 2))[-1]
        assert (ack["verb"], ack["status"]) == ("modify", "refused")
