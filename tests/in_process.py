"""Commands of kis-bridge in the test's own process, for tests that run many of them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import main

__all__ = ["run"]


def run(folder: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end; what it prints is kept."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["kis-bridge", *args])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as end:
            main()
    return subprocess.CompletedProcess(
        args, int(end.value.code or 0), out.getvalue(), err.getvalue()
    )
