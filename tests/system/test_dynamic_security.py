"""The managed variant: users in Mosquitto's dynamic-security plugin, changed over MQTT."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.broker.certificates import Authority, default_hosts
from bridge.broker.folder import BrokerFolder
from tests.in_process import run
from tests.system.deployment import NOT_AUTHORISED, Deployment, shipped_conf
from tests.system.programs import KIS_BRIDGE, Program, ask, bridge_toml, client, environ, simulator

PLUGIN = "mosquitto_dynamic_security.so"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    found = next(Path("/usr/lib").glob(f"*/{PLUGIN}"), None)
    control = shutil.which("mosquitto_ctrl")
    if found is None or control is None:
        pytest.skip(f"needs {PLUGIN} and mosquitto_ctrl: apt-get install mosquitto")
    root = tmp_path_factory.mktemp("managed")
    folder = root / "broker"
    Authority(BrokerFolder(folder)).server(default_hosts())
    ports = shipped_conf(folder, "dynamic-security.conf")
    conf = folder / "mosquitto.conf"
    text = conf.read_text()
    assert f"plugin /usr/lib/x86_64-linux-gnu/{PLUGIN}\n" in text
    conf.write_text(text.replace(f"/usr/lib/x86_64-linux-gnu/{PLUGIN}", str(found)))
    init = [control, "dynsec", "init", "data/dynamic-security.json", "admin", "admin-secret-1"]
    subprocess.run(init, cwd=folder, check=True, capture_output=True, env=environ())
    (folder / "data/dynamic-security.json").chmod(0o600)
    admin = root / "admin.password"
    admin.touch(mode=0o600)
    admin.write_text("admin-secret-1\n")
    with Deployment(folder, ports) as deployment:
        for name, *role in (
            ("bridge", "--role", "bridge"),
            ("alice", "--role", "trader", "--account", "main"),
            ("bob", "--role", "reader"),
            ("carol", "--role", "admin"),
        ):
            kept = root / f"{name}.password"
            users(deployment, "add", name, *role, "--save", str(kept))
            deployment.passwords[name] = kept.read_text().strip()
        yield deployment


def users(broker: Deployment, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    where = ("--dynsec", "--url", broker.url, "--ca-file", str(broker.ca))
    admin = ("--admin-password-file", str(broker.folder.parent / "admin.password"))
    done = run(broker.folder.parent, "users", *args, *where, *admin)
    assert done.returncode == code, done.stderr
    return done


def order(broker: Deployment, name: str) -> subprocess.CompletedProcess[str]:
    password = broker.folder.parent / f"{name}.password"
    return ask(
        *("order", "place", "005930", "buy", "1", "--price", "250000", "--url", broker.url),
        *("--ca-file", str(broker.ca), "--user", name, "--password-file", str(password)),
    )


def test_alice_trades_and_bob_does_not(broker: Deployment, tmp_path: Path) -> None:
    with simulator() as (_, kis):
        config = bridge_toml(tmp_path, kis, broker.url)
        login = f"""username = "bridge"
