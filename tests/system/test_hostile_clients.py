"""Clients of the broker that break things on purpose: they hurt themselves and nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

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
