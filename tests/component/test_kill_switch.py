"""A halt has a way of its own past everything that waits."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import JournalError
from bridge.mqtt.message import Handler, Message, Publication
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Rules
from bridge.orders.journal.journal import Journal
from bridge.requests.local_halts import FILE, LocalHalts
from bridge.requests.server import RequestServer
from tests.component.gateway_fixture import PLACE, Queued, ack_topic, bench

RULES = Rules(paper=False, pause_s=0.001, grace_s=0.05, settle_s=0.001)
HALT = "kis/bridge/request/halt"
RESUME = "kis/bridge/request/resume"


class Broken(Journal):
    """Cannot be written while ``broken``; ``hangs`` says how."""

    def __init__(self, url: str, *, hangs: bool = False) -> None:
        super().__init__(url)
        self.broken, self.hangs = False, hangs
        self.sound = asyncio.Event()

    def breaks(self) -> None:
        self.broken = True
        self.sound.clear()

    def mended(self) -> None:
        self.broken = False
        self.sound.set()

    async def _try(self) -> None:
        if self.broken and self.hangs:
            await self.sound.wait()
        elif self.broken:
            raise JournalError("disk full")

    async def control(self, *args: Any) -> None:
        await self._try()
        await super().control(*args)

    async def expand(self, *args: Any) -> Any:
        await self._try()
        return await super().expand(*args)

    async def admit(self, *args: Any) -> Any:
        await self._try()
        return await super().admit(*args)

    async def append(self, *args: Any) -> None:
        await self._try()
        await super().append(*args)


@pytest.mark.parametrize("hangs", [True, False])
@pytest.mark.parametrize("cancel_all", [True, False])
async def test_a_halt_is_answered_and_holds_while_the_journal_cannot_be_written(
    tmp_path: Path, *, hangs: bool, cancel_all: bool
) -> None:
    journal = Broken(f"sqlite:///{tmp_path}/orders.db", hangs=hangs)
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        await b.place()
        journal.breaks()
        for number in range(20):
            await b.send("place", PLACE | {"client_order_id": f"w-{number}"})
        async with asyncio.timeout(2):
            outcome = await b.gateway.halt("halted", cancel_all=cancel_all)
        assert outcome == (1 if cancel_all else 0, False)
        assert b.gateway.mode("main", "alice") == "halted"
        journal.mended()
        for number in range(20):
            ack = (await b.broker.wait(ack_topic(f"w-{number}")))[-1]
            assert ack["status"] == "refused"
            assert ack["reason"] in ("halted", "cancelled")
        placed = [call for call in b.kis.calls if "PDNO" in call[2]]
        assert len(placed) == 1
    async with bench(tmp_path, rules=RULES) as b:
        assert b.gateway.halted


async def test_a_halt_does_not_wait_for_the_disk_of_another(tmp_path: Path) -> None:
    journal = Broken(f"sqlite:///{tmp_path}/orders.db", hangs=True)
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        journal.breaks()
        async with asyncio.timeout(2), asyncio.TaskGroup() as tasks:
            for number in range(30):
                tasks.create_task(b.gateway.halt("halted", client=f"c-{number}"))
        assert len(b.gateway.halts()) == 30
        with pytest.raises(JournalError, match="ask again"):
            await b.gateway.halt("", client="c-1")
        assert b.gateway.mode("main", "c-1") == "halted"
        journal.mended()
        await b.gateway.halt("", client="c-1")
        assert len(b.gateway.halts()) == 29


async def test_a_halt_stops_what_waits_for_its_turn_while_the_journal_hangs(tmp_path: Path) -> None:
    journal = Broken(f"sqlite:///{tmp_path}/orders.db", hangs=True)
    async with bench(tmp_path, journal=journal, rules=RULES) as b:
        queued = Queued()
        b.kis.script.append(queued)
        await b.send("place", PLACE)
        await b.kis.until(lambda kis: len(kis.calls) == 1)
        journal.breaks()
        halting = asyncio.create_task(b.gateway.halt("halted"))
        await asyncio.sleep(0)
        queued.set()  # its turn comes right behind the halt
        assert not (await halting).written
        journal.mended()
        assert (await b.broker.wait(ack_topic()))[0]["reason"] == "halted"


# the connection of its own


@dataclass
class Link:
    """A connection whose messages a test brings."""

    connected: bool = True
    handlers: dict[str, Handler] = field(default_factory=dict)
    published: list[Any] = field(default_factory=list)

    def subscribe(self, topic_filter: str, qos: int, handler: Handler, **more: Any) -> None:
        self.handlers[topic_filter] = handler

    async def publish(self, publication: Publication) -> None:
        self.published.append(json.loads(publication.payload))

    async def bring(self, topic: str, content: object) -> None:
        verb = topic.split("/")[3]
        handler = self.handlers.get(f"kis/bridge/request/{verb}/#")
        handler = handler or self.handlers["kis/bridge/request/#"]
        payload = json.dumps(content).encode()
        await handler(Message(topic, payload, 1, False, "", b"", None, 1, lambda: None))


class Asked:
    def __init__(self) -> None:
        self.main, self.urgent = Link(), Link()
        self.server = RequestServer(self.main, Topics("kis"), urgent=self.urgent)
        self.served: list[str] = []
        for verb in ("halt", "resume", "query"):
            self.server.register(verb, self._handler(verb))

    def _handler(self, verb: str) -> Callable[[dict[str, Any], Message], Any]:
        async def handle(content: dict[str, Any], message: Message) -> str:
            self.served.append(verb)
            return verb

        return handle


@pytest.mark.parametrize("topic", [HALT, RESUME, f"{HALT}/alice"])
@pytest.mark.parametrize("first", ["main", "urgent"])
async def test_a_halt_that_comes_on_both_connections_is_served_once(topic: str, first: str) -> None:
    asked = Asked()
    order = [asked.main, asked.urgent] if first == "main" else [asked.urgent, asked.main]
    async with asyncio.TaskGroup() as tasks:
        for link in order:
            tasks.create_task(link.bring(topic, {"transaction": 1}))
    assert len(asked.served) == 1
    assert (asked.main.published, len(asked.urgent.published)) == ([], 1)


async def test_whoever_halts_twice_is_answered_twice() -> None:
    asked = Asked()
    for link in (asked.urgent, asked.urgent, asked.main, asked.main):
        await link.bring(HALT, {})
    assert asked.served == ["halt"] * 2
    assert len(asked.urgent.published) == 2


async def test_a_halt_is_served_from_the_other_connection_when_its_own_is_away() -> None:
    asked = Asked()
    asked.urgent.connected = False
    await asked.main.bring(HALT, {})
    assert (asked.served, len(asked.main.published)) == (["halt"], 1)


async def test_a_halt_is_served_from_the_other_connection_when_its_own_says_nothing() -> None:
    asked = Asked()
    async with asyncio.timeout(2):
        await asked.main.bring(HALT, {})
    assert (asked.served, len(asked.main.published)) == (["halt"], 1)


async def test_other_requests_do_not_wait_for_a_twin() -> None:
    asked = Asked()
    async with asyncio.timeout(0.4):
        await asked.main.bring("kis/bridge/request/query", {})
        await asked.main.bring("kis/bridge/request/no/such/request", {})
    assert asked.served == ["query"]
    assert len(asked.main.published) == 2


# without a broker


async def test_a_file_halts_everybody_and_its_removal_resumes_nobody(tmp_path: Path) -> None:
    looked: asyncio.Queue[None] = asyncio.Queue()
    go_on: asyncio.Queue[None] = asyncio.Queue()

    async def pause(seconds: float) -> None:
        looked.put_nowait(None)
        await go_on.get()

    async def look() -> None:
        go_on.put_nowait(None)
        await looked.get()

    async with bench(tmp_path, rules=RULES) as b, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(LocalHalts(b.gateway, tmp_path, pause=pause).run())
        await looked.get()
        assert (await b.place())["status"] == "accepted"
        (tmp_path / FILE).touch()
        await look()
        assert (await b.place("b"))["reason"] == "halted"
        await b.gateway.halt("")
        await look()
        assert b.gateway.mode("", "") == "halted"  # as long as it is there
        (tmp_path / FILE).unlink()
        await look()
        assert (await b.place("c"))["reason"] == "halted"
        reasons = [told["reason"] for told in b.broker.on("kis/bridge/event/halted")]
        assert reasons == [f"the file {tmp_path / FILE}"] * 2
        await b.gateway.halt("")
        assert (await b.place("d"))["status"] == "accepted"
        watching.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGUSR1")
async def test_a_signal_halts_everybody(tmp_path: Path) -> None:
    looking = asyncio.Event()

    async def pause(seconds: float) -> None:
        looking.set()
        await asyncio.Event().wait()

    async with bench(tmp_path, rules=RULES) as b, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(LocalHalts(b.gateway, tmp_path, pause=pause).run())
        await looking.wait()
        os.kill(os.getpid(), signal.SIGUSR1)
        [told] = await b.broker.wait("kis/bridge/event/halted")
        assert (told["mode"], told["reason"]) == ("halted", "SIGUSR1")
        assert (await b.place())["reason"] == "halted"
        watching.cancel()
