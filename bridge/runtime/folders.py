"""Folders that are the owner's alone."""

from __future__ import annotations

from pathlib import Path

__all__ = ["make_private"]


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter, and the folders above it where they lack.

    One that is there stays as it is: whoever opened it to others may want it so. Raises
    :class:`OSError`.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # the umask may have taken away the owner's own rights
