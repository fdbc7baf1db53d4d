"""Who may ask what: requests under a client's name and without one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.broker.acl_file import render
from bridge.broker.roles import Grant
from tests.brokers import Mosquitto
from tests.system.programs import (
    KIS_BRIDGE,
    Ear,
    Program,
    World,
    answer,
    ask,
    bridge_toml,
    publish,
    simulator,
)

CONFIG = """
[requests]
query = ["domestic_stock/inquire_price"]
[requests.clients.alice]
query = ["domestic_stock/*", "inquire_prise"]
accounts = ["main"]
[requests.clients.bob]
verbs = ["query", "subscribe", "unsubscribe"]
query = ["*"]
accounts = []
[requests.clients.ops]
role = "admin"
"""
PRICE = {"api": "inquire_price", "params": {"symbol": "005930"}}
BALANCE = {"api": "domestic_stock/inquire_balance", "account": "main"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.running(tmp_path_factory.mktemp("world"), CONFIG) as world:
        yield world


def _client(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: apt-get install mosquitto")
    return found


@pytest.mark.parametrize(
    ("client", "content", "permitted"),
    [
        ("", PRICE, True),
        ("", BALANCE, False),
        ("stranger", PRICE, True),
        ("stranger", BALANCE, False),
        ("alice", BALANCE, True),
        ("alice", {"api": "overseas_stock/price"}, False),
        ("bob", PRICE, True),
        ("bob", BALANCE, False),
    ],
)
def test_a_query_needs_permission(
    world: World, client: str, content: dict[str, Any], permitted: bool
) -> None:
    said = answer(world, "query", content, client)
    assert (said["status"] == "ok") is permitted, said
    if not permitted:
        assert said["code"] == "not_permitted"
        assert repr(content["api"]) in said["message"]


def test_a_pattern_that_permits_nothing_is_told(world: World) -> None:
    warning = world.ear.until("kis/bridge/event/config_warning").payload
    assert warning["message"].startswith("requests.clients.alice.query[1]: 'inquire_prise': no")
    done = ask("check", "--config", str(world.config), "--json")
    rows = {row["what"]: row["status"] for row in json.loads(done.stdout)}
    assert rows["requests.clients.alice.query[1]"] == "problem"
    assert "requests.clients.alice.query[0]" not in rows


def test_a_client_has_its_requests(world: World) -> None:
    for verb in ("halt", "resume", "resolve", "adopt", "symbols", "snapshot"):
        said = answer(world, verb, {}, "bob")
        assert said["code"] == "not_permitted"
        assert said["message"] == (
            f"client 'bob' may not {verb}; permitted: query, subscribe, unsubscribe; to permit it: "
            f'[requests.clients.bob] role = "admin", or verbs = ["{verb}", …]'
        )
    assert answer(world, "channels", {}, "alice")["status"] == "ok"


def test_nobody_drops_the_subscriptions_of_another(world: World) -> None:
    wanted = {"subscriptions": [{"channel": "H0STCNT0", "key": "035420"}]}
    assert answer(world, "subscribe", wanted, "alice")["data"]["subscribed"] == 1
    assert answer(world, "unsubscribe", wanted, "bob")["data"]["ended"] == 0
    posing = answer(world, "unsubscribe", wanted | {"client": "alice"}, "bob")
    assert posing["code"] == "not_permitted"
    posing = answer(world, "unsubscribe", wanted | {"client": "alice"})
    assert posing["code"] == "not_permitted"
    assert answer(world, "unsubscribe", wanted, "alice")["data"]["ended"] == 1


def test_the_command_line_names_the_client_in_the_topic(world: World) -> None:
    url = ("--url", world.broker.url)
    what = ("domestic_stock/krx/trade", "035720")
    assert ask("subscribe", *what, "--client", "alice", *url).returncode == 0
    posing = ask("unsubscribe", *what, "--client", "alice", "--user", "bob", *url)
    assert (posing.returncode, posing.stdout) == (0, "1 ended\n")  # no ACL here to stop it
    assert ask("unsubscribe", *what, "--client", "alice", *url).stdout == "0 ended\n"


def test_the_command_line_asks_under_the_name_of_its_user(world: World) -> None:
    where = ("--url", world.broker.url, "--json")
    query = ("query", "inquire_balance", "--account", "main", *where)
    refused = ask(*query)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "may not call 'domestic_stock/inquire_balance'" in refused.stderr
    done = ask(*query, "--user", "alice")
    assert done.returncode == 0, done.stderr


def test_halts_of_one_client_from_the_command_line(world: World) -> None:
    url = ("--url", world.broker.url, "--user", "ops")
    done = ask("halt", "--client", "bob", "--reduce-only", "--json", *url)
    assert done.returncode == 0, done.stderr
    event = world.ear.until("kis/bridge/event/halted").payload
    assert (event["client"], event["mode"]) == ("bob", "reduce_only")
    assert ask("resume", "--client", "bob", *url).returncode == 0


def test_an_account_that_is_not_configured_is_refused_at_once(world: World) -> None:
    config = world.config.with_name("wrong.toml")
    config.touch(mode=0o600)
    config.write_text(world.config.read_text().replace("accounts = []", 'accounts = ["maim"]'))
    done = ask("run", "--config", str(config))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert "requests.clients.bob.accounts" in done.stderr
    assert "maim" in done.stderr


def test_the_brokers_acl_keeps_the_names_apart(tmp_path: Path) -> None:
    """The lines that `kis-bridge users` writes, on a Mosquitto that knows its users."""
    users, acl = tmp_path / "users", tmp_path / "acl"
    for path in (users, acl):
        path.touch(mode=0o600)
    for name in ("bridge", "alice", "bob"):
        program = [_client("mosquitto_passwd"), "-b", str(users), name, f"{name}-secret"]
        subprocess.run(program, check=True, capture_output=True)
    roles = {"bridge": "bridge", "alice": "trader main", "bob": "trader other"}
    acl.write_text(render({name: frozenset([Grant.parse(role)]) for name, role in roles.items()}))
    extra = f"allow_anonymous false\npassword_file {users}\nacl_file {acl}\n"
    login = '[mqtt]\nusername = "bridge"\npassword = "bridge-secret"\n'
    with Mosquitto.running(tmp_path, extra) as broker, simulator() as (_, kis):
        config = bridge_toml(tmp_path, kis, broker.url, CONFIG)
        config.write_text(config.read_text().replace("[mqtt]\n", login))
        with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
            bridge.line()

            def query(user: str, *args: str) -> subprocess.CompletedProcess[str]:
                login = ("--user", user, "--password", f"{user}-secret", "--url", broker.url)
                return ask("query", "inquire_balance", "--account", "main", *login, *args)

            assert query("alice", "--json").returncode == 0
            refused = query("bob")
            assert (refused.returncode, "may not call" in refused.stderr) == (1, True)
            bob = ("-u", "bob", "-P", "bob-secret")
            alice = ("-u", "alice", "-P", "alice-secret")
            topic, plain = "kis/bridge/request/query/alice", "kis/bridge/request/query"
            answers = "kis/bridge/response/query"
            with (
                Ear(broker.port, "kis/bridge/#", login=("bridge", "bridge-secret")) as ear,
                Ear(broker.port, "kis/bridge/#", login=("bob", "bob-secret")) as spy,
            ):
                for hearer in (ear, spy):  # both are there
                    publish(broker.port, f"{plain}/bob", PRICE, *bob)
                    hearer.until(f"{answers}/bob")
                publish(broker.port, topic, PRICE, *bob, check=False)
                publish(broker.port, plain, PRICE, *bob, check=False)
                publish(broker.port, topic, PRICE, *alice)
                ear.until(f"{answers}/alice")
                stolen = f"{answers}/alice/1"
                reply = ("-D", "publish", "response-topic", stolen)
                publish(broker.port, f"{plain}/bob", PRICE | {"transaction": "last"}, *bob, *reply)
                said = ear.until(f"{answers}/bob", lambda answer: "transaction" in answer).payload
                assert said["code"] == "invalid_response_topic"
                spy.until(f"{answers}/bob", lambda answer: "transaction" in answer)
            heard = Counter(message.topic for message in ear.heard)
            assert (heard[topic], heard[plain], heard[f"{answers}/alice"]) == (1, 0, 1)
            assert (heard[answers], heard[stolen]) == (0, 0)
            overheard = {m.topic for m in spy.heard if m.topic.startswith(answers)}
            assert overheard == {f"{answers}/bob"}
            what = ("domestic_stock/krx/trade", "005930")
            options = ("--user", "bob", "--password", "bob-secret", "--url", broker.url)
            done = ask("subscribe", *what, *options)
            assert (done.returncode, done.stdout) == (0, "1 subscribed\n")
            done = ask("unsubscribe", *what, *options, "--client", "alice")
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert "not authorised" in done.stderr
