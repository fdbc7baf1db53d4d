"""``kis-bridge`` with a wall clock that somebody sets while it runs.

``python -m tests.system.jumping_daemon FILE run …``: the file says how many seconds the clock is
ahead. All else is the program as it is, the clock that nobody can set too.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bridge.cli import main

__all__ = ["WallClock"]

_right_time = time.time_ns


class WallClock:
    """Sets the clock of the program :attr:`program`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.program = [sys.executable, "-m", "tests.system.jumping_daemon", str(file)]
        self.jump(0)

    def jump(self, ahead_s: int) -> None:
        """Set it to the right time and so many seconds."""
        new = self._file.with_suffix(".new")
        new.write_text(str(ahead_s))
        new.replace(self._file)  # at once: nobody reads half of it


if __name__ == "__main__":
    offset = Path(sys.argv.pop(1))
    time.time_ns = lambda: _right_time() + int(offset.read_text()) * 1_000_000_000
    main()
