"""Halts that come at a bad moment: while the journal is busy, at the start, at the end, at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.errors import JournalError
from bridge.kis.replies import Reply
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from bridge.orders.journal.journal import Journal
from bridge.requests.server import RequestServer
from tests.component.gateway_fixture import (
    CATALOG,
    NUMBER,
    PLACE,
    Bench,
    Broker,
    Kis,
    ack_topic,
    bench,
    now,
    row,
)

RULES = Rules(paper=False, pause_s=0.001, grace_s=0.05, settle_s=0.001)
HALTED = "kis/bridge/event/halted"


@asynccontextmanager
async def unready(
    path: Path, journal: Journal | None = None, kis: Kis | None = None
) -> AsyncIterator[Bench]:
    """A gateway of a journal that exists, which is not asked to run yet."""
    journal = journal or Journal(f"sqlite:///{path}/orders.db")
    await journal.open()
    kis, broker = kis or Kis(), Broker()
    gateway = Gateway(
        catalog=CATALOG,
        journal=journal,
        sink=broker,
        topics=Topics("kis"),
        accounts={"main": TradingAccount(SecretStr(NUMBER), kis)},
        rules=RULES,
    )
    try:
        yield Bench(gateway, kis, broker, journal, now)
    finally:
        await journal.close()


async def test_a_halt_cancels_while_the_journal_is_busy(tmp_path: Path) -> None:
    class Slow(Journal):
        slow = False
        writing = asyncio.Event()
        go_on = asyncio.Event()

        async def append(self, *lines: Any) -> None:
            if self.slow:
                self.writing.set()
                await self.go_on.wait()
            await super().append(*lines)

    journal = Slow(f"sqlite:///{tmp_path}/orders.db")
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        await b.place()
        stuck = asyncio.Event()
        b.kis.script.append(stuck)
        await b.send("place", PLACE | {"client_order_id": "b"})
        await b.kis.until(lambda kis: len(kis.calls) == 2)
        await b.send("place", PLACE | {"client_order_id": "c"})
        while len(list(b.gateway._parts.blotter)) < 3:  # noqa: ASYNC110 - it is being admitted
            await asyncio.sleep(0)
        journal.slow = True
        b.fill("0000000001", 1, 71900)
        await journal.writing.wait()
        halt = asyncio.create_task(b.gateway.halt("halted", cancel_all=True))
        journal.go_on.set()
        stuck.set()
        assert (await halt).cancelling == 2
        assert (await b.broker.wait(ack_topic("c")))[0]["reason"] == "cancelled"


async def test_a_halt_during_the_start_waits_for_what_is_open(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as b:
        await b.place()
    async with (
        unready(tmp_path, kis=Kis(number=1, listed=[row("1")])) as b,
        asyncio.TaskGroup() as tasks,
    ):
        halt = tasks.create_task(b.gateway.halt("halted", cancel_all=True))
        tasks.create_task(b.gateway.run())
        assert (await halt).cancelling == 1
        ack = (await b.broker.wait(ack_topic(), 2))[-1]
        assert (ack["verb"], ack["status"]) == ("cancel", "accepted")
        await b.gateway.stop()


async def test_older_halts_do_not_undo_one_that_comes_during_the_start(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as b:
        await b.gateway.halt("halted")
        await b.gateway.halt("")

    class Slow(Journal):
        reading = asyncio.Event()
        go_on = asyncio.Event()

        async def controls(self) -> Any:
            found = await super().controls()
            self.reading.set()
            await self.go_on.wait()
            return found

    journal = Slow(f"sqlite:///{tmp_path}/orders.db")
    async with unready(tmp_path, journal) as b, asyncio.TaskGroup() as tasks:
        tasks.create_task(b.gateway.run())
        await journal.reading.wait()
        halt = tasks.create_task(b.gateway.halt("halted"))
        journal.go_on.set()
        await halt
        assert b.gateway.halted
        assert (await b.place())["reason"] == "halted"
        await b.gateway.stop()


async def test_the_bridge_stops_while_a_halt_cancels(tmp_path: Path) -> None:
    async with unready(tmp_path) as b, asyncio.TaskGroup() as tasks:
        tasks.create_task(b.gateway.run())
        await b.place()
        b.kis.script.append(asyncio.Event())  # KIS takes its time
        assert (await b.gateway.halt("halted", cancel_all=True)).cancelling == 1
        await b.kis.until(lambda kis: len(kis.calls) == 2)
        async with asyncio.timeout(5):
            await b.gateway.stop()
        with pytest.raises(JournalError, match="stops"):
            await b.gateway.halt("halted", client="alice", cancel_all=True)
    async with bench(tmp_path, rules=RULES) as b:
        circles = [(halt["client"], halt["mode"]) for halt in b.gateway.halts()]
        assert circles == [(None, "halted"), ("alice", "halted")]


async def test_a_halt_and_a_resumption_keep_their_order(tmp_path: Path) -> None:
    class Slow(Journal):
        go_on = asyncio.Event()

        async def control(self, control: Any) -> None:
            await self.go_on.wait()
            await super().control(control)

    class Client:
        def subscribe(self, topic_filter: str, qos: int, handler: Any, **more: Any) -> None:
            self.handler = handler

        async def publish(self, *args: Any, **more: Any) -> None:
            pass

    journal, client = Slow(f"sqlite:///{tmp_path}/orders.db"), Client()
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        requests = RequestServer(client, Topics("kis"))

        async def halt(asked: Any, message: Message) -> None:
            at, client = message.received_at, asked.get("client", "")
            await b.gateway.halt("halted", client=client, asked_at=at)

        async def resume(asked: Any, message: Message) -> None:
            at, client = message.received_at, asked.get("client", "")
            await b.gateway.halt("", client=client, asked_at=at)

        requests.register("halt", halt)
        requests.register("resume", resume)
        async with asyncio.TaskGroup() as tasks:
            requested = (("resume", b'{"client":"x"}'), ("resume", b"{}"), ("halt", b"{}"))
            for at, (verb, asked) in enumerate(requested, 1):
                topic = f"kis/bridge/request/{verb}"
                message = Message(topic, asked, 1, False, "", b"", None, at, lambda: None)
                tasks.create_task(client.handler(message))
            journal.go_on.set()
        assert b.gateway.halted
    async with bench(tmp_path, rules=RULES) as b:
        assert b.gateway.halted


async def test_a_resumption_during_a_halts_cancellations_lasts(tmp_path: Path) -> None:
    class Slow(Journal):
        writing = asyncio.Event()
        go_on = asyncio.Event()

        async def expand(self, *args: Any) -> Any:
            self.writing.set()
            await self.go_on.wait()
            return await super().expand(*args)

    journal = Slow(f"sqlite:///{tmp_path}/orders.db")
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(b.gateway.halt("halted", cancel_all=True))
            await journal.writing.wait()
            tasks.create_task(b.gateway.halt(""))
            await asyncio.sleep(0)
            journal.go_on.set()
        assert not b.gateway.halted
    async with bench(tmp_path, rules=RULES) as b:
        assert not b.gateway.halted


async def test_a_second_halt_counts_what_the_first_has_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as b:
        await b.place()
        assert (await b.gateway.halt("halted", cancel_all=True)).cancelling == 1
        await b.broker.wait(ack_topic(), 2)
        b.kis.script.append(Reply("7", "KIER2320", "over", {"rt_cd": "7"}))
        await b.gateway.halt("halted", client="alice", cancel_all=True)
        told = (await b.broker.wait(HALTED, 4))[-1]
        assert (told["client"], told["cancelled"], told["not_cancelled"]) == ("alice", 1, 0)


class Written(Journal):
    """Writes a halt or its end only when it may."""

    writing = asyncio.Event()
    go_on = asyncio.Event()

    async def control(self, control: Any) -> None:
        self.writing.set()
        await self.go_on.wait()
        await super().control(control)


async def test_a_halt_holds_at_once_while_a_resumption_is_written(tmp_path: Path) -> None:
    journal = Written(f"sqlite:///{tmp_path}/orders.db")
    journal.writing, journal.go_on = asyncio.Event(), asyncio.Event()
    async with bench(tmp_path, journal=journal, rules=RULES) as b, asyncio.TaskGroup() as tasks:
        tasks.create_task(b.gateway.halt("", client="bob"))
        await journal.writing.wait()
        tasks.create_task(b.gateway.halt("halted", client="alice"))
        assert (await b.place())["reason"] == "halted"
        journal.go_on.set()


async def test_a_resumption_takes_no_later_halt_back(tmp_path: Path) -> None:
    journal = Written(f"sqlite:///{tmp_path}/orders.db")
    journal.writing, journal.go_on = asyncio.Event(), asyncio.Event()
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(b.gateway.halt("halted", asked_at=1))
            await journal.writing.wait()
            tasks.create_task(b.gateway.halt("", asked_at=2))
            tasks.create_task(b.gateway.halt("halted", asked_at=3))
            await asyncio.sleep(0)
            journal.go_on.set()
        assert b.gateway.halted
        assert (await b.place())["reason"] == "halted"
        await b.gateway.halt("")
        assert (await b.place("b"))["status"] == "accepted"


async def test_the_bridge_stops_while_a_halt_is_written(tmp_path: Path) -> None:
    class Slow(Journal):
        written = asyncio.Event()
        go_on = asyncio.Event()

        async def expand(self, *args: Any) -> Any:
            found = await super().expand(*args)
            self.written.set()
            await self.go_on.wait()
            return found

    class Stuck(Broker):
        stuck = False
        go_on = asyncio.Event()

        async def publish(self, *args: Any, **more: Any) -> None:
            if self.stuck:
                await self.go_on.wait()
            await super().publish(*args, **more)

    journal, broker = Slow(f"sqlite:///{tmp_path}/orders.db"), Stuck()
    async with bench(tmp_path, journal=journal, broker=broker, rules=RULES) as b:
        await b.place()
        broker.stuck = True
        halt = asyncio.create_task(b.gateway.halt("halted", cancel_all=True))
        await journal.written.wait()
        stop = asyncio.create_task(b.gateway.stop())
        await asyncio.sleep(RULES.grace_s * 2)  # the grace is over: it only waits for the broker
        journal.go_on.set()
        assert (await halt).cancelling == 1
        broker.go_on.set()
        async with asyncio.timeout(5):
            await stop
