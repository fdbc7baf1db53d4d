"""The health check of docker-compose.yml's broker, against the broker that it is about."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.brokers import free_port, mosquitto_program, wait_for_port

ROOT = Path(__file__).parents[2]
KIS_BRIDGE = [sys.executable, "-c", "from bridge.cli import main; main()"]


def check() -> str:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    how, command = compose["services"]["mosquitto"]["healthcheck"]["test"]
    assert how == "CMD-SHELL"
    return str(command)


def test_the_broker_of_a_deployment_is_well_while_it_refuses_strangers(tmp_path: Path) -> None:
    program = mosquitto_program()
    folder = tmp_path / "broker"
    for args in (
        ["tls", "init", "--host", "mosquitto"],
        ["users", "add", "bridge", "--role", "bridge", "--save", tmp_path / "password"],
    ):
        subprocess.run([*KIS_BRIDGE, *args, "--dir", folder], check=True, timeout=30)
    text = (ROOT / "mosquitto/mosquitto.conf").read_text()
    ports = {port: str(free_port()) for port in ("8883", "8884", "8885")}
    for shipped, free in ports.items():
        text = text.replace(f"listener {shipped}", f"listener {free}")
    # Started by root it would change to a user without access.
    (folder / "mosquitto.conf").write_text(f"{text}\nuser {getpass.getuser()}\n")

    def healthy() -> bool:
        command = check().replace("8885", ports["8885"])
        shell = shutil.which("sh") or "sh"
        return (
            subprocess.run([shell, "-c", command], cwd=folder, check=False, timeout=20).returncode
            == 0
        )

    assert not healthy(), "it is not there yet"
    with subprocess.Popen(
        [program, "-c", "mosquitto.conf"], cwd=folder, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_for_port(int(ports["8885"]), process)
            assert healthy()
        finally:
            process.terminate()
        process.communicate(timeout=10)
