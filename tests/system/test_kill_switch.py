"""The kill switch of the real daemon: past what waits, and without a broker."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.requests.local_halts import FILE
from bridge.simulator.faults.plan import Fault
from tests.brokers import Mosquitto
from tests.system.programs import World, ask, publish
from tests.system.test_proof import Desk, desk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit and signals")

SOON = ("-D", "publish", "message-expiry-interval", "60")
LATER = "2999-01-01T00:00:00+09:00"
HALTED = "kis/bridge/event/halted"
ORDER = {
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "market",
    "quantity": 1,
    "expires_at": LATER,
}


@contextmanager
def no_room(world: World) -> Iterator[None]:
    """Let the bridge write to no file: as on a disk that is full."""
    process, limit = world.bridge.process.pid, resource.RLIMIT_FSIZE
    _, most = resource.prlimit(process, limit)
    resource.prlimit(process, limit, (0, most))
    try:
        yield
    finally:
        resource.prlimit(process, limit, (most, most))


def test_a_halt_passes_a_hundred_commands_that_wait_for_the_journal(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.command("place", ORDER | {"client_order_id": "first"})
        assert world.ack("first")["status"] == "accepted"
        with no_room(world):
            start = len(world.ear.heard)
            for number in range(120):  # more than the broker hands over without a PUBACK
                world.command("place", ORDER | {"client_order_id": f"w-{number}"})
            before, began = len(world.ear.heard), time.monotonic()
            publish(world.broker.port, "kis/bridge/request/halt", {"reason": "now"})
            answer = world.ear.until("kis/bridge/response/halt", after=before, deadline_s=5).payload
            assert time.monotonic() - began < 2
            assert (answer["status"], answer["data"]["written"]) == ("ok", False)
            assert answer["data"]["mode"] == "halted"
        for number in range(120):
            ack = world.ack(f"w-{number}", start)
            assert ack["status"] == "refused", ack  # by the halt, the disk, or as too much at once
        assert len(world.placed()) == 1
        assert [m.topic for m in world.ear.heard].count("kis/bridge/response/halt") == 1
        # It was written as soon as there was room.
        world.bridge.stop(signal.SIGKILL)
        world.bridge.__exit__()
        world.start_bridge()
        before = world.command("place", ORDER | {"client_order_id": "after"})
        assert world.ack("after", before)["reason"] == "halted"


def test_halts_without_a_broker(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        file = tmp_path / "state" / FILE
        world.bridge.process.send_signal(signal.SIGUSR1)
        assert world.ear.until(HALTED).payload["reason"] == "SIGUSR1"
        before = world.command("place", ORDER | {"client_order_id": "a"})
        assert world.ack("a", before)["reason"] == "halted"

        done = ask("resume", "--url", world.broker.url, "--json")
        assert json.loads(done.stdout)["halted"] is False, done
        before = len(world.ear.heard)
        file.touch()
        assert str(file) in world.ear.until(HALTED, after=before).payload["reason"]
        before = world.command("place", ORDER | {"client_order_id": "b"})
        assert world.ack("b", before)["reason"] == "halted"

        # It holds from the start as well, and its removal resumes nobody.
        world.bridge.__exit__()
        world.start_bridge()
        file.unlink()
        before = world.command("place", ORDER | {"client_order_id": "c"})
        assert world.ack("c", before)["reason"] == "halted"


CHANGE = "VTTC0013U"
"""Cancellations and modifications on paper."""
DONE = "kis/bridge/event/halt_done"


async def halted(d: Desk, *options: str) -> str:
    """Halt by the command line and wait for the last word."""
    done = await asyncio.to_thread(
        ask, "halt", "--cancel-all", *options, "--url", d.broker.url, "--json"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("how", ["halt", "cancel_all"])
@pytest.mark.parametrize("fault", ["http", "hang"])
async def test_a_cancellation_that_is_lost_on_its_way_is_tried_again(
    tmp_path: Path, how: str, fault: str
) -> None:
    with Mosquitto.running(tmp_path) as broker:
        async with desk(tmp_path, broker) as d:
            for name in ("a", "b", "c"):
                assert (await d.place(name))["status"] == "accepted"
            d.simulator.faults.once(Fault(fault, tr_id=CHANGE))
            if how == "halt":
                assert json.loads(await halted(d))["cancelling"] == 3
                said = await d.until(DONE)
                assert (said["complete"], said["left"]) == (True, [])
                names = sorted(one["client_order_id"] for one in said["cancelled"])
                assert names == ["a", "b", "c"]
            else:
                ack = await d.send("cancel_all", "all")
                assert ack["status"] == "accepted", ack
            assert [ticket.remaining for ticket in d.placed()[:3]] == [0, 0, 0]


@pytest.mark.parametrize("scope", ["ours", "account"])
async def test_orders_placed_by_hand_are_cancelled_only_when_asked(
    tmp_path: Path, scope: str
) -> None:
    with Mosquitto.running(tmp_path) as broker:
        async with desk(tmp_path, broker) as d:
            assert (await d.place("a"))["status"] == "accepted"
            hand = d.by_hand()
            await halted(d, "--scope", scope)
            said = await d.until(DONE)
            assert (said["scope"], said["complete"]) == (scope, True)
            assert d.placed()[0].remaining == 0
            assert hand.remaining == (3 if scope == "ours" else 0)
