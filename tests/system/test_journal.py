"""The journal is swapped, lost, mistaken or cannot be written; then the exchange is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.system.programs import World, ask

TRADE = "kis/market/domestic_stock/krx/trade/005930"
EXPIRES = "2999-01-01T00:00:00+09:00"


def order(world: World, name: str, **fields: object) -> dict[str, Any]:
    """Return an order that rests in the book."""
    last = world.ear.until(TRADE).payload["price"]
    return {
        "client_order_id": name,
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": "005930",
        "side": "buy",
        "order_type": "limit",
        "quantity": 1,
        "price": last * 9 // 10_000 * 1_000,
        "expires_at": EXPIRES,
    } | fields


def test_a_journal_of_another_environment_is_refused_and_no_order_is_touched(
    tmp_path: Path,
) -> None:
    with World.running(tmp_path) as world:
        world.command("place", order(world, "a-1"))
        assert world.ack("a-1")["status"] == "accepted"
        world.bridge.__exit__()
        text = world.config.read_text()
        world.config.write_text(text.replace('"simulator"', '"paper"'))
        refused = ask("run", "--config", str(world.config))
        assert refused.returncode == 1
        (line,) = (line for line in refused.stderr.splitlines() if line.startswith("kis-bridge:"))
        assert "orders of the environment 'simulator'" in line
        assert "configured for 'paper'" in line
        assert "kis.state_dir" in line
        world.config.write_text(text)
        world.start_bridge()
        after = world.command("cancel", {"client_order_id": "a-1", "expires_at": EXPIRES})
        assert world.ack("a-1", after)["status"] == "accepted"


def test_an_alias_that_means_another_account_is_refused_by_name(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.command("place", order(world, "a-1"))
        assert world.ack("a-1")["status"] == "accepted"
        world.bridge.__exit__()
        text = world.config.read_text()
        world.config.write_text(text.replace(world.kis["account"], "87654321-01"))
        refused = ask("run", "--config", str(world.config))
        assert refused.returncode == 1
        (line,) = (line for line in refused.stderr.splitlines() if line.startswith("kis-bridge:"))
        assert "another account under the alias 'main'" in line
        assert "87654321" not in refused.stderr
