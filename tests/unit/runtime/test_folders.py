"""The state folder is its owner's alone, whoever makes it first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bridge.runtime.folders import UnsafeFolderError, make_private


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_a_new_folder_is_the_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    parent = tmp_path / "state"
    parent.mkdir()
    before = os.umask(umask)
    try:
        make_private(parent / "kis-bridge")
    finally:
        os.umask(before)
    assert (parent / "kis-bridge").stat().st_mode & 0o777 == 0o700


def test_what_is_there_stays_as_it_is_and_parents_are_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_private(folder)
    folder.chmod(0o750)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777, 0o720])
def test_a_folder_that_others_may_write_in_is_refused_with_the_mend(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(UnsafeFolderError) as caught:
        make_private(folder)
    assert caught.value.strerror == f"others can write in it: chmod 700 {folder}"
    folder.chmod(0o700)
    make_private(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX owners")
def test_a_folder_of_somebody_else_is_refused_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UnsafeFolderError) as caught:
        make_private(tmp_path)
    assert f"belongs to another user (uid {owner})" in str(caught.value)
    assert caught.value.mend == f"chown -R {owner + 1} {tmp_path}"


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")
