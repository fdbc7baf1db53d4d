from __future__ import annotations

import ast
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bridge.runtime import filelock
from bridge.runtime.filelock import try_lock

ROOT = Path(filelock.__file__).parents[1]
NOT_EVERYWHERE = {"fcntl", "grp", "msvcrt", "pwd", "resource", "termios", "tty"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def opened(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


def test_a_file_is_locked_until_it_is_closed(file: Path) -> None:
    first, second = opened(file), opened(file)
    assert try_lock(first)
    assert not try_lock(second)
    os.close(first)
    assert try_lock(second)
    os.close(second)


@pytest.mark.parametrize("taken", [False, True])
def test_it_locks_on_windows(file: Path, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    asked: list[tuple[int, int, int]] = []

    def locking(handle: int, mode: int, size: int) -> None:
        asked.append((handle, mode, size))
        if taken:
            raise PermissionError(13, "Permission denied")

    windows = ModuleType("msvcrt")
    vars(windows).update(LK_NBLCK=2, locking=locking)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setitem(sys.modules, "fcntl", None)  # to import it is an error
    there = runpy.run_path(str(ROOT / "runtime/filelock.py"))["try_lock"]
    handle = opened(file)
    assert there(handle) is not taken
    assert asked == [(handle, 2, 1)]
    os.close(handle)


def imported(path: Path) -> Iterator[str]:
    text = path.read_text()
    if not any(name in text for name in NOT_EVERYWHERE):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_nothing_else_needs_a_module_that_some_systems_lack() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if NOT_EVERYWHERE.intersection(imported(path))
    }
    assert users == {
        "runtime/descriptors.py",
        "runtime/filelock.py",
        "runtime/own_process.py",
    }
