from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import JournalError
from bridge.orders.journal.journal import Journal
from bridge.orders.journal.opened_file import read_mark, set_log_aside
from bridge.orders.journal.reader import read
from bridge.orders.model.records import Identity, NewRecord


def new(name: str) -> NewRecord:
    return NewRecord(Identity("main", "alice", name, ""), "place", "d" * 64, "{}", 100, 200)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


@pytest.fixture
async def journal(file: Path) -> AsyncIterator[Journal]:
    journal = Journal(f"sqlite:///{file}")
    await journal.open()
    await journal.admit(new("a"))
    yield journal
    await journal.close()


def backup(file: Path, target: Path) -> None:
    """Copy a journal as its users do, while a bridge has it open."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def checkpoint(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        busy, _, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        assert (busy, moved > 0) == (0, True)


def names(file: Path) -> list[str]:
    return [record.identity.client_order_id for record in read(f"sqlite:///{file}")]


def deleted(file: Path) -> None:
    file.unlink()


def renamed(file: Path) -> None:
    file.rename(file.with_suffix(".old"))


def moved_over(file: Path) -> None:
    backup(file, file.with_suffix(".backup"))
    file.with_suffix(".backup").replace(file)


def without_its_log(file: Path) -> None:
    Path(f"{file}-wal").unlink()


@pytest.mark.parametrize("happens", [deleted, renamed, moved_over, without_its_log])
async def test_a_file_that_is_another_one_now_is_noticed(
    journal: Journal, file: Path, happens: Callable[[Path], None]
) -> None:
    await journal.admit(new("b"))
    assert journal.standing.reason == ""
    happens(file)
    await journal.admit(new("c"))
    assert journal.standing.replaced
    assert str(file) in journal.standing.reason


async def test_it_is_noticed_while_nothing_is_written(journal: Journal, file: Path) -> None:
    await journal.look()
    assert journal.standing.reason == ""
    deleted(file)
    await journal.look()
    assert journal.standing.replaced


async def test_whoever_brings_the_file_back_has_everything(journal: Journal, file: Path) -> None:
    away = file.with_suffix(".old")
    os.rename(file, away)  # noqa: PTH104 - at once
    await journal.admit(new("b"))
    await journal.close()
    os.rename(away, file)  # noqa: PTH104
    os.rename(f"{away}-wal", f"{file}-wal") if Path(f"{away}-wal").exists() else None  # noqa: PTH104, ASYNC240
    assert names(file) == ["a", "b"]


@pytest.mark.parametrize("moved", [True, False])
async def test_an_older_copy_over_it_is_noticed_and_stays_as_it_was_restored(
    journal: Journal, file: Path, tmp_path: Path, *, moved: bool
) -> None:
    copy = tmp_path / "copy"
    await journal.admit(new("b"))
    backup(file, copy)
    restored = copy.read_bytes()
    for name in ("c", "d"):
        await journal.admit(new(name))
    if moved:
        checkpoint(file)
    shutil.copyfile(copy, file)
    with pytest.raises(JournalError, match="overwritten"):
        await journal.admit(new("e"))
    assert journal.standing.replaced
    await journal.close()
    assert file.read_bytes() == restored  # noqa: ASYNC240
    assert names(file) == ["a", "b"]


async def test_a_copy_of_what_the_file_has_without_its_log_loses_nothing(
    journal: Journal, file: Path, tmp_path: Path
) -> None:
    checkpoint(file)
    await journal.look()
    backup(file, tmp_path / "copy")
    await journal.admit(new("b"))
    shutil.copyfile(tmp_path / "copy", file)
    with pytest.raises(JournalError, match="overwritten"):
        await journal.admit(new("c"))
    await journal.close()
    assert names(file) == ["a", "b"]


async def test_another_journal_over_it_is_noticed(
    journal: Journal, file: Path, tmp_path: Path
) -> None:
    other = Journal(f"sqlite:///{tmp_path}/other.db")
    await other.open()
    for name in "xyz":
        await other.admit(new(name))
    await other.close()
    shutil.copyfile(tmp_path / "other.db", file)
    with pytest.raises(JournalError, match="overwritten"):
        await journal.admit(new("b"))


async def test_what_is_no_database_any_more_is_noticed(journal: Journal, file: Path) -> None:
    file.write_bytes(b"nothing" * 4096)  # noqa: ASYNC240
    with pytest.raises(JournalError, match="overwritten"):
        await journal.admit(new("b"))


async def test_readers_copies_and_somebody_elses_checkpoints_are_no_alarm(
    journal: Journal, file: Path, tmp_path: Path
) -> None:
    for number in range(20):
        await journal.admit(new(f"b-{number}"))
        assert len(names(file)) == number + 2
        backup(file, tmp_path / f"copy-{number}")
        if number % 3 == 0:
            checkpoint(file)
        await journal.look()
    assert journal.standing.reason == ""


async def test_its_own_checkpoints_are_no_alarm(file: Path) -> None:
    journal = Journal(f"sqlite:///{file}")
    await journal.open()
    await journal._writer.run(lambda c, _: c.exec_driver_sql("PRAGMA wal_autocheckpoint=2"))
    for number in range(50):
        await journal.admit(new(f"b-{number}"))
    mark = read_mark(file)
    assert mark is not None
    assert mark.generation > 20, "the file has what the log had"
    assert journal.standing.reason == ""
    await journal.close()
    assert len(names(file)) == 50


async def test_every_commit_has_a_generation_and_no_look_has_one(
    journal: Journal, file: Path
) -> None:
    def generation() -> int:
        with closing(sqlite3.connect(file)) as connection:
            found: int = connection.execute("SELECT generation FROM journal").fetchone()[0]
            return found

    first = generation()
    await journal.find(new("a").identity)
    await journal.look()
    assert generation() == first
    await journal.admit(new("b"))
    assert generation() == first + 1


async def test_a_database_that_was_put_back_is_noticed_by_its_generation(
    journal: Journal, file: Path
) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE journal SET generation = 0")
    with pytest.raises(JournalError, match="put back"):
        await journal.admit(new("b"))
    assert journal.standing.replaced
    assert names(file) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_what_is_set_aside_is_read_by_nobody_else(tmp_path: Path) -> None:
    log, aside = tmp_path / "orders.db-wal", tmp_path / "orders.db-wal.replaced"
    log.write_bytes(b"orders")
    log.chmod(0o600)
    set_log_aside(tmp_path / "orders.db")
    assert (aside.read_bytes(), log.read_bytes()) == (b"orders", b"")
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
