"""What a restart makes good: acks that may never have left, states of a day that is over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bridge.kis.replies import KisUnknownError
from bridge.orders.gateway import Rules
from tests.component.gateway_fixture import (
    PLACE,
    Broker,
    Kis,
    ack_topic,
    bench,
    event_topic,
    state_topic,
)

RULES = Rules(paper=False, pause_s=0.001, grace_s=0.05, settle_s=0.001)
HOUR = 3_600_000_000
MIDNIGHT = 1_799_938_800_000_000  # 2027-01-15 in Seoul


class Away(Broker):
    """What is published waits in memory."""

    async def publish(self, *args: Any, **more: Any) -> None:
        await asyncio.Event().wait()


async def test_acks_that_waited_for_the_broker_are_told(tmp_path: Path) -> None:
    now, kis = MIDNIGHT - HOUR, Kis()
    async with bench(tmp_path, kis=kis, broker=Away(), rules=RULES, clock=lambda: now) as b:
        await b.send("place", PLACE)
        while not b.gateway.states().get("accepted"):  # noqa: ASYNC110 - nothing is published
            await asyncio.sleep(0)
        now += 61_000_000
        b.fill("0000000001", 1, 71900)
        while not b.gateway.states().get("partially_filled"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert b.acked
    now += 2 * HOUR  # a day later
    async with bench(tmp_path, kis=kis, rules=RULES, clock=lambda: now) as b:
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["duplicate"]) == ("accepted", True)


async def test_states_of_a_day_that_ended_without_the_bridge_are_cleared(tmp_path: Path) -> None:
    now, kis = MIDNIGHT - HOUR, Kis()
    async with bench(tmp_path, kis=kis, rules=RULES, clock=lambda: now) as b:
        await b.place()
        b.fill("0000000001", 10, 71900)
        assert (await b.broker.wait(event_topic()))[-1]["state"] == "filled"
    now += 12 * HOUR
    async with bench(tmp_path, kis=kis, rules=RULES, clock=lambda: now) as b:
        states = await b.broker.wait(state_topic(), 2)
        assert states[-1] == {}
        assert not list(b.gateway._parts.blotter)


async def test_that_nobody_knows_what_became_of_an_order_is_told_again(tmp_path: Path) -> None:
    kis = Kis()
    kis.script.append(KisUnknownError("timed out"))
    async with bench(tmp_path, kis=kis, broker=Away(), rules=RULES) as b:
        await b.send("place", PLACE)
        while not b.gateway.states().get("unknown"):  # noqa: ASYNC110 - nothing is published
            await asyncio.sleep(0)
    async with bench(tmp_path, kis=kis, rules=RULES) as b:
        told = (await b.broker.wait("kis/bridge/event/order_unknown"))[0]
        assert told["client_order_id"] == PLACE["client_order_id"]
        assert "message" not in told  # it is not for the list to say so first
