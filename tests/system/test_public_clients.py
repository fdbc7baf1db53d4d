"""Public clients of KIS, unchanged but for its hosts, do their work against the simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.system.programs import environ, simulator

PROGRAMS = Path(__file__).parents[1] / "clients"
CLIENTS = ("python_kis", "mojito_client", "kis_trader_client")
PATIENCE_S = 50.0

Outcome = dict[str, Any]


def client_python() -> str:
    """Return the Python that has the clients; skip the test without it, but fail under CI=true."""
    found = Path(sys.prefix) / "clients" / "bin" / "python"
    if not (found.parents[1] / ".installed").exists():
        reason = "needs tests/clients/requirements.txt from PyPI: make test installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return str(found)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """What came of the steps of each client; all of them run at once, each with its own keys."""
    python = client_python()
    with ExitStack() as stack:
        options = ("--environment", "real", "--clients", str(len(CLIENTS)))
        _, kis = stack.enter_context(simulator(*options))
        customers: Any = kis.pop("clients")
        running = []
        for name, customer in zip(CLIENTS, customers, strict=True):
            given = json.dumps(kis | customer)
            folder = tmp_path_factory.mktemp(name)
            running.append(
                subprocess.Popen(
                    [python, str(PROGRAMS / f"{name}.py"), given],
                    cwd=folder, env=environ(), text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                )
            )  # fmt: skip
        told = {}
        for name, program in zip(CLIENTS, running, strict=True):
            out, err = program.communicate(timeout=PATIENCE_S)
            told[name] = {"steps": steps(out), "code": program.returncode, "err": err[-3000:]}
        yield told


def steps(out: str) -> dict[str, str]:
    """Return what was said of each step that failed; blank of one that went well."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"step"')]
    return {one["step"]: "" if one["ok"] else one["said"] for one in lines}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_public_client_trades_and_listens(client: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[client]
    assert outcome["code"] == 0, outcome["err"]
    failed = {step: said for step, said in outcome["steps"].items() if said}
    assert not failed, failed
    assert {"price", "a price", "order", "modify", "cancel", "an execution"} <= (
        outcome["steps"].keys()
    )
