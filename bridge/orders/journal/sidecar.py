"""What is known of a SQLite journal beside it: which one it is, and how far it had come.

It is a lower bound. It is written after the commits that it tells of, so that a crash leaves it
behind the journal and never before it. A journal with less than that is an older copy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy.engine import URL

from bridge.mqtt.strict_json import JsonError, decode_object, encode
from bridge.orders.journal.database import file_of
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.opened_file import read_mark, set_log_aside
from bridge.runtime.private_files import create_private
from bridge.runtime.regular_file import open_regular

__all__ = ["Sidecar", "SidecarMark"]

log = structlog.get_logger()

_LONGEST = 64 * 1024
"""Bytes of the file."""


class SidecarMark(NamedTuple):
    """What is known of a journal."""

    mark: Mark
    within: Mark | None
    """What its file had without its log."""
    given_up: tuple[str, ...] = ()
    """Journals that a person has given up for this one; a broker may still tell of them."""


class Sidecar:
    """The file beside a journal's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.path = Path(f"{file}.mark")

    @classmethod
    def of(cls, url: URL) -> Sidecar | None:
        """Return that of a journal; None: it is on a server."""
        file = file_of(url)
        return None if file is None else cls(file)

    def read(self) -> SidecarMark | None:
        """Return what is known; None: nothing, as before the first start."""
        try:
            with open_regular(self.path) as file:
                told = decode_object(file.read(_LONGEST + 1), _LONGEST)
            within = None
            if told["within"] is not None:
                within = Mark.told(dict(zip(Mark._fields, told["within"], strict=True)))
            return SidecarMark(Mark.told(told), within, tuple(map(str, told["given_up"])))
        except FileNotFoundError:
            return None
        except (JsonError, ValueError, TypeError, KeyError, OSError) as error:
            log.warning("not read", file=str(self.path), cause=str(error))
            return None

    def write(self, known: SidecarMark) -> None:
        """Remember what is on disk; raises :class:`OSError`."""
        told = {**known.mark._asdict(), "within": known.within, "given_up": known.given_up}
        new = Path(f"{self.path}.new")
        handle = create_private(new)
        # All of it or an error: on a full disk one write may take a part and say nothing.
        with os.fdopen(handle, "wb") as file:
            file.write(encode(told))
            file.flush()
            # Before the name: otherwise a power cut could leave a name without a content.
            os.fsync(file.fileno())
        new.replace(self.path)

    def part_strangers(self) -> None:
        """Set the journal's log aside when it is not that of the file beside it.

        Whoever copies a backup over a journal whose bridge was killed leaves the log of the one
        that was there. SQLite would mix the two. Call it before SQLite opens the file.
        """
        known, within = self.read(), read_mark(self._file)
        if known is None or known.within is None or within is None:
            return
        older = within.journal == known.within.journal and within < known.within
        if older or within.journal not in (known.within.journal, known.mark.journal):
            set_log_aside(self._file)
