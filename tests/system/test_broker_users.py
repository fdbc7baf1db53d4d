"""Users in files: the broker that runs reads every change, and its certificates, at once."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.in_process import run
from tests.system.deployment import NOT_AUTHORISED, Deployment
from tests.system.programs import client


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Deployment]:
    with Deployment.running(tmp_path / "broker") as broker:
        yield broker


def changed(broker: Deployment, *args: str) -> str:
    """Run a command that changes something, and wait until the broker has read that."""
    before = len(broker.err)
    done = run(broker.folder.parent, *args)
    assert done.returncode == 0, done.stderr
    assert "reads it now" in done.stderr
    broker.until_logged("Reloading config", before)
    return done.stdout.strip()


def test_a_user_who_is_removed_is_cut_off(broker: Deployment) -> None:
    with broker.intruder("bob") as bob, broker.intruder("alice") as alice:
        changed(broker, "users", "remove", "bob")
        bob.wait("the end of the connection", lambda: bob.ended)
        assert alice.publish("kis/orders/main/alice/command/place") in (0, 0x10)
    with broker.intruder("bob") as bob:
        assert bob.login == NOT_AUTHORISED


def test_another_password_ends_connections_with_the_old_one(broker: Deployment) -> None:
    with broker.intruder("bob") as bob:
        new = changed(broker, "users", "password", "bob", "--generate")
        bob.wait("the end of the connection", lambda: bob.ended)
    with broker.intruder("bob", new) as bob:
        assert bob.login == 0


def test_roles_hold_for_connections_that_are_there(broker: Deployment) -> None:
    topic = "kis/orders/main/bob/command/place"
    with broker.intruder("bob") as bob:
        assert bob.publish(topic) == NOT_AUTHORISED
        changed(broker, "users", "grant", "bob", "trader", "--account", "main")
        assert bob.publish(topic) in (0, 0x10)
        changed(broker, "users", "revoke", "bob", "trader", "--account", "main")
        assert bob.publish(topic) == NOT_AUTHORISED


def test_a_new_certificate_is_shown_at_once_and_trusted(broker: Deployment) -> None:
    def serial() -> str:
        context = ssl.create_default_context(cafile=broker.ca)
        pem = ssl.get_server_certificate(("localhost", broker.port), timeout=10)
        assert context.cert_store_stats()["x509_ca"] == 1
        return pem

    before = serial()
    with broker.intruder("alice") as alice:
        changed(broker, "tls", "renew")
        assert serial() != before
        assert alice.publish("kis/orders/main/alice/command/place") in (0, 0x10)
    with broker.intruder("alice") as alice:  # she trusts the same authority as before
        assert alice.login == 0


def test_what_mosquitto_passwd_adds_is_a_user_without_rights(broker: Deployment) -> None:
    users = broker.folder / "users"
    program = [client("mosquitto_passwd"), "-b", str(users), "dave", "a password of dave"]
    subprocess.run(program, check=True, capture_output=True)
    changed(broker, "users", "grant", "bob", "admin")  # both files are understood as before
    with broker.intruder("dave", "a password of dave") as dave:
        assert dave.login == 0
        assert dave.publish("kis/orders/main/dave/command/place") == NOT_AUTHORISED
        assert dave.publish("kis/bridge/request/subscribe/dave") == NOT_AUTHORISED
    shown = run(broker.folder.parent, "users", "list").stdout
    assert "no role: may do nothing" in next(li for li in shown.splitlines() if " dave " in li)


def test_a_client_certificate_is_a_second_lock_where_it_is_asked_for(broker: Deployment) -> None:
    folder = broker.folder
    assert run(folder.parent, "tls", "renew", "--client", "alice").returncode == 0
    broker.stop()
    conf = folder / "mosquitto.conf"
    conf.write_text(
        conf.read_text().replace(
            "certfile tls", "cafile tls/ca.crt\nrequire_certificate true\ncertfile tls"
        )
    )
    with Deployment(folder, (broker.port, broker.ws_port, broker.own_port)) as again:
        again.passwords |= broker.passwords
        where = (client("mosquitto_pub"), *again.options("alice"), "-p", str(again.port))
        where += ("-q", "1", "-t", "kis/orders/main/alice/command/place", "-m", "{}")
        key = ["--cert", str(folder / "tls/client-alice.crt")]
        key += ["--key", str(folder / "tls/client-alice.key")]
        assert subprocess.run(where, capture_output=True, check=False).returncode != 0
        assert subprocess.run([*where, *key], capture_output=True, check=False).returncode == 0
