"""The folder of a broker: its users and their rights as files, changed together."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.broker import acl_file, password_file
from bridge.broker.roles import Grant
from bridge.errors import ConfigError
from bridge.runtime.filelock import try_lock
from bridge.runtime.folders import make_private
from bridge.runtime.private_files import open_private, replace_private
from bridge.runtime.regular_file import read_regular

__all__ = ["BrokerFolder", "Contents", "reload"]

_BIGGEST: Final = 4 * 1024 * 1024
"""Bytes of a file that is read: tens of thousands of users."""


@dataclass(slots=True)
class Contents:
    """What is in the folder; a change of it is written when the folder is closed."""

    hashes: dict[str, str]
    """User → hashed password."""
    grants: dict[str, frozenset[Grant]]
    """User → roles."""
    base: str


class BrokerFolder:
    """Users and roles in the files that ``mosquitto.conf`` names."""

    def __init__(self, path: Path, group: str = "") -> None:
        """Name the folder; ``group`` may read its files besides their owner."""
        self.path = path
        self._group = group

    @property
    def users(self) -> Path:
        return self.path / "users"

    @property
    def acl(self) -> Path:
        return self.path / "acl"

    @property
    def tls(self) -> Path:
        return self.path / "tls"

    @property
    def data(self) -> Path:
        """Where the broker keeps what is its own."""
        return self.path / "data"

    def read(self, base: str = "kis") -> Contents:
        """Return what is there; ``base`` is the base topic where nothing is yet.

        :raises ConfigError: a file cannot be read, or was changed by hand.
        """
        hashes = password_file.parse(self._text(self.users), self.users)
        grants: dict[str, frozenset[Grant]] = {}
        if text := self._text(self.acl):
            grants, base = acl_file.parse(text, self.acl)
        return Contents(hashes, grants, base)

    @contextmanager
    def change(self, base: str = "kis") -> Iterator[Contents]:
        """Give what is there for changing and write it, unless an error was raised.

        :raises ConfigError: see `read`; or another command changes it right now.
        """
        try:
            self.prepare()
            lock = open_private(self.path / ".users.lock")
            try:
                if not try_lock(lock):
                    raise ConfigError(f"{self.path} is being changed by another command: try again")
                contents = self.read(base)
                yield contents
                # Rights come first and go last, else a user would be there without or with old
                # ones. Both are read by the broker together, when it is told to.
                self.write(self.acl, acl_file.render(contents.grants, contents.base))
                self.write(self.users, password_file.render(contents.hashes))
            finally:
                os.close(lock)
        except OSError as error:
            raise ConfigError(f"{error.filename or self.path}: {error.strerror}") from None

    def prepare(self) -> None:
        """Make the folder and what is in it, enough for the broker's group; raises `OSError`."""
        fresh = not self.data.exists()
        for folder in (self.path, self.tls, self.data):
            if folder != self.data or fresh:  # the broker's group may write in its own
                make_private(folder)
            if self._group:
                self._chown(folder, self._group)
                # Only the last one is the broker's own: nobody else may put files beside ours.
                if folder != self.data:
                    folder.chmod(0o750)
                elif fresh:
                    folder.chmod(0o770)

    def write(self, path: Path, text: str) -> None:
        """Write a file that its owner alone may read, and the broker's group if there is one.

        A file that a group could read stays readable for it. Raises :class:`OSError` and
        :class:`ConfigError`.
        """
        group: str | int = self._group
        with suppress(FileNotFoundError):
            found = path.lstat()
            if not group and stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_IRGRP:
                group = found.st_gid
        replace_private(path, text.encode())
        if group != "":
            self._chown(path, group)
            path.chmod(0o640)

    def _chown(self, path: Path, group: str | int) -> None:
        try:
            shutil.chown(path, group=group)
        except LookupError:
            raise ConfigError(f"--group {group}: this machine has no such group") from None
        except PermissionError:
            raise ConfigError(f"--group {group}: you are not in that group; use sudo") from None

    def _text(self, path: Path) -> str:
        try:
            return read_regular(path, _BIGGEST).decode()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path} is not UTF-8 text") from None


def reload(folder: BrokerFolder) -> str:
    """Let a broker that runs in this folder read its files again; return what was or is to be done.

    The broker is found by the process id that it wrote down, which counts only while a Mosquitto
    has that id.
    """
    by_hand = "make the broker read it: kill -HUP $(pidof mosquitto), or start it"
    try:
        # The broker may write there, and so may whoever broke into it.
        pid = int(read_regular(folder.data / "mosquitto.pid", 20))
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        where = Path(f"/proc/{pid}/cwd").readlink()
    except (OSError, ValueError):
        return by_hand
    if name != "mosquitto" or where != folder.path.resolve():
        return by_hand
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError:
        return f"make the broker read it: sudo kill -HUP {pid}"
    return f"the broker (process {pid}) reads it now"
