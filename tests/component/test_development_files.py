"""The files that a developer starts from: Mosquitto's configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.brokers import free_port, listening, mosquitto_program, wait_for_port

ROOT = Path(__file__).parents[2]
CONFIGS = ["development.conf", "development.compose.conf"]


@pytest.mark.parametrize("name", CONFIGS)
def test_mosquitto_starts_with_it(name: str, tmp_path: Path) -> None:
    text = (ROOT / "mosquitto" / name).read_text()
    ports = {"1883": str(free_port()), "9001": str(free_port())}
    for documented, free in ports.items():
        # The real ports may be taken here; and not on all addresses, as in a container.
        text = text.replace(f"listener {documented} 127.0.0.1", f"listener {documented}")
        text = text.replace(f"listener {documented}", f"listener {free} 127.0.0.1")
    config = tmp_path / "mosquitto.conf"
    config.write_text(text)
    with subprocess.Popen(
        [mosquitto_program(), "-c", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for port in ports.values():
                wait_for_port(int(port), process)
        finally:
            process.terminate()
        output = process.communicate(timeout=10)[0].decode()
    assert "Error" not in output
    assert "Warning" not in output


def test_the_development_broker_listens_on_loopback_only(tmp_path: Path) -> None:
    text = (ROOT / "mosquitto/development.conf").read_text()
    ports = {"1883": free_port(), "9001": free_port()}
    for documented, free in ports.items():  # the real ones may be taken here
        text = text.replace(f"listener {documented}", f"listener {free}")
    config = tmp_path / "mosquitto.conf"
    config.write_text(text)
    with subprocess.Popen(
        [mosquitto_program(), "-c", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for port in ports.values():
                wait_for_port(port, process)
            found = listening(process.pid)
        finally:
            process.terminate()
        process.communicate(timeout=10)
    assert found == {("127.0.0.1", port) for port in ports.values()}


def test_the_development_broker_is_fast() -> None:
    assert "set_tcp_nodelay true" in (ROOT / "mosquitto/development.conf").read_text().splitlines()


def test_both_configurations_differ_in_the_addresses_only() -> None:
    plain, compose = (
        [
            line.removesuffix(" 127.0.0.1")
            for line in (ROOT / "mosquitto" / name).read_text().splitlines()
            if line and not line.startswith("#")
        ]
        for name in CONFIGS
    )
    assert plain == compose


def test_both_files_for_deployments_differ_in_where_the_users_are() -> None:
    files, managed = (
        {
            line
            for line in (ROOT / "mosquitto" / name).read_text().splitlines()
            if line and not line.startswith("#")
        }
        for name in ("mosquitto.conf", "dynamic-security.conf")
    )
    assert files - managed == {"password_file users", "acl_file acl"}
    assert {line.split()[0] for line in managed - files} == {"plugin", "plugin_opt_config_file"}
