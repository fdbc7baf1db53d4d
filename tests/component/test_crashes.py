"""What a process writes when it ends by a bug has no secret in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SECRET = "dist1nct-app-secret"
PREPARED = f"""
import sys, threading, warnings
from pydantic import SecretStr
from bridge.runtime import logs
from bridge.runtime.crashes import hide_secrets_in_tracebacks
logs.configure("info", "json", [SecretStr({SECRET!r})])
hide_secrets_in_tracebacks()
secret = "dist1nct-" + "app-secret"
def fail(): raise RuntimeError("header " + secret)
"""


class _Cases:
    main = "fail()"
    thread = "t = threading.Thread(target=fail); t.start(); t.join()"
    destructor = "class A:\n    def __del__(self): fail()\na = A(); del a"
    chained = "try:\n    fail()\nexcept RuntimeError as e:\n    raise ValueError('x') from e"
    group = "raise ExceptionGroup('all', [ValueError(secret), KeyError(secret.upper())])"
    warning = "warnings.warn('about ' + secret)"
    task = (
        "import asyncio, gc\n"
        "async def work(): fail()\n"
        "async def main():\n"
        "    task = asyncio.ensure_future(work()); await asyncio.sleep(0); del task; gc.collect()\n"
        "asyncio.run(main())"
    )
    validation = (
        "from bridge.config.kis import AppConfig\n"
        "AppConfig.model_validate({'alias': 'a', 'app_key': secret, 'app_secret': [secret]})"
    )
    database = (
        "from sqlalchemy import create_engine, text\n"
        "run = create_engine('sqlite://').connect().execute\n"
        "run(text('select * from x where y=:y'), {'y': secret})"
    )


@pytest.mark.parametrize("case", [name for name in vars(_Cases) if not name.startswith("_")])
def test_no_crash_tells_a_secret(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{PREPARED}\n{getattr(_Cases, case)}"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert len(said) > 30, "nothing was written"
    assert SECRET not in said.lower()


def test_the_last_line_of_a_command_and_its_traceback_tell_none() -> None:
    code = f"""
import os, sys
from pydantic import SecretStr
from bridge import cli
from bridge.runtime import logs
def bug(*_, **__):
    logs.configure("info", "json", [SecretStr({SECRET!r})])
    raise RuntimeError("header dist1nct-" + "app-secret")
cli.app = bug
cli.main()
"""
    for debug in ("", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"KIS_BRIDGE_DEBUG": debug, "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) is bool(debug)
        assert "header ***" in done.stderr
        assert "app-secret" not in done.stderr.replace('"app-secret"', "")
