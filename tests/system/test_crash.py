"""The daemon is killed with orders in flight, again and again; then the exchange is asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.kis.listing import plain
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message, Publication
from bridge.orders.journal.reader import read
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import restore
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest, Ticket
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.soak import SOAK
from tests.system.crashing_daemons import CrashingDaemons
from tests.system.programs import bridge_toml, where

BOUNDARIES = {"admit": 4, "append": 6, "expand": 2, "save_mark": 2}
"""Of each write of the journal: up to which one of a daemon's life it dies there."""
PARTS = range(5 if SOAK else 1)
"""Each on an exchange of its own: a list of thousands of orders would be most of what is waited
for."""
ROUNDS = 6 if SOAK else 4
EARLY, FILLED = (20, 40) if SOAK else (15, 30)
AT_WRITES = sum(BOUNDARIES.values()) * 2 * ROUNDS
DEATHS = AT_WRITES + EARLY + FILLED
DEADLINE_S = 60
"""For each thing that is waited for: no bound of how fast a machine must be."""
SYMBOLS = [f"{number:06}" for number in range(1_110, 1_350, 10)]
CLIENTS = ("alice", "bob")
TWINS = 0.2
"""How many orders a person places by hand as well, in the same moment."""


@dataclass(frozen=True)
class Death:
    """When a daemon dies."""

    write: str = ""
    """At this write of its journal by itself; blank: it is killed."""
    nth: int = 0
    before: bool = False
    stopped: bool = False
    """Stands still for a while before it, with orders on their way."""
    filled: bool = False
    """Killed after the answer to an order that has filled, otherwise after any answer."""


@dataclass
class Clients:
    """Send commands, and remember what came back."""

    control: ControlClient
    simulator: Simulator
    random: Random
    placed: dict[str, dict[str, Any]] = field(default_factory=dict)
    acks: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: int = 0
    """Acks that have come, repeated ones too."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    online: bool = False

    async def heard(self, message: Message) -> None:
        message.ack()
        if "/ack/" in message.topic:
            ack = json.loads(message.payload)
            self.answers += 1
            self.acks[f"{message.topic} {ack.get('command_id') or ''}"] = ack
        self.online = self.online or message.topic.endswith("/state")
        self.changed.set()

    async def place(self, *, crosses: bool | None = None) -> str:
        """Place an order whose symbol, quantity and price no other has."""
        number = len(self.placed)
        symbol = SYMBOLS[number % len(SYMBOLS)]
        market = self.simulator.exchange.market(symbol, self.simulator.clock())
        crosses = self.random.random() < 0.5 if crosses is None else crosses
        name = f"o-{number}"
        order: dict[str, Any] = {
            "client_order_id": name,
            "market": "domestic_stock",
            "venue": "krx",
            "symbol": symbol,
            "side": "buy",
            "order_type": "limit",
            "quantity": 1 + number // len(SYMBOLS),
            "price": market.upper if crosses else market.lower,
            "expires_at": "2999-01-01T00:00:00+09:00",
        }
        self.placed[name] = order
        if self.random.random() < TWINS:
            self.by_hand(order)
        return await self.command(number, "place", order)

    def by_hand(self, order: dict[str, Any]) -> None:
        """Place the same as a person does, with another program than the bridge."""
        request = OrderRequest(
            *(self.simulator.account, order["symbol"], Side.BUY, order["quantity"]),
            price=order["price"],
            channel="Nsmart",
        )
        self.simulator.exchange.place(request, self.simulator.clock())

    async def change(self, verb: str = "") -> str:
        """Cancel or modify one of the last orders, or cancel all of its client."""
        number = max(0, len(self.placed) - self.random.randrange(1, 6))
        verb = verb or self.random.choice(["cancel", "modify"] * 3 + ["cancel_all"])
        name, now = f"o-{number}", time.monotonic_ns()
        change: dict[str, Any] = {"client_order_id": name, "command_id": f"{verb}-{now}"}
        if verb == "cancel_all":
            change = {"client_order_id": f"all-{now}"}
        change["expires_at"] = "2999-01-01T00:00:00+09:00"
        if verb == "modify":
            order = self.placed[name]
            market = self.simulator.exchange.market(order["symbol"], self.simulator.clock())
            change["price"] = market.lower
        return await self.command(number, verb, change)

    async def command(self, number: int, verb: str, content: dict[str, Any]) -> str:
        """Send a command; return under which key its ack will be."""
        own = f"kis/orders/main/{CLIENTS[number % 2]}"
        await self.control.publish(
            Publication(f"{own}/command/{verb}", json.dumps(content).encode())
        )
        return f"{own}/ack/{content['client_order_id']} {content.get('command_id', '')}"

    async def until(self, what: str, true: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not true():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            pytest.fail(f"not within {DEADLINE_S} s: {what}")


@asynccontextmanager
async def clients(broker: Mosquitto, simulator: Simulator) -> AsyncIterator[Clients]:
    control = ControlClient([Endpoint.parse(broker.url)], client_id="traders", clean=True)
    found = Clients(control, simulator, Random(5))  # noqa: S311 - a plan, not a secret
    control.subscribe("kis/orders/+/+/ack/+", 1, found.heard)
    control.subscribe("kis/accounts/+/orders", 1, found.heard)
    control.subscribe("kis/bridge/state", 1, found.heard)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(control.run())
        await control.wait_connected()
        yield found
        running.cancel()


@pytest.fixture
def quiet_mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A Mosquitto that does not write hundreds of connections into a pipe that nobody reads."""
    folder = tmp_path_factory.mktemp("mosquitto")
    with Mosquitto.running(folder, "allow_anonymous true\nlog_dest none\n") as broker:
        yield broker


