"""Clocks that differ and a process that stands still, with real processes."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.system.programs import World, ask

HEALTH = "kis/bridge/health"
SKEW, FROZEN = "kis/bridge/event/clock_skew", "kis/bridge/event/frozen"
SHORT = ("-D", "publish", "message-expiry-interval", "2")
LONG = ("-D", "publish", "message-expiry-interval", "60")
NEVER = "2999-01-01T00:00:00+09:00"
FREEZE_S = 4.0
ORDER = {
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "market",
    "quantity": 1,
}


def order(name: str, **fields: object) -> dict[str, Any]:
    return ORDER | {"client_order_id": name} | fields


@contextmanager
def frozen(world: World, seconds: float = FREEZE_S) -> Iterator[None]:
    """Stop the bridge's process for a while, as a suspended machine is; then let it go on."""
    process = world.bridge.process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
        with pytest.raises(subprocess.TimeoutExpired):  # only time is waited for
            process.wait(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


def test_what_came_while_the_process_stood_still_is_of_unknown_age(tmp_path: Path) -> None:
    # What was frozen is the process and not its event loop: it does not end itself for that.
    with World.running(tmp_path, "[process]\nexit_when_frozen_s = 2\n") as world:
        world.command("place", order("before"), *SHORT)
        assert world.ack("before")["status"] == "accepted"
        names = [f"m-{number}" for number in range(10)]
        with frozen(world):
            for name in names:
                world.command("place", order(name), *SHORT)
            world.command("place", order("long"), *LONG)
            world.command("place", order("dated", expires_at=NEVER))
        for name in (*names, "long"):
            ack = world.ack(name)
            assert (ack["status"], ack["reason"]) == ("refused", "expired"), name
            assert "of unknown age" in ack["message"]
        # With a time of its own a command says by itself whether it is still meant.
        assert world.ack("dated")["status"] == "accepted"
        assert world.ear.until(FROZEN).payload["seconds"] >= FREEZE_S - 1
        # What is refused stays refused, however it comes again; what is new is fresh again.
        after = world.command("place", order("long"), *LONG)
        assert world.ack("long", after)["reason"] == "expired"
        world.command("place", order("after"), *SHORT)
        assert world.ack("after")["status"] == "accepted"
        assert len(world.placed()) == 3


def test_at_whatever_moment_the_process_is_stopped_nothing_old_is_executed(tmp_path: Path) -> None:
    draw = Random(7)  # noqa: S311 - decides no secret
    expiry_s, unnoticed_s, cut_s = 2.0, 2.5, 1.0
    with World.running(tmp_path) as world:
        published: list[float] = []

        def send(count: int) -> None:
            """Publish commands, each of a quantity by which its order is known."""
            for _ in range(count):
                published.append(time.time())
                number = len(published)
                world.command("place", order(f"m-{number}", quantity=number), *SHORT)

        send(1)  # of the others it is the machine's speed that decides
        assert world.ack("m-1")["status"] == "accepted"
        for seconds in (0.6, 3.0, 1.6, 7.0, 2.6):
            send(draw.randrange(4))
            with frozen(world, seconds):
                send(1 + draw.randrange(4))
            send(draw.randrange(4))
        acks = {number: world.ack(f"m-{number}") for number in range(1, len(published) + 1)}
        assert {ack["reason"] for ack in acks.values()} == {None, "expired"}
        placed = world.placed()
        rows = {int(row["order_quantity"]): row for row in placed}
        accepted = {number for number, ack in acks.items() if ack["status"] == "accepted"}
        assert (len(placed), set(rows)) == (len(accepted), accepted)
        for number, row in rows.items():
            assert row["order_no"] == acks[number]["order_no"]
            text = f"{row['order_date']}{row['order_time']}+0900"
            at = datetime.strptime(text, "%Y%m%d%H%M%S%z").timestamp()
            assert at - published[number - 1] <= expiry_s + unnoticed_s + cut_s, number


@pytest.mark.parametrize("offset_s", [900, -900])
def test_while_the_clocks_are_minutes_apart_no_new_orders_are_sent(
    tmp_path: Path, offset_s: int
) -> None:
    with World.running(tmp_path, "", "--clock-offset", str(offset_s)) as world:
        told = world.ear.until(SKEW).payload
        assert (told["skewed"], told["orders_stopped"]) == (True, True)
        assert abs(told["offset_s"] - offset_s) < 3
        world.command("place", order("a-1", expires_at=NEVER))
        ack = world.ack("a-1")
        assert (ack["status"], ack["reason"]) == ("refused", "clock")
        assert "synchronise it (NTP)" in ack["message"]
        # A cancellation goes its way: nothing about time may keep somebody in an order.
        after = world.command("cancel", {"client_order_id": "none", "expires_at": NEVER})
        assert world.ack("none", after)["reason"] == "unknown_order"
        health = world.ear.until(HEALTH, lambda said: said["clock_offset_s"] is not None).payload
        assert abs(health["clock_offset_s"] - offset_s) < 3
        assert world.placed() == []
        assert len([m for m in world.ear.heard if m.topic == SKEW]) == 1
        checked = ask("check", "--config", str(world.config))
        assert checked.returncode == 1
        assert re.search(r"\b(899|900|901) s", checked.stdout)  # KIS tells whole seconds
        assert "no new orders are sent" in checked.stdout


def test_a_clock_that_is_slow_at_the_start_makes_no_expired_command_young(tmp_path: Path) -> None:
    with World.running(tmp_path, "", "--clock-offset", "3000") as world:
        world.bridge.__exit__()
        # It waits at the broker for the bridge; by KIS's clock it has been over for 40 minutes.
        soon = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
        after = world.command("place", order("late", expires_at=soon))
        world.start_bridge()
        ack = world.ack("late", after)
        assert (ack["status"], ack["reason"]) == ("refused", "expired")
        assert world.placed() == []


def test_clocks_that_agree_are_not_told_of(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.command("place", order("a-1", expires_at=NEVER))
        assert world.ack("a-1")["status"] == "accepted"
        health = world.ear.until(HEALTH, lambda said: said["clock_offset_s"] is not None).payload
        assert abs(health["clock_offset_s"]) < 2
        assert not [m for m in world.ear.heard if m.topic in (SKEW, FROZEN)]
