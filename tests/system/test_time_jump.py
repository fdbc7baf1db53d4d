"""A wall clock that jumps a day ahead and back under a running bridge."""

from __future__ import annotations

from pathlib import Path

from tests.system.jumping_daemon import WallClock
from tests.system.programs import World, ask

LIST = "kis/accounts/main/orders"
SKEW = "kis/bridge/event/clock_skew"
NEVER = "2999-01-01T00:00:00+09:00"
OFTEN = "[orders]\nreconcile_s = 1\n"
ROUNDS = 2
"""So often it asks the exchange what became of its orders."""
DAY_S = 23 * 3600
"""Into the next day, but for the first hour of one; a token of 24 hours is still good then."""


def test_after_a_jump_of_a_day_and_back_everything_reaches_its_orders(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "ahead")
    with World.running(tmp_path, OFTEN, program=clock.program) as world:
        for name, symbol in (("a", "005930"), ("b", "005930"), ("c", "000660")):
            world.command("place", world.resting(symbol) | {"client_order_id": name})
            assert world.ack(name)["status"] == "accepted"
        clock.jump(DAY_S)
        world.ear.until(SKEW, lambda said: said["orders_stopped"])
        rounds(world)
        clock.jump(0)
        world.ear.until(SKEW, lambda said: not said["skewed"])
        rounds(world)
        after = world.command("cancel", {"client_order_id": "a", "expires_at": NEVER})
        assert world.ack("a", after)["status"] == "accepted"
        everything = {"client_order_id": "all", "symbol": "005930", "expires_at": NEVER}
        after = world.command("cancel_all", everything)
        assert world.ack("all", after)["status"] == "accepted"
        halted = ask("halt", "--cancel-all", "--url", world.broker.url)
        assert halted.returncode == 0, halted.stderr
        for name in ("a", "b", "c"):
            topic = f"kis/orders/main/alice/event/{name}"
            world.ear.until(topic, lambda said: said["state"] == "cancelled")
        # Three orders and their three cancellations, and nothing of it is open.
        assert [row["remaining_quantity"] for row in world.placed()] == [0] * 6


def rounds(world: World) -> None:
    """Wait until it has asked for its orders some times more."""
    for _ in range(ROUNDS):
        world.ear.until(LIST, after=len(world.ear.heard))
