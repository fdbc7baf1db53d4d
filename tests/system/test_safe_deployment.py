"""From nothing to a safe deployment, by the commands of the README alone."""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.brokers import free_port, mosquitto_program
from tests.system.programs import Program, bridge_toml, environ, simulator

ROOT = Path(__file__).parents[2]
SECTION = (
    (ROOT / "README.md").read_text().partition("\n## Deploy it safely\n")[2].partition("\n## ")[0]
)
COMMANDS = re.findall(r"(?m)^\$ (.+)$", SECTION)
(TOML,) = re.findall(r"(?s)```toml\n(.+?)```", SECTION)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder with the project's files, where ``kis-bridge`` is a command."""
    (tmp_path / "mosquitto").symlink_to(ROOT / "mosquitto")
    command = tmp_path / "bin/kis-bridge"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "from bridge.cli import main; main()"'
        ' "$@"\n'
    )
    command.chmod(0o755)
    return tmp_path


def with_free_ports(folder: Path) -> Mapping[str, str]:
    """Give the copy of mosquitto.conf free ports; those of the README may be taken here."""
    ports = {port: str(free_port()) for port in ("8883", "8884", "8885")}
    conf = folder / "broker/mosquitto.conf"
    text = re.sub(r"(?m)^listener (\d+)", lambda m: f"listener {ports[m[1]]}", conf.read_text())
    # Started by root it would change to a user without access to the folder.
    conf.write_text(f"user {getpass.getuser()}\n{text}")
    return ports


class Shell:
    """Types the commands in turn; those that run until Ctrl-C get a terminal of their own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        path = f"{folder / 'bin'}:{os.environ['PATH']}:{Path(mosquitto_program()).parent}"
        self._environ = environ() | {"PATH": path, "HOME": str(folder)}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd=self._folder, env=self._environ, check=False,
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip

    def start(self, command: str) -> Program:
        line = command.replace("&& ", "&& exec ") if "&&" in command else f"exec {command}"
        return self._stack.enter_context(
            Program("/bin/sh", "-c", line, cwd=self._folder, env=self._environ)
        )


@pytest.fixture
def shell(folder: Path) -> Iterator[Shell]:
    with ExitStack() as stack:
        yield Shell(folder, stack)


def test_by_the_readme_alone_alice_trades_and_bob_does_not(folder: Path, shell: Shell) -> None:
    commands = iter(COMMANDS)
    command = next(commands)
    assert shell.run(command).returncode == 0
    ports = with_free_ports(folder)
    for command in commands:
        if "start.sh" in command:
            break
        done = shell.run(command)
        assert done.returncode == 0, (command, done.stderr)
    broker = shell.start(command)
    broker.wait("the broker", lambda: any(line.endswith(" running") for line in broker.err))
    with simulator() as (_, kis):
        config = bridge_toml(folder, kis, "mqtt://replaced")
        mine = config.read_text()
        for table in ("mqtt", "orders.clients.alice"):
            mine = re.sub(rf"(?ms)^\[{table}\]\n.*?(?=^\[)", "", mine)
        toml = re.sub(r":(\d+)\"", lambda m: f':{ports[m[1]]}"', TOML)
        config.write_text(f"{mine}\n{toml}")
        bridge = shell.start(f"{next(commands)} --json")
        assert '"mqtt"' in bridge.line()
        alice, bob = shell.run(next(commands)), shell.run(next(commands))
        assert (alice.returncode, "accepted" in alice.stdout) == (0, True), alice
        assert (bob.returncode, bob.stdout) == (1, "")
        assert "ot authorised" in bob.stderr
        shown = shell.run(next(commands))
        assert "write kis/orders/main/alice/command/+" in shown.stdout
        assert "trade account main" in shown.stdout
        assert list(commands) == []
        rows = json.loads(shell.run("kis-bridge check --json").stdout)
        # The broker's own row is about how long a message took, on a machine that is busy.
        assert [row for row in rows if row["status"] != "ok" and row["what"] != "broker"] == []
        assert "MQTT through it in" in next(r["detail"] for r in rows if r["what"] == "broker")
        assert [row for row in rows if row["what"].startswith("certificate of localhost")]
        # No anonymous client comes in, and nobody without TLS.
        where = f"-h localhost -p {ports['8883']} -t kis/bridge/state -C 1 -W 5"
        assert shell.run(f"mosquitto_sub {where} --cafile broker/tls/ca.crt").returncode == 5
        assert shell.run(f'mosquitto_sub {where} -u bob -P "$(cat bob.password)"').returncode
    # A role taken away, and a user: the broker that runs is told.
    done = shell.run("kis-bridge users remove alice")
    assert "reads it now" in done.stderr
    broker.wait("it", lambda: any("Reloading config" in line for line in broker.err))
    with_alice = f'-u alice -P "$(cat alice.password)" --cafile broker/tls/ca.crt {where}'
    assert shell.run(f"mosquitto_sub {with_alice}").returncode == 5
