"""Every system test is also a test that nothing tells a secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.leaks import overheard


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_told_at_the_end() -> Iterator[None]:
    yield
    assert overheard.look() == []


@pytest.fixture(autouse=True)
def _nothing_is_told() -> Iterator[None]:
    """Look through logs, topics, payloads, arguments and state of what this test has started."""
    yield
    assert overheard.look() == []
