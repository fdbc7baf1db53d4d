"""Notes of demos: left while one runs, of no use once it is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.cli.running_demo import RunningDemo, announced, find
from bridge.orders.journal.database import claim, parse


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_a_demo_is_found_while_it_has_its_journal(home: Path, tmp_path: Path) -> None:
    demo = RunningDemo(f"sqlite:///{tmp_path}/journal/orders.db", "mqtt://127.0.0.1:1")
    assert find() == []
    with announced(demo):
        lock = claim(parse(demo.journal))
        assert lock is not None
        assert find() == [demo]
        os.close(lock)
    assert find() == []


def test_the_note_of_a_demo_that_was_killed_is_taken_away(home: Path, tmp_path: Path) -> None:
    folder = home / ".local/state/kis-bridge"
    demo = RunningDemo(f"sqlite:///{tmp_path}/orders.db", "mqtt://127.0.0.1:1")
    with announced(demo):
        (folder / "demo-1.json").write_text("no JSON")
        (folder / "demo-2.json").write_text(
            '{"journal": "sqlite:////nowhere/orders.db", "mqtt": ""}'
        )
        assert find() == []
        assert list(folder.iterdir()) == []


def test_without_a_home_the_demo_runs_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nowhere)
    with announced(RunningDemo("sqlite:////x", "mqtt://x")):
        assert find() == []
