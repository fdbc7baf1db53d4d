"""What becomes of commands while the journal cannot be written, and afterwards."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bridge.orders.gateway import Rules
from bridge.orders.journal.journal import Journal
from bridge.orders.journal.reader import read
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import ManagedOrder, restore
from tests.component.gateway_fixture import (
    PLACE,
    Kis,
    ack_topic,
    bench,
)

ALL = {"client_order_id": "all", "expires_at": PLACE["expires_at"]}


class Disk(Journal):
    """A journal whose disk can be full, and have room again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"sqlite:///{folder}/orders.db")

    async def full(self) -> None:
        await self._pragma("query_only=ON")

    async def room(self) -> None:
        await self._pragma("query_only=OFF")

    async def _pragma(self, text: str) -> None:
        await self._writer.run(lambda connection, _: connection.exec_driver_sql(f"PRAGMA {text}"))


def written(folder: Path) -> dict[tuple[str, str], ManagedOrder]:
    """Return what the journal has, by order and verb."""
    orders = map(restore, read(f"sqlite:///{folder}/orders.db"))
    return {(one.identity.client_order_id, one.verb): one for one in orders}


async def until_written(b: Any) -> None:
    async with asyncio.timeout(10):
        await b.gateway._parts.outbox.flush()


async def test_a_new_order_is_refused_soon_and_for_the_reason(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    async with bench(tmp_path, journal=disk) as b:
        await disk.full()
        loop = asyncio.get_running_loop()
        began = loop.time()
        ack = await b.place()
        assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert "cancellations pass" in ack["message"]
        assert loop.time() - began < 3, "not only when the command expires"
        again = loop.time()
        assert (await b.place("a-2"))["reason"] == "journal_unavailable"
        assert loop.time() - again < 0.8, "it is known now"
        assert b.gateway.journal()["state"] == "failing"
        assert len(b.acked) == 2
        await disk.room()
        assert (await b.place("a-3"))["status"] == "accepted"
        assert b.gateway.journal() == {"state": "sound", "reason": None}
        assert len(b.kis.calls) == 1


async def test_a_refusal_for_a_full_disk_holds_whatever_comes_later(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    async with bench(tmp_path, journal=disk) as b:
        await disk.full()
        refused = await b.place()
        assert refused["reason"] == "journal_unavailable"
        assert await b.place() == refused | {"duplicate": True}
        await disk.room()
        # Before and after it is written down.
        assert await b.place() == refused | {"duplicate": True}
        await until_written(b)
        assert await b.place() == refused | {"duplicate": True}
    async with bench(tmp_path, kis=b.kis) as b:
        assert await b.place() == refused | {"duplicate": True}
        assert not b.kis.calls
    assert written(tmp_path)["a-1", "place"].progress.state is State.REFUSED


@pytest.mark.parametrize("verb", ["cancel", "cancel_all"])
async def test_cancellations_go_and_are_written_down_as_soon_as_there_is_room(
    tmp_path: Path, verb: str
) -> None:
    disk = Disk(tmp_path)
    async with bench(tmp_path, journal=disk) as b:
        assert (await b.place())["status"] == "accepted"
        await disk.full()
        name = "a-1" if verb == "cancel" else "all"
        ack = await b.ask(verb, name)
        assert (ack["status"], ack["verb"]) == ("accepted", verb)
        assert [call[0] for call in b.kis.calls[1:]] == ["domestic_stock/order_rvsecncl"]
        assert list(written(tmp_path)) == [("a-1", "place")]
        await disk.room()
        await until_written(b)
    async with bench(tmp_path, kis=b.kis) as b:
        again = await b.ask(verb, name)
        assert again == ack | {"duplicate": True}
        assert len(b.kis.calls) == 2
    assert written(tmp_path)["a-1", "cancel"].progress.state is State.ACCEPTED


async def test_what_takes_back_a_part_is_refused_because_it_would_take_back_two(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path)
    async with bench(tmp_path, journal=disk) as b:
        await b.place()
        await disk.full()
        assert (await b.ask("cancel", quantity=3))["reason"] == "journal_unavailable"
        assert (await b.ask("modify", price=71800))["reason"] == "journal_unavailable"
        assert len(b.kis.calls) == 1


async def test_a_cancellation_that_stands_in_the_journal_goes_too(tmp_path: Path) -> None:
    disk, answer = Disk(tmp_path), asyncio.Event()
    async with bench(tmp_path, journal=disk, kis=Kis([answer])) as b:
        await b.send("place", PLACE)
        await b.kis.until(lambda kis: bool(kis.calls))
        await b.send("cancel", ALL | {"client_order_id": "a-1"})  # waits for its turn
        async with asyncio.timeout(5):
            while not any(one[1] == "cancel" for one in written(tmp_path)):  # noqa: ASYNC110
                await asyncio.sleep(0)
        await disk.full()
        answer.set()
        acks = await b.broker.wait(ack_topic(), 2)
        assert [(ack.get("verb"), ack["status"]) for ack in acks] == [
            (None, "accepted"),
            ("cancel", "accepted"),
        ]
        await disk.room()
        await until_written(b)
    assert written(tmp_path)["a-1", "cancel"].progress.state is State.ACCEPTED


async def test_what_waits_in_the_journal_is_refused_only_when_no_restart_sends_it(
    tmp_path: Path,
) -> None:
    now = 1_800_000_000_000_000
    disk, answer = Disk(tmp_path), asyncio.Event()
    rules = Rules(paper=False, pause_s=0.001)
    async with bench(
        tmp_path, journal=disk, kis=Kis([answer]), rules=rules, clock=lambda: now
    ) as b:
        await b.send("place", PLACE)
        await b.kis.until(lambda kis: bool(kis.calls))
        behind = {k: v for k, v in PLACE.items() if k != "expires_at"} | {"client_order_id": "b"}
        await b.send("place", behind, expiry_s=60)
        async with asyncio.timeout(5):
            while ("b", "place") not in written(tmp_path):  # noqa: ASYNC110
                await asyncio.sleep(0)
        await disk.full()
        answer.set()
        await b.broker.wait(ack_topic())
        await b.place("c")  # refused after the patience of a second
        assert not b.broker.on(ack_topic("b"))
        now += 60_000_000
        assert (await b.broker.wait(ack_topic("b")))[0]["reason"] == "expired"
        assert len(b.kis.calls) == 1
        await disk.room()


async def test_many_are_answered_while_the_disk_is_full(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    async with bench(tmp_path, journal=disk) as b:
        await b.place()
        await disk.full()
        for number in range(150):
            await b.send("place", PLACE | {"client_order_id": f"n-{number}"})
        for number in range(150):
            ack = (await b.broker.wait(ack_topic(f"n-{number}")))[0]
            assert ack["reason"] in ("journal_unavailable", "overloaded")
        assert (await b.ask("cancel"))["status"] == "accepted"
        await disk.room()
        await until_written(b)
    states = [one.progress.state for one in written(tmp_path).values()]
    assert states.count(State.REFUSED) == 150


async def test_with_another_content_in_its_file_everything_is_answered_at_once(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path)
    async with bench(tmp_path, journal=disk) as b:
        for number in range(3):
            assert (await b.place(f"a-{number}"))["status"] == "accepted"
        other = sqlite3.connect(tmp_path / "other")
        with closing(other):
            other.execute("CREATE TABLE other (x)")
        shutil.copyfile(tmp_path / "other", tmp_path / "orders.db")
        began = asyncio.get_running_loop().time()
        for number in range(5):
            ack = await b.place(f"b-{number}")
            assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert (await b.place("b-0"))["duplicate"] is True
        assert (await b.place("a-0"))["duplicate"] is True
        assert (await b.ask("cancel", "a-0"))["status"] == "accepted"
        assert (await b.ask("cancel_all", "all"))["status"] == "accepted"
        assert (await b.ask("modify", "a-1", price=71800))["reason"] == "journal_unavailable"
        assert asyncio.get_running_loop().time() - began < 5
        assert len(b.kis.calls) == 3 + 1 + 3, "no notice has told yet that the first is cancelled"
        assert b.gateway.journal()["state"] == "replaced"
