"""With real money at stake the bridge does not start where something speaks against it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Mosquitto
from tests.system.programs import (
    KIS_BRIDGE,
    Ear,
    Program,
    World,
    ask,
    bridge_toml,
    client,
    publish,
    simulator,
)

LOGIN = ("bridge", "bridge-secret")
ALICE = ("-u", "alice", "-P", "alice-secret")


@pytest.fixture
def kis() -> Iterator[dict[str, str]]:
    with simulator("--environment", "real") as (_, kis):
        yield kis


def passwords(folder: Path) -> str:
    """Return the line by which a broker knows its users: bridge and alice."""
    file = folder / "users"
    file.touch(mode=0o600)
    for name in ("bridge", "alice"):
        program = [client("mosquitto_passwd"), "-b", str(file), name, f"{name}-secret"]
        subprocess.run(program, check=True, capture_output=True)
    return f"password_file {file}\n"


def configuration(folder: Path, kis: dict[str, str], url: str, environment: str = "real") -> Path:
    orders = "[orders]\nallow_real = true\nmarket_hours = false\n"  # at whatever hour it is tried
    path = bridge_toml(folder, kis, url, orders)
    login = f'[mqtt]\nusername = "{LOGIN[0]}"\npassword = "{LOGIN[1]}"\n'
    text = path.read_text().replace("[mqtt]\n", login)
    path.write_text(text.replace('"simulator"', f'"{environment}"'))
    return path


def refusal(config: Path) -> str:
    done = ask("run", "--config", str(config))
    assert (done.returncode, done.stdout) == (2, ""), done
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1, done.stderr
    return said[0]


def test_a_broker_that_also_lets_in_anybody_is_refused(tmp_path: Path, kis: dict[str, str]) -> None:
    anybody = "allow_anonymous true\n" + passwords(tmp_path)
    with Mosquitto.running(tmp_path, anybody) as broker:
        config = configuration(tmp_path, kis, broker.url)
        said = refusal(config)
        assert "lets in clients without a user name, who may publish on " in said
        assert "kis/orders/+/+/command/+" in said
        assert "allow_anonymous false" in said
        checked = ask("check", "--config", str(config), "--json")
        rows = {row["what"]: row for row in json.loads(checked.stdout)}
        assert rows["strangers"]["status"] == "problem"
        assert "allow_anonymous false" in rows["strangers"]["mend"]


def test_with_a_broker_that_knows_its_users_real_orders_go_out(
    tmp_path: Path, kis: dict[str, str]
) -> None:
    with Mosquitto.running(tmp_path, "allow_anonymous false\n" + passwords(tmp_path)) as broker:
        config = configuration(tmp_path, kis, broker.url)
        with (
            Ear(broker.port, login=LOGIN) as ear,
            Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge,
        ):
            bridge.line()
            assert ear.until("kis/bridge/info").payload["environment"] == "real"
            checked = ask("check", "--config", str(config), "--json")
            rows = {row["what"]: row for row in json.loads(checked.stdout)}
            assert rows["strangers"]["status"] == "ok"
            world = World(broker, kis, config, ear, bridge)
            order = world.resting() | {"client_order_id": "real-1"}
            publish(broker.port, "kis/orders/main/alice/command/place", order, *ALICE)
            ack = world.ack("real-1")
            assert (ack["status"], ack["environment"]) == ("accepted", "real")
            assert ear.until("kis/bridge/health").payload["environment"] == "real"
            password = ("--user", "alice", "--password", "alice-secret", "--url", broker.url)
            cancelled = ask("order", "cancel", "real-1", *password)
            assert cancelled.stdout.startswith("[real]  real-1  accepted"), cancelled


def test_a_clock_that_is_off_is_refused(tmp_path: Path) -> None:
    with (
        Mosquitto.running(tmp_path, "allow_anonymous false\n" + passwords(tmp_path)) as broker,
        simulator("--environment", "real", "--clock-offset", "5") as (_, kis),
    ):
        said = refusal(configuration(tmp_path, kis, broker.url))
        assert re.search(
            r"this machine's clock is [4-6] s behind KIS's: synchronise it \(NTP\)", said
        )


def test_a_key_of_the_other_trading_is_refused_by_name(tmp_path: Path) -> None:
    with (
        Mosquitto.running(tmp_path, "allow_anonymous false\n" + passwords(tmp_path)) as broker,
        simulator() as (_, kis),
    ):
        said = refusal(configuration(tmp_path, kis, broker.url))
        assert "app key app1: " in said
        assert "EGW0200" in said
        assert "paper and real trading have app keys, accounts and servers of their own" in said


def test_on_paper_a_broker_open_to_strangers_is_told(tmp_path: Path) -> None:
    with (
        Mosquitto.running(tmp_path) as broker,
        simulator() as (_, kis),
        Ear(broker.port, "kis/bridge/event/+") as ear,
    ):
        config = configuration(tmp_path, kis, broker.url, "paper")
        with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
            bridge.line()
            said = ear.until(
                "kis/bridge/event/config_warning", lambda event: "lets in" in event["message"]
            )
            assert "kis/bridge/request/#" in said.payload["message"]
