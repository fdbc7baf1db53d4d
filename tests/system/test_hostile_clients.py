"""Clients of the broker that break things on purpose: they hurt themselves and nobody else."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.system.flood import Attacker, publish_packet
from tests.system.programs import DEADLINE_S, Ear, Program, World

TWO = """
[orders.clients.bob]
accounts = ["main"]
"""
TRADE = "kis/market/domestic_stock/krx/trade/005930"


@contextmanager
def connected(world: World, client_id: str) -> Iterator[paho.Client]:
    """Connect under a client id, as long as the broker lets it."""
    there = threading.Event()
    bob = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    bob.on_connect = lambda *_: there.set()
    bob.connect("127.0.0.1", world.broker.port)
    bob.loop_start()
    assert there.wait(DEADLINE_S)
    yield bob
    bob.disconnect()
    bob.loop_stop()


def test_a_client_that_connects_under_the_bridges_public_names_takes_nothing_over(
    tmp_path: Path,
) -> None:
    with World.running(tmp_path) as world, ExitStack() as bobs:
        for name in ("", "-halt", "-market"):
            bobs.enter_context(connected(world, f"kis-bridge-kis{name}"))
        order = world.resting()
        before = len(world.ear.heard)
        names = [f"a-{number}" for number in range(5)]
        for name in names:
            world.command("place", order | {"client_order_id": name})
        assert {world.ack(name)["status"] for name in names} == {"accepted"}
        world.ear.until(TRADE, after=before)
        assert not [line for line in world.bridge.err if "broker lost" in line]


def test_a_session_that_the_broker_has_lost_is_told_of(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.bridge.__exit__()
        world.broker.stop()
        (tmp_path / "mosquitto.db").unlink()
        world.broker.start()
        with Ear(world.broker.port, "kis/bridge/#") as ear:
            world.start_bridge()
            told = ear.until("kis/bridge/event/session_taken_over").payload
        assert told["client_id"] == "kis-bridge-kis"
        assert "were not taken" in told["message"]


def test_bombs_and_giants_in_the_session_are_passed_over_and_told_of(tmp_path: Path) -> None:
    """Undelivered they wait in the session, and would come again after every start."""
    with World.running(tmp_path, TWO) as world:
        order = world.resting()
        world.bridge.__exit__()
        command = "kis/orders/main/bob/command/place"
        with contextlib.closing(Attacker(world.broker.port)) as bob:
            for mid, size in enumerate((20_000, 50_000, 200_000), 1):
                bob.send(publish_packet(command, b"{}", mid, b"\x26\0\0\0\0" * size))
            bob.send(publish_packet(command, b" " * 5_000_000, 9))
            request = "kis/bridge/request/query/bob"
            bob.send(publish_packet(request, b"{}", 10, b"\x26\0\0\0\0" * 20_000))
            bob.finish(5)
        before = len(world.ear.heard)
        world.command("place", order | {"client_order_id": "a-1"})
        began = time.monotonic()
        world.start_bridge()
        assert world.ack("a-1")["status"] == "accepted"
        took = time.monotonic() - began
        told = world.ear.until("kis/bridge/event/message_dropped", after=before).payload
        # What is larger than 256 KiB the broker does not even send.
        assert told["reasons"] == {"too many MQTT properties": 3}
        assert took < 15, "each of them cost seconds, and one of a megabyte more than a minute"
        world.bridge.__exit__()
        before = len(world.ear.heard)
        world.start_bridge()
        world.command("place", order | {"client_order_id": "a-2"})
        world.ack("a-2")
        assert not [line for line in world.bridge.err if "message dropped" in line]


class Trader:
    """Places orders one after the other, and knows how long each waited for its ack."""

    def __init__(self, world: World, name: str) -> None:
        self._name = name
        self._order = world.resting()
        self._number = 0
        self._acks: queue.Queue[tuple[float, Any]] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda *args: self._acks.put(
            (time.perf_counter(), json.loads(args[2].payload))
        )
        self._client.on_socket_open = lambda *args: args[2].setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self._client.connect("127.0.0.1", world.broker.port)
        self._client.loop_start()
        self._client.subscribe(f"kis/orders/main/{name}/ack/+", 1)
        assert subscribed.wait(DEADLINE_S)

    def place(self) -> float:
        """Place an order, and return the seconds until its ack."""
        self._number += 1
        order = self._order | {"client_order_id": f"{self._name}-{self._number}"}
        began = time.perf_counter()
        self._client.publish(f"kis/orders/main/{self._name}/command/place", json.dumps(order), 1)
        at, ack = self._acks.get(timeout=60)
        assert (ack["client_order_id"], ack["status"]) == (order["client_order_id"], "accepted")
        return at - began

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def resident(bridge: Program) -> float:
    """Return the megabytes that a process has in memory."""
    status = Path(f"/proc/{bridge.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


def beside(world: World, alice: Trader, count: int, *topics: str) -> float:
    """Have bob flood some topics; return what the acks of alice's orders take meanwhile."""
    flood = [sys.executable, "-m", "tests.system.flood", str(world.broker.port), str(count)]
    with Program(*flood, *topics) as bob:
        waits: list[float] = []
        while not bob.out or len(waits) < 15:
            waits.append(alice.place())
        assert bob.line() == str(count), "the broker has taken all"
    return statistics.median(waits)


def test_a_flood_delays_no_orders_of_others_and_fills_neither_memory_nor_log(
    tmp_path: Path,
) -> None:
    """Without a session of her own, alice waited for as long as the flood took, and longer."""
    with World.running(tmp_path, TWO) as world, contextlib.closing(Trader(world, "alice")) as alice:
        for _ in range(5):
            alice.place()
        world.ear.__exit__()  # it would have to read all of that, too
        with Ear(world.broker.port, "kis/bridge/event/rate_limited") as world.ear:
            memory, lines = resident(world.bridge), len(world.bridge.err)
            calm = statistics.median(alice.place() for _ in range(20))
            # What the broker and this machine make of it, with none of the bridge's.
            elsewhere = beside(world, alice, 30_000, "bob/elsewhere")
            requests = beside(
                *(world, alice, 100_000),
                *("kis/bridge/request/query/bob", "kis/bridge/request/subscribe"),
            )
            told = world.ear.until("kis/bridge/event/rate_limited").payload
            commands = beside(world, alice, 100_000, "kis/orders/main/bob/command/place")
        allowed = 2 * max(calm, elsewhere) + 0.1  # it was a minute and more
        assert requests <= allowed, (calm, elsewhere, requests)
        assert commands <= allowed, (calm, elsewhere, commands)
        assert told["clients"][0]["client"] in ("bob", "")
        assert told["requests"] > 0
        assert resident(world.bridge) - memory < 60, "hundreds of megabytes, before"
        assert sum(map(len, world.bridge.err[lines:])) < 200_000, "77 MB, before"
        with Ear(world.broker.port, "kis/bridge/health") as world.ear:
            arrivals = world.ear.until(
                "kis/bridge/health", lambda health: health["arrivals"]["rate_limited"]["commands"]
            ).payload["arrivals"]
            assert arrivals["by_client"]["bob"] > 1000
            assert arrivals["unanswered"] > 1000
