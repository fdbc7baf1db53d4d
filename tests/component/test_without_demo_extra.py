"""An installation without the extra `demo`: what a deployment has, and what it says of the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bridge.catalog.compile import load
from bridge.simulator.server import Simulator
from bridge.simulator.settings import SimulatorSettings

WITHOUT = (
    "import sys; sys.modules['iotcore'] = sys.modules['swagger_ui_bundle'] = None;"
    "from bridge.cli import main; main()"
)
CONFIG = """
[kis]
environment = "simulator"
rest_url = "http://127.0.0.1:1"
ws_url = "ws://127.0.0.1:1"
state_dir = "state"
[[kis.apps]]
alias = "app1"
app_key = { env = "KIS_APP_KEY" }
app_secret = { env = "KIS_APP_SECRET" }
[mqtt]
url = "embedded"
"""


def kis_bridge(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *args],
        env={**os.environ, "COLUMNS": "200", "KIS_APP_KEY": "k" * 36, "KIS_APP_SECRET": "s" * 180},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "bridge.toml"
    path.write_text(CONFIG)
    return str(path)


def test_the_demo_names_the_extra_that_it_needs() -> None:
    done = kis_bridge("demo", "--for", "1")
    assert done.returncode == 2
    assert "the embedded broker is not installed" in done.stderr
    assert "pip install 'kis-mqtt-bridge[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bridge_that_is_to_start_the_embedded_broker_names_the_extra(config: str) -> None:
    done = kis_bridge("run", "--config", config, "--http-port", "0")
    assert done.returncode == 2
    assert "pip install 'kis-mqtt-bridge[demo]', or set mqtt.url" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_says_it_before_anything_is_started(config: str) -> None:
    done = kis_bridge("check", "--config", config)
    assert done.returncode == 1
    assert "the embedded broker is not installed" in done.stdout
    assert "pip install 'kis-mqtt-bridge[demo]'" in done.stdout


async def test_the_simulator_serves_its_calls_and_says_why_it_has_no_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "swagger_ui_bundle", None)
    async with (
        Simulator(load(), SimulatorSettings(rest_per_second=0)) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url, trust_env=False) as http,
    ):
        page = await http.get("/docs")
        assert page.headers["content-type"].startswith("text/plain")
        assert "pip install 'kis-mqtt-bridge[demo]'" in page.text
        assert (await http.get("/openapi.json")).json()["paths"]
