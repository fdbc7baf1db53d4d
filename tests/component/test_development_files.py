"""The files that a developer starts from: Mosquitto's configuration, the containers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.config.load import load
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


@pytest.fixture
def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(content, dict)
    return content


def test_containers_are_reached_from_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_bridge_in_a_container_has_a_usable_configuration(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(compose["configs"]["bridge"]["content"].replace("/var/lib", str(tmp_path)))
    environment = compose["services"]["bridge"]["environment"]
    settings = load(config, {key: str(value) for key, value in environment.items()})
    assert settings.kis.environment == "simulator"
    assert settings.mqtt.url == ("mqtt://mosquitto:1883",)
    assert len(environment["KIS_APP_KEY"]) == 36
    assert len(environment["KIS_APP_SECRET"]) == 180
    started = compose["services"]["simulator"]["command"]
    assert settings.kis.rest_url.endswith(":" + started[started.index("--rest-port") + 1])
    assert settings.kis.ws_url.endswith(":" + started[started.index("--ws-port") + 1])
