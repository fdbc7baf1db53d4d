"""What an answer, a list and a notice prove of an order: a daemon, a broker and an exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest, Ticket
from bridge.simulator.faults.plan import Fault, FaultPlan
from bridge.simulator.server import Simulator
from bridge.simulator.settings import SimulatorSettings
from tests.brokers import Mosquitto
from tests.system.programs import KIS_BRIDGE, Ear, Program, bridge_toml, publish, where

ORDER = "VTTC0012U"
LIST = "VTTC0081R"
PRICE = 250_000


@dataclass
class Desk:
    """A client of the daemon, beside the exchange."""

    simulator: Simulator
    broker: Mosquitto
    ear: Ear

    async def send(self, verb: str, name: str, **fields: object) -> Any:
        """Send a command; returns its ack."""
        content = {"client_order_id": name, "expires_at": "2999-01-01T00:00:00+09:00"} | fields
        before, own = len(self.ear.heard), "kis/orders/main/alice"
        await asyncio.to_thread(publish, self.broker.port, f"{own}/command/{verb}", content)
        return await self.until(f"{own}/ack/{name}", after=before)

    async def place(self, name: str, price: int = PRICE) -> Any:
        return await self.send(
            "place",
            name,
            market="domestic_stock",
            venue="krx",
            symbol="005930",
            side="buy",
            order_type="limit",
            quantity=3,
            price=price,
        )

    async def until(self, topic: str, **more: Any) -> Any:
        return (await asyncio.to_thread(self.ear.until, topic, **more)).payload

    async def event(self, name: str) -> Any:
        return await self.until(f"kis/orders/main/alice/event/{name}")

    def by_hand(self, quantity: int = 3, price: int = PRICE) -> Ticket:
        """Place an order as a person does, with another program than the bridge."""
        request = OrderRequest(
            self.simulator.account, "005930", Side.BUY, quantity, price, channel="Nsmart"
        )
        ticket = self.simulator.exchange.place(request, self.simulator.clock())
        self.simulator.step(0.0)
        return ticket

    def placed(self) -> list[Ticket]:
        """Return what the bridge has placed."""
        tickets = self.simulator.exchange.tickets.values()
        return [ticket for ticket in tickets if ticket.request.channel == "OpnAPI"]


@asynccontextmanager
async def desk(folder: Path, broker: Mosquitto, *faults: Fault) -> AsyncIterator[Desk]:
    settings = SimulatorSettings(
        manual=True,
        environment="paper",
        rest_per_second=0,
        token_interval_s=0,
        faults=FaultPlan(faults),
    )
    async with Simulator(load(), settings) as simulator:
        kis = where(simulator)
        text = bridge_toml(folder, kis, broker.url).read_text()
        text = text[: text.index("[[market.subscriptions]]")]
        (folder / "bridge.toml").write_text(f"{text}[orders]\nreconcile_s = 1\nproof_s = 5\n")
        with Ear(broker.port, "kis/#") as ear:
            run = [*KIS_BRIDGE, "run", "--json", "--config", str(folder / "bridge.toml")]
            with Program(*run) as daemon:
                await asyncio.to_thread(daemon.line)
                yield Desk(simulator, broker, ear)
                assert await asyncio.to_thread(daemon.stop) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Any:
    with Mosquitto.running(tmp_path) as broker:
        yield broker


async def test_an_order_of_a_persons_own_is_never_taken_for_a_lost_one(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with desk(tmp_path, broker) as d:
        d.simulator.faults.once(Fault("http", tr_id=ORDER))  # never processed
        assert (await d.place("a"))["status"] == "unknown"
        twin = d.by_hand()
        told = await d.until("kis/bridge/event/order_ambiguous")
        assert told["client_order_id"] == "a"
        [candidate] = told["candidates"]
        assert (candidate["order_no"], candidate["channel"]) == (twin.number, "elsewhere")
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        ack = await d.send("cancel", "a", command_id="c", expires_at=soon)
        assert ack["status"] == "refused"
        assert twin.remaining == 3
        assert d.placed() == []


async def test_of_two_that_are_alike_the_bridge_takes_its_own(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with desk(tmp_path, broker) as d:
        d.simulator.faults.once(Fault("code", code="EGW00301", tr_id=ORDER))
        asking = asyncio.create_task(d.place("a"))
        twin = d.by_hand()
        assert (await asking)["status"] == "unknown"
        found = await d.event("a")
        [ours] = d.placed()
        assert (found["state"], found["order_no"]) == ("accepted", ours.number)
        assert (await d.send("cancel", "a", command_id="c"))["status"] == "accepted"
        assert (twin.remaining, ours.remaining) == (3, 0)


async def test_a_list_that_is_late_proves_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    """The notices are not heard, either: nothing tells of the order for longer than the proof."""
    late = Fault("late_list", chance=1.0, for_s=3_600, tr_id=LIST)
    async with desk(tmp_path, broker, late) as d:
        d.simulator.faults.once(Fault("code", code="EGW00301", tr_id=ORDER))
        d.simulator.drop_connections()
        assert (await d.place("a"))["status"] == "unknown"
        await d.until("kis/bridge/event/order_unknown", accept=lambda e: "message" in e)
        assert not [m for m in d.ear.heard if m.topic == "kis/orders/main/alice/event/a"]
        assert (await d.place("b"))["reason"] == "symbol_fenced"
        d.simulator.faults.calm()
        [ours] = d.placed()
        assert (await d.event("a"))["order_no"] == ours.number


async def test_a_page_that_only_its_key_announces_is_read(
    tmp_path: Path, broker: Mosquitto
) -> None:
    no_header = Fault("no_header", chance=1.0, tr_id=LIST)
    async with desk(tmp_path, broker, no_header) as d:
        for _ in range(20):  # more than a page
            d.by_hand(quantity=1, price=PRICE - 1_000)
        d.simulator.faults.once(Fault("code", code="EGW00301", tr_id=ORDER))
        assert (await d.place("a"))["status"] == "unknown"
        found = await d.event("a")
        assert (found["state"], found["order_no"]) == ("accepted", d.placed()[0].number)


@pytest.mark.parametrize("status", [200, 500])
async def test_a_code_that_kis_lists_nowhere_refuses_nothing(
    tmp_path: Path, broker: Mosquitto, status: int
) -> None:
    async with desk(tmp_path, broker) as d:
        d.simulator.faults.once(Fault("code", code="IGW00007", status=status, tr_id=ORDER))
        ack = await d.place("a")
        assert (ack["status"], ack["kis"]["msg_cd"]) == ("unknown", "IGW00007")
        assert (await d.event("a"))["order_no"] == d.placed()[0].number


async def test_the_number_of_another_order_is_not_believed(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with desk(tmp_path, broker) as d:
        first = await d.place("first", PRICE - 1_000)
        d.simulator.faults.once(Fault("number", tr_id=ORDER))
        ack = await d.place("a")
        assert (ack["status"], ack["order_no"]) == ("unknown", None)
        assert first["order_no"] in ack["message"]
        _, ours = d.placed()
        assert (await d.event("a"))["order_no"] == ours.number
        assert (await d.send("cancel", "a", command_id="c"))["status"] == "accepted"
        assert [ticket.remaining for ticket in d.placed()[:2]] == [3, 0]
