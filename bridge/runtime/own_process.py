"""What keeps a process's memory, files and environment from everybody else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, MutableMapping
from contextlib import suppress

__all__ = ["close_to_others", "forget_variables"]

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Call first: no core dump, no look into the memory, and new files are the owner's alone."""
    os.umask(0o077)
    if sys.platform == "win32":
        return
    import resource

    # A core dump has every key in it, and systemd's keeps it for weeks.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # A pipe in core_pattern is not bound by the limit. This also closes /proc/PID/environ,
        # where variables stay that were taken away, to other processes of the same user.
        with suppress(ImportError, OSError, AttributeError, MemoryError):
            import ctypes  # which some hardened systems do not let run

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def forget_variables(names: Iterable[str], environ: MutableMapping[str, str] | None = None) -> None:
    """Take variables away, so that no program that is started from here inherits them."""
    environ = os.environ if environ is None else environ
    for name in names:
        environ.pop(name, None)
