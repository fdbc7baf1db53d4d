"""A running bridge keeps its memory, files and environment from everybody else."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.system.programs import KIS_BRIDGE, Program, ask, bridge_toml, simulator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

OPEN = ("sh", "-c", 'umask 000; ulimit -c unlimited 2>/dev/null; exec "$@"', "sh")
"""Runs a program as carelessly as a system can."""


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")


def test_a_bridge_started_carelessly_is_closed_all_the_same(tmp_path: Path) -> None:
    with simulator() as (_, kis):
        config = bridge_toml(tmp_path, kis, "embedded")
        text = config.read_text()
        variables = []
        for name in ("app_key", "app_secret", "hts_id", "account"):
            text = text.replace(f'"{kis[name]}"', f'{{ env = "KIS_{name.upper()}" }}')
            variables.append(f"KIS_{name.upper()}={kis[name]}")
        config.write_text(text)
        run = (*KIS_BRIDGE, "run", "--json", "--http-port", "0", "--config", str(config))
        with Program(*OPEN, "env", *variables, *run) as bridge:
            json.loads(bridge.line())
            pid = bridge.process.pid
            core = next(line for line in proc(pid, "limits").splitlines() if "core file" in line)
            assert core.split()[4:6] == ["0", "0"]
            threads = Path(f"/proc/{pid}/task").iterdir()
            children = " ".join((thread / "children").read_text() for thread in threads).split()
            assert children  # the embedded broker
            for child in children:
                inherited = proc(int(child), "environ")
                assert "PATH=" in inherited
                for name in ("app_key", "app_secret", "hts_id", "account"):
                    assert f"KIS_{name.upper()}" not in inherited
                    assert kis[name] not in inherited
            state = config.parent / "state"
            assert stat.S_IMODE(state.stat().st_mode) == 0o700
            found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
            assert {"orders.db", "orders.db-wal", "orders.db-shm", "orders.db.lock"} <= set(found)
            assert set(found.values()) == {0o600}, found
            if os.geteuid() != 0:  # root looks at everything
                with pytest.raises(PermissionError):
                    proc(pid, "environ")


def test_a_state_directory_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    kis = {"rest": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9", "account": "12345678-01"}
    config = bridge_toml(
        tmp_path,
        kis | dict.fromkeys(("app_key", "app_secret", "hts_id"), "x"),
        "mqtt://127.0.0.1:1",
    )
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o770)
    done = ask("run", "--config", str(config))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"kis.state_dir {state}: others can write in it: chmod 700 {state}" in done.stderr
    rows = {
        row["what"]: row for row in json.loads(ask("check", "-c", str(config), "--json").stdout)
    }
    assert rows["state directory"]["status"] == "problem"
    assert rows["state directory"]["mend"] == f"chmod 700 {state}"
