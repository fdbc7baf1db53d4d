"""The natural retry: the same order again with a new deadline."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.orders.gateway import Rules
from bridge.orders.journal.journal import Journal
from bridge.orders.model.command_parser import parse
from bridge.orders.model.records import NewRecord
from tests.component.gateway_fixture import (
    PLACE,
    Kis,
    Queued,
    ack_topic,
    bench,
)

RULES = Rules(paper=False, pause_s=0.001, grace_s=0.05)
LATER = {"expires_at": "2999-01-02T00:00:00+09:00"}


@pytest.mark.parametrize("restart", [False, True])
async def test_a_new_deadline_in_the_payload_answers_with_the_first_ack(
    tmp_path: Path, *, restart: bool
) -> None:
    async with bench(tmp_path) as b:
        first = await b.place()
        if not restart:
            assert await b.place(**LATER) == first | {"duplicate": True}
    async with bench(tmp_path, kis=b.kis) as b:
        assert await b.place(**LATER) == first | {"duplicate": True}
        assert (await b.place(**LATER, price=71800))["reason"] == "duplicate_conflict"
        assert len(b.kis.calls) == 1


async def test_a_new_deadline_of_mqtt_answers_with_the_first_ack(tmp_path: Path) -> None:
    undated = {key: value for key, value in PLACE.items() if key != "expires_at"}
    async with bench(tmp_path) as b:
        first = await b.place()
        await b.send("place", undated, expiry_s=60)
        assert (await b.broker.wait(ack_topic(), 2))[-1] == first | {"duplicate": True}
        assert len(b.kis.calls) == 1


@pytest.mark.parametrize("named", [True, False])
async def test_a_change_with_a_name_is_told_again_and_one_without_is_another(
    tmp_path: Path, *, named: bool
) -> None:
    change = {"command_id": "m-1"} if named else {}
    async with bench(tmp_path) as b:
        await b.place()
        first = await b.ask("modify", price=72000, **change)
        again = await b.ask("modify", price=72000, **change | LATER)
        assert (again == first | {"duplicate": True}) is named
        assert len(b.kis.calls) == (2 if named else 3)


async def test_an_order_in_the_journal_of_an_earlier_bridge_is_a_duplicate(tmp_path: Path) -> None:
    class Earlier(Journal):
        """Writes digests that have the deadline in them."""

        async def admit(self, new: NewRecord, *lines: Any) -> Any:
            dated = parse(new.verb, new.body.encode()).dated_digest()
            return await super().admit(replace(new, digest=dated), *lines)

    async with bench(tmp_path, journal=Earlier(f"sqlite:///{tmp_path}/orders.db")) as b:
        first = await b.place()
    async with bench(tmp_path, kis=b.kis) as b:
        assert await b.place() == first | {"duplicate": True}
        assert await b.place(**LATER) == first | {"duplicate": True}
        assert (await b.place(**LATER, price=71800))["reason"] == "duplicate_conflict"
        assert len(b.kis.calls) == 1


async def test_a_command_that_waits_keeps_its_first_deadline(tmp_path: Path) -> None:
    now = 1_800_000_000_000_000
    soon = {"expires_at": "2027-01-15T17:00:05+09:00"}  # in five seconds
    queued = Queued()
    async with bench(tmp_path, kis=Kis([queued]), rules=RULES, clock=lambda: now) as b:
        await b.send("place", PLACE)
        await b.kis.until(lambda kis: len(kis.calls) == 1)
        await b.send("place", PLACE | {"client_order_id": "b"} | soon)
        await b.send("place", PLACE | {"client_order_id": "b"} | LATER)
        async with asyncio.timeout(5):
            while len(b.acked) < 3:  # noqa: ASYNC110 - both are in the journal or known from there
                await asyncio.sleep(0)
        now += 6_000_000
        queued.set()
        acks = await b.broker.wait(ack_topic("b"), 2)
        assert [ack["reason"] for ack in acks] == ["expired"] * 2
        assert len(b.kis.calls) == 1


async def test_each_cancel_all_with_a_deadline_of_its_own_cancels_what_came_since(
    tmp_path: Path,
) -> None:
    every: dict[str, object] = {"client_order_id": "all"}
    async with bench(tmp_path, rules=RULES) as b:
        await b.place("a")
        await b.send("cancel_all", every | {"expires_at": PLACE["expires_at"]})
        await b.broker.wait(ack_topic("all"))
        await b.place("b")
        await b.send("cancel_all", every | LATER)
        await b.broker.wait(ack_topic("all"), 2)
        assert b.broker.on(ack_topic("b"))[-1]["verb"] == "cancel"
