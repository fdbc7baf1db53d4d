"""The files of a broker's users: changed together, kept from others."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.broker.folder import BrokerFolder, reload
from bridge.broker.password_file import matches
from bridge.broker.roles import Grant
from bridge.broker.users import FileUsers
from bridge.errors import ConfigError

PASSWORD = "correct horse battery"
TRADER = Grant("trader", "main")


@pytest.fixture
def users(tmp_path: Path) -> FileUsers:
    users = FileUsers(BrokerFolder(tmp_path / "broker"))
    users.add("alice", PASSWORD, frozenset([TRADER]))
    return users


def test_a_user_has_password_and_role(users: FileUsers, tmp_path: Path) -> None:
    users.grant("alice", Grant("reader"))
    assert users.all()["alice"].grants == {TRADER, Grant("reader")}
    users.revoke("alice", TRADER)
    assert users.all()["alice"].grants == {Grant("reader")}
    users.set_password("alice", "another horse battery")
    (line,) = (tmp_path / "broker/users").read_text().splitlines()
    assert matches("another horse battery", line.removeprefix("alice:"))
    users.remove("alice")
    assert users.all() == {}


def test_who_is_not_there_is_told_with_those_who_are(users: FileUsers) -> None:
    changes: list[Callable[[], None]] = [
        lambda: users.remove("bob"),
        lambda: users.set_password("bob", PASSWORD),
        lambda: users.grant("bob", TRADER),
    ]
    for change in changes:
        with pytest.raises(ConfigError, match=r"no user 'bob' \(there are alice\)"):
            change()
    with pytest.raises(ConfigError, match="does not have role admin"):
        users.revoke("alice", Grant("admin"))
    with pytest.raises(ConfigError, match="is there already"):
        users.add("alice", PASSWORD, frozenset())


def test_rights_left_over_from_an_earlier_user_are_not_inherited(
    users: FileUsers, tmp_path: Path
) -> None:
    (tmp_path / "broker/users").write_text("")
    assert not users.all()["alice"].can_log_in
    users.add("alice", PASSWORD, frozenset([Grant("reader")]))
    assert users.all()["alice"].grants == {Grant("reader")}


def test_a_change_that_fails_changes_nothing(users: FileUsers, tmp_path: Path) -> None:
    before = {name: (tmp_path / "broker" / name).read_bytes() for name in ("users", "acl")}
    with pytest.raises(ConfigError, match="12 to 256"):
        users.add("bob", "short", frozenset([TRADER]))
    after = {name: (tmp_path / "broker" / name).read_bytes() for name in ("users", "acl")}
    assert after == before


def test_lines_written_by_hand_are_not_lost(users: FileUsers, tmp_path: Path) -> None:
    acl = tmp_path / "broker/acl"
    acl.write_text(acl.read_text() + "user dave\ntopic read #\n")
    with pytest.raises(ConfigError, match="changed by hand"):
        users.add("bob", PASSWORD, frozenset())
    assert "dave" in acl.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_the_files_are_the_owners_alone_or_a_groups(users: FileUsers, tmp_path: Path) -> None:
    folder = tmp_path / "broker"

    def modes() -> set[int]:
        return {stat.S_IMODE((folder / name).stat().st_mode) for name in ("users", "acl")}

    assert modes() == {0o600}
    assert {stat.S_IMODE(f.stat().st_mode) for f in (folder, folder / "data")} == {0o700}
    for name in ("users", "acl"):
        (folder / name).chmod(0o640)
    users.grant("alice", Grant("reader"))
    assert modes() == {0o640}  # the broker, which runs as another user, reads on


@pytest.mark.skipif(sys.platform == "win32", reason="groups")
def test_a_group_gets_in_but_cannot_write(tmp_path: Path) -> None:
    import grp

    own = next(iter(os.getgroups()), os.getgid())
    folder = BrokerFolder(tmp_path / "broker", grp.getgrgid(own).gr_name)
    FileUsers(folder).add("alice", PASSWORD, frozenset([TRADER]))
    FileUsers(folder).grant("alice", Grant("reader"))
    found = {path.name: path.stat() for path in (folder.path, folder.users, folder.data)}
    assert {info.st_gid for info in found.values()} == {own}
    assert {name: stat.S_IMODE(info.st_mode) for name, info in found.items()} == {
        "broker": 0o750,
        "users": 0o640,
        "data": 0o770,
    }
    with pytest.raises(ConfigError, match="no such group"):
        FileUsers(BrokerFolder(tmp_path / "b", "no-such-group")).add("a", PASSWORD, frozenset())


def test_two_commands_do_not_overwrite_each_others_change(users: FileUsers, tmp_path: Path) -> None:
    with (
        BrokerFolder(tmp_path / "broker").change(),
        pytest.raises(ConfigError, match="changed by another command"),
    ):
        users.grant("alice", Grant("admin"))


@pytest.mark.parametrize(
    "content", ["", "x", "1", str(os.getpid())], ids=["blank", "letters", "init", "this process"]
)
def test_only_a_mosquitto_of_this_folder_is_signalled(tmp_path: Path, content: str) -> None:
    folder = BrokerFolder(tmp_path)
    folder.data.mkdir()
    (folder.data / "mosquitto.pid").write_text(content)
    assert reload(folder).startswith("make the broker read it")
