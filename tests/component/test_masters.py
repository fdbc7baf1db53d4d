"""Masters over HTTP: from the simulator into the store, by the command line and the request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from pydantic import ValidationError
from typer.testing import CliRunner

from bridge.catalog.compile import load
from bridge.cli.symbols import app, store_of
from bridge.errors import BridgeError, ConfigError, RequestError
from bridge.kis.masters import MastersError, download
from bridge.mqtt.message import Message
from bridge.requests.symbols import SymbolRequests
from bridge.simulator.server import Simulator, SimulatorSettings

CATALOG = load()
NO_MESSAGE = cast("Message", None)


@pytest_asyncio.fixture
async def url() -> AsyncIterator[str]:
    async with Simulator(CATALOG, SimulatorSettings(seed=1)) as simulator:
        yield f"{simulator.rest_url}/common/master/"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, BridgeError):
        raise result.exception
    return result.exit_code, result.stdout


async def test_every_master_comes_in_its_format_and_is_found(url: str, tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path))
    with pytest.raises(ConfigError, match="run kis-bridge symbols update"):
        run("search", "삼성", *state)
    code, output = await asyncio.to_thread(run, "update", "--url", url, "--json", *state)
    assert code == 0, output
    counts = json.loads(output)
    assert set(counts) == {name for name, master in CATALOG.masters.items() if master.file}
    assert counts["kospi"] > counts["nxt_kospi"] > 100  # no funds on NXT
    assert all(isinstance(count, int) and count >= 1 for count in counts.values())

    with pytest.raises(ConfigError, match="--market overseas_option: KIS offers no file of it"):
        run("update", "--market", "overseas_option", "--url", url, *state)
    code, output = run("search", "삼성", "--market", "kospi", *state)
    assert code == 0
    assert "005930" in output
    assert "삼성전자" in output
    code, output = run("search", "apple", "--json", *state)
    [apple] = json.loads(output)
    assert (apple["symbol"], apple["name"], apple["master"]) == ("AAPL", "애플", "nas")
    assert apple["details"]["decimals"] == "4"
    assert run("search", "nobody's name", *state)[0] == 1
    with pytest.raises(ConfigError, match="did you mean kospi"):
        run("search", "삼성", "--market", "kospy", *state)


async def test_a_master_that_cannot_be_had_leaves_the_others(url: str, tmp_path: Path) -> None:
    arguments = ("--market", "kospi", "--state-dir", str(tmp_path))
    code, output = await asyncio.to_thread(run, "update", "--url", f"{url}none", *arguments)
    assert code == 1
    assert output.startswith("kospi: http://")
    assert "HTTP 404" in output
    # nobody listens there
    code, output = await asyncio.to_thread(run, "update", "--url", "http://127.0.0.1:9", *arguments)
    assert code == 1
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(MastersError, match="publishes no address"):
            await download(http, url, CATALOG.masters["overseas_option"])
        with pytest.raises(MastersError):
            await download(http, "gopher://x", CATALOG.masters["kospi"])


async def test_the_request_finds_and_looks_up(url: str, tmp_path: Path) -> None:
    store = store_of(tmp_path)
    async with httpx.AsyncClient(trust_env=False) as http:
        for name in ("kospi", "nxt_kospi", "nas"):
            await store.update(http, url, CATALOG.masters[name], 5)
    requests = SymbolRequests(store, CATALOG)

    async def ask(**content: Any) -> Any:
        return await requests.serve(content, NO_MESSAGE)

    found = await ask(search="삼성전자", market="domestic_stock")
    assert found["updated_at"] == {"kospi": 5, "nxt_kospi": 5}
    assert {(row["symbol"], row["venue"]) for row in found["symbols"]} == {
        ("005930", "krx"),
        ("005930", "nxt"),
    }
    [row] = (await ask(symbols=["AAPL"], details=True))["symbols"]
    assert row["details"]["key"] == "NASAAPL"
    assert row["market"] == "overseas_stock"
    for wrong in ({}, {"search": "a", "symbols": ["b"]}, {"search": "a", "market": "moon"}):
        with pytest.raises(RequestError):
            await ask(**wrong)
    with pytest.raises(ValidationError):
        await ask(search="a", limit=0)
    listing = requests.listing("kospi")
    assert listing["market"] == "kospi"
    assert ["005930", "삼성전자"] in listing["symbols"]


def test_a_search_before_the_first_update_leaves_nothing_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(ConfigError, match="no symbols here yet"):
        run("search", "x", "--state-dir", str(state))
    assert not state.exists()
