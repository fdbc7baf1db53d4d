"""One client that wants everything, beside others that want something."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.system.programs import DEADLINE_S, World, answer, client, environ

HEALTH = "kis/bridge/health"
REQUESTS, ITEMS = 200, 500


def flood(world: World, name: str) -> None:
    """Ask for a hundred thousand subscriptions in the name of a client."""
    lines = []
    for number in range(REQUESTS):
        keys = (f"M{number * ITEMS + n:06d}" for n in range(ITEMS))
        wanted = [{"channel": "H0STCNT0", "key": key} for key in keys]
        lines.append(json.dumps({"subscriptions": wanted, "transaction": number}))
    topic = f"kis/bridge/request/subscribe/{name}"
    subprocess.run(
        [client("mosquitto_pub"), "-V", "5", "-p", str(world.broker.port), "-q", "1", "-t", topic,
         "-l"],
        input="\n".join(lines), text=True, check=True, timeout=60, env=environ(),
    )  # fmt: skip


def answers(world: World, name: str) -> list[dict[str, Any]]:
    topic = f"kis/bridge/response/subscribe/{name}"
    return [heard.payload for heard in world.ear.heard if heard.topic == topic]


def rows(world: World) -> dict[str, dict[str, Any]]:
    found = answer(world, "subscriptions", {}, "alice")
    return {row["key"]: row for row in found["data"]}


def test_who_wants_everything_gets_a_quota_and_leaves_the_others_theirs(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.ear.until("kis/market/domestic_stock/krx/trade/005930")
        flood(world, "mallory")
        world.ear.wait("answers", lambda: len(answers(world, "mallory")) == REQUESTS)
        codes = [one.get("code") for one in answers(world, "mallory")]
        assert codes.count(None) == 2, "a thousand"
        assert codes.count("too_many_subscriptions") == REQUESTS - 2
        assert "may hold 1000" in answers(world, "mallory")[-1]["message"]

        # Who comes late gets a slot, and an order goes its way.
        wanted = {"market": "domestic_stock", "venue": "krx", "kind": "trade", "symbol": "000270"}
        told = answer(world, "subscribe", {"subscriptions": [wanted], "priority": 9}, "alice")
        assert told["data"] == {"subscribed": 1, "waiting": 0}
        world.ear.until("kis/market/domestic_stock/krx/trade/000270")
        before = world.command("place", world.resting() | {"client_order_id": "beside"})
        assert world.ack("beside", before)["status"] == "accepted"

        after = len(world.ear.heard)
        health = world.ear.until(HEALTH, after=after).payload
        assert health["subscriptions"]["wanted"] == 1005
        first = health["clients"][0]
        assert first == {
            "client": "mallory",
            "subscriptions": 1000,
            "slots": first["slots"],
            "refused": REQUESTS - 2,
        }
        assert health["loop_lag_s"] < 1.0, "the feed was held up"

        # It is there again after a restart, which takes no longer for it.
        world.bridge.__exit__()
        begun = time.monotonic()
        world.start_bridge()
        assert time.monotonic() - begun < DEADLINE_S / 2
        again = rows(world)
        assert again["000270"]["holders"] == ["alice"]
        # Without those that KIS has said to be no symbols.
        assert 300 < sum("mallory" in row["holders"] for row in again.values()) < 1000
