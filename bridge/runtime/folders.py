"""Folders that are the owner's alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["UnsafeFolderError", "make_private"]


class UnsafeFolderError(PermissionError):
    """Somebody else could put files into the folder."""

    def __init__(self, folder: Path, why: str, mend: str) -> None:
        super().__init__(errno.EPERM, f"{why}: {mend}", str(folder))
        self.why = why
        self.mend = mend


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter, and the folders above it where they lack.

    One that is there stays as it is, even when others can look into it: its files are the owner's
    alone all the same. But where others can write, they could put their own files in the place of
    ours, whatever the modes of those. Raises :class:`OSError`, :class:`UnsafeFolderError` for that.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)  # the umask may have taken away the owner's own rights
    if os.name != "posix":  # modes and owners say nothing there
        return
    found = folder.stat()
    if found.st_uid != (own := os.geteuid()):
        why = f"it belongs to another user (uid {found.st_uid})"
        raise UnsafeFolderError(folder, why, f"chown -R {own} {folder}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafeFolderError(folder, "others can write in it", f"chmod 700 {folder}")
