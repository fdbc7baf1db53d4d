"""Where the password of a new user comes from: never from the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.broker.password_file import generate
from bridge.config.values import open_to_others
from bridge.errors import ConfigError
from bridge.runtime.private_files import open_private

__all__ = ["PasswordOptions", "from_file"]

_LONGEST: Final = 4096
"""Bytes that are read of a file with a password."""


@dataclass(frozen=True, slots=True)
class PasswordOptions:
    """Ways to a password; without any of them it is asked for on the terminal."""

    password_file: Annotated[
        Path | None,
        typer.Option(
            help="Take the password from the first line of this file; - is standard input.",
            allow_dash=True,
        ),
    ] = None
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a password and show it, once.")
    ] = False
    save: Annotated[
        Path | None,
        typer.Option(
            help="Make a password and write it to this new file, which you alone can read.",
            dir_okay=False,
        ),
    ] = None

    @contextmanager
    def password(self, name: str) -> Iterator[str]:
        """Give the password for a user, and show or keep a generated one if nothing failed."""
        ways = [self.password_file is not None, self.generate, self.save is not None]
        if sum(ways) > 1:
            raise ConfigError("one of --password-file, --generate and --save, not several")
        if self.save is not None:
            with _kept(self.save) as password:
                yield password
        elif self.generate:
            password = generate()
            yield password
            sys.stdout.write(f"{password}\n")
            _tell(f"password of {name}, above: it is shown this once")
        elif self.password_file is not None:
            yield from_file(self.password_file)
        elif sys.stdin.isatty():
            yield str(
                typer.prompt(
                    f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True
                )
            )
        else:
            raise ConfigError(
                "no terminal to ask for the password on: --password-file FILE (- is standard"
                " input), --generate or --save FILE"
            )


def from_file(path: Path) -> str:
    """Return the first line of a file that others cannot read; raises :class:`ConfigError`."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.readline(_LONGEST + 1)
        elif open_to_others(path):
            raise ConfigError(f"{path} can be read by others: chmod 600 {path}")
        else:
            with path.open("rb") as file:
                data = file.readline(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise ConfigError(f"{path}: its first line is no password, it is too long")
        password = data.decode().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    if not password:
        raise ConfigError(f"{path}: its first line is empty")
    return password


@contextmanager
def _kept(path: Path) -> Iterator[str]:
    """Write a generated password to a file; it is gone again when what it is for fails."""
    try:
        handle = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise ConfigError(f"{path} is there already: move it away, or name another file") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    password = generate()
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{password}\n")
        yield password
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    _tell(f"its password is in {path}")


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
