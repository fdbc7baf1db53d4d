"""Signed orders over a real broker, by the command line and by the examples of other languages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.mqtt.signatures import seal
from tests.system.programs import DEADLINE_S, World, ask, environ, publish

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef" * 4
CONFIG = f"""
[orders.clients.signer]
accounts = ["main"]
signing_key = "{KEY}"
[requests]
role = "admin"
[requests.clients.ops]
signing_key = "{KEY}"
"""
PLACE = "kis/orders/main/signer/command/place"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.running(tmp_path_factory.mktemp("world"), CONFIG) as world:
        yield world


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "signer.key"
    file.touch(mode=0o600)
    file.write_text(f"{KEY}\n")
    return str(file)


def placed_by_the_example(world: World, key: str) -> dict[str, Any]:
    price = str(world.resting()["price"])
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/signed_order.py"), "--port", str(world.broker.port),
         "--user", "signer", "--key", key, "005930", "buy", "1", price],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=environ(),
    )  # fmt: skip
    assert done.stdout, done.stderr
    ack: dict[str, Any] = json.loads(done.stdout)
    return ack


def test_the_example_in_python_places_an_order(world: World, key: str) -> None:
    assert placed_by_the_example(world, key)["status"] == "accepted"


def test_the_example_in_javascript_signs_alike() -> None:
    node = shutil.which("node")
    if node is None:
        reason = "needs Node"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    key, topic, payload = "k" * 32, "kis/orders/main/앨리스/command/place", '{"x":"한글 \\" \\n"}'
    said = [key, topic, payload, "b7f1c6a09d3e42f8", "2026-11-22T00:00:05.000Z"]
    code = (
        f'import {{ seal }} from "{(ROOT / "examples/signed_order.mjs").as_uri()}";'
        f"console.log(seal(...{json.dumps(said)}));"
    )
    done = subprocess.run(
        [node, "--input-type=module", "-e", code],
        capture_output=True, text=True, timeout=DEADLINE_S, check=True,
    )  # fmt: skip
    nonce, until = said[3:]
    ours = seal(SecretStr(key), topic, payload.encode(), nonce=nonce, expires_at=until)
    assert json.loads(done.stdout) == json.loads(ours)


def test_the_command_line_signs_with_a_key_that_nobody_else_can_read(
    world: World, key: str
) -> None:
    where = ("--url", world.broker.url, "--client", "signer", "--json")
    order = ("order", "place", "005930", "buy", "1", "--price", str(world.resting()["price"]))
    done = ask(*order, *where, "--signing-key-file", key)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "accepted"), done
    unsigned = ask(*order, *where)
    assert (unsigned.returncode, json.loads(unsigned.stdout)["reason"]) == (1, "bad_signature")
    Path(key).chmod(0o644)
    done = ask(*order, *where, "--signing-key-file", key)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"chmod 600 {key}" in done.stderr


def test_whoever_has_the_password_and_a_record_of_the_wire_trades_nothing(
    world: World, key: str
) -> None:
    before = len(world.ear.heard)
    ack = placed_by_the_example(world, key)
    recorded = world.ear.until(PLACE, after=before).text
    orders = len(world.placed())

    def refused(topic: str, payload: str, version: str) -> str:
        start = len(world.ear.heard)
        publish(world.broker.port, topic, payload, version=version)
        level = topic.rpartition("/command/")[0] + "/ack/invalid"
        return str(world.ear.until(level, after=start).payload["reason"])

    own = json.loads(json.loads(recorded)["signed"]["payload"])
    plain = json.dumps(own | {"client_order_id": "stolen-1"})
    altered = recorded.replace("buy", "sell")
    for version in ("5", "311"):
        for payload in (plain, altered, '{"signed":{}}', "{}"):
            assert refused(PLACE, payload, version) == "bad_signature"
        cancel = PLACE.replace("place", "cancel_all")
        assert refused(cancel, recorded, version) == "bad_signature"
        # The same bytes again are the same order, before a restart and after it.
        start = len(world.ear.heard)
        publish(world.broker.port, PLACE, recorded, version=version)
        topic = f"kis/orders/main/signer/ack/{ack['client_order_id']}"
        again = world.ear.until(topic, after=start).payload
        assert (again["duplicate"], again["order_no"]) == (True, ack["order_no"])
        if version == "5":
            world.bridge.__exit__()
            world.start_bridge()
    assert len(world.placed()) == orders


def test_whoever_has_the_password_of_the_operator_resumes_nothing(world: World, key: str) -> None:
    where = ("--url", world.broker.url, "--user", "ops", "--client", "nobody")
    topic, answers = "kis/bridge/request/resume/ops", "kis/bridge/response/resume/ops"
    signed = ("--signing-key-file", key)
    assert ask("halt", *where, "--force", *signed).returncode == 0
    before = len(world.ear.heard)
    assert ask("resume", *where, *signed).returncode == 0
    recorded = world.ear.until(topic, after=before).text
    assert ask("halt", *where, "--force", *signed).returncode == 0
    unsigned = ask("resume", *where)
    assert (unsigned.returncode, "it is not signed" in unsigned.stderr) == (1, True)
    for _ in range(2):  # before a restart, and after it
        start = len(world.ear.heard)
        publish(world.broker.port, topic, recorded)
        said = world.ear.until(answers, after=start).payload
        assert (said["code"], said["message"]) == ("bad_signature", "it came already")
        world.bridge.__exit__()
        world.start_bridge()
    assert "client nobody is halted" in str(ask("check", "--config", str(world.config)).stdout)
