"""``kis-bridge users`` and ``tls`` as a person types them; no broker runs here."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from bridge.broker.password_file import matches
from tests.in_process import run

PASSWORD = "correct horse battery"


def done(folder: Path, *args: str, stdin: str = "") -> str:
    ran = run(folder, *args, stdin=stdin)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def told(folder: Path, *args: str, stdin: str = "") -> str:
    """Return the one line that says why nothing was done."""
    ran = run(folder, *args, stdin=stdin)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran
    return ran.stderr


def has(folder: Path, name: str, password: str) -> bool:
    lines = (folder / "broker/users").read_text().splitlines()
    return any(matches(password, line.removeprefix(f"{name}:")) for line in lines)


def test_passwords_come_from_files_standard_input_or_nowhere(tmp_path: Path) -> None:
    add = ("users", "add")
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(f"{PASSWORD} one\n")
    done(tmp_path, *add, "a", "--role", "reader", "--password-file", "secret")
    assert has(tmp_path, "a", f"{PASSWORD} one")
    done(tmp_path, *add, "b", "--role", "reader", "--password-file", "-", stdin=f"{PASSWORD} two\n")
    assert has(tmp_path, "b", f"{PASSWORD} two")
    shown = done(tmp_path, *add, "c", "--role", "reader", "--generate")
    assert has(tmp_path, "c", shown.strip())
    assert done(tmp_path, *add, "d", "--role", "reader", "--save", "d.password") == ""
    kept = tmp_path / "d.password"
    assert has(tmp_path, "d", kept.read_text().strip())
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    more = (*add, "e", "--role", "reader")
    assert "no terminal to ask for the password" in told(tmp_path, *more)
    assert "is there already" in told(tmp_path, *more, "--save", "d.password")
    assert "not several" in told(tmp_path, *more, "--save", "e.password", "--generate")
    assert "12 to 256 characters" in told(tmp_path, *more, "--password-file", "-", stdin="short\n")
    if sys.platform != "win32":
        file.chmod(0o644)
        assert "chmod 600" in told(tmp_path, *more, "--password-file", "secret")
    # What was not added left no file with a password behind.
    assert "is there already" in told(tmp_path, *add, "d", "--role", "reader", "--save", "x")
    assert not (tmp_path / "x").exists()


def test_who_may_what_and_why(tmp_path: Path) -> None:
    trader = ("--role", "trader", "--account", "main", "--account", "other")
    done(tmp_path, "users", "add", "alice", *trader, "--generate")
    done(tmp_path, "users", "add", "bob", "--role", "reader", "--generate")
    rows = json.loads(done(tmp_path, "users", "list", "--json"))
    assert [(row["name"], [role["account"] for role in row["roles"]]) for row in rows] == [
        ("alice", ["main", "other"]),
        ("bob", [""]),
    ]
    assert "trader main, trader other" in done(tmp_path, "users", "list")
    (tmp_path / "bridge.toml").write_text("""
[kis]
environment = "simulator"
[[kis.apps]]
alias = "app1"
app_key = { env = "NOT_SET" }
app_secret = { env = "NOT_SET" }
[[kis.accounts]]
alias = "main"
app = "app1"
number = { env = "NOT_SET" }
[orders.clients.alice]
accounts = ["main"]
[requests.clients.alice]
verbs = ["query"]
""")
    said = json.loads(done(tmp_path, "users", "show", "alice", "--json"))
    rights = {(r["lock"], r["may"], r["what"]): r["why"] for r in said["rights"]}
    command = "write kis/orders/{}/alice/command/+"
    assert rights["broker", True, command.format("main")] == "role trader main"
    assert rights["broker", True, command.format("other")] == "role trader other"
    assert rights["bridge", True, "trade account main"] == "orders.clients.alice"
    assert ("bridge", True, "request query") in rights
    assert ("bridge", False, "request halt") in rights
    said = json.loads(done(tmp_path, "users", "show", "bob", "--json"))
    rights = {(r["lock"], r["may"], r["what"]): r["why"] for r in said["rights"]}
    assert ("bridge", False, "trade account main") in rights
    assert not [what for _, _, what in rights if what.startswith("write") and "orders" in what]
    assert "write kis/orders/main/alice/command/+" in done(tmp_path, "users", "show", "alice")
    assert "no user 'carol' (there are alice, bob)" in told(tmp_path, "users", "show", "carol")


def test_the_bridges_own_user_is_not_shut_out_by_mistake(tmp_path: Path) -> None:
    done(tmp_path, "users", "add", "bridge", "--role", "bridge", "--generate")
    for change in (("remove", "bridge"), ("revoke", "bridge", "bridge"), ("password", "bridge")):
        assert "bridge is the bridge's own user" in told(tmp_path, "users", *change)
    ran = run(tmp_path, "users", "remove", "bridge", "--yes")
    assert ran.returncode == 0
    assert "bridge is the bridge's own user" in ran.stderr


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    add = ("users", "add", "alice", "--generate", "--role")
    assert "name the account" in told(tmp_path, *add, "trader")
    assert "no --account" in told(tmp_path, *add, "reader", "--account", "main")
    assert "no role 'god' (one of reader, trader" in told(tmp_path, *add, "god")
    assert "a name is 1 to 64" in told(tmp_path, "users", "add", "a/b", *add[3:], "reader")
    assert "is for --dynsec" in told(tmp_path, "users", "list", "--url", "mqtt://x")
    assert "no certificates in broker/tls" in told(tmp_path, "tls", "show")
    assert "no certificates in broker/tls" in told(tmp_path, "tls", "renew")
    assert "a host name or an address" in told(tmp_path, "tls", "init", "--host", "a:1")


def test_certificates_are_made_kept_and_shown(tmp_path: Path) -> None:
    made = done(tmp_path, "tls", "init", "--host", "broker.example", "--client", "alice")
    assert "authority made" in made
    assert "for broker.example, until" in made
    authority = (tmp_path / "broker/tls/ca.crt").read_bytes()
    again = done(tmp_path, "tls", "renew")
    assert "authority kept" in again
    assert "for broker.example, until" in again
    assert (tmp_path / "broker/tls/ca.crt").read_bytes() == authority
    rows = {row["kind"]: row for row in json.loads(done(tmp_path, "tls", "show", "--json"))}
    assert rows["authority"]["days_left"] == 3649
    assert (rows["server"]["hosts"], rows["server"]["days_left"]) == (["broker.example"], 396)
    assert rows["client"]["subject"] == "CN=alice"
    assert "396 days left" in done(tmp_path, "tls", "show")


@pytest.mark.parametrize("what", ["users", "acl"])
def test_files_that_cannot_be_used_are_told(tmp_path: Path, what: str) -> None:
    done(tmp_path, "users", "add", "alice", "--role", "reader", "--generate")
    (tmp_path / "broker" / what).write_bytes(b"\xff")
    assert f"broker/{what} is not UTF-8 text" in told(tmp_path, "users", "list")
