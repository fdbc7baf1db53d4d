"""An older copy is recognised by what is kept beside it, and no crash is taken for one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bridge.orders.journal.identity import Mark
from bridge.orders.journal.journal import Journal
from bridge.orders.journal.reader import read
from bridge.orders.journal.sidecar import Sidecar, SidecarMark
from bridge.orders.model.records import Identity, NewRecord


def new(name: str) -> NewRecord:
    return NewRecord(Identity("main", "alice", name, ""), "place", "d" * 64, "{}", 100, 200)


def names(folder: Path) -> list[str]:
    found = read(f"sqlite:///{folder}/orders.db")
    return [record.identity.client_order_id for record in found]


async def opened(folder: Path) -> Journal:
    journal = Journal(f"sqlite:///{folder}/orders.db")
    await journal.open()
    return journal


async def used(folder: Path, *admitted: str) -> str:
    """Use a journal for a while; return what was wrong with it at the start."""
    journal = await opened(folder)
    reason = journal.standing.reason
    for name in admitted:
        await journal.admit(new(name))
    await journal.close()
    return reason


def backup(folder: Path, target: Path) -> None:
    source = sqlite3.connect(folder / "orders.db")
    with closing(source), closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def killed(folder: Path, target: Path) -> Path:
    """Return the state of a process that was killed now: what the disk has."""
    shutil.copytree(folder, target)
    (target / "orders.db-shm").unlink(missing_ok=True)
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


async def test_a_first_start_and_every_later_one_are_sound(folder: Path) -> None:
    for name in "abc":
        assert await used(folder, name) == ""
    assert names(folder) == ["a", "b", "c"]


async def test_a_journal_that_was_deleted_is_missed(folder: Path) -> None:
    await used(folder, "a")
    (folder / "orders.db").unlink()
    assert "another journal" in await used(folder, "b")
    assert "another journal" in await used(folder, "c"), "until it is adopted"


async def test_an_older_copy_is_recognised_however_much_is_written_to_it(folder: Path) -> None:
    await used(folder, "a")
    backup(folder, folder / "backup")
    await used(folder, "b")
    (folder / "backup").rename(folder / "orders.db")
    assert "an older copy with" in await used(folder, *"cdefgh")
    assert "another journal" in await used(folder)


async def test_the_right_file_brought_back_is_sound_again(folder: Path) -> None:
    await used(folder, "a")
    (folder / "orders.db").rename(folder / "right")
    assert await used(folder, "b")
    (folder / "right").replace(folder / "orders.db")
    assert await used(folder) == ""
    assert names(folder) == ["a"]


async def test_what_is_adopted_is_sound_and_its_past_is_not(folder: Path) -> None:
    await used(folder, "a")
    backup(folder, folder / "older")
    await used(folder, "b", "c")
    shutil.copyfile(folder / "orders.db", folder / "newer")
    shutil.copyfile(folder / "older", folder / "orders.db")
    journal = await opened(folder)
    assert journal.standing.adoptable
    before = journal.mark
    await journal.adopt()
    assert journal.standing.state == "sound"
    assert journal.mark.journal != before.journal
    assert journal.mark.generation > before.generation
    await journal.admit(new("d"))
    await journal.close()
    assert await used(folder) == ""
    for name in ("older", "newer"):
        shutil.copyfile(folder / name, folder / "orders.db")
        assert await used(folder), name


async def test_what_the_broker_knows_counts_like_what_lies_beside_it(folder: Path) -> None:
    journal = await opened(folder)
    await journal.admit(new("a"))
    mark = journal.mark
    await journal.compare(mark, "broker")
    await journal.compare(Mark(mark.journal, 0), "broker")
    assert journal.standing.state == "sound"
    await journal.compare(mark._replace(generation=mark.generation + 1), "broker")
    assert "broker knows of" in journal.standing.reason
    await journal.adopt()
    # A broker that was away tells it once more, also to a later process.
    for _ in range(2):
        await journal.compare(mark._replace(generation=mark.generation + 1), "broker")
        assert journal.standing.reason == ""
        await journal.close()
        await journal.open()
    await journal.compare(Mark("other", 1), "broker")
    assert "another journal" in journal.standing.reason
    await journal.close()
    assert "another journal" in await used(folder)


@pytest.mark.parametrize("saved", [True, False])
async def test_whenever_it_is_killed_it_is_sound_afterwards(
    folder: Path, tmp_path: Path, *, saved: bool
) -> None:
    journal = await opened(folder)
    states = []
    for number in range(12):
        await journal.admit(new(f"a-{number}"))
        states.append(killed(folder, tmp_path / f"{number}-written"))
        if number % 5 == 4:
            with closing(sqlite3.connect(folder / "orders.db")) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            states.append(killed(folder, tmp_path / f"{number}-moved"))
            await journal.look()
        if saved:
            await journal.save_mark()
            states.append(killed(folder, tmp_path / f"{number}-saved"))
    await journal.close()
    for state in states:
        count = int(state.name.split("-")[0]) + 1
        assert await used(state) == "", state.name
        assert len(names(state)) == count, state.name


async def test_a_mark_that_was_not_finished_says_nothing(folder: Path) -> None:
    await used(folder, "a")
    for text in ("", "{", "[]", '{"journal": "x"}', '{"journal":"x","generation":9,"within":7}'):
        (folder / "orders.db.mark").write_text(text)
        (folder / "orders.db.mark.new").write_text(text)
        assert await used(folder) == ""


async def test_a_copy_over_a_journal_that_was_killed_is_not_mixed_with_its_log(
    folder: Path, tmp_path: Path
) -> None:
    await used(folder, "a")
    backup(folder, tmp_path / "backup")
    restored = (tmp_path / "backup").read_bytes()
    await used(folder, "b")
    journal = await opened(folder)
    await journal.admit(new("c"))
    state = killed(folder, tmp_path / "killed")
    await journal.close()
    shutil.copyfile(tmp_path / "backup", state / "orders.db")
    assert (state / "orders.db-wal").stat().st_size
    assert "older copy" in await used(state)
    assert names(state) == ["a"]
    assert restored


async def test_an_adopted_journal_that_is_killed_keeps_its_log(
    folder: Path, tmp_path: Path
) -> None:
    await used(folder, "a")
    (folder / "orders.db").unlink()
    journal = await opened(folder)
    await journal.admit(new("b"))
    doubtful = killed(folder, tmp_path / "doubtful")
    await journal.adopt()
    await journal.admit(new("c"))
    adopted = killed(folder, tmp_path / "adopted")
    await journal.close()
    assert await used(doubtful)
    assert names(doubtful) == ["b"]
    assert await used(adopted) == ""
    assert names(adopted) == ["b", "c"]


def test_a_disk_that_takes_a_part_only_leaves_what_was_known(folder: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits files on Unix only")
    sidecar = Sidecar(folder / "orders.db")
    sidecar.write(SidecarMark(Mark("a", 7), None))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            sidecar.write(SidecarMark(Mark("a", 8), None))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sidecar.read() == SidecarMark(Mark("a", 7), None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b"[" * 60_000,
        b'{"journal":"a","generation":7}',
        b'{"journal":"a","generation":7,"within":["a"],"given_up":[]}',
        b'{"journal":"a","generation":7,"within":null,"given_up":3}',
        b'{"journal":"a","generation":4611686018427387904,"within":null,"given_up":[]}',
    ],
)
def test_garbage_beside_the_journal_is_nothing_known(folder: Path, content: bytes) -> None:
    sidecar = Sidecar(folder / "orders.db")
    sidecar.path.write_bytes(content)
    assert sidecar.read() is None
