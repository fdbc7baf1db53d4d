from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.backoff import Backoff


def test_pauses_double_until_they_are_as_long_as_they_get() -> None:
    retry = Backoff(0.5, 30.0)
    assert [retry.pause(failures) for failures in (1, 2, 3, 6, 7, 8)] == [0.5, 1, 2, 16, 30, 30]


def test_a_failure_that_is_not_counted_is_the_first() -> None:
    assert Backoff(0.5, 30.0).pause(0) == 0.5


def test_a_pause_may_grow_slower() -> None:
    assert Backoff(20.0, 120.0, factor=1.5).pause(2) == pytest.approx(30.0)


def test_chance_spreads_a_pause_between_two_ends() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    assert Backoff(2.0, 30.0, jitter=(0.5, 1.25)).pause(1, uniform) == 2.5
    assert asked == [(0.5, 1.25)]


@given(st.integers(0, 10**9))
def test_no_number_of_failures_is_too_many(failures: int) -> None:
    assert 0.5 <= Backoff(1.0, 60.0, jitter=(0.5, 1.0)).pause(failures) <= 60.0
