"""Unit tests wait for nothing, not for a disk either."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_IN_MEMORY = "/dev/shm"  # noqa: S108 - each folder in it is made anew, for its owner alone


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder of the test's own, in memory where the system has a place for that.

    A journal waits for the disk at every commit, and on a busy disk that takes longer than all
    the rest of the tests together.
    """
    if not os.access(_IN_MEMORY, os.W_OK):
        yield tmp_path_factory.mktemp("unit")
        return
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