@pytest.mark.timeout(3_600 if SOAK else 1_200)
@pytest.mark.parametrize("part", PARTS)
async def test_no_order_is_doubled_or_lost_and_no_fill(
    tmp_path: Path, quiet_mosquitto: Mosquitto, part: int
) -> None:
    mosquitto = quiet_mosquitto
    settings = SimulatorSettings(
        manual=True, rest_per_second=0, token_interval_s=0, cash=10**13, early_notices=0.5
    )
    async with Simulator(load(), settings) as simulator:
        kis = where(simulator)
        config = bridge_toml(tmp_path, kis, mosquitto.url)
        text = config.read_text().replace('accounts = ["main"]', 'accounts = ["main"]\n' + _BOB)
        text = text[: text.index("[[market.subscriptions]]")]
        config.write_text(f'{text}[orders]\nreconcile_s = 1\nproof_s = 5\n[log]\nlevel = "warning"')
        with CrashingDaemons(str(config)) as lives:
            async with clients(mosquitto, simulator) as trading:
                # The first life makes the broker keep the bridge's session.
                pid = await asyncio.to_thread(lives.start)
                await trading.until("the bridge is there", lambda: trading.online)
                await trading.place()
                await trading.until("a first ack", lambda: trading.acks)
                os.kill(pid, signal.SIGKILL)
                assert await asyncio.to_thread(lives.ended) == signal.SIGKILL
                for death in _plan(part):
                    await _life(lives, trading, death)
                _check_deaths(lives)
                pid = await asyncio.to_thread(lives.start)
                journal = f"sqlite:///{tmp_path}/state/orders.db"
                # Nobody heard the notices of orders that were lost with a daemon. That they never
                # were shows in a list that has one that came later.
                await trading.place()
                await trading.until(
                    "everything settled", lambda: _settled(journal, len(trading.placed))
                )
                _compare(journal, simulator)
                os.kill(pid, signal.SIGTERM)
                assert await asyncio.to_thread(lives.ended) == 0
        # No death may look like a journal that was swapped: nobody could trade.
        assert "journal replaced" not in await asyncio.to_thread(Path(f"{config}.log").read_text)


_BOB = '[orders.clients.bob]\naccounts = ["main"]'


