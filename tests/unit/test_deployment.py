"""What a deployment is made of, read as text: the image's recipe, the containers, the units."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config.load import load
from bridge.config.models import Config

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRETS = {
    "kis-app-key": "k" * 36,
    "kis-app-secret": "s" * 180,
    "kis-hts-id": "trader",
    "kis-account": "12345678-01",
    "mqtt-password": "p" * 20,
}


# the image


def stages() -> list[str]:
    return re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]


def test_the_image_is_not_run_by_root() -> None:
    final = stages()[-1]
    users = re.findall(r"(?m)^USER (.+)$", final)
    assert users == ["10001:10001"]
    assert final.index("USER ") < final.index("ENTRYPOINT")


def test_every_package_of_the_image_is_installed_by_its_hash() -> None:
    commands = re.split(r"&&|\n", DOCKERFILE.replace("\\\n", " "))
    installs = [command for command in commands if re.search(r"\bpip\b.* install ", command)]
    assert len(installs) == 3
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-index" in arguments
        assert "--only-binary :all:" in arguments or "--no-index" in arguments
    assert "--no-build-isolation" in DOCKERFILE  # else it fetches what builds it without a hash


def test_the_build_sees_only_what_the_image_is_made_of() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE)
        for source in line.split()[:-1]
    }
    assert lines[1] == "*"
    assert allowed == copied


def test_both_stages_stand_on_one_image() -> None:
    assert [stage.split()[1] for stage in stages()] == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
    assert re.search(r"(?m)^ARG PYTHON_IMAGE=\S+/python:3\.\d+-slim-\w+$", DOCKERFILE)


# the containers


def of_profile(name: str) -> dict[str, dict[str, Any]]:
    return {key: each for key, each in SERVICES.items() if name in each["profiles"]}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_nothing_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0].isdigit()
    assert service["user"] != "0:0"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"] == {"core": 0}
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert not {"cap_add", "privileged", "devices", "pid", "ipc"} & service.keys()
    assert "docker.sock" not in json.dumps(service)


def test_the_demo_is_reached_from_this_machine_only() -> None:
    ports = [port for each in of_profile("demo").values() for port in each.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_deployment_is_reached_over_tls_only() -> None:
    found = {name: each["ports"] for name, each in of_profile("real").items() if "ports" in each}
    assert found == {"mosquitto": ["8883:8883", "8884:8884"]}
    conf = (ROOT / "mosquitto/mosquitto.conf").read_text()
    listeners = re.split(r"(?m)^listener ", conf)[1:]
    assert {"8883", "8884"} <= {text.split()[0] for text in listeners}
    assert all("\ncertfile " in text and "\nkeyfile " in text for text in listeners)


def test_demo_and_deployment_share_nothing() -> None:
    assert not of_profile("demo").keys() & of_profile("real").keys()
    for name, network in (("demo", "demo"), ("real", "real")):
        for service in of_profile(name).values():
            assert service["networks"] == [network]
            assert network in service["profiles"]
    volumes = [
        {str(volume).partition(":")[0] for each in of_profile(name).values()
         for volume in each.get("volumes", ())}
        for name in ("demo", "real")
    ]  # fmt: skip
    assert not volumes[0] & volumes[1]


def test_what_runs_on_is_started_again_and_is_asked_how_it_is() -> None:
    for service in (of_profile("demo") | of_profile("real")).values():
        assert service["restart"] == "unless-stopped"
        assert "healthcheck" in service or service.get("build") == "."  # the image has one
    assert "HEALTHCHECK" in DOCKERFILE


def test_secrets_are_files_and_no_variables() -> None:
    bridge = SERVICES["bridge"]
    assert "environment" not in bridge
    assert set(bridge["secrets"]) == set(COMPOSE["secrets"]) == set(SECRETS)
    assert all(set(each) == {"file"} for each in COMPOSE["secrets"].values())


def test_the_bridge_of_the_demo_has_a_usable_configuration() -> None:
    environment = SERVICES["demo-bridge"]["environment"]
    (source,) = (v for v in SERVICES["demo-bridge"]["volumes"] if "bridge.toml" in v)
    settings = load(
        ROOT / source.split(":")[0], {key: str(value) for key, value in environment.items()}
    )
    assert settings.kis.environment == "simulator"
    assert settings.mqtt.url == ("mqtt://demo-mosquitto:1883",)
    assert len(environment["KIS_APP_KEY"]) == 36
    assert len(environment["KIS_APP_SECRET"]) == 180
    started = SERVICES["simulator"]["command"]
    assert settings.kis.rest_url.endswith(":" + started[started.index("--rest-port") + 1])
    assert settings.kis.ws_url.endswith(":" + started[started.index("--ws-port") + 1])


# the configurations


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name, value in SECRETS.items():
        (folder / name).write_text(value + "\n")
        (folder / name).chmod(0o600)
    return folder


def loaded(name: str, folder: Path, secrets: Path) -> Config:
    """Load an example with its folders here instead of there."""
    (folder / "ca.crt").touch()
    text = (EXAMPLES / name).read_text()
    text = text.replace("/run/secrets", str(secrets)).replace("/etc/kis-bridge", str(folder))
    config = folder / "bridge.toml"
    config.write_text(text.replace("/var/lib/kis-bridge", str(folder / "state")))
    config.chmod(0o644)  # there is no secret in it
    return load(config, {"CREDENTIALS_DIRECTORY": str(secrets)})


@pytest.mark.parametrize("name", ["compose.bridge.toml", "systemd.bridge.toml"])
def test_the_configuration_of_a_deployment_is_complete(
    name: str, tmp_path: Path, secrets: Path
) -> None:
    settings = loaded(name, tmp_path, secrets)
    assert settings.kis.accounts[0].number.get_secret_value() == SECRETS["kis-account"]
    assert settings.mqtt.password is not None
    assert settings.mqtt.url[0].startswith("mqtts://")
    assert settings.orders.clients
    # And it is one for real money as soon as that is said.
    path = tmp_path / "bridge.toml"
    text = path.read_text().replace('"paper"', '"real"').replace("_real = false", "_real = true")
    path.write_text(text)
    assert load(path, {"CREDENTIALS_DIRECTORY": str(secrets)}).real_money


def test_the_bridge_of_the_containers_finds_the_broker_of_the_containers() -> None:
    text = (EXAMPLES / "compose.bridge.toml").read_text()
    assert 'url = "mqtts://mosquitto:8883"' in text
    for mount in SERVICES["bridge"]["volumes"]:
        assert mount.split(":")[1] in text + "/etc/kis-bridge/bridge.toml /var/lib/kis-bridge"
    state = re.search(r'state_dir = "(.+)"', text)
    assert state is not None
    assert SERVICES["backup"]["command"][1] == f"{state[1]}/orders.db"


# the units

UNITS = ["kis-bridge.service", "kis-broker.service"]


class Unit(RawConfigParser):
    """A unit; a key that stands in it more than once has all its values, line by line."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, comment_prefixes="#", delimiters="=")
        text = (EXAMPLES / name).read_text()
        self.every = re.findall(r"(?m)^(\w+)=(.*)$", text)
        self.read_string(text)

    def optionxform(self, optionstr: str) -> str:
        return optionstr

    def all(self, key: str) -> Iterator[str]:
        return (value for name, value in self.every if name == key)


def test_the_service_gives_the_secrets_that_the_configuration_asks_for() -> None:
    given = dict(value.split(":") for value in Unit("kis-bridge.service").all("LoadCredential"))
    text = (EXAMPLES / "systemd.bridge.toml").read_text()
    asked = re.findall(r'(?m)^[^#].*credential = "(.+)" \}$', text)
    assert set(given) == set(asked) == set(SECRETS)
    assert all(path == f"/etc/kis-bridge/secrets/{name}" for name, path in given.items())


def test_the_service_is_started_again_but_not_with_a_configuration_that_cannot_be_used() -> None:
    service = Unit("kis-bridge.service")["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "2"
    assert int(service["WatchdogSec"]) >= 10
    assert f"/var/lib/{service['StateDirectory']}" in (EXAMPLES / "systemd.bridge.toml").read_text()


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_little_that_the_service_could_do(name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        reason = "needs systemd-analyze: apt-get install systemd"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20",
         EXAMPLES / name],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if "unrecognized option" in done.stderr:
        pytest.skip("needs systemd 250 or newer")
    found = re.search(r"Overall exposure level for .+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= 2.0, done.stdout