password = {{ file = "{broker.folder.parent / "bridge.password"}" }}
ca_file = "{broker.ca}"
"""
        config.write_text(config.read_text().replace("[mqtt]\n", f"[mqtt]\n{login}"))
        with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
            bridge.line()
            done = order(broker, "alice")
            assert done.returncode == 0, done.stderr
            assert "accepted" in done.stdout
            refused = order(broker, "bob")
            assert (refused.returncode, refused.stdout) == (1, "")
            checked = ask("check", "--config", str(config), "--json")
            rows = {row["what"]: row["detail"] for row in json.loads(checked.stdout)}
            # Not its status: that is about how long it took, on a machine that is busy.
            assert "MQTT through it in" in rows["broker"]
        assert not [line for line in bridge.err if "ot authori" in line]


REFUSED = [
    ("bob", "kis/orders/main/bob/command/place"),
    ("bob", "kis/market/domestic_stock/krx/trade/005930"),
    ("alice", "kis/orders/other/alice/command/place"),
    ("alice", "kis/orders/main/bob/command/place"),
    ("alice", "kis/orders/main/alice/ack/a"),
    ("alice", "kis/bridge/request/halt/alice"),
    ("alice", "$CONTROL/dynamic-security/v1"),
    ("carol", "kis/orders/main/carol/command/place"),
    ("carol", "kis/bridge/state"),
    ("bridge", "kis/orders/main/alice/command/place"),
]


@pytest.mark.parametrize(("name", "topic"), REFUSED)
def test_nobody_writes_what_is_not_theirs(broker: Deployment, name: str, topic: str) -> None:
    with broker.intruder(name) as intruder:
        assert intruder.login == 0
        assert intruder.publish(topic) == NOT_AUTHORISED


def test_what_a_reader_may_not_read_it_cannot_subscribe_to(broker: Deployment) -> None:
    with broker.intruder("bob") as bob:
        assert bob.subscribe("kis/market/#") == []
        for topic_filter in ("#", "kis/#", "kis/orders/#", "kis/accounts/#", "$SYS/#"):
            assert bob.subscribe(topic_filter) == [NOT_AUTHORISED], topic_filter
        assert bob.subscribe("kis/bridge/response/+/alice/#") == [NOT_AUTHORISED]


def test_nobody_comes_in_without_a_password(broker: Deployment) -> None:
    for name, password in ((None, None), ("alice", "wrong"), ("admin", "wrong")):
        with broker.intruder(name, password) as intruder:
            assert intruder.login == NOT_AUTHORISED


def test_roles_come_and_go_at_once(broker: Deployment) -> None:
    topic = "kis/orders/second/bob/command/place"
    users(broker, "grant", "bob", "trader", "--account", "second")
    said = json.loads(users(broker, "show", "bob", "--json").stdout)
    why = {right["what"]: right["why"] for right in said["rights"]}
    assert why[f"write {topic.removesuffix('/place')}/+"] == "role trader second"
    with broker.intruder("bob") as bob:
        assert bob.publish(topic) in (0, 0x10)
        users(broker, "revoke", "bob", "trader", "--account", "second")
        bob.wait("the end of the connection", lambda: bob.ended)
    with broker.intruder("bob") as bob:
        assert bob.publish(topic) == NOT_AUTHORISED
    refused = users(broker, "revoke", "bob", "admin", code=2)
    assert "does not have role admin (it has reader)" in refused.stderr


def test_users_come_and_go(broker: Deployment) -> None:
    done = users(broker, "add", "dave", "--role", "reader", "--generate")
    broker.passwords["dave"] = done.stdout.strip()
    with broker.intruder("dave") as dave:
        assert dave.login == 0
        broker.passwords["dave"] = users(broker, "password", "dave", "--generate").stdout.strip()
        dave.wait("the end of the connection", lambda: dave.ended)
    with broker.intruder("dave") as dave:
        assert dave.login == 0
    rows = listed(broker)
    assert rows["dave"]["roles"] == [{"role": "reader", "account": ""}]
    assert rows["admin"]["other_roles"] == ["admin"]
    users(broker, "remove", "dave")
    with broker.intruder("dave") as dave:
        assert dave.login == NOT_AUTHORISED
    assert "dave" not in listed(broker)
    # A user of the same name begins with nothing.
    users(broker, "add", "dave", "--role", "trader", "--account", "main", "--generate")
    assert listed(broker)["dave"]["roles"] == [{"role": "trader", "account": "main"}]
    users(broker, "remove", "dave")
    assert (
        "no user 'dave' (there are admin, alice" in users(broker, "remove", "dave", code=2).stderr
    )
    assert (
        "is there already"
        in users(broker, "add", "alice", "--role", "reader", "--generate", code=2).stderr
    )


def test_many_users_are_listed(broker: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = listed(broker)
    monkeypatch.setattr("bridge.broker.dynamic_security._PAGE", 2)
    assert listed(broker) == everybody
    assert len(everybody) > 4


def listed(broker: Deployment) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads(users(broker, "list", "--json").stdout)}


def test_the_bridges_own_user_is_not_shut_out_by_mistake(broker: Deployment) -> None:
    refused = users(broker, "remove", "bridge", code=2)
    assert "bridge is the bridge's own user" in refused.stderr
    assert "bridge" in listed(broker)


def test_who_may_not_administer_is_told(broker: Deployment) -> None:
    assert client("mosquitto_sub")
    password = str(broker.folder.parent / "bob.password")
    done = ask(
        *("users", "list", "--dynsec", "--url", broker.url, "--ca-file", str(broker.ca)),
        *("--admin", "bob", "--admin-password-file", password),
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "ot authorised" in done.stderr