def _plan(part: int) -> list[Death]:
    boundaries = [
        Death(write, nth, before)
        for write, most in BOUNDARIES.items()
        for nth in range(1, most + 1)
        for before in (True, False)
    ]
    plan = boundaries * ROUNDS
    plan += [Death(stopped=True)] * EARLY + [Death(filled=True, stopped=True)] * FILLED
    Random(part).shuffle(plan)  # noqa: S311
    return plan


async def _life(lives: CrashingDaemons, trading: Clients, death: Death) -> None:
    """Let one daemon live until its death, whatever time it needs to get there."""
    pid = await asyncio.to_thread(lives.start, death.write, death.nth, before=death.before)
    ended = asyncio.create_task(asyncio.to_thread(lives.ended))
    ended.add_done_callback(lambda _: trading.changed.set())
    answers = trading.answers
    await trading.place()
    if death.stopped:
        # In the middle of it: the command is in the broker, in the socket, or on its way to KIS.
        os.kill(pid, signal.SIGSTOP)
        await trading.place()
        os.kill(pid, signal.SIGCONT)
    await trading.change("cancel_all" if death.write == "expand" else "")
    ack = await trading.place(crosses=death.filled or None)
    if death.filled:
        await trading.until("an order that crosses is answered", lambda: ack in trading.acks)
    elif not death.write:
        await trading.until("an answer", lambda: trading.answers > answers)
    else:
        # When the last command is answered comes the next, so that there is always one to write.
        while not ended.done():
            await trading.until(str(death), partial(_over, trading, ack, ended))
            if not ended.done():
                again = death.write == "expand"
                ack = await (trading.change("cancel_all") if again else trading.place())
    if not ended.done():
        os.kill(pid, signal.SIGKILL)
    assert await ended == signal.SIGKILL


def _over(trading: Clients, ack: str, ended: asyncio.Task[int]) -> bool:
    return ended.done() or ack in trading.acks


def _check_deaths(lives: CrashingDaemons) -> None:
    """See to it that they died where they were meant to."""
    died = lives.deaths()
    for write, most in BOUNDARIES.items():
        for before in (True, False):
            assert died[write, before] == most * ROUNDS, (write, before)


def _settled(journal: str, count: int) -> bool:
    orders = [restore(record) for record in read(journal)]
    places = [order for order in orders if order.verb == "place"]
    return len(places) == count and not [
        order
        for order in orders
        if order.progress.answer is None or order.progress.state is State.UNKNOWN
    ]


def _compare(journal: str, simulator: Simulator) -> None:
    exchange: dict[tuple[str, int], list[Ticket]] = {}
    for ticket in simulator.exchange.tickets.values():
        request = ticket.request
        if ticket.action == "place" and request.channel == "OpnAPI":
            exchange.setdefault((request.symbol, request.quantity), []).append(ticket)
    states: dict[str, int] = {}
    for record in read(journal):
        order = restore(record)
        if order.verb != "place":
            continue
        command: Any = order.command
        found = exchange.pop((command.symbol, command.quantity), [])
        assert len(found) <= 1, f"{order.identity} is at the exchange {len(found)} times"
        state = order.progress.state
        states[state] = states.get(state, 0) + 1
        if not found:
            assert state in (State.NOT_PLACED, State.REFUSED, State.REJECTED), order.identity
            continue
        chain = _chain(simulator, found[0])
        assert {plain(ticket.number) for ticket in chain} == {
            plain(leg.order_no) for leg in order.progress.legs
        }, order.identity
        filled = sum(ticket.filled for ticket in chain)
        assert order.progress.filled == filled, order.identity
        assert order.progress.value == sum(ticket.value for ticket in chain)
        assert order.progress.remaining == sum(ticket.remaining for ticket in chain)
    assert not exchange, "the exchange has orders that nobody knows"

    assert states[State.FILLED] > DEATHS / 8


def _chain(simulator: Simulator, first: Ticket) -> list[Ticket]:
    chain = [first]
    for ticket in simulator.exchange.tickets.values():
        if ticket.action == "modify" and ticket.original in {one.number for one in chain}:
            chain.append(ticket)
    return chain
