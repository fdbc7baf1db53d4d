"""What the bridge writes is its owner's alone, and never goes where somebody else wants it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.kis.credential_file import CredentialFile, CredentialRecord
from bridge.kis.masters import SymbolStore
from bridge.mqtt.strict_json import encode
from bridge.orders.journal.database import claim, parse
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.opened_file import set_log_aside
from bridge.orders.journal.sidecar import Sidecar, SidecarMark
from bridge.runtime.private_files import create_private, open_private, replace_private
from bridge.subscriptions.store import SubscriptionStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")


@pytest.fixture(params=[0o000, 0o022, 0o277])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def _token(folder: Path) -> None:
    file = CredentialFile(folder / "token.json", "token")
    os.close(file.open_lock())
    file.save(CredentialRecord(secret="t0ken"))


def _subscriptions(folder: Path) -> None:
    store = SubscriptionStore(folder)
    store.save_limits({"app1": 20})
    store.write("subscriptions.json", "[]")


def _symbols(folder: Path) -> None:
    SymbolStore(folder / "symbols.db").updated()


def _journal(folder: Path) -> None:
    lock = claim(parse(f"sqlite:///{folder}/orders.db"))
    assert lock is not None
    os.close(lock)


def _mark(folder: Path) -> None:
    Sidecar(folder / "orders.db").write(SidecarMark(Mark("j", 1), None))


def _log(folder: Path) -> None:
    log = folder / "orders.db-wal"
    if not log.is_symlink():
        log.write_bytes(b"pages")
    set_log_aside(folder / "orders.db")


WRITERS: list[tuple[Callable[[Path], None], set[str]]] = [
    (_token, {"token.json", "token.lock"}),
    (_subscriptions, {"limits.json", "subscriptions.json"}),
    (_symbols, {"symbols.db"}),
    (_journal, {"orders.db", "orders.db.lock"}),
    (_mark, {"orders.db.mark"}),
    (_log, {"orders.db-wal", "orders.db-wal.replaced"}),
]


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize(("write", "names"), WRITERS)
def test_every_file_of_the_state_is_the_owners_alone(
    state: Path, write: Callable[[Path], None], names: set[str]
) -> None:
    write(state)
    assert {path.name for path in state.iterdir()} == names
    modes = {path.name: path.stat().st_mode & 0o777 for path in state.iterdir()}
    assert modes == dict.fromkeys(names, 0o600)


@pytest.mark.parametrize(
    ("write", "name"), [(write, name) for write, names in WRITERS for name in sorted(names)]
)
def test_no_symlink_is_followed(
    tmp_path: Path, state: Path, write: Callable[[Path], None], name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    victim.chmod(0o644)
    (state / name).symlink_to(victim)
    try:
        write(state)
    except Exception as error:  # noqa: BLE001 - which one is the caller's, told elsewhere
        assert "symbolic link" in str(error) or "symlink" in str(error)
    assert victim.read_bytes() == b"untouched"
    assert victim.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("beside", ["-wal", "-shm", "-journal"])
def test_sqlite_follows_no_symlink_either(tmp_path: Path, state: Path, beside: str) -> None:
    (state / f"orders.db{beside}").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="is a symlink, which is not followed: rm "):
        _journal(state)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_was_open_to_others_is_closed(state: Path) -> None:
    path = state / "old.db"
    path.write_bytes(b"kept")
    path.chmod(0o666)
    os.close(open_private(path))
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, b"kept")


def test_a_fifo_in_the_place_of_a_file_is_an_error_at_once(state: Path) -> None:
    os.mkfifo(state / "fifo", 0o600)
    with pytest.raises(OSError, match="is not a regular file"):
        open_private(state / "fifo")


def test_a_file_of_somebody_else_is_not_used(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "theirs").touch(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: (state / "theirs").stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        open_private(state / "theirs")


def test_whoever_cannot_replace_leaves_the_old_file_and_no_other(state: Path) -> None:
    (state / "taken").mkdir()
    (state / "taken" / "x").touch()
    with pytest.raises(OSError, match="taken"):
        replace_private(state / "taken", encode({}))
    assert [path.name for path in state.iterdir()] == ["taken"]


def test_a_new_file_takes_the_place_of_a_symlink(tmp_path: Path, state: Path) -> None:
    (state / "new").symlink_to(tmp_path / "nowhere")
    with os.fdopen(create_private(state / "new"), "wb") as file:
        file.write(b"here")
    assert (state / "new").read_bytes() == b"here"
    assert not (tmp_path / "nowhere").exists()
