from __future__ import annotations

import pytest

from tests.unit.fuzz.counts import COUNTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many inputs were fed."""
    if COUNTS:
        doors = ", ".join(f"{door} {count:,}" for door, count in sorted(COUNTS.items()))
        terminalreporter.write_line(f"fuzzed with {COUNTS.total():,} inputs: {doors}")
