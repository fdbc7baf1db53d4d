"""The journal is saved while the bridge trades, and put back."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.system.programs import World, ask

SCRIPT = Path(__file__).parents[2] / "examples/deploy/journal_backup.py"


def script(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, *args],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def names(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT client_order_id FROM commands ORDER BY id").fetchall()
    return [row[0] for row in rows]


def test_a_copy_made_while_the_bridge_trades_is_whole_and_is_used_only_when_a_person_says_so(
    tmp_path: Path,
) -> None:
    with World.running(tmp_path) as world:
        journal = world.config.parent / "state" / "orders.db"
        copies = tmp_path / "copies"
        world.command("place", world.resting() | {"client_order_id": "a-1"})
        assert world.ack("a-1")["status"] == "accepted"
        saved = script("backup", journal, copies)
        assert saved.returncode == 0, saved.stderr
        (copy,) = copies.iterdir()
        assert copy.stat().st_mode & 0o077 == 0
        assert names(copy) == ["a-1"], "also what is only in the log yet"

        world.command("place", world.resting() | {"client_order_id": "a-2"})
        assert world.ack("a-2")["status"] == "accepted", "the bridge goes on as before"
        refused = script("restore", copy, journal)
        assert refused.returncode == 1
        assert "a bridge runs with" in refused.stderr
        assert names(journal) == ["a-1", "a-2"]

        world.bridge.__exit__()
        restored = script("restore", copy, journal)
        assert restored.returncode == 0, restored.stderr
        assert "journal adopt" in restored.stdout
        assert names(journal) == ["a-1"]
        assert journal.stat().st_mode & 0o077 == 0
        (aside,) = journal.parent.glob("orders.db.before-*")
        assert names(aside) == ["a-1", "a-2"], "nothing is thrown away"

        heard = len(world.ear.heard)
        world.start_bridge()
        assert world.ear.until("kis/bridge/event/journal_replaced", after=heard)
        after = world.command("place", world.resting() | {"client_order_id": "a-3"})
        assert world.ack("a-3", after)["reason"] == "journal_unavailable"
        assert ask("journal", "adopt", "--url", world.broker.url).returncode == 0
        after = world.command("place", world.resting() | {"client_order_id": "a-4"})
        assert world.ack("a-4", after)["status"] == "accepted"


def a_journal(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    journal = folder / "orders.db"
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("CREATE TABLE commands (id INTEGER, client_order_id TEXT)")
        connection.execute("INSERT INTO commands VALUES (1, 'a-1')")
    return journal


def test_old_copies_go_when_there_are_enough(tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "state")
    copies = tmp_path / "copies"
    copies.mkdir()
    for day in range(5):
        (copies / f"orders-2026010{day}T000000Z.db").touch()
    (copies / "notes.txt").touch()
    assert script("backup", journal, copies, "--keep", "2").returncode == 0
    left = sorted(path.name for path in copies.iterdir())
    assert left[:2] == ["notes.txt", "orders-20260104T000000Z.db"]
    assert len(left) == 3


def test_what_is_no_sound_journal_is_not_put_back(tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "state")
    before = journal.read_bytes()
    copy = tmp_path / "copy.db"
    for content in (b"", b"no database", os.urandom(9000), before[: len(before) // 2]):
        copy.write_bytes(content)
        refused = script("restore", copy, journal)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1, "one line, and no traceback"
        assert journal.read_bytes() == before
    assert {path.name for path in journal.parent.iterdir()} <= {"orders.db", "orders.db.lock"}


def test_a_log_that_lies_beside_the_journal_is_not_laid_over_the_copy(tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "state")
    copies = tmp_path / "copies"
    assert script("backup", journal, copies).returncode == 0
    log = Path(f"{journal}-wal")
    log.write_bytes(b"of another time")
    assert script("restore", next(copies.iterdir()), journal).returncode == 0
    assert not log.exists()
    assert next(journal.parent.glob("orders.db-wal.before-*")).read_bytes() == b"of another time"


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    for args in (
        ("backup", tmp_path / "none.db", tmp_path / "copies"),
        ("restore", tmp_path / "none.db", tmp_path / "orders.db"),
    ):
        done = script(*args)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "none.db" in done.stderr
