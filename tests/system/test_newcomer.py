"""From nothing to an order and a halt, with what the README tells a newcomer to type."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.brokers import Mosquitto
from tests.system.programs import KIS_BRIDGE, Ear, Program, environ, simulator


def test_init_check_run_subscribe_order_halt(tmp_path: Path) -> None:
    with Mosquitto.running(tmp_path) as broker, simulator() as (_, kis), Ear(broker.port) as ear:
        # A simulator of one's own listens on the usual ports; this one took free ones.
        servers = {"KIS_BRIDGE_KIS__REST_URL": kis["rest"], "KIS_BRIDGE_KIS__WS_URL": kis["ws"]}
        keys = {
            "KIS_APP_KEY": kis["app_key"],
            "KIS_APP_SECRET": kis["app_secret"],
            "KIS_ACCOUNT": kis["account"],
            "KIS_HTS_ID": kis["hts_id"],
        }
        home = {"HOME": str(tmp_path / "home")}
        folder = tmp_path / "new"
        folder.mkdir()

        def run(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*KIS_BRIDGE, *args],
                cwd=folder, env=environ() | servers | home | variables, text=True, timeout=30,
                capture_output=True, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip

        made = run("init", "--environment", "simulator", "--url", broker.url, **keys)
        assert made.returncode == 0, made.stderr
        assert "Next: kis-bridge run" in made.stdout
        with Program(
            *KIS_BRIDGE, "run", "--json", cwd=folder, env=environ() | servers | home
        ) as up:
            up.line()
            checked = run("check", "--json")
            assert checked.returncode == 0, checked.stdout
            assert {row["status"] for row in json.loads(checked.stdout)} <= {"ok", "info"}
            subscribed = run("subscribe", "domestic_stock/krx/trade", "035420")
            assert subscribed.returncode == 0, subscribed.stderr
            ear.until("kis/market/domestic_stock/krx/trade/035420")
            placed = run("order", "place", "005930", "buy", "1", "--client", "me", "--json")
            assert placed.returncode == 0, placed.stderr
            assert json.loads(placed.stdout)["status"] == "accepted"
            assert run("halt").returncode == 0
            refused = run("order", "place", "005930", "buy", "1", "--client", "me", "--json")
            assert json.loads(refused.stdout)["reason"] == "halted"
