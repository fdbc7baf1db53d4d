"""Every kind of event, as a bridge really tells it, against its schema."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.catalog.compile import load
from bridge.config.models import Config
from bridge.documents.events import EVENTS
from bridge.documents.responses import response
from bridge.kis.replies import KisUnknownError
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.publishing.journal_watch import JournalWatch
from bridge.orders.risk.rules import Rules
from bridge.requests.server import request
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest
from bridge.simulator.faults.plan import Fault, FaultPlan
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import hurry, running, until
from tests.component.gateway_fixture import bench, row
from tests.component.schemas import Checks, error, misses

CHECKS: Checks = {kind: Draft202012Validator(schema) for kind, schema in EVENTS.items()}
BUY = "VTTC0012U"
NOWHERE = {"market": "domestic_index", "venue": "krx", "kinds": ["index"], "symbols": ["0001"]}
"""What paper trading does not have."""
ORDER = {
    "client_order_id": "e-1",
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "market",
    "quantity": 1,
}


ELSEWHERE = {
    *("clock_skew", "frozen", "owner_conflict", "session_taken_over"),
    *("rate_limited", "message_dropped", "stale"),
}
"""Told of clocks that are wrong, of a second bridge, of clients that do harm and of single silent
subscriptions: see test_clocks, test_quality_faults, tests/system/test_time, test_two_bridges and
test_hostile_clients."""


class Ear:
    """Hears the events; lets a test wait for one."""

    def __init__(self, url: str) -> None:
        self.heard: list[Any] = []
        self.changed = asyncio.Event()
        self.client = ControlClient([Endpoint.parse(url)], client_id="ear", clean=True)
        self.client.subscribe("kis/bridge/event/+", 1, self._hear)

    async def _hear(self, message: Message) -> None:
        message.ack()
        event = json.loads(message.payload)
        assert message.topic == f"kis/bridge/event/{event['kind']}"
        self.heard.append(event)
        self.changed.set()

    async def until(self, kind: str, accept: Callable[[Any], Any] = lambda _: True) -> None:
        try:
            async with asyncio.timeout(20):
                while not any(one["kind"] == kind and accept(one) for one in self.heard):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            pytest.fail(f"no {kind}; {self.heard}")


def configuration(sim: Simulator, broker: Mosquitto, folder: Path) -> Config:
    return Config.model_validate(
        {
            "kis": {
                "environment": "simulator",
                "rest_url": sim.rest_url,
                "ws_url": sim.ws_url,
                "state_dir": folder,
                "apps": [
                    {
                        "alias": "app1",
                        "app_key": sim.app_key,
                        "app_secret": sim.app_secret,
                        "hts_id": sim.hts_id,
                    }
                ],
                "accounts": [{"alias": "main", "app": "app1", "number": sim.account}],
            },
            "mqtt": {"url": broker.url},
            "backup": {"enabled": True, "after_s": 1},
            "orders": {"clients": {"bob": {"accounts": ["main"]}}, "reconcile_s": 1},
            "market": {
                "subscriptions": [
                    {"channel": "H0STCNT0", "keys": ["005930", "SAMSUNG"]},
                    NOWHERE,
                ]
            },
        }
    )


async def test_every_kind_of_event_fulfils_its_schema(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("bridge.calendar.hours.Calendar.phase", lambda *_: "closed")
    monkeypatch.setattr("bridge.orders.reconciliation.accounts._UNSURE", 0)
    settings = SimulatorSettings(
        rest_per_second=0,
        slots=6,
        faults=FaultPlan((Fault("http", chance=1.0, status=503, tr_id=BUY),)),
    )
    ear = Ear(mosquitto.url)
    async with asyncio.TaskGroup() as tasks, Simulator(load(), settings) as sim:
        hearing = tasks.create_task(ear.client.run())
        await ear.client.wait_connected()
        async with running(configuration(sim, mosquitto, tmp_path), mosquitto.url) as bridge:
            await until(lambda: bridge.pool.numbers()["live"] == 1, 10, "live")
            await _provoke(sim, ear, mosquitto)
        hearing.cancel()
    heard = {kind: [one for one in ear.heard if one["kind"] == kind] for kind in EVENTS}
    heard["order_difference"] = await _difference(tmp_path)
    heard["order_ambiguous"] = await _ambiguous(tmp_path)
    heard |= await _journal(tmp_path)
    for kind, events in heard.items():
        assert events or kind in ELSEWHERE, f"no {kind}"
        for event in events:
            assert error(CHECKS[kind], event) is None, event
            assert misses(CHECKS, [kind], event) == [], event


async def _provoke(sim: Simulator, ear: Ear, broker: Mosquitto) -> None:
    """Make everything happen that is told."""
    ask = partial(request, [Endpoint.parse(broker.url)], topics=Topics())
    await ear.until("config_warning")
    await ear.until("slot_refused", lambda event: event.get("key") == "SAMSUNG")
    many = [{"channel": "H0STASP0", "key": f"{number:06}"} for number in range(10, 110, 10)]
    await ask("subscribe", {"subscriptions": many})
    await ear.until("slot_refused", lambda event: event["code"] == "waiting")
    await ear.until("backup")

    sim.stream.send_raw(f"0|H0STCNT0|001|{'^'.join(['005930'] + ['1'] * 49)}")
    sim.stream.send_raw("0|H0STCNT0|001|005930^what")
    await ear.until("schema_drift", lambda event: event["width"] == 50)
    await ear.until("quarantined", lambda event: "what" in event["raw"])
    sim.drop_connections()
    await ear.until("session_lost")
    await ear.until("session_restored")
    await ear.until("gap")

    await ask("halt", {"account": "main", "mode": "reduce_only", "reason": "test"})
    await ask("resume", {"account": "main"})
    await ear.until("halted")
    await ear.until("resumed")
    await ask("halt", {"account": "main", "cancel_all": True})
    await ear.until("halt_done")
    await ask("resume", {"account": "main"})
    expires = datetime.now(UTC) + timedelta(seconds=30)
    command = json.dumps({**ORDER, "expires_at": expires.isoformat()}).encode()
    await ear.client.publish(Publication("kis/orders/main/bob/command/place", command))
    await ear.until("order_unknown")
    name = {"account": "main", "client": "bob", "client_order_id": "e-1"}
    settled = await ask("resolve", {**name, "outcome": "not_placed"})
    answers = {"resolve": Draft202012Validator(response("resolve"))}
    assert misses(answers, ["resolve"], {"status": "ok", "data": settled}) == []
    assert settled == {"client_order_id": "e-1", "state": "not_placed", "order_no": None}

    sim.exchange.place(OrderRequest(sim.account, "000660", Side.SELL, 3, kind="01"), sim.clock())
    sim.publish()
    await ear.until("order_external")
    await ear.until("position_difference", lambda event: event["symbol"] == "000660")


async def _difference(folder: Path) -> list[Any]:
    """Return what is told when the exchange's list does not have an order."""
    rules = Rules(paper=False, pause_s=0.001, grace_s=0.05, reconcile_s=0.01, proof_s=0.01)
    (folder / "bench").mkdir()
    async with bench(folder / "bench", rules=rules) as gateway:
        await gateway.place("a")
        return await gateway.broker.wait("kis/bridge/event/order_difference")


