"""An exchange, KIS's gateway and its notices in one process and one virtual time.

The exchange and what answers its calls are the simulator's, the REST client is the bridge's own;
between them is a wire that loses, delays and repeats what it is told to.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Literal, TypeVar

import httpx
from pydantic import SecretStr
from sqlalchemy import Connection

from bridge.catalog.compile import load
from bridge.kis.clock import KisClock
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Throttle
from bridge.orders.journal import database
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.journal import Journal
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.tickets import Ticket
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream.notices import off_book_notice, stock_notice

__all__ = [
    "ACCOUNT",
    "CATALOG",
    "FUTURES",
    "OVERSEAS",
    "START",
    "Fault",
    "InlineJournal",
    "VirtualExchange",
    "VirtualLoop",
]

CATALOG = load()
ACCOUNT, FUTURES, OVERSEAS = "12345678-01", "12345678-03", "12345678-08"
START = 1_795_395_600  # 2026-11-23 10:00 in Seoul, a Monday
_T = TypeVar("_T")
_KST = timezone(timedelta(hours=9), "KST")

Fault = Literal[
    "lost", "never", "late", "busy", "gateway", "garbage", "slow", "cut", "code", "number"
]
"""What becomes of the next order call: processed and the answer lost; never processed; processed
after the caller gave up; refused as one too many; ``EGW00301`` after processing; an unreadable
answer; a slow one; no connection at all; a code that KIS lists nowhere after processing; an answer
with the number of an earlier order."""


class _Idle(selectors.DefaultSelector):
    """A selector that never waits: it hands the waiting to the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.skip: Callable[[float], None] = lambda seconds: None

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout:
            self.skip(timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing is left to do."""

    def __init__(self) -> None:
        selector = _Idle()
        super().__init__(selector)
        self._now = 0.0
        selector.skip = self._skip

    def time(self) -> float:
        return self._now

    def _skip(self, seconds: float) -> None:
        self._now += seconds

    def micros(self) -> int:
        """Return µs since the epoch."""
        return START * 1_000_000 + int(self._now * 1_000_000)

    def now(self) -> datetime:
        return datetime.fromtimestamp(START, _KST) + timedelta(seconds=self._now)


class _Tokens:
    async def token(
        self, *, refresh_of: SecretStr | None = None, deadline: float | None = None
    ) -> SecretStr:
        return SecretStr("token")


class InlineWriter:
    """Works with the database without a thread; may die before or after a write, as a process."""

    def __init__(self, url: str) -> None:
        self.url = database.parse(url)
        self.dead = False
        self.dies_in = 0
        self.dies_before = False
        self.mark, self.within = Mark("", 0), None

    async def adopt(self, least: int) -> None:
        raise NotImplementedError

    async def refresh(self) -> None:
        raise NotImplementedError

    async def open(self) -> None:
        self._lock = database.claim(self.url)
        self._engine = database.open_engine(self.url)
        self._connection = self._engine.connect()
        with self._connection.begin():
            database.prepare(self._connection, self.url)

    async def close(self) -> None:
        self._connection.close()
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)

    async def run(self, work: Callable[[Connection, bool], _T], *, writes: bool = False) -> _T:
        await asyncio.sleep(0.002)  # a disk takes its time
        last = self.dies_in == 1
        self.dies_in = max(0, self.dies_in - 1)
        self.dead = self.dead or (last and self.dies_before)
        if not self.dead:
            with self._connection.begin():
                result = work(self._connection, False)
            self.dead = last
        if self.dead:
            await asyncio.Event().wait()
        return result


class InlineJournal(Journal):
    """The journal without its thread."""

    def __init__(self, url: str) -> None:
        self.writer = InlineWriter(url)
        super().__init__(url, self.writer)
        self._sidecar = None  # a thread has no virtual time

    async def close(self) -> None:
        """Let go of the database; a process that was killed says nothing more before that."""
        self._opened = self._opened and not self.writer.dead
        await super().close()


@dataclass
class VirtualExchange:
    """Everything beyond the bridge."""

    loop: VirtualLoop
    faults: deque[Fault] = field(default_factory=deque)
    """Of the next order calls, first to last."""
    list_faults: int = 0
    """How many of the next inquiries fail."""
    lag_s: float = 0.0
    """How long an order is missing from the list at first."""
    sent: dict[str, list[str]] = field(default_factory=dict)
    """The exchange's order numbers by what the bridge called its task: one command each."""
    told_numbers: list[str] = field(default_factory=list)
    """Of orders, that the bridge has told its clients."""
    at: dict[str, float] = field(default_factory=dict)
    """When the exchange took each number."""
    notices: deque[dict[str, str]] = field(default_factory=deque)
    """On their way, oldest first."""

    def __post_init__(self) -> None:
        shares = [("005930", 1_000, 274_000), ("000660", 1_000, 1_180_000)]
        self.exchange = Exchange(seed=7, accounts=[with_holdings(ACCOUNT, 10**12, shares)])
        settings = SimulatorSettings(environment="real", accounts=(ACCOUNT, FUTURES, OVERSEAS))
        self.off_book = OffBook(settings.seed, settings.accounts)
        self.handlers = Handlers(self.exchange, CATALOG, settings, self.off_book)
        self._layout = CATALOG.channels["H0STCNI0"].layouts[0]

    def date(self) -> dict[str, str]:
        """Return the header in which KIS tells its time."""
        return {"date": format_datetime(self.loop.now().astimezone(UTC), usegmt=True)}

    def rest(self, per_second: float = 100, clock: KisClock | None = None) -> RestClient:
        """Return a client of the bridge's own at this exchange; ``clock`` learns its time."""
        return RestClient(
            CATALOG,
            httpx.AsyncClient(transport=_Wire(self)),
            "http://exchange",
            SecretStr("key"),
            SecretStr("secret"),
            _Tokens(),
            Throttle(per_second, clock=self.loop.time, call_at=self.loop.call_at),
            paper=False,
            monotonic=self.loop.time,
            clock=clock,
        )

    def trade(self, symbol: str, times: int) -> None:
        """Let the traders act."""
        for _ in range(times):
            self.exchange.act(symbol, self.loop.now())
        self.collect()

    def collect(self) -> None:
        """Put the notices of what happened on their way."""
        events, self.exchange.events = self.exchange.events, []
        for event in events:
            values = {k: str(v) for k, v in stock_notice(event, hts_id="x", name="x").items()}
            self.notices.append({f.path: values.get(f.name, "") for f in self._layout.fields})

    def told(self) -> list[tuple[str, dict[str, str]]]:
        """Return the notices of the other markets since the last call, each with its market."""
        events, self.off_book.events = self.off_book.events, []
        found = []
        for event in events:
            tr_id, values = off_book_notice(event, hts_id="x")
            channel = CATALOG.channels[tr_id]
            paths = {f.path: str(values.get(f.name, "")) for f in channel.layouts[0].fields}
            found.append((channel.market, paths))
        return found

    def chain(self, number: str) -> list[Ticket]:
        """Return an order and everything that changed it."""
        found = [self.exchange.tickets[number]]
        for ticket in self.exchange.tickets.values():
            if ticket.original in {one.number for one in found}:
                found.append(ticket)
        return found

    def process(
        self, path: str, tr_id: str, params: Mapping[str, str], cont: str, by: str
    ) -> Answer:
        """Carry out a call."""
        call = self.handlers.calls[path]
        before = set(self.exchange.tickets)
        answer = self.handlers.answer(call, call.real[tr_id], params, cont, self.loop.now())
        new = [number for number in self.exchange.tickets if number not in before]
        self.at |= dict.fromkeys(new, self.loop.time())
        if new:
            self.sent.setdefault(by, []).extend(new)
        self.collect()
        return answer


class _Wire(httpx.AsyncBaseTransport):
    def __init__(self, virtual: VirtualExchange) -> None:
        self._virtual = virtual

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        virtual, path = self._virtual, request.url.path
        task = asyncio.current_task()
        by = task.get_name() if task else ""
        tr_id = request.headers["tr_id"]
        cont = request.headers.get("tr_cont", "")
        if request.method == "GET":
            return await self._inquiry(request, path, tr_id, cont)
        content = json.loads(request.content)
        params = {name.upper(): value for name, value in content.items()}
        fault = virtual.faults.popleft() if virtual.faults else None

        def go() -> Answer:
            return virtual.process(path, tr_id, params, cont, by)

        match fault:
            case "cut":
                raise httpx.ConnectError("cut")
            case "busy":
                return _answer(virtual, Answer("1", "EGW00201", "too many", http=500))
            case "never":
                await asyncio.sleep(0.3)
                raise httpx.ReadTimeout("never")
            case "late":
                virtual.loop.call_later(1.5, go)
                await asyncio.sleep(0.2)
                raise httpx.ReadTimeout("late")
            case "lost":
                go()
                await asyncio.sleep(0.2)
                raise httpx.RemoteProtocolError("lost")
            case "gateway":
                go()
                return _answer(virtual, Answer("1", "EGW00301", "timeout", http=500))
            case "code":
                go()
                return _answer(virtual, Answer("1", "IGW00007", "?"))
            case "number":
                answer = go()
                if virtual.told_numbers and answer.rt_cd == "0":
                    answer.outputs["output"]["ODNO"] = virtual.told_numbers[-1]
                return _answer(virtual, answer)
            case "garbage":
                go()
                return httpx.Response(200, content=b"<html>")
            case "slow":
                answered: list[Answer] = []
                # On the wire it is out of the bridge's hands, whatever becomes of the bridge.
                virtual.loop.call_later(0.7, lambda: answered.append(go()))
                await asyncio.sleep(1.1)
                return _answer(virtual, answered[0])
        answer = go()
        await asyncio.sleep(0.01)
        return _answer(virtual, answer)

    async def _inquiry(
        self, request: httpx.Request, path: str, tr_id: str, cont: str
    ) -> httpx.Response:
        virtual = self._virtual
        if virtual.list_faults:
            virtual.list_faults -= 1
            await asyncio.sleep(0.1)
            raise httpx.ReadTimeout("no list")
        params = {name.upper(): value for name, value in request.url.params.items()}
        answer = virtual.process(path, tr_id, params, cont, "")
        await asyncio.sleep(0.02)
        if virtual.lag_s and path.endswith("inquire-daily-ccld"):
            since = (virtual.loop.now() - timedelta(seconds=virtual.lag_s)).strftime("%H%M%S")
            rows = answer.outputs["output1"]
            answer.outputs["output1"] = [row for row in rows if row["ord_tmd"] <= since]
        return _answer(virtual, answer)


def _answer(virtual: VirtualExchange, answer: Answer) -> httpx.Response:
    headers = {"tr_cont": answer.tr_cont, **virtual.date()}
    return httpx.Response(answer.http, json=answer.body, headers=headers)
