"""The state folder is its owner's alone, whoever makes it first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bridge.runtime.folders import make_private


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


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")