async def _ambiguous(folder: Path) -> list[Any]:
    """Return what is told when a lost order may be one that a person placed."""
    rules = Rules(paper=False, pause_s=0.001, grace_s=0.05, unknown_s=0.005, proof_s=0.3)
    (folder / "doubt").mkdir()
    async with bench(folder / "doubt", rules=rules) as gateway:
        gateway.kis.script.append(KisUnknownError("timed out"))
        await gateway.place("a")
        gateway.kis.listed = [row("77", ordr_empno="Nsmart")]
        return await gateway.broker.wait("kis/bridge/event/order_ambiguous")


async def _journal(folder: Path) -> dict[str, list[Any]]:
    """Return what is told of a journal that cannot be written, and of one that is gone."""
    told: list[BridgeEvent] = []
    journal = Journal(f"sqlite:///{folder}/watched.db")
    await journal.open()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(JournalWatch(journal, told.append).run())
        journal.standing.failed("the disk is full", 0.0)
        await until(lambda: len(told) == 1, 10, "unavailable")
        journal.standing.wrote()
        await until(lambda: len(told) == 2, 10, "available")
        os.unlink(folder / "watched.db")  # noqa: PTH108 - at once
        await until(lambda: len(told) == 3, 10, "replaced")
        watch.cancel()
    await journal.close()
    events = [json.loads(payloads.event(event, datetime.now(UTC))) for event in told]
    return {
        kind: [event for event in events if event["kind"] == kind]
        for kind in ("journal_unavailable", "journal_replaced")
    }
