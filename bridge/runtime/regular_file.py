"""Files that somebody else may have put there: regular ones only, and no longer than expected."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_regular", "read_regular"]

_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raise `OSError` for whatever else stands there.

    A FIFO would hold the program until somebody writes to it, and a device may never end.
    """
    # Looked at twice: before, since opening some devices already does something; after, since
    # another file may have taken the place in between.
    _check(path.stat(), path)
    handle = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        _check(os.fstat(handle), path)
    except BaseException:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """Return what is in a regular file of at most ``most`` bytes; raise `OSError` otherwise."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
    return content


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a directory" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        raise OSError(errno.EINVAL, f"is {kind} and no file", str(path))
