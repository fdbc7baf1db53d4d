from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bridge.runtime.regular_file import open_regular, read_regular

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def test_a_file_is_read_also_over_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "key", tmp_path / "link"
    file.write_bytes(b"12345")
    link.symlink_to(file)
    assert read_regular(link, 5) == b"12345"


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"123456")
    with pytest.raises(OSError, match="more than 5 bytes") as caught:
        read_regular(file, 5)
    assert caught.value.strerror == "more than 5 bytes"


@posix
@pytest.mark.timeout(5)
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key")
    with pytest.raises(OSError, match="a pipe, socket or device and no file"):
        read_regular(tmp_path / "key", 100)


@posix
@pytest.mark.timeout(5)
def test_a_pipe_that_takes_the_place_meanwhile_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, pipe = tmp_path / "key", tmp_path / "pipe"
    file.write_bytes(b"1")
    os.mkfifo(pipe)
    found = file.stat()
    monkeypatch.setattr(Path, "stat", lambda _: found)
    with pytest.raises(OSError, match="and no file"):
        open_regular(pipe)


@posix
@pytest.mark.timeout(5)
def test_a_device_is_no_file() -> None:
    with pytest.raises(OSError, match="device"):
        read_regular(Path("/dev/zero"), 100)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is a directory and no file"):
        read_regular(tmp_path, 100)


def test_what_is_not_there_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "key", 100)
