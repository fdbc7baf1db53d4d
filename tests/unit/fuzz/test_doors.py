"""Whatever comes in, nothing but our own errors comes out, soon and without filling the memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.fuzz import doors, memory
from tests.unit.fuzz.counts import COUNTS, SCALE
from tests.unit.fuzz.doors import DOORS, Door
from tests.unit.fuzz.mutation import spoiled

_SECONDS = 2.0
"""Of the processor, for one input; the usual one takes a thousandth of it."""
_MEMORY = 256 << 20
"""By which the process may grow over all inputs of a door."""
_PROMISED = 100_000


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path) -> Iterator[None]:
    doors.FOLDER.path = tmp_path
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def test_enough_is_tried() -> None:
    assert sum(door.inputs for door in DOORS) >= _PROMISED


@pytest.mark.timeout(60 * max(5, 2 * SCALE))
@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_nothing_but_our_own_errors_comes_out_of(door: Door) -> None:
    parents = door.parents()
    for parent in parents:
        _fed(door, parent)
    before = memory.begin()

    # A seed and not the bytes themselves: Hypothesis takes a hundred times as long for each input
    # as most doors do. What it draws is what is told of a failure, and makes the same input again.
    @settings(
        max_examples=-(-door.inputs * SCALE // door.batch),
        derandomize=SCALE == 1,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        seed=st.integers(0, 2**64 - 1),
        chosen=st.lists(st.sampled_from(parents), min_size=1, max_size=4),
    )
    def batch(seed: int, chosen: list[bytes]) -> None:
        for data in spoiled(chosen, seed, door.batch):
            _fed(door, data)

    batch()
    assert COUNTS[door.name] >= door.inputs * SCALE
    assert memory.most() - before < _MEMORY


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_what_is_sound_is_taken_by(door: Door) -> None:
    """Otherwise every input would be turned away at the threshold, and nothing would be tried."""
    for parent in door.parents():
        try:
            door.feed(parent)
        except door.errors as error:
            assert any(word in str(error) for word in door.refused), error


def test_as_much_was_tried_as_is_said() -> None:
    if set(COUNTS) == {door.name for door in DOORS}:  # not where only some were chosen
        assert COUNTS.total() >= _PROMISED * SCALE


def _fed(door: Door, data: bytes) -> None:
    COUNTS[door.name] += 1
    began = time.thread_time()
    try:
        door.feed(data)
    except door.errors:
        pass
    except Exception as error:
        raise AssertionError(f"{door.name} let {error!r} out, for {data[:2_000]!r}") from error
    took = time.thread_time() - began
    assert took < _SECONDS, f"{door.name} took {took:.1f} s, for {data[:2_000]!r}"
