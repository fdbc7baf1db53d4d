"""A gateway on a real journal file, against a KIS and a broker that are played here."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.kis.replies import KisError, KisNotSentError, Reply
from bridge.kis.throttle import Priority
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from bridge.orders.journal.journal import Journal

__all__ = [
    "CATALOG",
    "NUMBER",
    "PLACE",
    "Bench",
    "Broker",
    "Kis",
    "Queued",
    "ack_topic",
    "bench",
    "event_topic",
    "row",
    "state_topic",
    "taken",
]

CATALOG = load()
NUMBER = "12345678-01"
PLACE = {
    "client_order_id": "a-1",
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "limit",
    "quantity": 10,
    "price": 71900,
    "expires_at": "2999-01-01T00:00:00+09:00",
}


class Queued(asyncio.Event):
    """A call that waits for its turn in the throttle until this is set."""


@dataclass
class Kis:
    """Answers what it is told to, and takes every order otherwise."""

    script: list[Reply | KisError | asyncio.Event] = field(default_factory=list)
    calls: list[tuple[str, str, dict[str, str], Priority]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0
    listed: list[dict[str, str]] | KisError = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, happened: Callable[[Kis], bool]) -> None:
        """Wait until something is true after a call."""
        async with asyncio.timeout(10):
            while not happened(self):
                self.moved.clear()
                await self.moved.wait()

    async def call(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        tr_cont: str = "",
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        still: Callable[[], bool] = lambda: True,
        wanted: Callable[[], bool] = lambda: True,
        client: str = "",
    ) -> Reply:
        self.calls.append((api, variant, dict(params), priority))
        self.called.set()
        self.moved.set()
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            if isinstance(answer, Queued) and not still():
                raise KisNotSentError("called off")
            answer = None
        if isinstance(answer, KisError):
            raise answer
        if answer is not None:
            return answer
        self.number += 1
        return taken(self.number)

    async def pages(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        page_s: float | None = None,
        limit: int = 20,
        by_key: bool = False,
    ) -> AsyncIterator[Reply]:
        """Answer inquiries: by what ``listed`` makes of their number, else with nothing."""
        self.asked.append(api)
        self.moved.set()
        rows = self.listed if api.endswith("inquire_daily_ccld") else []
        if isinstance(rows, KisError):
            raise rows
        yield Reply("0", "", "", {"rt_cd": "0", "output1": list(rows), "output2": [{}]}, "D")


def now() -> int:
    return time.time_ns() // 1_000


def taken(number: int) -> Reply:
    output = {"KRX_FWDG_ORD_ORGNO": "91254", "ODNO": f"{number:010}", "ORD_TMD": "094745"}
    return Reply("0", "APBK0013", "done   ", {"rt_cd": "0", "output": output})


class Broker:
    """Remembers what was published; lets a test wait for a topic."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any], bool]] = []
        self.correlations: list[tuple[str, bytes]] = []
        self._changed = asyncio.Event()

    async def publish(self, publication: Publication) -> None:
        topic, payload = publication.topic, publication.payload
        assert publication.qos == 1
        content = json.loads(payload) if payload else {}
        self.published.append((topic, content, publication.retain))
        if publication.correlation:
            self.correlations.append((topic, publication.correlation))
        self._changed.set()

    def on(self, topic: str) -> list[dict[str, Any]]:
        return [payload for name, payload, _ in self.published if name == topic]

    async def wait(
        self, topic: str, count: int = 1, deadline_s: float = 10
    ) -> list[dict[str, Any]]:
        async with asyncio.timeout(deadline_s):
            while len(self.on(topic)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.on(topic)


class Bench:
    """A gateway, what surrounds it, and who sends commands."""

    def __init__(
        self,
        gateway: Gateway,
        kis: Kis,
        broker: Broker,
        journal: Journal,
        clock: Callable[[], int],
    ) -> None:
        self.gateway, self.kis, self.broker, self.journal = gateway, kis, broker, journal
        self.clock = clock
        self.acked: list[bytes] = []
        self.fills = 0

    def message(
        self,
        verb: str,
        command: Mapping[str, object] | bytes,
        *,
        client: str = "alice",
        account: str = "main",
        **properties: Any,
    ) -> Message:
        payload = command if isinstance(command, bytes) else json.dumps(command).encode()
        fields: dict[str, Any] = {
            "topic": f"kis/orders/{account}/{client}/command/{verb}",
            "payload": payload,
            "qos": 1,
            "retain": False,
            "response_topic": "",
            "correlation": b"",
            "expiry_s": None,
            "received_at": self.clock(),
            "ack": lambda: self.acked.append(payload),
        }
        return Message(**(fields | properties))

    async def send(self, verb: str, command: Mapping[str, object] | bytes, **more: Any) -> None:
        await self.gateway.command(self.message(verb, command, **more))

    async def place(self, name: str = "a-1", **fields: object) -> dict[str, Any]:
        acks = len(self.broker.on(ack_topic(name)))
        await self.send("place", PLACE | {"client_order_id": name} | fields)
        return (await self.broker.wait(ack_topic(name), acks + 1))[-1]

    async def ask(self, verb: str, name: str = "a-1", **fields: object) -> dict[str, Any]:
        acks = len(self.broker.on(ack_topic(name)))
        expires = {"client_order_id": name, "expires_at": PLACE["expires_at"]}
        await self.send(verb, expires | fields)
        return (await self.broker.wait(ack_topic(name), acks + 1))[-1]

    def notice(self, order_no: str, **fields: str) -> None:
        values = {
            "account": "1234567801",
            "order_no": order_no,
            "original_order_no": "",
            "side": "02",
            "modify_cancel": "0",
            "symbol": "005930",
            "quantity": "0000000000",
            "price": "000071900",
            "time": "094746",
            "rejected": "0",
            "filled": "1",
            "acceptance": "1",
        }
        self.gateway.notice(values | fields, self.clock())

    def fill(self, order_no: str, quantity: int, price: int, **fields: str) -> None:
        self.fills += 1
        self.notice(
            order_no,
            **{"time": f"09{self.fills:04}"} | fields,
            filled="2",
            acceptance="2",
            quantity=f"{quantity:010}",
            price=f"{price:09}",
        )


def ack_topic(name: str = "a-1", client: str = "alice") -> str:
    return f"kis/orders/main/{client}/ack/{name}"


def event_topic(name: str = "a-1") -> str:
    return f"kis/orders/main/alice/event/{name}"


def state_topic(name: str = "a-1") -> str:
    return f"kis/orders/main/alice/state/{name}"


@asynccontextmanager
async def bench(
    path: Path,
    *,
    kis: Kis | None = None,
    broker: Broker | None = None,
    journal: Journal | None = None,
    rules: Rules | None = None,
    accounts: Mapping[str, TradingAccount] | None = None,
    clock: Callable[[], int] = now,
    **more: Any,
) -> AsyncIterator[Bench]:
    kis, broker = kis or Kis(), broker or Broker()
    journal = journal or Journal(f"sqlite:///{path}/orders.db")
    await journal.open()
    gateway = Gateway(
        catalog=CATALOG,
        journal=journal,
        sink=broker,
        topics=Topics("kis"),
        accounts=accounts
        or {"main": TradingAccount(SecretStr(NUMBER), kis, lambda _: (0, clock()))},
        rules=rules or Rules(paper=False, pause_s=0.001, grace_s=0.05),
        clock=clock,
        **more,
    )
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(gateway.run())
            await gateway.ready()
            yield Bench(gateway, kis, broker, journal, clock)
            await gateway.stop()
    finally:
        await journal.close()


def row(order_no: str, **fields: str) -> dict[str, str]:
    """Return a row of the exchange's list: an order like ``PLACE``, taken just now."""
    now = datetime.now(ZoneInfo("Asia/Seoul"))
    values = {
        "ord_dt": f"{now:%Y%m%d}",
        "ord_tmd": f"{now:%H%M%S}",
        "odno": f"{int(order_no):010}",
        "orgn_odno": "",
        "ord_gno_brno": "91254",
        "sll_buy_dvsn_cd": "02",
        "sll_buy_dvsn_cd_name": "현금매수",
        "pdno": "005930",
        "ord_qty": "10",
        "ord_unpr": "71900",
        "ord_dvsn_cd": "00",
        "tot_ccld_qty": "0",
        "tot_ccld_amt": "0",
        "avg_prvs": "0",
        "rmn_qty": "10",
        "cnc_cfrm_qty": "0",
        "rjct_qty": "0",
        "cncl_yn": "N",
        "ordr_empno": "OpnAPI",
    }
    return values | fields
