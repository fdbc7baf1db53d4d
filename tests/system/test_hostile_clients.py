"""Clients of the broker that break things on purpose: they hurt themselves and nobody else."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.system.flood import Attacker, publish_packet
from tests.system.programs import DEADLINE_S, Ear, World

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
    with World.running(tmp_path) as world:
        order = world.resting()
        world.bridge.__exit__()
        command = "kis/orders/main/bob/command/place"
        with contextlib.closing(Attacker(world.broker.port)) as bob:
            for mid, size in enumerate((20_000, 50_000, 200_000), 1):
                bob.send(publish_packet(command, b"{}", mid, b"\x26\0\0\0\0" * size))
            bob.send(publish_packet(command, b" " * 5_000_000, 9))
            bob.finish(4)
        before = len(world.ear.heard)
        world.command("place", order | {"client_order_id": "a-1"})
        began = time.monotonic()
        world.start_bridge()
        assert world.ack("a-1")["status"] == "accepted"
        took = time.monotonic() - began
        told = world.ear.until("kis/bridge/event/message_dropped", after=before).payload
        # What is larger than 256 KiB the broker does not even send.
        assert told["reasons"] == {"too many MQTT properties": 2}
        assert took < 15, "each of them cost seconds, and one of a megabyte more than a minute"
        world.bridge.__exit__()
        before = len(world.ear.heard)
        world.start_bridge()
        world.command("place", order | {"client_order_id": "a-2"})
        world.ack("a-2")
        assert not [line for line in world.bridge.err if "message dropped" in line]
