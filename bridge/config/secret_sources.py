"""Where a secret is kept: a variable, a file of the owner's, systemd's credentials, the keyring."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bridge.runtime.regular_file import open_regular

__all__ = ["FORMS", "fit_for_a_header", "is_source", "look_up", "without_controls"]

FORMS: Final = (
    'must be { env = "NAME" }, { file = "PATH" }, { credential = "NAME" } or '
    '{ keyring = "SERVICE/USER" }'
)
_KINDS: Final = frozenset({"env", "file", "credential", "keyring"})
_LARGEST: Final = 1 << 16
"""Bytes of a file with a secret; a KIS app secret has 180."""
_EVERYBODY: Final = stat.S_IRWXG | stat.S_IRWXO


def is_source(table: Mapping[str, object]) -> bool:
    """Tell whether a table says where a secret is kept, and nothing else."""
    return len(table) == 1 and all(
        key in _KINDS and isinstance(value, str) for key, value in table.items()
    )


def look_up(
    table: Mapping[str, object], environ: Mapping[str, str], place: Callable[[str], Path]
) -> str:
    """Return a secret; ``place`` finds a path as it is written in the configuration.

    Raises :class:`ValueError`, which never has any part of the secret in it.
    """
    match dict(table):
        case {"env": str(name), **rest} if not rest:
            if not (value := environ.get(name, "").strip()):
                raise ValueError(f"environment variable {name} is not set")
            return value
        case {"file": str(name), **rest} if not rest:
            return _from_file(place(name), _EVERYBODY)
        case {"credential": str(name), **rest} if not rest:
            return _credential(name, environ)
        case {"keyring": str(name), **rest} if not rest:
            return _from_keyring(name)
        case _:
            raise ValueError(FORMS)


def without_controls(secret: str) -> str:
    """Refuse what no protocol would carry: it would be an error later, with the secret in it."""
    if any(not character.isprintable() for character in secret):
        raise ValueError("has a line break or another control character in it")
    return secret


def fit_for_a_header(secret: str) -> str:
    """Refuse what an HTTP header cannot carry, without saying what it is."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret):
        raise ValueError("must be plain ASCII without blanks, as KIS issued it")
    return secret


def _credential(name: str, environ: Mapping[str, str]) -> str:
    # As systemd has it: a file name, so that nothing leads out of the folder.
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", name):
        raise ValueError(f"{name!r} is no name of a credential")
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ValueError(
            f"there is no credential {name}: $CREDENTIALS_DIRECTORY is not set; systemd sets it "
            f"for LoadCredential={name}:PATH"
        )
    # Systemd lets the service read it by an access list, which the group's mode stands for.
    return _from_file(Path(folder) / name, stat.S_IRWXO)


def _from_file(path: Path, closed: int) -> str:
    try:
        with open_regular(path) as file:
            # Of the very file that is read: another one may take its name in between.
            status = os.fstat(file.fileno())
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if sys.platform != "win32":
        if status.st_mode & closed:
            raise ValueError(f"{path} can be read by others: chmod 600 {path}")
        if status.st_uid not in (0, os.geteuid()):
            raise ValueError(f"{path} belongs to another user (uid {status.st_uid}), who knows it")
    if len(content) > _LARGEST:
        raise ValueError(f"cannot read {path}: more than {_LARGEST} bytes")
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None


def _from_keyring(name: str) -> str:
    service, _, user = name.rpartition("/")
    if not service or not user:
        raise ValueError('keyring must be "SERVICE/USER"')
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ValueError(
            "the keyring needs an extra: pip install 'kis-mqtt-bridge[keyring]'"
        ) from None
    try:
        found = keyring.get_password(service, user)
    except (KeyringError, OSError, RuntimeError) as error:
        raise ValueError(f"the keyring does not answer ({type(error).__name__})") from None
    if found is None:
        raise ValueError(f"not in the keyring: keyring set {service} {user}")
    return found.strip()
