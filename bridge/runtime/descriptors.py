"""File descriptors: as many as the system lets us have, and a word before they run out.

Without one left nothing can be opened any more: no connection to KIS, no journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

__all__ = ["Descriptors"]

log = structlog.get_logger()

_WANTED = 65_536
"""More than the bridge can have a use for; a limit of millions makes some programs slow."""
_FEW = 100
_LOOK_S = 10.0


class Descriptors:
    """The descriptors of this process; on Windows there is nothing to look at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._look_at = float("-inf")
        self._few = False

    def raise_limit(self) -> None:
        """Raise the soft limit to the hard one."""
        try:
            import resource
        except ImportError:  # Windows
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:  # macOS has one more limit behind it
            log.info("limit of file descriptors stays", limit=soft, reason=str(error))

    def look(self) -> None:
        """Say when few are left, once; to be called often."""
        if (now := self._clock()) < self._look_at:
            return
        self._look_at = now + _LOOK_S
        found = self.left()
        if found is None:
            return
        left, limit = found
        # Twice as many have to be free again: else it is said over and over around the bound.
        few = left < (2 * _FEW if self._few else _FEW)
        if few and not self._few:
            log.warning("few file descriptors left", left=left, limit=limit, mend="raise ulimit -n")
        self._few = few

    def left(self) -> tuple[int, int] | None:
        """Return how many can still be opened, and the limit; None where nobody can tell."""
        try:
            import resource

            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            folder = next(path for path in map(Path, ("/proc/self/fd", "/dev/fd")) if path.is_dir())
            # One of them is the folder's own.
            return limit - (len(list(folder.iterdir())) - 1), limit
        except (ImportError, StopIteration):
            return None
        except OSError:  # not one left to look with
            return 0, limit
