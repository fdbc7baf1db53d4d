"""Files that are the owner's alone, whatever the umask and whatever lies in their place."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["create_private", "open_private", "refuse_symlink", "replace_private"]

# Neither follows a symlink that somebody planted, nor waits for the other end of a FIFO.
_SAFELY: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def open_private(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """Open a regular file, or make it; one that others could read is closed to them.

    Raises :class:`OSError`, also for anything else than a regular file of one's own.
    """
    handle = os.open(path, flags | _SAFELY, 0o600)
    try:
        _own(handle, path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def create_private(path: Path) -> int:
    """Open a new file for writing, in the place of whatever is there; raises :class:`OSError`."""
    with suppress(FileNotFoundError):
        path.unlink()
    return open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def replace_private(path: Path, content: bytes) -> None:
    """Replace a file in one step: whoever dies half-way leaves the old one whole.

    A symlink in its place is replaced itself, and not what it leads to. There is no fsync. Raises
    :class:`OSError`.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if os.name == "posix":
                os.fchmod(handle, 0o600)  # the umask may have taken away the owner's own rights
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def refuse_symlink(path: Path) -> None:
    """Raise :class:`OSError` where a library is about to follow a symlink of this name."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"is a symlink, which is not followed: rm {path}", str(path))


def _own(handle: int, path: Path) -> None:
    if os.name != "posix":
        return
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    if found.st_uid != os.geteuid():
        raise PermissionError(
            errno.EPERM, f"belongs to another user (uid {found.st_uid})", str(path)
        )
    if stat.S_IMODE(found.st_mode) & _OTHERS or not found.st_mode & stat.S_IWUSR:
        os.fchmod(handle, 0o600)
