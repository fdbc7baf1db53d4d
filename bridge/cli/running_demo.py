"""Where running demos keep their journals: a note of each in the user's state folder."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.runtime.bounded_json import JsonError, decode_object
from bridge.runtime.folders import make_private
from bridge.runtime.private_files import replace_private
from bridge.runtime.regular_file import read_regular

__all__ = ["RunningDemo", "announced", "find"]

_LONGEST = 64 * 1024
"""Bytes of a note."""


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """A demo that runs now."""

    journal: str
    """URL of its journal."""
    mqtt: str
    """URL of its broker."""


@contextlib.contextmanager
def announced(demo: RunningDemo) -> Iterator[None]:
    """Leave a note where the demo is, for the commands in other terminals, while inside."""
    note: Path | None = None
    # Without a home, or with one that is full or read-only, the demo runs as well.
    with contextlib.suppress(OSError, RuntimeError):
        folder = _folder()
        make_private(folder)
        # In one step: a note that is half written would be taken for one of a demo that is gone.
        note = folder / f"demo-{os.getpid()}.json"
        replace_private(note, json.dumps({"journal": demo.journal, "mqtt": demo.mqtt}).encode())
    try:
        yield
    finally:
        if note is not None:
            with contextlib.suppress(OSError):
                note.unlink(missing_ok=True)


def find() -> list[RunningDemo]:
    """Return the demos that run now, and take away the notes of those that were killed."""
    found = []
    with contextlib.suppress(OSError, RuntimeError):
        for note in sorted(_folder().glob("demo-*.json")):
            demo = _read(note)
            if demo is not None and _runs(demo):
                found.append(demo)
            else:
                note.unlink(missing_ok=True)
    return found


def _runs(demo: RunningDemo) -> bool:
    from bridge.orders.journal.database import in_use  # slow to import

    # A demo holds its journal locked for as long as it lives, however it ends.
    return in_use(demo.journal)


def _read(note: Path) -> RunningDemo | None:
    try:
        said = decode_object(read_regular(note, _LONGEST), _LONGEST)
        return RunningDemo(str(said["journal"]), str(said["mqtt"]))
    except (OSError, JsonError, KeyError):
        return None


def _folder() -> Path:
    return Path.home() / ".local/state/kis-bridge"
