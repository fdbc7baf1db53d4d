"""Any interleaving of commands, faults, notices and crashes, against the exchange itself.

The gateway, the REST client, the throttle and the journal are the real ones; the exchange and what
answers its calls are the simulator's. Time is virtual: a run is the same each time it is tried.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import SecretStr

from bridge.kis.clock import KisClock
from bridge.kis.listing import plain
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from bridge.orders.journal.reader import read
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import restore
from bridge.orders.risk.halts import HaltOutcome, Mode
from bridge.orders.risk.limits import Limits
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest
from tests.component.virtual_exchange import (
    ACCOUNT,
    CATALOG,
    START,
    Fault,
    InlineJournal,
    VirtualExchange,
    VirtualLoop,
)
from tests.soak import SOAK

PROOF_S = 4.0
SYMBOLS = ("005930", "000660")
CLIENTS = ("alice", "bob")
WAITS = st.sampled_from([0.0, 0.05, 1.0])
DAILY = Decimal(120_000_000)


class Wire:
    """The broker, and the client that keeps what is to be published while it is away.

    It delivers again what was not acknowledged.
    """

    def __init__(self, loop: VirtualLoop, virtual: VirtualExchange) -> None:
        self.loop = loop
        self.virtual = virtual
        self.swept: dict[str, float] = {}
        """When each ``cancel_all`` was answered that left nothing open, by its topic."""
        self.away = False
        self.waiting: list[tuple[str, dict[str, Any]]] = []
        self.kept: list[tuple[str, bytes]] = []
        self.published: list[tuple[str, dict[str, Any]]] = []

    async def publish(self, publication: Publication) -> None:
        topic, payload = publication.topic, publication.payload
        said = (topic, json.loads(payload) if payload else {})
        if said[1].get("verb") == "cancel_all" and said[1]["status"] == "accepted":
            self.swept.setdefault(topic, self.loop.time())
        if "/ack/" in topic and said[1].get("order_no"):
            self.virtual.told_numbers.append(said[1]["order_no"])
        (self.waiting if self.away else self.published).append(said)

    def back(self) -> None:
        self.away = False
        self.published += self.waiting
        self.waiting.clear()


class Orders(RuleBasedStateMachine):
    """The bridge is ``self.gateway``; what it is surrounded by outlives it."""

    @initialize()
    def start(self) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
        self.loop = VirtualLoop()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{Path(self.folder.name)}/orders.db"
        self.virtual = VirtualExchange(self.loop)
        self.wire = Wire(self.loop, self.virtual)
        self.halting: list[asyncio.Task[HaltOutcome]] = []
        self.number = 0
        self.askew_s = 0.0
        self.commands: list[tuple[str, bytes]] = []
        self.up()

    # the bridge's life

    def listened(self, market: str) -> tuple[int, int]:
        """What is on its way has not been heard."""
        return self.heard_since, self.loop.micros() if not self.virtual.notices else 0

    def wall(self) -> int:
        """What the machine's clock says, which somebody may set at any moment."""
        return self.loop.micros() + int(self.askew_s * 1_000_000)

    def up(self) -> None:
        self.clock = KisClock(self.wall, lambda: int(self.loop.time() * 1_000_000))
        if not self.virtual.list_faults:  # KIS answers, and tells its time first of all
            self.clock.heard(self.virtual.date(), self.clock.steady())
        self.heard_since = self.loop.micros()
        self.journal = InlineJournal(self.url)
        self.gateway = Gateway(
            catalog=CATALOG,
            journal=self.journal,
            sink=self.wire,
            topics=Topics("kis"),
            accounts={
                "main": TradingAccount(
                    SecretStr(ACCOUNT), self.virtual.rest(clock=self.clock), self.listened
                )
            },
            rules=Rules(
                paper=False,
                proof_s=PROOF_S,
                unknown_s=0.5,
                reconcile_s=20,
                pause_s=0.1,
                grace_s=0.1,
                limits=Limits(daily_notional=DAILY),
            ),
            clock=self.clock.now,
            clock_problem=self.clock.problem,
        )

        async def opened() -> asyncio.Task[None]:
            await self.journal.open()
            return asyncio.create_task(self.gateway.run())

        self.running = self.loop.run_until_complete(opened())
        self.loop.run_until_complete(asyncio.wait_for(self.gateway.ready(), 5))
        for topic, payload in self.wire.kept[:]:
            self.deliver(topic, payload)

    def down(self) -> None:
        """Kill it: nothing is finished, nothing more is written."""
        self.journal.writer.dead = True
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.running)
        for halt in self.halting:
            halt.cancel()
        if self.halting:
            self.loop.run_until_complete(asyncio.wait(self.halting))
        self.loop.run_until_complete(self.journal.close())
        self.virtual.notices.clear()  # nobody listened
        self.wire.waiting.clear()

    def let(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        if self.running.done() and not self.running.cancelled():
            self.running.result()

    def deliver(self, topic: str, payload: bytes) -> None:
        def acknowledged() -> None:
            if (topic, payload) in self.wire.kept:
                self.wire.kept.remove((topic, payload))

        message = Message(topic, payload, 1, False, "", b"", None, self.clock.now(), acknowledged)
        task = self.loop.create_task(self.gateway.command(message))
        self.let(0.0)
        assert task.done() or self.journal.writer.dead

    def send(self, client: str, verb: str, **fields: object) -> None:
        topic = f"kis/orders/main/{client}/command/{verb}"
        content = {"expires_at": "2026-11-24T00:00:00+09:00"} | fields
        payload = json.dumps(content, sort_keys=True).encode()
        self.commands.append((topic, payload))
        self.wire.kept.append((topic, payload))
        self.deliver(topic, payload)

    # what may happen

    @rule(
        client=st.sampled_from(CLIENTS),
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(["buy", "sell"]),
        quantity=st.sampled_from([1, 2, 25, 60]),
        step=st.sampled_from([-2000, -1000, 0, 1000]),
        wait=WAITS,
    )
    def place(
        self, client: str, symbol: str, side: str, quantity: int, step: int, wait: float
    ) -> None:
        self.number += 1
        price = self.virtual.exchange.market(symbol, self.loop.now()).listing.base + step
        self.send(
            client,
            "place",
            client_order_id=f"{client}-{self.number}",
            market="domestic_stock",
            venue="krx",
            symbol=symbol,
            side=side,
            order_type="limit",
            quantity=quantity,
            price=price,
        )
        self.let(wait)

    @rule(which=st.integers(0, 5), step=st.sampled_from([-1000, 1000]), wait=WAITS)
    def modify(self, which: int, step: int, wait: float) -> None:
        if (found := self.placed(which)) is not None:
            client, order = found
            price = order["price"] + step
            self.change(client, "modify", order["client_order_id"], wait, price=price)

    @rule(which=st.integers(0, 5), quantity=st.sampled_from([None, None, 1]), wait=WAITS)
    def cancel(self, which: int, quantity: int | None, wait: float) -> None:
        if (found := self.placed(which)) is not None:
            client, order = found
            part = {} if quantity is None else {"quantity": quantity}
            self.change(client, "cancel", order["client_order_id"], wait, **part)

    def placed(self, which: int) -> tuple[str, dict[str, Any]] | None:
        places = [(t, p) for t, p in self.commands if t.endswith("/place")]
        if which >= len(places):
            return None
        topic, payload = places[-1 - which]
        return topic.split("/")[3], json.loads(payload)

    def change(self, client: str, verb: str, name: str, wait: float, **fields: object) -> None:
        self.number += 1
        self.send(client, verb, client_order_id=name, command_id=f"c{self.number}", **fields)
        self.let(wait)

    @rule(client=st.sampled_from(CLIENTS))
    def cancel_all(self, client: str) -> None:
        self.number += 1
        self.send(client, "cancel_all", client_order_id=f"all-{self.number}")
        self.let(0.05)

    @rule(client=st.sampled_from(CLIENTS), sweeps=st.booleans(), wait=WAITS)
    def halt(self, client: str, sweeps: bool, wait: float) -> None:
        """Halt a client, and let it go again."""
        modes: tuple[Mode, Mode] = ("halted", "")
        for mode in modes:
            halting = self.gateway.halt(mode, client=client, cancel_all=sweeps and bool(mode))
            self.halting.append(self.loop.create_task(halting))
            self.let(wait)

    @rule(which=st.integers(0, 30))
    def deliver_again(self, which: int) -> None:
        if self.commands:
            self.deliver(*self.commands[which % len(self.commands)])

    @rule(
        fault=st.sampled_from(
            ["lost", "never", "late", "busy", "gateway", "garbage", "slow", "cut", "code", "number"]
        )
    )
    def disturb(self, fault: Fault) -> None:
        self.virtual.faults.append(fault)

    @rule(failures=st.integers(0, 2), lag=st.sampled_from([0.0, 0.0, 2.0, 8.0]))
    def disturb_the_list(self, failures: int, lag: float) -> None:
        self.virtual.list_faults, self.virtual.lag_s = failures, lag

    @rule(symbol=st.sampled_from(SYMBOLS), times=st.integers(1, 10))
    def trade(self, symbol: str, times: int) -> None:
        self.virtual.trade(symbol, times)

    @rule(symbol=st.sampled_from(SYMBOLS), quantity=st.integers(1, 3))
    def somebody_else_orders(self, symbol: str, quantity: int) -> None:
        price = self.virtual.exchange.market(symbol, self.loop.now()).listing.base - 5000
        self.by_hand(OrderRequest(ACCOUNT, symbol, Side.BUY, quantity, price, channel="Nsmart"))

    @rule(askew_s=st.sampled_from([0.0, 0.0, 5.0, 900.0, -900.0, 86_400.0, -86_400.0]))
    def set_the_clock(self, askew_s: float) -> None:
        """Somebody sets the machine's clock, right or wrong."""
        self.askew_s = askew_s

    @rule(which=st.integers(0, 3))
    def somebody_else_orders_the_same(self, which: int) -> None:
        """A person places by hand what a command placed, or was to place."""
        if (found := self.placed(which)) is not None:
            _, order = found
            side = Side.BUY if order["side"] == "buy" else Side.SELL
            same = order["symbol"], side, order["quantity"], order["price"]
            self.by_hand(OrderRequest(ACCOUNT, *same, channel="Nsmart"))

    def by_hand(self, request: OrderRequest) -> None:
        with suppress(OrderRefused):
            self.virtual.exchange.place(request, self.loop.now())
        self.virtual.collect()

    @rule(count=st.integers(1, 10), at=st.integers(0, 3), again=st.booleans())
    def notify(self, count: int, at: int, again: bool) -> None:
        """Notices arrive: out of order, and some of them twice."""
        for _ in range(count):
            if self.virtual.notices and not self.journal.writer.dead:
                values = self.virtual.notices[at % len(self.virtual.notices)]
                self.gateway.notice(values, self.clock.now())
                if not again:
                    self.virtual.notices.remove(values)
        self.let(0.01)

    @rule()
    def reconnect(self) -> None:
        """The session was away: what was told meanwhile is lost."""
        self.virtual.notices.clear()
        self.heard_since = self.loop.micros()
        self.gateway.gap("main")

    @rule(away=st.booleans())
    def broker(self, away: bool) -> None:
        self.wire.away = away
        if not away:
            self.wire.back()
            for topic, payload in self.wire.kept[:]:
                self.deliver(topic, payload)

    @rule(writes=st.integers(1, 5), before=st.booleans())
    def die_soon(self, writes: int, before: bool) -> None:
        self.journal.writer.dies_in, self.journal.writer.dies_before = writes, before

    @rule()
    def crash(self) -> None:
        self.down()
        self.up()

    @rule(seconds=st.sampled_from([0.01, 0.2, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.let(seconds)
        if self.journal.writer.dead:
            self.crash()

    # what must hold

    @invariant()
    def nothing_is_placed_twice(self) -> None:
        if hasattr(self, "virtual"):
            for name, numbers in self.virtual.sent.items():
                assert not name.startswith(("place", "modify")) or len(numbers) <= 1, name

    def teardown(self) -> None:
        if not hasattr(self, "running"):
            return
        try:
            self.settle()
            self.compare()
            self.nothing_is_placed_twice()
            self.nothing_is_left_of_what_was_cancelled()
            self.a_halt_ends_with_nothing_of_ours_open()
        finally:
            self.down()
            self.loop.close()
            self.folder.cleanup()
            structlog.reset_defaults()

    def settle(self) -> None:
        self.virtual.faults.clear()
        self.virtual.list_faults, self.virtual.lag_s = 0, 0.0
        self.askew_s = 0.0
        self.journal.writer.dies_in = 0
        if self.journal.writer.dead:
            self.crash()
        self.broker(away=False)
        self.let(3.0)
        while self.virtual.notices:
            self.gateway.notice(self.virtual.notices.popleft(), self.clock.now())
        self.let(PROOF_S + 3.0)
        self.gateway.gap("main")  # as after any interruption
        self.let(25.0)

    def compare(self) -> None:
        """Hold the journal on disk against the exchange."""
        told = {
            (event["client"], event["client_order_id"])
            for topic, event in self.wire.published
            if topic in ("kis/bridge/event/order_unknown", "kis/bridge/event/order_ambiguous")
        }
        spent = Decimal(0)
        journal = {one.identity: one for one in map(restore, read(self.url))}
        for managed in journal.values():
            _, client, name, _ = managed.identity
            state = managed.progress.state
            order = journal.get(managed.identity._replace(command_id=""))
            unknown = order is not None and order.progress.state is State.UNKNOWN
            if not (managed.verb == "cancel" and unknown):  # that waits for its order
                assert managed.progress.answer is not None, (managed.identity, state)
            if managed.verb != "place":
                continue
            numbers = self.virtual.sent.get(f"place main/{client}/{name}/", [])
            if state is State.UNKNOWN:
                assert (client, name) in told
                continue
            if not numbers:
                assert state in (State.REFUSED, State.REJECTED, State.NOT_PLACED), state
                continue
            chain = self.virtual.chain(numbers[0])
            spent += max(t.request.price * t.request.quantity for t in chain)
            self.same(managed, chain)
        assert spent <= DAILY
        assert not self.wire.kept

    def nothing_is_left_of_what_was_cancelled(self) -> None:
        """What came before a ``cancel_all`` is not sent after its ack, nor open any more."""
        for number, (topic, payload) in enumerate(self.commands):
            _, _, _, client, _, verb = topic.split("/")
            name = json.loads(payload)["client_order_id"]
            swept = self.wire.swept.get(f"kis/orders/main/{client}/ack/{name}")
            if verb != "cancel_all" or swept is None:
                continue
            for earlier, content in self.commands[:number]:
                order = json.loads(content)["client_order_id"]
                if earlier != topic.replace("cancel_all", "place"):
                    continue
                for first in self.virtual.sent.get(f"place main/{client}/{order}/", []):
                    assert self.virtual.at[first] <= swept, (name, order)
                    left = sum(ticket.remaining for ticket in self.virtual.chain(first))
                    assert not left, (name, order)

    def a_halt_ends_with_nothing_of_ours_open(self) -> None:
        """Whatever the journal believes; and what somebody else has open stays."""
        others = {one.number: one.remaining for one in self.tickets() if not self.ours(one)}
        # One cancellation is lost on its way.
        self.virtual.faults.append("never")
        halt = self.gateway.halt("halted", cancel_all=True)
        self.loop.run_until_complete(halt)
        self.let(60.0)
        journal = map(restore, read(self.url))
        places = (one for one in journal if one.verb == "place")
        unknown = [one for one in places if one.progress.state is State.UNKNOWN]
        names = [f"place {'/'.join(one.identity)}" for one in unknown]
        numbers = [number for name in names for number in self.virtual.sent.get(name, [])]
        doubtful = {one.number for number in numbers for one in self.virtual.chain(number)}
        for ticket in self.tickets():
            if ticket.number in others:
                assert ticket.remaining == others[ticket.number]
            elif ticket.number not in doubtful and ticket.action != "cancel":
                assert not ticket.remaining, ticket
        told = [event for topic, event in self.wire.published if topic.endswith("/halt_done")]
        assert unknown or told[-1]["complete"], told

    def tickets(self) -> list[Any]:
        return list(self.virtual.exchange.tickets.values())

    def ours(self, ticket: Any) -> bool:
        return any(ticket.number in numbers for numbers in self.virtual.sent.values())

    def same(self, managed: Any, chain: list[Any]) -> None:
        progress = managed.progress
        orders = [ticket for ticket in chain if ticket.action != "cancel"]
        filled = sum(ticket.filled for ticket in orders)
        remaining = sum(ticket.remaining for ticket in orders)
        known = {plain(leg.order_no) for leg in progress.legs}
        assert {plain(ticket.number) for ticket in orders} == known
        assert (progress.filled, progress.remaining) == (filled, remaining), progress
        assert progress.value == sum(ticket.value for ticket in orders)
        expected = State.ACCEPTED
        if filled == progress.quantity:
            expected = State.FILLED
        elif not remaining:
            expected = State.CANCELLED
        elif filled:
            expected = State.PARTIALLY_FILLED
        assert progress.state is expected


assert START  # the day that the expiry above is after

TestOrders = Orders.TestCase
TestOrders.pytestmark = [pytest.mark.timeout(6 * 3_600 if SOAK else 300)]  # type: ignore[attr-defined]
TestOrders.settings = settings(
    max_examples=20_000 if SOAK else 80,
    stateful_step_count=60 if SOAK else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not SOAK,
)
