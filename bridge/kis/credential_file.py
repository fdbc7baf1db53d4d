"""A credential on disk: the owner's only, replaced in one step; in memory where that fails."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.runtime.folders import make_private
from bridge.runtime.private_files import open_private, replace_private
from bridge.runtime.redaction import known
from bridge.runtime.regular_file import read_regular

__all__ = ["CredentialFile", "CredentialRecord"]

log = structlog.get_logger()

_LARGEST = 64 * 1024

_LONGEST: Final = 64 * 1024
"""Bytes of the file."""


class CredentialRecord(BaseModel):
    """What the file holds; times are seconds since the epoch, 0 for never."""

    model_config = ConfigDict(extra="forbid", strict=True)

    secret: str = Field(default="", pattern=r"^[\x21-\x7e]*$", repr=False)
    issued_at: float = Field(default=0.0, allow_inf_nan=False)
    expires_at: float = Field(default=0.0, allow_inf_nan=False)
    attempted_at: float = Field(default=0.0, allow_inf_nan=False)

    def usable(self, now: float) -> bool:
        """Tell whether the credential still has a while to live."""
        # Renewed before it ends: a call that is on its way must not be overtaken by the end.
        margin = min(600.0, (self.expires_at - self.issued_at) / 10)
        return bool(self.secret) and now < self.expires_at - margin


class CredentialFile:
    """The newest record of one credential; ``kind`` is its name in the log."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        self._kind = kind
        self.record = CredentialRecord()
        self._unsaved = False
        """The newest record is in memory only."""
        self._warned = False

    def open_lock(self) -> int:
        """Open the file beside it whose lock keeps two processes from both asking."""
        make_private(self._path.parent)
        _look_at(self._path.parent)
        return open_private(self._path.with_suffix(".lock"))

    def load(self) -> CredentialRecord:
        """Return the newest record, another process's or ours."""
        self._take(self._read())
        return self.record

    def _take(self, record: CredentialRecord) -> None:
        self.record = record
        known().learn(self._path.name, record.secret)

    def _read(self) -> CredentialRecord:
        try:
            found = CredentialRecord.model_validate_json(read_regular(self._path, _LONGEST))
        except FileNotFoundError:
            found = CredentialRecord()
        except ValidationError:
            log.warning("credential file ignored, it is damaged", file=str(self._path))
            found = CredentialRecord()
        except OSError as error:
            self.warn(error)
            return self.record
        # A file that could not be replaced holds an older record than the memory does.
        held = self.record
        return held if self._unsaved and held.attempted_at >= found.attempted_at else found

    def save(self, record: CredentialRecord) -> None:
        """Replace the file in one step."""
        self._take(record)
        try:
            make_private(self._path.parent)
            replace_private(self._path, record.model_dump_json().encode())
        except OSError as error:
            self._unsaved = True
            self.warn(error)
        else:
            self._unsaved = self._warned = False

    def warn(self, error: OSError) -> None:
        """Say once that the file is of no use; again when it was in between."""
        if not self._warned:
            self._warned = True
            log.warning(
                "credential kept in memory only; a restart asks KIS again",
                what=self._kind,
                folder=str(self._path.parent),
                cause=error.strerror or str(error),
            )


@cache
def _look_at(folder: Path) -> None:
    """Warn once of a folder that others can enter; it stays so, since its owner may want it."""
    mode = folder.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        log.warning(
            "others on this machine can enter the folder of credentials",
            folder=str(folder),
            mode=f"{mode:o}",
            mend=f"chmod 700 {folder}",
        )
